"""Invoiced: imported statements of providers beside the ledger, and the difference booked as true-ups.

The ledger's side of a month that is closed is what is posted for its days, of one that is open what they cost now. A
difference is booked by cause; what was booked of it before is no difference any more, so that booking again adds only
what is new. The first true-up of a provider whose usage was accrued takes the accrual back (`details`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from collector.facts.statements import registered

from ..invoices import Allowed, Invoice, InvoiceLine, OurLine, Reconciliation, Tolerance, booking, reconcile
from .calendar import Period
from .corrections import Compute
from .entries import of_period, pages
from .errors import LedgerError
from .journal import accrued_amount
from .line import COUNTS, LINES, METERS, MONEY, Kind
from .owed import EFFECTIVE, covered_days
from .periods import closed
from .settings import Chargeback

if TYPE_CHECKING:
    import duckdb

__all__ = ["Compared", "compared", "keep", "true_ups"]

_OF_PROVIDERS = (Kind.USAGE, Kind.RERATE, Kind.CHARGE)
_TOKENS = dict(zip(METERS, ("input_uncached", *METERS[1:]), strict=True))
_INVOICE = (
    "id",
    "provider",
    "account",
    "source",
    "imported_at",
    "imported_by",
    "first_day",
    "last_day",
    "currency",
)
_LINE = (
    "provider",
    "day",
    "model",
    "project",
    "kind",
    "service_tier",
    "quantity",
    "amount",
    "currency",
    "item",
)
_LINES = pa.schema(
    [
        ("invoice", pa.string()),
        *(
            (name, {"day": pa.date32(), "quantity": MONEY, "amount": MONEY}.get(name, pa.string()))
            for name in _LINE
        ),
    ]
)
_AGAIN = (
    "UPDATE invoices SET imported_at = $1, imported_by = $2, first_day = least(first_day, $3),"
    " last_day = greatest(last_day, $4) WHERE id = $5"
)
MOST_DAYS = timedelta(days=400)
"""That one statement is of."""
_WHOLE = ("table", "focus")
"""Shapes whose lines do not say which days they are all of: they are taken for the month that they are given for."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A month's reconciliation, and what of it is booked."""

    result: Reconciliation
    booked: Mapping[tuple[str, str, str], Decimal]
    """By provider, currency and cause."""
    accrued: Mapping[tuple[str, str], Decimal]
    """By provider and currency: what the month's journal has as accrued, where nothing has taken it back."""


def keep(
    con: duckdb.DuckDBPyConnection,
    invoices: Sequence[Invoice],
    account: str | None,
    month: Period | None,
    by: str,
    now: datetime,
) -> int:
    """Keep statements, each once, inside the caller's transaction; how many are new.

    One that is given again counts as given now: in place of what was given since.
    """
    new = 0
    for invoice in invoices:
        name = f"{invoice.sha256}:{invoice.provider}:{invoice.currency or 'usage'}:{account or ''}"
        first, last = invoice.days
        if not timedelta(0) <= last - first < MOST_DAYS:
            raise LedgerError(
                f"{invoice.source[:80]}: {first} to {last} are not one to {MOST_DAYS.days} days"
            )
        outside = next((line.day for line in invoice.lines if not first <= line.day <= last), None)
        if outside is not None:
            raise LedgerError(
                f"{invoice.source[:80]}: a line is of {outside}, and the statement of {first} to {last}"
            )
        if (
            month is not None
            and invoice.shape in _WHOLE
            and month.first_day <= first
            and last <= month.last_day
        ):
            first, last = month.first_day, month.last_day
        if con.execute("SELECT 1 FROM invoices WHERE id = $1", [name]).fetchall():
            con.execute(_AGAIN, [now, by, first, last, name])
            continue
        amounts = [line.amount for line in invoice.lines if line.amount is not None]
        values = [name, invoice.provider, account, invoice.shape, now, by, first, last, invoice.currency]
        con.execute(
            f"INSERT INTO invoices ({', '.join(_INVOICE)}, total) VALUES ({', '.join(['?'] * 10)})",  # noqa: S608
            [*values, sum(amounts, Decimal(0)) if amounts else None],
        )
        rows = [
            {"invoice": name, **{column: getattr(line, column) for column in _LINE}} for line in invoice.lines
        ]
        with registered(con, new_lines=pa.Table.from_pylist(rows, schema=_LINES)):
            con.execute("INSERT INTO invoice_lines BY NAME FROM new_lines")
        new += 1
    return new


def compared(
    con: duckdb.DuckDBPyConnection, period: Period, compute: Compute, settings: Chargeback
) -> Compared:
    """The month's statements that count, beside the ledger, on the days that they cover.

    Raises LedgerError where a provider's statements leave out days in between.
    """
    days = {"first": period.first_day, "last": period.last_day}
    theirs = [
        InvoiceLine(**dict(zip(_LINE, row, strict=True)))
        for row in con.execute(f"SELECT {', '.join(_LINE)} FROM ({EFFECTIVE})", days).fetchall()  # noqa: S608
    ]
    tolerance = settings.close
    allowed = Allowed(tolerance.tolerance_share, tolerance.tolerance.amount)
    projects = {tenant: project for known in settings.projects.values() for project, tenant in known.items()}
    known = next((each for each in closed(con) if each.period == period.name), None)
    posted = list(pages(con, "day BETWEEN $first AND $last", days))
    if known is None:
        ours = list(_ours(compute(con, period), projects, period.name))
    else:
        ours = [line for page in posted for line in _ours(page, projects, period.name)]
    told = covered_days(con, period)
    covered = {provider: _span(provider, found) for provider, found in told.items()}
    asked = (period.first_day, period.last_day)
    result = reconcile(ours, theirs, Tolerance(allowed), projects, days=asked, covered=covered)
    booked: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    reversed_ = set()
    for page in posted:
        for entry in page.select(["kind", "provider", "currency", "item", "amount", "details"]).to_pylist():
            if entry["kind"] == Kind.TRUE_UP:
                booked[entry["provider"], entry["currency"], entry["item"]] += entry["amount"]
                if entry["details"]:
                    reversed_.add((entry["provider"], entry["currency"]))
    accrued = {}
    if known is not None:
        found = accrued_amount(of_period(con, period.name), known.accounts, known.accrued)
        # A statement of a part of the month leaves it accrued.
        whole = {provider for provider, span in covered.items() if span == asked}
        accrued = {key: each for key, each in found.items() if key not in reversed_ and key[0] in whole}
    return Compared(result, booked, accrued)


def _span(provider: str, days: Collection[date]) -> tuple[date, date]:
    """The first and the last of days without a gap. Raises LedgerError where there is one."""
    first, last = min(days), max(days)
    missing = [
        day for place in range((last - first).days) if (day := first + timedelta(days=place)) not in days
    ]
    if missing:
        raise LedgerError(
            f"no statement of {provider} is of {missing[0]}, and there are some of before and after it "
            f"({len(missing)} days are missing): give the files of these days too"
        )
    return first, last


def true_ups(found: Compared, period: Period, statements: str) -> pa.Table:
    """The lines that make the ledger what the statements say, beyond what is booked; `statements` names them."""
    wanted: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for each in booking(found.result):
        wanted[each.provider, each.currency, each.cause.value] += each.amount
    told = {(each.provider, each.currency) for each in found.result.providers if each.theirs is not None}
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for key in sorted({*wanted, *(key for key in found.booked if key[:2] in told)}):
        amount = wanted.get(key, Decimal(0)) - found.booked.get(key, Decimal(0))
        if amount:
            rows[key] = _row(*key, amount, period.last_day, statements)
    for provider, currency in sorted(told & found.accrued.keys()):
        first = next(
            (key for key in rows if key[:2] == (provider, currency)), (provider, currency, "invoiced")
        )
        # An invoice that is the ledger's amount books nothing, and takes the accrual back all the same.
        row = rows.setdefault(first, _row(*first, Decimal(0), period.last_day, statements))
        amount = found.accrued[provider, currency]
        row["details"] = orjson.dumps({"accrued": f"{amount:.2f}", "period": period.name}).decode()
    return pa.Table.from_pylist([rows[key] for key in sorted(rows)], schema=LINES)


def _row(
    provider: str, currency: str, cause: str, amount: Decimal, day: date, statements: str
) -> dict[str, Any]:
    nothing = Decimal(0)
    return {
        **dict.fromkeys(LINES.names),
        **dict.fromkeys(COUNTS, 0),
        **{name: nothing for name in LINES.names if name.startswith("amount_")},
        "day": day,
        "kind": Kind.TRUE_UP.value,
        "provider": provider,
        "currency": currency,
        "item": cause,
        "reference": statements,
        "amount_other": amount,
        "amount": amount,
        "list_amount": amount,
        "retry_amount": nothing,
        "cache_savings": nothing,
    }


def _ours(lines: pa.Table, projects: Mapping[str, str], period: str) -> Iterator[OurLine]:
    """Lines or entries by meter: what is posted in another period than that of its day is late."""
    for line in lines.to_pylist():
        if line["kind"] not in _OF_PROVIDERS or not line["provider"]:
            continue
        late = line.get("period", period) != period
        for meter in METERS:
            tokens = line.get(_TOKENS[meter], 0) if meter != "other" else 0
            amount = line[f"amount_{meter}"]
            calls = line["calls"] if meter == "input" else 0
            if not (tokens or amount or calls):
                continue
            yield OurLine(
                day=line["day"],
                provider=line["provider"],
                model=line["model"],
                project=line["tenant"] if line["tenant"] in projects else None,
                kind=meter,
                service_tier=line["service_tier"],
                quantity=None if meter == "other" else Decimal(tokens),
                amount=amount,
                currency=line["currency"] or "",
                calls=calls,
                late=late,
                unpriced_calls=calls if amount is None else 0,
            )
