"""A call that the cache has an answer to is served, by each provider's SDK, without a request, an attempt or a hold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openai
import pytest
from cacheable import CHAT, QUESTION, WAYS, Way
from kept_answers import Remembering
from langchain_openai import ChatOpenAI
from opentelemetry.sdk.trace import TracerProvider
from provider_clients import openai_client
from waiting import until

import switchgear as sg
from switchgear import testing
from switchgear.cache import Look, Mode, Namespace, Outcome, Terms
from switchgear.testing import Provider

Engines = Callable[..., Any]
Configure = Callable[..., TracerProvider]


@pytest.mark.parametrize("by_thread", [False, True], ids=["at once", "by a thread"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_the_second_of_two_calls_alike_makes_no_request_and_takes_no_hold(
    way: Way, *, by_thread: bool, provider: Provider, configured: Configure, decisions: testing.Engine
) -> None:
    cache = Remembering(looks_by_thread=by_thread)
    configured(decisions.url, cache=cache)
    with sg.task("writer", tenant="acme"):
        first = way.ask(provider, cache="exact")
        assert sg.flush()
        second = way.ask(provider, cache="exact")
    assert sg.flush()

    assert first == second
    assert len(provider.served) == 1
    assert (len(decisions.asked), len(decisions.settled), len(decisions.released)) == (1, 1, 0)
    assert [answer is not None and answer.text == first for answer in cache.learned] == [True]
    assert cache.waiting == 0
    # Whatever takes its time runs in no agent's thread.
    assert cache.threads == {"switchgear-cache"}


def test_what_is_served_costs_nothing_at_the_engine(
    provider: Provider, engine_of: Engines, configured: Configure, cache: Remembering
) -> None:
    engine = engine_of(limit="100")
    configured(engine.url, cache=cache)
    with sg.task("writer", tenant="acme"), openai_client(provider) as client:
        guarded = sg.wrap(client, cache="exact")
        for _ in range(3):
            guarded.chat.completions.create(**CHAT)
            assert sg.flush()
    until(lambda: Decimal(engine.budget()["held"]) == 0, "the hold is settled")
    # 10 tokens in at 2.50 and 50 out at 10.00 USD a million, once.
    assert Decimal(engine.budget()["spent"]) == (10 * Decimal("2.50") + 50 * Decimal("10.00")) / 1_000_000
    assert len(provider.served) == 1


def test_a_chat_model_of_langchains_is_served(
    provider: Provider, configured: Configure, decisions: testing.Engine, cache: Remembering
) -> None:
    configured(decisions.url, cache=cache)
    model = ChatOpenAI(
        model="gpt-4o", base_url=provider.openai_url, api_key="k", temperature=0, timeout=41, max_tokens=100
    )
    sg.wrap(model, cache="exact")
    with sg.task("writer", tenant="acme"):
        asked = [model.invoke(QUESTION).content, model.invoke(QUESTION).content]
        streamed = ["".join(chunk.text for chunk in model.stream(QUESTION)) for _ in range(2) if sg.flush()]
    assert len({*asked, *streamed}) == 1
    # A stream is another form of answer: each form was asked for once.
    assert len(provider.served) == 2


@pytest.mark.parametrize("mode", ["shadow", "exact", "on"])
def test_a_mode_serves_what_it_says_and_learns(
    mode: str, provider: Provider, configured: Configure, decisions: testing.Engine, cache: Remembering
) -> None:
    configured(decisions.url, cache=cache)
    with sg.task("writer", tenant="acme"), openai_client(provider) as client:
        guarded = sg.wrap(client, cache=mode)
        for _ in range(2):
            guarded.chat.completions.create(**CHAT)
    assert len(provider.served) == (2 if mode == "shadow" else 1)
    where, question, terms = cache.asked[0]
    assert where == Namespace("acme", "writer")
    assert question.wording == QUESTION
    assert terms == Terms(Mode(mode))


def test_off_is_as_if_there_were_no_cache(
    provider: Provider, configured: Configure, decisions: testing.Engine, cache: Remembering
) -> None:
    configured(decisions.url, cache=cache)
    with sg.task("writer", tenant="acme"), openai_client(provider) as client:
        guarded = sg.wrap(sg.wrap(client, cache="exact"), cache="off")
        for _ in range(2):
            guarded.chat.completions.create(**CHAT)
    assert (len(provider.served), cache.asked) == (2, [])


def test_wrapped_again_with_a_cache_a_client_has_it(
    provider: Provider, configured: Configure, decisions: testing.Engine, cache: Remembering
) -> None:
    configured(decisions.url, cache=cache)
    with sg.task("writer", tenant="acme"), openai_client(provider) as client:
        for options in ({}, {"cache": "exact"}, {}):
            sg.wrap(client, **options).chat.completions.create(**CHAT)
    # The first asked nobody, the second is the first of which an answer is kept.
    assert (len(provider.served), len(cache.asked)) == (2, 2)


def test_a_guarded_http_client_serves_too(
    provider: Provider, configured: Configure, decisions: testing.Engine, cache: Remembering
) -> None:
    configured(decisions.url, cache=cache)
    http = sg.http_client(for_="openai", cache="exact")
    with (
        openai.OpenAI(base_url=provider.openai_url, api_key="k", http_client=http) as client,
        sg.task("writer", tenant="acme"),
    ):
        for _ in range(2):
            client.chat.completions.create(**CHAT)
    assert len(provider.served) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"messages": [{"role": "system", "content": "Rhyme."}, *CHAT["messages"]]},
        {"max_tokens": 99},
        {"model": "gpt-4o-mini"},
        {"seed": 7},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_call_that_differs_is_not_served(
    changed: dict[str, Any],
    provider: Provider,
    configured: Configure,
    decisions: testing.Engine,
    cache: Remembering,
) -> None:
    configured(decisions.url, cache=cache)
    with sg.task("writer", tenant="acme"), openai_client(provider) as client:
        guarded = sg.wrap(client, cache="on")
        guarded.chat.completions.create(**CHAT)
        guarded.chat.completions.create(**{**CHAT, **changed})
    assert len(provider.served) == 2


def test_the_server_of_another_address_is_another(
    provider: Provider, configured: Configure, decisions: testing.Engine, cache: Remembering
) -> None:
    configured(decisions.url, cache=cache)
    with testing.provider() as other, sg.task("writer", tenant="acme"):
        for at in (provider, other):
            with openai_client(at) as client:
                sg.wrap(client, cache="exact").chat.completions.create(**CHAT)
        assert len(other.served) == 1


@pytest.mark.parametrize(
    ("tenant", "workload"), [("globex", "writer"), ("acme", "reader")], ids=["tenant", "workload"]
)
def test_the_answers_of_another_tenant_or_workload_are_never_served(
    tenant: str,
    workload: str,
    provider: Provider,
    configured: Configure,
    decisions: testing.Engine,
    cache: Remembering,
) -> None:
    configured(decisions.url, cache=cache)
    with openai_client(provider) as client:
        guarded = sg.wrap(client, cache="on")
        for whose in (("acme", "writer"), (tenant, workload)):
            with sg.task(whose[1], tenant=whose[0]):
                guarded.chat.completions.create(**CHAT)
    assert len(provider.served) == 2
    assert [where for where, _, _ in cache.asked] == [
        Namespace("acme", "writer"),
        Namespace(tenant, workload),
    ]


# -- what is left alone


@pytest.mark.parametrize(
    "changed",
    [
        {"temperature": 0.7},
        {"n": 2},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
        {"store": True},
        {"extra_headers": {"x-switchgear-volatile": "1"}},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_an_unfit_request_is_asked_of_the_model_and_of_nobody_else(
    changed: dict[str, Any],
    provider: Provider,
    configured: Configure,
    decisions: testing.Engine,
    cache: Remembering,
) -> None:
    configured(decisions.url, cache=cache)
    with sg.task("writer", tenant="acme"), openai_client(provider) as client:
        guarded = sg.wrap(client, cache="on")
        for _ in range(2):
            guarded.chat.completions.create(**{**CHAT, **changed})
    assert (len(provider.served), cache.asked) == (2, [])


def test_what_runs_as_volatile_is_left_alone(
    provider: Provider, configured: Configure, decisions: testing.Engine, cache: Remembering
) -> None:
    configured(decisions.url, cache=cache)
    with sg.task("writer", tenant="acme"), openai_client(provider) as client:
        guarded = sg.wrap(client, cache="on")
        guarded.chat.completions.create(**CHAT)
        with sg.volatile():
            guarded.chat.completions.create(**CHAT)
        guarded.chat.completions.create(**CHAT)
    assert (len(provider.served), len(cache.asked)) == (2, 2)


@pytest.mark.parametrize("mode", [None, "on"])
@pytest.mark.parametrize("guard", [True, False])
def test_no_provider_is_told_that_a_request_is_volatile(
    mode: str | None,
    *,
    guard: bool,
    provider: Provider,
    configured: Configure,
    cache: Remembering,
) -> None:
    configured(cache=cache, guard=guard)
    sent: list[Any] = []
    with openai_client(provider) as client, sg.task("writer", tenant="acme"):
        guarded = sg.wrap(client, cache=mode)
        client._client.event_hooks = {"request": [sent.append]}
        guarded.chat.completions.create(**CHAT, extra_headers={"X-Switchgear-Volatile": "1"})
    assert [name for request in sent for name in request.headers if "volatile" in name.lower()] == []


def test_a_call_of_no_tenant_is_neither_guarded_nor_served(
    provider: Provider, configured: Configure, decisions: testing.Engine, cache: Remembering
) -> None:
    configured(decisions.url, cache=cache)
    with openai_client(provider) as client:
        guarded = sg.wrap(client, cache="on")
        for _ in range(2):
            guarded.chat.completions.create(**CHAT)
    assert (len(provider.served), cache.asked) == (2, [])


def test_a_call_outside_any_task_is_served_to_the_tenant_of_its_process(
    provider: Provider, configured: Configure, decisions: testing.Engine, cache: Remembering
) -> None:
    configured(decisions.url, cache=cache, tenant="acme")
    with openai_client(provider) as client:
        guarded = sg.wrap(client, cache="exact")
        for _ in range(2):
            guarded.chat.completions.create(**CHAT)
    assert len(provider.served) == 1
    assert cache.asked[0][0] == Namespace("acme", "untagged")


def test_an_embedding_is_served_to_the_very_same_request(
    provider: Provider, configured: Configure, decisions: testing.Engine, cache: Remembering
) -> None:
    configured(decisions.url, cache=cache)
    with sg.task("writer", tenant="acme"), openai_client(provider) as client:
        guarded = sg.wrap(client, cache="on")
        one, other = (guarded.embeddings.create(model="e", input="a fish").data for _ in range(2))
    assert one == other
    assert len(provider.served) == 1
    assert cache.asked[0][1].wording is None


def test_the_answers_of_a_folder_outlive_the_process_that_kept_them(
    provider: Provider, configured: Configure, decisions: testing.Engine, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    outcomes = []
    for _ in range(2):
        configured(decisions.url, cache=str(tmp_path / "answers"))
        with sg.task("writer", tenant="acme"), openai_client(provider) as client:
            raw = sg.wrap(client, cache="exact").chat.completions.with_raw_response.create(**CHAT)
            outcomes.append((raw.headers.get("x-switchgear-cache"), raw.parse().choices[0].message.content))
        sg.shutdown(2)
    assert [outcome for outcome, _ in outcomes] == [None, "exact"]
    assert outcomes[0][1] == outcomes[1][1]
    assert len(provider.served) == 1
    # Not in the clear.
    kept = b"".join(file.read_bytes() for file in (tmp_path / "answers").rglob("*") if file.is_file())
    assert outcomes[0][1].encode() not in kept
    assert QUESTION.strip().encode() not in kept


def test_an_answer_to_the_same_meaning_is_served_as_such(
    provider: Provider, configured: Configure, decisions: testing.Engine, cache: Remembering
) -> None:
    configured(decisions.url, cache=cache)
    with sg.task("writer", tenant="acme"), openai_client(provider) as client:
        guarded = sg.wrap(client, cache="on")
        first = guarded.chat.completions.create(**CHAT)
        (answer,) = (each for each in cache.learned if each is not None)
        cache.finds = lambda _: Look(Outcome.SEMANTIC, answer, kept_at=datetime.now(UTC))
        reworded = {**CHAT, "messages": [{"role": "user", "content": "How does one reset it?"}]}
        second = guarded.chat.completions.with_raw_response.create(**reworded)
    assert second.headers["x-switchgear-cache"] == "semantic"
    assert second.parse().choices == first.choices
    assert len(provider.served) == 1
