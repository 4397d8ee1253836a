"""Who pays for a burst: worked examples, and laws that hold for any use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from analytics.bursts import Method, at_percentile_95, overage, shares, split, underuse
from analytics.contracts.exact import QUANTUM

EXAMPLE = {"A": 80, "B": 40, "C": 10}  # 130 used
WEIGHTS = {"A": 50, "B": 30, "C": 20}  # of 100 committed
BY_USE = (Method.PROPORTIONAL, Method.MARGINAL, Method.EVEN)

names = st.text("abcdef", min_size=1, max_size=3)
uses = st.dictionaries(names, st.integers(0, 10**9), min_size=1, max_size=8)
weightings = st.dictionaries(names, st.integers(0, 1000), max_size=8)
amounts = st.integers(0, 10**18).map(lambda units: units * QUANTUM)


def total(parts: Mapping[str, Decimal]) -> Decimal:
    return sum(parts.values(), Decimal(0))


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        # 30, 10 and 0 above the shares, 40 in all: 30 x 30/40, 30 x 10/40
        (Method.PROPORTIONAL, {"A": Decimal("22.5"), "B": Decimal("7.5")}),
        (Method.EVEN, {"A": Decimal(10), "B": Decimal(10), "C": Decimal(10)}),
        # 30 x 50/100 and so on
        (Method.FIXED, {"A": Decimal(15), "B": Decimal(9), "C": Decimal(6)}),
        # each use x (1 - 100/130), to twelve places; A has the largest remainder, 0.46 of a unit
        (
            Method.MARGINAL,
            {
                "A": Decimal("18.461538461539"),
                "B": Decimal("9.230769230769"),
                "C": Decimal("2.307692307692"),
            },
        ),
    ],
    ids=str,
)
def test_an_overage_is_divided_as_worked_by_hand(method: Method, expected: dict[str, Decimal]) -> None:
    assert overage(Decimal(30), EXAMPLE, committed=100, weights=WEIGHTS, method=method) == expected


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        # Shares of 50, 30, 20; 10, 30 and 0 of them unused: 40 x 10/40, 40 x 30/40
        (Method.PROPORTIONAL, {"A": Decimal(10), "B": Decimal(30)}),
        (Method.MARGINAL, {"A": Decimal(20), "B": Decimal(12), "C": Decimal(8)}),  # by the shares held
        (Method.FIXED, {"A": Decimal(20), "B": Decimal(12), "C": Decimal(8)}),
        (Method.EVEN, {name: Decimal("13.333333333333") + (name == "A") * QUANTUM for name in "ABC"}),
    ],
    ids=str,
)
def test_idle_cost_falls_on_who_holds_a_share_and_leaves_it_unused(
    method: Method, expected: dict[str, Decimal]
) -> None:
    used = {"A": 40, "B": 0, "C": 20}
    assert underuse(Decimal(40), used, committed=100, weights=WEIGHTS, method=method) == expected


def test_shares_are_equal_unless_weighted_and_add_up_to_what_was_committed() -> None:
    assert shares(100, ["a", "b", "c"], {}) == dict.fromkeys("abc", Fraction(100, 3))
    assert shares(100, ["a", "b"], {"a": 3, "absent": 7}) == {"a": 75, "b": 25}


def test_a_tenant_without_a_share_pays_for_all_that_it_uses() -> None:
    # b, c hold 50 each; a has none: 60 above, b 10 above
    paid = overage(Decimal(7), {"a": 60, "b": 60, "c": 10}, committed=100, weights={"a": 0})
    assert paid == {"a": Decimal(6), "b": Decimal(1)}


def test_where_nobody_has_a_share_all_use_is_above_it() -> None:
    assert overage(Decimal(3), {"a": 80, "b": 40}, committed=100, weights={"a": 0, "b": 0}) == {
        "a": Decimal(2),
        "b": Decimal(1),
    }


def test_idle_cost_that_was_committed_for_nobody_is_unattributed() -> None:
    assert underuse(Decimal(3), {}, committed=100, weights={}) == {"unattributed": Decimal(3)}


@pytest.mark.parametrize("divide", [overage, underuse], ids=["overage", "underuse"])
def test_a_charge_that_cannot_have_arisen_is_refused(divide: Callable[..., object]) -> None:
    with pytest.raises(ValueError, match="100 used"):
        divide(Decimal(1), {"a": 100}, committed=100, weights={})


@pytest.mark.parametrize(
    ("charge", "claims", "said"),
    [
        ("1", {}, "nobody has a claim"),
        ("1", {"a": 0}, "nobody has a claim"),
        ("-1", {"a": 1}, "a charge of -1 cannot"),
        ("1e-13", {"a": 1}, "a charge of 1E-13 cannot"),
        ("1", {"a": 2, "b": -1}, "claim of 'b' is -1"),
    ],
)
def test_what_cannot_be_split_is_refused_with_its_value(
    charge: str, claims: dict[str, int], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        split(Decimal(charge), claims)


def test_a_negative_weight_is_refused_with_its_tenant() -> None:
    with pytest.raises(ValueError, match="weight of 'b' is -2"):
        shares(100, ["a", "b"], {"b": -2})


@pytest.mark.parametrize("method", BY_USE, ids=str)
@given(uses, weightings, amounts, st.integers(1, 10**9))
def test_shares_of_an_overage_add_up_to_it_whatever_the_order_and_none_is_negative(
    method: Method, used: dict[str, int], weights: dict[str, int], charge: Decimal, committed: int
) -> None:
    assume(sum(used.values()) > committed)
    paid = overage(charge, used, committed=committed, weights=weights, method=method)
    assert total(paid) == charge
    assert all(amount > 0 for amount in paid.values())
    backwards = dict(reversed(used.items()))
    assert paid == overage(charge, backwards, committed=committed, weights=weights, method=method)


@pytest.mark.parametrize("method", BY_USE, ids=str)
@given(uses, weightings, amounts, st.integers(1, 10**10))
def test_shares_of_underuse_add_up_to_it_and_none_is_negative(
    method: Method, used: dict[str, int], weights: dict[str, int], charge: Decimal, committed: int
) -> None:
    assume(sum(used.values()) < committed)
    paid = underuse(charge, used, committed=committed, weights=weights, method=method)
    assert total(paid) == charge
    assert all(amount > 0 for amount in paid.values())


@given(uses, weightings, amounts, st.integers(1, 10**9))
def test_within_its_share_a_tenant_pays_nothing(
    used: dict[str, int], weights: dict[str, int], charge: Decimal, committed: int
) -> None:
    assume(sum(used.values()) > committed)
    active = [name for name, use in used.items() if use]
    entitled = shares(committed, active, weights)
    paid = overage(charge, used, committed=committed, weights=weights)
    assert {name for name in paid if used[name] <= entitled[name]} == set()


@given(uses, weightings, amounts, st.integers(1, 10**9), st.integers(2, 1000))
def test_counting_in_another_unit_changes_nothing(
    used: dict[str, int], weights: dict[str, int], charge: Decimal, committed: int, unit: int
) -> None:
    assume(sum(used.values()) > committed)
    larger = {name: use * unit for name, use in used.items()}
    heavier = {name: weights.get(name, 1) * unit for name in used}
    assert overage(charge, used, committed=committed, weights=weights) == overage(
        charge, larger, committed=committed * unit, weights=heavier
    )


@given(uses, amounts, st.integers(1, 10**6), st.integers(2, 100))
def test_a_charge_so_many_times_larger_is_so_many_times_larger_for_each(
    used: dict[str, int], charge: Decimal, committed: int, times: int
) -> None:
    assume(sum(used.values()) > committed)
    once = overage(charge, used, committed=committed, weights={})
    often = overage(charge * times, used, committed=committed, weights={})
    assert all(
        abs(often.get(name, Decimal(0)) - times * once.get(name, Decimal(0))) <= times * QUANTUM
        for name in used
    )


# Bands above 100 tokens: where each begins, and what it costs on top.
bands = st.lists(
    st.tuples(st.integers(100, 10**6), st.integers(0, 50)),
    min_size=1,
    max_size=4,
    unique_by=lambda band: band[0],
).map(sorted)


@given(uses, bands)
def test_marginal_is_the_integral_of_the_marginal_cost_along_the_ray_over_any_bands(
    used: dict[str, int], terms: list[tuple[int, int]]
) -> None:
    """Piece by piece: on the part of the ray, t in [a, b], that lies in one band, each adds q x rate x (b - a)."""
    whole = sum(used.values())
    assume(whole > terms[0][0])
    starts = [min(Fraction(1), Fraction(start, whole)) for start, _ in terms]
    slopes = [
        rate * (end - start)
        for (_, rate), start, end in zip(terms, starts, [*starts[1:], Fraction(1)], strict=True)
    ]
    integral = {name: use * sum(slopes, Fraction(0)) for name, use in used.items()}
    charge = Decimal(sum(integral.values()).numerator)  # whole tokens times whole rates
    paid = overage(charge, used, committed=terms[0][0], weights={}, method=Method.MARGINAL)
    assert all(
        abs(Fraction(paid.get(name, Decimal(0))) - exact) <= Fraction(QUANTUM)
        for name, exact in integral.items()
    )


def test_a_month_charged_at_its_95th_percentile_is_set_by_the_minute_at_it() -> None:
    # Of 100 minutes the 5 highest are dropped: 95 is the highest that is left
    assert at_percentile_95({start: Decimal(start) for start in range(1, 101)}, 100) == [95]


def test_minutes_that_tie_at_the_percentile_set_the_bill_together() -> None:
    assert at_percentile_95({0: Decimal(7), 60: Decimal(3), 120: Decimal(7)}, 10) == [0, 120]


def test_a_month_that_was_idle_at_the_percentile_is_set_by_no_minute() -> None:
    assert at_percentile_95({0: Decimal(7)}, 43_200) == []


def test_of_several_token_types_each_pays_by_what_it_burns() -> None:
    """The mean price along the ray is one for every burnt token: 30 over 100 x 1 + 50 x 4 burnt ones."""
    assert split(Decimal(30), {"input": 100 * 1, "output": 50 * 4}) == {
        "input": Decimal(10),
        "output": Decimal(20),
    }
