"""Telling: rows of lines and of audits as parts of the document. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any, Protocol

from ..contracts.exact import stored
from ..variance import bridges, movers
from .document import Action, Anomaly, Herd, Loop, Moved, Mover, Saving, Served, Trip, Workload
from .proposing import NO_EFFECT, Shown
from .wording import money

__all__ = ["Row", "Rows", "calls", "herd", "known", "moved", "served", "told", "trip", "unshared"]

Row = Mapping[str, Any]
_Key = tuple[str | None, str | None]
_NOTHING = Decimal(0)
_TOP = 10


class Rows(Protocol):
    """What was read of a week, as far as it is told here."""

    @property
    def currency(self) -> str: ...
    @property
    def now(self) -> Sequence[Row]: ...
    @property
    def before(self) -> Sequence[Row]: ...
    @property
    def anomalies(self) -> Sequence[Row]: ...
    @property
    def caps(self) -> Sequence[Row]: ...
    @property
    def loops(self) -> Sequence[Row]: ...
    @property
    def savings(self) -> Sequence[Row]: ...
    @property
    def actions(self) -> tuple[Action, ...]: ...


def unshared(lines: Iterable[Row]) -> list[Row]:
    """Without what rules have moved: that is in nobody's own cost, and adds up to nothing."""
    return [line for line in lines if line["kind"] != "shared"]


def known(lines: Iterable[Row]) -> Decimal | None:
    """What is known of their cost: 0 of no lines, None where there are calls and not one has a cost."""
    amounts = [line["amount"] for line in lines]
    if amounts and all(amount is None for amount in amounts):
        return None
    return sum((amount for amount in amounts if amount is not None), _NOTHING)


def calls(lines: Iterable[Row], state: str | None = None) -> int:
    return sum(line["calls"] for line in lines if state is None or line["state"] == state)


def told(found: Rows) -> Shown:
    """What the week has shown, as it stands in the document."""
    return Shown(
        currency=found.currency,
        loops=[_loop(row) for row in found.loops],
        anomalies=[_anomaly(row) for row in found.anomalies],
        workloads=_workloads(found),
        movers=_movers(found),
        savings=[
            Saving(
                row["tenant"],
                row["workload"],
                row["owner"],
                str(row["kind"]).replace("_", " "),
                row["saving"],
                f"{row['evidence']}; assumed: {row['assumption']}",
            )
            for row in [each for each in found.savings if each["saving"] is not None][:_TOP]
        ],
        actions=found.actions,
    )


def _workload_key(line: Row) -> _Key:
    return line["tenant"], line["workload"]


def _workloads(found: Rows) -> list[Workload]:
    caps = {_workload_key(row): row for row in found.caps if row["recommended"] and row["limit"] is not None}
    grouped: defaultdict[tuple[str | None, str | None], list[Row]] = defaultdict(list)
    for line in unshared(found.now):
        grouped[_workload_key(line)].append(line)
    whole = known(unshared(found.now))
    costs = {key: known(lines) for key, lines in grouped.items()}
    ranked = sorted(grouped, key=lambda key: (-(costs[key] or _NOTHING), key[0] or "", key[1] or ""))
    told = []
    for key in ranked[:_TOP]:
        lines, cost, cap = grouped[key], costs[key], caps.get(key)
        told.append(
            Workload(
                tenant=key[0] or "no tenant",
                workload=key[1],
                owner=_last_owner(lines),
                cost=cost,
                calls=calls(lines),
                share=stored(cost / whole) if cost is not None and whole else None,
                per_task=cap["task_p50"] if cap else None,
                cap=cap["limit"] if cap and cap["cap"] == "task" else None,
                cap_effect=_cap_effect(cap, found.currency) if cap and cap["cap"] == "task" else "",
            )
        )
    return told


def _cap_effect(cap: Row, currency: str) -> str:
    tasks, well = cap["refused_tasks"] or 0, cap["refused_succeeded_tasks"] or 0
    if not tasks:
        return NO_EFFECT
    named = "1 task" if tasks == 1 else f"{tasks:,} tasks"
    return (
        f"would have refused {money(cap['refused_cost'], currency)} of {named}, of which {well:,} succeeded"
    )


def _by_day(line: Row) -> tuple[Any, str]:
    """A workload that moves within a day has two owners on it: which comes last depends on no order of lines."""
    return line["day"], line["owner"] or ""


def _last_owner(lines: Sequence[Row]) -> str | None:
    owner: str | None = max(lines, key=_by_day)["owner"]
    return owner


def _movers(found: Rows) -> list[Mover]:
    now, before = unshared(found.now), unshared(found.before)
    owners: dict[tuple[str | None, str | None], str | None] = {}
    for line in sorted((*before, *now), key=_by_day):
        owners[_workload_key(line)] = line["owner"]
    return [
        Mover(
            tenant=each.group[0] or "no tenant",
            workload=each.group[1],
            owner=owners[each.group],
            now=each.bridge.now,
            before=each.bridge.before,
            change=each.bridge.change,
            driver=each.in_words(found.currency),
        )
        for each in movers(bridges(before, now, _workload_key), _TOP)
    ]


def moved(found: Rows) -> list[Moved]:
    """The workloads that somebody else answers for since a day of the week, by day."""
    days: defaultdict[_Key, dict[str | None, date]] = defaultdict(dict)
    for line in sorted(unshared((*found.before, *found.now)), key=_by_day):
        days[_workload_key(line)].setdefault(line["owner"], line["day"])
    spent: defaultdict[tuple[_Key, str | None], list[Row]] = defaultdict(list)
    for line in unshared(found.now):
        spent[_workload_key(line), line["owner"]].append(line)
    told = [
        Moved(
            since=since,
            tenant=key[0] or "no tenant",
            workload=key[1],
            before=before,
            owner=owner,
            cost_before=known(spent[key, before]),
            cost=known(spent[key, owner]),
        )
        for key, firsts in days.items()
        for (before, began), (owner, since) in pairwise(firsts.items())
        if began < since and (key, owner) in spent and since == min(each["day"] for each in spent[key, owner])
    ]
    return sorted(told, key=lambda each: (each.since, each.tenant, each.workload or ""))


def _anomaly(row: Row) -> Anomaly:
    return Anomaly(
        began=row["started_at"],
        ended=row["ended_at"],
        detected_at=row["detected_at"],
        tenant=row["tenant"],
        workload=row["workload"],
        owner=row["owner"],
        impact=row["impact"],
        cause=row["evidence"] or row["cause"] or "",
        state=row["state"],
    )


def _loop(row: Row) -> Loop:
    return Loop(
        task=row["task_id"] or row["root_task_id"] or "unnamed",
        tenant=row["tenant"],
        workload=row["workload"],
        owner=row["owner"],
        calls=row["calls"],
        cost=row["cost"],
        typical=row["typical_cost"],
        first_at=row["first_at"],
        last_at=row["last_at"],
    )


def herd(row: Row) -> Herd:
    return Herd(
        at=row["at"],
        provider=row["provider"],
        model=row["model"] or "unknown",
        tasks=row["tasks"],
        workloads=tuple(row["workloads"]),
        tenants=tuple(row["tenants"]),
        attempts=row["attempts"],
        cost=row["cost"],
        advice=row["advice"] or row["finding"] or "",
    )


def trip(row: Row) -> Trip:
    spent, projected = row["spent"], row["projected"]
    known = spent is not None and projected is not None
    return Trip(
        at=row["at"],
        policy=row["policy"],
        scope=", ".join(f"{name} {value}" for name, value in row["scope"].items()) or "everything",
        by=row["by"],
        reason=row["reason"] or "",
        spent=spent,
        projected=projected,
        ceiling=row["ceiling"],
        avoided=max(projected - spent, _NOTHING) if known else None,
        false_trip=row["needless"],
    )


def served(row: Row) -> Served:
    """What a cache saved for a workload, as it stands in the document."""
    return Served(
        row["tenant"],
        row["workload"],
        row["owner"],
        row["exact"],
        row["semantic"],
        row["saved"],
        row["wrong"],
        row["wrong_at_most"],
        row["unjudged"],
        row["net"],
    )
