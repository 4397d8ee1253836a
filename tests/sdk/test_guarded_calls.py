"""A guarded call is held, counted or denied whichever way a provider SDK makes it, against a real engine."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from decimal import Decimal
from math import inf
from typing import Any

import anthropic
import openai
import pytest
from attempts import counted
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from provider_clients import (
    ANTHROPIC,
    ANTHROPIC_COST,
    OPENAI,
    OPENAI_COST,
    anthropic_call,
    anthropic_client,
    anthropic_stream,
    async_anthropic_call,
    async_anthropic_client,
    async_anthropic_stream,
    async_openai_call,
    async_openai_client,
    async_openai_stream,
    openai_call,
    openai_client,
    openai_stream,
)
from waiting import until

import switchgear as sg
from switchgear.testing import Provider

Engines = Callable[..., Any]
Configure = Callable[..., TracerProvider]


WAYS = [
    pytest.param(openai_client, openai_call, OPENAI_COST, id="openai"),
    pytest.param(openai_client, openai_stream, OPENAI_COST, id="openai stream"),
    pytest.param(async_openai_client, async_openai_call, OPENAI_COST, id="openai async"),
    pytest.param(async_openai_client, async_openai_stream, OPENAI_COST, id="openai async stream"),
    pytest.param(anthropic_client, anthropic_call, ANTHROPIC_COST, id="anthropic"),
    pytest.param(anthropic_client, anthropic_stream, ANTHROPIC_COST, id="anthropic stream"),
    pytest.param(async_anthropic_client, async_anthropic_call, ANTHROPIC_COST, id="anthropic async"),
    pytest.param(async_anthropic_client, async_anthropic_stream, ANTHROPIC_COST, id="anthropic async stream"),
]


def run(call: Callable[[Any], Any], client: Any) -> None:
    """Make a sync or async call, and close the client."""

    async def asynchronous() -> None:
        async with client:
            await call(client)

    if asyncio.iscoroutinefunction(call):
        asyncio.run(asynchronous())
    else:
        with client:
            call(client)


@pytest.mark.parametrize(("client_of", "call", "cost"), WAYS)
def test_a_call_is_held_and_then_counted_at_what_it_cost(
    client_of: Any,
    call: Any,
    cost: Decimal,
    provider: Provider,
    engine_of: Engines,
    configured: Configure,
) -> None:
    engine = engine_of(limit="100")
    configured(engine.url)

    with sg.task("writer", tenant="acme") as root, sg.task("part", tenant="acme") as part:
        run(call, sg.wrap(client_of(provider)))

    until(lambda: Decimal(engine.budget()["held"]) == 0, "the hold is settled")
    assert Decimal(engine.budget()["spent"]) == cost
    # What the ledger is told where the call's span does not come.
    (settlement,) = (each.to_wire() for each in engine.runtime.engine.unbooked.overdue(inf))
    tasks = [settlement[name] for name in ("workload", "task_id", "parent_task_id", "root_task_id")]
    assert tasks == ["part", part.id, root.id, root.id]
    assert settlement["model"] in (OPENAI["model"], ANTHROPIC["model"])
    assert (settlement["usage"]["input_uncached"], settlement["usage"]["output"]) == (10, 50)
    assert settlement["response_id"].startswith(("chatcmpl-", "msg_"))


@pytest.mark.parametrize(("client_of", "call", "cost"), WAYS)
def test_a_denial_reaches_the_caller_as_itself_after_one_attempt(
    client_of: Any,
    call: Any,
    cost: Decimal,
    provider: Provider,
    engine_of: Engines,
    configured: Configure,
) -> None:
    engine = engine_of(limit="0.000001")
    configured(engine.url)
    client = sg.wrap(client_of(provider))
    attempts = counted(client)

    with sg.task("writer", tenant="acme"), pytest.raises(sg.BudgetExceeded) as denied:
        run(call, client)

    assert len(attempts) == 1
    assert provider.log().served == ()
    assert denied.value.policy == "acme-hour"
    assert denied.value.remaining == Decimal("0.000001")


@pytest.mark.parametrize(("client_of", "call", "cost"), WAYS)
def test_a_denial_known_locally_needs_no_round_trip(
    client_of: Any,
    call: Any,
    cost: Decimal,
    provider: Provider,
    engine_of: Engines,
    configured: Configure,
) -> None:
    engine = engine_of(limit="100")
    configured(engine.url)
    client = sg.wrap(client_of(provider))
    attempts = counted(client)

    with sg.task("writer", tenant="acme") as task:
        until(lambda: task.decision is not None, "the first decision")
        engine.force_open()
        until(lambda: task.decision is not None and task.decision.action == "deny", "the breaker is heard of")
        assert task.wrap_up
        with pytest.raises(sg.BudgetExceeded, match="a test"):
            run(call, client)

    assert len(attempts) == 1
    assert provider.log().served == ()


@pytest.mark.parametrize("for_", ["openai", "anthropic"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_guarded_http_client_keeps_the_sdk_s_own_timeouts_and_limits(
    for_: str, *, asynchronous: bool
) -> None:
    sdk: Any = {"openai": openai, "anthropic": anthropic}[for_]
    own = sdk.DefaultAsyncHttpxClient() if asynchronous else sdk.DefaultHttpxClient()
    guarded = sg.http_client(for_=for_, asynchronous=asynchronous)

    assert isinstance(guarded, type(own))
    assert guarded.timeout == own.timeout
    assert guarded.timeout.read == 600
    assert guarded._transport._pool._max_connections == own._transport._pool._max_connections == 1000
    for client in (own, guarded):
        asyncio.run(client.aclose()) if asynchronous else client.close()


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_an_sdk_client_takes_the_guarded_http_client(
    kind: str, provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    engine = engine_of(limit="0.000001")
    configured(engine.url)
    with sg.http_client(for_=kind) as http, sg.task("writer", tenant="acme"):
        if kind == "openai":
            client: Any = openai.OpenAI(base_url=provider.openai_url, api_key="sk-test", http_client=http)
        else:
            client = anthropic.Anthropic(base_url=provider.anthropic_url, api_key="sk-test", http_client=http)
        with pytest.raises(sg.BudgetExceeded):
            (openai_call if kind == "openai" else anthropic_call)(client)
    assert provider.log().served == ()


def test_each_attempt_has_its_own_hold_and_the_span_says_which(
    provider: Provider,
    engine_of: Engines,
    configured: Configure,
    spans: InMemorySpanExporter,
) -> None:
    engine = engine_of()
    tracer = configured(engine.url).get_tracer("tests")
    provider.fail_next("openai", 429, times=1, retry_after_s=0.01)

    with (
        sg.task("writer", tenant="acme"),
        tracer.start_as_current_span("call"),
        openai_client(provider) as client,
    ):
        openai_call(sg.wrap(client))

    until(lambda: Decimal(engine.budget()["held"]) == 0, "both holds are given back or settled")
    assert Decimal(engine.budget()["spent"]) == OPENAI_COST
    (span,) = (each for each in spans.get_finished_spans() if each.name == "call")
    assert span.attributes is not None
    assert span.attributes["switchgear.attempt"] == 2
    assert str(span.attributes["switchgear.lease.id"]).endswith(":1")


def test_a_stream_that_is_left_early_counts_at_its_hold(
    provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    engine = engine_of()
    configured(engine.url)

    with sg.task("writer", tenant="acme"), openai_client(provider) as client:
        stream = sg.wrap(client).chat.completions.create(**OPENAI, stream=True)
        next(iter(stream))
        budget = engine.budget()
        # The task's grant is for a few such calls.
        held = Decimal(budget["held"]) / budget["calls_in_flight"]
        stream.close()

    until(lambda: Decimal(engine.budget()["held"]) == 0, "the hold is settled")
    # What was sent cannot be known, and the provider may bill all of it.
    assert Decimal(engine.budget()["spent"]) == held > OPENAI_COST


def test_near_its_ceiling_an_interactive_call_goes_out_to_the_declared_stand_in(
    provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    engine = engine_of(limit="0.0300", ladder="[{at: 1%, do: degrade}]")
    configured(engine.url)

    with sg.task("writer", tenant="acme", tier="interactive") as task, openai_client(provider) as client:
        guarded = sg.wrap(client)
        first = guarded.chat.completions.create(**OPENAI)
        until(lambda: task.decision is not None and task.decision.action == "degrade", "the step is heard of")
        second = guarded.chat.completions.create(**OPENAI)
        needs_tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
        third = guarded.chat.completions.create(**OPENAI, tools=needs_tools)

    # 1 % of 0.03 is 0.0003; the first call has cost 0.000525. The stand-in is not declared to know tools.
    assert [first.model, second.model, third.model] == ["gpt-4o", "gpt-4o-mini", "gpt-4o"]


def test_a_budget_in_code_lowers_the_ceiling_of_its_task(
    provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    configured(engine_of().url)
    with (
        openai_client(provider) as client,
        sg.task("writer", tenant="acme", budget="0.0001 USD"),
        pytest.raises(sg.BudgetExceeded, match="task budget"),
    ):
        openai_call(sg.wrap(client))


def test_a_budget_that_the_engine_cannot_use_lifts_no_ceiling(
    provider: Provider, engine_of: Engines, configured: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    configured(engine_of(limit="0.000001").url)
    with (
        openai_client(provider) as client,
        sg.task("writer", tenant="acme", budget="5 EUR"),
        pytest.raises(sg.BudgetExceeded, match="acme-hour"),
    ):
        openai_call(sg.wrap(client))
    assert any('"5 EUR" is not in the policies' in record.getMessage() for record in caplog.records)


def test_a_call_outside_any_task_is_made_but_not_guarded(
    provider: Provider, engine_of: Engines, configured: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    configured(engine_of(limit="0.000001").url)
    with openai_client(provider) as client:
        openai_call(sg.wrap(client))
    assert len(provider.log().served) == 1
    assert any("outside any task is not guarded" in r.message for r in caplog.records)


def test_wrapping_twice_changes_nothing(provider: Provider) -> None:
    with openai_client(provider) as client:
        send = sg.wrap(client)._client.send
        assert sg.wrap(client)._client.send is send


def test_a_client_whose_calls_would_pass_unseen_is_refused() -> None:
    with (
        anthropic.AnthropicVertex(region="r", project_id="p", access_token="t") as vertex,
        pytest.raises(sg.ConfigError, match="AnthropicVertex is no client of anthropic or openai"),
    ):
        sg.wrap(vertex)


def test_a_client_class_of_one_s_own_is_guarded(
    provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    class Mine(openai.OpenAI):
        pass

    configured(engine_of(limit="0.000001").url)
    with (
        Mine(base_url=provider.openai_url, api_key="sk-test") as client,
        sg.task("writer", tenant="acme"),
        pytest.raises(sg.BudgetExceeded),
    ):
        openai_call(sg.wrap(client))


def test_a_client_of_another_kind_is_refused() -> None:
    with pytest.raises(sg.ConfigError, match=r"builtins\.dict is no client of anthropic or openai"):
        sg.wrap({})


def test_a_denial_comes_back_from_another_process(
    provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    configured(engine_of(limit="0.000001").url)
    with (
        openai_client(provider) as client,
        sg.task("writer", tenant="acme"),
        pytest.raises(sg.BudgetExceeded) as denied,
    ):
        openai_call(sg.wrap(client))
    back = pickle.loads(pickle.dumps(denied.value))  # noqa: S301 - its own
    assert isinstance(back, sg.BudgetExceeded)
    assert back.decision == denied.value.decision
