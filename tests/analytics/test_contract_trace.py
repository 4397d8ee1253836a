"""An hour of real traffic under a contract, against a recomputation in fractions that shares no code with it."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from analytics.contracts import Kind, Used, statement
from analytics.contracts.files import parse

SHARED = Path(os.environ.get("SWITCHGEAR_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
TRACE = SHARED / "traces" / "azure2023_code.csv"
CONTRACT = """\
version: 1
contracts:
  - name: code
    provider: azure
    currency: USD
    from: 2023-11-01
    discounts: [{discount: 10%}]
    bursts:
      - name: bursts
        committed_tokens_per_minute: 300000
        measure: MEASURE
        bands: [{up_to: 600000, multiplier: 1.5}, {multiplier: 2.5}]
    commitment: {monthly: 100 USD}
"""
# Dollars for a token of input and of output.
INPUT, OUTPUT = Fraction("2.50") / 10**6, Fraction(10) / 10**6


@pytest.fixture(scope="module")
def rows() -> list[tuple[str, int, int]]:
    """Of each call: when it came, its tokens in and out."""
    if not TRACE.is_file():
        pytest.skip(f"no trace at {TRACE}; name the shared data in SWITCHGEAR_SHARED_DATA")
    with TRACE.open(newline="") as lines:
        return [
            (row["TIMESTAMP"], int(row["ContextTokens"]), int(row["GeneratedTokens"]))
            for row in csv.DictReader(lines)
        ]


@pytest.mark.parametrize("measure", ["minute", "p95"])
def test_a_trace_costs_what_counting_by_hand_says(rows: list[tuple[str, int, int]], measure: str) -> None:
    (contract,) = parse(CONTRACT.replace("MEASURE", measure), name="c.yaml").contracts
    used = [
        Used(
            "azure",
            "gpt-4o",
            datetime.fromisoformat(stamp[:26]).replace(tzinfo=UTC),
            Decimal("2.50") / 10**6 * read + Decimal(10) / 10**6 * wrote,
            "USD",
            input_uncached=read,
            output=wrote,
        )
        for stamp, read, wrote in rows
    ]
    month = statement(contract, "2023-11", used)

    tokens: dict[str, int] = defaultdict(int)
    costs: dict[str, Fraction] = defaultdict(Fraction)
    for stamp, read, wrote in rows:
        tokens[stamp[:16]] += read + wrote
        costs[stamp[:16]] += read * INPUT + wrote * OUTPUT
    list_cost = sum(read for _, read, _ in rows) * INPUT + sum(wrote for _, _, wrote in rows) * OUTPUT
    base = list_cost * Fraction(9, 10)
    if measure == "minute":
        overage = sum(
            costs[minute] * Fraction(9, 10) / count * _surcharged(count) for minute, count in tokens.items()
        )
        assert overage > 0
    else:
        # An hour of traffic is less than the 2,160 minutes that are dropped.
        assert len(tokens) < 30 * 24 * 60 * 5 // 100
        overage = Fraction(0)

    kinds = month.by_kind()
    assert Fraction(month.list_cost) == list_cost
    assert Fraction(kinds[Kind.DISCOUNT]) == -list_cost / 10
    # One rounding a band and minute, at most half a last place each.
    assert abs(Fraction(kinds.get(Kind.OVERAGE, Decimal(0))) - overage) <= 2 * len(tokens) * Fraction(
        1, 2 * 10**12
    )
    assert abs(Fraction(month.contracted_cost) - base - overage) <= 2 * len(tokens) * Fraction(1, 2 * 10**12)
    assert month.effective_cost == max(month.contracted_cost, Decimal(100))


def _surcharged(count: int) -> Fraction:
    """Half a time more for what is above 300,000 tokens in a minute, one and a half for what is above 600,000."""
    return Fraction(1, 2) * max(0, min(count, 600_000) - 300_000) + Fraction(3, 2) * max(0, count - 600_000)
