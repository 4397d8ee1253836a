"""The product's forecasts, driven over a stream as the engine would, and what the stream held at each tick."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from projection_streams import STEP_S, Stream

from analytics.projection import HORIZON_SHARE, RollingForecast

__all__ = ["WINDOWS", "Driven", "Truth", "Window", "driven", "truth"]

Array = NDArray[np.float64]
CEILINGS = (0.6, 0.9, 1.2, 2.0)


@dataclass(frozen=True, slots=True)
class Window:
    """A rolling window as it is judged: its length, how often a breaker looks, how often a band is scored."""

    name: str
    length_s: int
    tick_s: int
    scored_every: int
    """Ticks."""
    fed_s: int
    """Spend is told to the forecast in pieces of so many seconds."""

    @property
    def horizon_s(self) -> float:
        return self.length_s * HORIZON_SHARE

    @property
    def ticks(self) -> int:
        return self.length_s // self.tick_s

    @property
    def horizon_ticks(self) -> int:
        return round(self.horizon_s / self.tick_s)


WINDOWS = (
    Window("5 min", 300, 10, 1, 5),
    Window("1 h", 3_600, 60, 2, 60),
    Window("24 h", 86_400, 600, 5, 120),
)


@dataclass(frozen=True, slots=True)
class Truth:
    """What a stream's window held at each tick of its second half, one array element a tick.

    `spent` is R(t), `coming` X_h(t), `kept` K_h(t); `usual` the mean of X_h over the first half, `p99` the 99th
    percentile of R there.
    """

    at_s: NDArray[np.int64]
    spent: Array
    coming: Array
    kept: Array
    usual: float
    p99: float

    @property
    def floor(self) -> float:
        return 0.05 * self.usual


@dataclass(frozen=True, slots=True)
class Driven:
    """Quantiles of X_h (ticks x 5) as the product gave them; not a number where the window is empty."""

    quantiles: Array


def truth(stream: Stream, window: Window, *, learning: bool = False) -> Truth:
    """The second half; the first with `learning`, after one whole window."""
    total = np.concatenate([[0.0], np.cumsum(stream.cost)])
    half_s, end_s = stream.half * STEP_S, len(stream.cost) * STEP_S
    horizon = int(window.horizon_s)
    first, last = (window.length_s, half_s) if learning else (half_s, end_s)
    at = np.arange(-(-first // window.tick_s) * window.tick_s, last - horizon + 1, window.tick_s)

    def spent(since: NDArray[np.int64], until: NDArray[np.int64]) -> Array:
        return total[until // STEP_S] - total[np.maximum(since, 0) // STEP_S]

    past = np.arange(window.length_s, half_s + 1, window.tick_s)
    p99 = float(np.quantile(spent(past - window.length_s, past), 0.99))
    usual = float(stream.cost[: stream.half].mean()) * horizon / STEP_S
    return Truth(
        at,
        spent(at - window.length_s, at),
        spent(at, at + horizon),
        spent(at + horizon - window.length_s, at),
        usual,
        p99,
    )


def fed(stream: Stream, window: Window) -> Array:
    """The stream's spend in pieces of `window.fed_s`: sums of steps, or even parts of one."""
    if window.fed_s < STEP_S:
        parts = STEP_S // window.fed_s
        return np.repeat(stream.cost / parts, parts)
    steps = window.fed_s // STEP_S
    return stream.cost[: len(stream.cost) // steps * steps].reshape(-1, steps).sum(axis=1)


def driven(stream: Stream, window: Window, at_s: NDArray[np.int64]) -> Driven:
    """The whole stream through one RollingForecast, which is asked at each of `at_s` (ascending, multiples of a piece).

    It is told only what precedes the question. Nothing is in flight and nothing is known of the future here.
    """
    forecast = RollingForecast(window.length_s)
    pieces = fed(stream, window)
    occupied = np.flatnonzero(pieces)
    quantiles = np.full((len(at_s), 5), np.nan)
    amounts, middles = pieces[occupied].tolist(), ((occupied + 0.5) * window.fed_s).tolist()
    count, told, length = len(amounts), 0, window.length_s
    for row, at in enumerate(at_s.tolist()):
        while told < count and middles[told] < at:
            forecast.arrived(amounts[told], middles[told])
            told += 1
        if told and middles[told - 1] > at - length:
            band = forecast.band(at, 0.0, 0.0)
            quantiles[row] = (band.q05, band.q20, band.q50, band.q80, band.q95)
    return Driven(quantiles)
