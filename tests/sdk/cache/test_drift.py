"""A model that answers otherwise than it did, another embedder, another judge: nothing is served on old trust."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from certifying import ON, WAYS, Asking, Truth, words

from switchgear.cache import Mode, Outcome, Terms
from switchgear.cache.cache import Certified

AUDITED = (Outcome.AUDIT_SAME, Outcome.AUDIT_DIFFERENT)
ORDERS = range(50_000, 50_200)
"""Of each there is an answer to one wording."""


class Model:
    """Looks an order up. Of a part of all orders it says otherwise than it did."""

    def __init__(self, changed: float = 0) -> None:
        self._changed = changed

    def __call__(self, wording: str) -> str:
        number = "".join(each for each in wording if each.isdigit())
        return f"{number}, changed" if Random(number).random() < self._changed else number


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Asking:
    month = replace(ON, keep=timedelta(days=30))
    made = Asking(tmp_path_factory.mktemp("once") / "kept", model=Model(), terms=month)
    made.certify()
    for order in ORDERS:
        made.ask(WAYS[0].format(order), terms=replace(month, mode=Mode.SHADOW))
    made.cache.close()
    return made


@pytest.fixture
def asking(certified: Asking, tmp_path: Path) -> Iterator[Asking]:
    made = certified.copied(tmp_path / "kept")
    yield made
    made.cache.close()


def familiar(of: Asking) -> Certified:
    (state,) = of.cache.states()
    return next(each for each in state.certificates if each.wordings == "familiar")


def audits_until_revoked(of: Asking) -> int:
    """How many of the answers that could be served were audited until none is."""
    audits = 0
    for order in ORDERS:
        for way in WAYS[1:]:
            audits += of.ask(way.format(order))[0] in AUDITED
            if familiar(of).serves_from is None:
                return audits
    raise AssertionError(f"not revoked by {audits} audits")


# The logarithm of 3,000 is 8.0; at a bound of 2 % an audit that is wrong adds log(0.2 / 0.02) = 2.3, so that 4 are too
# many, and one that is right takes log(0.98 / 0.8) = 0.2. What was asked again since is right.
@pytest.mark.parametrize(
    ("changed", "most"),
    [pytest.param(1.0, 6, id="all"), pytest.param(0.5, 20, id="half"), pytest.param(0.3, 40, id="a third")],
)
def test_a_model_that_answers_otherwise_is_found_by_so_many_audits(
    asking: Asking, changed: float, most: int
) -> None:
    asking.later(timedelta(days=1))
    asking.terms = replace(asking.terms, audits=Decimal("0.3"))
    asking.model = Model(changed)
    assert audits_until_revoked(asking) <= most
    assert "audits of what was served were wrong" in familiar(asking).state


def test_the_same_requests_that_are_answered_otherwise_by_now_excuse_nothing(asking: Asking) -> None:
    asking.later(timedelta(days=1))
    asking.terms = replace(asking.terms, audits=Decimal("0.3"))
    asking.model = Model(0.3)
    for _ in range(3):
        for order in ORDERS[100:]:
            asking.ask(WAYS[0].format(order))
            asking.ask(WAYS[0].format(order), terms=replace(asking.terms, mode=Mode.SHADOW))
            asking.later(timedelta(hours=1))
    # Nothing of that was the judge's error: else it could call a part like that of what is served different.
    assert asking.cache.states()[0].judge_alarms_at_least == 0
    assert audits_until_revoked(asking) <= 40


def test_a_model_that_stays_as_it_is_is_served_on(asking: Asking) -> None:
    asking.terms = replace(asking.terms, audits=Decimal("0.5"))
    outcomes = [asking.ask(way.format(order))[0] for order in ORDERS for way in WAYS[1:3]]
    assert outcomes.count(Outcome.AUDIT_DIFFERENT) == 0
    assert outcomes.count(Outcome.AUDIT_SAME) > 100
    assert familiar(asking).serves_from is not None


def test_what_was_revoked_is_served_again_only_by_as_many_new_labels(asking: Asking) -> None:
    asking.cache.revoke("support", asking.terms, "they moved")
    revoked = familiar(asking)
    assert (revoked.serves_from, revoked.labels) == (None, 0)
    assert "they moved" in revoked.state
    for order in range(60_000, 61_000):
        outcomes = [asking.ask(way.format(order))[0] for way in WAYS]
        if Outcome.SEMANTIC in outcomes:
            break
    assert familiar(asking).labels >= revoked.needed > 100
    assert asking.ask(WAYS[1].format(ORDERS[0]))[0].served


# -- other parts


def test_nothing_is_served_by_another_embedder_and_what_it_certified_is_kept_apart(asking: Asking) -> None:
    asking.terms = replace(asking.terms, audits=Decimal(0))
    assert asking.ask(WAYS[1].format(ORDERS[0]))[0] is Outcome.SEMANTIC
    asking.embedder = words("bag of words, second edition")
    asking.reopened()
    # Neither its certificate nor its vectors.
    assert asking.ask(WAYS[2].format(ORDERS[1]))[0] is Outcome.MISS
    assert not asking.ask(WAYS[3].format(ORDERS[1]))[0].served
    # The very same request is none of its business.
    assert asking.ask(WAYS[0].format(ORDERS[1]))[0] is Outcome.EXACT
    assert familiar(asking).serves_from is None
    asking.embedder = words()
    asking.reopened()
    assert asking.ask(WAYS[1].format(ORDERS[2]))[0] is Outcome.SEMANTIC


def test_nothing_is_served_on_another_judges_word(asking: Asking) -> None:
    asking.terms = replace(asking.terms, audits=Decimal(0))
    asking.judge = Truth("another")
    asking.reopened()
    assert not asking.ask(WAYS[1].format(ORDERS[0]))[0].served
    assert familiar(asking).labels == 1


@pytest.mark.parametrize(
    "terms",
    [replace(ON, bound=Decimal("0.01")), replace(ON, confidence=Decimal("0.99"))],
    ids=["bound", "sure"],
)
def test_nothing_is_served_under_terms_that_nothing_was_certified_for(asking: Asking, terms: Terms) -> None:
    asking.terms = replace(terms, keep=asking.terms.keep, audits=Decimal(0))
    assert not asking.ask(WAYS[1].format(ORDERS[0]))[0].served


def test_a_model_that_says_what_no_judge_can_tell_is_not_served_on(asking: Asking) -> None:
    asking.terms = replace(asking.terms, audits=Decimal("0.3"))
    asking.model = lambda _: "?"
    outcomes = []
    for order in ORDERS:
        outcomes += [asking.ask(way.format(order))[0] for way in WAYS[1:3]]
    assert outcomes.count(Outcome.AUDIT) == 4
    assert familiar(asking).serves_from is None
