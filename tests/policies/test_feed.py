"""What the engine takes from the collector's feed, and how it tells the collector of its transitions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from otlp_samples import Served

from policies import feed
from policies.engine import Engine
from policies.feed import booked_call
from policies.files import parse
from policies.runtime import Runtime
from policies.transitions import Transition, TransitionLog
from switchgear.tier import Tier
from switchgear.usage import Usage

POLICIES = parse("version: 1\ntenants: {acme: {workloads: {w: {tier: background}}}}\n", name="p.yaml")
STARTED, ENDED = datetime(2026, 11, 24, 2, 0, 0, tzinfo=UTC), datetime(2026, 11, 24, 2, 0, 13, tzinfo=UTC)
COUNTS = {
    "input_uncached": 1,
    "cache_read": 2,
    "cache_write_5m": 3,
    "cache_write_1h": 4,
    "output": 6,
    "reasoning": 5,
}


def entry(**more: Any) -> dict[str, Any]:
    return {
        "seq": 7, "key": "acme/t:s", "tenant": "acme", "workload": "w", "task_id": "t2", "root_task_id": "t1",
        "tier": "interactive", "provider": "openai", "model": "m", "state": "complete", "cost": "0.000000000001",
        "currency": "USD", "usage": COUNTS, "attempts": 1, "lease_id": "g:1", "merged_into": None,
        "started_at": STARTED.isoformat(), "ended_at": ENDED.isoformat(), **more,
    }  # fmt: skip


def test_a_call_counts_from_its_end_since_it_may_have_queued_for_long() -> None:
    assert booked_call(entry(), POLICIES).ended_at == ENDED.timestamp()


def test_a_call_without_an_end_counts_from_its_start() -> None:
    assert booked_call(entry(ended_at=None), POLICIES).ended_at == STARTED.timestamp()


def test_a_call_is_read_exactly() -> None:
    call = booked_call(entry(), POLICIES)
    assert (call.cost, call.usage, call.lease) == (Decimal("1e-12"), Usage(1, 2, 3, 4, 6, 5), "g:1")
    assert (call.who.tenant, call.who.workload, call.who.tier, call.who.task) == (
        "acme",
        "w",
        Tier.INTERACTIVE,
        "t1",
    )


@pytest.mark.parametrize(
    ("more", "tier"),
    [
        ({"tier": None}, Tier.BACKGROUND),
        ({"tier": "urgent"}, Tier.BACKGROUND),
        ({"tier": None, "workload": "x"}, Tier.BATCH),
    ],
    ids=["none", "unknown", "undeclared workload"],
)
def test_a_call_without_a_tier_has_its_workload_s(more: dict[str, Any], tier: Tier) -> None:
    assert booked_call(entry(**more), POLICIES).who.tier is tier


def test_an_unpriced_call_has_no_cost_rather_than_none_of_it() -> None:
    assert booked_call(entry(cost=None, usage=None), POLICIES).cost is None


def moved(policy: str) -> Transition:
    scope = {"tenant": "acme", "task": "t", "owner": "ann", "model": "m", "provider": "openai"}
    amounts = [Decimal(1)] * 4
    return Transition(ENDED.timestamp(), policy, scope, "closed", "open", "engine", "r", *amounts, "tokens")


async def test_transitions_that_the_collector_refuses_are_told_once_and_hold_up_none_after_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(feed, "_AUDIT_BATCH", 1)
    log = TransitionLog(tmp_path / "transitions.jsonl")
    runtime = Runtime(Engine(POLICIES, lambda *_: None), log, tmp_path / "p.yaml")
    log.append(moved("first"), moved("x" * 257), moved("third"))
    answers = asyncio.Queue[int]()

    async def answered(reply: httpx.Response) -> None:
        if reply.request.url.path == "/v1/audit":
            answers.put_nowait(reply.status_code)

    with Served(tmp_path / "collector") as served:
        async with httpx.AsyncClient(base_url=served.url, event_hooks={"response": [answered]}) as client:
            line = asyncio.create_task(feed.CollectorLine(runtime, client).run())
            async with asyncio.timeout(20):
                told = [await answers.get() for _ in range(3)]
                log.append(moved("fourth"))
                told.append(await answers.get())
            line.cancel()
            with suppress(asyncio.CancelledError):
                await line
        kept = served.rows("SELECT policy, scope.owner, currency FROM transitions ORDER BY policy")
    assert told == [200, 422, 200, 200]
    assert kept == [[policy, "ann", "tokens"] for policy in ("first", "fourth", "third")]
    (refusal,) = (each.getMessage() for each in caplog.records if each.levelno == logging.ERROR)
    assert refusal.startswith("the collector keeps none of transitions 2 to 2: ")
    assert "policy: String should have at most 256 characters" in refusal


class Feed:
    """A collector that answers the feed with each of `pages` in turn, and then waits."""

    def __init__(self, *pages: dict[str, Any]) -> None:
        self._pages = list(pages)
        self.told = asyncio.Event()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != "/v1/feed":
            return httpx.Response(200, json={"refused": []})
        if not self._pages:
            self.told.set()
            await asyncio.Event().wait()
        return httpx.Response(200, json=self._pages.pop(0))


@asynccontextmanager
async def following(pages: Feed, folder: Path) -> AsyncIterator[Runtime]:
    engine = Engine(POLICIES, lambda *_: None)
    engine.watch.blind = True
    runtime = Runtime(engine, TransitionLog(folder / "transitions.jsonl"), folder / "p.yaml")
    async with httpx.AsyncClient(transport=httpx.MockTransport(pages), base_url="http://collector") as client:
        line = asyncio.create_task(feed.CollectorLine(runtime, client).run())
        yield runtime
        line.cancel()
        with suppress(asyncio.CancelledError):
            await line


async def test_an_engine_starts_without_a_collector_that_is_silent_but_waits_for_one_that_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "_FEED_LIMIT", 1)
    monkeypatch.setattr(feed, "_START_WITHOUT_S", 0.05)
    silent, telling = Feed(), Feed({"calls": [entry()], "next": 8})
    async with following(silent, tmp_path) as runtime, asyncio.timeout(10):
        await runtime.rebuilt.wait()
    patience = iter([True])
    slept = asyncio.sleep

    async def sleep(seconds: float) -> None:
        # Between two looks the collector has told something.
        if seconds == 0.05 and next(patience, False):
            await telling.told.wait()
            assert not runtime.rebuilt.is_set()
        await slept(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    async with following(telling, tmp_path) as runtime, asyncio.timeout(10):
        await runtime.rebuilt.wait()
        assert next(patience, None) is None
        assert not runtime.engine.watch.blind


async def test_what_cannot_be_read_of_the_feed_is_not_the_end_of_it(tmp_path: Path) -> None:
    pages = Feed({"calls": [entry(cost="much")], "next": 8}, {"calls": [entry()], "next": 8})
    async with following(pages, tmp_path) as runtime, asyncio.timeout(10):
        await pages.told.wait()
        assert runtime.engine.book.has("acme/t:s")
