"""The forecast that fits a ceiling's window: one face for rolling windows, calendar periods and the life of a task."""

from __future__ import annotations

from typing import Protocol

from analytics.projection import Band, CalendarForecast, RollingForecast

from .model import Rolling, Window

__all__ = ["Forecast", "forecast_over"]


class Forecast(Protocol):
    """What an account needs of a projection. Amounts are floats in atoms; times seconds since the epoch."""

    def arrived(self, amount: float, at: float) -> None:
        """Count an amount spent at `at`; a negative one takes back."""

    def band(self, now: float, spent: float, kept: float, in_flight: float) -> Band:
        """What the window will hold at its horizon (a period, at its end)."""


def forecast_over(window: Rolling | Window | None) -> Forecast:
    """A forecast that knows nothing yet."""
    if window is None:
        return _Lifetime()
    return _Rolling(window.length_s) if isinstance(window, Rolling) else _Periods(window)


class _Rolling:
    def __init__(self, length_s: float) -> None:
        self._inner = RollingForecast(length_s)
        self.arrived = self._inner.arrived

    def band(self, now: float, spent: float, kept: float, in_flight: float) -> Band:
        return self._inner.band(now, kept, in_flight)


class _Periods:
    def __init__(self, window: Window) -> None:
        self._inner = CalendarForecast(window.length_s)
        self._window = window
        self._end = float("-inf")

    def arrived(self, amount: float, at: float) -> None:
        if self._end == float("-inf"):
            self._begin(at)
        self._inner.arrived(amount, at)

    def band(self, now: float, spent: float, kept: float, in_flight: float) -> Band:
        if now >= self._end:
            self._begin(now)
        return self._inner.band(now, spent, in_flight)

    def _begin(self, now: float) -> None:
        begin, self._end = self._window.bounds(now)
        self._inner.begin(begin, self._end)


class _Lifetime:
    """Of one task, only what is spent and in flight is known; nothing of it ever leaves."""

    def arrived(self, amount: float, at: float) -> None:
        pass

    def band(self, now: float, spent: float, kept: float, in_flight: float) -> Band:
        known = spent + in_flight
        return Band(
            *(known,) * 5, 0.0, spent, in_flight, 0.0, 0.0,
            arriving=0.0, method="spent and in flight", bucket="none", seen=0, cold=True,
        )  # fmt: skip
