"""What became of holds, sent in small batches and kept while the engine is away: it must not hold for nothing."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from ..jitter import JITTER
from .wire import Finished

__all__ = ["EngineFaultError", "Finishing"]

_log = logging.getLogger("switchgear")
# What ends together is told together: agents see the effect of a settlement well within a quarter of a second.
_GATHER_S = 0.05
_BATCH = 500
# Older ones are kept: their holds have been waiting longest. Beyond that the booked spans replace the holds.
_MOST_KEPT = 20_000
_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 10.0
# So often a batch is sent whole though the engine has a fault with it, and what then is found to be the one that it has
# the fault with.
_WHOLE = 2
_ALONE = 3


class EngineFaultError(Exception):
    """The engine took a batch and failed over what is in it, as far as one can tell."""


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
        self._most = _BATCH
        self._faults = 0
        """Those in a row, with batches of this length."""
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
            most = self._most
            try:
                await self._send(batch)
                pause, self._faults = _FIRST_PAUSE_S, 0
                self._most = min(2 * self._most, _BATCH)
            except Exception as error:  # noqa: BLE001 - no fault of the engine's or the line's reaches an agent
                if isinstance(error, EngineFaultError) and self._is_to_blame(batch):
                    self.dropped += 1
                    _log.warning(
                        "the policy engine is not told what a call took: it has a fault with it: %s", error
                    )
                else:
                    self._waiting.extendleft(reversed(batch))
                    _log.warning(
                        "the policy engine is not told what %d calls took, yet: %r", len(batch), error
                    )
                await asyncio.sleep(pause * JITTER.uniform(0.5, 1.5))
                if self._most == most:
                    # Not where the batch has just been parted.
                    pause = min(pause * 2, _LONGEST_PAUSE_S)
            self._sending = 0

    def _is_to_blame(self, batch: Sequence[Finished]) -> bool:
        """Whether this is the one that the engine has a fault with; else the next batch is a half of this one.

        Where it has a fault with all of them the pauses get long, as nothing is taken between: few are lost then.
        """
        self._faults += 1
        if len(batch) == 1:
            if self._faults < _ALONE:
                return False
            self._faults = 0
            return True
        if self._faults >= _WHOLE or self._most < _BATCH:
            self._most, self._faults = len(batch) // 2, 0
        return False

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
            batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            self._sending = len(batch)
            if not batch:
                self._asleep = True
                self._some.clear()
                self._told.set()
        return batch
