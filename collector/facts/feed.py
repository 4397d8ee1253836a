"""Feed: what was newly booked, in order, for those who wait for it. They wake at the commit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import duckdb

from switchgear.usage import COUNTS

from ..wire import decimal_text, rfc3339
from .statements import statement
from .store import Store

__all__ = ["Feed", "page"]


class Feed:
    """Wakes everyone who waits for more than they have seen. Belongs to one event loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: set[asyncio.Future[None]] = set()
        self._closed = False

    def bind(self) -> None:
        """Belong to the running loop."""
        self._loop = asyncio.get_running_loop()

    def announce(self) -> None:
        """Something was booked. Called from the writer's thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.wake)

    def wake(self) -> None:
        """Let everyone who waits look again."""
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def close(self) -> None:
        """Let nobody wait any longer."""
        self._closed = True
        self.wake()

    async def wait(self, after: int, seconds: float) -> None:
        """Return when more than `after` is on disk, or after `seconds`."""
        if seconds <= 0:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                # Whatever is booked wakes everyone, also who waits for something later.
                while self._store.last_seq <= after and not self._closed:
                    await self._woken()

    async def _woken(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)


def page(con: duckdb.DuckDBPyConnection, after: int, limit: int) -> list[dict[str, Any]]:
    """What was booked after `after`, oldest first: up to `limit` entries, or some more that share the last number."""
    # What is changed between the two statements has a later number by then, and comes with it.
    ((last,),) = con.execute(statement("feed_end"), {"after": after, "limit": limit}).fetchall()
    rows = con.execute(statement("feed"), {"after": after, "last": last})
    names = [column[0] for column in rows.description or ()]
    return [_entry(dict(zip(names, row, strict=True))) for row in rows.fetchall()]


def _entry(row: Mapping[str, Any]) -> dict[str, Any]:
    known = row["input_uncached"] is not None
    cost = row["cost"]
    return {
        "seq": row["seq"],
        "key": f"{row['tenant']}/{row['trace_id']}:{row['span_id']}",
        "tenant": row["tenant"],
        "workload": row["workload"],
        "task_id": row["task_id"],
        "parent_task_id": row["parent_task_id"],
        "root_task_id": row["root_task_id"],
        "tier": row["tier"],
        "provider": row["provider"],
        "model": row["model"],
        "started_at": rfc3339(row["started_at"]),
        "ended_at": None if row["ended_at"] is None else rfc3339(row["ended_at"]),
        "state": row["state"],
        "cost": None if cost is None else decimal_text(cost),
        "currency": row["currency"],
        "usage": {name: row[name] for name in COUNTS} if known else None,
        "attempts": row["attempts"],
        "lease_id": row["lease_id"],
        "merged_into": row["merged_into"],
    }
