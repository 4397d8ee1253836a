"""Task context: six attributes on every span of a task, wherever its code runs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer

import switchgear as sg


@pytest.fixture
def tracer(configured: Callable[..., TracerProvider]) -> Tracer:
    return configured(guard=False).get_tracer("tests")


def called(spans: InMemorySpanExporter) -> list[ReadableSpan]:
    """The spans of the code, without those that tell how a task ended."""
    return [span for span in spans.get_finished_spans() if span.name == "call"]


def ended(spans: InMemorySpanExporter) -> list[tuple[str, dict[str, object]]]:
    """The name and attributes of each span that tells how a task ended."""
    return [
        (span.name, dict(span.attributes or {})) for span in spans.get_finished_spans() if span.name != "call"
    ]


def tenant_of(span: object) -> object:
    return span.attributes.get("switchgear.tenant")  # type: ignore[attr-defined]


def test_a_span_in_a_sub_task_carries_all_six_attributes(tracer: Tracer, spans: InMemorySpanExporter) -> None:
    with sg.task("report", tenant="acme", tier="interactive", id="t-1"), sg.task("search", id="t-2"):
        tracer.start_span("call").end()

    (span,) = called(spans)
    assert dict(span.attributes or {}) == {
        "switchgear.tenant": "acme",
        "switchgear.workload": "search",
        "switchgear.task.id": "t-2",
        "switchgear.task.parent_id": "t-1",
        "switchgear.task.root_id": "t-1",
        "switchgear.tier": "interactive",
    }


def test_a_span_outside_any_task_is_left_alone(tracer: Tracer, spans: InMemorySpanExporter) -> None:
    with sg.task("report", tenant="acme"):
        pass
    tracer.start_span("call").end()

    assert not called(spans)[0].attributes


def test_a_span_outside_any_task_is_of_the_process_s_own_tenant_where_it_has_one(
    configured: Callable[..., TracerProvider], spans: InMemorySpanExporter
) -> None:
    tracer = configured(guard=False, tenant="acme", tier="background").get_tracer("tests")
    tracer.start_span("call").end()

    assert dict(called(spans)[0].attributes or {}) == {
        "switchgear.tenant": "acme",
        "switchgear.workload": "untagged",
        "switchgear.tier": "background",
    }


async def in_await(call: Callable[[], None]) -> None:
    async def deeper() -> None:
        await asyncio.sleep(0)
        call()

    await deeper()


async def in_create_task(call: Callable[[], None]) -> None:
    await asyncio.create_task(in_await(call))


async def in_gather(call: Callable[[], None]) -> None:
    await asyncio.gather(in_await(call))


async def in_to_thread(call: Callable[[], None]) -> None:
    await asyncio.to_thread(call)


async def in_run_in_executor(call: Callable[[], None]) -> None:
    await asyncio.get_running_loop().run_in_executor(None, call)


async def in_thread(call: Callable[[], None]) -> None:
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


async def in_pool(call: Callable[[], None]) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(call).result()


async def in_pool_map(call: Callable[[], None]) -> None:
    with ThreadPoolExecutor(1) as pool:
        list(pool.map(lambda _: call(), [0]))


WAYS = [
    in_await,
    in_create_task,
    in_gather,
    in_to_thread,
    in_run_in_executor,
    in_thread,
    in_pool,
    in_pool_map,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_the_task_survives(way: Callable, tracer: Tracer, spans: InMemorySpanExporter) -> None:
    async with sg.task("report", tenant="acme"):
        await way(lambda: tracer.start_span("call").end())

    assert [tenant_of(span) for span in called(spans)] == ["acme"]


def test_a_pool_thread_started_inside_a_task_does_not_stay_in_it(
    tracer: Tracer, spans: InMemorySpanExporter
) -> None:
    def call() -> None:
        tracer.start_span("call").end()

    with ThreadPoolExecutor(1) as pool:
        with sg.task("report", tenant="acme"):
            pool.submit(call).result()
        pool.submit(call).result()
        with sg.task("report", tenant="zenith"):
            pool.submit(call).result()

    assert [tenant_of(span) for span in called(spans)] == ["acme", None, "zenith"]


def test_a_decorated_function_is_a_task_of_its_own_at_each_call() -> None:
    seen = []

    @sg.task("report", tenant="acme")
    def run() -> None:
        seen.append(sg.current_task())

    run()
    run()
    assert [task.workload for task in seen] == ["report", "report"]
    assert seen[0].id != seen[1].id


async def test_a_decorated_coroutine_may_run_many_times_at_once() -> None:
    @sg.task("report", tenant="acme")
    async def run() -> str:
        before = sg.current_task().id
        await asyncio.sleep(0)
        assert sg.current_task().id == before
        return before

    assert len(set(await asyncio.gather(*(run() for _ in range(20))))) == 20


def test_the_user_of_a_task_is_named_on_every_span_of_it_and_of_those_inside_it(
    tracer: Tracer, spans: InMemorySpanExporter
) -> None:
    with sg.task("report", tenant="acme", user="u-17"), sg.task("search"):
        tracer.start_span("call").end()
    with sg.task("report", tenant="acme"):
        tracer.start_span("call").end()

    assert [(span.attributes or {}).get("switchgear.user") for span in called(spans)] == ["u-17", None]


def _returns(task: sg.Task) -> None:
    pass


def _says_so(task: sg.Task) -> None:
    task.failed()


def _raises(task: sg.Task) -> None:
    raise LookupError


def _is_refused(task: sg.Task) -> None:
    raise sg.BudgetExceeded(
        sg.Decision(
            "d-1", sg.Action.DENY, "no more", version=1, valid_until=datetime(2026, 11, 24, tzinfo=UTC)
        )
    )


def _is_cancelled(task: sg.Task) -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("run", "outcome"),
    [
        (_returns, "succeeded"),
        (_says_so, "failed"),
        (_raises, "failed"),
        (_is_refused, "stopped"),
        (_is_cancelled, "abandoned"),
    ],
)
def test_how_a_task_ended_is_told_once_for_its_whole_tree(
    run: Callable[[sg.Task], None], outcome: str, tracer: Tracer, spans: InMemorySpanExporter
) -> None:
    with suppress(Exception, asyncio.CancelledError), sg.task("report", tenant="acme", id="t-1") as task:
        with sg.task("search", id="t-2"):
            pass
        run(task)

    assert ended(spans) == [
        (
            "task report",
            {
                "switchgear.tenant": "acme",
                "switchgear.workload": "report",
                "switchgear.task.id": "t-1",
                "switchgear.task.root_id": "t-1",
                "switchgear.tier": "batch",
                "switchgear.task.outcome": outcome,
            },
        )
    ]


def test_the_end_of_a_task_is_its_own_in_a_process_with_a_tenant_of_its_own(
    configured: Callable[..., TracerProvider], spans: InMemorySpanExporter
) -> None:
    configured(guard=False, tenant="acme", tier="background")
    with sg.task("report", tier="interactive", id="t-1"):
        pass
    ((name, told),) = ended(spans)
    assert (name, told["switchgear.workload"], told["switchgear.tier"]) == (
        "task report",
        "report",
        "interactive",
    )


def test_one_task_object_can_be_entered_twice() -> None:
    scope = sg.task("report", tenant="acme")
    with scope as outer, scope as inner:
        assert inner.parent_id == outer.id
    assert sg.current_task() is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"workload": "a"}, 'task("a") has no tenant'),
        ({"workload": " ", "tenant": "acme"}, "workload: ' ' is no name"),
        ({"workload": "a", "tenant": "x" * 129}, "tenant: 'xxx"),
        ({"workload": "a", "tenant": "a\x00b"}, "unprintable"),
        (
            {"workload": "a", "tenant": "acme", "tier": "urgent"},
            '"urgent" is no tier; there are: interactive',
        ),
        ({"workload": "a", "tenant": "acme", "budget": "5"}, 'write "5 USD"'),
        ({"workload": "a", "tenant": "acme", "budget": "0 USD"}, '"0 USD" is not above zero'),
        ({"workload": "a", "tenant": "acme", "budget": "1E+30 USD"}, "more than any budget"),
        ({"workload": "a", "tenant": "acme", "budget": 5}, "budget: 5 is no text"),
        ({"workload": "a", "tenant": "acme", "tier": 1}, "tier: 1 is no text"),
        ({"workload": print, "tenant": "acme"}, "is no name"),
        ({"workload": "a", "tenant": "acme", "id": 7}, "id: 7 is no name"),
        ({"workload": "a", "tenant": "acme", "id": ""}, "id: '' is no name"),
        (
            {"workload": "a", "tenant": "acme", "user": "\ud800"},
            "user: '\\ud800' has over 128 or unprintable",
        ),
        ({"workload": "a", "tenant": "acme", "resume": True}, "does not say which"),
        ({"workload": "a", "tenant": "acme", "on_wrap_up": 5}, "on_wrap_up: 5 cannot be called"),
        ({"workload": "a", "tenant": "acme", "on_wrap_up": in_await}, "would not be awaited"),
    ],
    ids=[
        "no tenant",
        "blank workload",
        "long tenant",
        "NUL",
        "unknown tier",
        "budget without currency",
        "budget of nothing",
        "budget without end",
        "budget that is a number",
        "tier that is a number",
        "decorator without its arguments",
        "id that is a number",
        "empty id",
        "half a character",
        "resumed without an id",
        "callback that is none",
        "callback that waits",
    ],
)
def test_a_task_that_cannot_be_is_refused_at_once(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(sg.ConfigError) as refused, sg.task(**arguments):
        pass
    assert says in str(refused.value)


def test_a_name_is_said_as_it_is_booked_in_its_composed_form() -> None:
    with sg.task("cafe\u0301", tenant="acme") as task:
        pass
    assert task.workload == "caf\u00e9"


def test_a_task_tree_belongs_to_one_tenant() -> None:
    with (
        sg.task("report", tenant="acme"),
        pytest.raises(sg.ConfigError, match="belongs to one tenant"),
        sg.task("search", tenant="zenith"),
    ):
        pass
