"""Guarded calls take turns in their process: no more at once than it allows, urgent ones first, none held for ever."""

from __future__ import annotations

import asyncio
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from guarding import policy_of, running_engine
from opentelemetry.sdk.trace import TracerProvider
from provider_clients import OPENAI, async_openai_client
from waiting import until_in_loop

import switchgear as sg
from switchgear import testing

Engines = Callable[..., Any]
Configure = Callable[..., TracerProvider]


class Model:
    """A model of one's own that counts how many calls it serves at once; it answers once it is let."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.now = self.most = 0
        self.order: list[str] = []

    async def answer(self, name: str) -> dict[str, Any]:
        self.order.append(name)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.let.wait()
            # Others could come meanwhile, were they let through.
            await asyncio.sleep(0.01)
        finally:
            self.now -= 1
        return {"id": name, "model": "gpt-4o", "usage": {"prompt_tokens": 10, "completion_tokens": 5}}

    async def call(self, name: str, tier: str) -> None:
        with sg.task("writer", tenant="acme", tier=tier):
            await sg.guard.call_async(lambda: self.answer(name), provider="openai", model="gpt-4o")

    def begin(self, *names: str, tier: str) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self.call(name, tier)) for name in names]


async def until_wait(count: int) -> None:
    guard = sg.guard.current()
    assert guard is not None
    await until_in_loop(lambda: guard.scheduler.use().waiting == count, f"{count} calls wait for their turn")


async def test_no_more_calls_are_on_their_way_than_the_process_allows(
    engine_of: Engines, configured: Configure
) -> None:
    configured(engine_of().url, concurrency=3)
    model = Model()
    calls = model.begin(*map(str, range(12)), tier="interactive")
    await until_wait(9)
    model.let.set()
    await asyncio.gather(*calls)
    assert (len(model.order), model.most) == (12, 3)


async def test_an_urgent_call_goes_before_those_that_waited(
    engine_of: Engines, configured: Configure
) -> None:
    configured(engine_of().url, concurrency=1)
    model = Model()
    flood = model.begin(*(f"background {n}" for n in range(5)), tier="background")
    await until_wait(4)
    urgent = model.begin("interactive", tier="interactive")
    await until_wait(5)
    model.let.set()
    await asyncio.gather(*flood, *urgent)
    assert model.order[1] == "interactive"


async def test_a_call_whose_turn_does_not_come_in_time_is_refused(
    engine_of: Engines, configured: Configure
) -> None:
    configured(engine_of().url, concurrency=1, patience_batch_s=0.1)
    model = Model()
    (first,) = model.begin("first", tier="batch")
    await until_in_loop(lambda: model.now == 1, "the first is on its way")
    with pytest.raises(sg.BudgetExceeded, match="waited"):
        await model.call("second", "batch")
    model.let.set()
    await first
    assert model.order == ["first"]


async def test_cancelled_and_failed_calls_leave_their_place_to_others(
    engine_of: Engines, configured: Configure
) -> None:
    configured(engine_of().url, concurrency=1)
    model = Model()

    async def failing() -> dict[str, Any]:
        raise ValueError("no such prompt")

    for _ in range(3):
        with sg.task("writer", tenant="acme"), pytest.raises(ValueError, match="no such prompt"):
            await sg.guard.call_async(failing, provider="openai", model="gpt-4o")
    (cancelled,) = model.begin("cancelled", tier="batch")
    await until_in_loop(lambda: model.now == 1, "it is on its way")
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    model.let.set()
    await asyncio.wait_for(model.call("last", "batch"), 5.0)


async def test_a_provider_s_client_takes_turns_too(
    provider: testing.Provider, engine_of: Engines, configured: Configure
) -> None:
    configured(engine_of().url, concurrency=2)
    began = time.monotonic()
    async with async_openai_client(provider) as client:
        guarded = sg.wrap(client)
        with sg.task("writer", tenant="acme"):
            await asyncio.gather(*(guarded.chat.completions.create(**OPENAI) for _ in range(10)))
    assert len(provider.log().served) == 10
    assert time.monotonic() - began < 10


def test_a_child_process_draws_no_hold_of_its_parent_s(engine_of: Engines, configured: Configure) -> None:
    engine = engine_of()
    configured(engine.url)
    body = {"id": "r", "model": "gpt-4o", "usage": {"prompt_tokens": 10, "completion_tokens": 5}}

    def call() -> None:
        sg.guard.call(lambda: body, provider="openai", model="gpt-4o")

    with sg.task("writer", tenant="acme"):
        call()
        guard = sg.guard.current()
        assert guard is not None
        at_hand = sum(pool.left for pool in guard.holds._pools.values())
        assert at_hand > 0
        with warnings.catch_warnings():
            # That a process with threads is forked is the point.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            os._exit(0 if not guard.holds._pools else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert sum(pool.left for pool in guard.holds._pools.values()) == at_hand


async def test_a_call_that_waits_for_its_own_ceiling_keeps_no_place_from_others(
    tmp_path: Path, configured: Configure
) -> None:
    # For one call of some 50 tokens at a time: gpt-4o's output is 10 USD a million.
    small = "  - {name: small, scope: {tenant: small}, limit: 0.0012 USD, window: 1h}\n"
    policy = policy_of("100", "[]").replace("tenants:\n", "tenants:\n  small: {}\n") + small
    with running_engine(tmp_path / "engine", policy) as engine:
        configured(engine.url, concurrency=2)
        model, quick = Model(), Model()
        quick.let.set()

        async def of_small(name: str) -> None:
            with sg.task("w", tenant="small", tier="interactive"):
                await sg.guard.call_async(
                    lambda: model.answer(name), provider="openai", model="gpt-4o", max_output_tokens=60
                )

        both = [asyncio.create_task(of_small(name)) for name in ("first", "second")]
        await until_in_loop(
            lambda: model.order and engine.runtime.engine.queue.pending, "one waits for the ceiling"
        )
        assert model.order in (["first"], ["second"])
        # A place that the other kept would not be free before the first is through.
        await asyncio.wait_for(quick.call("another tenant's", "interactive"), 20.0)
        model.let.set()
        await asyncio.gather(*both)
        assert len(model.order) == 2
