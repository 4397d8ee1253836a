"""Complaints: what goes wrong again and again, said at most once a minute."""

from __future__ import annotations

import logging
import time

__all__ = ["Complaints"]

_log = logging.getLogger("switchgear")
_SAID_AGAIN_AFTER_S = 60.0


class Complaints:
    """Warnings by topic; what is said too soon after the last one of its topic is left out."""

    def __init__(self) -> None:
        self._said_at: dict[str, float] = {}

    def say(self, topic: str, message: str, *arguments: object) -> None:
        """Warn, unless that was done in the last minute."""
        now = time.monotonic()
        if now - self._said_at.get(topic, -_SAID_AGAIN_AFTER_S) >= _SAID_AGAIN_AFTER_S:
            self._said_at[topic] = now
            _log.warning(message, *arguments)
