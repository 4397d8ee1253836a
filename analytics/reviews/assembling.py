"""Assembling: one week's document from the rows that were read for it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from .. import forecast as forecasting
from ..registry import Registry
from ..variance import Driver, bridge, skus
from . import planning
from .document import (
    Action,
    Bridge,
    Cover,
    Day,
    Forecast,
    Gap,
    Headline,
    Late,
    OwnerLine,
    Review,
    Share,
    Step,
    Unit,
)
from .proposing import Shown, proposed
from .telling import Row, calls, herd, known, moved, served, told, trip, unshared
from .wording import money, percent

__all__ = ["VERSION", "Foreign", "Material", "Month", "assembled"]

VERSION = 1
_NOTHING = Decimal(0)
_TENANTS = 6
_TOP = 10
_DAY = timedelta(days=1)
_OF_STEPS = {
    Driver.PRICE: "the same tokens at other prices",
    Driver.VOLUME: "more or fewer tokens, at last week's mix and prices",
    Driver.MIX: "other models and kinds of tokens",
    Driver.RETRIES: "attempts after the first",
    Driver.CACHE: "how much of the input was read from the prompt cache",
    Driver.NEW: "models that were not used last week",
    Driver.RETIRED: "models that are not used any more",
    Driver.CHARGES: "what contracts charge beside the calls",
    Driver.CORRECTIONS: "corrections of earlier cost, credits and adjustments",
    Driver.UNKNOWN: "tokens whose price was, or is, not known",
}


@dataclass(frozen=True, slots=True)
class Month:
    """The month that the week ends in, as far as it is over at the week's end."""

    name: str
    start: date
    end: date
    """Exclusive."""
    as_of: datetime
    """Up to when all cost is known."""
    zone: str
    costs: Mapping[str | None, Mapping[date, Decimal]]
    """Of each owner, by day, from long before the month."""

    @property
    def days(self) -> list[date]:
        return [self.start + place * _DAY for place in range((self.end - self.start).days)]


@dataclass(frozen=True, slots=True)
class Foreign:
    """What is charged in another currency than the review's."""

    currency: str
    calls: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Material:
    """What was read of one week; lines are those of the ledger in one currency, and those without one."""

    week: str
    first_day: date
    cover: Cover
    currency: str
    foreign: Sequence[Foreign]
    """What of the week is in other currencies, and so in no amount of the review."""
    month: Month
    now: Sequence[Row]
    before: Sequence[Row]
    registry: Registry
    units: Sequence[tuple[Row | None, Row | None]]
    """Of tasks: the row of report `unit_costs` of this week, and of the week before."""
    trips: Sequence[Row]
    anomalies: Sequence[Row]
    caps: Sequence[Row]
    herds: Sequence[Row]
    loops: Sequence[Row]
    savings: Sequence[Row]
    shares: tuple[Share, ...]
    gaps: tuple[Gap, ...]
    late: tuple[Late, ...]
    last_actions: tuple[Action, ...]
    actions: tuple[Action, ...]
    served: Sequence[Row] = ()
    """Rows of what a cache saved, by tenant, workload and owner."""


def assembled(found: Material) -> Review:
    """The document of the week."""
    days = [found.first_day + place * _DAY for place in range(7)]
    of_centres = planning.centres((*found.before, *found.now), found.registry, days[-1])
    week_plan = planning.planned(found.registry.plans, of_centres, days, found.currency)
    month_plan = planning.planned(found.registry.plans, of_centres, found.month.days, found.currency)
    spent, spent_before = _by_owner(found.now), _by_owner(found.before)
    shown = told(found)
    owners = [
        _owner(found, owner, spent.get(owner, ()), spent_before.get(owner, ()), week_plan, month_plan, shown)
        for owner in {*spent, *spent_before, *week_plan.by_owner, None}
    ]
    owners.sort(key=lambda line: (line.owner is None, -(line.actual or _NOTHING), line.owner or ""))
    total = _total(found, owners, month_plan)
    change = bridge(skus(unshared(found.before)), skus(unshared(found.now)))
    steps = tuple(
        Step(part.value, amount, _OF_STEPS[part]) for part, amount in change.parts.items() if amount
    )
    walk = Bridge(change.before, change.now, steps)
    ahead = _forecast(found, list(found.month.costs.values()), month_plan.total)
    return Review(
        version=VERSION,
        week=found.week,
        first_day=days[0],
        last_day=days[-1],
        zone=found.month.zone,
        currency=found.currency,
        cover=found.cover,
        headline=_headline(found, total, walk, ahead),
        days=_days(found, days),
        owners=tuple(owners),
        total=total,
        bridge=walk,
        workloads=tuple(shown.workloads),
        movers=tuple(shown.movers),
        moved=tuple(moved(found)),
        anomalies=tuple(shown.anomalies),
        trips=tuple(trip(row) for row in found.trips),
        shares=found.shares,
        gaps=found.gaps,
        late=found.late,
        herds=tuple(herd(row) for row in found.herds),
        loops=tuple(shown.loops),
        savings=tuple(shown.savings),
        last_actions=found.last_actions,
        actions=found.actions,
        notes=_notes(found, week_plan),
        served=tuple(served(row) for row in found.served),
    )


def _by_owner(lines: Iterable[Row]) -> dict[str | None, list[Row]]:
    found: defaultdict[str | None, list[Row]] = defaultdict(list)
    for line in lines:
        found[line["owner"]].append(line)
    return found


def _owner(
    found: Material,
    owner: str | None,
    now: Sequence[Row],
    before: Sequence[Row],
    week_plan: planning.Planned,
    month_plan: planning.Planned,
    shown: Shown,
) -> OwnerLine:
    own, own_before = unshared(now), unshared(before)
    actual, previous = known(own), known(own_before)
    plan, a_month = week_plan.by_owner.get(owner), month_plan.by_owner.get(owner)
    costs = found.month.costs.get(owner)
    ahead = _forecast(found, [costs] if costs else [], a_month)
    status = ahead.status if ahead else _status(found.month, [costs] if costs else [], a_month)
    over = _over(ahead) if ahead else None
    unpriced = calls(own, "unpriced")
    return OwnerLine(
        owner=owner,
        cost_centres=tuple(sorted({line["cost_centre"] for line in own if line["cost_centre"]})),
        workloads=len({(line["tenant"], line["workload"]) for line in own}),
        actual=actual,
        plan=plan,
        variance=None if actual is None else actual - (plan or _NOTHING),
        previous=previous,
        change=None if actual is None or previous is None else actual - previous,
        charged=known(now),
        forecast=ahead.expected if ahead else None,
        month_plan=a_month,
        status=status,
        calls=calls(own),
        unpriced_calls=unpriced,
        incomplete_calls=calls(own, "incomplete"),
        trips=sum(any(_touches(trip["scope"], line) for line in own) for trip in found.trips),
        next_action=proposed(owner, status, over, unpriced, shown) if own or costs or plan else "",
    )


def _total(found: Material, owners: Sequence[OwnerLine], month_plan: planning.Planned) -> OwnerLine:
    def summed(name: str) -> Decimal:
        return sum((value for line in owners if (value := getattr(line, name)) is not None), _NOTHING)

    ahead = _forecast(found, list(found.month.costs.values()), month_plan.total)
    actual, previous = known(unshared(found.now)), known(unshared(found.before))
    return OwnerLine(
        owner=None,
        cost_centres=(),
        workloads=sum(line.workloads for line in owners),
        actual=actual,
        plan=summed("plan") if any(line.plan is not None for line in owners) else None,
        variance=None if actual is None else summed("variance"),
        previous=previous,
        change=None if actual is None or previous is None else summed("change"),
        charged=summed("charged"),
        forecast=ahead.expected if ahead else None,
        month_plan=month_plan.total,
        status=ahead.status
        if ahead
        else _status(found.month, list(found.month.costs.values()), month_plan.total),
        calls=sum(line.calls for line in owners),
        unpriced_calls=sum(line.unpriced_calls for line in owners),
        incomplete_calls=sum(line.incomplete_calls for line in owners),
        trips=len(found.trips),
        next_action="",
    )


def _status(month: Month, costs: Sequence[Mapping[date, Decimal]], plan: Decimal | None) -> str:
    """How a month's plan stands of which there is no whole day to make a forecast from."""
    if plan is None:
        return "unplanned"
    spent = sum(
        (cost for each in costs for day, cost in each.items() if month.start <= day < month.end), _NOTHING
    )
    return "over" if spent > plan else "early"


def _forecast(
    found: Material, costs: Sequence[Mapping[date, Decimal]], plan: Decimal | None
) -> Forecast | None:
    """Of the month, for the sum of these costs by day; None where there is nothing to learn from."""
    month = found.month
    by_day: defaultdict[date, Decimal] = defaultdict(Decimal)
    for each in costs:
        for day, cost in each.items():
            by_day[day] += cost
    zone = ZoneInfo(month.zone)
    ahead = forecasting.month_end(by_day, now=month.as_of, start=month.start, end=month.end, zone=zone)
    if ahead is None:
        return None
    status, words = "unplanned", "there is no plan for the month"
    if plan is not None:
        pace = forecasting.pacing(ahead, plan, today=month.as_of.astimezone(zone).date())
        status, words = pace.status.value, _pacing(pace)
    method = {
        forecasting.Method.SEASONAL: f"from weekdays and level of {ahead.known_days} days",
        forecasting.Method.COLD: f"from {ahead.known_days} days, too few to tell how sure: the band is wide",
        forecasting.Method.COMPLETE: "the month is over",
    }[ahead.method]
    return Forecast(
        month.name, ahead.spent, ahead.low, ahead.expected, ahead.high, method, plan, words, status
    )


def _pacing(pace: forecasting.Pacing) -> str:
    if pace.over is None:
        return "the plan is 0"
    side = "over" if pace.over > 0 else "under"
    used = f"; the plan is used up on {pace.used_up:%-d %B}" if pace.used_up is not None else ""
    return f"{percent(abs(pace.over))} {side} plan{used}"


def _over(ahead: Forecast) -> Decimal | None:
    return (ahead.expected - ahead.plan) / ahead.plan if ahead.plan else None


def _headline(found: Material, total: OwnerLine, walk: Bridge, ahead: Forecast | None) -> Headline:
    now, before = found.units[0] if found.units else (None, None)
    names = (
        ("a task", "cost_per_task"),
        ("a successful task", "cost_per_success"),
        ("1,000 calls", "cost_per_1000_calls"),
        ("a user", "cost_per_user"),
    )
    return Headline(
        sentences=tuple(_sentences(found, total, walk, ahead)),
        actual=total.actual,
        plan=total.plan,
        variance=total.variance,
        previous=total.previous,
        change=total.change,
        calls=total.calls,
        tasks=now["tasks"] if now else None,
        forecast=ahead,
        units=tuple(
            Unit(name, amount, earlier)
            for name, column in names
            for amount, earlier in [(now[column] if now else None, before[column] if before else None)]
            if amount is not None or earlier is not None
        ),
    )


def _sentences(found: Material, total: OwnerLine, walk: Bridge, ahead: Forecast | None) -> Iterable[str]:
    def cash(amount: Decimal | None) -> str:
        return money(amount, found.currency)

    yield from _spent(found, total)
    if total.previous and total.change:
        rose = total.change > 0
        same = [step for step in walk.steps if (step.amount > 0) == rose]
        largest = sorted(same, key=lambda step: -abs(step.amount))[:2]
        parts = [f"{step.name} ({'+' if rose else ''}{cash(step.amount)})" for step in largest]
        why = f", mostly by {' and '.join(parts)}" if parts else ""
        yield f"That is {cash(abs(total.change))} {'more' if rose else 'less'} than last week{why}."
    if ahead is not None:
        yield f"{ahead.month} will cost about {cash(ahead.expected)}: {ahead.pacing}."
    if found.cover.unowned_calls:
        yield f"{cash(found.cover.unowned)} on {found.cover.unowned_calls:,} calls has no owner."
    outside = [gap for gap in found.gaps if gap.within is False]
    for gap in outside[:1]:
        yield f"{gap.provider} billed {cash(gap.theirs)} for {gap.month}, {cash(gap.gap)} beside the ledger."
    for other in found.foreign:
        amount = money(other.amount, other.currency)
        yield f"{amount} on {other.calls:,} calls is in {other.currency}, and in no amount here."


def _spent(found: Material, total: OwnerLine) -> Iterable[str]:
    if not total.calls and not total.actual:
        yield f"No calls were booked in {found.week}."
    elif total.actual is None:
        yield f"What the week cost is not known: none of its {total.calls:,} calls has a cost."
    elif total.plan is None or total.variance is None:
        yield f"{money(total.actual, found.currency)} was spent; there is no plan for this week."
    else:
        spent, plan = money(total.actual, found.currency), money(total.plan, found.currency)
        away = f"{money(abs(total.variance), found.currency)} ({percent(abs(total.variance), total.plan)})"
        side = "over" if total.variance > 0 else "under"
        against = f"{away} {side} the plan of {plan}" if total.variance else "exactly as planned"
        yield f"{spent} was spent, {against}."


def _days(found: Material, days: Sequence[date]) -> tuple[Day, ...]:
    now, before = unshared(found.now), unshared(found.before)
    tenants: defaultdict[str | None, Decimal] = defaultdict(Decimal)
    for line in now:
        tenants[line["tenant"]] += line["amount"] or _NOTHING
    named = [name for name in tenants if name is not None]
    largest = sorted(named, key=lambda name: (-tenants[name], name))[:_TENANTS]
    told = []
    for day in days:
        of_day: defaultdict[str | None, Decimal] = defaultdict(Decimal)
        for line in now:
            if line["day"] == day:
                name = line["tenant"] if line["tenant"] in largest else None
                of_day[name] += line["amount"] or _NOTHING
        order: list[str | None] = [*largest, None]
        earlier = known(line for line in before if line["day"] == day - 7 * _DAY)
        told.append(Day(day, earlier, tuple((name, of_day[name]) for name in order if name in of_day)))
    return tuple(told)


def _touches(scope: Mapping[str, str], line: Row) -> bool:
    """Whether the scope that tripped covers calls of this line, as far as tenant, workload and owner tell."""
    return all(scope.get(name) in (None, line[name]) for name in ("tenant", "workload", "owner"))


def _notes(found: Material, plan: planning.Planned) -> tuple[str, ...]:
    return (
        f"Weeks are ISO weeks, Monday to Sunday in {found.month.zone}; instants are in UTC.",
        "Plan: a month's plan is spread over its days in equal parts, rounded to the cent by largest remainder (the "
        "first days take the cents left over); the week's plan is the sum of its seven days.",
        *plan.notes,
        "Variance is actual less plan, so over plan is positive; without a plan the whole actual is variance.",
        "Amounts are the known cost. Unpriced and incomplete calls are counted, and their cost is in no amount.",
        "A breaker that opened for a scope of several owners counts once for each of them and once in the total.",
        "The forecast is of the month in which the week ends, as of its end; the band holds in 80 of 100 months.",
    )
