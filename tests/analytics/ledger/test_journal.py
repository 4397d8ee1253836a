"""The journal: balanced to the cent, tied to the ledger, and accruals that invoices take back."""

from __future__ import annotations

import csv
import io
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from analytics.ledger.journal import COLUMNS, as_csv, journal_lines, safe
from analytics.ledger.line import LINES, Kind
from analytics.ledger.settings import Accounts

ACCOUNTS = Accounts(
    debit="6400", cost_centres={"CC-9": "6409"}, credit="2000", accrued="2100", clearing="1990"
)


def entry(amount: str | None, centre: str | None = "CC-1", **values: Any) -> dict[str, Any]:
    return {
        **dict.fromkeys(LINES.names),
        "kind": Kind.USAGE.value,
        "provider": "openai",
        "cost_centre": centre,
        "currency": "USD" if amount is not None else None,
        "amount": None if amount is None else Decimal(amount),
        **values,
    }


def lines(*entries: dict[str, Any], accrued: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    schema = pa.schema([field.with_nullable(True) for field in LINES])  # noqa: FBT003 - it takes no name
    found = journal_lines(pa.Table.from_pylist(list(entries), schema=schema), ACCOUNTS, accrued)
    return [(each.account, each.cost_centre, f"{each.debit}", f"{each.credit}") for each in found]


def test_cost_centres_are_debited_and_payables_credited() -> None:
    found = lines(entry("10.004"), entry("5.003", "CC-2"), entry("1", "CC-9"))
    # 16.007 is 16.01: of the remainders .004, .003 and 0 the largest goes up
    assert found == [
        ("6400", "CC-1", "10.01", "0"),
        ("6400", "CC-2", "5.00", "0"),
        ("6409", "CC-9", "1.00", "0"),
        ("2000", "", "0", "16.01"),
    ]


def test_what_has_no_cost_centre_is_on_the_clearing_account() -> None:
    assert ("1990", "", "2.00", "0") in lines(entry("2", None))


def test_usage_without_an_invoice_is_an_accrued_liability() -> None:
    found = lines(entry("10"), entry("4", provider="anthropic"), accrued=("anthropic",))
    assert found[1:] == [("2000", "", "0", "10.00"), ("2100", "", "0", "4.00")]


def test_an_invoice_brings_the_accrual_over_to_payables() -> None:
    details = '{"accrued": "14.00", "period": "2026-10"}'
    found = lines(entry("0.25", kind="true_up", details=details))
    assert found == [
        ("6400", "CC-1", "0.25", "0"),
        ("2000", "", "0", "0.25"),
        ("2100", "", "14.00", "0"),
        ("2000", "", "0", "14.00"),
    ]


def test_credits_by_hand_are_owed_by_nobody_outside() -> None:
    assert lines(entry("-3", kind="credit", provider=None)) == [
        ("6400", "CC-1", "0", "3.00"),
        ("1990", "", "3.00", "0"),
    ]


def test_a_credit_stays_one_when_the_provider_is_accrued() -> None:
    assert lines(entry("-3", kind="adjustment"), accrued=("openai",))[1][0] == "1990"


def test_an_amount_that_is_not_known_is_in_no_line() -> None:
    assert lines(entry(None), entry("0.001")) == []


amounts = st.decimals(min_value=-1000, max_value=1000, places=12)


@given(
    st.lists(st.tuples(amounts, st.sampled_from(["CC-1", "CC-2", None]), st.sampled_from("ab")), max_size=12)
)
def test_both_sides_are_the_ledgers_total_to_the_cent(rows: list[tuple[Decimal, str | None, str]]) -> None:
    found = lines(*(entry(str(a), centre, provider=provider) for a, centre, provider in rows), accrued=("a",))
    debit, credit = (sum(Decimal(line[place]) for line in found) for place in (2, 3))
    assert debit == credit
    expense = sum(Decimal(line[2]) - Decimal(line[3]) for line in found if line[0] in ("6400", "1990"))
    assert expense == round(sum(amount for amount, _, _ in rows), 2)


def test_the_csv_has_the_documented_columns_and_no_formula() -> None:
    schema = pa.schema([field.with_nullable(True) for field in LINES])  # noqa: FBT003 - it takes no name
    rows = pa.Table.from_pylist([entry("1", "=HYPERLINK(1)")], schema=schema)
    content = as_csv(
        journal_lines(rows, Accounts(), ()), "2026-10", date(2026, 10, 31), "entries 1-1"
    ).decode()
    first, second = csv.DictReader(io.StringIO(content))
    assert tuple(first) == COLUMNS
    assert first == {
        "date": "2026-10-31",
        "document": "SG-2026-10-USD",
        "line": "1",
        "account": "EXPENSE",
        "cost_centre": "'=HYPERLINK(1)",
        "debit": "1.00",
        "credit": "",
        "currency": "USD",
        "text": "usage of models",
        "reference": "entries 1-1",
    }
    assert (second["account"], second["debit"], second["credit"]) == ("PAYABLE", "", "1.00")
    assert [safe(each) for each in ("+1", "@x", "\tx", "a=b", None)] == ["'+1", "'@x", "'\tx", "a=b", ""]
