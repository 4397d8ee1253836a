"""Top workloads: "the three to cap this week", each with the cap that its history suggests and what that would have
refused.

Ranked by what is at stake: the cost that the better cap would have refused, or how much more than in an earlier such
time the workload cost, whichever is more; then by cost. `caps` says how a cap is found; the replay is
`audit_top_replay.sql`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from statistics import median
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from collector.reporting import Report, ReportError

from ..contracts.exact import stored
from .caps import Cap, Costs, of_day, of_task, policy
from .lookback import Lookback

if TYPE_CHECKING:
    import duckdb

__all__ = ["TOP_WORKLOADS", "audit_top_workloads"]

_TOP, _WEEKS = 10, 8
_CANDIDATES = 50
"""So many of the dearest, and of those that grew most, are replayed."""
_NOTHING = Decimal(0)
_DAY_S = 86_400
_MONEY = pa.decimal128(38, 12)
_SCHEMA = pa.schema(
    [
        ("place", pa.int64()),
        ("tenant", pa.string()),
        ("workload", pa.string()),
        ("owner", pa.string()),
        ("cost", _MONEY),
        ("share", pa.float64()),
        ("calls", pa.int64()),
        ("tasks", pa.int64()),
        ("usual_cost", _MONEY),
        ("growth", pa.float64()),
        ("task_p50", _MONEY),
        ("task_p99", _MONEY),
        ("largest_task", _MONEY),
        ("cap", pa.string()),
        ("recommended", pa.bool_()),
        ("limit", _MONEY),
        ("basis", pa.string()),
        ("refused_calls", pa.int64()),
        ("refused_cost", _MONEY),
        ("refused_tasks", pa.int64()),
        ("refused_succeeded_tasks", pa.int64()),
        ("refused_succeeded_cost", _MONEY),
        ("refused_unknown_tasks", pa.int64()),
        ("currency", pa.string()),
        ("why", pa.string()),
        ("policy", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class _Refused:
    """What a cap would have refused."""

    calls: int = 0
    cost: Decimal = _NOTHING
    tasks: int = 0
    succeeded_tasks: int = 0
    succeeded_cost: Decimal = _NOTHING
    unknown_tasks: int = 0

    @property
    def waste(self) -> Decimal:
        """What was refused of tasks that did not end well anyway."""
        return self.cost - self.succeeded_cost


@dataclass(slots=True)
class _Workload:
    """A workload on its way through the audit."""

    row: Mapping[str, Any]
    usual: Decimal | None
    """The median cost of an earlier time as long as the range."""
    tasks: Mapping[str, Any]
    caps: list[tuple[Cap, _Refused]] = field(default_factory=list)

    @property
    def rise(self) -> Decimal:
        return max(_NOTHING, self.row["cost"] - self.usual) if self.usual is not None else _NOTHING

    @property
    def best(self) -> tuple[Cap, _Refused] | None:
        """The cap that refuses the most of what came to nothing; of equals that of a task."""
        return max(self.caps, key=lambda each: (each[1].waste, each[0].per == "task"), default=None)

    @property
    def at_stake(self) -> Decimal:
        return max(self.rise, self.best[1].cost if self.best else _NOTHING)


def audit_top_workloads(con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """The `top` (10) workloads to cap, a row for each cap that history suggests; one without a cap where it suggests
    none.

    History is `weeks` (8) before the range; a task's cap is `margin` (1.5) times what nearly all tasks cost. What a
    cap would have refused is exact for the calls as they were booked: each counts when the next begins.
    """
    asked = Lookback.of(con, params, weeks=_WEEKS, top=_TOP, more=("margin",))
    margin = _margin(params.get("margin", "1.5"))
    costs = asked.table(con, "audit_top_costs").to_pylist()
    whole = sum((row["cost"] for row in costs), _NOTHING)
    told = {(row["tenant"], row["workload"]): row for row in asked.table(con, "audit_top_tasks").to_pylist()}
    found = [
        _Workload(row, _usual(row, asked), told.get((row["tenant"], row["workload"]), {})) for row in costs
    ]
    chosen = {
        id(each): each
        for key in ("cost", "rise", "tail")
        for each in sorted(found, key=lambda each: _measure(each, key), reverse=True)[:_CANDIDATES]
    }
    _replay(con, asked, list(chosen.values()), margin)
    ranked = sorted(
        chosen.values(),
        key=lambda each: (-each.at_stake, -each.row["cost"], each.row["tenant"], each.row["workload"] or ""),
    )
    rows = [
        row
        for place, each in enumerate(ranked[: asked.top], start=1)
        for row in _rows(place, each, whole, asked.currency)
    ]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


TOP_WORKLOADS: Mapping[str, Report] = {"audit_top_workloads": audit_top_workloads}


def _margin(text: str) -> Decimal:
    try:
        margin = Decimal(text) if re.fullmatch(r"[0-9.]{1,8}", text) else _NOTHING
    except InvalidOperation:
        margin = _NOTHING
    if not 1 <= margin <= 100:
        raise ReportError(f'margin: {text[:64]!r} is no number from 1 to 100, such as "1.5"')
    return margin


def _measure(workload: _Workload, key: str) -> Decimal:
    match key:
        case "rise":
            return workload.rise
        case "tail":
            return workload.tasks.get("largest") or _NOTHING
    cost: Decimal = workload.row["cost"]
    return cost


def _usual(row: Mapping[str, Any], asked: Lookback) -> Decimal | None:
    """The median cost of the times as long as the range that end where it begins; None where it has no such past."""
    length_s = (asked.stop - asked.start).total_seconds()
    if not row["past_days"] or length_s <= 0:
        return None
    start = int(asked.start.timestamp()) // _DAY_S
    days = max(1, round(length_s / _DAY_S))
    times: defaultdict[int, Decimal] = defaultdict(lambda: _NOTHING)
    for day, cost in zip(row["past_days"], row["past_costs"], strict=True):
        times[(start - 1 - day) // days] += cost
    oldest = (start - 1 - row["past_days"][0]) // days
    whole = max(1, min(oldest, int((asked.start - asked.since).total_seconds() / length_s)))
    return stored(median(times[each] for each in range(whole)))


def _replay(
    con: duckdb.DuckDBPyConnection, asked: Lookback, found: Sequence[_Workload], margin: Decimal
) -> None:
    """Give each workload its caps with what they would have refused."""
    caps = [(each, cap) for each in found for cap in _caps(each, asked, margin)]
    refused: dict[int, _Refused] = {}
    if caps:
        table = asked.table(
            con,
            "audit_top_replay",
            numbers=list(range(len(caps))),
            tenants=[each.row["tenant"] for each, _ in caps],
            workloads=[each.row["workload"] for each, _ in caps],
            pers=[cap.per for _, cap in caps],
            limits=[f"{cap.limit:f}" for _, cap in caps],
        )
        for row in table.to_pylist():
            names = ("calls", "cost", "tasks", "succeeded_tasks", "succeeded_cost", "unknown_tasks")
            refused[row["cap"]] = _Refused(**{name: row[name] for name in names})
    for place, (each, cap) in enumerate(caps):
        each.caps.append((cap, refused.get(place, _Refused())))


def _caps(workload: _Workload, asked: Lookback, margin: Decimal) -> list[Cap]:
    of = workload.tasks
    kinds = (
        Costs(of.get("past_succeeded", 0), of.get("past_succeeded_q99"), "tasks that ended well before"),
        Costs(of.get("past", 0), of.get("past_q99"), "tasks before, however they ended"),
        Costs(of.get("succeeded", 0), of.get("succeeded_q99"), "tasks of this range that ended well"),
    )
    first = int(asked.start.timestamp()) // _DAY_S
    past = [
        (day, cost)
        for day, cost in zip(workload.row["past_days"] or (), workload.row["past_costs"] or (), strict=True)
        # Neither the day on which the range begins, nor the first one that the weeks before cut in two.
        if day < first and day * _DAY_S >= asked.since.timestamp()
    ]
    caps = (of_task(kinds, margin), of_day([day for day, _ in past], [cost for _, cost in past]))
    return [cap for cap in caps if cap is not None]


def _rows(place: int, workload: _Workload, whole: Decimal, currency: str) -> list[dict[str, Any]]:
    row, of = workload.row, workload.tasks
    common = {
        "place": place,
        **{name: row[name] for name in ("tenant", "workload", "owner", "cost", "calls")},
        "share": float(row["cost"] / whole) if whole else None,
        "tasks": of.get("tasks", 0),
        "usual_cost": workload.usual,
        "growth": float(row["cost"] / workload.usual) if workload.usual else None,
        "task_p50": of.get("p50"),
        "task_p99": of.get("p99"),
        "largest_task": of.get("largest"),
        "currency": currency or None,
        "why": _why(workload, whole),
    }
    if not workload.caps:
        nothing = {
            "cap": None,
            "recommended": False,
            "basis": "too little history: fewer than 19 tasks and 10 days",
        }
        return [{**dict.fromkeys(_SCHEMA.names), **common, **nothing}]
    best = workload.best
    return [
        common
        | {
            "cap": cap.per,
            "recommended": best is not None and cap is best[0],
            "limit": cap.limit,
            "basis": cap.basis,
            "refused_calls": refused.calls,
            "refused_cost": refused.cost,
            "refused_tasks": refused.tasks,
            "refused_succeeded_tasks": refused.succeeded_tasks,
            "refused_succeeded_cost": refused.succeeded_cost,
            "refused_unknown_tasks": refused.unknown_tasks,
            "policy": policy(row["tenant"], row["workload"], cap, currency),
        }
        for cap, refused in sorted(workload.caps, key=lambda each: each[0] is not (best and best[0]))
    ]


def _why(workload: _Workload, whole: Decimal) -> str:
    """In words what speaks for capping it."""
    row, of = workload.row, workload.tasks
    said = [f"{row['cost'] / whole:.0%} of all cost" if whole else "no known cost"]
    if workload.usual:
        said.append(f"{row['cost'] / workload.usual:.1f} times an earlier such time ({workload.usual:,.2f})")
    if of.get("p50"):
        said.append(f"the dearest task cost {of['largest'] / of['p50']:,.0f} times the middle one")
    if best := workload.best:
        cap, refused = best
        said.append(f"a cap of {cap.limit:f} a {cap.per} would have refused {refused.cost:,.2f}")
    return "; ".join(said)
