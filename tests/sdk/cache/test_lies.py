"""Once it serves by meaning, the cache says nothing wrong: of another value, of the opposite, or for too long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from certifying import ON, WAYS, WHERE, Asking, question, words

from switchgear.cache import Mode, Outcome
from switchgear.cache.embedding import Embedder, mini_lm

NEVER_AUDITED = replace(ON, audits=Decimal(0))


def number_of(wording: str) -> str:
    """What a model says that looks an order up."""
    return "".join(each for each in wording if each.isdigit()) or wording


def certified_in(folder: Path, embedder: Embedder) -> Asking:
    made = Asking(folder, model=number_of, embedder=embedder)
    made.certify()
    made.cache.close()
    return made


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Asking:
    return certified_in(tmp_path_factory.mktemp("words") / "kept", words())


@pytest.fixture(scope="module")
def certified_by_model(tmp_path_factory: pytest.TempPathFactory) -> Asking:
    pytest.importorskip("onnxruntime")
    return certified_in(tmp_path_factory.mktemp("model") / "kept", mini_lm())


@pytest.fixture
def asking(certified: Asking, tmp_path: Path) -> Iterator[Asking]:
    made = certified.copied(tmp_path / "kept")
    made.terms = NEVER_AUDITED
    yield made
    made.cache.close()


@pytest.fixture
def by_model(certified_by_model: Asking, tmp_path: Path) -> Iterator[Asking]:
    made = certified_by_model.copied(tmp_path / "kept")
    made.terms = NEVER_AUDITED
    yield made
    made.cache.close()


# -- values

OTHERS = {
    "number": ("order 77", "order 78"),
    "digits turned": ("order 77123", "order 77132"),
    "id": ("order A-77", "order A-78"),
    "date": ("order of March 3, 2026", "order of March 4, 2026"),
    "name": ("order of Ann Lee", "order of Bob Lee"),
    "time": ("order of 10:00:01", "order of 10:00:02"),
    "long number": (f"order {'7' * 33}1", f"order {'7' * 33}2"),
    "leading zero": ("order 077", "order 77"),
    "currency": ("order of 77 dollars", "order of 77 euros"),
    "share": ("order of 77 %", "order of 77"),
    "quotation": ('order "red"', 'order "blue"'),
    "places": ("order from Oslo to Rome", "order from Rome to Oslo"),
}


@pytest.mark.parametrize(("kept", "other"), OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("way", [WAYS[0], WAYS[1]], ids=["worded alike", "reworded"])
def test_the_answer_to_another_value_is_not_served(asking: Asking, kept: str, other: str, way: str) -> None:
    asking.kept(WAYS[0].replace("order {}", kept), "secret")
    assert asking.ask(way.replace("order {}", other))[1] != "secret"


@pytest.mark.parametrize(("kept", "other"), OTHERS.values(), ids=OTHERS)
def test_nor_by_the_model_that_comes_with_the_package(by_model: Asking, kept: str, other: str) -> None:
    by_model.kept(WAYS[0].replace("order {}", kept), "secret")
    for way in WAYS[:2]:
        assert by_model.ask(way.replace("order {}", other))[1] != "secret"


@pytest.mark.parametrize(
    ("one", "other"),
    [("1,200", "1200"), ("1200.00", "1,200"), ("two thousand", "2000")],
)
def test_a_value_that_is_written_otherwise_is_the_same(asking: Asking, one: str, other: str) -> None:
    asking.kept(WAYS[0].format(one), "secret")
    assert asking.ask(WAYS[0].format(other)) == (Outcome.SEMANTIC, "secret")
    assert asking.ask(WAYS[1].format(other)) == (Outcome.SEMANTIC, "secret")


# -- opposites

OPPOSITES = {
    "negation": ("Is order {} paid?", "Is order {} not paid?"),
    "another deed": (WAYS[0], "Cancel order {} now"),
    "antonym": ("Is order {} open?", "Is order {} closed?"),
    "prefix": ("Is order {} valid?", "Is order {} invalid?"),
    "only and except": ("Show only order {} please", "Show all except order {} please"),
    "before and after": ("Show what came before order {}", "Show what came after order {}"),
    "count and list": ("How many items are in order {}?", "Which items are in order {}?"),
    "increase and decrease": ("Increase the limit of order {}", "Decrease the limit of order {}"),
    "on and off": ("Turn on alerts for order {}", "Turn off alerts for order {}"),
    "to and from": ("Move stock to order {}", "Move stock from order {}"),
    "first and last": ("Show the first item of order {}", "Show the last item of order {}"),
    "who and when": ("Who placed order {}?", "When was order {} placed?"),
}


def wrong_of(of: Asking, ways: Sequence[str], orders: range) -> int:
    """How often each is served what was said to the other; who asks knows what is right."""
    wrong = 0
    for order in orders:
        for way in ways:
            of.model = lambda wording, way=way: f"{number_of(wording)} to {way}"  # type: ignore[misc]
            asked = way.format(order)
            wrong += of.ask(asked)[1] != of.model(asked)
    return wrong


@pytest.mark.parametrize("ways", OPPOSITES.values(), ids=OPPOSITES)
def test_an_opposite_is_not_served_however_often_it_is_asked(by_model: Asking, ways: tuple[str, str]) -> None:
    # All that was certified on meant the same, so that nothing said where to stop.
    assert wrong_of(by_model, ways, range(50_000, 50_020)) == 0
    assert wrong_of(by_model, ways[::-1], range(60_000, 60_010)) == 0


# -- how often, and by chance


def test_a_wording_is_served_anothers_answer_16_times_at_most(asking: Asking) -> None:
    asking.kept(WAYS[0].format(77), "secret")
    said = [asking.ask(WAYS[1].format(77)) for _ in range(30)]
    assert said[:16] == [(Outcome.SEMANTIC, "secret")] * 16
    # The model says otherwise; from then on that is what it is answered.
    assert said[16] == (Outcome.AUDIT_DIFFERENT, "77")
    assert said[17:] == [(Outcome.EXACT, "77")] * 13


def test_capitals_and_marks_make_no_other_wording_of_it(asking: Asking) -> None:
    asking.kept(WAYS[0].format(77), "secret")
    wording = WAYS[1].format(77)
    forms = [
        form + mark
        for form in (wording, wording.upper(), wording.lower(), f"Please {wording}")
        for mark in "?! ."
    ]
    said = [asking.ask(form)[1] for form in forms * 2]
    assert said == ["secret"] * 16 + ["77"] * 16


def test_as_long_as_the_model_fails_it_is_asked(asking: Asking) -> None:
    asking.kept(WAYS[0].format(77), "secret")
    for _ in range(16):
        asking.ask(WAYS[1].format(77))
    asking.model = lambda _: None
    assert [asking.ask(WAYS[1].format(77))[1] for _ in range(3)] == [None] * 3


@pytest.mark.parametrize("drawn", [0.0, 0.04, 0.06, 0.99])
def test_the_coin_is_drawn_before_the_score_is_seen(
    asking: Asking, monkeypatch: pytest.MonkeyPatch, drawn: float
) -> None:
    events: list[str] = []

    def chance() -> float:
        events.append("coin")
        return drawn

    asking.terms, asking.chance = ON, chance
    asking.reopened()
    near = asking.entries.near

    def nearest(*asked: Any) -> Any:
        events.append("near")
        return near(*asked)

    monkeypatch.setattr(asking.entries, "near", nearest)
    asking.kept(WAYS[0].format(77), "secret")
    for wording in (WAYS[1].format(77), "Cancel order 77 now", WAYS[1].format(79)):
        events.clear()
        outcome, said = asking.ask(wording)
        # Once for each that is compared, whatever it is then compared with.
        assert events == ["coin", "near"]
        assert said == ("secret" if outcome is Outcome.SEMANTIC else "77" if "77" in wording else "79")
        assert outcome is not Outcome.SEMANTIC or drawn >= 0.05


def test_a_failed_answer_teaches_nothing(asking: Asking) -> None:
    asking.terms = replace(ON, mode=Mode.SHADOW)
    asking.kept(WAYS[0].format(77), "secret")
    before, size = asking.cache.states()[0].certificates, asking.entries.size
    asking.model = lambda _: None
    for way in WAYS:
        asking.ask(way.format(77))
    assert asking.cache.states()[0].certificates == before
    assert asking.entries.size == size


def test_what_is_served_is_not_kept_as_if_it_had_been_said(asking: Asking) -> None:
    asking.kept(WAYS[0].format(77), "secret")
    size = asking.entries.size
    look = asking.cache.look(WHERE, question(WAYS[1].format(77)), asking.terms, asking.now)
    assert (look.outcome, look.ticket, look.kept_at) == (Outcome.SEMANTIC, None, asking.now)
    assert asking.entries.size == size
