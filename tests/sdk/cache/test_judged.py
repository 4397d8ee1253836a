"""The judge's own error: what is not known of it makes less of what is served acceptable, never more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.cache.bound import JudgeError

COUNTS = st.integers(0, 2000)
SHARES = st.floats(0.001, 0.2)


@st.composite
def errors(draw: st.DrawFn) -> JudgeError:
    different, same = draw(COUNTS), draw(COUNTS)
    return JudgeError(different, draw(st.integers(0, different)), same, draw(st.integers(0, same)))


def test_of_a_judge_of_whom_nothing_is_known_nothing_may_be_called_different() -> None:
    assert JudgeError().misses_at_most(0.1) == 1
    assert JudgeError().alarms_at_least(0.1) == 0
    assert JudgeError().bound_on_said(0.02, 0.1) == 0


def test_a_limit_takes_a_tenth_of_the_chance() -> None:
    # None of 300 different pairs was missed: the limit where 300 draws without one have a chance of 0.1 / 10.
    missed = 1 - 0.01 ** (1 / 300)
    error = JudgeError(different=300)
    assert error.misses_at_most(0.1) == pytest.approx(missed)
    assert error.bound_on_said(0.02, 0.1) == pytest.approx(0.02 * (1 - missed))
    assert error.left(0.1) == pytest.approx(0.1 * (1 - 0.1 - 0.1))


def test_what_it_wrongly_calls_different_is_allowed_for() -> None:
    error = JudgeError(different=10**9, same=10, false_alarms=10)
    # All of 10: the share p at which p^10 = 0.01.
    alarms = 0.01 ** (1 / 10)
    assert error.bound_on_said(0.02, 0.1) == pytest.approx(0.02 + 0.98 * alarms, abs=1e-6)


@given(errors(), SHARES, SHARES)
def test_the_bound_on_what_is_said_is_a_share(error: JudgeError, bound: float, alpha: float) -> None:
    assert 0 <= error.bound_on_said(bound, alpha) <= 1


@given(st.integers(0, 2000), SHARES, SHARES)
def test_a_judge_who_never_calls_the_same_different_makes_it_no_larger(
    different: int, bound: float, alpha: float
) -> None:
    assert JudgeError(different).bound_on_said(bound, alpha) <= bound


@given(errors(), SHARES, SHARES)
def test_a_different_pair_that_it_misses_makes_it_no_larger(
    error: JudgeError, bound: float, alpha: float
) -> None:
    worse = error.labelled(same=False, said_same=True)
    assert worse.bound_on_said(bound, alpha) <= error.bound_on_said(bound, alpha) + 1e-9


@pytest.mark.parametrize(
    ("same", "said_same", "then"),
    [
        pytest.param(False, False, JudgeError(11, 2, 20, 4), id="different, and it says so"),
        pytest.param(False, True, JudgeError(11, 3, 20, 4), id="different, and it says the same"),
        pytest.param(True, True, JudgeError(10, 2, 21, 4), id="the same, and it says so"),
        pytest.param(True, False, JudgeError(10, 2, 21, 5), id="the same, and it says different"),
    ],
)
def test_a_label_counts(*, same: bool, said_same: bool, then: JudgeError) -> None:
    assert JudgeError(10, 2, 20, 4).labelled(same=same, said_same=said_same) == then


def test_where_the_judges_errors_are_as_supposed_the_bound_on_what_it_says_is_met_just_at_the_bound() -> None:
    # r (1 - a) + (1 - r) b at r = 2 %, a = 10 %, b = 5 %, known of very many.
    error = JudgeError(10**8, 10**7, 10**8, 5 * 10**6)
    # The limits lie within some 1e-4 of what was seen.
    assert error.bound_on_said(0.02, 0.1) == pytest.approx(0.02 * 0.9 + 0.98 * 0.05, abs=3e-4)


def test_a_judge_of_whose_misses_nothing_is_known_certifies_nothing_though_it_cried_wolf() -> None:
    judge = JudgeError(different=0, missed=0, same=200, false_alarms=20)
    assert judge.alarms_at_least(0.1) > 0
    assert judge.bound_on_said(0.02, 0.1) == 0
