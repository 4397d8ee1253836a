"""Band: how far a sum of days to come has been from what was expected of it, by forecasts made of the same history.

Each past day is taken for today: what follows it is forecast from what precedes it, over as many days as are to come
now, and compared with what came: `z = ln((cost + e) / (forecast + e))`. The band's ends are quantiles of those z
(conformal prediction on rolling origins). Neighbouring origins see the same days, so that one of d days counts for
`2 / d`. What they are too few to tell comes from a shipped spread, `s^2 = noise^2 (1 / d + 8 / n) + drift^2 d` for a
sum of d days after n known ones, scaled by what the history shows of it over a few days, where origins are many.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import NormalDist

from .daily import Daily, fitted

__all__ = ["Band", "band"]

# The shipped spread, between that of steady and of jumpy workloads (benchmarks/forecast.py).
_NOISE, _DRIFT = 0.6, 0.07
# How many origins it stands for, and how it is scaled at the least and the most.
_PRIOR_WEIGHT, _PRIOR_POINTS = 2.0, 20
_SCALES = (0.35, 6.0)
# A level of n days is itself off by as much as so many over n days' noise.
_LEVEL = 8.0
# Nothing is said to cost more than e^3, twenty times what is expected.
_MOST = 3.0
# The fewest days that a forecast of the past is made from, and the most origins.
_LEAST_DAYS, _MOST_ORIGINS = 3, 40
_SHORT_DAYS = 3
_OVERLAP = 2.0
# A floor of costs in logarithms, as a part of what is expected.
_FLOOR = 0.05
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Band:
    """Quantiles of what a sum of days comes to, for a forecast of it."""

    low: float
    high: float
    origins: float
    """How many independent origins of this many days the history had; below 1 the band is mostly the shipped one."""

    def around(self, forecast: float, quantile: float) -> float:
        """What a sum that is forecast as so much comes to at a quantile of z (`low` or `high`)."""
        floor = _FLOOR * forecast
        return max(0.0, (forecast + floor) * math.exp(quantile) - floor)


def band(first: date, costs: Sequence[float], days: int, share: float) -> Band:
    """The band that holds `share` of what sums of `days` days come to, from whole days in a row."""
    models = [(origin, fitted(first, costs[:origin])) for origin in _origins(len(costs))]
    short = min(days, _SHORT_DAYS)
    scale = _scale(_errors(first, costs, models, short), short)
    own = _errors(first, costs, models, days)
    every = _step(len(costs))
    weight = min(1.0, _OVERLAP * every / days)
    spread = scale * math.hypot(_spread(days), _NOISE * math.sqrt(_LEVEL / len(costs)))
    points = (spread * _NORMAL.inv_cdf((place + 0.5) / _PRIOR_POINTS) for place in range(_PRIOR_POINTS))
    prior = [min(max(point, -_MOST), _MOST) for point in points]
    sample = sorted([(z, weight) for z in own] + [(z, _PRIOR_WEIGHT / _PRIOR_POINTS) for z in prior])
    low, high = (_quantile(sample, level) for level in ((1 - share) / 2, (1 + share) / 2))
    return Band(low, high, weight * len(own))


def _step(known: int) -> int:
    return max(1, math.ceil((known - _LEAST_DAYS) / _MOST_ORIGINS))


def _origins(known: int) -> range:
    """Past days taken for today: none before a few days are known, and not too many."""
    return range(known - 1, _LEAST_DAYS - 1, -_step(known))


def _errors(
    first: date, costs: Sequence[float], models: Sequence[tuple[int, Daily]], days: int
) -> list[float]:
    errors = []
    for origin, model in models:
        if origin + days <= len(costs):
            start = first + timedelta(origin)
            forecast = model.over(start, start + timedelta(days))
            floor = _FLOOR * forecast
            if forecast > 0:
                errors.append(math.log((sum(costs[origin : origin + days]) + floor) / (forecast + floor)))
    return errors


def _spread(days: int) -> float:
    return math.sqrt(_NOISE**2 / days + _DRIFT**2 * days)


def _scale(errors: Sequence[float], days: int) -> float:
    """How wide this history's errors are, of the shipped ones: its own the more, the more there are."""
    usual = _spread(days)
    weight = _OVERLAP / (_OVERLAP + days)
    squares = sum(min(abs(z) / usual, 2 * _SCALES[1]) ** 2 for z in errors) * weight
    scale = math.sqrt((squares + _PRIOR_WEIGHT) / (weight * len(errors) + _PRIOR_WEIGHT))
    return min(max(scale, _SCALES[0]), _SCALES[1])


def _quantile(sample: Sequence[tuple[float, float]], level: float) -> float:
    """Of a sorted weighted sample, between the middles of its weights."""
    wanted, passed = level * sum(weight for _, weight in sample), 0.0
    before: tuple[float, float] | None = None
    for value, weight in sample:
        middle = passed + weight / 2
        if middle >= wanted:
            if before is None:
                return value
            return before[1] + (value - before[1]) * (wanted - before[0]) / (middle - before[0])
        passed, before = passed + weight, (middle, value)
    return sample[-1][0]
