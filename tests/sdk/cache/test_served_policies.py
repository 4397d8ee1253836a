"""What policies say of the cache holds for calls, and a denial stays one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from cacheable import CHAT
from kept_answers import Remembering
from opentelemetry.sdk.trace import TracerProvider
from provider_clients import openai_client
from waiting import until

import switchgear as sg
from switchgear import testing
from switchgear.cache import Mode, Namespace, Terms
from switchgear.decision import Action, Decision
from switchgear.testing import Provider

Engines = Callable[..., Any]
Configure = Callable[..., TracerProvider]


def says(cache: dict[str, Any] | None, action: Action = Action.ALLOW) -> Callable[[Any], Decision]:
    """A script that decides so, and says that of the cache."""
    ends = datetime.now(UTC) + timedelta(hours=1)
    return lambda _: Decision("", action, "a test", 0, ends, policy="p", cache=cache)


@pytest.mark.parametrize(
    ("code", "policy", "served", "mode"),
    [
        ("on", {"mode": "off"}, 2, None),
        ("on", {"mode": "shadow"}, 2, Mode.SHADOW),
        ("on", {"mode": "exact"}, 1, Mode.EXACT),
        ("exact", {"mode": "on"}, 1, Mode.EXACT),
        ("on", {"mode": "a mode of tomorrow"}, 2, None),
    ],
)
def test_of_code_and_policy_the_more_careful_holds(
    code: str,
    policy: dict[str, Any],
    served: int,
    mode: Mode | None,
    provider: Provider,
    configured: Configure,
    cache: Remembering,
) -> None:
    with testing.decisions(says(policy)) as engine:
        configured(engine.url, cache=cache)
        with sg.task("writer", tenant="acme"), openai_client(provider) as client:
            guarded = sg.wrap(client, cache=code)
            for _ in range(2):
                guarded.chat.completions.create(**CHAT)
        assert len(provider.served) == served
        assert {terms.mode for _, _, terms in cache.asked} == ({mode} if mode is not None else set())


def test_where_the_code_says_a_mode_alone_all_else_is_the_policys_to_say(
    provider: Provider, configured: Configure, cache: Remembering
) -> None:
    policy = {
        "mode": "on",
        "bound": "0.05",
        "keep_s": 60,
        "allow": ["temperature"],
        "group": "friends",
        "tags": ["a"],
    }
    with testing.decisions(says(policy)) as engine:
        configured(engine.url, cache=cache)
        with sg.task("writer", tenant="acme"), openai_client(provider) as client:
            sg.wrap(client, cache="on").chat.completions.create(**{**CHAT, "temperature": 1})
    ((where, _, terms),) = cache.asked
    assert where == Namespace("acme", "writer", "friends")
    assert (terms.bound, terms.keep, terms.allow, terms.tags) == (
        *(Decimal("0.05"), timedelta(minutes=1)),
        *(frozenset({"temperature"}), ("a",)),
    )


def test_code_may_give_terms_of_its_own(
    provider: Provider, configured: Configure, decisions: testing.Engine, cache: Remembering
) -> None:
    configured(decisions.url, cache=cache)
    own = Terms(Mode.EXACT, allow=frozenset({"temperature"}), tags=("prices",))
    with sg.task("writer", tenant="acme"), openai_client(provider) as client:
        guarded = sg.wrap(client, cache=own)
        for _ in range(2):
            guarded.chat.completions.create(**{**CHAT, "temperature": 1})
    assert len(provider.served) == 1
    assert cache.asked[0][2] == own


@pytest.mark.parametrize("action", [Action.THROTTLE, Action.QUEUE, Action.DEGRADE])
def test_what_is_restricted_is_served_all_the_same(
    action: Action, provider: Provider, configured: Configure, cache: Remembering
) -> None:
    with testing.decisions(says(None)) as engine:
        configured(engine.url, cache=cache)
        with sg.task("writer", tenant="acme") as task, openai_client(provider) as client:
            guarded = sg.wrap(client, cache="exact")
            guarded.chat.completions.create(**CHAT)
            engine.now(lambda asked: replace(says(None, action)(asked), retry_after_s=60.0))
            until(
                lambda: task.decision is not None and task.decision.action is action, "the decision is heard"
            )
            guarded.chat.completions.create(**CHAT)
        assert len(provider.served) == 1


def test_a_denial_is_raised_though_there_is_an_answer(
    provider: Provider, configured: Configure, cache: Remembering
) -> None:
    forever = datetime.now(UTC) + timedelta(hours=1)
    with testing.decisions(says(None)) as engine:
        configured(engine.url, cache=cache)
        with sg.task("writer", tenant="acme") as task, openai_client(provider) as client:
            guarded = sg.wrap(client, cache="exact")
            guarded.chat.completions.create(**CHAT)
            engine.now(lambda _: Decision("", Action.DENY, "no", 0, forever, policy="p"))
            until(
                lambda: task.decision is not None and task.decision.action == "deny", "the denial is heard of"
            )
            with pytest.raises(sg.BudgetExceeded):
                guarded.chat.completions.create(**CHAT)
    assert len(cache.asked) == 1


def test_a_policy_that_was_never_heard_forbids_it_where_the_process_fails_closed(
    provider: Provider, configured: Configure, cache: Remembering
) -> None:
    configured(cache=cache, before_first="closed")
    with (
        sg.task("writer", tenant="acme"),
        openai_client(provider) as client,
        pytest.raises(sg.BudgetExceeded),
    ):
        sg.wrap(client, cache="on").chat.completions.create(**CHAT)
    assert cache.asked == []


def test_without_the_engine_the_codes_terms_hold(
    provider: Provider, configured: Configure, cache: Remembering
) -> None:
    configured(cache=cache)
    with sg.task("writer", tenant="acme"), openai_client(provider) as client:
        guarded = sg.wrap(client, cache="exact")
        for _ in range(2):
            guarded.chat.completions.create(**CHAT)
    assert len(provider.served) == 1


def test_an_answer_of_the_stand_in_is_not_kept_for_the_model_that_was_asked(
    provider: Provider, configured: Configure, cache: Remembering
) -> None:
    with testing.decisions(testing.degrade("gpt-4o-mini")) as engine:
        configured(engine.url, cache=cache)
        with sg.task("writer", tenant="acme"), openai_client(provider) as client:
            answer = sg.wrap(client, cache="exact").chat.completions.create(**CHAT)
        assert sg.flush()
    assert answer.model == "gpt-4o-mini"
    assert (cache.learned, cache.waiting) == ([None], 0)
