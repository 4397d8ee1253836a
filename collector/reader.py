"""Reader: runs what reads the store in threads of its own, a few at a time, each with a time limit."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

import duckdb

from .errors import BusyError
from .store import Store

__all__ = ["QUERY_WITHIN_S", "Reader"]

QUERY_WITHIN_S = 5.0
MAX_WAITING = 64
T = TypeVar("T")


class Reader:
    """Gives each piece of work a cursor and interrupts it when its time is over."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="collector-read")
        self._waiting = 0

    async def run(
        self, work: Callable[[duckdb.DuckDBPyConnection], T], *, within_s: float = QUERY_WITHIN_S
    ) -> T:
        """What `work` returns. Raises BusyError when too many wait; an interrupted query raises DuckDB's error."""
        if self._waiting >= MAX_WAITING:
            raise BusyError(f"{self._waiting} queries wait; ask again later")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, self._limited, work, within_s
            )
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _limited(self, work: Callable[[duckdb.DuckDBPyConnection], T], within_s: float) -> T:
        cursor = self._store.cursor()
        timer = threading.Timer(within_s, _interrupt, (cursor,))
        timer.start()
        try:
            return work(cursor)
        finally:
            timer.cancel()
            cursor.close()


def _interrupt(cursor: duckdb.DuckDBPyConnection) -> None:
    # The work may have ended, and the cursor with it, while the timer went off.
    with suppress(duckdb.Error):
        cursor.interrupt()
