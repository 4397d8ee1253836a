"""What goes wrong on either side of a guarded call never stops the agent, and leaves no hold behind."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import openai
import pytest
from answering import answering
from opentelemetry.sdk.trace import TracerProvider
from provider_clients import (
    ANTHROPIC,
    OPENAI,
    anthropic_client,
    async_openai_client,
    openai_call,
    openai_client,
)
from waiting import until

import switchgear as sg
from switchgear.request import read
from switchgear.testing import Provider

Engines = Callable[..., Any]
Configure = Callable[..., TracerProvider]


def test_an_engine_that_is_away_never_stops_an_agent(
    provider: Provider, configured: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    configured("http://127.0.0.1:9")
    with sg.task("writer", tenant="acme"), openai_client(provider) as client:
        guarded = sg.wrap(client)
        openai_call(guarded)
        openai_call(guarded)

    assert len(provider.log().served) == 2
    assert [r.message for r in caplog.records].count(
        "the policy engine is away: calls go out without a hold"
    ) == 1


def nonsense() -> list[Any]:
    decision = {
        "id": "d",
        "action": "allow",
        "reason": "",
        "version": 1,
        "valid_until": "2099-01-01T00:00:00Z",
    }
    bad = [
        {"remaining": "much"},
        {"caps": "none"},
        {"action": "perhaps"},
        {"action": "deny", "valid_until": "2099-01-01"},
    ]
    answers = [{"decision": {**decision, **part}, "grant": None, "etag": "e"} for part in bad]
    return [*answers, [], None, "ok"]


@pytest.mark.parametrize("answer", nonsense())
def test_an_engine_that_answers_nonsense_never_stops_an_agent(
    answer: Any, provider: Provider, configured: Configure
) -> None:
    with answering(json.dumps(answer).encode()) as url, openai_client(provider) as client:
        configured(url)
        with sg.task("writer", tenant="acme"):
            openai_call(sg.wrap(client))
        sg.shutdown(0.2)
    assert len(provider.log().served) == 1


def test_an_engine_that_is_silent_holds_up_one_call_and_not_each(
    provider: Provider, configured: Configure
) -> None:
    with answering(None) as url, openai_client(provider) as client:
        configured(url)
        guarded = sg.wrap(client)
        began = time.monotonic()
        with sg.task("writer", tenant="acme"):
            for _ in range(20):
                openai_call(guarded)
        took = time.monotonic() - began
        sg.shutdown(0.2)
    assert len(provider.log().served) == 20
    # The engine has a second to answer: 20 if each call waited for it.
    assert took < 5


@pytest.mark.parametrize(
    "odd",
    [{"usage": {"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": [1]}}, {"model": 7}],
    ids=["usage", "model"],
)
def test_an_odd_answer_of_the_provider_reaches_the_agent_and_is_settled(
    odd: dict[str, Any], engine_of: Engines, configured: Configure
) -> None:
    engine = engine_of()
    configured(engine.url)
    answer = {"id": "x", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": [], **odd}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    with httpx.Client(transport=transport) as http, sg.task("writer", tenant="acme"):
        client = sg.wrap(openai.OpenAI(api_key="sk-test", http_client=http))
        assert client.chat.completions.create(**OPENAI).id == "x"
    until(lambda: engine.budget()["calls_in_flight"] == 0, "the hold is settled")


def test_an_answer_that_names_itself_by_no_text_keeps_no_other_from_being_settled(
    engine_of: Engines, configured: Configure
) -> None:
    engine = engine_of()
    configured(engine.url)
    # JSON can hold half of a surrogate pair, which no encoding of text can.
    ids = iter(["\ud800", "a", "b"])

    def answered(_: httpx.Request) -> httpx.Response:
        usage = {"prompt_tokens": 10, "completion_tokens": 50}
        body = {"id": next(ids), "model": "gpt-4o", "choices": [], "usage": usage}
        return httpx.Response(200, content=json.dumps(body), headers={"content-type": "application/json"})

    with httpx.Client(transport=httpx.MockTransport(answered)) as http, sg.task("writer", tenant="acme"):
        client = sg.wrap(openai.OpenAI(api_key="sk-test", http_client=http))
        for _ in range(3):
            openai_call(client)
    until(lambda: engine.budget()["calls_in_flight"] == 0, "all three are settled")


def test_an_answer_nested_deeper_than_can_be_read_reaches_the_agent_and_leaves_no_hold(
    engine_of: Engines, configured: Configure
) -> None:
    engine = engine_of()
    configured(engine.url, concurrency=1)
    deep = b"[" * 100_000 + b"]" * 100_000
    answer = httpx.Response(200, content=deep, headers={"content-type": "application/json"})
    with httpx.Client(transport=httpx.MockTransport(lambda _: answer)) as http:
        client = sg.wrap(openai.OpenAI(api_key="sk-test", http_client=http))
        with sg.task("writer", tenant="acme"):
            for _ in range(2):
                assert client.chat.completions.with_raw_response.create(**OPENAI).content == deep
    until(lambda: engine.budget()["calls_in_flight"] == 0, "both are settled")


@pytest.mark.parametrize("granted", [0, 1], ids=["at once", "after the grants came"])
def test_cancelled_calls_leave_no_hold(
    provider: Provider, engine_of: Engines, configured: Configure, granted: int
) -> None:
    engine = engine_of()
    configured(engine.url)

    async def agent() -> None:
        async with async_openai_client(provider) as client, sg.task("writer", tenant="acme"):
            create = sg.wrap(client).chat.completions.create
            calls = [asyncio.create_task(create(**OPENAI)) for _ in range(40)]
            await asyncio.sleep(0.01)
            # The agent's own loop is busy: grants arrive, and nobody has taken them when the calls are cancelled.
            until(lambda: engine.budget()["calls_in_flight"] >= granted, "the engine has granted")
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)

    asyncio.run(agent())
    until(lambda: engine.budget()["calls_in_flight"] == 0, "every hold is given back or settled")


@pytest.mark.parametrize("read", [0, 1], ids=["unread", "left in the middle"])
@pytest.mark.parametrize(
    ("client_of", "create"),
    [
        (openai_client, lambda client: client.chat.completions.create(**OPENAI, stream=True)),
        (anthropic_client, lambda client: client.messages.create(**ANTHROPIC, stream=True)),
    ],
    ids=["openai", "anthropic"],
)
def test_a_stream_that_is_dropped_without_being_closed_is_settled(
    client_of: Any,
    create: Any,
    read: int,
    provider: Provider,
    engine_of: Engines,
    configured: Configure,
) -> None:
    engine = engine_of()
    configured(engine.url)
    with sg.task("writer", tenant="acme"), client_of(provider) as client:
        stream = create(sg.wrap(client))
        for _ in range(read):
            next(iter(stream))
        assert Decimal(engine.budget()["spent"]) == 0
        del stream
        gc.collect()
        until(lambda: Decimal(engine.budget()["spent"]) > 0, "the hold is settled")


def test_a_degraded_request_keeps_text_that_is_no_unicode() -> None:
    content = json.dumps({**OPENAI, "messages": [{"role": "user", "content": "\ud800"}]}).encode()
    call = read("openai", "POST", "/v1/chat/completions", content)
    assert call is not None
    assert json.loads(call.rewritten(model="gpt-4o-mini") or b"") == {
        **json.loads(content),
        "model": "gpt-4o-mini",
    }
