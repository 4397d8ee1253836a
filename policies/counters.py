"""Spend counters: exact sums over a rolling window or over a task's whole life.

Times are seconds since the epoch, UTC. A window is a ring of buckets; a bucket leaves only when all of it is
older than the window, so that a counter is never below the true sum: it errs by at most one bucket's spend.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

__all__ = ["LifetimeSum", "RollingSum", "Sum"]

_BUCKETS = 240
_ZERO = Decimal(0)


class Sum(Protocol):
    """What an account needs of a counter."""

    def add(self, amount: Decimal, at: float, now: float) -> None:
        """Count an amount spent at `at`; a negative amount takes one back."""

    def spent(self, now: float) -> Decimal:
        """The sum as of `now`."""

    def kept(self, now: float, horizon_s: float) -> Decimal:
        """What of the sum will still count at `now + horizon_s`."""

    def since(self, now: float, seconds: float) -> Decimal:
        """What was spent in the last `seconds`."""


class RollingSum:
    """The spend in `(now - length_s, now]`."""

    __slots__ = ("_buckets", "_total", "_width", "length_s")

    def __init__(self, length_s: float) -> None:
        self.length_s = length_s
        self._width = length_s / _BUCKETS
        self._buckets: dict[int, Decimal] = {}
        self._total = _ZERO

    def add(self, amount: Decimal, at: float, now: float) -> None:
        index = int(at // self._width)
        if index < self._oldest(now):
            return
        self._buckets[index] = self._buckets.get(index, _ZERO) + amount
        self._total += amount

    def spent(self, now: float) -> Decimal:
        oldest = self._oldest(now)
        for index in [index for index in self._buckets if index < oldest]:
            self._total -= self._buckets.pop(index)
        return self._total

    def kept(self, now: float, horizon_s: float) -> Decimal:
        oldest = self._oldest(now + horizon_s)
        return sum((amount for index, amount in self._buckets.items() if index >= oldest), _ZERO)

    def since(self, now: float, seconds: float) -> Decimal:
        first = int((now - seconds) // self._width) + 1
        return sum((amount for index, amount in self._buckets.items() if index >= first), _ZERO)

    def _oldest(self, now: float) -> int:
        # The bucket that holds `now - length` is still partly inside.
        return int((now - self.length_s) // self._width)


class LifetimeSum:
    """The spend of a task tree since it began: nothing ever leaves."""

    __slots__ = ("_total",)

    def __init__(self) -> None:
        self._total = _ZERO

    def add(self, amount: Decimal, at: float, now: float) -> None:
        self._total += amount

    def spent(self, now: float) -> Decimal:
        return self._total

    def kept(self, now: float, horizon_s: float) -> Decimal:
        return self._total

    def since(self, now: float, seconds: float) -> Decimal:
        return _ZERO
