"""Shared cost goes to whom a rule names, by its method: each method, each pool, and the example of the document."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from analytics import documents
from analytics.allocation import (
    Allocation,
    By,
    Cost,
    Method,
    Party,
    Pool,
    Rule,
    RuleDocument,
    To,
    allocate,
    parse,
    problems,
)
from collector.call import UNATTRIBUTED

DAY = date(2026, 11, 2)
MONTH = (date(2026, 11, 1), date(2026, 12, 1))
USD = Decimal
DOCUMENT = (Path(__file__).parents[2] / "docs" / "allocation.md").read_text()
ROUTER = Party("shared", "router", "infra", "platform")


def _cost(party: Party, amount: str | None, tokens: int = 0, **said: Any) -> Cost:
    return Cost(
        DAY, DAY + timedelta(1), party, None if amount is None else USD(amount), tokens=tokens, **said
    )


def _rule(**said: Any) -> Rule:
    pool = Pool(workloads=(("shared", "*"),))
    return Rule(**{"name": "r", "start": MONTH[0], "pool": pool, "method": Method.PROPORTIONAL, **said})


SALES = Party("acme", "outreach", "ann", "sales")
SUPPORT = Party("globex", "answers", "bob", "support")
USED = [
    _cost(SALES, "6", 3000, calls=1),
    _cost(SUPPORT, "2", 1000, calls=9),
    _cost(ROUTER, "12", 500, calls=99),
]


def _by_centre(found: Allocation) -> dict[str | None, Decimal]:
    return {move.to.cost_centre: move.amount for move in found.moves}


def _allocate(costs: list[Cost], *rules: Rule) -> Allocation:
    return allocate(costs, rules, currency="USD")


METHODS = {
    "by cost": (_rule(), {"sales": USD(9), "support": USD(3)}),  # 12 x 6/8, 12 x 2/8
    "by calls": (_rule(by=By.CALLS), {"sales": USD("1.2"), "support": USD("10.8")}),  # 12 x 1/10, 12 x 9/10
    "evenly": (_rule(method=Method.EVEN), {"sales": USD(6), "support": USD(6)}),
    "evenly, with one that used nothing": (
        _rule(method=Method.EVEN, only=("s*", "legal")),
        {"legal": USD(4), "sales": USD(4), "support": USD(4)},
    ),
    "by fixed shares, also to who used nothing": (
        _rule(method=Method.FIXED, shares={"sales": USD("0.25"), "legal": USD("0.75")}),
        {"sales": USD(3), "legal": USD(9)},
    ),
    # Half of 4,000 tokens each is their share: only sales is above.
    "by what is beyond the share": (_rule(method=Method.MARGINAL, by=By.TOKENS), {"sales": USD(12)}),
    # Shares of 3,600 and 400: only support is above.
    "by what is beyond the share by weight": (
        _rule(method=Method.MARGINAL, by=By.TOKENS, weights={"sales": USD(9), "support": USD(1)}),
        {"support": USD(12)},
    ),
    "to all but one": (_rule(excluded=("sales",)), {"support": USD(12)}),
}


@pytest.mark.parametrize(("rule", "expected"), METHODS.values(), ids=METHODS.keys())
def test_a_method_divides_by_what_it_says(rule: Rule, expected: dict[str, Decimal]) -> None:
    found = _allocate(USED, rule)
    assert _by_centre(found) == expected
    assert found.kept == ()
    assert {move.origin for move in found.moves} == {ROUTER}


COMMITTED = {
    # 5,000 committed, 2,500 each; 3,000 and 1,000 used: 4,000 in all are below it, by nothing and by 1,500.
    "idle": ("5000", {"support": USD(12)}),
    # 10,000 committed, 5,000 each: 2,000 and 4,000 unused.
    "shortfall": ("10000", {"sales": USD(4), "support": USD(8)}),
    # 1,000 committed, 500 each: 2,500 and 500 above.
    "overage": ("1000", {"sales": USD(10), "support": USD(2)}),
}


@pytest.mark.parametrize("charge", COMMITTED)
def test_a_charge_is_paid_by_those_who_caused_it(charge: str) -> None:
    committed, expected = COMMITTED[charge]
    cost = Cost(*MONTH, Party(), USD(12), charge=charge, committed=USD(committed))
    rule = _rule(pool=Pool(charges=(charge,)), method=Method.MARGINAL, by=By.TOKENS, excluded=("platform",))
    assert _by_centre(_allocate([*USED, cost], rule)) == expected


def test_of_capacity_that_stood_idle_one_who_used_nothing_of_it_pays_too() -> None:
    cost = Cost(*MONTH, Party(), USD(12), charge="idle", committed=USD(12_000))
    rule = _rule(
        pool=Pool(charges=("idle",)),
        method=Method.MARGINAL,
        by=By.TOKENS,
        weights={"legal": USD(1)},
        excluded=("p*",),
    )
    # 4,000 each: 1,000, 3,000 and 4,000 unused.
    expected = {"legal": USD(6), "sales": USD("1.5"), "support": USD("4.5")}
    assert _by_centre(_allocate([*USED, cost], rule)) == expected


def test_retries_have_a_rule_of_their_own_and_the_rest_of_a_call_another() -> None:
    retried = replace(USED[2], retry_amount=USD(3))
    retries = _rule(name="retries", pool=Pool(retries=True), method=Method.FIXED, shares={"support": USD(1)})
    found = _allocate([*USED[:2], retried], retries, _rule())
    assert [(move.rule, move.to.cost_centre, move.amount) for move in found.moves] == [
        ("retries", "support", USD(3)),
        ("r", "sales", USD("6.75")),  # 9 x 6/8
        ("r", "support", USD("2.25")),
    ]


def test_cost_is_taken_once_by_the_first_rule_that_has_it() -> None:
    first, second = _rule(name="first", excluded=("support",)), _rule(name="second")
    found = _allocate(USED, first, second)
    assert {move.rule for move in found.moves} == {"first"}
    assert sum(move.amount for move in found.moves) == 12


@pytest.mark.parametrize(
    ("start", "until", "moved"),
    [
        (DAY, None, True),
        (DAY + timedelta(1), None, False),
        (MONTH[0], DAY, False),
        (MONTH[0], DAY + timedelta(1), True),
    ],
    ids=["from this day", "from the next", "until this day", "until the next"],
)
def test_a_rule_takes_what_begins_while_it_is_in_force(
    start: date, until: date | None, *, moved: bool
) -> None:
    assert bool(_allocate(USED, _rule(start=start, until=until)).moves) is moved


def test_what_nobody_can_be_given_is_kept_and_told() -> None:
    found = _allocate(USED[2:], _rule())
    assert found.moves == ()
    assert [(each.rule, each.origin, each.amount) for each in found.kept] == [("r", ROUTER, USD(12))]
    assert found.applied[0].in_words() == (
        "r (shared): 0.00 USD by cost over 0 cost centres; 12.00 USD unallocated"
    )


def test_the_cost_of_calls_without_a_tenant_goes_to_the_tenants() -> None:
    nobody = _cost(Party(UNATTRIBUTED, None, None, None), "4", 10)
    found = _allocate(
        [*USED, nobody], _rule(pool=Pool(unattributed=True), to=To.TENANTS, excluded=("shared",))
    )
    assert {move.to.tenant: move.amount for move in found.moves} == {"acme": USD(3), "globex": USD(1)}


def test_neither_the_unowned_nor_the_unattributed_are_targets() -> None:
    unowned = _cost(Party("acme", "stray"), "100", 10)
    assert _by_centre(_allocate([*USED, unowned], _rule())) == {"sales": USD(9), "support": USD(3)}
    nobody = _cost(Party(UNATTRIBUTED, "w", "o", "c"), "100", 10)
    found = _allocate([*USED, nobody], _rule(to=To.TENANTS))
    assert {move.to.tenant for move in found.moves} == {"acme", "globex"}


def test_cost_that_is_not_known_moves_nothing_and_its_tokens_count() -> None:
    unpriced = [replace(USED[0], amount=None), USED[1], replace(USED[2]), replace(USED[2], amount=None)]
    assert _by_centre(_allocate(unpriced, _rule(by=By.TOKENS))) == {"sales": USD(9), "support": USD(3)}


def test_a_credit_is_moved_as_a_credit() -> None:
    found = _allocate([*USED[:2], replace(USED[2], amount=USD("-12"))], _rule())
    assert _by_centre(found) == {"sales": USD(-9), "support": USD(-3)}


def test_a_credit_lessens_the_use_of_its_target_and_makes_none_negative() -> None:
    given_back = [
        _cost(Party("globex", "outreach", "ann", "sales"), "-4"),
        _cost(Party("x", "y", "z", "gone"), "-1"),
    ]
    found = _allocate([*USED, *given_back], _rule())
    assert _by_centre(found) == {"sales": USD(6), "support": USD(6)}  # 12 x 2/4 each: 6 - 4 and 2


def test_a_day_is_divided_by_its_own_use() -> None:
    other = [replace(each, start=DAY + timedelta(1), until=DAY + timedelta(2)) for each in (USED[0], USED[2])]
    found = _allocate([*USED, *other], _rule())
    assert [(move.start.day, move.to.cost_centre, move.amount) for move in found.moves] == [
        (2, "sales", USD(9)),
        (2, "support", USD(3)),
        (3, "sales", USD(12)),
    ]


def test_details_are_those_of_focus_with_every_digit() -> None:
    rule = _rule(by=By.TOKENS)
    first, _ = _allocate([replace(USED[0], tokens=1), replace(USED[1], tokens=2), USED[2]], rule).moves
    assert first.details == (
        '{"Elements":[{"AllocatedRatio":0.333333333333,"UsageUnit":"Tokens","UsageQuantity":1}]}'
    )
    assert json.loads(first.details)["Elements"][0]["UsageUnit"] == "Tokens"
    assert _allocate(USED, _rule()).moves[0].unit == "USD"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (_rule(name="All"), "All (shared): by cost over cost centres"),
        (_rule(pool=Pool(retries=True), method=Method.EVEN), "r (retries): evenly over cost centres"),
        (
            _rule(pool=Pool(workloads=(("*", "eval*"),), retries=True), method=Method.FIXED, to=To.TENANTS),
            "r (retries of eval*): by fixed shares over tenants",
        ),
        (
            _rule(pool=Pool(charges=("idle", "tier")), method=Method.MARGINAL, by=By.CALLS),
            "r (idle, tier): by calls against their share over cost centres",
        ),
    ],
)
def test_a_rule_says_in_words_what_it_does(rule: Rule, words: str) -> None:
    assert rule.in_words() == words


class _File(BaseModel):
    version: int
    allocation: list[RuleDocument]


def _rules(text: str) -> tuple[Rule, ...]:
    said = documents.validated(_File, documents.tree_of(text, "chargeback.yaml"), "chargeback.yaml")
    assert list(problems(said.allocation)) == []
    return parse(said.allocation)


def _example() -> list[Cost]:
    million = 10**6
    return [
        _cost(ROUTER, "10", 7),
        _cost(replace(ROUTER, workload="eval-nightly"), "2", 5),
        _cost(Party("acme", "outreach", "ann", "sales"), "1", 3 * million),
        _cost(Party("globex", "outreach", "ann", "sales"), "1", million),
        _cost(Party("acme", "answers", "bob", "support"), "1", 2 * million),
        _cost(Party("shared", "index", "infra", "platform"), "1", million),
        Cost(*MONTH, Party("shared"), USD(90), charge="idle", committed=USD(9 * million)),
    ]


def test_the_example_of_the_document_is_what_is_moved() -> None:
    text = re.search(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
    assert text is not None
    found = allocate(_example(), _rules(text[1]), currency="USD")
    rows = re.findall(r"^\| ([a-z-]+) \| (\w+) \| (\w+) \| (\d+\.\d{12}) \|", DOCUMENT, re.MULTILINE)
    moved = [
        (str(move.origin.workload), move.to.cost_centre, move.to.tenant, f"{move.amount:.12f}")
        for move in found.moves
        if move.charge is None
    ]
    assert sorted(moved) == sorted(rows)
    assert re.findall(r"^> (.*)$", DOCUMENT, re.MULTILINE) == [each.in_words() for each in found.applied]
    idle: dict[str | None, Decimal] = {}
    for move in found.moves:
        if move.charge == "idle":
            idle[move.to.cost_centre] = idle.get(move.to.cost_centre, USD(0)) + move.amount
    assert idle == {"sales": USD(60), "support": USD(30)}
