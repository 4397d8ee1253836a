"""A few threads do the work, few wait for them, and one tenant's many leave room for another's few."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from policies.caching.workers import BusyError, Workers


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What work waits for; opened at the end in any case."""
    event = threading.Event()
    yield event
    event.set()


async def until_under_way(workers: Workers, count: int) -> None:
    async with asyncio.timeout(5):
        while workers.under_way != count:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_work_comes_to_what_it_comes_to() -> None:
    workers = Workers(threads=1)
    assert await workers.run("acme", lambda: 42) == 42
    with pytest.raises(ZeroDivisionError):
        await workers.run("acme", lambda: 1 // 0)
    await until_under_way(workers, 0)
    workers.close()


async def test_one_tenants_many_are_refused_while_anothers_few_still_wait(gate: threading.Event) -> None:
    """Of 4 places one tenant has 2."""
    workers = Workers(threads=1, waiting=4)
    waiting = [asyncio.create_task(workers.run("acme", gate.wait)) for _ in range(2)]
    await until_under_way(workers, 2)
    with pytest.raises(BusyError):
        await workers.run("acme", gate.wait)
    assert not workers.full
    waiting += [asyncio.create_task(workers.run("globex", gate.wait)) for _ in range(2)]
    await until_under_way(workers, 4)
    assert workers.full
    with pytest.raises(BusyError):
        await workers.run("initech", gate.wait)
    gate.set()
    assert await asyncio.gather(*waiting) == [True] * 4
    assert workers.refused == 2
    assert await workers.run("acme", lambda: "room again") == "room again"
    workers.close()


async def test_what_waited_too_long_for_a_thread_is_not_begun() -> None:
    workers = Workers(threads=1)
    with pytest.raises(BusyError):
        await workers.run("acme", lambda: 42, start_within_s=-1.0)
    assert workers.refused == 1
    workers.close()


async def test_work_that_nobody_waits_for_any_more_counts_until_it_is_done(gate: threading.Event) -> None:
    workers = Workers(threads=1, waiting=2)
    gone = asyncio.create_task(workers.run("acme", gate.wait))
    await until_under_way(workers, 1)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    gate.set()
    await until_under_way(workers, 0)
    workers.close()
