"""The fake provider's limits: requests and tokens per minute of one account, as token buckets.

Real providers spread a minute's limit over the minute and allow a burst of some seconds' worth of it; so
does this. Pure: time comes in as `now`, in seconds of any monotonic clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

__all__ = ["Account", "Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Per account and provider. `burst_s` seconds' worth of either limit may come at once."""

    requests_per_minute: float = math.inf
    tokens_per_minute: float = math.inf
    burst_s: float = 5.0


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

    def wait_s(self, amount: float) -> float:
        """Seconds until `amount` is there; a request larger than the bucket needs it full, no more."""
        missing = min(amount, self.size) - self.level
        return 0.0 if missing <= 0 else missing / self.rate_per_s


@dataclass(slots=True)
class Account:
    """The two buckets of one account. Full at the start."""

    limits: Limits
    _requests: _Bucket | None = field(default=None, init=False)
    _tokens: _Bucket | None = field(default=None, init=False)

    def admit(self, tokens: int, *, now: float) -> float:
        """0 where the request is admitted (and charged), else the seconds until it could be.

        A refused request takes nothing from either bucket.
        """
        if self._requests is None or self._tokens is None:
            self._requests = _bucket(self.limits.requests_per_minute, self.limits.burst_s, now)
            self._tokens = _bucket(self.limits.tokens_per_minute, self.limits.burst_s, now)
        self._requests.refill(now)
        self._tokens.refill(now)
        wait_s = max(self._requests.wait_s(1), self._tokens.wait_s(tokens))
        if wait_s > 0:
            return wait_s
        self._requests.level -= 1
        self._tokens.level -= tokens
        return 0.0


def _bucket(per_minute: float, burst_s: float, now: float) -> _Bucket:
    size = max(1.0, per_minute / 60 * burst_s)
    return _Bucket(rate_per_s=per_minute / 60, size=size, level=size, at=now)
