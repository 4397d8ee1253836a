"""Keeps an engine's journal: read at a start, written before anyone is answered, made durable, folded when long."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from .engine import Engine
from .journal import Journal
from .records import Learned
from .restoring import mattering, restore

__all__ = ["Keeper"]

_log = logging.getLogger(__name__)
_SYNC_S = 0.1
_AFTER_FAILURE_S = 1.0
# While a disk is full many records wait: not all of them are encoded for every try.
_BATCH = 1000


class Keeper:
    """Between one engine and its journal. What cannot be written waits in the engine's `records` for a later try."""

    def __init__(self, engine: Engine, journal: Journal, clock: Callable[[], float]) -> None:
        """Restores the engine. Raises JournalError where the journal does not read."""
        self._engine, self._journal, self._clock = engine, journal, clock
        self.feed_position = restore(engine, journal.read(), clock())
        """From which place of the collector's feed on calls have to be read again."""
        self.error: str | None = None
        self._again_at = 0.0

    def write(self) -> None:
        """Hand over what the engine did to the operating system: a killed process loses none of it."""
        if self.error is None or self._clock() >= self._again_at:
            self._write_all()

    def _write_all(self) -> None:
        records = self._engine.records
        try:
            while records:
                self._journal.write(records[:_BATCH])
                del records[:_BATCH]
        except OSError as error:
            # A full disk must not open the gate: the engine goes on, and what waits is written by a later tick.
            if self.error is None:
                _log.error("grants cannot be written down: %s", error)
            self.error, self._again_at = str(error), self._clock() + _AFTER_FAILURE_S
        else:
            self.error = None

    async def run(self) -> None:
        """Make durable what was written, and the journal short, for ever."""
        while True:
            await asyncio.sleep(_SYNC_S)
            try:
                await asyncio.to_thread(self._journal.sync)
                if self._journal.turn():
                    learned = self._learned()
                    await asyncio.to_thread(
                        self._journal.fold, mattering(self._engine, self._clock()), [learned]
                    )
            except Exception:  # noqa: BLE001 - without this loop nothing becomes durable
                _log.exception("the journal of grants cannot be kept")
                await asyncio.sleep(_AFTER_FAILURE_S)

    def _learned(self) -> Learned:
        """Sizes of calls and histories of tasks: what they were learned from is folded away."""
        engine = self._engine
        state = {"sizes": engine.costs.seen.state(), "tasks": engine.accounts.trees.state()}
        return Learned(self._clock(), state)

    def close(self) -> None:
        """Write down and make durable what there is."""
        self._write_all()
        self._journal.close()
