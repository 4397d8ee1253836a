"""Anomalies: hours in which a workload cost far more than it usually does then, or stopped; with the money and the
cause.

`baseline` says what is usual, `anomalies_cause` why it was not. A workload without a week of history has no baseline;
where the facts go back further than it does, it is *new*, which is told once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from collector.reporting import Report, ReportError

from ..parameters import instant
from .anomalies_cause import Cause, Part, Task, cause
from .baseline import DAY, MIN_HISTORY, WEEK, WEEKS, Event, detect
from .lookback import HOUR, Lookback

if TYPE_CHECKING:
    import duckdb

__all__ = ["ANOMALIES", "audit_anomalies"]

_TOP = 50
_MATERIAL = 0.005
"""The part of a usual week's cost from which what is too much is worth a line."""
_NEW_FOR = DAY
_CENTS = Decimal("0.000001")
_MONEY, _TIME = pa.decimal128(38, 12), pa.timestamp("us", "UTC")
_SCHEMA = pa.schema(
    [
        ("tenant", pa.string()),
        ("workload", pa.string()),
        ("owner", pa.string()),
        ("kind", pa.string()),
        ("state", pa.string()),
        ("started_at", _TIME),
        ("ended_at", _TIME),
        ("detected_at", _TIME),
        ("hours", pa.int64()),
        ("actual", _MONEY),
        ("expected", _MONEY),
        ("impact", _MONEY),
        ("usual_at_most", _MONEY),
        ("beyond", _MONEY),
        ("currency", pa.string()),
        ("cause", pa.string()),
        ("share", pa.float64()),
        ("task_id", pa.string()),
        ("evidence", pa.string()),
        ("baseline", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class _Found:
    """An event of one workload; `base` is the hour of its place 0."""

    tenant: str
    workload: str | None
    owner: str | None
    base: datetime
    event: Event
    is_new: bool = False

    @property
    def begins(self) -> datetime:
        return self.base + self.event.start * HOUR

    @property
    def ends(self) -> datetime:
        return self.base + self.event.end * HOUR

    @property
    def step(self) -> int:
        """How many days apart earlier times are that it is compared with."""
        return 7 if self.event.weeks >= 2 else 1


def audit_anomalies(con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """The `top` (50) anomalies of the range by impact, one row an event, then what stopped and what is new.

    `kind`: spike; shift (a day or longer); new (workload); stopped (for information: it cost less). `state` as of
    `as_of` (now): new (begun within a day, and on), ongoing, over. `expected` and what is `usual_at_most` are
    estimates; `impact` is actual - expected, `beyond` the part of it above what is usual at most. `weeks` (8) before
    are looked at; `min_impact` leaves out what is less.
    """
    asked = Lookback.of(con, params, weeks=WEEKS, top=_TOP, more=("as_of", "min_impact"))
    at = instant(params, "as_of") if "as_of" in params else datetime.now(UTC)
    least = _amount(params.get("min_impact", "0"))
    found, end = _found(con, asked, min(asked.stop, at))
    rows = [
        row for row in _rows(con, asked, found, end) if row["kind"] == "stopped" or row["impact"] >= least
    ]
    order = {"spike": 0, "shift": 0, "new": 1, "stopped": 2}
    rows.sort(key=lambda row: (order[row["kind"]], -abs(row["impact"]), row["tenant"], row["workload"] or ""))
    return pa.Table.from_pylist(rows[: asked.top], schema=_SCHEMA)


ANOMALIES: Mapping[str, Report] = {"audit_anomalies": audit_anomalies}


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if not (amount.is_finite() and amount >= 0):
        raise ReportError(f'min_impact: {text[:64]!r} is no amount; write one such as "2.50"')
    return amount


def _found(con: duckdb.DuckDBPyConnection, asked: Lookback, until: datetime) -> tuple[list[_Found], datetime]:
    """The events of all workloads, and the end of the hours that were looked at: none that is not over yet."""
    until = max(asked.start, until.replace(minute=0, second=0, microsecond=0))
    table = asked.table(con, "audit_anomalies_hours").to_pylist()
    if not table:
        return [], until
    begin = max(asked.since, table[0]["facts_begin"])
    end = min(until, table[0]["facts_end"] + HOUR)
    found: list[_Found] = []
    for row in table:
        base = asked.since + row["places"][0] * HOUR
        costs = [0.0] * max(0, (end - base) // HOUR)
        for place, cost in zip(row["places"], row["costs"], strict=True):
            if place - row["places"][0] < len(costs):
                costs[place - row["places"][0]] += cost
        names = (row["tenant"], row["workload"], row["owner"], base)
        first_hour = base.weekday() * DAY + base.hour
        start = max(0, (asked.start - base) // HOUR)
        if base >= asked.start and base - begin >= MIN_HISTORY * HOUR and sum(costs) > 0:
            event = Event(0, _last(costs), 1, 0.0, 0.0, stop=False, weeks=0, by="")
            found.append(_Found(*names, event, is_new=True))
        found += [
            _Found(*names, event) for event in detect(costs, first_hour, start) if _material(event, costs)
        ]
    return found, end


def _last(costs: Sequence[float]) -> int:
    return max(place for place, cost in enumerate(costs) if cost > 0) + 1


def _material(event: Event, costs: Sequence[float]) -> bool:
    """Whether it is worth a line beside what the workload costs in a usual week."""
    past = costs[max(0, event.start - event.weeks * WEEK) : event.start]
    usual = sum(past) / max(1.0, len(past) / WEEK)
    return abs(sum(costs[event.start : event.end]) - event.expected) > _MATERIAL * usual


def _rows(
    con: duckdb.DuckDBPyConnection, asked: Lookback, found: Sequence[_Found], end: datetime
) -> list[dict[str, Any]]:
    if not found:
        return []
    events: dict[str, Any] = {
        "numbers": list(range(len(found))),
        "tenants": [each.tenant for each in found],
        "workloads": [each.workload for each in found],
        "begins": [each.begins for each in found],
        "ends": [each.ends for each in found],
    }
    parts: dict[int, list[Part]] = defaultdict(list)
    told = asked.table(
        con, "audit_anomalies_parts", **events, steps=[each.step for each in found], lags=WEEKS
    )
    for row in told.to_pylist():
        counts = (row["calls"], row["attempts"], row["tokens"])
        parts[row["event"]].append(Part(row["lag"], row["model"], *counts, row["cost"]))
    dear = asked.table(
        con, "audit_anomalies_tasks", **events, low=min(events["begins"]), high=max(events["ends"])
    )
    tasks = {
        row["event"]: Task(row["task"], row["calls"], row["cost"], row["tasks"])
        for row in dear.to_pylist()
        if row["cost"] is not None
    }
    return [
        _row(each, parts[place], tasks.get(place), asked.currency or None, end)
        for place, each in enumerate(found)
    ]


def _row(
    found: _Found, parts: Sequence[Part], task: Task | None, currency: str | None, end: datetime
) -> dict[str, Any]:
    event = found.event
    actual = sum((part.cost for part in parts if part.lag == 0 and part.cost is not None), Decimal(0))
    expected = _estimate(event.expected)
    most = max(expected, _estimate(event.band))
    why = _why(found, parts, task, actual - expected)
    return {
        "tenant": found.tenant,
        "workload": found.workload,
        "owner": found.owner,
        "kind": _kind(found),
        "state": _state(found, end),
        "started_at": found.begins,
        "ended_at": found.ends,
        "detected_at": found.base + event.detected * HOUR,
        "hours": event.end - event.start,
        "actual": actual,
        "expected": expected,
        "impact": actual - expected,
        "usual_at_most": None if found.is_new else most,
        "beyond": None if found.is_new else max(Decimal(0), actual - most),
        "currency": currency,
        "cause": why.name,
        "share": why.share,
        "task_id": task.task if task is not None and why.name == "one task" else None,
        "evidence": why.words,
        "baseline": None if found.is_new else f"median by {event.by} of {event.weeks} weeks",
    }


def _why(found: _Found, parts: Sequence[Part], task: Task | None, impact: Decimal) -> Cause:
    if found.event.stop:
        return Cause(
            "stopped", None, f"nothing, or next to it, came for {found.event.end - found.event.start} hours"
        )
    if found.is_new:
        calls = sum(part.calls for part in parts if part.lag == 0)
        return Cause(
            "new workload", None, f"its first call is of {found.begins:%Y-%m-%d %H:00}; {calls:,} calls since"
        )
    before = min(WEEKS, found.event.weeks if found.step > 1 else found.event.weeks * 7)
    return cause(parts, task, impact, before)


def _kind(found: _Found) -> str:
    if found.is_new:
        return "new"
    if found.event.stop:
        return "stopped"
    return "shift" if found.event.end - found.event.start >= DAY else "spike"


def _state(found: _Found, end: datetime) -> str:
    """As of the last hour that was looked at. What pauses for some hours only is not over."""
    if end - found.ends > timedelta(hours=DAY if found.is_new else 3):
        return "over"
    return "new" if end - found.begins <= _NEW_FOR * HOUR else "ongoing"


def _estimate(amount: float) -> Decimal:
    """An estimate as an amount: to millionths, which is more than it knows."""
    return Decimal(repr(amount)).quantize(_CENTS)
