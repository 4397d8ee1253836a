"""A cache that fails, hangs or has what cannot be replayed hurts no call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from cacheable import CHAT, WAYS, Way
from kept_answers import Remembering
from opentelemetry.sdk.trace import TracerProvider
from provider_clients import openai_client
from waiting import until

import switchgear as sg
from switchgear import testing
from switchgear.cache import Answer, Look, Namespace, Outcome, Question, Terms
from switchgear.testing import Provider

Configure = Callable[..., TracerProvider]


def post(client: Any, body: dict[str, Any], **options: Any) -> Any:
    """What the HTTP client of an SDK's client gets, as that sends it."""
    http = client._client
    return http.send(http.build_request("POST", f"{client.base_url}chat/completions", json=body), **options)


class Failing(Remembering):
    """Raises wherever it is asked to."""

    def __init__(self, *where: str) -> None:
        super().__init__(looks_by_thread="look" in where)
        self.where = where

    def quick(self, where: Namespace, question: Question, terms: Terms, now: datetime) -> Look | None:
        self._fail("quick")
        return super().quick(where, question, terms, now)

    def look(self, where: Namespace, question: Question, terms: Terms, now: datetime) -> Look:
        self._fail("look")
        return super().look(where, question, terms, now)

    def learn(self, ticket: str, answer: Answer | None, now: datetime) -> Outcome:
        self._fail("learn")
        return super().learn(ticket, answer, now)

    def close(self) -> None:
        self._fail("close")

    def _fail(self, at: str) -> None:
        if at in self.where:
            raise RuntimeError("the secret of the tenant")


@pytest.mark.parametrize(
    "where", [("quick",), ("look",), ("learn",), ("quick", "look", "learn", "close")], ids=str
)
@pytest.mark.parametrize(
    "way", [WAYS["openai"], WAYS["openai stream"], WAYS["openai async"]], ids=["", "stream", "async"]
)
def test_a_cache_that_fails_hurts_no_call_and_is_told_of_once_a_minute(
    way: Way,
    where: tuple[str, ...],
    provider: Provider,
    configured: Configure,
    decisions: testing.Engine,
    caplog: pytest.LogCaptureFixture,
) -> None:
    configured(decisions.url, cache=Failing(*where))
    with sg.task("writer", tenant="acme"):
        said = {way.ask(provider, cache="on") for _ in range(3)}
    assert sg.flush()
    assert len(said) == 1
    assert len(provider.served) == len(decisions.settled) == 3
    told = [record.getMessage() for record in caplog.records if "the cache" in record.getMessage()]
    assert len(told) == 1
    assert "RuntimeError" in told[0]
    assert "secret" not in told[0]


@pytest.mark.parametrize("way", [WAYS["openai"], WAYS["openai async stream"]], ids=["sync", "async"])
def test_a_cache_that_hangs_holds_a_call_up_for_a_second_and_then_is_left_alone(
    way: Way,
    provider: Provider,
    configured: Configure,
    decisions: testing.Engine,
    cache: Remembering,
    caplog: pytest.LogCaptureFixture,
) -> None:
    go_on = threading.Event()

    def hang(_: Question) -> None:
        go_on.wait(20)

    cache.looks_by_thread, cache.finds = True, hang
    configured(decisions.url, cache=cache)
    with sg.task("writer", tenant="acme"):
        for _ in range(2):
            assert way.ask(provider, cache="on")
    assert len(provider.served) == 2
    assert len(cache.asked) == 1
    assert [r.getMessage() for r in caplog.records if "says nothing" in r.getMessage()] == [
        "the cache says nothing within 1 s: calls are made without it"
    ]
    go_on.set()
    until(lambda: cache.learned == [None], "the ticket of the late look-up is given back")


@pytest.mark.parametrize(
    "answer",
    [
        Answer("text/event-stream", b"data: [DONE]\n\n", "x"),
        Answer("application/json\r\nx-evil: 1", b"{}", "x"),
        Answer("täxt", b"{}", "x"),
    ],
    ids=["another form", "a header of its own", "no ASCII"],
)
def test_what_cannot_be_replayed_never_breaks_the_http_client(
    answer: Answer, provider: Provider, configured: Configure, decisions: testing.Engine
) -> None:
    cache = Remembering(finds=lambda _: Look(Outcome.SEMANTIC, answer))
    configured(decisions.url, cache=cache)
    with sg.task("writer", tenant="acme"), openai_client(provider) as client:
        sg.wrap(client, cache="on")
        response = post(client, CHAT)
        response.read()
    assert response.status_code == 200
    assert "x-evil" not in response.headers
