"""Statements beside the ledger: what differs is booked once, by cause, and takes the accrual back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from ledgers import Kept, at, spent

from analytics.invoices import Invoice, InvoiceLine
from analytics.ledger.errors import LedgerError
from analytics.ledger.invoiced import keep

WHOLE = (date(2026, 10, 1), date(2026, 10, 31))


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """October with 10 USD of openai: 6 on the 3rd and 4 on the 4th."""
    with Kept(tmp_path / "data") as found:
        found.own()
        found.book(spent(6_000_000, at(3)), spent(4_000_000, at(4), "globex"))
        yield found


def statement(name: str, *amounts: tuple[int, str, str]) -> Invoice:
    """A table with (day, millions of tokens, amount) a line."""
    lines = tuple(
        InvoiceLine(
            *("openai", date(2026, 10, day), "m", None, "input", None),
            *(Decimal(millions) * 1_000_000, Decimal(amount), "USD", "m, input"),
        )
        for day, millions, amount in amounts
    )
    return Invoice("openai", name, name * 64, "USD", WHOLE, "UTC", lines, "table")


def give(kept: Kept, *invoices: Invoice) -> int:
    with kept.store.transaction() as con:
        return keep(con, invoices, None, kept.keeper.period("2026-10"), "ann", kept.now)


def entries(kept: Kept) -> list[tuple[object, ...]]:
    return kept.sql(
        "SELECT period, day, item, amount, details FROM ledger_entries WHERE kind = 'true_up' ORDER BY seq"
    )


def test_the_difference_of_an_open_month_is_booked_into_it_and_only_once(kept: Kept) -> None:
    give(kept, statement("a", (3, "6", "6.60"), (4, "5", "5.00")))
    found = kept.keeper.true_up(kept.keeper.period("2026-10"))
    assert found.period == "2026-10"
    # 6 million tokens at 0.10 more a million, and one million that was never seen
    assert entries(kept) == [
        ("2026-10", date(2026, 10, 31), "price difference", Decimal("0.6"), None),
        ("2026-10", date(2026, 10, 31), "unseen calls", Decimal(1), None),
    ]
    assert kept.keeper.true_up(kept.keeper.period("2026-10")).lines.num_rows == 0
    closed = kept.close()
    assert (closed.totals[0]["amount"], closed.terms["accrued"]) == ("11.6", [])
    assert kept.verify().findings == []


def test_a_later_statement_of_the_account_books_what_changed(kept: Kept) -> None:
    give(kept, statement("a", (3, "6", "6.60"), (4, "4", "4.00")))
    kept.keeper.true_up(kept.keeper.period("2026-10"))
    kept.now = datetime(2026, 11, 6, tzinfo=UTC)
    give(kept, statement("b", (3, "6", "6.25"), (4, "4", "4.00")))
    kept.keeper.true_up(kept.keeper.period("2026-10"))
    assert [row[3] for row in entries(kept)] == [Decimal("0.6"), Decimal("-0.35")]
    assert kept.charged("2026-10") == Decimal("0.25")


def test_the_same_statement_is_taken_once(kept: Kept) -> None:
    assert give(kept, statement("a", (3, "6", "6"))) == 1
    assert give(kept, statement("a", (3, "6", "6"))) == 0
    assert kept.sql("SELECT count(*) FROM invoice_lines") == [(1,)]


def test_a_statement_that_is_given_again_counts_once_more(kept: Kept) -> None:
    for day, name, amount in [(5, "a", "6.00"), (6, "b", "7.00"), (7, "a", "6.00")]:
        kept.now = datetime(2026, 11, day, tzinfo=UTC)
        give(kept, statement(name, (3, "6", amount), (4, "4", "4.00")))
    assert kept.sql("SELECT count(*) FROM invoice_lines") == [(4,)]
    kept.keeper.true_up(kept.keeper.period("2026-10"))
    assert entries(kept) == []


@pytest.mark.parametrize("shapes", [("openai costs", "table"), ("table", "focus")], ids=" then a ".join)
def test_statements_of_two_shapes_are_never_added_up(kept: Kept, shapes: tuple[str, str]) -> None:
    first, second = shapes
    give(kept, replace(statement("a", (3, "6", "6.00"), (4, "4", "9.00")), shape=first))
    kept.now = datetime(2026, 11, 6, tzinfo=UTC)
    give(kept, replace(statement("b", (3, "6", "6.00"), (4, "4", "4.00")), shape=second))
    kept.keeper.true_up(kept.keeper.period("2026-10"))
    # The later one is the ledger's 10 USD.
    assert entries(kept) == []


def test_a_bill_of_priority_tier_comes_beside_the_costs(kept: Kept) -> None:
    give(kept, replace(statement("a", (3, "6", "6.00"), (4, "4", "4.00")), shape="openai costs"))
    kept.now = datetime(2026, 11, 6, tzinfo=UTC)
    bill = statement("b", (3, "1", "1.50"))
    give(kept, replace(bill, lines=tuple(replace(line, service_tier="priority") for line in bill.lines)))
    kept.keeper.true_up(kept.keeper.period("2026-10"))
    assert kept.charged("2026-10") == Decimal("1.50")


def test_an_invoice_takes_back_what_its_month_was_closed_with_as_accrued(kept: Kept) -> None:
    assert kept.close().terms["accrued"] == ["openai"]
    give(kept, statement("a", (3, "6", "6.50"), (4, "4", "4.00")))
    kept.keeper.true_up(kept.keeper.period("2026-10"))
    ((period, day, _, amount, details),) = entries(kept)
    assert (period, day, amount) == ("2026-11", date(2026, 10, 31), Decimal("0.5"))
    assert orjson.loads(str(details)) == {"accrued": "10.00", "period": "2026-10"}
    assert kept.keeper.true_up(kept.keeper.period("2026-10")).lines.num_rows == 0
    kept.now = datetime(2026, 12, 5, tzinfo=UTC)
    kept.close("2026-11")
    journal = (kept.data / "ledger" / "2026-11" / "journal.csv").read_text().splitlines()[1:]
    assert [line.split(",")[3:7] for line in journal] == [
        ["CLEARING", "", "0.50", ""],
        ["PAYABLE", "", "", "0.50"],
        ["ACCRUED", "", "10.00", ""],
        ["PAYABLE", "", "", "10.00"],
    ]


def test_a_provider_is_one_by_whichever_name_spans_call_it(kept: Kept) -> None:
    """Google's invoice is of gcp.vertex_ai and of gcp.gemini."""
    kept.book(
        spent(1_000_000, at(5), provider="gcp.gemini"), spent(2_000_000, at(5), provider="gcp.vertex_ai")
    )
    assert kept.close().terms["accrued"] == ["gcp.vertex_ai", "openai"]
    line = InvoiceLine(
        *("gcp.vertex_ai", date(2026, 10, 5), "m", None, "input", None, Decimal(3_000_000)),
        *(Decimal(3), "USD", "m, input"),
    )
    give(kept, Invoice("gcp.vertex_ai", "g", "c" * 64, "USD", WHOLE, "UTC", (line,), "table"))
    kept.keeper.true_up(kept.keeper.period("2026-10"))
    ((_, _, _, amount, details),) = entries(kept)
    assert (amount, orjson.loads(str(details))["accrued"]) == (0, "3.00")


def test_an_invoice_that_agrees_books_nothing_and_takes_the_accrual_back(kept: Kept) -> None:
    kept.close()
    give(kept, statement("a", (3, "6", "6.00"), (4, "4", "4.00")))
    kept.keeper.true_up(kept.keeper.period("2026-10"))
    ((_, _, item, amount, details),) = entries(kept)
    assert (item, amount, orjson.loads(str(details))["accrued"]) == ("invoiced", 0, "10.00")
    assert kept.keeper.true_up(kept.keeper.period("2026-10")).lines.num_rows == 0


def test_what_came_late_is_in_the_ledger_and_is_not_booked_again(kept: Kept) -> None:
    kept.close()
    kept.book(spent(1_000_000, at(4)))
    kept.keeper.correct(write=True)
    give(kept, statement("a", (3, "6", "6.00"), (4, "5", "5.00")))
    found = kept.keeper.reconcile(kept.keeper.period("2026-10")).result.providers[0]
    assert (found.difference, found.late, found.gap) == (1, 1, 0)
    kept.keeper.true_up(kept.keeper.period("2026-10"))
    assert [row[3] for row in entries(kept)] == [0]


def part(name: str, first: int, last: int, *amounts: tuple[int, str, str]) -> Invoice:
    """The costs of these days of October, as an API tells them."""
    days = (date(2026, 10, first), date(2026, 10, last))
    return replace(statement(name, *amounts), days=days, shape="openai costs")


def test_a_statement_of_part_of_the_month_leaves_it_accrued(kept: Kept) -> None:
    give(kept, part("a", 1, 30, (3, "6", "6")))
    assert set(kept.check()) == {"no_invoice"}


def test_days_that_a_statement_does_not_cover_are_not_booked_as_unbilled(kept: Kept) -> None:
    kept.close()
    give(kept, part("a", 1, 3, (3, "6", "6.50")))
    kept.keeper.true_up(kept.keeper.period("2026-10"))
    # The 4 USD of the 4th are no part of it, and the 10 that were accrued stay so.
    assert [(item, amount, details) for _, _, item, amount, details in entries(kept)] == [
        ("price difference", Decimal("0.5"), None)
    ]
    kept.now = datetime(2026, 11, 6, tzinfo=UTC)
    give(kept, part("b", 4, 31, (4, "4", "4")))
    kept.keeper.true_up(kept.keeper.period("2026-10"))
    (_, taken) = entries(kept)
    assert (taken[3], orjson.loads(str(taken[4]))["accrued"]) == (0, "10.00")


def test_a_line_on_a_day_that_its_statement_is_not_of_is_refused(kept: Kept) -> None:
    with pytest.raises(
        LedgerError, match="a line is of 2026-10-04, and the statement of 2026-10-01 to 2026-10-03"
    ):
        give(kept, part("a", 1, 3, (3, "6", "6"), (4, "4", "4")))
    assert kept.sql("SELECT count(*) FROM invoices") == [(0,)]


def test_days_between_statements_that_nobody_gave_are_refused(kept: Kept) -> None:
    give(kept, part("a", 1, 3, (3, "6", "6")), part("b", 6, 31, (6, "1", "1")))
    with pytest.raises(
        LedgerError, match=r"no statement of openai is of 2026-10-04, .* \(2 days are missing\)"
    ):
        kept.keeper.reconcile(kept.keeper.period("2026-10"))
