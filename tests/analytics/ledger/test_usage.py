"""Usage: lines of calls add up to what was booked, whatever way the calls came."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from charged import live, prices_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from laws import examples
from stores import book, call

from analytics.ledger.line import AMOUNTS, COUNTS, KEYS, LINES, MEASURES
from analytics.ledger.lines import combined
from analytics.live import LivePrices
from collector.call import Call, Kind, Reported, Stated
from collector.facts.store import Store
from collector.pricing import Quote
from switchgear.usage import Usage

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
TAKEN = datetime(2026, 11, 19, tzinfo=UTC)
FIRST, LAST = date(2026, 11, 1), date(2026, 11, 9)
PRICES = """
prices:
  - {provider: acme, models: [m], currency: USD, input: 2, cache_read: 0.2, cache_write_5m: 2.5, output: 8}
  - {provider: acme, models: [odd], currency: EUR, input: 0.0000001, output: 3, per_request: 0.01}
"""
CONTRACT = """
contracts:
  - name: less
    provider: acme
    tenants: [globex]
    currency: USD
    from: 2026-01-01
    discounts: [{models: ["m"], discount: 33.3333%}]
"""


@st.composite
def told(draw: st.DrawFn, number: int) -> Call:
    read = draw(st.integers(0, 5000))
    output = draw(st.integers(0, 700))
    usage = Usage(
        draw(st.integers(1, 9000)),
        read,
        draw(st.sampled_from([0, 300])),
        0,
        output,
        draw(st.integers(0, output)),
    )
    known = draw(st.integers(0, 5)) > 0
    return call(
        number,
        NOON + timedelta(hours=draw(st.integers(-60, 130))),
        tenant=draw(st.sampled_from(["acme", "globex"])),
        workload=draw(st.sampled_from(["w", None])),
        provider="acme",
        model=draw(st.sampled_from(["m", "odd", "unknown"])),
        attempts=draw(st.integers(1, 4)),
        usage=usage if known else None,
        reported=draw(st.sampled_from([Reported.INPUT | Reported.OUTPUT, Reported.OUTPUT]))
        if known
        else Reported.NOTHING,
        response_id=draw(st.sampled_from([None, None, "r1", "r2"])),
    )


worlds = st.integers(1, 12).flatmap(lambda count: st.tuples(*(told(n) for n in range(1, count + 1))))


@cache
def prices() -> LivePrices:
    with TemporaryDirectory() as folder:
        return prices_of(Path(folder), PRICES, CONTRACT)


def booked(
    folder: Path, batches: Sequence[Sequence[Call]], chargeback: str = ""
) -> tuple[pa.Table, list[tuple[Any, ...]]]:
    """The lines of some batches of calls, and what the view `calls` adds up to by currency."""
    lines = live(prices(), folder, chargeback)
    with closing(Store(folder)) as store:
        for batch in batches:
            book(store, batch, prices().quote, TAKEN)
        con = store.cursor()
        found = lines.of_range(con, FIRST, LAST)
        sums = con.execute(
            "SELECT CASE WHEN cost IS NOT NULL THEN currency END AS c, count(*), sum(attempts)::BIGINT,"
            " sum(output)::BIGINT, sum(cost)::DECIMAL(38, 12) FROM calls GROUP BY ALL ORDER BY c NULLS FIRST"
        ).fetchall()
        return found, sums


@settings(max_examples=examples(2), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(world=worlds, data=st.data())
def test_shuffled_repeated_split_and_late_calls_make_the_same_lines(
    world: tuple[Call, ...], data: st.DataObject
) -> None:
    again = data.draw(st.permutations([*world, *data.draw(st.lists(st.sampled_from(world), max_size=4))]))
    cut = data.draw(st.integers(0, len(again)))
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        whole, _ = booked(Path(one), [world])
        split, _ = booked(Path(other), [again[:cut], again[cut:]])
    assert split.equals(whole)


@settings(max_examples=examples(2), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(world=worlds)
def test_lines_add_up_to_the_calls_and_parts_to_their_amount(world: tuple[Call, ...]) -> None:
    with TemporaryDirectory() as folder:
        found, calls = booked(Path(folder), [world])
    assert found.schema.equals(LINES)
    rows = found.to_pylist()
    sums: dict[str | None, list[Any]] = {}
    for row in rows:
        parts = [row[name] for name in AMOUNTS]
        if row["amount"] is None:
            assert (row["currency"], parts) == (None, [None] * 6)
        else:
            assert sum(parts) == row["amount"]
            assert 0 <= row["retry_amount"] <= row["amount"]
        of = sums.setdefault(row["currency"], [0, 0, 0, None])
        for place, name in enumerate(("calls", "attempts", "output")):
            of[place] += row[name]
        if row["amount"] is not None:
            of[3] = (of[3] or Decimal(0)) + row["amount"]
    wanted = {c: [n, attempts, output or 0, cost] for c, n, attempts, output, cost in calls}
    assert sums == wanted
    assert len({tuple(row[name] for name in KEYS) for row in rows}) == len(rows)


def line_of(folder: Path, **fields: Any) -> dict[str, Any]:
    usage = Usage(1000, 500, 100, 0, 200, 50)
    found, _ = booked(
        folder, [[call(1, NOON, **{"provider": "acme", "model": "m", "usage": usage, **fields})]]
    )
    row: dict[str, Any]
    (row,) = found.to_pylist()
    return row


def test_a_call_is_split_as_the_price_book_parts_it(tmp_path: Path) -> None:
    row = line_of(tmp_path, attempts=3)
    # 2 USD a million of input, 0.20 read, 2.50 written, 8 of output.
    assert row["amount_input"] == 1000 * Decimal("0.000002")
    assert row["amount_cache_read"] == 500 * Decimal("0.0000002")
    assert row["amount_cache_write_5m"] == 100 * Decimal("0.0000025")
    assert row["amount_output"] == 200 * Decimal("0.000008")
    assert row["amount"] == Decimal("0.003950")
    assert row["list_amount"] == row["amount"]
    # Two of three attempts; the first has the third that is rounded down.
    assert row["retry_amount"] == Decimal("0.003950") - Decimal("0.001316666666")
    # 600 tokens as input, less what reading and writing them cost.
    assert row["cache_savings"] == 600 * Decimal("0.000002") - Decimal("0.000100") - Decimal("0.000250")
    assert (row["calls"], row["attempts"], row["reasoning"], row["output"]) == (1, 3, 50, 200)


def test_under_a_contract_the_cost_is_split_in_proportion_to_the_last_place(tmp_path: Path) -> None:
    row = line_of(tmp_path, tenant="globex")
    assert row["contract"].startswith("less ")
    assert row["list_amount"] == Decimal("0.003950")
    assert sum(row[name] for name in AMOUNTS) == row["amount"] < row["list_amount"]
    exact = row["amount"] * Decimal("0.0016") / Decimal("0.00395")
    assert abs(row["amount_output"] - exact) < Decimal("1e-12")


def test_what_no_book_can_split_is_whole_and_says_so(tmp_path: Path) -> None:
    def gone(*_: Any, **__: Any) -> Quote:
        return Quote(Decimal("0.5"), "USD", "a book that is gone")

    lines = live(prices(), tmp_path)
    with closing(Store(tmp_path)) as store:
        book(store, [call(1, NOON, provider="nobody", model="x")], gone, TAKEN)
        (row,) = lines.of_range(store.cursor(), FIRST, LAST).to_pylist()
    assert (row["amount"], row["amount_other"], row["item"]) == (Decimal("0.5"), Decimal("0.5"), "unsplit")
    assert row["cache_savings"] is None


def test_a_search_is_its_own_item(tmp_path: Path) -> None:
    row = line_of(
        tmp_path,
        kind=Kind.COST,
        usage=None,
        reported=Reported.NOTHING,
        stated=Stated(Decimal("0.01"), "USD", "search"),
    )
    assert (row["item"], row["amount_other"], row["state"]) == ("search", Decimal("0.01"), "complete")


def test_what_is_not_known_is_null_and_apart_from_what_is(tmp_path: Path) -> None:
    half = {"provider": "acme", "model": "m", "reported": Reported.OUTPUT}
    calls = [
        call(1, NOON, usage=Usage(0, output=1000), **half),
        call(2, NOON, usage=None, provider="acme", model="m", reported=Reported.NOTHING),
        call(3, NOON, provider="acme", model="unknown", usage=Usage(70)),
    ]
    found, _ = booked(tmp_path, [calls])
    told = [(row["state"], row["currency"], row["amount"], row["calls"]) for row in found.to_pylist()]
    assert sorted(told, key=str) == sorted(
        [
            ("incomplete", None, None, 1),
            ("incomplete", "USD", Decimal("0.008"), 1),
            ("unpriced", None, None, 1),
        ],
        key=str,
    )


@pytest.mark.parametrize(
    ("zone", "days"),
    [
        ("UTC", [date(2026, 11, 3), date(2026, 11, 3)]),
        ("Europe/Berlin", [date(2026, 11, 3), date(2026, 11, 4)]),
        ("America/Los_Angeles", [date(2026, 11, 2), date(2026, 11, 3)]),
    ],
)
def test_a_call_stands_on_the_day_of_the_zone(tmp_path: Path, zone: str, days: list[date]) -> None:
    early, late = datetime(2026, 11, 3, 4, tzinfo=UTC), datetime(2026, 11, 3, 23, 30, tzinfo=UTC)
    calls = [call(n, at, provider="acme", model="m") for n, at in ((1, early), (2, late))]
    found, _ = booked(tmp_path, [calls], chargeback=f"zone: {zone}\n")
    assert [row["day"] for row in found.to_pylist() for _ in range(row["calls"])] == days


def test_sums_of_which_something_is_not_known_are_those_of_the_rest() -> None:
    row = dict.fromkeys(KEYS) | {"day": FIRST, "kind": "usage"} | dict.fromkeys(COUNTS, 1)
    known, unknown = row | dict.fromkeys(MEASURES, Decimal(2)), row | dict.fromkeys(MEASURES)
    half = known | {"list_amount": None}
    (found,) = combined(pa.Table.from_pylist([known, half], LINES)).to_pylist()
    assert (found["amount"], found["list_amount"], found["calls"]) == (4, 2, 2)
    (nothing,) = combined(pa.Table.from_pylist([unknown, unknown], LINES)).to_pylist()
    assert (nothing["amount"], nothing["calls"]) == (None, 2)
