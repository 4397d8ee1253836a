"""Decorated generators: the body is in the task, whoever consumes it is not."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import aclosing, suppress

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer, get_current_span

import switchgear as sg


@pytest.fixture
def tracer(configured: Callable[..., TracerProvider]) -> Tracer:
    return configured(guard=False).get_tracer("tests")


def outcomes(spans: InMemorySpanExporter) -> list[object]:
    told = [(span.attributes or {}).get("switchgear.task.outcome") for span in spans.get_finished_spans()]
    return [outcome for outcome in told if outcome is not None]


def workload() -> str | None:
    task = sg.current_task()
    return task.workload if task is not None else None


@sg.task("pages", tenant="acme")
def pages(count: int) -> Iterator[str | None]:
    for _ in range(count):
        yield workload()


@sg.task("pages", tenant="acme")
async def pages_async(count: int) -> AsyncIterator[str | None]:
    for _ in range(count):
        await asyncio.sleep(0)
        yield workload()


def test_the_body_of_a_generator_is_in_the_task_and_its_consumer_is_not(
    tracer: Tracer, spans: InMemorySpanExporter
) -> None:
    seen = [(inside, workload()) for inside in pages(3)]

    assert seen == [("pages", None)] * 3
    assert outcomes(spans) == ["succeeded"]


async def test_the_body_of_an_async_generator_is_in_the_task_and_its_consumer_is_not(
    tracer: Tracer, spans: InMemorySpanExporter
) -> None:
    seen = [(inside, workload()) async for inside in pages_async(3)]

    assert seen == [("pages", None)] * 3
    assert outcomes(spans) == ["succeeded"]


def test_generators_that_take_turns_stay_each_in_its_own_task() -> None:
    @sg.task("turns", tenant="acme")
    def turns() -> Iterator[str]:
        while True:
            with sg.task("inner"):
                yield sg.current_task().parent_id
            yield sg.current_task().id

    one, other = turns(), turns()
    seen = [(next(one), next(other)) for _ in range(4)]
    one.close()
    other.close()

    assert len(set(seen)) == 1
    assert seen[0][0] != seen[0][1]


def test_the_span_of_a_generator_s_body_is_there_again_at_its_next_item_and_not_outside(
    tracer: Tracer,
) -> None:
    @sg.task("pages", tenant="acme")
    def spanned() -> Iterator[object]:
        with tracer.start_as_current_span("body"):
            yield get_current_span()
            yield get_current_span()

    outside = get_current_span()
    seen = []
    for span in spanned():
        seen.append(span)
        assert get_current_span() is outside
    assert seen[0] is seen[1]
    assert seen[0] is not outside


def test_a_generator_that_nobody_iterates_is_no_task(tracer: Tracer, spans: InMemorySpanExporter) -> None:
    pages(3)
    assert outcomes(spans) == []


def test_a_generator_is_a_sub_task_of_the_task_in_which_it_is_first_asked() -> None:
    @sg.task("pages")
    def parents() -> Iterator[str | None]:
        yield sg.current_task().parent_id
        yield sg.current_task().parent_id

    with sg.task("report", tenant="acme") as task:
        items = parents()
        first = next(items)
    assert (first, next(items)) == (task.id, task.id)
    items.close()


def test_a_generator_that_is_left_early_cleans_up_in_its_task_and_is_abandoned(
    tracer: Tracer, spans: InMemorySpanExporter
) -> None:
    cleaned = []

    @sg.task("pages", tenant="acme")
    def closed() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            cleaned.append(workload())

    items = closed()
    next(items)
    items.close()

    assert cleaned == ["pages"]
    assert outcomes(spans) == ["abandoned"]


async def test_an_async_generator_that_is_left_early_cleans_up_in_its_task_and_is_abandoned(
    tracer: Tracer, spans: InMemorySpanExporter
) -> None:
    cleaned = []

    @sg.task("pages", tenant="acme")
    async def closed() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            cleaned.append(workload())

    async with aclosing(closed()) as items:
        async for _ in items:
            break

    assert cleaned == ["pages"]
    assert outcomes(spans) == ["abandoned"]


def test_a_generator_that_raises_has_failed_and_raises_as_itself(
    tracer: Tracer, spans: InMemorySpanExporter
) -> None:
    @sg.task("pages", tenant="acme")
    def broken() -> Iterator[int]:
        yield 1
        raise LookupError("no page 2")

    with pytest.raises(LookupError, match="no page 2"):
        list(broken())
    assert outcomes(spans) == ["failed"]


async def test_a_cancelled_wait_for_an_item_reaches_the_body_and_abandons_it(
    tracer: Tracer, spans: InMemorySpanExporter
) -> None:
    reached = []

    @sg.task("pages", tenant="acme")
    async def waits() -> AsyncIterator[int]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            reached.append(workload())
            raise
        yield 1

    waiting = asyncio.ensure_future(anext(waits()))
    await asyncio.sleep(0)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting

    assert reached == ["pages"]
    assert outcomes(spans) == ["abandoned"]


@sg.task("echo", tenant="acme")
def echo() -> Generator[str, str, str]:
    heard = ""
    while heard != "end":
        try:
            heard = yield f"{workload()} {heard}"
        except LookupError:
            heard = "an error"
    return "returned"


@sg.task("echo", tenant="acme")
async def echo_async():
    heard = ""
    while heard != "end":
        try:
            heard = yield f"{workload()} {heard}"
        except LookupError:
            heard = "an error"


def test_what_is_sent_and_thrown_into_a_generator_reaches_its_body() -> None:
    items = echo()
    assert [next(items), items.send("a"), items.throw(LookupError())] == ["echo ", "echo a", "echo an error"]
    with pytest.raises(StopIteration) as ended:
        items.send("end")
    assert ended.value.value == "returned"


async def test_what_is_sent_and_thrown_into_an_async_generator_reaches_its_body() -> None:
    items = echo_async()
    heard = [await anext(items), await items.asend("a"), await items.athrow(LookupError())]
    assert heard == ["echo ", "echo a", "echo an error"]
    with pytest.raises(StopAsyncIteration):
        await items.asend("end")


async def test_an_async_generator_s_own_time_limits_and_tasks_work_inside_it() -> None:
    @sg.task("pages", tenant="acme")
    async def limited() -> AsyncIterator[object]:
        async with asyncio.timeout(10):
            yield await asyncio.create_task(asyncio.sleep(0, "made"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        yield workload()

    assert [item async for item in limited()] == ["made", "pages"]


def test_an_async_generator_that_is_dropped_is_abandoned_when_its_loop_ends(
    tracer: Tracer, spans: InMemorySpanExporter
) -> None:
    dropped = []

    async def leave() -> None:
        items = pages_async(3)
        await anext(items)
        dropped.append(items)

    asyncio.run(leave())
    assert outcomes(spans) == ["abandoned"]


def test_frameworks_see_what_kind_of_function_is_decorated() -> None:
    assert inspect.isgeneratorfunction(pages)
    assert inspect.isasyncgenfunction(pages_async)
    assert pages.__name__ == "pages"
