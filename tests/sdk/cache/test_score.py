"""The score: a guess by words that what was seen outweighs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.cache.wording.reading import Reading, read
from switchgear.cache.wording.score import Seen, first_guess, score

GUESSES = st.floats(-10, 10)
COUNTS = st.integers(0, 50)
SEEN = st.builds(Seen, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, st.floats(0.01, 1))


def reading(text: str) -> Reading:
    found = read(text)
    assert found is not None
    return found


@given(GUESSES, SEEN)
def test_a_score_is_a_chance(guess: float, seen: Seen) -> None:
    assert 0 < score(guess, seen) < 1


@given(GUESSES, SEEN)
def test_a_label_moves_the_score_its_way(guess: float, seen: Seen) -> None:
    for same, different in (("same", "different"), ("through", "apart"), ("alike_same", "alike_different")):
        more = replace(seen, **{same: getattr(seen, same) + 1})
        less = replace(seen, **{different: getattr(seen, different) + 1})
        assert score(guess, less) <= score(guess, seen) <= score(guess, more)


def test_nothing_seen_leaves_the_guess() -> None:
    assert Seen().weight == 0
    assert score(0.0, Seen()) == 0.5


def test_what_was_seen_outweighs_a_veto() -> None:
    guess = first_guess(reading("open the account"), reading("close the account"), 0.95)
    assert score(guess, Seen()) < 0.3
    assert score(guess, Seen(same=10)) > 0.99


def test_one_different_label_outweighs_two_of_the_same() -> None:
    # log(0.97 / 0.25) = 1.36 each, log(0.03 / 0.75) = -3.22.
    assert score(0.0, Seen(same=2, different=1)) < 0.5


def test_what_was_seen_over_third_wordings_says_less() -> None:
    assert score(0.0, Seen()) < score(0.0, Seen(through=1)) < score(0.0, Seen(same=1))
    assert score(0.0, Seen()) > score(0.0, Seen(apart=1)) > score(0.0, Seen(different=1))


def test_a_label_says_more_where_different_answers_never_agree() -> None:
    # log(0.97 / 0.01) = 4.57, log(0.97 / 0.5) = 0.66.
    assert score(0.0, Seen(same=1, by_chance=0.01)) == pytest.approx(97 / 98)
    assert score(0.0, Seen(same=1, by_chance=0.5)) == pytest.approx(0.97 / 1.47)


def test_pairs_that_differ_alike_add_as_the_odds_of_a_share() -> None:
    # (5 + 0.2) / (0 + 0.2) = 26 to 1; as many of both kinds say nothing.
    assert score(0.0, Seen(alike_same=5)) == pytest.approx(26 / 27)
    assert score(0.0, Seen(alike_same=5, alike_different=5)) == 0.5
    assert Seen(alike_same=5, alike_different=5)
    assert not Seen()


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        pytest.param("Show the invoice INV-1!", "Find the receipt INV-1", id="the same words"),
        pytest.param("show the invocie INV-1", "show the receipt INV-1", id="a slip"),
        pytest.param("show the bill INV-1", "do not show the bill INV-1", id="no veto"),
    ],
)
def test_a_guess_prefers_what_means_the_same(better: str, worse: str) -> None:
    asked = reading("show the invoice INV-1")
    assert first_guess(asked, reading(better), 0.9) > first_guess(asked, reading(worse), 0.9)


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_nearer_vector_is_no_worse(one: float, other: float) -> None:
    pair = reading("show the late invoices"), reading("list overdue bills")
    near, far = max(one, other), min(one, other)
    assert first_guess(*pair, near) >= first_guess(*pair, far)
