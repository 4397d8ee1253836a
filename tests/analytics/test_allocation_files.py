"""Rules in a file: what is good is taken as it stands, what is bad is told with its place and what to write."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from pydantic import BaseModel, ConfigDict

from analytics import documents
from analytics.allocation import By, Method, Pool, Rule, RuleDocument, To, parse, problems
from analytics.documents import DocumentError


class File(BaseModel):
    """A file that has such a list, as `chargeback.yaml` does."""

    model_config = ConfigDict(extra="forbid")

    allocation: list[RuleDocument] = []


def read(text: str) -> tuple[Rule, ...]:
    tree = documents.tree_of(text, "c.yaml")
    said = documents.validated(File, tree, "c.yaml")
    if found := list(problems(said.allocation)):
        raise documents.refused(tree, "c.yaml", found)
    return parse(said.allocation)


def one(inner: str) -> str:
    return f"allocation:\n  - {{name: r, from: 2026-11-01, {inner}}}\n"


WORKLOADS = "pool: {workloads: [{tenant: shared}]}"


def test_every_setting_is_taken_as_it_stands() -> None:
    text = """
allocation:
  - name: Idle
    from: 2026-11-01
    until: 2027-01-01
    pool: {charges: [idle, shortfall]}
    method: marginal
    by: tokens
    to: tenants
    only: [a*, globex]
    except: [acme]
    weights: {globex: 2.5}
"""
    assert read(text) == (
        Rule(
            "Idle",
            date(2026, 11, 1),
            Pool(charges=("idle", "shortfall")),
            Method.MARGINAL,
            To.TENANTS,
            By.TOKENS,
            date(2027, 1, 1),
            ("a*", "globex"),
            ("acme",),
            weights={"globex": Decimal("2.5")},
        ),
    )


def test_what_is_left_out_is_by_cost_over_all_cost_centres() -> None:
    (rule,) = read(one(f"{WORKLOADS}, method: even"))
    assert rule == Rule("r", date(2026, 11, 1), Pool(workloads=(("shared", "*"),)), Method.EVEN)


def test_shares_are_exact_parts() -> None:
    (rule,) = read(one("pool: {retries: true}, method: fixed, shares: {a: 33.3%, b: 66.7%}"))
    assert rule.shares == {"a": Decimal("0.333"), "b": Decimal("0.667")}


BAD = {
    "no method": (one(WORKLOADS), "2:5: allocation[0].method: is missing; write method: proportional"),
    "a method that is none": (one(f"{WORKLOADS}, method: evenly"), 'did you mean "even"'),
    "a charge that is none": (one("pool: {charges: [idel]}, method: even"), 'did you mean "idle"'),
    "an empty pool": (one("pool: {}, method: even"), "allocation[0].pool: nothing is in it; write one of"),
    "two sorts in a pool": (
        one("pool: {retries: true, charges: [idle]}, method: even"),
        "more than one sort",
    ),
    "everything in a pool": (one("pool: {workloads: [{}]}, method: even"), "nobody is left to pay"),
    "fixed without shares": (one(f"{WORKLOADS}, method: fixed"), "is fixed and has no shares"),
    "shares that are not all": (
        one(f"{WORKLOADS}, method: fixed, shares: {{a: 60%, b: 30%}}"),
        "allocation[0].shares: the shares add up to 90%, not to 100%",
    ),
    "a share without a sign": (one(f"{WORKLOADS}, method: fixed, shares: {{a: 100}}"), 'write "15%"'),
    "shares without fixed": (one(f"{WORKLOADS}, method: even, shares: {{a: 100%}}"), "only fixed has shares"),
    "weights without marginal": (
        one(f"{WORKLOADS}, method: even, weights: {{a: 1}}"),
        "only marginal has weights",
    ),
    "fixed with patterns": (
        one(f"{WORKLOADS}, method: fixed, shares: {{a: 100%}}, only: [a]"),
        "allocation[0].only: the shares name for whom it is",
    ),
    "an end before the beginning": (
        one(f"{WORKLOADS}, method: even, until: 2026-11-01"),
        "allocation[0].until: 2026-11-01 is not after 2026-11-01",
    ),
    "one name twice": (
        one(f"{WORKLOADS}, method: even") + f"  - {{name: r, from: 2027-01-01, {WORKLOADS}, method: even}}\n",
        '3:12: allocation[1].name: there is another rule "r"',
    ),
    "a setting that is none": (
        one(f"{WORKLOADS}, method: even, targets: [a]"),
        "targets: no such setting here",
    ),
}


@pytest.mark.parametrize(("text", "told"), BAD.values(), ids=BAD.keys())
def test_what_is_wrong_is_told_with_its_place(text: str, told: str) -> None:
    with pytest.raises(DocumentError) as refused:
        read(text)
    assert told in str(refused.value)
    assert str(refused.value).startswith("c.yaml:")
    assert str(refused.value).count("\n") == 0
