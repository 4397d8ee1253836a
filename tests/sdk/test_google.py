"""google-genai's client under guard: what is read from its requests, whose retries count, and what is no call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from math import inf
from typing import Any

import pytest
from cloud_clients import TEXT, google_client
from cloud_rates import CLOUD_RATES, GEMINI
from google import genai
from google.genai import errors, types
from opentelemetry.sdk.trace import TracerProvider
from waiting import until

import switchgear as sg
from switchgear.request import Api, CallRequest, read
from switchgear.testing import Provider

Engines = Callable[..., Any]
Configure = Callable[..., TracerProvider]

FIVE = types.HttpRetryOptions(attempts=5, initial_delay=0.0, max_delay=0.0, jitter=0.0)
TWO = types.HttpRetryOptions(attempts=2)
LIMITED = {"max_output_tokens": 100}
PATH = "/v1beta/models/gemini-2.5-flash:generateContent"
VERTEX = "/v1beta1/projects/p/locations/eu/publishers/google/models/gemini-2.5-flash"


def call(path: str = PATH, **body: Any) -> CallRequest:
    found = read("google", "POST", path, json.dumps(body).encode())
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("path", "api"),
    [
        (PATH, Api.GENERATE),
        ("/v1beta/models/gemini-2.5-flash:streamGenerateContent", Api.GENERATE),
        (f"{VERTEX}:generateContent", Api.GENERATE),
        (f"{VERTEX}:embedContent", Api.EMBEDDINGS),
        ("/v1beta/models/gemini-2.5-flash:batchEmbedContents", Api.EMBEDDINGS),
        (f"{VERTEX}:predict", Api.PREDICT),
    ],
)
def test_the_path_says_which_model_is_called(path: str, api: Api) -> None:
    found = call(path)
    assert (found.api, found.model, found.routed) == (api, "gemini-2.5-flash", True)


@pytest.mark.parametrize(
    "path",
    [
        "/v1beta/models/gemini-2.5-flash:countTokens",
        f"{VERTEX}:computeTokens",
        "/v1beta/models",
        "/v1beta/cachedContents",
        "/v1beta/models/gemini-2.5-flash:batchGenerateContent",
        f"{VERTEX}:predictLongRunning",
    ],
)
def test_what_counts_or_comes_later_is_no_call(path: str) -> None:
    assert read("google", "POST", path, b"{}") is None


@pytest.mark.parametrize(
    ("body", "most"),
    [
        ({}, None),
        ({"generationConfig": {"maxOutputTokens": 100}}, 100),
        ({"generationConfig": {"maxOutputTokens": 100, "candidateCount": 3}}, 300),
    ],
)
def test_the_limit_is_of_all_candidates_together(body: dict[str, Any], most: int | None) -> None:
    assert call(**body).max_output_tokens == most
    assert call(f"{VERTEX}:embedContent", **body).max_output_tokens == 0


@pytest.mark.parametrize(
    ("body", "needs"),
    [
        ({"tools": [{"functionDeclarations": []}]}, ["tools"]),
        ({"generationConfig": {"responseMimeType": "application/json"}}, ["schema"]),
        ({"generationConfig": {"thinkingConfig": {"thinkingBudget": 512}}}, ["thinking"]),
        ({"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}, ["thinking"]),
        ({"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}}, []),
        ({"generationConfig": {"temperature": 0}}, []),
    ],
)
def test_what_a_stand_in_must_be_able_to_do(body: dict[str, Any], needs: list[str]) -> None:
    assert call(**body).needs == needs


def test_a_lower_limit_leaves_all_else_as_it_was() -> None:
    config = {"temperature": 0, "maxOutputTokens": 100, "candidateCount": 2}
    content = call(contents=[], generationConfig=config).rewritten(model="other", max_output_tokens=80)
    assert content is not None
    assert json.loads(content) == {"contents": [], "generationConfig": {**config, "maxOutputTokens": 40}}


def test_a_limit_that_thinking_would_use_up_is_not_set() -> None:
    config = {"maxOutputTokens": 1000, "thinkingConfig": {"thinkingBudget": 512}}
    assert call(generationConfig=config).rewritten(max_output_tokens=500) is None


def test_thoughts_count_as_output_and_the_cached_part_at_its_own_rate(
    provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    engine = engine_of()
    configured(engine.url)
    text = "Summarise this. [[demo output=50 cached=4 reasoning=20]]".ljust(64)

    with sg.task("writer", tenant="acme"), closing(google_client(provider)) as client:
        for _ in sg.wrap(client).models.generate_content_stream(model=GEMINI, contents=text, config=LIMITED):
            pass

    until(lambda: engine.runtime.engine.unbooked.overdue(inf), "the call is settled")
    (settlement,) = (each.to_wire() for each in engine.runtime.engine.unbooked.overdue(inf))
    usage = settlement["usage"]
    # 64 characters are 16 tokens.
    assert [usage[name] for name in ("input_uncached", "cache_read", "output", "reasoning")] == [
        12,
        4,
        50,
        20,
    ]
    rates = CLOUD_RATES[GEMINI]
    cost = (12 * rates.input + 4 * rates.cache_read + 50 * rates.output) / 1_000_000
    assert Decimal(engine.budget()["spent"]) == cost


def test_the_result_says_which_model_it_was_to_be(
    provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    engine = engine_of(limit="0.01", ladder="[{at: 1%, do: degrade}]")
    configured(engine.url)
    with sg.task("writer", tenant="acme"), closing(google_client(provider)) as client:
        first = sg.wrap(client).models.generate_content(model=GEMINI, contents=TEXT, config=LIMITED)
        until(lambda: Decimal(engine.budget()["spent"]) > 0, "the first call is settled")
        second = client.models.generate_content(model=GEMINI, contents=TEXT, config=LIMITED)

    assert (first.model_version, second.model_version) == (GEMINI, f"{GEMINI}-lite")
    assert second.sdk_http_response is not None
    assert (second.sdk_http_response.headers or {})["x-switchgear-degraded-from"] == GEMINI


@pytest.mark.parametrize(
    ("client_options", "call_options", "attempts"),
    [
        pytest.param({"retry_options": TWO}, {}, 2, id="the client's options say how often"),
        pytest.param({}, {"retry_options": FIVE}, 1, id="a call's own do not"),
    ],
)
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_only_the_guard_tries_a_call_again(
    client_options: dict[str, Any],
    call_options: dict[str, Any],
    attempts: int,
    *,
    asynchronous: bool,
    provider: Provider,
    engine_of: Engines,
    configured: Configure,
) -> None:
    configured(engine_of().url, max_retries=0)
    provider.fail_next("google", 503, times=5, retry_after_s=0.0)
    config = types.GenerateContentConfig(
        max_output_tokens=100, http_options=types.HttpOptions(**call_options) if call_options else None
    )

    async def asynchronously(client: genai.Client) -> None:
        async with client.aio as aio:
            await aio.models.generate_content(model=GEMINI, contents=TEXT, config=config)

    def make(client: genai.Client) -> None:
        if asynchronous:
            asyncio.run(asynchronously(client))
        else:
            client.models.generate_content(model=GEMINI, contents=TEXT, config=config)

    with (
        sg.task("writer", tenant="acme"),
        closing(sg.wrap(google_client(provider, **client_options))) as client,
        pytest.raises(errors.ServerError),
    ):
        make(client)

    assert len(provider.log().refused) == attempts


def test_counting_tokens_is_not_denied(provider: Provider, engine_of: Engines, configured: Configure) -> None:
    configured(engine_of(limit="0.000001").url)
    with sg.task("writer", tenant="acme"), closing(sg.wrap(google_client(provider))) as client:
        # The local provider does not know how to; what counts here is that it was asked.
        with pytest.raises(errors.ClientError, match="no route POST"):
            client.models.count_tokens(model=GEMINI, contents=TEXT)
        with pytest.raises(sg.BudgetExceeded):
            client.models.generate_content(model=GEMINI, contents=TEXT)


def test_where_aiohttp_is_installed_the_async_half_goes_by_httpx_all_the_same(
    provider: Provider, engine_of: Engines, configured: Configure
) -> None:
    engine = engine_of(limit="0.000001")
    configured(engine.url)
    client = google_client(provider)
    client._api_client._use_aiohttp = lambda: True  # type: ignore[method-assign]

    async def asynchronously() -> None:
        async with sg.wrap(client.aio) as aio:
            await aio.models.generate_content(model=GEMINI, contents=TEXT)

    with sg.task("writer", tenant="acme"), closing(client), pytest.raises(sg.BudgetExceeded):
        asyncio.run(asynchronously())


def test_a_client_whose_calls_would_go_by_a_session_of_its_user_s_own_is_refused(provider: Provider) -> None:
    with closing(google_client(provider)) as client:
        api = client._api_client
        api._use_aiohttp = lambda: True  # type: ignore[method-assign]
        api._http_options.aiohttp_client = object()
        with pytest.raises(sg.ConfigError, match="httpx_async_client"):
            sg.wrap(client)
