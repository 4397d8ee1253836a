"""Daily: what a day is expected to cost, from the days before it: a level, and how weekdays differ from it.

Both are robust: a day that cost ten times as much for once moves them little. Amounts are floats here: this is
statistics, and nothing of it is booked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from operator import mul
from statistics import fmean, median

__all__ = ["Daily", "fitted"]

WEEK = 7
# What a day weighs in the level halves with each so many days before: a change is believed within about a week.
_HALF_LIFE_DAYS = 5.0
_LEVEL_DAYS = 4 * WEEK
# A weekday begins as if it had been like any other day in so many weeks: of what two weeks show, half is believed.
_WEEKS_ALIKE = 2.0
# What a day may count for at most, in medians of the last two weeks.
_MOST = 3.0


@dataclass(frozen=True, slots=True)
class Daily:
    """What days are expected to cost: `level` times their weekday's factor, Monday first; factors are 1 on average."""

    level: float
    factors: tuple[float, ...]

    def on(self, day: date) -> float:
        """What this day is expected to cost."""
        return self.level * self.factors[day.weekday()]

    def over(self, start: date, end: date) -> float:
        """What the days of [start, end) are expected to cost."""
        return sum(self.on(start + timedelta(place)) for place in range((end - start).days))


def fitted(first: date, costs: Sequence[float]) -> Daily:
    """From whole days in a row, at least one; `first` is the day of the first of them."""
    factors = _factors(first, costs)
    recent = costs[-_LEVEL_DAYS:]
    at = first.weekday() + len(costs) - len(recent)
    fitting = [factors[(at + place) % WEEK] for place in range(len(recent))]
    most = _MOST * median(cost / factor for cost, factor in [*zip(recent, fitting, strict=True)][-2 * WEEK :])
    weights = [0.5 ** (age / _HALF_LIFE_DAYS) for age in range(len(recent) - 1, -1, -1)]
    counted = zip(weights, recent, fitting, strict=True)
    spent = sum(weight * (min(cost, most * factor) if most else cost) for weight, cost, factor in counted)
    return Daily(spent / sum(map(mul, weights, fitting)), factors)


def _factors(first: date, costs: Sequence[float]) -> tuple[float, ...]:
    """Of each weekday: the median of its ratios to the mean of its week, drawn to 1 the more the fewer were seen."""
    ratios: list[list[float]] = [[] for _ in range(WEEK)]
    for end in range(len(costs), WEEK - 1, -WEEK):
        week = costs[end - WEEK : end]
        if mean := fmean(week):
            for place, cost in enumerate(week, start=end - WEEK):
                ratios[(first.weekday() + place) % WEEK].append(cost / mean)
    drawn = [
        (len(each) * median(each or [1.0]) + _WEEKS_ALIKE) / (len(each) + _WEEKS_ALIKE) for each in ratios
    ]
    return tuple(each / fmean(drawn) for each in drawn)
