"""What became of holds, sent in small batches and kept while the engine is away: it must not hold for nothing."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from .wire import Finished

__all__ = ["Finishing"]

_log = logging.getLogger("switchgear")
# What ends together is told together: agents see the effect of a settlement well within a quarter of a second.
_GATHER_S = 0.05
_BATCH = 500
# Older ones are kept: their holds have been waiting longest. Beyond that the booked spans replace the holds.
_MOST_KEPT = 20_000
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 10.0


class Finishing:
    """A bounded line of what is to be told, filled from any thread and emptied by one loop."""

    def __init__(self, send: Callable[[Sequence[Finished]], Awaitable[None]]) -> None:
        self._send = send
        self._waiting: deque[Finished] = deque()
        self._lock = threading.Lock()
        self._some = asyncio.Event()
        self._told = asyncio.Event()
        self._told.set()
        self._asleep = True
        self._sending = 0
        self.dropped = 0

    def add(self, finished: Finished, loop: asyncio.AbstractEventLoop) -> None:
        """Tell of it soon; from any thread."""
        with self._lock:
            if len(self._waiting) >= _MOST_KEPT:
                self.dropped += 1
                return
            self._waiting.append(finished)
            wakes, self._asleep = self._asleep, False
        if wakes:
            # Only the first of a batch: waking the loop costs more than all the rest of this.
            loop.call_soon_threadsafe(self._wake)

    async def run(self) -> None:
        """Send what comes, for ever."""
        pause = _FIRST_PAUSE_S
        while True:
            await self._some.wait()
            await asyncio.sleep(_GATHER_S)
            batch = self._take()
            if not batch:
                continue
            try:
                await self._send(batch)
                pause = _FIRST_PAUSE_S
            except Exception as error:  # noqa: BLE001 - no fault of the engine's or the line's reaches an agent
                self._waiting.extendleft(reversed(batch))
                _log.warning("the policy engine is not told what %d calls took, yet: %r", len(batch), error)
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
                pause = min(pause * 2, _LONGEST_PAUSE_S)
            self._sending = 0

    async def drained(self) -> None:
        """Wait until all of it was told."""
        while self._waiting or self._sending:
            self._told.clear()
            await self._told.wait()

    def _wake(self) -> None:
        self._some.set()
        self._told.clear()

    def _take(self) -> list[Finished]:
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            self._sending = len(batch)
            if not batch:
                self._asleep = True
                self._some.clear()
                self._told.set()
        return batch
