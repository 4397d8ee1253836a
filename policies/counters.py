"""Spend counters: exact sums over a rolling window, over a calendar's periods or over a task's whole life.

Amounts are whole atoms (`units`), times seconds since the epoch, UTC. A rolling window is a ring of buckets; a bucket
leaves only when all of it is older than the window, so that a counter is never below the true sum: it errs by at most
one bucket's spend. Both sums that are asked for (the window, and what of it is kept at the horizon) run along the ring
by themselves, so that adding and reading cost the same however much was spent.
"""

from __future__ import annotations

import math
from typing import Protocol

from analytics.projection import HORIZON_SHARE

from .model import Rolling, Window

__all__ = ["CalendarSum", "LifetimeSum", "RollingSum", "Sum", "sum_over"]

_BUCKETS = 240
_LONG_AGO = -(1 << 62)


class Sum(Protocol):
    """What a meter needs of a counter."""

    turns_at: float
    """Until then the sum changes by `add` alone."""

    @property
    def began(self) -> float:
        """When the period that it counts began; minus infinity where there are no periods."""

    def slot(self, now: float) -> tuple[float, float]:
        """Begin and end of the span that holds `now`, all of which is counted as spent at the same time."""

    def add(self, amount: int, at: float, now: float) -> None:
        """Count an amount spent at `at`; a negative amount takes one back."""

    def spent(self, now: float) -> int:
        """The sum as of `now`."""

    def kept(self, now: float) -> int:
        """What of the sum will still count at the horizon."""

    def before(self, now: float) -> int | None:
        """The sum of the period before this one; None where nothing is known of one."""


def sum_over(window: Rolling | Window | None) -> Sum:
    """The counter of a ceiling's window."""
    if window is None:
        return LifetimeSum()
    return RollingSum(window.length_s) if isinstance(window, Rolling) else CalendarSum(window)


class RollingSum:
    """The spend in `(now - length_s, now]`. `now` must not run backwards by more than the clock's corrections."""

    __slots__ = ("_buckets", "_kept", "_kept_from", "_whole", "_whole_from", "_width", "length_s", "turns_at")

    def __init__(self, length_s: float) -> None:
        self.length_s = length_s
        self.turns_at = float("-inf")
        self._width = length_s / _BUCKETS
        self._buckets: dict[int, int] = {}
        self._whole = self._kept = 0
        self._whole_from = self._kept_from = _LONG_AGO

    @property
    def began(self) -> float:
        return float("-inf")

    def add(self, amount: int, at: float, now: float) -> None:
        if now >= self.turns_at:
            self._turn(now)
        index = int(at // self._width)
        if index < self._whole_from:
            return
        self._buckets[index] = self._buckets.get(index, 0) + amount
        self._whole += amount
        if index >= self._kept_from:
            self._kept += amount

    def spent(self, now: float) -> int:
        if now >= self.turns_at:
            self._turn(now)
        return self._whole

    def kept(self, now: float) -> int:
        if now >= self.turns_at:
            self._turn(now)
        return self._kept

    def before(self, now: float) -> int | None:
        return None

    def slot(self, now: float) -> tuple[float, float]:
        index = now // self._width
        begin = index * self._width
        if begin // self._width != index:
            # The product was rounded down, into the bucket before.
            begin = math.nextafter(begin, math.inf)
        return begin, (index + 1) * self._width

    def _turn(self, now: float) -> None:
        kept_length = self.length_s * (1 - HORIZON_SHARE)
        # The bucket that holds the far end is still partly inside.
        whole_from = max(self._whole_from, int((now - self.length_s) // self._width))
        kept_from = max(self._kept_from, int((now - kept_length) // self._width))
        for index in self._between(self._kept_from, kept_from):
            self._kept -= self._buckets[index]
        for index in self._between(self._whole_from, whole_from):
            self._whole -= self._buckets.pop(index)
        self._whole_from, self._kept_from = whole_from, kept_from
        self.turns_at = min(
            (whole_from + 1) * self._width + self.length_s, (kept_from + 1) * self._width + kept_length
        )

    def _between(self, first: int, end: int) -> list[int]:
        if end - first > len(self._buckets):
            return [index for index in self._buckets if first <= index < end]
        return [index for index in range(first, end) if index in self._buckets]


class CalendarSum:
    """The spend of the period that holds `now`. Late news of the one before and early news of the next count there."""

    __slots__ = ("_begin", "_by_begin", "_window", "turns_at")

    def __init__(self, window: Window) -> None:
        self._window = window
        self._by_begin: dict[float, int] = {}
        self._begin = self.turns_at = float("-inf")

    @property
    def began(self) -> float:
        return self._begin

    def add(self, amount: int, at: float, now: float) -> None:
        if now >= self.turns_at:
            self._turn(now)
        begin = self._begin if self._begin <= at < self.turns_at else self._window.bounds(at)[0]
        self._by_begin[begin] = self._by_begin.get(begin, 0) + amount

    def spent(self, now: float) -> int:
        if now >= self.turns_at:
            self._turn(now)
        return self._by_begin.get(self._begin, 0)

    def kept(self, now: float) -> int:
        return self.spent(now)

    def before(self, now: float) -> int | None:
        if now >= self.turns_at:
            self._turn(now)
        return self._by_begin.get(self._window.bounds(self._begin - 1)[0])

    def slot(self, now: float) -> tuple[float, float]:
        if now >= self.turns_at:
            self._turn(now)
        # All of a period counts alike here, but a forecast asks when in it something was spent.
        width = (self.turns_at - self._begin) / _BUCKETS
        begin = self._begin + (now - self._begin) // width * width
        return begin, min(begin + width, self.turns_at)

    def _turn(self, now: float) -> None:
        self._begin, self.turns_at = self._window.bounds(now)
        last = self._window.bounds(self._begin - 1)[0]
        for begin in [begin for begin in self._by_begin if begin < last]:
            del self._by_begin[begin]


class LifetimeSum:
    """The spend of a task tree since it began: nothing ever leaves."""

    __slots__ = ("_total", "turns_at")

    def __init__(self) -> None:
        self._total = 0
        self.turns_at = float("inf")

    def slot(self, now: float) -> tuple[float, float]:
        return float("-inf"), float("inf")

    @property
    def began(self) -> float:
        return float("-inf")

    def add(self, amount: int, at: float, now: float) -> None:
        self._total += amount

    def spent(self, now: float) -> int:
        return self._total

    def kept(self, now: float) -> int:
        return self._total

    def before(self, now: float) -> int | None:
        return None
