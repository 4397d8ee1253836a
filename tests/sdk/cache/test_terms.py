"""Terms go over the line and come back the same; of code and policy the more careful holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.cache import Mode, Terms
from switchgear.cache.terms import document_of, group_of, terms_of, together
from switchgear.decision import Action, Decision

CODE = Terms(
    Mode.ON,
    Decimal("0.02"),
    Decimal("0.90"),
    timedelta(days=1),
    Decimal("0.05"),
    frozenset({"tools", "volatile"}),
    ("a",),
)
SHARES = st.decimals(Decimal("0.0001"), Decimal("0.9999"), places=4)
TERMS = st.builds(
    Terms,
    st.sampled_from(Mode),
    SHARES,
    SHARES,
    st.timedeltas(timedelta(seconds=1), timedelta(days=366)),
    SHARES,
    st.frozensets(st.sampled_from(["tools", "temperature", "volatile"])),
    st.lists(st.text(max_size=8), max_size=3, unique=True).map(tuple),
)


@given(TERMS)
def test_terms_come_back_from_their_document_through_json(terms: Terms) -> None:
    assert terms_of(json.loads(json.dumps(document_of(terms, "g")))) == terms


def test_code_that_leaves_all_to_the_policy_can_say_so_over_the_line() -> None:
    everything = Terms(Mode.ON, Decimal(1), Decimal(0), timedelta.max, Decimal(0))
    assert terms_of(json.loads(json.dumps(document_of(everything)))) == everything


def test_an_empty_document_has_the_usual_terms() -> None:
    assert terms_of({}) == Terms()


@pytest.mark.parametrize(
    ("policy", "holds"),
    [
        pytest.param({"mode": "shadow"}, {"mode": Mode.SHADOW}, id="the mode of lower rank"),
        pytest.param({"mode": "on", "bound": "0.01"}, {"bound": Decimal("0.01")}, id="the smaller bound"),
        pytest.param({"mode": "on", "bound": "0.1"}, {}, id="and no larger one"),
        pytest.param({"mode": "on", "confidence": "0.95"}, {"confidence": Decimal("0.95")}, id="surer"),
        pytest.param({"mode": "on", "confidence": "0.8"}, {}, id="and not less sure"),
        pytest.param({"mode": "on", "keep_s": 60}, {"keep": timedelta(minutes=1)}, id="kept shorter"),
        pytest.param({"mode": "on", "keep_s": 1e6}, {}, id="and not longer"),
        pytest.param({"mode": "on", "audits": "0.2"}, {"audits": Decimal("0.2")}, id="more audits"),
        pytest.param({"mode": "on", "audits": "0.01"}, {}, id="and not fewer"),
        pytest.param({"mode": "on", "tags": ["b", "a"]}, {"tags": ("b", "a")}, id="every tag once"),
        pytest.param(
            {"mode": "on", "allow": ["tools", "temperature"]},
            {"allow": frozenset({"tools"})},
            id="what both allow",
        ),
    ],
)
def test_of_code_and_policy_the_more_careful_holds(policy: dict[str, Any], holds: dict[str, Any]) -> None:
    said = {"allow": ["tools", "volatile"], **policy}
    assert together(CODE, said) == replace(CODE, **holds)


@given(TERMS, TERMS)
def test_it_is_the_same_whichever_of_the_two_says_what_but_for_the_order_of_tags(
    one: Terms, other: Terms
) -> None:
    first, second = together(one, document_of(other)), together(other, document_of(one))
    assert replace(first, tags=()) == replace(second, tags=())
    assert set(first.tags) == set(second.tags)


@given(TERMS)
def test_where_no_policy_says_anything_the_code_does(terms: Terms) -> None:
    assert together(terms, None) == terms


@pytest.mark.parametrize(
    ("document", "says"),
    [
        pytest.param(
            {"mode": "sometimes"}, "mode: 'sometimes' is none of: off, shadow, exact, on", id="mode"
        ),
        pytest.param({"mode": ["on"]}, "mode: ['on'] is none of", id="a list as a mode"),
        pytest.param({"bound": "0"}, "bound: '0' is no share", id="no bound can be kept at nothing"),
        pytest.param({"bound": "nan"}, "bound: 'nan' is no share", id="not a number"),
        pytest.param({"bound": "1e400"}, "bound: '1e400' is no share", id="beyond any number"),
        pytest.param({"confidence": "1"}, "confidence: '1' is no share", id="nothing is certain"),
        pytest.param({"audits": True}, "audits: True is no share", id="yes is no share"),
        pytest.param({"keep_s": 0}, "keep_s: 0 is no length", id="kept for no time"),
        pytest.param({"keep_s": float("inf")}, "keep_s: inf is no length", id="kept for ever"),
        pytest.param({"allow": "tools"}, "allow: this is no list of names", id="a text as a list"),
        pytest.param({"tags": [1]}, "tags: this is no list of names", id="a number as a tag"),
    ],
)
def test_a_document_that_is_none_is_told_of_and_allows_nothing(document: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - its words are looked at
        terms_of(document)
    assert str(refused.value).startswith(says)
    assert together(CODE, document).mode is Mode.OFF


@pytest.mark.parametrize(
    ("policy", "group"),
    [
        pytest.param(None, None, id="no policy"),
        pytest.param({"mode": "on"}, None, id="none named"),
        pytest.param({"group": ""}, None, id="an empty name"),
        pytest.param({"group": ["a"]}, None, id="no name"),
        pytest.param({"group": "g"}, "g", id="a name"),
    ],
)
def test_only_a_policy_makes_a_group(policy: Mapping[str, Any] | None, group: str | None) -> None:
    assert group_of(policy) == group


NOW = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize("cache", [None, document_of(CODE, "g")], ids=["without", "with"])
def test_a_decision_carries_the_terms_there_and_back(cache: Mapping[str, Any] | None) -> None:
    decision = Decision("d", Action.ALLOW, "fine", 1, NOW, cache=cache)
    assert Decision.from_wire(json.loads(json.dumps(decision.to_wire()))) == decision
    assert hash(decision) == hash(replace(decision, cache=None))


def test_a_decision_of_an_older_engine_says_nothing_of_the_cache() -> None:
    wire = Decision("d", Action.ALLOW, "fine", 1, NOW).to_wire()
    del wire["cache"]
    assert Decision.from_wire(wire).cache is None


def test_a_decision_whose_terms_are_no_document_is_none() -> None:
    wire = Decision("d", Action.ALLOW, "fine", 1, NOW).to_wire() | {"cache": "on"}
    with pytest.raises(ValueError, match="cache: 'on' is no document"):
        Decision.from_wire(wire)
