"""Paces: amounts a minute that are let through steadily. `now` is in seconds of any steady clock.

Whoever goes is let go whole as soon as there is anything to draw from, and what it draws too much is waited for after
it. So over any stretch of time no more goes than the rate, the burst and one call.
"""

from __future__ import annotations

import math

__all__ = ["Bucket", "Pace"]

# What is asked for before anything goes; a little less, since levels are sums of small amounts.
_ENOUGH = 1.0 - 1e-6
# By rank: a burst of what nobody waits for would only be in the way of what somebody waits for.
_BURST_S = (1.0, 0.25, 0.25)


class Bucket:
    """A share: a second's worth at the most, refilled at `per_minute`. At 0 nothing goes until that changes."""

    __slots__ = ("_at", "_level", "_rate")

    def __init__(self, per_minute: float, now: float) -> None:
        self._rate = per_minute / 60.0
        self._at = now
        self._level = self._most()

    @property
    def per_minute(self) -> float:
        return self._rate * 60.0

    def change(self, per_minute: float, now: float) -> None:
        """From now on so much a minute; what was drawn too much is still waited for."""
        self._refill(now)
        self._rate = per_minute / 60.0
        self._level = min(self._level, self._most())

    def holds(self, now: float) -> bool:
        """Whether a call may go, of any size."""
        self._refill(now)
        return self._rate > 0.0 and self._level >= _ENOUGH

    def draw(self, amount: float) -> None:
        """Take it out (negative: put it back)."""
        self._level -= amount

    def due(self, now: float) -> float:
        """When it holds something again."""
        self._refill(now)
        return now + max(0.0, 1.0 - self._level) / self._rate if self._rate > 0.0 else math.inf

    def _refill(self, now: float) -> None:
        self._level = min(self._most(), self._level + self._rate * max(0.0, now - self._at))
        self._at = now

    def _most(self) -> float:
        return max(1.0, self._rate)


class Pace:
    """A lane's limit, kept apart by rank (0: who is served first), so that no tier waits for what another drew.

    What flows in goes to the most urgent bucket until it is full, then to the next. None: unlimited.
    """

    __slots__ = ("_at", "_levels", "_rate")

    def __init__(self, per_minute: float | None, now: float) -> None:
        self._rate: float | None = None
        self._levels: list[float] = []
        self._at = now
        self.change(per_minute, now)

    def change(self, per_minute: float | None, now: float) -> None:
        """From now on so much a minute; what was drawn too much is still waited for."""
        if self._rate is not None:
            self.refill(now)
        self._at = now
        self._rate = None if per_minute is None else per_minute / 60.0
        if self._rate is None:
            self._levels = []
        elif self._levels:
            self._levels = [min(level, self._most(rank)) for rank, level in enumerate(self._levels)]
        else:
            self._levels = [self._most(rank) for rank in range(len(_BURST_S))]

    def refill(self, now: float) -> None:
        """Let flow in what has come since the last time."""
        if self._rate is None:
            return
        amount = self._rate * max(0.0, now - self._at)
        self._at = now
        for rank, level in enumerate(self._levels):
            part = min(amount, self._most(rank) - level)
            if part > 0.0:
                self._levels[rank] += part
                amount -= part

    def holds(self, rank: int) -> bool:
        """Whether a call may go, of any size."""
        return self._rate is None or self._levels[rank] >= _ENOUGH

    def draw(self, rank: int, amount: float) -> None:
        """Take it out (negative: put it back)."""
        if self._rate is not None:
            self._levels[rank] -= amount

    def wait_s(self, rank: int) -> float:
        """How long until it holds something for this rank, if nothing else goes meanwhile."""
        if self._rate is None or self._levels[rank] >= _ENOUGH:
            return 0.0
        before = sum(max(0.0, self._most(other) - self._levels[other]) for other in range(rank))
        return (before + 1.0 - self._levels[rank]) / self._rate

    def _most(self, rank: int) -> float:
        return max(1.0, (self._rate or 0.0) * _BURST_S[rank])
