"""The policy file, as the cache service follows it: on which terms answers are served, and who shares them."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from ..files import PolicyFileError, load
from ..model import PolicySet

__all__ = ["Followed"]

_log = logging.getLogger(__name__)
_LOOK_EVERY_S = 1.0


class Followed:
    """What the file says now; after a change that cannot be used, what it said last.

    Raises PolicyFileError where it cannot be used at first.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._look()
        self.policies: PolicySet = load(path)
        self.refused = False
        """Whether the last change cannot be used."""

    async def follow(self) -> None:
        """Take changes over, for ever."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            await asyncio.to_thread(self.refresh)

    def refresh(self) -> None:
        """Look at the file now."""
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self.policies, self.refused = load(self._path), False
        except PolicyFileError as problem:
            self.refused = True
            _log.error("the policies are those that were read last: %s", str(problem).splitlines()[0])

    def _look(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size
