"""Pacing: how long a collector that took nothing is left alone. Pure, but for chance."""

from __future__ import annotations

from dataclasses import dataclass

from ..jitter import JITTER

__all__ = ["Pacing"]

_FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0


@dataclass(slots=True)
class Pacing:
    """Pauses that double from half a second to 30, and are drawn apart, so that agents do not come back all at once."""

    until: float = 0.0
    """When it may be asked again, by the monotonic clock."""
    _pause_s: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether it took nothing when it was asked last."""
        return self._pause_s > 0

    def taken(self) -> None:
        """It is there."""
        self._pause_s = self.until = 0.0

    def missed(self, now: float, asked_s: float = 0.0) -> None:
        """It took nothing; `asked_s` is how long it asked to be left alone."""
        self._pause_s = min(max(_FIRST_PAUSE_S, self._pause_s * 2), LONGEST_PAUSE_S)
        pause_s = self._pause_s * JITTER.uniform(0.5, 1.0)
        self.until = now + max(pause_s, asked_s * JITTER.uniform(1.0, 1.1))
