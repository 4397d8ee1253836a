"""A provider's shared limits: requests and tokens per minute, as two buckets that refill steadily.

A bucket holds a second's worth, so that what is let through never bunches into a burst that the provider, which
enforces its minutes in short slices, would answer with 429.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from .model import Capacity

__all__ = ["Lane"]

# Grants reach the provider a little later and less evenly than they are given out.
_HEADROOM = 0.95
_BURST_S = 1.0


@dataclass(slots=True)
class Lane:
    """One provider's capacity. `now` is seconds since the epoch."""

    capacity: Capacity
    paused_until: float = 0.0
    _requests: float = field(init=False)
    _tokens: float = field(init=False)
    _at: float | None = None
    _taken: deque[tuple[float, int]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._requests = self._burst(self.capacity.requests_per_minute)
        self._tokens = self._burst(self.capacity.tokens_per_minute)

    def admits(self, now: float) -> bool:
        """Whether a call may go out now. A call larger than the bucket goes when the bucket is full."""
        self._refill(now)
        return now >= self.paused_until and self._requests >= 1.0 and self._tokens > 0.0

    def take(self, tokens: int, now: float) -> None:
        """Draw one request of about `tokens`; the token bucket may go below zero and is then waited for."""
        self._refill(now)
        self._requests -= 1.0
        self._tokens -= tokens
        self._taken.append((now, tokens))
        self._drop_old(now)

    def correct(self, tokens: int) -> None:
        """Give back what a call took too much (negative: take what it took too little)."""
        self._tokens += tokens

    def throttled(self, now: float, retry_after_s: float) -> None:
        """The provider answered 429: nothing goes out before it says so."""
        self.paused_until = max(self.paused_until, now + min(retry_after_s, 60.0))

    def used(self, now: float) -> tuple[int, int]:
        """Requests and (expected) tokens let through in the last minute."""
        self._drop_old(now)
        return len(self._taken), sum(tokens for _, tokens in self._taken)

    def next_at(self, now: float) -> float:
        """When a call may go out at the earliest."""
        wait = 0.0
        if self.capacity.requests_per_minute is not None and self._requests < 1.0:
            wait = (1.0 - self._requests) / self._rate(self.capacity.requests_per_minute)
        if self.capacity.tokens_per_minute is not None and self._tokens <= 0.0:
            wait = max(wait, -self._tokens / self._rate(self.capacity.tokens_per_minute))
        return max(now + wait, self.paused_until)

    def _refill(self, now: float) -> None:
        elapsed = 0.0 if self._at is None else max(0.0, now - self._at)
        self._at = now
        for name, per_minute in (
            ("_requests", self.capacity.requests_per_minute),
            ("_tokens", self.capacity.tokens_per_minute),
        ):
            if per_minute is not None:
                level = getattr(self, name) + elapsed * self._rate(per_minute)
                setattr(self, name, min(level, self._burst(per_minute)))

    def _drop_old(self, now: float) -> None:
        while self._taken and self._taken[0][0] <= now - 60.0:
            self._taken.popleft()

    @staticmethod
    def _rate(per_minute: int) -> float:
        return per_minute / 60.0 * _HEADROOM

    @classmethod
    def _burst(cls, per_minute: int | None) -> float:
        return float("inf") if per_minute is None else max(1.0, cls._rate(per_minute) * _BURST_S)
