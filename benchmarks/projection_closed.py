"""The closed loop: what is denied vanishes, over one week of 10 s steps, for windows of an hour.

Bookings come 20 s late. The gate counts what is booked and held and admits whole calls that fit (a step's calls cost
the same each). The throttle admits 1.5 (C - K) / h a second while the product's upper quantile (.8) is above the
ceiling, and for a horizon after. Wrongly denied are dollars refused at a moment from which the offered
stream would not have passed the ceiling within a window. The first window is not judged: what was spent before is not a
policy's doing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from projection_drive import CEILINGS, WINDOWS, fed, truth
from projection_streams import STEP_S, Stream

from analytics.projection import RollingForecast

__all__ = ["POLICIES", "Outcome", "closed"]

Array = NDArray[np.float64]
POLICIES = (
    "none",
    "reactive, booked",
    "reactive, booked + in flight",
    "level 0.9, deny",
    "gate",
    "throttle + gate",
)
_WINDOW = WINDOWS[1]
_LENGTH, _HORIZON = _WINDOW.length_s // STEP_S, round(_WINDOW.horizon_s / STEP_S)
_LATE, _LOOKS_EVERY = 2, 6
_THROTTLE = 1.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """Over all tenants and ceilings; shares of 1."""

    over: float
    """Of time over the ceiling."""
    excess: float
    """The largest excess of a scope that was over, 95th percentile, in ceilings."""
    denied: float
    wrongly: float

    def __str__(self) -> str:
        return f"{self.over:8.3%} / {self.excess:6.1%} / {self.denied:6.2%} / {self.wrongly:7.3%}"


def closed(job: tuple[list[Stream], str]) -> Outcome:
    """One policy over the second half of all tenants, each under each of the four ceilings."""
    streams, policy = job
    half = min(each.half for each in streams)
    cost = np.repeat(
        np.stack([each.cost[each.half - _LENGTH :][: half + _LENGTH] for each in streams]), 4, axis=0
    ).T
    calls = np.repeat(np.stack([each.calls[each.half :][:half] for each in streams]), 4, axis=0).T
    ceiling = np.concatenate(
        [np.array(CEILINGS) * truth(each, _WINDOW, learning=True).p99 for each in streams]
    )
    fits = _fits(cost, ceiling)
    steps, scopes = calls.shape
    recent: deque[Array] = deque(cost[:_LENGTH], maxlen=_LENGTH)
    spent, kept = cost[:_LENGTH].sum(axis=0), cost[_HORIZON:_LENGTH].sum(axis=0)
    throttle = _Throttle(streams, ceiling) if policy == "throttle + gate" else None
    over, excess = np.zeros(scopes), np.zeros(scopes)
    offered_sum = denied_sum = wrong_sum = 0.0
    for step in range(steps):
        offered, count = cost[_LENGTH + step], np.maximum(calls[step], 1)
        spent = np.maximum(0.0, spent - recent[0])
        kept = np.maximum(0.0, kept - recent[_HORIZON])
        held = sum(recent[-1 - place] for place in range(_LATE))
        if policy == "none":
            admitted = offered
        elif policy == "reactive, booked":
            admitted = np.where(spent - held > ceiling, 0.0, offered)
        elif policy == "reactive, booked + in flight":
            admitted = np.where(spent > ceiling, 0.0, offered)
        elif policy == "level 0.9, deny":
            admitted = np.where(spent - held > 0.9 * ceiling, 0.0, offered)
        else:
            room, one = ceiling - spent, offered / count
            if throttle:
                room = np.minimum(room, throttle.room(step, kept, held, one))
            fitting = np.floor(np.maximum(0.0, room) / np.maximum(one, 1e-300))
            admitted = np.where(fitting >= count, offered, fitting * one)
            if throttle:
                throttle.took(admitted)
        recent.append(admitted)
        spent, kept = spent + admitted, kept + admitted
        if step >= _LENGTH:
            denied = offered - admitted
            offered_sum += float(offered.sum())
            denied_sum += float(denied.sum())
            wrong_sum += float(denied[fits[step]].sum())
            beyond = spent / ceiling - 1
            over += beyond > 1e-9
            excess = np.maximum(excess, beyond)
    late = excess[over > 0]
    return Outcome(
        float(over.sum()) / (scopes * max(1, steps - _LENGTH)),
        float(np.quantile(late, 0.95)) if len(late) else 0.0,
        denied_sum / offered_sum,
        wrong_sum / offered_sum,
    )


class _Throttle:
    """The product's forecasts, one a scope: warm from the first half, then told what is admitted, 20 s late."""

    def __init__(self, streams: list[Stream], ceiling: Array) -> None:
        self._ceiling, self._rate = ceiling, np.zeros(len(ceiling))
        self._open_until = np.full(len(ceiling), -1)
        self._credit = np.zeros(len(ceiling))
        self._booked: deque[Array] = deque()
        self._begun_s = streams[0].half * STEP_S
        self._forecasts = []
        for each in streams:
            warm = RollingForecast(float(_WINDOW.length_s))
            for place, amount in enumerate(
                fed(each, _WINDOW)[: each.half * STEP_S // _WINDOW.fed_s].tolist()
            ):
                if amount:
                    warm.arrived(amount, self._begun_s + (place + 0.5) * _WINDOW.fed_s - each.half * STEP_S)
            for _ in CEILINGS:
                forecast = RollingForecast(float(_WINDOW.length_s))
                forecast.restore(warm.state())
                self._forecasts.append(forecast)

    def room(self, step: int, kept: Array, held: Array, one: Array) -> Array:
        """What may be admitted in this step beside the gate."""
        if step % _LOOKS_EVERY == 0:
            self._look(step, kept - held, held)
        limited = self._open_until >= step
        most = np.maximum(self._rate * STEP_S * _LOOKS_EVERY, one)
        self._credit = np.where(limited, np.minimum(self._credit + self._rate * STEP_S, most), most)
        return np.where(limited, self._credit, np.inf)

    def took(self, admitted: Array) -> None:
        """What was admitted; it is booked two steps later."""
        self._credit = self._credit - admitted
        self._booked.append(admitted)

    def _look(self, step: int, kept: Array, held: Array) -> None:
        now = self._begun_s + step * STEP_S
        booked = np.zeros(len(self._ceiling))
        while len(self._booked) > _LATE:
            booked += self._booked.popleft()
        for scope, (forecast, amount, keeps, holds, limit) in enumerate(
            zip(
                self._forecasts,
                booked.tolist(),
                kept.tolist(),
                held.tolist(),
                self._ceiling.tolist(),
                strict=True,
            )
        ):
            if amount:
                forecast.arrived(amount, now - _LATE * STEP_S - 1)
            if forecast.band(now, keeps, holds).q80 > limit:
                self._open_until[scope] = step + _HORIZON
        self._rate = _THROTTLE * np.maximum(0.0, self._ceiling - kept - held) / (_HORIZON * STEP_S)


def _fits(cost: Array, ceiling: Array) -> NDArray[np.bool_]:
    """Whether the offered stream stays under the ceiling for a window from each step on (steps x scopes)."""
    steps = len(cost) - _LENGTH
    fits = np.empty((steps, cost.shape[1]), bool)
    for scope in range(cost.shape[1]):
        total = np.concatenate([[0.0], np.cumsum(cost[:, scope])])
        spent = total[_LENGTH + 1 :] - total[1:-_LENGTH]
        ahead = (
            pl.Series(np.concatenate([spent, np.zeros(_LENGTH)]))
            .rolling_max(_LENGTH + 1)
            .to_numpy()[_LENGTH:]
        )
        fits[:, scope] = ahead[:steps] <= ceiling[scope]
    return fits
