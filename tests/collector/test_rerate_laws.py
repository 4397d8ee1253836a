"""Laws of a rerate: sums are exact, what is not known stays so, and what was made once is not made again."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.errors import RerateError
from collector.rerating.lines import Lines
from collector.rerating.repricing import Repriced, repriced

NOW = datetime(2026, 11, 24, tzinfo=UTC)
MONEY = pa.decimal128(18, 12)
TEXTS = ("tenant", "workload", "tier", "owner", "cost_centre", "provider", "model", "trace_id", "span_id")
COUNTS = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning")

amounts = st.integers(0, 10**17).map(lambda units: Decimal(units).scaleb(-12))
prices = st.none() | st.tuples(amounts, st.sampled_from(["USD", "EUR"]))
calls = st.lists(
    st.tuples(st.sampled_from(["ann", "bob", None]), st.booleans(), prices, prices), min_size=1, max_size=30
)


def table(rows: list[tuple[str | None, bool, Any, Any]]) -> pa.Table:
    """Calls of (owner, whether usage is known, old price, new price), as the store gives them."""
    count = len(rows)
    columns: dict[str, pa.Array] = {name: pa.array(["x"] * count) for name in TEXTS}
    columns |= {name: pa.array([1] * count, pa.int64()) for name in COUNTS}
    columns |= {
        "owner": pa.array([owner for owner, *_ in rows], pa.string()),
        "call_id": pa.array(range(count), pa.int64()),
        "call_seq": pa.array(range(count), pa.int64()),
        "booked_cost": pa.array([old and old[0] for _, _, old, _ in rows], MONEY),
        "booked_currency": pa.array([old and old[1] for _, _, old, _ in rows], pa.string()),
        "started_at": pa.array([NOW] * count, pa.timestamp("us", "UTC")),
        "service_tier": pa.nulls(count, pa.string()),
        "apart": pa.nulls(count, pa.string()),
        "has_usage": pa.array([known for _, known, _, _ in rows]),
        "old_price_version": pa.array(["b1"] * count),
        "old_contract": pa.nulls(count, pa.string()),
    }
    columns["old_cost"], columns["old_currency"] = columns["booked_cost"], columns["booked_currency"]
    return pa.table(columns)


def by_new_price(rows: list[tuple[str | None, bool, Any, Any]]) -> Any:
    """What prices the calls whose usage is known, in their order."""
    found = [new for _, known, _, new in rows if known]

    def price(asked: pa.Table) -> pa.Table:
        assert asked.num_rows == len(found)
        return pa.table(
            {
                "cost": pa.array([each and each[0] for each in found], pa.decimal128(38, 12)),
                "currency": pa.array([each and each[1] for each in found], pa.string()),
                "price_version": pa.array(["b2"] * len(found), pa.string()),
                "contract": pa.nulls(len(found), pa.string()),
            }
        )

    return price


def made(rows: list[tuple[str | None, bool, Any, Any]]) -> Repriced:
    return repriced(table(rows), by_new_price(rows))


def after(row: tuple[str | None, bool, Any, Any]) -> Any:
    """The price that a call has then: the new one where there is one."""
    _, known, old, new = row
    return new if known and new is not None else old


@settings(deadline=None)
@given(rows=calls)
def test_old_and_deltas_make_new_exactly_by_owner_and_currency(rows: list[Any]) -> None:
    found = made(rows)
    sums: dict[Any, Decimal] = defaultdict(Decimal)
    for row in rows:
        for sign, price in ((-1, row[2]), (1, after(row))):
            if price is not None:
                sums[row[0], price[1]] += sign * price[0]
    deltas: dict[Any, Decimal] = defaultdict(Decimal)
    owners = [owner for owner, *_ in rows]
    for each in found.rows.to_pylist():
        assert each["delta"] == (each["new_cost"] or 0) - (each["old_cost"] or 0)
        deltas[owners[each["call_id"]], each["currency"]] += each["delta"]
    lines = Lines(["owner"])
    lines.add(found.calls)
    shown = {
        (line["owner"], line["currency"]): line["delta"] for line in lines.documents() if line["currency"]
    }
    assert {key: value for key, value in sums.items() if value} == {k: v for k, v in deltas.items() if v}
    assert {key: value for key, value in shown.items() if value} == {k: v for k, v in sums.items() if v}


@settings(deadline=None)
@given(rows=calls, place=st.integers(0, 30))
def test_lines_are_the_same_however_the_calls_are_cut(rows: list[Any], place: int) -> None:
    whole, parts = Lines(["owner", "model"]), Lines(["owner", "model"])
    whole.add(made(rows).calls)
    for part in (rows[:place], rows[place:]):
        if part:
            parts.add(made(part).calls)
    assert (parts.documents(), parts.totals()) == (whole.documents(), whole.totals())


@settings(deadline=None)
@given(rows=calls)
def test_each_call_counts_once_and_what_is_unknown_is_neither_0_nor_written(rows: list[Any]) -> None:
    found = made(rows)
    lines = Lines(["owner"])
    lines.add(found.calls)
    totals = lines.totals()
    assert sum(line["calls"] for line in totals) == len(rows)
    assert sum(line["unpriced"] for line in totals) == sum(after(row) is None for row in rows)
    assert sum(line["no_longer_priced"] for line in totals) == sum(
        known and old is not None and new is None for _, known, old, new in rows
    )
    unknown = [line for line in totals if line["currency"] is None]
    assert [(line["old"], line["new"], line["delta"]) for line in unknown] == [(None, None, None)] * len(
        unknown
    )
    written = {each["call_id"] for each in found.rows.to_pylist()}
    assert written == {place for place, row in enumerate(rows) if after(row) != row[2]}


@settings(deadline=None)
@given(rows=calls)
def test_the_same_prices_again_change_nothing(rows: list[Any]) -> None:
    again = [(owner, known, after((owner, known, old, new)), new) for owner, known, old, new in rows]
    assert made(again).rows.num_rows == 0


@pytest.mark.parametrize("cost", [Decimal(10**6), Decimal("1e-13")], ids=["too large", "too fine"])
def test_a_cost_that_cannot_be_kept_is_refused_and_not_rounded(cost: Decimal) -> None:
    def price(asked: pa.Table) -> pa.Table:
        found = by_new_price([(None, True, None, (Decimal(0), "USD"))])(asked)
        return found.set_column(0, "cost", pa.array([cost]))

    with pytest.raises(RerateError, match="does not fit 6 digits before the point and 12 after it"):
        repriced(table([(None, True, None, None)]), price)
