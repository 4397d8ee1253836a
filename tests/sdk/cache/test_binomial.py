"""Limits of a share, against what can be worked out by hand."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.cache.bound.binomial import at_most, lower, upper

DRAWS = st.integers(1, 400)
ALPHAS = st.floats(0.001, 0.4)


@pytest.mark.parametrize(
    ("count", "draws", "alpha", "limit"),
    [
        # None of n: the share at which n draws without one have a chance of alpha, (1 - p)^n = alpha.
        pytest.param(0, 59, 0.05, 1 - 0.05 ** (1 / 59), id="none of 59"),
        pytest.param(0, 1, 0.1, 1 - 0.1, id="none of one"),
        pytest.param(0, 460, 0.1, 1 - 0.1 ** (1 / 460), id="none of 460"),
        # All but one of two: P(X <= 1) = 1 - p^2 = alpha.
        pytest.param(1, 2, 0.19, 0.81**0.5, id="one of two"),
        pytest.param(7, 7, 0.05, 1.0, id="all"),
        pytest.param(0, 0, 0.05, 1.0, id="no draws"),
    ],
)
def test_the_upper_limit_is_where_so_few_have_a_chance_of_alpha(
    count: int, draws: int, alpha: float, limit: float
) -> None:
    assert upper(count, draws, alpha) == pytest.approx(limit, abs=1e-9)


@pytest.mark.parametrize(
    ("count", "draws", "alpha", "limit"),
    [
        pytest.param(5, 5, 0.05, 0.05 ** (1 / 5), id="all of 5: p^5 = alpha"),
        pytest.param(1, 10, 0.05, 1 - 0.95 ** (1 / 10), id="one of 10: 1 - (1 - p)^10 = alpha"),
        pytest.param(0, 10, 0.05, 0.0, id="none"),
        pytest.param(0, 0, 0.05, 0.0, id="no draws"),
    ],
)
def test_the_lower_limit_is_where_so_many_have_a_chance_of_alpha(
    count: int, draws: int, alpha: float, limit: float
) -> None:
    assert lower(count, draws, alpha) == pytest.approx(limit, abs=1e-9)


@given(draws=st.integers(1, 60), part=st.floats(0, 1), per_mille=st.integers(1, 999))
def test_the_chance_of_so_few_is_the_sum_of_exact_terms(draws: int, part: float, per_mille: int) -> None:
    count, share = int(part * draws), Fraction(per_mille, 1000)
    exact = sum(comb(draws, k) * share**k * (1 - share) ** (draws - k) for k in range(count + 1))
    assert at_most(count, draws, float(share)) == pytest.approx(float(exact), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("share", "chance"), [(0.0, 1.0), (1.0, 0.0)])
def test_of_what_never_or_always_is_the_chance_is_certain(share: float, chance: float) -> None:
    assert at_most(3, 10, share) == chance


@given(draws=DRAWS, part=st.floats(0, 1), alpha=ALPHAS)
def test_the_limits_have_the_seen_share_between_them(draws: int, part: float, alpha: float) -> None:
    count = round(part * draws)
    assert lower(count, draws, alpha) <= count / draws <= upper(count, draws, alpha)


@given(draws=DRAWS, part=st.floats(0, 1), alpha=ALPHAS)
def test_what_is_not_the_case_has_the_limits_mirrored(draws: int, part: float, alpha: float) -> None:
    count = round(part * draws)
    assert lower(count, draws, alpha) == pytest.approx(1 - upper(draws - count, draws, alpha), abs=1e-9)


@given(draws=DRAWS, part=st.floats(0, 0.9), alpha=ALPHAS)
def test_more_draws_of_the_same_count_tell_of_less(draws: int, part: float, alpha: float) -> None:
    count = int(part * draws)
    assert upper(count, draws + 1, alpha) <= upper(count, draws, alpha) + 1e-9
    assert upper(count, draws, alpha) <= upper(count, draws, alpha / 2) + 1e-9


def test_a_long_series_of_draws_loses_no_digits() -> None:
    # P(X <= 0) of 100,000 at 1 in 100,000: (1 - 1e-5)^100000, e^-1 to five digits.
    assert at_most(0, 100_000, 1e-5) == pytest.approx((1 - 1e-5) ** 100_000, rel=1e-8)
