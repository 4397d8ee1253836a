"""Laws of the bridge: what holds for any two periods."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from analytics.contracts.exact import EXACT
from analytics.variance import Driver, Sku, bridge, bridges

KINDS = ("input_uncached", "cache_read", "cache_write_5m", "output", "other")
INPUT = KINDS[:3]
PLACE = Decimal("0.000000000001")

amounts = st.decimals(-50, 1000, places=12)
products = st.sampled_from(
    [("openai", "gpt-4o", ""), ("openai", "gpt-4o", "batch"), ("anthropic", "claude", "")]
)


@st.composite
def some(draw: st.DrawFn) -> Sku:
    amount = draw(st.none() | amounts)
    retried = draw(st.decimals(0, 50, places=12))
    apart = draw(st.sampled_from([None, None, None, Driver.CORRECTIONS, Driver.CHARGES]))
    quantity = draw(st.sampled_from([0, 0, 1]) | st.integers(0, 10**9))
    return Sku(draw(products), draw(st.sampled_from(KINDS)), quantity, amount, retried, apart)


periods = st.lists(some(), max_size=12)
# Periods in which everything has a price of so much, and so many tokens: one of each kind of each product.
prices = st.integers(1, 10**6).map(lambda price: Decimal(price).scaleb(-12))
whole = st.dictionaries(
    st.tuples(products, st.sampled_from(KINDS[:4])), st.tuples(st.integers(1, 10**6), prices), min_size=1
).map(lambda found: [Sku(*key, tokens, tokens * price) for key, (tokens, price) in found.items()])


def _sum(period: list[Sku]) -> Decimal:
    with localcontext(EXACT):
        return sum((sku.amount for sku in period if sku.amount is not None), Decimal(0))


@given(periods, periods)
def test_parts_add_up_to_the_change_to_the_last_place(before: list[Sku], now: list[Sku]) -> None:
    found = bridge(before, now)
    with localcontext(EXACT):
        assert (found.before, found.now) == (_sum(before), _sum(now))
        assert sum(found.parts.values()) == found.change
    assert all(part == part.quantize(PLACE, context=EXACT) for part in found.parts.values())


@given(periods, periods, st.randoms(use_true_random=False))
def test_neither_order_nor_splitting_matters(before: list[Sku], now: list[Sku], random: Random) -> None:
    shuffled = [[*before], [*now]]
    for each in shuffled:
        random.shuffle(each)
    nothing = [
        replace(sku, quantity=0, amount=sku.amount and Decimal(0), retry_amount=Decimal(0)) for sku in now
    ]
    assert bridge(shuffled[0], shuffled[1]) == bridge(before, now) == bridge(before, [*nothing, *now])


@given(periods)
def test_no_change_is_no_part(period: list[Sku]) -> None:
    assert not any(bridge(period, period).parts.values())


@given(periods, periods)
def test_back_again_is_the_same_change_the_other_way(before: list[Sku], now: list[Sku]) -> None:
    there, back = bridge(before, now), bridge(now, before)
    assert there.change == -back.change
    for one, other in ((Driver.NEW, Driver.RETIRED), (Driver.RETIRED, Driver.NEW)):
        assert there.parts[one] == -back.parts[other]
    for same in (Driver.CORRECTIONS, Driver.CHARGES):
        assert there.parts[same] == -back.parts[same]


@given(whole, st.data())
def test_other_prices_alone_are_price_alone(period: list[Sku], data: st.DataObject) -> None:
    now = [replace(sku, amount=sku.quantity * data.draw(prices)) for sku in period]
    found = bridge(period, now)
    assert found.parts == dict.fromkeys(Driver, Decimal(0)) | {Driver.PRICE: found.change}


@given(whole, st.integers(2, 9), st.fractions(0, Fraction(7, 8), max_denominator=8))
def test_so_many_times_everything_is_volume_alone(period: list[Sku], times: int, retried: Fraction) -> None:
    before = [replace(sku, retry_amount=_share(sku, retried)) for sku in period]
    now = [
        Sku(sku.product, sku.kind, sku.quantity * times, times * (sku.amount or 0), times * sku.retry_amount)
        for sku in before
    ]
    found = bridge(before, now)
    assert found.parts == dict.fromkeys(Driver, Decimal(0)) | {Driver.VOLUME: found.change}


def _share(sku: Sku, share: Fraction) -> Decimal:
    assert sku.amount is not None
    return sku.amount * share.numerator / share.denominator


@given(whole, st.integers(1, 9), st.integers(1, 9))
def test_the_same_work_in_other_attempts_is_retries_alone(period: list[Sku], had: int, has: int) -> None:
    found = bridge([_tried(sku, had) for sku in period], [_tried(sku, has) for sku in period])
    assert found.parts == dict.fromkeys(Driver, Decimal(0)) | {Driver.RETRIES: found.change}


def _tried(sku: Sku, times: int) -> Sku:
    assert sku.amount is not None
    return replace(
        sku,
        quantity=sku.quantity * times,
        amount=sku.amount * times,
        retry_amount=sku.amount * (times - 1),
    )


@given(
    st.lists(st.tuples(*[st.integers(1, 1000)] * 3), min_size=2, max_size=2),
    st.tuples(*[prices] * 4),
    st.integers(1, 1000),
)
def test_another_share_from_the_cache_is_cache_alone(
    shares: list[tuple[int, ...]], each: tuple[Decimal, ...], output: int
) -> None:
    """The same input in all, dealt out otherwise to what is read from the cache, written to it, and neither."""
    total = sum(shares[0]) * sum(shares[1])
    before, now = (
        [
            *(
                Sku(("p", "m", ""), kind, count * total // sum(period), count * total // sum(period) * price)
                for kind, count, price in zip(INPUT, period, each, strict=False)
            ),
            Sku(("p", "m", ""), "output", output, output * each[3]),
        ]
        for period in shares
    )
    found = bridge(before, now)
    assert found.parts == dict.fromkeys(Driver, Decimal(0)) | {Driver.CACHE: found.change}


@given(whole, whole)
def test_mix_and_cache_are_what_their_formula_says(before: list[Sku], now: list[Sku]) -> None:
    """Mix takes what the other formulas leave, so that it is checked by its own: of what both periods have."""
    old, new = ({(sku.product, sku.kind): sku for sku in period} for period in (before, now))
    both = {product for product, _ in old} & {product for product, _ in new}
    tokens = [sum(sku.quantity for key, sku in each.items() if key[0] in both) for each in (old, new)]
    found = bridge(before, now)
    expected = Decimal(0)
    with localcontext(EXACT):
        for key in sorted({key for key in (*old, *new) if key[0] in both}):
            priced = old.get(key) or new[key]
            assert priced.amount is not None
            count = [each[key].quantity if key in each else 0 for each in (old, new)]
            expected += (
                priced.amount
                / priced.quantity
                * (count[1] - count[0] * Decimal(tokens[1]) / (tokens[0] or 1))
            )
        # All parts together are within half a place each of their exact values.
        assert abs(found.parts[Driver.MIX] + found.parts[Driver.CACHE] - expected) <= 2 * PLACE


@given(st.lists(st.tuples(st.sampled_from("abc"), amounts, st.integers(0, 9)), max_size=9), st.integers(0, 9))
def test_the_changes_of_groups_add_up_to_the_change_of_all(
    rows: list[tuple[str, Decimal, int]], cut: int
) -> None:
    counts = dict.fromkeys(("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h"), 0)
    none = dict.fromkeys(("amount_input", *(f"amount_{kind}" for kind in (*counts, "other"))), Decimal(0))
    lines = [
        {**counts, **none, "group": group, "output": tokens, "amount_output": amount, "amount": amount}
        for group, amount, tokens in rows
    ]
    before, now = lines[:cut], lines[cut:]
    groups = bridges(before, now, by=lambda line: str(line["group"]))
    (whole,) = bridges(before, now, by=lambda _: "all").values() or [bridge([], [])]
    with localcontext(EXACT):
        assert sum((each.change for each in groups.values()), Decimal(0)) == whole.change
