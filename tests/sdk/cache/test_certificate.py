"""Certificates: seldom given where too much is wrong, soon where nothing is, and withdrawn when that changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from math import ceil, log, sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.cache.bound import Certificate, JudgeError

KNOWN = JudgeError(different=10**9, same=10**9)
"""Of a judge that errs in nothing, known from very many pairs."""
BOUND, CONFIDENCE = 0.02, 0.9
SURE = 0.9995
"""A score of the strictest regions."""
NEEDED = ceil(log(0.1 * 0.8 / 2) / log(1 - BOUND))
"""Labels without a wrong one at the first look: it spends half of what both limits of the judge's error leave."""


def certificate(judge: JudgeError = KNOWN, bound: float = BOUND) -> Certificate:
    return Certificate(bound, CONFIDENCE, judge)


def certified() -> Certificate:
    made = certificate()
    for _ in range(NEEDED):
        made.label(SURE, wrong=False)
    return made


def labels(random: Random, share: float, count: int) -> Iterator[tuple[float, bool]]:
    """Labels of scores that tell nothing: in each region the same share is wrong."""
    for _ in range(count):
        yield random.choice((SURE, 0.993, 0.985, 0.96)), random.random() < share


def test_nothing_is_served_before_the_stated_number_of_labels_and_from_it_on() -> None:
    made = certificate()
    assert made.needed == NEEDED
    for seen in range(NEEDED):
        assert made.serves_from is None
        assert made.words() == f"shadow, {seen} of {NEEDED} labels"
        made.label(SURE, wrong=False)
    assert made.serves_from is not None
    assert made.serves_from <= SURE
    assert made.words() == "certified at 2 %, 90 % confidence"


@pytest.mark.parametrize(
    ("bound", "needed"),
    [
        # (1 - bound)^n <= 0.04: half of 0.1 less two tenths of it.
        pytest.param(0.01, ceil(log(0.04) / log(0.99)), id="1 %"),
        pytest.param(0.02, ceil(log(0.04) / log(0.98)), id="2 %"),
        pytest.param(0.05, ceil(log(0.04) / log(0.95)), id="5 %"),
    ],
)
def test_a_smaller_bound_needs_more_labels(bound: float, needed: int) -> None:
    assert certificate(bound=bound).needed == needed


def test_a_single_wrong_label_among_the_needed_ones_puts_it_off() -> None:
    made = certificate()
    made.label(SURE, wrong=True)
    for _ in range(NEEDED - 1):
        made.label(SURE, wrong=False)
    assert made.serves_from is None
    # The second look spends half of what the first did.
    assert made.needed == ceil(log(0.1 * 0.8 / 4) / log(1 - BOUND))
    assert made.words() == f"shadow, {NEEDED} of {made.needed} labels, 1 looks so far"
    for _ in range(2 * NEEDED):
        made.label(SURE, wrong=False)
    assert made.serves_from is not None


@pytest.mark.parametrize("share", [0.021, 0.03])
def test_where_more_than_the_bound_is_wrong_a_certificate_is_seldom_given(share: float) -> None:
    streams, alpha, random = 300, 1 - CONFIDENCE, Random(20)
    given_wrongly = 0
    for _ in range(streams):
        made = certificate()
        for score, wrong in labels(random, share, 700):
            made.label(score, wrong=wrong)
            if made.serves_from is not None:
                given_wrongly += 1
                break
    # Three standard errors above alpha.
    assert given_wrongly / streams <= alpha + 3 * sqrt(alpha * (1 - alpha) / streams)


def test_scores_that_tell_are_served_from_where_they_are_right() -> None:
    random, made = Random(3), certificate()
    for _ in range(2000):
        made.label(SURE, wrong=False)
        made.label(0.9, wrong=random.random() < 0.3)
    assert made.serves_from is not None
    assert 0.9 < made.serves_from <= SURE


def test_what_by_its_score_is_wrong_more_likely_than_not_is_not_served() -> None:
    made = certificate()
    for _ in range(3000):
        made.label(SURE, wrong=False)
        made.label(0.2, wrong=False)
    assert made.serves_from is not None
    assert made.serves_from >= 0.5


def test_a_stream_that_drifts_is_revoked_within_thirty_audits() -> None:
    # At twenty times the bound wrong, by the row for ten times: 0.4 log(10) + 0.6 log(0.8 / 0.98) = 0.80 an audit.
    # log(3000) = 8.0 is reached after about ten of them; thirty leave room for chance.
    random = Random(4)
    for _ in range(100):
        made = certified()
        for _ in range(30):
            made.served_label(wrong=random.random() < 0.4)
            if made.revoked:
                break
        assert made.revoked is not None
        assert made.serves_from is None


def test_at_four_times_the_bound_it_is_revoked_within_eight_hundred_audits() -> None:
    # 0.08 log(4) + 0.92 log(0.92 / 0.98) = 0.053 an audit: log(3000) = 8.0 takes 150 in the mean.
    random = Random(5)
    for _ in range(50):
        made = certified()
        for _ in range(800):
            made.served_label(wrong=random.random() < 4 * BOUND)
            if made.revoked:
                break
        assert made.revoked is not None


def test_a_stationary_stream_within_the_bound_is_seldom_revoked() -> None:
    # One false alarm in a thousand labels at most: of 100 streams of 300 at the very bound, 30 in the mean.
    streams, audits, random = 100, 300, Random(6)
    alarms = 0
    for _ in range(streams):
        made = certified()
        for _ in range(audits):
            made.served_label(wrong=random.random() < BOUND)
            if made.revoked:
                alarms += 1
                break
    assert alarms <= streams * audits / 1000


def test_half_the_bound_is_never_revoked() -> None:
    made = certified()
    for number in range(1, 5001):
        made.served_label(wrong=number % 100 == 0)
    assert made.revoked is None
    assert made.serves_from is not None


def test_what_was_revoked_says_why_and_begins_anew() -> None:
    made = certified()
    for _ in range(4):
        made.served_label(wrong=True)
    # Each wrong one adds log(10): four are more than log(3000).
    assert (
        made.words() == f"revoked: 4 of 4 audits of what was served were wrong; shadow, 0 of {NEEDED} labels"
    )
    for _ in range(NEEDED):
        made.label(SURE, wrong=False)
    assert made.words() == "certified at 2 %, 90 % confidence"


def test_a_person_may_revoke_it() -> None:
    made = certified()
    made.revoke("the manual was rewritten")
    assert made.serves_from is None
    assert made.words().startswith("revoked: the manual was rewritten; shadow, 0 of ")


def test_with_a_judge_of_whom_nothing_is_known_nothing_is_ever_certified() -> None:
    made = certificate(JudgeError())
    for _ in range(5000):
        made.label(SURE, wrong=False)
    assert made.serves_from is None
    assert made.words() == (
        "cannot be certified at 2 %: too little is known of the judge's own errors, or they are many"
    )


def test_a_judge_that_misses_half_of_what_is_different_needs_twice_the_labels() -> None:
    halfway = certificate(JudgeError(different=10**9, missed=10**9 // 2))
    # (1 - 0.02 / 2)^n <= 0.04.
    assert halfway.needed == pytest.approx(log(0.04) / log(0.99), abs=1)


def test_what_is_wrong_is_told_with_its_interval() -> None:
    made = certificate()
    assert made.wrong_share() == (None, 0.0, 1.0)
    for number in range(100):
        made.label(SURE, wrong=number < 1)
    share, low, high = made.wrong_share()
    assert share == 1 / 100
    # P(X >= 1) = 1 - (1 - p)^100 = 0.05.
    assert low == pytest.approx(1 - 0.95 ** (1 / 100))
    assert high > 4 / 100


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=300),
    st.sampled_from([certified, lambda: certificate(JudgeError(230, 1, 5, 2))]),
)
def test_a_certificate_comes_back_from_its_document(
    seen: list[tuple[float, bool]], begun: Callable[[], Certificate]
) -> None:
    made = begun()
    for score, wrong in seen:
        made.label(score, wrong=wrong)
    back = Certificate.from_document(json.loads(json.dumps(made.to_document())))
    assert back == made
    assert back.words() == made.words()


def test_the_score_one_counts_and_what_is_no_score_does_not() -> None:
    made = certificate()
    made.label(1.0, wrong=False)
    made.label(-0.5, wrong=True)
    made.label(float("nan"), wrong=True)
    assert (sum(made.labels), sum(made.wrong)) == (1, 0)
