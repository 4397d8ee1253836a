"""Reader: runs what reads the store in threads of its own, a few at a time, each with a time limit.

Every piece of work reads for a key: its cursor has the documented views with the rows that this key may read.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from typing import TypeVar

import duckdb
import pyarrow as pa

from ..errors import BusyError
from ..facts.statements import MADE_OF_VIEWS, statement
from ..facts.store import Store
from ..keys.key import Key
from .visible import VIEWS, condition

__all__ = ["QUERY_WITHIN_S", "Reader"]

QUERY_WITHIN_S = 5.0
MAX_WAITING = 64
_AGAIN_S = 0.02
T = TypeVar("T")


class Reader:
    """Gives each piece of work a cursor and interrupts it when its time is over."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="collector-read")
        self._waiting = 0
        self._gate = threading.Condition()
        self._open = 0
        self._is_paused = False
        with self.cursor() as cursor:
            ((database,),) = cursor.execute("SELECT current_database()").fetchall()
            self._main = f'"{database}".main'
            """The schema of the store in full: the name `main` alone would find what is temporary."""
            self.schemas: Mapping[str, pa.Schema] = _schemas(cursor)
            """The documented views with the columns that queries see."""

    async def run(
        self, work: Callable[[duckdb.DuckDBPyConnection], T], key: Key, *, within_s: float = QUERY_WITHIN_S
    ) -> T:
        """What `work` returns. Raises BusyError when too many wait; an interrupted query raises DuckDB's error."""
        if self._waiting >= MAX_WAITING:
            raise BusyError(f"{self._waiting} queries wait; ask again later")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, self._limited, work, key, within_s
            )
        finally:
            self._waiting -= 1

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor on everything, for one thread. What a key reads with it must come `of` that key."""
        with self._gate:
            self._gate.wait_for(lambda: not self._is_paused)
            self._open += 1
        try:
            with closing(self._store.cursor()) as cursor:
                yield cursor
        finally:
            with self._gate:
                self._open -= 1
                self._gate.notify_all()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """No cursor is open; who wants one waits. What reads now is let finish: none may take long."""
        with self._gate:
            self._is_paused = True
            self._gate.wait_for(lambda: not self._open)
        try:
            yield
        finally:
            with self._gate:
                self._is_paused = False
                self._gate.notify_all()

    def of(self, key: Key, view: str) -> str:
        """SQL for the rows of a documented view that `key` may read, to stand after FROM."""
        whole = f"{self._main}.{view}"
        if not _is_cut(view, key):
            return whole
        if view in MADE_OF_VIEWS:
            parts = ", ".join(f"{part} AS (FROM {self.of(key, part)})" for part in MADE_OF_VIEWS[view])
            return f"(WITH {parts} FROM ({statement(view)}))"
        return f"(FROM {whole} WHERE {condition(view, key, f'{self._main}.registry')})"

    @contextmanager
    def cursor_of(self, key: Key) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor for one thread on which each documented view holds what `key` may read."""
        with self.cursor() as cursor:
            for view in self.schemas:
                if _is_cut(view, key):
                    # A temporary view is this cursor's alone, and comes before what it is named after.
                    cursor.execute(f"CREATE TEMP VIEW {view} AS FROM {self.of(key, view)}")
            yield cursor

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _limited(self, work: Callable[[duckdb.DuckDBPyConnection], T], key: Key, within_s: float) -> T:
        with self.cursor_of(key) as cursor:
            done = threading.Event()
            watch = threading.Thread(target=_interrupt, args=(cursor, within_s, done), daemon=True)
            watch.start()
            try:
                return work(cursor)
            finally:
                done.set()
                watch.join()


def _is_cut(view: str, key: Key) -> bool:
    """Whether `key` may not read all of a view."""
    return any(condition(part, key, "registry") is not None for part in MADE_OF_VIEWS.get(view, (view,)))


def _schemas(cursor: duckdb.DuckDBPyConnection) -> dict[str, pa.Schema]:
    whole = {
        view: cursor.sql(f"FROM {view} LIMIT 0").to_arrow_table().schema for view in (*VIEWS, *MADE_OF_VIEWS)
    }
    return {
        view: pa.schema(
            [field for field in schema if view not in VIEWS or field.name not in VIEWS[view].hidden]
        )
        for view, schema in whole.items()
    }


def _interrupt(cursor: duckdb.DuckDBPyConnection, within_s: float, done: threading.Event) -> None:
    """Interrupt what runs on the cursor when its time is over, until it is done.

    Again and again: DuckDB forgets an interrupt that comes between two statements, while the work computes.
    """
    wait_s = within_s
    while not done.wait(wait_s):
        with suppress(duckdb.Error):
            cursor.interrupt()
        wait_s = _AGAIN_S
