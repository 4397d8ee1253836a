"""Month: what a month (or any period of days) will have cost at its end, given what its days so far did.

What is spent is known; only what is to come is forecast: the rest of today, by the share of the day that is left, and
every whole day after it. Today's cost so far is no whole day's, and neither level nor band is learned from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum

from analytics.contracts.exact import EXACT, stored

from .band import band
from .daily import Daily, fitted

__all__ = ["Forecast", "Method", "month_end"]

DAY = timedelta(days=1)
# What is older says little of the level, and days of a year ago little of weekdays.
_REMEMBERED_DAYS = 120
_BAND = 0.8
# Two weeks, so that every weekday was seen twice; and one sum of as many days as are to come.
_WARM_DAYS = 14
_NOTHING = Decimal(0)


class Method(StrEnum):
    """How a forecast came about."""

    SEASONAL = "seasonal"
    """From weekdays and a level, its band from how such forecasts did in this history."""
    COLD = "cold"
    """The same, of a history too short to show that: the band is mostly a shipped one, and wide."""
    COMPLETE = "complete"
    """The period is over, and nothing is forecast."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a period will have cost at its end: amounts at 12 places, in the currency of the history."""

    expected: Decimal
    low: Decimal
    high: Decimal
    """Between `low` and `high` it ends in about 80 % of cases."""
    spent: Decimal
    """What its days so far cost, today included."""
    method: Method
    elapsed: Decimal
    """How much of the period is over, 0 to 1, where a day counts for what its weekday usually costs."""
    days: tuple[tuple[date, Decimal], ...]
    """What is expected of each day to come, the rest of today first; they add up to `remaining`."""
    known_days: int
    """How many whole days it was learned from."""

    @property
    def remaining(self) -> Decimal:
        """What is expected to come."""
        return EXACT.subtract(self.expected, self.spent)


def month_end(
    history: Mapping[date, Decimal], *, now: datetime, start: date, end: date, zone: tzinfo = UTC
) -> Forecast | None:
    """The forecast of [start, end), from the cost by day; None where there is no whole day to learn from.

    `history` begins with its first day of any cost, which may be before the period. A day after that which it does
    not name cost nothing; days after `now` are not looked at. `now` is the time up to which all cost is known, and days
    are those of `zone`.

    Every day of a history cost 10.00; on the 11th of a month of 30 days, at noon, 105.00 is spent. Then 5.00 are
    expected of today and 190.00 of the 19 days after it: 300.00.
    """
    local = now.astimezone(zone)
    today = local.date()
    spent = _sum(cost for day, cost in history.items() if start <= day < end and day <= today)
    if today >= end:
        return Forecast(spent, spent, spent, spent, Method.COMPLETE, Decimal(1), (), 0)
    first = max(
        min((day for day, cost in history.items() if cost), default=today), today - _REMEMBERED_DAYS * DAY
    )
    costs = [float(history.get(first + place * DAY, _NOTHING)) for place in range((today - first).days)]
    if not costs:
        return None
    daily = fitted(first, costs)
    left = _left_of_day(local)
    to_come = [(max(today, start) + place * DAY) for place in range((end - max(today, start)).days)]
    days = tuple((day, _amount(daily.on(day) * (left if day == today else 1.0))) for day in to_come)
    remaining = _sum(cost for _, cost in days)
    # A period that has not begun is as far away as its last day.
    found = band(first, costs, max(1, round((end - today).days - 1 + left)), _BAND)
    low, high = (_amount(found.around(float(remaining), edge)) for edge in (found.low, found.high))
    return Forecast(
        expected=EXACT.add(spent, remaining),
        low=EXACT.add(spent, min(low, remaining)),
        high=EXACT.add(spent, max(high, remaining)),
        spent=spent,
        method=Method.SEASONAL if len(costs) >= _WARM_DAYS and found.origins >= 1 else Method.COLD,
        elapsed=_elapsed(daily, start, end, today, left),
        days=days,
        known_days=len(costs),
    )


def _left_of_day(local: datetime) -> float:
    """The share of the local day that is still to come; a day in which clocks change is longer or shorter."""
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    following = datetime.combine(local.date() + DAY, midnight.timetz())
    begun, now, over = (each.timestamp() for each in (midnight, local, following))
    return (over - now) / (over - begun)


def _elapsed(daily: Daily, start: date, end: date, today: date, left: float) -> Decimal:
    whole = daily.over(start, end)
    if today < start:
        return _NOTHING
    if not whole:
        passed, whole = (today - start).days + 1 - left, float((end - start).days)
    else:
        passed = daily.over(start, today) + daily.on(today) * (1 - left)
    return Decimal(passed / whole).quantize(Decimal("0.000001"))


def _amount(value: float) -> Decimal:
    return stored(Decimal(value))


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    total = _NOTHING
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
