"""The scheduler by itself, for threads and event loops."""

from __future__ import annotations

import time
from collections.abc import Hashable
from typing import assert_type

import switchgear as sg
from switchgear.scheduler import FREE, Slot, Use

scheduler = sg.Scheduler(
    concurrency=20,
    tokens_per_minute=100_000,
    requests_per_minute=600.0,
    max_waiting=100,
    ageing_s=5.0,
    clock=time.monotonic,
)


def limits() -> None:
    scheduler.limit(("openai", "gpt-4o"), concurrency=5, tokens_per_minute=1e6)
    scheduler.share("openai", "acme", "batch", 2_000.0)
    scheduler.share("openai", "acme", sg.Tier.BATCH, None)
    assert_type(scheduler.use("openai"), Use)
    assert_type(scheduler.use().waiting, int)


def in_a_thread() -> None:
    with scheduler.slot(tenant="acme", tier="interactive", tokens=1_200, weight=2.0) as slot:
        assert_type(slot, Slot)
        assert_type(slot.waited_s, float)
        slot.settle(900)
    held = scheduler.acquire(tenant="acme", tier=sg.Tier.BATCH, deadline=time.monotonic() + 5)
    assert_type(held, Slot)
    assert_type(FREE, Slot)
    held.release()


async def in_an_event_loop() -> None:
    async with scheduler.slot(tenant="acme", tier="background", lane=("openai", "gpt-4o")) as slot:
        assert_type(slot, Slot)
    held = await scheduler.acquire_async(tenant="acme", tier="batch")
    assert_type(held, Slot)


def not_let_through() -> None:
    try:
        in_a_thread()
    except sg.QueueFull as full:
        assert_type((full.lane, full.tier, full.waiting), tuple[Hashable, sg.Tier, int])
    except sg.QueueTimeout as late:
        assert_type(late.waited_s, float)
        same: TimeoutError = late
        raise same from None
