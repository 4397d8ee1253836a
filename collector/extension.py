"""Extension: routes that a part above the collector adds to its API, such as the ledger's; passed in by the wiring.

Such routes read and write the store only through `Facts`, and are served only with their lines in `rules`, as the
collector's own are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import duckdb
from fastapi import APIRouter

from .facts.store import Store
from .keys.key import Key
from .keys.rules import Needs
from .queries.reader import QUERY_WITHIN_S, Reader

__all__ = ["Extension", "Facts"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Facts:
    """What added routes work with."""

    data: Path
    """The collector's folder."""
    now: Callable[[], datetime]
    store: Store
    reader: Reader
    caught_up: Callable[[], Awaitable[None]]
    """Wait until what was acknowledged by now is booked, or a second has passed."""
    behind: Callable[[], int]
    """How many facts are acknowledged and not booked yet."""

    async def read(
        self, work: Callable[[duckdb.DuckDBPyConnection], T], key: Key, *, within_s: float = QUERY_WITHIN_S
    ) -> T:
        """What `work` returns on a cursor whose views hold what `key` may read: EVERYTHING for all of it.

        Raises BusyError when too many wait, and DuckDB's error where the time is over.
        """
        return await self.reader.run(work, key, within_s=within_s)

    async def write(self, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """What `work` returns inside one transaction of the writer; booking waits meanwhile, so it must be short."""
        return await asyncio.to_thread(self._whole, work)

    def _whole(self, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        with self.store.transaction() as con:
            return work(con)


@dataclass(frozen=True, slots=True)
class Extension:
    """Routes, and which scopes each needs."""

    rules: Mapping[str, Needs]
    """As the guard's: "METHOD /path" with `{name}` for a segment."""
    router: Callable[[Facts], APIRouter]
    idempotent: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    """(method, path) of writes that take an idempotency key."""
