"""A guarded call is held, counted or denied whichever way the clouds' own SDKs make it, against a real engine."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from math import inf
from typing import Any

import pytest
from cloud_clients import WAYS, Way
from cloud_rates import CLOUD_RATES
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from waiting import until

import switchgear as sg
from switchgear.testing import Provider

Engines = Callable[..., Any]
Configure = Callable[..., TracerProvider]

every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
STREAMED = {name: way for name, way in WAYS.items() if way.stream is not None}
every_stream = pytest.mark.parametrize("way", STREAMED.values(), ids=STREAMED)


def run(way: Way, provider: Provider) -> None:
    """Make the call, by a guarded client of its own."""
    client = sg.wrap(way.client_of(provider))

    async def asynchronous() -> None:
        async with client.aio:
            await way.call(client)

    with closing(client):
        if asyncio.iscoroutinefunction(way.call):
            asyncio.run(asynchronous())
        else:
            way.call(client)


@every_way
def test_a_call_is_held_and_then_counted_at_what_it_cost(
    way: Way, provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    engine = engine_of(limit="100")
    configured(engine.url)

    with sg.task("writer", tenant="acme") as task:
        run(way, provider)

    until(lambda: Decimal(engine.budget()["held"]) == 0, "the hold is settled")
    assert Decimal(engine.budget()["spent"]) == way.cost
    # What the ledger is told where the call's span does not come.
    (settlement,) = (each.to_wire() for each in engine.runtime.engine.unbooked.overdue(inf))
    assert (settlement["task_id"], settlement["model"]) == (task.id, way.model)
    assert (settlement["usage"]["input_uncached"], settlement["usage"]["output"]) == (10, 50)


@every_way
def test_a_denial_reaches_the_caller_as_itself_and_no_request_is_served(
    way: Way, provider: Provider, engine_of: Engines, configured: Configure, spans: InMemorySpanExporter
) -> None:
    tracer = configured(engine_of(limit="0.000001").url).get_tracer("tests")

    with (
        sg.task("writer", tenant="acme"),
        tracer.start_as_current_span("call"),
        pytest.raises(sg.BudgetExceeded) as denied,
    ):
        run(way, provider)

    assert denied.value.policy == "acme-hour"
    assert provider.log().served == provider.log().refused == ()
    (span,) = (each for each in spans.get_finished_spans() if each.name == "call")
    assert span.attributes is not None
    assert span.attributes["switchgear.attempt"] == 1


@every_way
def test_a_throttled_call_is_tried_again_as_an_attempt_of_its_own(
    way: Way, provider: Provider, engine_of: Engines, configured: Configure, spans: InMemorySpanExporter
) -> None:
    engine = engine_of()
    tracer = configured(engine.url).get_tracer("tests")
    provider.fail_next(way.provider, 429, retry_after_s=0.01)

    with sg.task("writer", tenant="acme"), tracer.start_as_current_span("call"):
        run(way, provider)

    until(lambda: Decimal(engine.budget()["held"]) == 0, "both holds are given back or settled")
    assert Decimal(engine.budget()["spent"]) == way.cost
    (span,) = (each for each in spans.get_finished_spans() if each.name == "call")
    assert span.attributes is not None
    assert span.attributes["switchgear.attempt"] == 2
    assert str(span.attributes["switchgear.lease.id"]).endswith(":1")


@every_way
def test_only_the_guard_tries_again(
    way: Way, provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    engine = engine_of()
    configured(engine.url, max_retries=0)
    provider.fail_next(way.provider, 503, times=5)

    with sg.task("writer", tenant="acme"), pytest.raises(Exception, match="Refused as ordered"):
        run(way, provider)

    until(lambda: Decimal(engine.budget()["held"]) == 0, "the hold is given back")
    assert Decimal(engine.budget()["spent"]) == 0
    assert len(provider.log().refused) == 1


def leave(way: Way, provider: Provider, *, closes: bool) -> None:
    """Take the first event of a stream and no more; close the stream, or drop it."""
    client = sg.wrap(way.client_of(provider))

    async def asynchronous() -> None:
        async with client.aio:
            stream = await begin(client)
            await anext(stream)
            if closes:
                await stream.aclose()
            del stream
            gc.collect()

    begin = way.stream
    assert begin is not None
    with closing(client):
        if asyncio.iscoroutinefunction(begin):
            asyncio.run(asynchronous())
            return
        stream = begin(client)
        next(iter(stream))
        if closes:
            stream.close()
        del stream
        gc.collect()


# botocore leaves the socket open under a stream that is dropped.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@every_stream
@pytest.mark.parametrize("closes", [True, False], ids=["closed", "dropped"])
def test_a_stream_that_is_left_early_counts_at_its_hold(
    way: Way, *, closes: bool, provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    engine = engine_of()
    configured(engine.url)

    with sg.task("writer", tenant="acme"):
        leave(way, provider, closes=closes)
        # While its task goes on nothing else ends the call.
        until(lambda: engine.runtime.engine.unbooked.overdue(inf), "the call is settled")

    until(lambda: Decimal(engine.budget()["held"]) == 0, "the rest of the task's grant is given back")
    # What was sent cannot be known, and the provider may bill all of it.
    assert Decimal(engine.budget()["spent"]) > way.cost


@every_way
def test_near_its_ceiling_a_call_goes_out_to_the_declared_stand_in(
    way: Way, provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    engine = engine_of(limit=str(way.cost * 50), ladder="[{at: 1%, do: degrade}]")
    configured(engine.url)

    with sg.task("writer", tenant="acme", tier="interactive"):
        run(way, provider)
        # The first has spent 2 % of it.
        until(lambda: Decimal(engine.budget()["spent"]) == way.cost, "the first call is settled")
        run(way, provider)

    until(lambda: Decimal(engine.budget()["held"]) == 0, "the second one is settled")
    assert [served.model for served in provider.log().served] == [way.model, way.stand_in]
    rates = CLOUD_RATES[way.stand_in]
    second = (10 * rates.input + 50 * rates.output) / 1_000_000
    assert Decimal(engine.budget()["spent"]) == way.cost + second


def test_wrapping_twice_changes_nothing(provider: Provider) -> None:
    google, bedrock = WAYS["google"].client_of(provider), WAYS["converse"].client_of(provider)
    send = sg.wrap(google)._api_client._httpx_client.send
    make = sg.wrap(bedrock)._make_request
    assert sg.wrap(google.aio) is google.aio
    assert sg.wrap(google)._api_client._httpx_client.send is send
    assert sg.wrap(bedrock)._make_request is make
