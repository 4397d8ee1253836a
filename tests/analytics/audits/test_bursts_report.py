"""The reports on bursts: who is behind the minutes above a rate, what they cost, and when they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest
from audited import MONDAY, WEEK, call, stored

from analytics.audits.bursts import bursts
from analytics.bursts import Call, Method, attributed, charges
from analytics.contracts import Contracts
from analytics.contracts.files import parse
from collector.facts.store import Store
from collector.keys.key import Key
from collector.queries.reader import Reader
from collector.reporting import ReportError
from switchgear.usage import Usage

CONTRACTS = parse(
    """
version: 1
contracts:
  - name: committed
    provider: openai
    currency: USD
    from: 2026-01-01
    bursts:
      - name: rate
        models: ["m", "odd"]
        committed_tokens_per_minute: 10_000
        measure: minute
        bands: [{up_to: 20_000, multiplier: 1.5}, {multiplier: 3}]
    provisioned:
      - {name: units, models: ["unit*"], units: 2, hourly_price: 1 USD, tokens_per_minute: 2_000, overflow: on_demand}
""",
    name="contracts.yaml",
)
# 3,000 of acme's and 21,100 of globex's in the first minute, 9,000 in the second. Cache reads are free.
CALLS = [
    call(1, "t1", sent=2_900, output=100),
    call(2, "t2", tenant="globex", workload="reader", sent=11_000, output=100),
    call(3, "t3", tenant="globex", workload="bot", sent=9_900, output=100),
    call(4, "t4", usage=Usage(0, cache_read=90_000)),
    call(61, "t5", sent=8_900, output=100),
    call(62, "t6", provider="anthropic", sent=50_000, output=100),
    call(3_700, "t7", model="unit-1", tenant="globex", sent=4_900, output=100),
]


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with stored(CALLS) as found:
        yield found


def ask(store: Store, name: str, contracts: Contracts = CONTRACTS, **params: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = bursts(lambda: contracts)[name](
        store.cursor(), {**WEEK, **params}
    ).to_pylist()
    return found


@pytest.mark.parametrize("method", ["proportional", "marginal", "even"])
def test_a_minutes_charge_is_divided_as_the_audit_of_calls_divides_it(store: Store, method: str) -> None:
    rows = [row for row in ask(store, "audit_bursts", method=method) if row["kind"] == "burst"]
    burst = CONTRACTS.contracts[0].bursts[0]
    calls = [
        Call(0, tenant, workload, None, None, tokens, cost)
        for tenant, workload, tokens, cost in (
            ("acme", "writer", 3_000, Decimal(1)),
            ("globex", "reader", 11_100, Decimal(1)),
            ("globex", "bot", 10_000, Decimal(1)),
        )
    ]
    (minute,) = attributed(
        calls, charges(calls, burst), committed_tpm=10_000, weights={}, method=Method(method)
    )
    assert {(row["tenant"], row["workload"]): row["charge"] for row in rows if row["charge"]} == {
        (line.tenant, line.workload): line.amount for line in minute.lines
    }
    # 24,100 tokens are 14,100 above, whoever they are of.
    assert sum(row["tokens_above"] for row in rows) == 14_100
    assert {(row["minutes_above"], row["busiest_tokens"], row["busiest_at"]) for row in rows} == {
        (1, 24_100, MONDAY)
    }


def test_within_its_share_a_tenant_is_behind_nothing(store: Store) -> None:
    tenants = {row["tenant"] for row in ask(store, "audit_bursts") if row["kind"] == "burst"}
    assert tenants == {"globex"}


def test_what_is_above_provisioned_units_is_told_in_tokens_and_charges_nothing_on_top(store: Store) -> None:
    (row,) = [row for row in ask(store, "audit_bursts") if row["kind"] == "provisioned"]
    assert (row["committed_tpm"], row["tokens_above"], row["charge"], row["currency"]) == (
        4_000,
        1_000,
        None,
        None,
    )


def test_a_declared_rate_takes_the_place_of_contracts(store: Store) -> None:
    (row,) = ask(store, "audit_bursts", provider="anthropic", committed_tpm="40000")
    assert (row["kind"], row["contract"], row["tokens_above"], row["tenant"]) == (
        "declared",
        None,
        10_100,
        "acme",
    )
    (kept,) = ask(store, "audit_bursts", provider="anthropic", committed_tpm="60000")
    assert (kept["tenant"], kept["minutes_above"], kept["tokens_above"], kept["busiest_tokens"]) == (
        *(None, 0, 0),
        50_100,
    )


def test_each_bucket_has_its_busiest_minute_and_who_used_most_of_it(store: Store) -> None:
    rows = [row for row in ask(store, "audit_bursts_minutes", bucket="hour") if row["kind"] == "burst"]
    (row,) = rows
    assert (row["bucket"], row["minute"], row["tokens"], row["minutes_above"]) == (MONDAY, MONDAY, 24_100, 1)
    assert (row["tenant"], row["workload"], row["tenant_tokens"]) == ("globex", "reader", 11_100)
    charged = sum(row["charge"] for row in ask(store, "audit_bursts") if row["charge"] is not None)
    assert row["charge"] == charged
    by_minute = [row for row in ask(store, "audit_bursts_minutes", bucket="minute") if row["kind"] == "burst"]
    assert [(row["tokens"], row["minutes_above"], row["charge"] is None) for row in by_minute] == [
        (24_100, 1, False),
        (9_000, 0, True),
    ]


def test_without_a_price_the_charge_is_not_known_and_the_tokens_are() -> None:
    with stored([call(1, "t1", model="odd", sent=12_000)]) as unpriced:
        (row,) = [row for row in ask(unpriced, "audit_bursts") if row["kind"] == "burst"]
    assert (row["charge"], row["unknown_minutes"], row["tokens_above"]) == (None, 1, 2_100)


def test_without_a_rate_there_is_no_row(store: Store) -> None:
    assert ask(store, "audit_bursts", Contracts()) == []
    assert ask(store, "audit_bursts_minutes", Contracts()) == []


@pytest.mark.parametrize("name", ["audit_bursts", "audit_bursts_minutes"])
def test_a_key_that_sees_a_part_is_told_nothing_of_bursts(store: Store, name: str) -> None:
    key = Key("k", ("acme",), frozenset({"read", "finance"}))
    with (
        closing(Reader(store)) as reader,
        reader.cursor_of(key) as con,
        pytest.raises(ReportError, match="a key that sees every tenant"),
    ):
        bursts(lambda: CONTRACTS)[name](con, WEEK)


@pytest.mark.parametrize(
    ("name", "params", "problem"),
    [
        pytest.param("audit_bursts", {"method": "fixed"}, "method: 'fixed' is none", id="method"),
        pytest.param("audit_bursts", {"committed_tpm": "1"}, "provider: say whose rate", id="no provider"),
        pytest.param(
            "audit_bursts",
            {"provider": "p", "committed_tpm": "9" * 5000},
            "is no number of tokens a minute",
            id="more digits than a number may have",
        ),
        pytest.param(
            "audit_bursts",
            {"provider": "p", "committed_tpm": "0"},
            "committed_tpm: '0' is no number",
            id="rate",
        ),
        pytest.param("audit_bursts_minutes", {"bucket": "10s"}, "bucket: '10s' is no bucket", id="bucket"),
        pytest.param("audit_bursts_minutes", {"method": "even"}, "method: unknown parameter", id="unknown"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_can(
    store: Store, name: str, params: dict[str, str], problem: str
) -> None:
    with pytest.raises(ReportError, match=problem):
        bursts(lambda: CONTRACTS)[name](store.cursor(), {**WEEK, **params})
