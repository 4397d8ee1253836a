"""Whether the engine is to be asked at all: one that does not answer costs each caller a time-out to find out."""

from __future__ import annotations

from dataclasses import dataclass

from ..jitter import JITTER

__all__ = ["Away"]

_LONGEST_S = 30.0


@dataclass(slots=True)
class Away:
    """Seconds of a monotonic clock. Doubles with each failure in a row, with jitter, and ends with the first answer."""

    heard_at: float | None = None
    silent: bool = False
    """Whether it takes requests and does not answer in time. Until it does no agent's call waits for it again: only
    what is asked in the background finds out."""
    _until: float = 0.0
    _for_s: float = 0.0

    def skips(self, now: float) -> bool:
        """Whether it has just failed, and is left alone for a while."""
        return self.silent or now < self._until

    def failed(self, least_s: float, now: float, *, silent: bool = False) -> None:
        """It did not answer; several callers that find out at once count as one."""
        self.silent = self.silent or silent
        if not self.skips(now):
            self._for_s = min(max(least_s, self._for_s * 2), _LONGEST_S)
            self._until = now + self._for_s * JITTER.uniform(0.5, 1.5)

    def heard(self, now: float) -> None:
        """It answered."""
        self.heard_at, self.silent, self._for_s, self._until = now, False, 0.0, 0.0

    def stale_s(self, now: float) -> float | None:
        """How long it was not heard; None before it was heard at all."""
        return None if self.heard_at is None else now - self.heard_at
