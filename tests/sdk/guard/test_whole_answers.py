"""An answer that is no stream is counted as exactly when its caller takes it as it comes."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import openai
import pytest
from opentelemetry.sdk.trace import TracerProvider
from provider_clients import (
    ANTHROPIC,
    ANTHROPIC_COST,
    OPENAI,
    OPENAI_COST,
    anthropic_call,
    anthropic_client,
    anthropic_stream,
    async_anthropic_client,
    async_openai_client,
    openai_client,
)
from waiting import until

import switchgear as sg
from switchgear.clients import taps
from switchgear.export import Recorder
from switchgear.testing import Provider

Engines = Callable[..., Any]
Configure = Callable[..., TracerProvider]

BODY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4o",
    "choices": [],
    "usage": {"prompt_tokens": 10, "completion_tokens": 50, "total_tokens": 60},
}


def openai_whole(provider: Provider) -> None:
    with openai_client(provider) as own:
        completions = sg.wrap(own).chat.completions
        with completions.with_streaming_response.create(**OPENAI) as response:
            assert response.parse().usage.completion_tokens == 50


def anthropic_whole(provider: Provider) -> None:
    with anthropic_client(provider) as own:
        messages = sg.wrap(own).messages
        with messages.with_streaming_response.create(**ANTHROPIC) as response:
            assert response.parse().usage.output_tokens == 50


def openai_whole_async(provider: Provider) -> None:
    async def agent() -> None:
        async with async_openai_client(provider) as own:
            completions = sg.wrap(own).chat.completions
            async with completions.with_streaming_response.create(**OPENAI) as response:
                await response.read()

    asyncio.run(agent())


def anthropic_whole_async(provider: Provider) -> None:
    async def agent() -> None:
        async with async_anthropic_client(provider) as own:
            messages = sg.wrap(own).messages
            async with messages.with_streaming_response.create(**ANTHROPIC) as response:
                await response.read()

    asyncio.run(agent())


def spends(engine: Any) -> Decimal:
    until(lambda: engine.budget()["calls_in_flight"] == 0, "the call is settled")
    return Decimal(engine.budget()["spent"])


@pytest.mark.parametrize(
    ("make", "cost"),
    [
        (openai_whole, OPENAI_COST),
        (openai_whole_async, OPENAI_COST),
        (anthropic_whole, ANTHROPIC_COST),
        (anthropic_whole_async, ANTHROPIC_COST),
    ],
)
def test_a_whole_answer_that_is_taken_as_it_comes_counts_at_what_it_cost(
    make: Callable[[Provider], None],
    cost: Decimal,
    provider: Provider,
    engine_of: Engines,
    configured: Configure,
) -> None:
    engine = engine_of()
    configured(engine.url)
    with sg.task("writer", tenant="acme"):
        make(provider)
    assert spends(engine) == cost


def packed(_request: httpx.Request) -> httpx.Response:
    headers = {"content-type": "Application/JSON; charset=utf-8", "content-encoding": "gzip"}
    return httpx.Response(
        200, headers=headers, stream=httpx.ByteStream(gzip.compress(json.dumps(BODY).encode()))
    )


@pytest.mark.parametrize(
    ("longest", "read", "known"),
    [
        pytest.param(4 << 20, True, True, id="packed"),
        pytest.param(10, True, False, id="too long to be kept"),
        pytest.param(4 << 20, False, False, id="never read"),
    ],
)
def test_an_answer_is_counted_from_its_copy_and_at_its_hold_where_that_is_not_whole(
    longest: int,
    read: bool,  # noqa: FBT001
    known: bool,  # noqa: FBT001
    engine_of: Engines,
    configured: Configure,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(taps, "_LONGEST_DOCUMENT", longest)
    engine = engine_of()
    configured(engine.url)
    http = httpx.Client(transport=httpx.MockTransport(packed))
    with sg.task("writer", tenant="acme"), openai.OpenAI(api_key="sk-test", http_client=http) as own:
        completions = sg.wrap(own).chat.completions
        with completions.with_streaming_response.create(**OPENAI) as response:
            if read:
                # Whatever is kept, the caller gets all of it.
                assert json.loads(response.read()) == BODY
    spent = spends(engine)
    assert (spent == OPENAI_COST) if known else (spent > OPENAI_COST)


@pytest.mark.parametrize("make", [anthropic_stream, anthropic_call], ids=["streamed", "whole"])
def test_a_record_says_in_which_tier_its_call_was_served(
    make: Callable[[Any], None], provider: Provider, configured: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiers: list[str | None] = []
    monkeypatch.setattr(Recorder, "call", lambda *_, service_tier, **__: tiers.append(service_tier))
    configured()
    with sg.task("writer", tenant="acme"), anthropic_client(provider) as own:
        make(sg.wrap(own))
    assert tiers == ["standard"]
