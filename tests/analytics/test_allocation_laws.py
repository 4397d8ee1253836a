"""Laws of allocation: what holds for any cost and any rules."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal, localcontext
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from analytics.allocation import Allocation, By, Cost, Method, Party, Pool, Rule, To, allocate
from analytics.contracts.exact import EXACT
from collector.call import UNATTRIBUTED

START = date(2026, 11, 1)
names = st.sampled_from(["a", "b", "c"])
parties = st.builds(
    Party,
    st.sampled_from(["a", "b", UNATTRIBUTED]),
    st.sampled_from(["v", "w"]),
    st.none() | names,
    st.none() | names,
)
amounts = st.none() | st.decimals(-9, 1000, places=12) | st.just(Decimal("0.000000000001"))
numbers = st.integers(0, 3) | st.integers(0, 10**9)


@st.composite
def cost(draw: st.DrawFn) -> Cost:
    start = START + timedelta(draw(st.integers(0, 2)))
    charge = draw(st.sampled_from([None, None, None, "idle", "overage"]))
    amount = draw(amounts)
    return Cost(
        start,
        start + timedelta(1 if charge is None else 3),
        draw(parties),
        amount,
        draw(st.decimals(0, amount, places=12)) if charge is None and amount and amount > 0 else Decimal(0),
        draw(numbers),
        draw(numbers),
        charge,
        Decimal(draw(numbers)) if charge and draw(st.booleans()) else None,
    )


pools = st.sampled_from(
    [
        Pool(workloads=(("*", "v"),)),
        Pool(workloads=(("a", "*"), ("b", "w"))),
        Pool(charges=("idle", "overage")),
        Pool(retries=True),
        Pool(retries=True, workloads=(("a", "*"),)),
        Pool(unattributed=True),
    ]
)


@st.composite
def rule(draw: st.DrawFn) -> Rule:
    method = draw(st.sampled_from(Method))
    percent = draw(st.integers(0, 100))
    shares = (
        {"a": Decimal(percent) / 100, "z": Decimal(100 - percent) / 100} if method is Method.FIXED else {}
    )
    start = START + timedelta(draw(st.integers(0, 1)))
    return Rule(
        "",
        start,
        draw(pools),
        method,
        draw(st.sampled_from(To)),
        draw(st.sampled_from(By)),
        draw(st.none() | st.just(START + timedelta(2))),
        ("*",) if shares else draw(st.sampled_from([("*",), ("a", "z"), ("b*",)])),
        () if shares else draw(st.sampled_from([(), ("c",)])),
        shares,
        {"a": Decimal(draw(st.integers(0, 3)))} if method is Method.MARGINAL else {},
    )


costs = st.lists(cost(), max_size=10)
rules = st.lists(rule(), min_size=1, max_size=3).map(
    lambda found: [replace(each, name=f"r{place}") for place, each in enumerate(found)]
)


def _allocate(given: list[Cost], by: list[Rule]) -> Allocation:
    return allocate(given, by, currency="USD")


@given(costs, rules)
def test_of_each_origin_amounts_add_up_to_what_was_taken_and_ratios_to_one(
    given: list[Cost], by: list[Rule]
) -> None:
    """Taken is reckoned here by another way: piece by piece, each by the first rule that has it."""
    taken: dict[tuple[object, ...], Decimal] = defaultdict(Decimal)
    with localcontext(EXACT):
        for each in given:
            for further, part in ((False, (each.amount or 0) - each.retry_amount), (True, each.retry_amount)):
                hits = (
                    r
                    for r in by
                    if r.in_force(each.start) and r.pool.takes(each.party, each.charge, further=further)
                )
                if each.amount is not None and (first := next(hits, None)) is not None:
                    taken[first.name, each.start, each.party, each.charge, each.committed] += part
        found = _allocate(given, by)
        told: dict[tuple[object, ...], Decimal] = defaultdict(Decimal)
        for move in (*found.moves, *found.kept):
            told[move.rule, move.start, move.origin, move.charge] += move.amount
        merged: dict[tuple[object, ...], Decimal] = defaultdict(Decimal)
        for key, amount in taken.items():
            merged[key[:4]] += amount
        assert {key: amount for key, amount in told.items() if amount} == {
            key: amount for key, amount in merged.items() if amount
        }
        assert sum(each.moved + each.kept for each in found.applied) == sum(taken.values())


@given(costs, rules)
def test_ratios_of_an_origin_add_up_to_one(given: list[Cost], by: list[Rule]) -> None:
    # Without what was committed one origin is all that a rule takes of a party and a charge on a day.
    found = _allocate([replace(each, committed=None) for each in given], by)
    ratios: dict[tuple[object, ...], Decimal] = defaultdict(Decimal)
    for move in found.moves:
        assert move.ratio >= 0
        ratios[move.rule, move.start, move.origin, move.charge] += move.ratio
    assert set(ratios.values()) <= {Decimal(1)}


@given(costs, rules, st.randoms(use_true_random=False))
def test_neither_order_nor_splitting_matters(given: list[Cost], by: list[Rule], random: Random) -> None:
    cut = [part for each in given for part in _cut(each)]
    random.shuffle(cut)
    assert _allocate(cut, by) == _allocate(given, by)


def _cut(each: Cost) -> list[Cost]:
    """One cost in two: a quantum of it, and the rest."""
    if each.amount is None or each.tokens == 0:
        return [each]
    bit = Decimal("0.000000000001")
    return [
        replace(each, amount=bit, retry_amount=Decimal(0), tokens=1, calls=0),
        replace(each, amount=EXACT.subtract(each.amount, bit), tokens=each.tokens - 1),
    ]


@given(costs, rules)
def test_a_move_goes_to_a_target_and_has_the_sign_of_its_origin(given: list[Cost], by: list[Rule]) -> None:
    named = {each.name: each for each in by}
    signs: dict[tuple[object, ...], set[bool]] = defaultdict(set)
    found = _allocate([replace(each, committed=None) for each in given], by)
    for move in found.moves:
        rule = named[move.rule]
        target = move.to.cost_centre if rule.to is To.COST_CENTRES else move.to.tenant
        assert target is not None
        assert rule.target_of(move.to) == target
        if move.amount:
            signs[move.rule, move.start, move.origin, move.charge].add(move.amount > 0)
    assert all(len(each) == 1 for each in signs.values())


@given(costs, rules)
def test_days_by_themselves_make_what_they_make_together(given: list[Cost], by: list[Rule]) -> None:
    usage = [each for each in given if each.charge is None]
    apart = [
        move
        for day in range(3)
        for move in _allocate([each for each in usage if each.start == START + timedelta(day)], by).moves
    ]
    assert sorted(map(repr, apart)) == sorted(map(repr, _allocate(usage, by).moves))
