"""Journal: what a period's entries are in the books of the company, as balanced lines that an ERP imports.

Of each currency, cost centres are debited with what is charged to them, and what is owed is credited: to accounts
payable for providers whose invoice has come, to accrued liabilities for the others, to the clearing account for what
was booked by hand. When the invoice comes, its true-up brings the accrual of before over to accounts payable. Amounts
have two decimals, split by largest remainder: both sides add up to the ledger's total, rounded once.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa

from ..apportion import rounded
from ..cells import guarded
from ..invoices import provider_of
from .line import Kind
from .settings import Accounts

__all__ = ["COLUMNS", "JournalLine", "accrued_amount", "as_csv", "journal_lines", "safe"]

CENT = Decimal("0.01")
COLUMNS = (
    *("date", "document", "line", "account", "cost_centre", "debit", "credit", "currency", "text"),
    "reference",
)
"""The columns of the CSV, in order."""
_NOT_INVOICED = ", not invoiced"
_BY_HAND = (Kind.CREDIT, Kind.ADJUSTMENT)
EXPENSE, PAYABLE, ACCRUED, CLEARING = "EXPENSE", "PAYABLE", "ACCRUED", "CLEARING"
"""What stands for an account that `chargeback.yaml` does not name."""


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One line; either `debit` or `credit` is above 0."""

    account: str
    cost_centre: str
    debit: Decimal
    credit: Decimal
    currency: str
    text: str


def journal_lines(entries: pa.Table, accounts: Accounts, accrued: Collection[str]) -> list[JournalLine]:
    """The lines of a period's entries, by currency; `accrued` are the providers whose invoice has not come.

    Amounts that are not known are in none.
    """
    centres: dict[str, dict[tuple[str, str, str], Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    owed: dict[str, dict[tuple[str, str, str], Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    reversed_: list[JournalLine] = []
    names = ("kind", "provider", "cost_centre", "currency", "amount", "details")
    for entry in entries.select(names).to_pylist():
        amount, currency = entry["amount"], entry["currency"]
        if amount is None or currency is None:
            continue
        centre = entry["cost_centre"]
        text = "usage of models" if centre else "usage of models, without a cost centre"
        centres[currency][
            accounts.debit_of(centre) or (EXPENSE if centre else CLEARING), centre or "", text
        ] += amount
        owed[currency][_owed(entry, accounts, accrued)] += amount
        if entry["kind"] == Kind.TRUE_UP and entry["details"]:
            reversed_ += _reversal(entry, accounts)
    found: list[JournalLine] = []
    for currency in sorted(centres):
        found += _sides(centres[currency], currency, 1)
        found += _sides(owed[currency], currency, -1)
        found += [line for line in reversed_ if line.currency == currency]
    return found


def accrued_amount(
    entries: pa.Table, accounts: Accounts, accrued: Collection[str]
) -> dict[tuple[str, str], Decimal]:
    """What the journal of these entries has as accrued, by provider and currency, to the cent."""
    found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for line in journal_lines(entries, accounts, accrued):
        provider = line.text.removesuffix(_NOT_INVOICED)
        if provider in accrued and provider != line.text:
            found[provider, line.currency] += line.credit - line.debit
    return dict(found)


def as_csv(lines: list[JournalLine], period: str, booked: date, reference: str) -> bytes:
    """The lines as a CSV of `COLUMNS`, dated `booked`; a document a currency."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for number, line in enumerate(lines, start=1):
        writer.writerow(
            [
                *(booked.isoformat(), f"SG-{period}-{line.currency}", number, safe(line.account)),
                *(safe(line.cost_centre), _money(line.debit), _money(line.credit), safe(line.currency)),
                *(safe(line.text), reference),
            ]
        )
    return out.getvalue().encode()


def safe(text: str | None) -> str:
    """The text so that a spreadsheet takes it for no formula."""
    return guarded(text or "")


def _owed(entry: Mapping[str, Any], accounts: Accounts, accrued: Collection[str]) -> tuple[str, str, str]:
    """(account, cost centre, text) of the other side."""
    provider = provider_of(entry["provider"] or "no provider")
    if entry["kind"] in _BY_HAND:
        return accounts.clearing or CLEARING, "", "credits and adjustments"
    if entry["kind"] == Kind.ACCRUAL or (entry["kind"] != Kind.TRUE_UP and provider in accrued):
        return accounts.accrued or ACCRUED, "", f"{provider}{_NOT_INVOICED}"
    return accounts.credit or PAYABLE, "", provider


def _reversal(entry: Mapping[str, Any], accounts: Accounts) -> Iterator[JournalLine]:
    """What the invoice of a true-up takes from the accrued liabilities: it is payable now."""
    told = orjson.loads(entry["details"])
    amount = Decimal(told.get("accrued", "0"))
    text = f"{entry['provider']}, accrued in {told.get('period', '')}, invoiced"
    yield from _line(accounts.accrued or ACCRUED, "", amount, entry["currency"], text)
    yield from _line(accounts.credit or PAYABLE, "", -amount, entry["currency"], text)


def _sides(
    amounts: Mapping[tuple[str, str, str], Decimal], currency: str, sign: int
) -> Iterator[JournalLine]:
    keys = sorted(amounts)
    for key, amount in zip(keys, rounded([amounts[key] for key in keys], CENT), strict=True):
        yield from _line(key[0], key[1], sign * amount, currency, key[2])


def _line(account: str, centre: str, amount: Decimal, currency: str, text: str) -> Iterator[JournalLine]:
    if amount:
        yield JournalLine(account, centre, max(amount, Decimal(0)), max(-amount, Decimal(0)), currency, text)


def _money(amount: Decimal) -> str:
    return f"{amount:.2f}" if amount else ""
