"""A real cache behind the providers' own SDKs: what is reworded is served, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from certifying import WAYS, Asking
from opentelemetry.sdk.trace import TracerProvider
from provider_clients import anthropic_client, openai_client

import switchgear as sg
from switchgear import testing
from switchgear.testing import Provider

Cached = Literal["off", "shadow", "exact", "on"]
Ask = Callable[..., str | None]
ASKED, REWORDED = WAYS[0].format(77), WAYS[1].format(77)
TOOL = {"name": "f", "description": "", "input_schema": {"type": "object"}}
FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {}}}


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Asking:
    def number_of(wording: str) -> str:
        return "".join(each for each in wording if each.isdigit())

    made = Asking(tmp_path_factory.mktemp("once") / "kept", model=number_of)
    made.certify()
    made.cache.close()
    return made


@pytest.fixture(params=["openai", "anthropic"])
def sdk(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ask(
    sdk: str,
    provider: Provider,
    certified: Asking,
    tmp_path: Path,
    configured: Callable[..., TracerProvider],
) -> Iterator[Ask]:
    """Asks by that SDK in the mode that is named; how it was served, None: the provider was asked."""
    certified.chance = lambda: 0.99
    cache = certified.copied(tmp_path / "kept").cache
    of = anthropic_client if sdk == "anthropic" else openai_client
    with testing.decisions() as engine, of(provider) as client:
        configured(engine.url, cache=cache)

        def asked(
            wording: str,
            *,
            tenant: str = "acme",
            workload: str = "support",
            mode: Cached = "on",
            **changed: Any,
        ) -> str | None:
            before = len(provider.served)
            with sg.task(workload, tenant=tenant):
                served = _asked(sg.wrap(client, cache=mode), sdk, wording, changed)
            assert sg.flush()
            assert (served is None) == (len(provider.served) == before + 1)
            return served

        yield asked
        sg.shutdown(2)
    cache.close()


def _asked(client: Any, sdk: str, wording: str, changed: dict[str, Any]) -> str | None:
    turns = [{"role": "user", "content": wording}]
    system, streamed, tools = (
        changed.pop("system", None),
        changed.get("stream", False),
        changed.pop("tools", False),
    )
    sent: dict[str, Any] = {"max_tokens": 4000, **changed}
    if sdk == "openai":
        before = [{"role": "system", "content": system}] if system else []
        sent = {"model": "gpt-4o", "temperature": 0, "messages": before + turns, **sent}
        sent |= {"tools": [FUNCTION]} if tools else {}
        raw = client.chat.completions.with_raw_response.create(**sent)
    else:
        sent["extra_body"] = {"temperature": sent.pop("temperature", 0)}
        sent = {"model": "claude-haiku-4-5", "messages": turns, **sent}
        sent |= ({"system": system} if system else {}) | ({"tools": [TOOL]} if tools else {})
        raw = client.messages.with_raw_response.create(**sent)
    if streamed:
        for _ in raw.parse():
            pass
    else:
        raw.parse()
    found = raw.headers.get("x-switchgear-cache")
    return None if found is None else str(found)


def test_what_was_asked_is_served_again_and_reworded(ask: Ask) -> None:
    assert [ask(wording) for wording in (ASKED, ASKED, REWORDED)] == [None, "exact", "semantic"]


CHANGES: dict[str, dict[str, Any]] = {
    "tenant": {"tenant": "globex"},
    "workload": {"workload": "sales"},
    "system prompt": {"system": "Answer in rhymes."},
    "tools": {"tools": True},
    "temperature": {"temperature": 0.7},
    "max_tokens": {"max_tokens": 3999},
    "streamed": {"stream": True},
    "shadow": {"mode": "shadow"},
    "off": {"mode": "off"},
}
OTHER_MODEL = {"openai": "gpt-4o-mini", "anthropic": "claude-haiku-4-5-20251001"}


def test_whatever_else_is_changed_is_asked_of_the_provider(ask: Ask, sdk: str) -> None:
    changes = {**CHANGES, "model": {"model": OTHER_MODEL[sdk]}}
    served = {}
    for order, (name, changed) in enumerate(changes.items(), 100):
        assert ask(WAYS[0].format(order)) is None
        # What a call in shadow was answered is kept for others, too.
        served[name] = ask(WAYS[1].format(order), **changed), ask(WAYS[2].format(order))
    assert served == dict.fromkeys(changes, (None, "semantic"))


def test_a_stream_is_served_as_a_stream_and_reworded(ask: Ask) -> None:
    said = [ask(wording, stream=True) for wording in (ASKED, ASKED, REWORDED)]
    assert said == [None, "exact", "semantic"]


def test_another_value_or_another_deed_is_asked_of_the_provider(ask: Ask) -> None:
    ask(ASKED)
    others = (WAYS[0].format(78), WAYS[1].format(79), "Cancel order 77 now")
    assert [ask(other) for other in others] == [None, None, None]


def test_exact_serves_no_meaning(ask: Ask) -> None:
    ask(ASKED)
    assert [ask(REWORDED, mode="exact"), ask(ASKED, mode="exact")] == [None, "exact"]


def test_an_odd_request_is_asked_and_served_as_any(ask: Ask) -> None:
    for odd in ("\u202eأين؟", "\0", "x" * 100_000):
        assert ask(odd) is None
        assert ask(odd) == "exact"
