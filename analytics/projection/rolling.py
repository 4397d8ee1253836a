"""What a rolling window will hold a tenth of its length from now, with the band of its own past errors.

What of the window's spend is still inside then is known, what leaves is known too; only what arrives until then is
forecast. Its point is the mean of five rates, each weighted by how well it has foretold this scope lately; its band
the quantiles of past errors in the same situation: how the short rate stands to the long one, and how full the window
is for this scope.

    forecast = RollingForecast(3600.0)
    forecast.arrived(amount, at)                                  # each booking: O(1), any order
    band = forecast.band(now, kept=..., in_flight=...)            # q05 .. q95 of booked + held at now + 360 s
    kept_for_restart = forecast.state()                           # plain JSON values; `restore` takes them up

Times are seconds since the epoch, and must not run backwards in `band`; amounts are floats in any one unit, and
doubling all of them doubles the band. A scope of which nothing is known is cold, and says so.

What is known is not forecast twice:

- `in_flight`: held for running calls. The band is of booked and held together, so a hold counts from when it is first
  told, and its settlement only by what differs. A fan-out thus raises the rates when it begins, not when it is billed.
- `expected`: further spend of open task trees until the horizon. It is added whole, and what is usually expected is
  taken out of the rates, which hold it already.
- `schedules`: known spends `(at, amount)`, those of the last window too: what is due is added whole, and what is past
  is taken out of the rates.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Sequence
from typing import Any

from .band import HORIZON_SHARE, Band, Schedule, scheduled
from .quantiles import COLD_BELOW, Tracker
from .rates import relative_error, weights
from .ring import CELLS, HORIZON, MASK, MIDDLE, SHORT, Ring
from .shipped import RollingTable, rolling_table

__all__ = ["SITUATIONS", "Rates", "RollingForecast"]

_WEEK_S = 604_800.0
# The floor of both sides of an error, as a share of the long mean: silence must not divide by zero.
_FLOOR_SHARE = 0.05
# Where the short rate stands to the long one, and the long one to the mean; both with the floor on either side.
_TRENDS = (math.exp(-1.0), math.exp(-0.3), math.exp(0.3), math.exp(1.0))
_LEVELS = (math.exp(-1.0), math.exp(0.3))
SITUATIONS = tuple(
    f"{trend}, {level}"
    for trend in ("stopping", "falling", "steady", "rising", "surging")
    for level in ("low", "usual", "high")
)
"""Names of the situations, in the order of a table's rows."""

# What is known of how far off each rate is, is forgotten over thirty windows.
_ERROR_PACE = 1 / (30 * CELLS)

_VERSION = 1

Rates = tuple[float, float, float, float, float]
"""Of the last twelfth, quarter and whole of the window, of the same time one window ago, and the long mean."""

_Forecast = tuple[Rates, float, float, int]
_Due = tuple[Rates, float, float, int, float, float]


class RollingForecast:
    """The forecast of one scope's rolling window of `window_s` seconds. Not thread-safe; 10 us a call at most."""

    __slots__ = (
        "_cell_s", "_due", "_errors", "_expected", "_first", "_held", "_mean", "_mean_most", "_mean_of",
        "_ring", "_schedules", "_tracker", "_usual", "_usual_at", "_weights", "horizon_s", "window_s",
    )  # fmt: skip

    def __init__(self, window_s: float, table: RollingTable | None = None) -> None:
        if not window_s > 0:
            raise ValueError(f"a window of {window_s} s has no length")
        self.window_s = window_s
        self.horizon_s = window_s * HORIZON_SHARE
        self._cell_s = window_s / CELLS
        table = table or rolling_table(window_s)
        self._tracker = Tracker(table.rows, table.step, table.shared_step)
        self._errors = list(table.errors)
        self._weights = weights(self._errors)
        self._ring = Ring()
        self._first: int | None = None
        self._mean = self._held = 0.0
        self._mean_of, self._mean_most = 0, max(CELLS, int(_WEEK_S / self._cell_s))
        self._expected = self._usual = self._usual_at = 0.0
        self._schedules: Sequence[Schedule] = ()
        # By the cell at whose opening they come due: rates, point, floor, situation, what was expected and scheduled.
        self._due: list[_Due | None] = [None] * HORIZON

    def arrived(self, amount: float, at: float) -> None:
        """Count an amount spent at `at`; a negative one takes back. Late news counts where it belongs."""
        index = int(at // self._cell_s)
        if self._first is None:
            self._first = index
            self._ring.jump(index)
        elif index > self._ring.index:
            self._turn(index)
        self._ring.add(amount, index)

    def band(
        self,
        now: float,
        kept: float,
        in_flight: float,
        expected: float = 0.0,
        schedules: Sequence[Schedule] = (),
    ) -> Band:
        """The window at `now + horizon_s`; `kept` of its spend is still inside then, `in_flight` is held now.

        `expected` is what open task trees will spend until then, `schedules` are known spends `(at, amount)` of the
        last window and the coming horizon.
        """
        if in_flight != self._held:
            self.arrived(in_flight - self._held, now)
            self._held = in_flight
        index = int(now // self._cell_s)
        if self._first is not None and index > self._ring.index:
            self._turn(index)
        if expected or self._usual:
            self._expect(expected, now)
        self._schedules = schedules
        due = scheduled(schedules, now, now + self.horizon_s) if schedules else 0.0
        known = kept + in_flight + expected + due
        forecast = self._forecast(now)
        if forecast is None:
            return Band(
                *(known,) * 5, self.horizon_s, kept, in_flight, expected, due,
                arriving=0.0, method="nothing seen", bucket="none", seen=0, cold=True,
            )  # fmt: skip
        _, point, floor, situation = forecast
        base = point + floor
        q05, q20, q50, q80, q95 = [max(0.0, base * math.exp(z) - floor) for z in self._tracker.row(situation)]
        seen = self._tracker.seen[situation]
        return Band(
            known + q05, known + q20, known + q50, known + q80, known + q95,
            self.horizon_s, kept, in_flight, expected, due, q50,
            "rates and past errors", SITUATIONS[situation], seen, seen < COLD_BELOW,
        )  # fmt: skip

    def rates(self, now: float) -> Rates | None:
        """The spend per horizon at each rate that a forecast weighs; None before the first spend."""
        if self._first is None:
            return None
        ring, cells, index = self._ring, self._ring.cells, self._ring.index
        part = min(1.0, max(0.0, now / self._cell_s - index))
        open_ = cells[index & MASK]
        # The cell at the far end is inside by the part of the open one that is not yet over.
        short = ring.short + open_ - part * cells[(index - SHORT) & MASK]
        middle = ring.middle + open_ - part * cells[(index - MIDDLE) & MASK]
        long = ring.long + open_ - part * cells[(index - CELLS) & MASK]
        ago = ring.oldest + part * (cells[(index - CELLS + HORIZON) & MASK] - cells[(index - CELLS) & MASK])
        if self._schedules:
            cell_s, done = self._cell_s, self._schedules
            short -= scheduled(done, now - SHORT * cell_s, now)
            middle -= scheduled(done, now - MIDDLE * cell_s, now)
            long -= scheduled(done, now - self.window_s, now)
            ago -= scheduled(done, now - self.window_s, now - self.window_s + self.horizon_s)
        short = short * HORIZON / SHORT if short > 0.0 else 0.0
        middle = middle * HORIZON / MIDDLE if middle > 0.0 else 0.0
        long = long * HORIZON_SHARE if long > 0.0 else 0.0
        age = index + part - self._first
        if age >= CELLS:
            return short, middle, long, ago if ago > 0.0 else 0.0, self._mean
        # What was not observed is unknown, not zero: a young scope's rates are over the time since its first spend.
        age = max(SHORT, age)
        long *= CELLS / age
        return short, middle * MIDDLE / min(MIDDLE, age), long, long, self._mean if self._mean_of else long

    def state(self) -> dict[str, Any]:
        """All that was learned, as plain JSON values."""
        return {
            "version": _VERSION,
            "window_s": self.window_s,
            "index": self._ring.index,
            "cells": list(self._ring.cells),
            "first": self._first,
            "mean": [self._mean, self._mean_of],
            "errors": list(self._errors),
            "held": self._held,
            "usual": [self._expected, self._usual, self._usual_at],
            "due": [[list(due[0]), *due[1:]] if due else None for due in self._due],
            **self._tracker.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state()` gave. Raises ValueError where it is of another version or window."""
        if (state["version"], state["window_s"]) != (_VERSION, self.window_s):
            raise ValueError(
                f"a state of version {state['version']} and a window of {state['window_s']} s cannot be restored into "
                f"version {_VERSION} and {self.window_s} s"
            )
        self._tracker.restore(state)
        self._ring.restore(state["cells"], state["index"])
        self._first, self._held = state["first"], state["held"]
        self._mean, self._mean_of = state["mean"]
        self._expected, self._usual, self._usual_at = state["usual"]
        self._errors = list(state["errors"])
        self._weights = weights(self._errors)
        self._due = [(tuple(due[0]), *due[1:]) if due else None for due in state["due"]]

    def _turn(self, index: int) -> None:
        """Close cells until `index` is open; none of a long silence, of which no forecast is due, are left to close."""
        for _ in range(index - self._ring.index):
            if self._ring.long <= 0.0 and self._ring.silent and not any(self._due):
                break
            self._close()
        if index > self._ring.index:
            silent = index - self._ring.index
            self._mean *= (1 - 1 / self._mean_most) ** silent
            self._ring.jump(index)

    def _close(self) -> None:
        ring, at = self._ring, (self._ring.index + 1) * self._cell_s
        amount = ring.cells[ring.index & MASK]
        ring.close()
        place = ring.index % HORIZON
        if (due := self._due[place]) is not None:
            self._learn(*due)
        self._mean_of = min(self._mean_of + 1, self._mean_most)
        self._mean += (amount * HORIZON - self._mean) / self._mean_of
        forecast = self._forecast(at) if ring.long > 0.0 else None
        if forecast is None:
            self._due[place] = None
        else:
            due_then = scheduled(self._schedules, at, at + self.horizon_s) if self._schedules else 0.0
            self._due[place] = (*forecast, self._expected, due_then)

    def _learn(
        self, rates: Rates, point: float, floor: float, situation: int, expected: float, due: float
    ) -> None:
        """A forecast came due: how far off was each rate, and the point?"""
        actual = max(0.0, self._ring.horizon - due)
        self._errors = [
            error + _ERROR_PACE * (relative_error(actual, rate, floor) - error)
            for error, rate in zip(self._errors, rates, strict=True)
        ]
        self._weights = weights(self._errors)
        unknown = max(0.0, actual - expected)
        self._tracker.saw(situation, math.log((unknown + floor) / (point + floor)))

    def _forecast(self, now: float) -> _Forecast | None:
        """Rates, point and floor of what arrives until the horizon, and the situation; None where nothing was seen."""
        rates = self.rates(now)
        if rates is None:
            return None
        short, middle, long, ago, mean = rates
        floor = _FLOOR_SHARE * (mean if mean > 0.0 else long)
        if floor <= 0.0:
            return None
        by_short, by_middle, by_long, by_ago, by_mean = self._weights
        point = by_short * short + by_middle * middle + by_long * long + by_ago * ago + by_mean * mean
        if self._usual:
            point = max(0.0, point - self._usual)
        trend = bisect(_TRENDS, (short + floor) / (long + floor))
        return rates, point, floor, 3 * trend + bisect(_LEVELS, (long + floor) / (mean + floor))

    def _expect(self, expected: float, now: float) -> None:
        """Follow what is usually expected, at the pace of the middle rate."""
        passed = max(0.0, now - self._usual_at)
        kept = math.exp(-passed / (MIDDLE * self._cell_s))
        self._usual = self._expected + (self._usual - self._expected) * kept
        if self._usual < 1e-9 * (self._mean + expected):
            self._usual = 0.0
        self._expected, self._usual_at = expected, now
