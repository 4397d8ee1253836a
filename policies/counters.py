"""Spend counters: exact sums over a rolling window or over a task's whole life.

Times are seconds since the epoch, UTC. A window is a ring of buckets; a bucket leaves only when all of it is
older than the window, so that a counter is never below the true sum: it errs by at most one bucket's spend.
Each sum that is asked for (the window, what of it is kept at the horizon, its last quarter and twelfth) runs along
the ring by itself, so that reading costs the same however much was spent.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

from analytics.projection import HORIZON_SHARE

__all__ = ["LifetimeSum", "RollingSum", "Sum"]

_BUCKETS = 240
_ZERO = Decimal(0)


class Sum(Protocol):
    """What an account needs of a counter."""

    def add(self, amount: Decimal, at: float, now: float) -> None:
        """Count an amount spent at `at`; a negative amount takes one back."""

    def spent(self, now: float) -> Decimal:
        """The sum as of `now`."""

    def kept(self, now: float) -> Decimal:
        """What of the sum will still count at the horizon."""

    def lately(self, now: float) -> tuple[Decimal, Decimal]:
        """What was spent in the last twelfth and the last quarter of the window."""


class RollingSum:
    """The spend in `(now - length_s, now]`. `now` must not run backwards by more than the clock's corrections."""

    __slots__ = ("_buckets", "_kept", "_middle", "_short", "_whole", "_width", "length_s")

    def __init__(self, length_s: float) -> None:
        self.length_s = length_s
        self._width = length_s / _BUCKETS
        self._buckets: dict[int, Decimal] = {}
        self._whole = _Tail(length_s)
        self._kept = _Tail(length_s * (1 - HORIZON_SHARE))
        self._middle = _Tail(length_s / 4)
        self._short = _Tail(length_s / 12)

    def add(self, amount: Decimal, at: float, now: float) -> None:
        index = int(at // self._width)
        self.spent(now)
        if index < self._whole.first:
            return
        self._buckets[index] = self._buckets.get(index, _ZERO) + amount
        for tail in (self._whole, self._kept, self._middle, self._short):
            if index >= tail.first:
                tail.total += amount

    def spent(self, now: float) -> Decimal:
        left = self._whole.first
        total = self._run(self._whole, now)
        # The other sums look less far back, so that what leaves the whole is behind all of them once they ran.
        if self._whole.first > left and self._buckets:
            for tail in (self._kept, self._middle, self._short):
                self._run(tail, now)
            for index in [index for index in self._buckets if index < self._whole.first]:
                del self._buckets[index]
        return total

    def kept(self, now: float) -> Decimal:
        return self._run(self._kept, now)

    def lately(self, now: float) -> tuple[Decimal, Decimal]:
        return self._run(self._short, now), self._run(self._middle, now)

    def _run(self, tail: _Tail, now: float) -> Decimal:
        # The bucket that holds the far end is still partly inside.
        first = int((now - tail.length_s) // self._width)
        if first > tail.first:
            if first - tail.first > len(self._buckets):
                gone = [index for index in self._buckets if tail.first <= index < first]
            else:
                gone = [index for index in range(tail.first, first) if index in self._buckets]
            for index in gone:
                tail.total -= self._buckets[index]
            tail.first = first
        return tail.total


class _Tail:
    """One running sum: of all buckets from `first` on."""

    __slots__ = ("first", "length_s", "total")

    def __init__(self, length_s: float) -> None:
        self.length_s = length_s
        self.first = -(1 << 62)
        self.total = _ZERO


class LifetimeSum:
    """The spend of a task tree since it began: nothing ever leaves."""

    __slots__ = ("_total",)

    def __init__(self) -> None:
        self._total = _ZERO

    def add(self, amount: Decimal, at: float, now: float) -> None:
        self._total += amount

    def spent(self, now: float) -> Decimal:
        return self._total

    def kept(self, now: float) -> Decimal:
        return self._total

    def lately(self, now: float) -> tuple[Decimal, Decimal]:
        return _ZERO, _ZERO
