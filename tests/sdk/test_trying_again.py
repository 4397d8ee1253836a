"""A call that fails in passing is tried again by the guard alone: one call, several attempts, each at its moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import anthropic
import openai
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from provider_clients import (
    ANTHROPIC_COST,
    OPENAI_COST,
    anthropic_call,
    anthropic_client,
    async_anthropic_call,
    async_anthropic_client,
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
    pytest.param("openai", openai_client, openai_call, OPENAI_COST, id="openai"),
    pytest.param("openai", openai_client, openai_stream, OPENAI_COST, id="openai stream"),
    pytest.param("openai", async_openai_client, async_openai_call, OPENAI_COST, id="openai async"),
    pytest.param("openai", async_openai_client, async_openai_stream, OPENAI_COST, id="openai async stream"),
    pytest.param("anthropic", anthropic_client, anthropic_call, ANTHROPIC_COST, id="anthropic"),
    pytest.param(
        "anthropic", async_anthropic_client, async_anthropic_call, ANTHROPIC_COST, id="anthropic async"
    ),
]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shortest wait before a retry is half a second: here a hundredth. Nobody makes spans but the test."""
    monkeypatch.setenv("ANTHROPIC_OPEN_TELEMETRY", "false")
    monkeypatch.setattr("switchgear.guard.retries._BASE_S", 0.01)


def attempts(spans: InMemorySpanExporter) -> int:
    """The number that stands on the span of the call."""
    (span,) = (each for each in spans.get_finished_spans() if each.name == "call")
    assert span.attributes is not None
    return int(str(span.attributes["switchgear.attempt"]))


def run(call: Callable[[Any], Any], client: Any) -> None:
    async def asynchronous() -> None:
        async with client:
            await call(client)

    if asyncio.iscoroutinefunction(call):
        asyncio.run(asynchronous())
    else:
        with client:
            call(client)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("name", "client_of", "call", "cost"), WAYS)
def test_a_refusal_in_passing_is_another_attempt_of_the_same_call(
    name: str,
    client_of: Any,
    call: Any,
    cost: Decimal,
    status: int,
    provider: Provider,
    engine_of: Engines,
    configured: Configure,
    spans: InMemorySpanExporter,
) -> None:
    engine = engine_of()
    tracer = configured(engine.url).get_tracer("tests")
    provider.fail_next(name, status, retry_after_s=0.01)

    with sg.task("writer", tenant="acme"), tracer.start_as_current_span("call"):
        run(call, sg.wrap(client_of(provider)))

    assert (len(provider.refused), len(provider.served)) == (1, 1)
    until(lambda: Decimal(engine.budget()["held"]) == 0, "both holds are given back or settled")
    assert Decimal(engine.budget()["spent"]) == cost
    assert attempts(spans) == 2


@pytest.mark.parametrize(("name", "client_of", "call", "cost"), WAYS)
def test_a_client_s_own_number_of_retries_holds_and_its_sdk_adds_none(
    name: str,
    client_of: Any,
    call: Any,
    cost: Decimal,
    provider: Provider,
    engine_of: Engines,
    configured: Configure,
) -> None:
    configured(engine_of().url)
    provider.fail_next(name, 500, times=20)
    client = client_of(provider)
    client.max_retries = 3
    failed = (openai.InternalServerError, anthropic.InternalServerError)
    with sg.task("writer", tenant="acme"), pytest.raises(failed):
        run(call, sg.wrap(client))
    # Three retries: four requests.
    assert len(provider.refused) == 4


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_behind_a_guarded_http_client_the_sdk_does_not_multiply_retries(
    name: str, provider: Provider, engine_of: Engines, configured: Configure, *, asynchronous: bool
) -> None:
    configured(engine_of().url, max_retries=1)
    provider.fail_next(name, 500, times=20)
    http = sg.http_client(for_=name, asynchronous=asynchronous)  # type: ignore[arg-type]
    kinds: dict[tuple[str, bool], tuple[Any, Any, str]] = {
        ("openai", False): (openai.OpenAI, openai_call, provider.openai_url),
        ("openai", True): (openai.AsyncOpenAI, async_openai_call, provider.openai_url),
        ("anthropic", False): (anthropic.Anthropic, anthropic_call, provider.anthropic_url),
        ("anthropic", True): (anthropic.AsyncAnthropic, async_anthropic_call, provider.anthropic_url),
    }
    kind, call, url = kinds[name, asynchronous]
    failed = (openai.InternalServerError, anthropic.InternalServerError)
    with sg.task("writer", tenant="acme"), pytest.raises(failed):
        run(call, kind(base_url=url, api_key="sk-test", http_client=http))
    # The SDK would try three times by itself, each of them twice: six.
    assert len(provider.refused) == 2


@pytest.mark.parametrize(("name", "client_of", "call", "cost"), WAYS)
def test_a_connection_that_is_refused_is_the_sdk_s_own_error_after_the_guard_s_attempts(
    name: str,
    client_of: Any,
    call: Any,
    cost: Decimal,
    provider: Provider,
    engine_of: Engines,
    configured: Configure,
    spans: InMemorySpanExporter,
) -> None:
    engine = engine_of()
    tracer = configured(engine.url).get_tracer("tests")
    client = client_of(provider)
    client.base_url = "http://127.0.0.1:9"
    failed = (openai.APIConnectionError, anthropic.APIConnectionError)
    with (
        sg.task("writer", tenant="acme"),
        tracer.start_as_current_span("call"),
        pytest.raises(failed),
    ):
        run(call, sg.wrap(client))
    until(lambda: Decimal(engine.budget()["held"]) == 0, "the holds are given back")
    # Nothing was sent, nothing can be billed.
    assert Decimal(engine.budget()["spent"]) == 0
    assert attempts(spans) == 3


def test_without_the_engine_a_workload_that_only_retries_is_stopped_by_the_process_s_own_budget(
    provider: Provider, configured: Configure
) -> None:
    configured("http://127.0.0.1:9")
    provider.fail_next("openai", 429, times=100, retry_after_s=0.01)
    with sg.task("writer", tenant="acme"), openai_client(provider) as client:
        guarded = sg.wrap(client)
        for _ in range(6):
            with pytest.raises(openai.RateLimitError):
                openai_call(guarded)
    # Six calls, and no more than five retries a minute for so few calls: not 6 x 3 = 18.
    assert len(provider.refused) == 6 + 5


def test_where_a_call_cannot_be_tried_in_time_the_refusal_is_the_answer(
    provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    configured(engine_of().url, patience_batch_s=1.0)
    provider.fail_next("openai", 429, times=3, retry_after_s=60)
    with sg.task("writer", tenant="acme", tier="batch"), openai_client(provider) as client:
        guarded = sg.wrap(client)
        with pytest.raises(openai.RateLimitError):
            openai_call(guarded)
    assert len(provider.refused) == 1


def test_without_the_engine_a_throttled_call_waits_as_its_provider_asks(
    provider: Provider, configured: Configure
) -> None:
    configured("http://127.0.0.1:9")
    provider.fail_next("openai", 429, retry_after_s=0.01)
    with sg.task("writer", tenant="acme"), openai_client(provider) as client:
        openai_call(sg.wrap(client))
    assert (len(provider.refused), len(provider.served)) == (1, 1)
