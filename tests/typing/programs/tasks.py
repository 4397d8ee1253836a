"""Tasks as agents use them: around blocks, around functions of every kind, and across processes."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from decimal import Decimal
from typing import assert_type

import opentelemetry.sdk.trace

import switchgear as sg


def set_up() -> None:
    tracers = opentelemetry.sdk.trace.TracerProvider()
    tracers.add_span_processor(sg.CostSpanProcessor())
    sg.configure()
    sg.configure(
        collector="http://127.0.0.1:4318",
        policies="http://127.0.0.1:8700",
        api_key="any",
        tenant="acme",
        tier="batch",
        guard=True,
        tracer_provider=tracers,
        max_stale_s=30.0,
    )
    assert_type(sg.flush(timeout_s=1.0), bool)
    sg.shutdown(timeout_s=1.0)


def in_a_block() -> str:
    with sg.task("summary", tenant="acme", tier=sg.Tier.INTERACTIVE, budget="0.50 USD", user="u-17") as task:
        assert_type(task, sg.Task)
        assert_type(sg.current_task(), sg.Task | None)
        assert_type((task.id, task.root_id, task.parent_id), tuple[str, str, str | None])
        assert_type((task.workload, task.tenant, task.user), tuple[str, str, str | None])
        assert_type(task.tier, sg.Tier)
        assert_type(task.tier.rank, int)
        assert_type(task.budgets, tuple[tuple[str, sg.Money], ...])
        assert_type(task.remaining, Decimal | None)
        assert_type(task.wrap_up, bool)
        task.failed()
        task.pause()
        return task.carry()


async def in_an_async_block() -> None:
    async with sg.task("summary", id="order-17", resume=True, on_wrap_up=told) as task:
        assert_type(task, sg.Task)
    with sg.task.resume("as carried", on_wrap_up=lambda decision: decision.reason) as task:
        assert_type(task, sg.Task)


def told(decision: sg.Decision) -> None:
    assert_type(decision.action, sg.Action)
    assert_type(decision.action.severity, int)
    assert_type(decision.remaining, Decimal | None)
    assert_type((decision.id, decision.reason, decision.policy), tuple[str, str, str | None])
    assert_type(decision.caps.model, str | None)
    assert_type(decision.caps.max_output_tokens, int | None)
    assert_type(decision.retry_after_s, float | None)


@sg.task("adding", tenant="acme")
def added(first: int, *more: int, start: int = 0) -> int:
    return first + sum(more, start)


@sg.task("fetching", tenant="acme")
async def fetched(name: str) -> bytes:
    return name.encode()


@sg.task("listing", tenant="acme")
def listed(count: int) -> Iterator[str]:
    yield from map(str, range(count))


@sg.task("talking", tenant="acme")
def talked() -> Generator[int, str, bool]:
    heard = yield 1
    return bool(heard)


@sg.task("streaming", tenant="acme")
async def streamed() -> AsyncIterator[bytes]:
    yield b""


@sg.task("answering", tenant="acme")
async def answered() -> AsyncGenerator[int, str]:
    yield 1


class Agent:
    @sg.task("running", tenant="acme")
    def run(self, question: str) -> str:
        return question


async def around_functions() -> None:
    assert_type(added(1, 2, start=3), int)
    assert_type(await fetched("a"), bytes)
    assert_type(listed(2), Iterator[str])
    assert_type(talked(), Generator[int, str, bool])
    assert_type(streamed(), AsyncIterator[bytes])
    assert_type(answered(), AsyncGenerator[int, str])
    assert_type(Agent().run("a"), str)
    async for part in streamed():
        assert_type(part, bytes)


def across_processes(headers: dict[str, str]) -> None:
    assert_type(sg.child_environment(os.environ), dict[str, str])
    sg.inject(headers, "http://agents.internal")
    with sg.extracted(headers, tenants=["acme"]) as task:
        assert_type(task, sg.Task | None)


def values() -> None:
    assert_type(sg.Money.parse("0.50 USD"), sg.Money)
    assert_type(sg.Money(Decimal(1), "USD").amount, Decimal)
    assert_type(sg.Tier.parse("batch"), sg.Tier)
    assert_type(sg.Usage(input_uncached=400, output=50).total, int)
    assert_type(sg.Action("deny"), sg.Action)
