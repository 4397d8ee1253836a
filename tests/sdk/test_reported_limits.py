"""What a provider says of its limits in its answers' headers goes to the engine with the end of each guarded call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from provider_clients import (
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
from switchgear import testing
from switchgear.control import Control
from switchgear.testing import Provider

Engines = Callable[..., Any]
Configure = Callable[..., TracerProvider]

OPENAI_SAYS = {
    "x-ratelimit-limit-requests": "600",
    "x-ratelimit-limit-tokens": "90000",
    "x-ratelimit-remaining-tokens": "89000",
    "x-ratelimit-reset-tokens": "1s",
}
ANTHROPIC_SAYS = {
    "anthropic-ratelimit-requests-limit": "600",
    "anthropic-ratelimit-input-tokens-limit": "70000",
    "anthropic-ratelimit-output-tokens-limit": "20000",
}
BESIDE = {"x-request-id": "req_1", "openai-organization": "acme-inc", "set-cookie": "session=secret"}


@pytest.fixture
def headers() -> dict[str, str]:
    """What each of the provider's answers says: put in by the test."""
    return {}


@pytest.fixture
def provider(headers: dict[str, str]) -> Iterator[Provider]:
    with testing.provider() as running:
        running.headers = headers
        yield running


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Verb and body of each attempt's end, as they go to the engine, which is sent them all the same."""
    seen: list[tuple[str, dict[str, Any]]] = []
    finish, throttled = Control.finish, Control.throttled

    def noting(control: Control, lease: str, verb: str, body: dict[str, Any]) -> None:
        # So do holds go back that no call drew.
        if body != {"calls": 1}:
            seen.append((verb, body))
        finish(control, lease, verb, body)

    def noting_throttled(control: Control, lease: str, body: dict[str, Any]) -> Any:
        seen.append(("release", body))
        return throttled(control, lease, body)

    monkeypatch.setattr(Control, "finish", noting)
    monkeypatch.setattr(Control, "throttled", noting_throttled)
    return seen


def call(make: Any, client_of: Any, provider: Provider) -> None:
    """Make one guarded call of a task, sync or async."""

    async def asynchronous() -> None:
        async with client_of(provider) as client:
            await make(sg.wrap(client))

    with sg.task("writer", tenant="acme"):
        if asyncio.iscoroutinefunction(make):
            asyncio.run(asynchronous())
        else:
            with client_of(provider) as client:
                make(sg.wrap(client))


WAYS = [
    pytest.param(openai_client, openai_call, OPENAI_SAYS, id="openai"),
    pytest.param(openai_client, openai_stream, OPENAI_SAYS, id="openai stream"),
    pytest.param(async_openai_client, async_openai_call, OPENAI_SAYS, id="openai async"),
    pytest.param(async_openai_client, async_openai_stream, OPENAI_SAYS, id="openai async stream"),
    pytest.param(anthropic_client, anthropic_call, ANTHROPIC_SAYS, id="anthropic"),
    pytest.param(anthropic_client, anthropic_stream, ANTHROPIC_SAYS, id="anthropic stream"),
    pytest.param(async_anthropic_client, async_anthropic_call, ANTHROPIC_SAYS, id="anthropic async"),
    pytest.param(async_anthropic_client, async_anthropic_stream, ANTHROPIC_SAYS, id="anthropic async stream"),
]


@pytest.mark.parametrize(("client_of", "make", "says"), WAYS)
def test_the_engine_learns_a_limit_from_a_call_that_was_answered(
    client_of: Any,
    make: Any,
    says: dict[str, str],
    provider: Provider,
    headers: dict[str, str],
    ends: list[tuple[str, dict[str, Any]]],
    engine_of: Engines,
    configured: Configure,
) -> None:
    engine = engine_of()
    configured(engine.url)
    headers.update(says | BESIDE)

    call(make, client_of, provider)

    until(lambda: Decimal(engine.budget()["spent"]) > 0, "the hold is settled")
    ((verb, body),) = ends
    assert (verb, body["headers"]) == ("settle", says)
    (share,) = engine.client.get("/v1/shares").json()["providers"]
    # Anthropic names input and output apart: 70,000 + 20,000.
    learned = share["learned_requests_per_minute"], share["learned_tokens_per_minute"]
    assert learned == (600, 90_000)


@pytest.mark.parametrize(
    ("client_of", "make", "name"),
    [
        pytest.param(openai_client, openai_call, "openai", id="openai"),
        pytest.param(async_openai_client, async_openai_stream, "openai", id="openai async stream"),
        pytest.param(anthropic_client, anthropic_call, "anthropic", id="anthropic"),
        pytest.param(
            async_anthropic_client, async_anthropic_stream, "anthropic", id="anthropic async stream"
        ),
    ],
)
def test_a_throttled_attempt_tells_what_the_refusal_said(
    client_of: Any,
    make: Any,
    name: str,
    provider: Provider,
    headers: dict[str, str],
    ends: list[tuple[str, dict[str, Any]]],
    engine_of: Engines,
    configured: Configure,
) -> None:
    engine = engine_of()
    configured(engine.url)
    headers.update({"retry-after-ms": "20", "x-ratelimit-remaining-requests": "0"} | BESIDE)
    provider.fail_next(name, 429, retry_after_s=0.02)

    call(make, client_of, provider)

    until(lambda: Decimal(engine.budget()["spent"]) > 0, "the second attempt is settled")
    (verb, body), (then, _) = ends
    assert (verb, then) == ("release", "settle")
    assert body == {
        "calls": 1,
        "throttled_for_s": 0.02,
        "headers": {"retry-after": "0.02", "retry-after-ms": "20", "x-ratelimit-remaining-requests": "0"},
    }


def test_what_a_provider_says_at_too_great_length_costs_no_settlement(
    provider: Provider,
    headers: dict[str, str],
    ends: list[tuple[str, dict[str, Any]]],
    engine_of: Engines,
    configured: Configure,
) -> None:
    engine = engine_of()
    configured(engine.url)
    fits = {"x-ratelimit-a": "v" * 256}
    too_long = {"x-ratelimit-b": "v" * 257, "x-ratelimit-" + "n" * 245: "v"}
    many = {f"x-ratelimit-{n}": "v" for n in range(70)}
    headers.update(fits | too_long | many)

    call(openai_call, openai_client, provider)

    until(lambda: Decimal(engine.budget()["spent"]) > 0, "the hold is settled")
    ((_, body),) = ends
    # The first 64 that fit: `a`, and 63 of the many.
    assert list(body["headers"].items()) == list((fits | many).items())[:64]


def test_where_a_provider_says_nothing_an_engine_that_reads_no_headers_is_sent_none(
    provider: Provider,
    ends: list[tuple[str, dict[str, Any]]],
    engine_of: Engines,
    configured: Configure,
) -> None:
    configured(engine_of().url)
    call(openai_call, openai_client, provider)
    ((_, body),) = ends
    assert set(body) == {"usage", "model", "response_id"}
