"""What a calendar period (an hour, a day, a month) will have cost at its end, with the band of its own past errors.

    forecast = CalendarForecast(86_400.0)            # seconds of a usual period
    forecast.begin(begin, end)                      # each period, as it begins; the one before is learned from
    forecast.arrived(amount, at)                    # each booking: O(1), any order
    band = forecast.band(now, spent=..., in_flight=...)   # q05 .. q95 of booked + held at the period's end

`state()` and `restore()` carry what was learned over a restart, as plain JSON values. Times are seconds since the
epoch; amounts are floats in any one unit.

Nothing leaves a period, so all spent is kept and only the remainder is forecast. Four guesses are weighed by how well
each has foretold this scope's periods from this share of them on: the recent rate, what the last period still spent
from here, what the usual one does, and the mean rate so far. That alone (spend / elapsed x length) would carry a
night's rate over the whole day. What a new scope begins with stands in `shipped`, by the length of its periods.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .band import Band, Schedule, scheduled
from .quantiles import COLD_BELOW, Tracker
from .rates import relative_error, weights
from .shipped import CHECKPOINTS, CalendarTable, calendar_table

__all__ = ["CalendarForecast"]

_BINS = 40
_RATE_SHARE = 12
_FLOOR_SHARE = 0.05
# The usual period is a mean that forgets: a week of days, not a year of them.
_USUAL_OF = 7
_LAST = len(CHECKPOINTS) - 1
_ERROR_PACE = 1 / 30
_VERSION = 1

Guesses = tuple[float, float, float, float]
"""Of the remainder: by the recent rate, the last period, the usual period, the mean rate so far."""


class CalendarForecast:
    """The forecast of one scope's calendar ceiling, over all its periods. Not thread-safe."""

    __slots__ = (
        "_after", "_begin", "_bins", "_end", "_errors", "_held", "_last", "_logged", "_next", "_periods", "_rate",
        "_rate_at", "_tracker", "_usual", "_weights",
    )  # fmt: skip

    def __init__(self, length_s: float, table: CalendarTable | None = None) -> None:
        """For periods of about `length_s` seconds: months and days differ, and the shipped table goes by it."""
        table = table or calendar_table(length_s)
        self._tracker = Tracker(table.rows, table.step, table.shared_step)
        self._errors = [list(errors) for errors in table.errors]
        self._weights = [weights(errors) for errors in self._errors]
        self._begin = self._end = self._held = self._after = 0.0
        self._bins = [0.0] * _BINS
        self._last: list[float] | None = None
        self._usual = [0.0] * _BINS
        self._periods = 0
        self._rate = self._rate_at = 0.0
        self._next = 0
        self._logged: list[tuple[Guesses, float, float, float]] = []

    def begin(self, begin: float, end: float) -> None:
        """The period `[begin, end)` is on. Raises ValueError where it has no length; asking again changes nothing."""
        if not end > begin:
            raise ValueError(f"a period from {begin} to {end} has no length")
        if begin == self._begin:
            self._end = end
            return
        if self._end:
            self._finish()
        self._begin, self._end = begin, end
        self._bins = [0.0] * _BINS
        self._bins[0], self._after = self._after, 0.0
        self._next, self._logged = 0, []

    def arrived(self, amount: float, at: float) -> None:
        """Count an amount spent at `at`. Late news counts in the last period, early news in the next."""
        if not self._end or at >= self._end:
            self._after += amount
            return
        share = (at - self._begin) / (self._end - self._begin)
        self._pass(share)
        self._follow(amount, at)
        if share >= 0.0:
            self._bins[int(share * _BINS)] += amount
        elif self._last is not None and share >= -1.0:
            place = int((share + 1.0) * _BINS)
            self._last[place] += amount
            self._usual[place] += amount / min(self._periods, _USUAL_OF)

    def band(
        self,
        now: float,
        spent: float,
        in_flight: float,
        expected: float = 0.0,
        schedules: Sequence[Schedule] = (),
    ) -> Band:
        """The period's whole spend; `spent` is booked in it, `in_flight` held now.

        `expected` is further spend of open task trees until the end, `schedules` are known spends `(at, amount)`: those
        due until the end are added. What is expected or due is a part of what is usually left, not added to it: of the
        two the larger counts. Raises RuntimeError before the first `begin`.
        """
        if not self._end:
            raise RuntimeError("no period is on: call begin(begin, end) first")
        self._follow(in_flight - self._held, now)
        self._held = in_flight
        share = min(1.0, max(0.0, (now - self._begin) / (self._end - self._begin)))
        self._pass(share)
        due = scheduled(schedules, now, self._end)
        left = max(0.0, self._end - now)
        known = spent + in_flight
        _, point, floor = self._remainder(share, now)
        place, weight = _between(share)
        seen = min(self._tracker.seen)
        if floor <= 0.0:
            known += expected + due
            return Band(
                *(known,) * 5, left, spent, in_flight, expected, due,
                arriving=0.0, method="nothing seen", bucket="none", seen=0, cold=True,
            )  # fmt: skip
        before, after = self._tracker.row(place), self._tracker.row(min(place + 1, _LAST))
        quantiles = []
        for low, high in zip(before, after, strict=True):
            z = low + weight * (high - low)
            quantiles.append(max(expected + due, (point + floor) * math.exp(z) - floor - in_flight, 0.0))
        q05, q20, q50, q80, q95 = quantiles
        return Band(
            known + q05, known + q20, known + q50, known + q80, known + q95,
            left, spent, in_flight, expected, due, q50 - expected - due,
            "rates, last and usual period", f"{CHECKPOINTS[place]:.0%} elapsed", seen, seen < COLD_BELOW,
        )  # fmt: skip

    def state(self) -> dict[str, Any]:
        """All that was learned, as plain JSON values."""
        return {
            "version": _VERSION,
            "period": [self._begin, self._end, self._next, self._periods],
            "bins": list(self._bins),
            "last": self._last and list(self._last),
            "usual": list(self._usual),
            "sums": [self._after, self._held, self._rate, self._rate_at],
            "logged": [[list(guesses), *rest] for guesses, *rest in self._logged],
            "errors": [list(errors) for errors in self._errors],
            **self._tracker.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state()` gave. Raises ValueError where it is of another version."""
        if state["version"] != _VERSION:
            raise ValueError(
                f"a state of version {state['version']} cannot be restored into version {_VERSION}"
            )
        self._begin, self._end, self._next, self._periods = state["period"]
        self._bins, self._usual = list(state["bins"]), list(state["usual"])
        self._last = state["last"] and list(state["last"])
        self._after, self._held, self._rate, self._rate_at = state["sums"]
        self._logged = [(tuple(guesses), *rest) for guesses, *rest in state["logged"]]
        self._errors = [list(errors) for errors in state["errors"]]
        self._weights = [weights(errors) for errors in self._errors]
        self._tracker.restore(state)

    def _follow(self, amount: float, at: float) -> None:
        """The recent rate: what was spent and held, forgotten over a twelfth of the period."""
        tau = (self._end - self._begin) / _RATE_SHARE
        if at >= self._rate_at:
            self._rate = self._rate * math.exp(-(at - self._rate_at) / tau) + amount
            self._rate_at = at
        else:
            self._rate += amount * math.exp((at - self._rate_at) / tau)

    def _pass(self, share: float) -> None:
        """Log a forecast at each checkpoint that `share` has reached, to be scored when the period ends."""
        while self._next <= _LAST and share >= CHECKPOINTS[self._next]:
            at = CHECKPOINTS[self._next]
            forecast = self._remainder(at, self._begin + at * (self._end - self._begin))
            self._logged.append((*forecast, sum(self._bins)))
            self._next += 1

    def _finish(self) -> None:
        """The period is over: score what was forecast of it, and remember how it went."""
        self._pass(1.0)
        total = sum(self._bins)
        for place, (guesses, point, floor, spent) in enumerate(self._logged):
            if floor > 0.0:
                self._learn(place, guesses, point, floor, max(0.0, total - spent))
        self._periods += 1
        share = 1 / min(self._periods, _USUAL_OF)
        self._usual = [
            usual + share * (now - usual) for usual, now in zip(self._usual, self._bins, strict=True)
        ]
        self._last = self._bins

    def _learn(self, place: int, guesses: Guesses, point: float, floor: float, actual: float) -> None:
        """How far off was each guess at this checkpoint, and the point?"""
        self._errors[place] = [
            error + _ERROR_PACE * (relative_error(actual, guess, floor) - error)
            for error, guess in zip(self._errors[place], guesses, strict=True)
        ]
        self._weights[place] = weights(self._errors[place])
        self._tracker.saw(place, math.log((actual + floor) / (point + floor)))

    def _remainder(self, share: float, now: float) -> tuple[Guesses, float, float]:
        """Guesses, point and floor of what will be spent from `share` of the period on; floor 0: nothing was seen."""
        spent = sum(self._bins)
        left = 1.0 - share
        tau = (self._end - self._begin) / _RATE_SHARE
        rate = max(0.0, self._rate * math.exp(-max(0.0, now - self._rate_at) / tau)) * _RATE_SHARE * left
        so_far = spent / share * left if share > 0.0 else rate
        if self._last is None:
            last = usual = rate
            floor = _FLOOR_SHARE * (spent + rate)
        else:
            last, usual = _from(self._last, share), _from(self._usual, share)
            floor = _FLOOR_SHARE * sum(self._usual)
            if floor <= 0.0:
                floor = _FLOOR_SHARE * (spent + rate)
        place, weight = _between(share)
        before, after = self._weights[place], self._weights[min(place + 1, _LAST)]
        guesses = (rate, last, usual, so_far)
        point = sum(
            (low + weight * (high - low)) * guess
            for low, high, guess in zip(before, after, guesses, strict=True)
        )
        return guesses, point, floor * max(left, 0.05)


def _from(bins: list[float], share: float) -> float:
    """What the bins hold from `share` of the period on."""
    place = share * _BINS
    whole = int(place)
    if whole >= _BINS:
        return 0.0
    return sum(bins[whole + 1 :]) + bins[whole] * (whole + 1 - place)


def _between(share: float) -> tuple[int, float]:
    """The checkpoint at or before `share`, and how far it is from there to the next, 0 to 1."""
    if share <= CHECKPOINTS[0]:
        return 0, 0.0
    for place in range(_LAST):
        if share < CHECKPOINTS[place + 1]:
            return place, (share - CHECKPOINTS[place]) / (CHECKPOINTS[place + 1] - CHECKPOINTS[place])
    return _LAST, 0.0
