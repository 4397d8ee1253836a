"""The forecast that fits a ceiling's window: one face for rolling windows, calendar periods and the life of a task."""

from __future__ import annotations

from typing import Protocol

from analytics.projection import Band, CalendarForecast, RollingForecast

from .model import Rolling, Window
from .trees import Outlook, Trees

__all__ = ["Forecast", "TaskForecast", "forecast_over"]


class Forecast(Protocol):
    """What an account needs of a projection. Amounts are floats in atoms; times seconds since the epoch."""

    def arrived(self, amount: float, at: float) -> None:
        """Count an amount spent at `at`; a negative one takes back."""

    def band(self, now: float, spent: float, kept: float, in_flight: float) -> Band:
        """What the window will hold at its horizon (a period or a task, at its end)."""


def forecast_over(window: Rolling | Window, outlook: Outlook | None) -> Forecast:
    """A forecast that knows nothing yet, but for what open task trees are expected to go on to spend."""
    if isinstance(window, Rolling):
        return _RollingWindow(window.length_s, outlook)
    return _Periods(window, outlook)


class _RollingWindow:
    def __init__(self, length_s: float, outlook: Outlook | None) -> None:
        self._inner = RollingForecast(length_s)
        self._outlook = outlook
        self.arrived = self._inner.arrived

    def band(self, now: float, spent: float, kept: float, in_flight: float) -> Band:
        if self._outlook is None:
            return self._inner.band(now, kept, in_flight)
        horizon_s, window_s = self._inner.horizon_s, self._inner.window_s
        due = self._outlook.due(now - window_s, now + horizon_s)
        return self._inner.band(now, kept, in_flight, self._outlook.expected(horizon_s, now), due)


class _Periods:
    def __init__(self, window: Window, outlook: Outlook | None) -> None:
        self._inner = CalendarForecast(window.length_s)
        self._window = window
        self._outlook = outlook
        self._end = float("-inf")

    def arrived(self, amount: float, at: float) -> None:
        if self._end == float("-inf"):
            self._begin(at)
        self._inner.arrived(amount, at)

    def band(self, now: float, spent: float, kept: float, in_flight: float) -> Band:
        if now >= self._end:
            self._begin(now)
        if self._outlook is None:
            return self._inner.band(now, spent, in_flight)
        due = self._outlook.due(now, self._end)
        return self._inner.band(now, spent, in_flight, self._outlook.expected(self._end - now, now), due)

    def _begin(self, now: float) -> None:
        begin, self._end = self._window.bounds(now)
        self._inner.begin(begin, self._end)


class TaskForecast:
    """What a task will have cost at its end; of one that is not known as a tree, what is spent and in flight."""

    def __init__(self, trees: Trees, tenant: str, task: str) -> None:
        self._trees, self._tenant, self._task = trees, tenant, task

    def arrived(self, amount: float, at: float) -> None:
        pass

    def band(self, now: float, spent: float, kept: float, in_flight: float) -> Band:
        known = spent + in_flight
        found = self._trees.project(self._tenant, self._task, now)
        if found is None:
            return Band(
                *(known,) * 5, 0.0, spent, in_flight, 0.0, 0.0,
                arriving=0.0, method="spent and in flight", bucket="none", seen=0, cold=True,
            )  # fmt: skip
        compared = f"{found.comparable} of {found.finished} tasks to compare"
        situation = f"{found.calls} calls, {found.agents} agents alive, {compared}"
        # The tree's own counts may be a little behind or ahead: what it goes on to cost is taken from them.
        base = found.spent + found.in_flight
        q05, q50, q80, q95 = (known + q - base for q in (found.q05, found.q50, found.q80, found.q95))
        return Band(
            q05, (q05 + q50) / 2, q50, q80, q95, 0.0, spent, in_flight, 0.0, 0.0,
            arriving=q50 - known, method="finished tasks of the workload", bucket=situation,
            seen=found.finished, cold=found.cold,
        )  # fmt: skip
