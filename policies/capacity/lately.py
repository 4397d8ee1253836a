"""Lately: a sum over the last minute, second by second."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

__all__ = ["Lately"]

_SPAN_S = 60.0
_RECENT_S = 10.0


@dataclass(slots=True)
class Lately:
    """What was added in the last 60 s, to the second. `now` is in epoch seconds and may stand still."""

    _total: int = 0
    _seconds: deque[list[int]] = field(default_factory=deque)

    def add(self, amount: int, now: float) -> None:
        """Count `amount` (negative: a correction) at `now`."""
        second = int(now)
        if self._seconds and self._seconds[-1][0] >= second:
            self._seconds[-1][1] += amount
        else:
            self._seconds.append([second, amount])
        self._total += amount

    def sum(self, now: float) -> int:
        """What the last minute saw; a correction may come after what it corrects has left, so never below 0."""
        while self._seconds and self._seconds[0][0] <= now - _SPAN_S:
            self._total -= self._seconds.popleft()[1]
        return max(0, self._total)

    def rate(self, now: float, since: float | None = None) -> float:
        """Per minute, of the last ten seconds or of the whole minute, whichever is more.

        With `since` within the minute it is of the last ten seconds, as far as they are not before that.
        """
        total = self.sum(now)
        within = since is not None and 1.0 <= now - since < _SPAN_S
        span_s = min(_RECENT_S, now - since) if within and since is not None else _RECENT_S
        recent = sum(amount for second, amount in self._seconds if second > now - span_s) * 60.0 / span_s
        return max(0.0, recent if within else max(recent, float(total)))
