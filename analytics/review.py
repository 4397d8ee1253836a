"""The weekly cost-ownership review: who spent what in one ISO week, against plan and against the week before.

Pure: `compute` takes the rows of the reports `review` and `trips` and the registry, and returns the review.
Rules that a reader must know are in `Review.notes`, in words, so that they stand in every file.
"""

from __future__ import annotations

import calendar
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from .apportion import evenly
from .registry import Plan, Registry

__all__ = ["Review", "Row", "Top", "Trip", "compute"]

TOP = 3
_ZERO = Decimal(0)
_CENT = Decimal("0.01")
_MICRO = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Top:
    """One workload of a tenant and what it cost in the week; None where none of its calls has a cost."""

    tenant: str
    workload: str | None
    owner: str | None
    cost: Decimal | None
    calls: int


@dataclass(frozen=True, slots=True)
class Row:
    """One owner's week. `owner` None is everything without an owner.

    `actual` and `previous` are the known cost of this week and of the week before: 0 without calls, None where
    there were calls and not one has a cost. `variance` is actual - plan, over is positive, and without a plan the
    whole actual; `change` is actual - previous. Both are None where the cost is not known.
    """

    owner: str | None
    cost_centres: tuple[str, ...]
    actual: Decimal | None
    plan: Decimal | None
    variance: Decimal | None
    previous: Decimal | None
    change: Decimal | None
    calls: int
    unpriced_calls: int
    incomplete_calls: int
    trips: int
    top: tuple[Top, ...]


@dataclass(frozen=True, slots=True)
class Trip:
    """One opening of a breaker: of which policy, for which scope (`{"tenant": "acme"}`), by whom and why."""

    at: datetime
    policy: str
    scope: Mapping[str, str]
    by: str
    reason: str
    spent: Decimal | None
    projected: Decimal | None
    ceiling: Decimal | None


@dataclass(frozen=True, slots=True)
class Review:
    """The week from Monday `start` to before Monday `stop` in UTC. `rows` are by cost, the unowned row last.

    Every amount of `total` is the sum of the rows' known amounts, exactly.
    """

    week: str
    start: date
    stop: date
    currency: str
    rows: tuple[Row, ...]
    total: Row
    top: tuple[Top, ...]
    trips: tuple[Trip, ...]
    notes: tuple[str, ...]

    @property
    def owned_share(self) -> Decimal | None:
        """Part of the known cost that has an owner, 0 to 1; None where nothing was spent."""
        spent = self.total.actual or _ZERO
        owned = sum((row.actual or _ZERO for row in self.rows if row.owner is not None), _ZERO)
        return owned / spent if spent else None

    @property
    def last_day(self) -> date:
        """The Sunday of the week."""
        return self.stop - timedelta(days=1)

    def headline(self, money: Callable[[Decimal | None], str]) -> str:
        """The week in two or three sentences; `money` writes an amount."""
        total = self.total
        if not total.calls:
            return f"No calls were booked in {self.week}."
        said = [f"{money(total.actual)} was spent on {total.calls:,} calls{_against(total, money)}."]
        if total.previous:
            direction = "more" if (total.change or _ZERO) >= 0 else "less"
            said.append(f"That is {money(abs(total.change or _ZERO))} {direction} than the week before.")
        unowned = self.rows[-1]
        if unowned.calls:
            said.append(f"{money(unowned.actual)} of it on {unowned.calls:,} calls has no owner.")
        return " ".join(said)


@dataclass(frozen=True, slots=True)
class _Plans:
    by_owner: Mapping[str | None, Decimal]
    notes: tuple[str, ...]


def compute(
    week: str,
    start: date,
    *,
    lines: Sequence[Mapping[str, Any]],
    trips: Sequence[Mapping[str, Any]],
    registry: Registry,
    currency: str,
) -> Review:
    """The review of the ISO week that starts on `start`, from rows of the reports `review` and `trips`."""
    opened = tuple(_trip(line) for line in trips)
    centres = _centres(lines, registry)
    plans = _plans(registry.plans, centres, start, currency)
    owners = {line["owner"] for line in lines} | set(plans.by_owner) | {None}
    rows = [_row(owner, lines, plans.by_owner.get(owner), centres, opened) for owner in owners]
    rows.sort(key=lambda row: (row.owner is None, -(row.actual or _ZERO), row.owner or ""))
    return Review(
        week=week,
        start=start,
        stop=start + timedelta(days=7),
        currency=currency,
        rows=tuple(rows),
        total=_total(rows, lines, len(opened)),
        top=_top(lines, TOP),
        trips=opened,
        notes=_notes(plans, rows),
    )


def _row(
    owner: str | None,
    lines: Sequence[Mapping[str, Any]],
    plan: Decimal | None,
    centres: Mapping[str, set[str]],
    trips: Sequence[Trip],
) -> Row:
    of_owner = [line for line in lines if line["owner"] == owner]
    week = [line for line in of_owner if line["period"] == "week"]
    actual = _known_cost(week)
    previous = _known_cost(line for line in of_owner if line["period"] == "before")
    return Row(
        owner=owner,
        cost_centres=tuple(sorted(centre for centre, owners in centres.items() if owner in owners)),
        actual=actual,
        plan=plan,
        variance=None if actual is None else actual - (plan or _ZERO),
        previous=previous,
        change=None if actual is None or previous is None else actual - previous,
        calls=sum(line["calls"] for line in week),
        unpriced_calls=sum(line["unpriced_calls"] for line in week),
        incomplete_calls=sum(line["incomplete_calls"] for line in week),
        trips=sum(1 for trip in trips if any(_touches(trip, line) for line in week)),
        top=_top(week, TOP),
    )


def _total(rows: Sequence[Row], lines: Sequence[Mapping[str, Any]], trips: int) -> Row:
    week = [line for line in lines if line["period"] == "week"]
    return Row(
        owner=None,
        cost_centres=(),
        actual=_sum(row.actual for row in rows),
        plan=_sum(row.plan for row in rows) if any(row.plan is not None for row in rows) else None,
        variance=_sum(row.variance for row in rows),
        previous=_sum(row.previous for row in rows),
        change=_sum(row.change for row in rows),
        calls=sum(row.calls for row in rows),
        unpriced_calls=sum(row.unpriced_calls for row in rows),
        incomplete_calls=sum(row.incomplete_calls for row in rows),
        trips=trips,
        top=_top(week, TOP),
    )


def _top(lines: Iterable[Mapping[str, Any]], count: int) -> tuple[Top, ...]:
    week = [
        Top(line["tenant"], line["workload"], line["owner"], line["cost"], line["calls"])
        for line in lines
        if line["period"] == "week"
    ]
    # Cost that is not known may be any: after the known ones, by calls.
    week.sort(key=lambda t: (t.cost is None, -(t.cost or _ZERO), -t.calls, t.tenant, t.workload or ""))
    return tuple(week[:count])


def _centres(lines: Sequence[Mapping[str, Any]], registry: Registry) -> dict[str, set[str]]:
    """Who answers for workloads of each cost centre: registered, or seen with cost in either week."""
    centres: defaultdict[str, set[str]] = defaultdict(set)
    for line in registry.workloads:
        if line.owner is not None and line.cost_centre is not None:
            centres[line.cost_centre].add(line.owner)
    for seen in lines:
        if seen["owner"] is not None and seen["cost_centre"] is not None:
            centres[seen["cost_centre"]].add(seen["owner"])
    return centres


def _plans(plans: Sequence[Plan], centres: Mapping[str, set[str]], start: date, currency: str) -> _Plans:
    days = [start + timedelta(days=place) for place in range(7)]
    by_owner: defaultdict[str | None, Decimal] = defaultdict(Decimal)
    shared: set[str] = set()
    ownerless: set[str] = set()
    foreign: set[str] = set()
    for plan in plans:
        if not any((day.year, day.month) == (plan.month.year, plan.month.month) for day in days):
            continue
        if plan.currency != currency:
            foreign.add(f"{plan.cost_centre} ({plan.currency})")
            continue
        quantum = _CENT if plan.amount == plan.amount.quantize(_CENT) else _MICRO
        owners: list[str | None] = [*sorted(centres.get(plan.cost_centre, ()))] or [None]
        if owners == [None]:
            ownerless.add(plan.cost_centre)
        elif len(owners) > 1:
            shared.add(plan.cost_centre)
        parts = evenly(_prorated(plan, days, quantum), len(owners), quantum)
        for owner, part in zip(owners, parts, strict=True):
            by_owner[owner] += part
    found = (
        ("Cost centres with several owners share their plan evenly", shared),
        ("Cost centres with a plan and no owner stand in the unowned row", ownerless),
        (f"Plans in another currency than {currency} are not compared", foreign),
    )
    return _Plans(by_owner, tuple(f"{what}: {', '.join(sorted(who))}." for what, who in found if who))


def _prorated(plan: Plan, days: Sequence[date], quantum: Decimal) -> Decimal:
    length = calendar.monthrange(plan.month.year, plan.month.month)[1]
    by_day = evenly(plan.amount, length, quantum)
    inside = (day for day in days if (day.year, day.month) == (plan.month.year, plan.month.month))
    return sum((by_day[day.day - 1] for day in inside), _ZERO)


def _known_cost(lines: Iterable[Mapping[str, Any]]) -> Decimal | None:
    costs = [line["cost"] for line in lines]
    if costs and all(cost is None for cost in costs):
        return None
    return _sum(costs)


def _sum(amounts: Iterable[Decimal | None]) -> Decimal:
    return sum((amount for amount in amounts if amount is not None), _ZERO)


def _against(total: Row, money: Callable[[Decimal | None], str]) -> str:
    if total.plan is None or total.variance is None:
        return ", without a plan to compare with"
    if not total.variance:
        return ", exactly as planned"
    side = "over" if total.variance > 0 else "under"
    return f", {money(abs(total.variance))} {side} the plan of {money(total.plan)}"


def _trip(line: Mapping[str, Any]) -> Trip:
    return Trip(
        at=line["at"],
        policy=line["policy"],
        scope=line["scope"],
        by=line["by"],
        reason=line["reason"] or "",
        spent=line["spent"],
        projected=line["projected"],
        ceiling=line["ceiling"],
    )


def _touches(trip: Trip, line: Mapping[str, Any]) -> bool:
    """Whether the scope that tripped covers calls of this line, as far as tenant, workload and owner tell."""
    return all(trip.scope.get(name) in (None, line[name]) for name in ("tenant", "workload", "owner"))


def _notes(plans: _Plans, rows: Sequence[Row]) -> tuple[str, ...]:
    unknown = [row.owner or "the unowned row" for row in rows if row.variance is None]
    return (
        "Weeks are ISO weeks in UTC: Monday 00:00 to before the next Monday 00:00.",
        "Plan: a month's plan is spread over its days in equal parts, rounded to the cent by largest remainder "
        "(the first days take the cents left over); the week's plan is the sum of its seven days.",
        *plans.notes,
        "Variance is actual minus plan, so over plan is positive; without a plan the whole actual is variance.",
        "Amounts are the known cost. Unpriced and incomplete calls are counted, and their cost is in no amount.",
        *([f"Without any known cost, and so without variance: {', '.join(unknown)}."] if unknown else ()),
        "A breaker that opened for a scope of several owners counts once for each of them and once in the total.",
    )
