"""Any function that calls a model is guarded, and tools that are not critical wait or are left out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from waiting import until

import switchgear as sg

Engines = Callable[..., Any]
Configure = Callable[..., TracerProvider]

BODY = {"id": "r-1", "model": "gpt-4o", "usage": {"prompt_tokens": 10, "completion_tokens": 50}}
# gpt-4o: 10 tokens at 2.50 and 50 at 10.00 USD a million.
COST = (10 * Decimal("2.50") + 50 * Decimal("10.00")) / 1_000_000


class Dumped:
    """A response as provider SDKs have them: an object that can be dumped."""

    def model_dump(self) -> dict[str, Any]:
        return BODY


class Throttled(Exception):  # noqa: N818 - as providers name it
    status_code = 429


def made(response: Any, **options: Any) -> Any:
    return sg.guard.call(lambda: response, provider="openai", model="gpt-4o", **options)


def made_async(response: Any, **options: Any) -> Any:
    async def answer() -> Any:
        return response

    return asyncio.run(sg.guard.call_async(answer, provider="openai", model="gpt-4o", **options))


WAYS = pytest.mark.parametrize("make", [pytest.param(made, id="sync"), pytest.param(made_async, id="async")])


@WAYS
@pytest.mark.parametrize(
    ("response", "options"),
    [
        pytest.param(BODY, {}, id="the provider's body"),
        pytest.param(Dumped(), {}, id="an object with model_dump"),
        pytest.param(
            "text", {"usage": lambda _: sg.Usage(input_uncached=10, output=50)}, id="a usage of one's own"
        ),
        pytest.param("text", {"usage": lambda _: BODY}, id="a body of one's own"),
    ],
)
def test_a_call_is_held_and_counted_at_what_it_used(
    make: Any, response: Any, options: dict[str, Any], engine_of: Engines, configured: Configure
) -> None:
    engine = engine_of()
    configured(engine.url)
    with sg.task("writer", tenant="acme"):
        assert make(response, **options) is response
    until(lambda: Decimal(engine.budget()["held"]) == 0, "the hold is settled")
    assert Decimal(engine.budget()["spent"]) == COST


@WAYS
def test_an_answer_is_not_lost_where_its_usage_cannot_be_read(
    make: Callable[..., Any], engine_of: Engines, configured: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    engine = engine_of()
    configured(engine.url, concurrency=1)
    with sg.task("writer", tenant="acme"):
        for _ in range(2):
            assert make("what was said", usage=lambda answer: {}[answer]) == "what was said"
    until(lambda: engine.budget()["calls_in_flight"] == 0, "the holds are settled")
    assert caplog.messages == ["what a call used cannot be read: KeyError"] * 2


@WAYS
def test_a_call_whose_usage_nobody_knows_counts_at_its_hold(
    make: Any, engine_of: Engines, configured: Configure
) -> None:
    engine = engine_of()
    configured(engine.url)
    with sg.task("writer", tenant="acme"):
        make("text", max_output_tokens=100)
    until(lambda: Decimal(engine.budget()["held"]) == 0, "the hold is settled")
    assert Decimal(engine.budget()["spent"]) > 0


@WAYS
def test_a_denied_call_is_not_made(make: Any, engine_of: Engines, configured: Configure) -> None:
    configured(engine_of(limit="0.000001").url)
    with sg.task("writer", tenant="acme"), pytest.raises(sg.BudgetExceeded, match="acme-hour"):
        make(BODY)


@pytest.mark.parametrize("configures", [False, True], ids=["nothing configured", "guard off"])
def test_without_a_guard_a_call_is_simply_made(configured: Configure, *, configures: bool) -> None:
    if configures:
        configured(guard=False)
    with sg.task("writer", tenant="acme"):
        assert made(BODY) is BODY
        assert made_async(BODY) is BODY


def test_a_throttled_call_is_tried_again_as_one_call(
    engine_of: Engines, configured: Configure, spans: InMemorySpanExporter
) -> None:
    engine = engine_of()
    tracer = configured(engine.url).get_tracer("tests")
    answers: list[Any] = [Throttled(), BODY]

    def attempt() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with sg.task("writer", tenant="acme"), tracer.start_as_current_span("call"):
        assert sg.guard.call(attempt, provider="openai", model="gpt-4o") is BODY
    until(lambda: Decimal(engine.budget()["held"]) == 0, "both holds are given back or settled")
    assert Decimal(engine.budget()["spent"]) == COST
    (span,) = (each for each in spans.get_finished_spans() if each.name == "call")
    assert span.attributes is not None
    assert span.attributes["switchgear.attempt"] == 2


def test_what_fails_for_good_is_raised_after_one_attempt(engine_of: Engines, configured: Configure) -> None:
    configured(engine_of().url)
    attempts: list[int] = []

    def attempt() -> None:
        attempts.append(1)
        raise ValueError("no such prompt")

    with sg.task("writer", tenant="acme"), pytest.raises(ValueError, match="no such prompt"):
        sg.guard.call(attempt, provider="openai", model="gpt-4o")
    assert len(attempts) == 1


# -- tools


def searching(*, critical: bool) -> Callable[[], Any]:
    @sg.guarded_tool(critical=critical)
    def search() -> str:
        return "found"

    return search


def searching_async(*, critical: bool) -> Callable[[], Any]:
    @sg.guarded_tool(critical=critical)
    async def search() -> str:
        return "found"

    return lambda: asyncio.run(search())


TOOLS = pytest.mark.parametrize(
    "tool_of", [pytest.param(searching, id="sync"), pytest.param(searching_async, id="async")]
)


@TOOLS
def test_a_tool_runs_while_money_is_there(tool_of: Any, engine_of: Engines, configured: Configure) -> None:
    configured(engine_of().url)
    with sg.task("writer", tenant="acme") as task:
        until(lambda: task.decision is not None, "the first decision")
        assert tool_of(critical=False)() == "found"


@TOOLS
def test_a_tool_that_is_not_critical_is_left_out_where_calls_are_denied(
    tool_of: Any, engine_of: Engines, configured: Configure
) -> None:
    engine = engine_of()
    configured(engine.url)
    with sg.task("writer", tenant="acme") as task:
        until(lambda: task.decision is not None, "the first decision")
        engine.force_open()
        until(lambda: task.decision is not None and task.decision.action == "deny", "the breaker is heard of")
        with pytest.raises(sg.BudgetExceeded, match="a test"):
            tool_of(critical=False)()
        assert tool_of(critical=True)() == "found"


def test_a_tool_waits_while_work_is_queued(engine_of: Engines, configured: Configure) -> None:
    # 2 % of the ceiling are passed by the first call; nobody waits for background work.
    engine = engine_of(limit="0.02", ladder="[{at: 2%, do: queue, tiers: [background]}]")
    configured(engine.url)
    ran: list[float] = []

    @sg.guarded_tool()
    def search() -> None:
        ran.append(time.monotonic())

    with sg.task("writer", tenant="acme", tier="background") as task:
        made(BODY, max_output_tokens=60)
        until(lambda: task.decision is not None and task.decision.action == "queue", "the step is heard of")
        began = time.monotonic()
        engine.client.post(
            "/v1/breakers", json={"ceiling": "*", "do": "disable", "by": "ann", "reason": "a test"}
        ).raise_for_status()
        search()
    assert len(ran) == 1
    assert ran[0] - began < 10


def test_a_tool_outside_any_task_runs() -> None:
    assert searching(critical=False)() == "found"
