"""A provider's limits: requests and tokens per minute of one account, as token buckets.

Real providers spread a minute's limit over the minute and allow a burst of some seconds' worth of it; so does this.
Pure: time comes in as `now`, in seconds of any monotonic clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Account", "Left", "Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Per account and provider. `burst_s` seconds' worth of either limit may come at once."""

    requests_per_minute: float = math.inf
    tokens_per_minute: float = math.inf
    burst_s: float = 5.0

    def __post_init__(self) -> None:
        if not min(self.requests_per_minute, self.tokens_per_minute, self.burst_s) > 0:
            raise ValueError(f"{self}: a limit is above zero; a provider that is away is a fault")


@dataclass(frozen=True, slots=True)
class Left:
    """What answers say of a limit: how many a minute, how many are left of them, when all are there again."""

    limit: int
    remaining: int
    reset_s: float


@dataclass(slots=True)
class _Bucket:
    rate_per_s: float
    size: float
    level: float
    at: float

    def refill(self, now: float) -> None:
        if math.isinf(self.size):
            return  # no limit; inf x 0 s would be no number
        self.level = min(self.size, self.level + max(0.0, now - self.at) * self.rate_per_s)
        self.at = now

    def change(self, per_minute: float, burst_s: float, now: float) -> None:
        self.refill(now)
        self.rate_per_s, self.size, self.at = per_minute / 60, _size(per_minute, burst_s), now
        self.level = min(self.size, self.level) if math.isfinite(self.size) else math.inf

    def wait_s(self, amount: float) -> float:
        """Seconds until `amount` is there; a request larger than the bucket needs it full, no more."""
        missing = min(amount, self.size) - self.level
        return 0.0 if missing <= 0 else missing / self.rate_per_s

    def left(self) -> Left | None:
        """As providers say it: of the minute's limit, in the proportion in which the bucket is full."""
        if math.isinf(self.size):
            return None
        full = max(0.0, self.level) / self.size
        per_minute = self.rate_per_s * 60
        return Left(int(per_minute), int(per_minute * full), (self.size - self.level) / self.rate_per_s)


class Account:
    """The two buckets of one account. Full at the start."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._requests = _bucket(limits.requests_per_minute, limits.burst_s, now)
        self._tokens = _bucket(limits.tokens_per_minute, limits.burst_s, now)

    def admit(self, tokens: int, *, now: float) -> float:
        """0 where the request is admitted (and charged), else the seconds until it could be.

        A refused request takes nothing from either bucket.
        """
        self._requests.refill(now)
        self._tokens.refill(now)
        wait_s = max(self._requests.wait_s(1), self._tokens.wait_s(tokens))
        if wait_s > 0:
            return wait_s
        self._requests.level -= 1
        self._tokens.level -= tokens
        return 0.0

    def change(self, limits: Limits, *, now: float) -> None:
        """Other limits from now on. What was left stays, as far as it fits in."""
        self._requests.change(limits.requests_per_minute, limits.burst_s, now)
        self._tokens.change(limits.tokens_per_minute, limits.burst_s, now)

    def left(self) -> tuple[Left | None, Left | None]:
        """Of requests and of tokens, as of the last `admit`; None where there is no limit."""
        return self._requests.left(), self._tokens.left()


def _size(per_minute: float, burst_s: float) -> float:
    return max(1.0, per_minute / 60 * burst_s)


def _bucket(per_minute: float, burst_s: float, now: float) -> _Bucket:
    size = _size(per_minute, burst_s)
    return _Bucket(rate_per_s=per_minute / 60, size=size, level=size, at=now)
