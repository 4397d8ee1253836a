"""Waiting for the feed: who waits for a place sleeps until the store has reached it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from stores import book

from collector.call import Call
from collector.facts.feed import Feed
from collector.facts.store import Store
from collector.pricing import Quote

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def no_price(*_: object) -> Quote:
    return Quote(None, None, "no book")


def test_who_waits_for_a_later_fact_is_not_woken_by_an_earlier_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    feed = Feed(store)

    async def waits() -> None:
        waiting = asyncio.create_task(feed.wait(1, 60))
        for number in (1, 2):
            await asyncio.sleep(0)
            assert not waiting.done()
            book(store, [Call("acme", f"{number:032x}", f"{1:016x}", None, NOW, NOW)], no_price, NOW)
            feed.wake()
            await asyncio.sleep(0)
        await asyncio.wait_for(waiting, 5)

    asyncio.run(waits())
    store.close()


def test_who_waits_is_let_go_when_the_feed_closes(tmp_path: Path) -> None:
    store = Store(tmp_path)
    feed = Feed(store)

    async def waits() -> None:
        waiting = asyncio.create_task(feed.wait(0, 60))
        await asyncio.sleep(0)
        feed.close()
        await asyncio.wait_for(waiting, 5)

    asyncio.run(waits())
    store.close()
