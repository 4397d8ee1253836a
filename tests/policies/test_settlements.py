"""Holds that were settled and whose span is overdue, lost or late: ledger and counter have the call once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from engines import MICRO, Caller, bound, engine
from otlp_samples import Served, llm_span, request

from analytics.prices import PriceBook
from policies import feed, settlements
from policies.admission import GrantRequest
from policies.engine import BookedCall, Engine
from policies.files import parse
from policies.model import Who
from policies.runtime import Runtime
from policies.sizing import Request
from policies.transitions import TransitionLog
from switchgear.tier import Tier
from switchgear.usage import Usage

FILE = "version: 1\nceilings:\n  - {name: day, limit: 1 USD, window: 24h}\n"
HOUR = "  - {name: hour, limit: 0.01 USD, window: 1h}\n"
WHO = Who("acme", "w", Tier.BATCH, "root")
# What `llm_span` tells, at the prices of gpt-4o-mini: 400 at 0.15, 600 cached at 0.075, 50 at 0.60 a million.
USED = Usage(400, 600, 0, 0, 50, 20)
COST = (400 * Decimal("0.15") + 600 * Decimal("0.075") + 50 * Decimal("0.60")) * MICRO


def cost(provider: str | None, model: str | None, usage: Usage, at: datetime) -> Decimal | None:
    return PriceBook().quote(provider, model, usage, at).cost


@dataclass
class Pair:
    """A real collector and an engine on its line."""

    collector: Served
    runtime: Runtime

    @property
    def counter(self) -> Decimal:
        (account,) = self.runtime.engine.accounts
        return account.spent(self.runtime.clock()) + account.held

    def ledger(self, columns: str = "coalesce(sum(cost), 0)") -> list[Any]:
        return self.collector.rows(f"SELECT {columns} FROM calls")

    def call(self, number: int, usage: Usage | None = USED) -> str:
        """A granted call that ended; its lease."""
        asked = GrantRequest(
            f"request-{number}",
            WHO,
            Request("openai", "gpt-4o-mini", 0, 1000),
            task_id="leaf",
            parent_task_id="root",
        )
        grant = self.runtime.engine.request(asked, self.runtime.clock()).grant
        assert grant is not None
        assert self.runtime.settle(grant.lease, None, usage, None)
        return grant.lease

    def span(self, number: int, lease: str, **attributes: Any) -> None:
        """The span of that call reaches the collector."""
        at = {"startTimeUnixNano": str(time.time_ns()), "endTimeUnixNano": str(time.time_ns())}
        sent = self.collector.send(
            request([llm_span(number, {"switchgear.lease.id": lease, **attributes}, **at)])
        )
        assert sent.status_code == 200

    async def until(self, what: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not what():  # noqa: ASYNC110 - what is waited for happens in another process's place
                await asyncio.sleep(0.01)


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path / "collector")
    yield served
    served.stop()


@asynccontextmanager
async def paired(
    tmp_path: Path, collector: Served, transport: httpx.AsyncBaseTransport
) -> AsyncIterator[Pair]:
    log = TransitionLog(tmp_path / "transitions.jsonl")
    runtime = Runtime(Engine(parse(FILE, name="p.yaml"), cost), log, tmp_path / "p.yaml")
    async with httpx.AsyncClient(base_url=collector.url, transport=transport) as client:
        following = asyncio.create_task(feed.CollectorLine(runtime, client, overdue_after_s=0.1).run())
        try:
            yield Pair(collector, runtime)
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following


@pytest.fixture
async def pair(tmp_path: Path, collector: Served) -> AsyncIterator[Pair]:
    async with paired(tmp_path, collector, httpx.AsyncHTTPTransport()) as pair:
        yield pair


def booked(pair: Pair) -> Callable[[], bool]:
    return lambda: not len(pair.runtime.engine.unbooked) and pair.counter == COST


async def test_a_span_that_never_comes_leaves_the_settlement_in_the_ledger(pair: Pair) -> None:
    lease = pair.call(1)
    await pair.until(booked(pair))
    assert pair.ledger(
        "state, tenant, workload, task_id, parent_task_id, root_task_id, tier, lease_id, cost"
    ) == [["settled_only", "acme", "w", "leaf", "root", "root", "batch", lease, f"{COST.normalize():f}"]]


async def test_a_span_that_comes_in_time_is_all_there_is(pair: Pair) -> None:
    lease = pair.call(1)
    pair.span(1, lease)
    await pair.until(booked(pair))
    assert pair.ledger("state, span_id") == [["complete", f"{1:016x}"]]


async def test_a_span_that_comes_late_takes_the_place_of_the_settlement(pair: Pair) -> None:
    lease = pair.call(1)
    await pair.until(booked(pair))
    assert pair.ledger("state") == [["settled_only"]]
    pair.span(1, lease, **{"gen_ai.usage.output_tokens": 1050})
    dearer = COST + 1000 * Decimal("0.60") * MICRO
    await pair.until(lambda: pair.counter == dearer)
    assert pair.ledger("state, span_id, cost") == [["complete", f"{1:016x}", f"{dearer.normalize():f}"]]


async def test_many_calls_of_every_kind_add_up_in_counter_and_ledger(pair: Pair) -> None:
    for number in range(1, 31):
        lease = pair.call(number)
        if number % 3:
            pair.span(number, lease)
    await pair.until(lambda: not len(pair.runtime.engine.unbooked))
    await pair.until(lambda: pair.counter == 30 * COST)
    assert pair.ledger("count(*), count(*) FILTER (state = 'settled_only')") == [[30, 10]]


async def test_what_is_overdue_waits_for_a_collector_that_is_away(tmp_path: Path, collector: Served) -> None:
    class Unplugged(httpx.AsyncHTTPTransport):
        plugged, refused = False, 0

        async def handle_async_request(self, asked: httpx.Request) -> httpx.Response:
            if not self.plugged:
                self.refused += 1
                raise httpx.ConnectError("unplugged")
            return await super().handle_async_request(asked)

    wire = Unplugged()
    async with paired(tmp_path, collector, wire) as pair:
        lease = pair.call(1)
        await pair.until(lambda: wire.refused > 5)
        unbooked = pair.runtime.engine.unbooked
        assert [each.lease for each in unbooked.overdue(pair.runtime.clock())] == [lease]
        wire.plugged = True
        await pair.until(booked(pair))
        assert pair.ledger("state") == [["settled_only"]]


def test_a_settlement_waits_for_its_booking_and_no_longer() -> None:
    caller = Caller(engine(HOUR.replace("0.01", "1")))
    granted = [caller.ask(0.0).grant for _ in range(3)]
    for at, grant in enumerate(granted):
        assert grant is not None
        caller.engine.settle(grant.lease, "m", Usage(output=7), float(at))
    unbooked = caller.engine.unbooked
    assert [each.lease for each in unbooked.overdue(2.0)] == ["g1:1", "g2:1"]
    caller.engine.booked([BookedCall("k", WHO, Usage(output=7), 7 * MICRO, 1.0, "g1:1")], 3.0)
    assert [each.lease for each in unbooked.overdue(9.0)] == ["g2:1", "g3:1"]


def test_a_call_that_was_booked_before_its_settlement_is_not_handed_over() -> None:
    caller = Caller(engine(HOUR))
    caller.ask(0.0)
    caller.engine.booked([BookedCall("k", WHO, Usage(output=7), 7 * MICRO, 1.0, "g1:1")], 1.0)
    caller.engine.settle("g1:1", "m", Usage(output=7), 2.0)
    assert not len(caller.engine.unbooked)


def test_a_call_under_no_ceiling_is_handed_over_too() -> None:
    other = "  - {name: other, scope: {tenant: globex}, limit: 1 USD, window: 1h}\n"
    caller = Caller(engine(other, "tenants: {globex: {}}"))
    caller.ask(0.0)
    assert caller.engine.settle("g1:1", "m", Usage(output=7), 1.0)
    assert len(caller.engine.unbooked) == 1


def test_a_released_hold_is_handed_over_to_nobody() -> None:
    caller = Caller(engine(HOUR))
    caller.ask(0.0)
    assert caller.engine.release("g1:1", 1.0)
    assert not len(caller.engine.unbooked)


def test_an_incomplete_booking_does_not_take_the_held_amount_away() -> None:
    """An aborted stream may have been billed in full: until more is known its bound counts."""
    caller = Caller(engine(HOUR))
    caller.ask(0.0, output=1000)
    caller.engine.settle("g1:1", "m", None, 1.0)
    (account,) = caller.engine.accounts
    for usage, amount, expected in [(None, None, bound(1000)), (Usage(output=9), 9 * MICRO, 9 * MICRO)]:
        caller.engine.booked([BookedCall("k", WHO, usage, amount, 1.0, "g1:1")], 2.0)
        assert account.spent(2.0) == expected


def test_with_too_many_waiting_the_oldest_are_left_to_their_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settlements, "MAX_KEPT", 2)
    caller = Caller(engine(HOUR))
    for number in range(1, 4):
        caller.ask(0.0)
        caller.engine.settle(f"g{number}:1", "m", Usage(output=7), 1.0)
    assert [each.lease for each in caller.engine.unbooked.overdue(9.0)] == ["g2:1", "g3:1"]
    assert caller.engine.unbooked.given_up == 1
