"""No answer is served to whom, or for what, it was not given; none that is over, was forgotten, or was changed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from certifying import ON, WAYS, WHERE, Asking, answered, question

from switchgear.cache import Mode, Namespace, Outcome, Terms
from switchgear.cache.asked import question_of
from switchgear.request import CallRequest, read

ASKED, REWORDED = WAYS[0].format(77), WAYS[1].format(77)
GROUP = replace(WHERE, group="both")


def number_of(wording: str) -> str:
    """What a model says that looks an order up."""
    return "".join(each for each in wording if each.isdigit()) or wording


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Asking:
    """For `WAYS`, whatever the order's number is."""
    made = Asking(
        tmp_path_factory.mktemp("once") / "kept", model=number_of, terms=replace(ON, tags=("orders",))
    )
    made.certify()
    made.cache.close()
    return made


@pytest.fixture
def asking(certified: Asking, tmp_path: Path) -> Iterator[Asking]:
    made = certified.copied(tmp_path / "kept")
    made.terms = replace(made.terms, audits=Decimal(0))
    yield made
    made.cache.close()


def test_what_all_of_these_change_is_served_otherwise(asking: Asking) -> None:
    asking.kept(ASKED, "secret")
    assert asking.ask(ASKED) == (Outcome.EXACT, "secret")
    assert asking.ask(REWORDED) == (Outcome.SEMANTIC, "secret")


@pytest.mark.parametrize(
    ("kept_for", "asked_by"),
    [
        pytest.param(WHERE, Namespace("globex", "support"), id="another tenant"),
        pytest.param(WHERE, Namespace("acme", "sales"), id="another workload"),
        pytest.param(WHERE, GROUP, id="the same tenant in a group"),
        pytest.param(GROUP, WHERE, id="the same tenant without its group"),
        pytest.param(GROUP, Namespace("globex", "support"), id="a tenant that does not name the group"),
        pytest.param(GROUP, Namespace("globex", "support", "other"), id="a tenant of another group"),
        pytest.param(GROUP, Namespace("globex", "support", "acme"), id="a group of a tenant's name"),
    ],
)
def test_nobody_else_is_served(asking: Asking, kept_for: Namespace, asked_by: Namespace) -> None:
    asking.kept(ASKED, "secret", kept_for)
    assert [asking.ask(each, asked_by)[1] for each in (ASKED, REWORDED)] == ["77", "77"]


def test_a_group_is_served_where_both_name_it(asking: Asking) -> None:
    asking.kept(ASKED, "shared", GROUP)
    other = replace(GROUP, tenant="globex")
    assert [asking.ask(each, other)[1] for each in (ASKED, REWORDED)] == ["shared", "shared"]
    # And no more, once the tenant that said it is gone.
    asking.cache.forget_tenant("acme")
    assert [asking.ask(each, other)[1] for each in (ASKED, REWORDED)] == ["77", "77"]


TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}
CHAT: dict[str, Any] = {"model": "gpt-4o", "temperature": 0, "max_tokens": 100}
ALLOWED = frozenset({"tools", "temperature"})


def call(wording: str, before: tuple[dict[str, Any], ...] = (), **changed: Any) -> CallRequest:
    body = {**CHAT, **changed, "messages": [*before, {"role": "user", "content": wording}]}
    request = read("openai", "POST", "/v1/chat/completions", json.dumps(body).encode())
    assert request is not None
    return request


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"before": ({"role": "system", "content": "Be brief."},)}, id="system prompt"),
        pytest.param({"before": ({"role": "user", "content": "Hi"},)}, id="turns before"),
        pytest.param({"tools": [TOOL]}, id="tools"),
        pytest.param({"tools": [{**TOOL, "function": {"name": "g"}}]}, id="another tool"),
        pytest.param({"model": "gpt-4o-mini"}, id="model"),
        pytest.param({"temperature": 0.7}, id="temperature"),
        pytest.param({"top_p": 0.5}, id="top_p"),
        pytest.param({"seed": 7}, id="seed"),
        pytest.param({"max_tokens": 99}, id="max_tokens"),
        pytest.param({"response_format": {"type": "json_object"}}, id="response format"),
        pytest.param({"stop": ["\n"]}, id="stop"),
        pytest.param({"stream": True}, id="streamed"),
        pytest.param({"a_field_of_tomorrow": 1}, id="a field that nobody knows"),
    ],
)
def test_a_call_in_another_setting_is_served_nothing(asking: Asking, changed: dict[str, Any]) -> None:
    asking.kept(question_of(call(ASKED), ALLOWED), "secret")
    assert asking.ask(question_of(call(REWORDED), ALLOWED))[1] == "secret"
    for wording in (ASKED, REWORDED):
        assert asking.ask(question_of(call(wording, **changed), ALLOWED))[1] == "77"


def test_what_is_allowed_no_more_is_not_looked_up(asking: Asking) -> None:
    asking.kept(ASKED, "secret")
    unfit = question(ASKED, unfit="temperature")
    assert asking.ask(unfit, terms=replace(asking.terms, allow=frozenset({"temperature"})))[1] == "secret"
    assert asking.ask(unfit) == (Outcome.BYPASS, "77")


# -- over, forgotten, changed


def other_hand(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "cache.db")) as connection, connection:
        connection.execute(statement)


def expired(asking: Asking) -> None:
    asking.later(asking.terms.keep)


def shortened(asking: Asking) -> None:
    asking.later(timedelta(hours=2))
    asking.terms = replace(asking.terms, keep=timedelta(hours=1))


def poisoned(asking: Asking) -> None:
    other_hand(asking.folder, "UPDATE entries SET sealed = zeroblob(length(sealed))")


def prolonged(asking: Asking) -> None:
    other_hand(asking.folder, "UPDATE entries SET expires = expires + 86400000000")
    expired(asking)


def forgotten_one_by_one(asking: Asking) -> None:
    assert sum(asking.cache.forget_entry(number) for number in range(1, 5_000)) > 0


@pytest.mark.parametrize(
    "gone",
    [
        pytest.param(expired, id="expired"),
        pytest.param(shortened, id="kept for less by now"),
        pytest.param(poisoned, id="changed on disk"),
        pytest.param(prolonged, id="its end changed on disk"),
        pytest.param(lambda it: it.cache.forget_tenant("acme"), id="tenant forgotten"),
        pytest.param(lambda it: it.cache.forget_tag(None, "orders"), id="tag forgotten"),
        pytest.param(lambda it: it.cache.forget_tag("acme", "orders"), id="a tenant's tag forgotten"),
        pytest.param(lambda it: it.cache.forget_workload("acme", "support"), id="workload forgotten"),
        pytest.param(
            lambda it: it.cache.forget_workload(None, "support"), id="everybody's workload forgotten"
        ),
        pytest.param(forgotten_one_by_one, id="each forgotten"),
    ],
)
def test_what_is_gone_is_not_served(asking: Asking, gone: Callable[[Asking], object]) -> None:
    asking.kept(ASKED, "secret")
    gone(asking)
    assert [asking.ask(REWORDED)[1], asking.ask(ASKED)[1]] == ["77", "77"]


@pytest.mark.parametrize(
    "forget",
    [
        pytest.param(lambda it: it.cache.forget_tenant("acme"), id="tenant"),
        pytest.param(lambda it: it.cache.forget_tag(None, "orders"), id="tag"),
        pytest.param(lambda it: it.cache.forget_workload("acme", "support"), id="workload"),
    ],
)
def test_an_answer_that_comes_after_the_forgetting_is_not_kept(
    asking: Asking, forget: Callable[[Asking], object]
) -> None:
    look = asking.look(ASKED)
    forget(asking)
    if look.ticket is not None:
        asking.cache.learn(look.ticket, answered("secret"), asking.now)
    assert [asking.ask(REWORDED)[1], asking.ask(ASKED)[1]] == ["77", "77"]


def test_what_another_tenant_forgets_is_still_served(asking: Asking) -> None:
    asking.kept(ASKED, "secret")
    asking.cache.forget_tenant("globex")
    asking.cache.forget_tag("globex", "orders")
    assert asking.ask(REWORDED) == (Outcome.SEMANTIC, "secret")


class Colliding:
    """All hashes of requests and partitions are one."""

    def __init__(self, hashes: Any) -> None:
        self._hashes = hashes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._hashes, name)

    def exact(self, scope: bytes, exact: bytes) -> bytes:
        return b"x" * 32

    def partition(self, scope: bytes, partition: bytes) -> bytes:
        return b"x" * 32


@pytest.mark.parametrize(
    ("wording", "where"),
    [
        pytest.param(WAYS[0].format(78), WHERE, id="another value"),
        pytest.param(WAYS[1].format(78), WHERE, id="another value, reworded"),
        pytest.param(ASKED, Namespace("globex", "support"), id="another tenant"),
        pytest.param(REWORDED, Namespace("globex", "support"), id="another tenant, reworded"),
    ],
)
def test_hashes_that_collide_make_no_hit(
    asking: Asking, monkeypatch: pytest.MonkeyPatch, wording: str, where: Namespace
) -> None:
    monkeypatch.setattr(asking.entries, "_hashes", Colliding(asking.entries._hashes))
    asking.kept(ASKED, "secret")
    assert asking.ask(REWORDED)[1] == "secret"
    assert asking.look(wording, where).served is None


# -- modes


def test_nothing_is_served_in_shadow(asking: Asking) -> None:
    asking.kept(ASKED, "secret")
    shadow = replace(asking.terms, mode=Mode.SHADOW)
    looks = [asking.look(wording, terms=shadow) for wording in (ASKED, REWORDED)]
    assert [(look.outcome, look.served) for look in looks] == [
        (Outcome.SHADOW_EXACT, None),
        (Outcome.SHADOW, None),
    ]


def test_exact_serves_no_meaning(asking: Asking) -> None:
    asking.kept(ASKED, "secret")
    exact = replace(asking.terms, mode=Mode.EXACT)
    assert asking.ask(ASKED, terms=exact) == (Outcome.EXACT, "secret")
    assert asking.ask(REWORDED, terms=exact) == (Outcome.MISS, "77")


def test_off_serves_and_keeps_nothing(asking: Asking) -> None:
    off = Terms(Mode.OFF)
    assert asking.look(ASKED, terms=off).ticket is None
    asking.kept(ASKED, "secret")
    assert asking.ask(ASKED, terms=off) == (Outcome.BYPASS, "77")
