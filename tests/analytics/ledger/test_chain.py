"""The chain: canonical bytes that no other entry has, and hashes over them that no change survives."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.ledger.chain import COLUMNS, ENTRIES, GENESIS, canonical, chained, hashes
from analytics.ledger.line import COUNTS, LINES

BASE: dict[str, Any] = {
    **dict.fromkeys(ENTRIES.names),
    **dict.fromkeys(COUNTS, 0),
    "seq": 1,
    "period": "2026-10",
    "day": date(2026, 10, 5),
    "kind": "usage",
    "posted_at": datetime(2026, 11, 1, tzinfo=UTC),
    "prev_hash": "",
    "hash": "",
}
TEXTS = [field.name for field in LINES if field.type == pa.string() and field.nullable]


def table(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([{**BASE, **row} for row in rows], schema=ENTRIES)


def text(**values: Any) -> str:
    (found,) = canonical(table(values))
    return found


def test_the_canonical_text_of_an_entry_is_what_the_module_says() -> None:
    found = text(tenant="zoë", item="", amount=Decimal("-1.5"), calls=12)
    parts = dict.fromkeys(COLUMNS, "~") | dict.fromkeys(COUNTS, "1:0")
    parts |= {"seq": "1:1", "period": "7:2026-10", "day": "10:2026-10-05", "kind": "5:usage", "calls": "2:12"}
    # zoë is 4 bytes in UTF-8; 2026-11-01 is 20,758 days of 86,400,000,000 us after 1970
    parts |= {"tenant": "4:zoë", "item": "0:", "amount": "15:-1.500000000000"}
    parts |= {"posted_at": f"16:{20_758 * 86_400 * 1_000_000}"}
    assert found == "".join(parts[name] for name in COLUMNS)


def test_null_and_empty_and_zero_are_three_things() -> None:
    assert len({text(tenant=None), text(tenant=""), text(tenant="0"), text(tenant="~")}) == 4
    assert text(amount=None) != text(amount=Decimal(0))


def test_an_amount_is_the_same_however_it_was_written() -> None:
    assert text(amount=Decimal("1.5")) == text(amount=Decimal("1.500"))
    assert "14:0.000000000001" in text(amount=Decimal("1E-12"))
    assert "39:99999999999999999999999999.123456789012" in text(
        amount=Decimal("99999999999999999999999999.123456789012")
    )


names = st.none() | st.text(max_size=4)


@given(st.lists(names, min_size=4, max_size=4), st.lists(names, min_size=4, max_size=4))
def test_entries_with_different_values_have_different_texts(one: list[str], other: list[str]) -> None:
    columns = ("tenant", "workload", "tier", "owner")
    first, second = (text(**dict(zip(columns, values, strict=True))) for values in (one, other))
    assert (first == second) == (one == other)


def test_a_hash_is_over_the_one_before_and_the_text() -> None:
    entries = chained(table({"seq": 1}, {"seq": 2, "tenant": "acme"}), GENESIS)
    first, second = canonical(entries)
    one = hashlib.sha256((GENESIS + first).encode()).hexdigest()
    two = hashlib.sha256((one + second).encode()).hexdigest()
    assert entries["hash"].to_pylist() == [one, two] == hashes([first, second], GENESIS)
    assert entries["prev_hash"].to_pylist() == [GENESIS, one]


def test_the_first_hash_names_the_columns() -> None:
    assert hashlib.sha256(f"switchgear ledger 1: {' '.join(COLUMNS)}".encode()).hexdigest() == GENESIS


@pytest.mark.parametrize("column", COLUMNS)
def test_a_change_of_any_column_changes_the_text(column: str) -> None:
    kind = ENTRIES.field(column).type
    other: Any = {
        pa.string(): "changed",
        pa.int64(): 7,
        pa.date32(): date(2026, 10, 6),
        pa.timestamp("us", "UTC"): datetime(2026, 11, 1, 0, 0, 0, 1, UTC),
    }.get(kind, Decimal("0.000000000001"))
    assert text(**{column: other}) != text()


def test_no_entries_are_a_chain_too() -> None:
    assert chained(ENTRIES.empty_table(), GENESIS).num_rows == 0
