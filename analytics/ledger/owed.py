"""Owed: what the ledger has of each provider in a period, beside what the provider has invoiced for it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa

from ..invoices import provider_of
from ..queries import sql
from .calendar import Period
from .line import Kind

if TYPE_CHECKING:
    import duckdb

__all__ = ["EFFECTIVE", "Owed", "covered_days", "owed"]

EFFECTIVE = sql("ledger_invoiced")
"""The lines of invoices that count, of the days from $first to $last."""
_INVOICED = f"SELECT provider, currency, sum(amount) FROM ({EFFECTIVE}) WHERE currency <> '' GROUP BY ALL"  # noqa: S608 - our own SQL
_COVERED = """
SELECT DISTINCT provider, CAST(day AS DATE) FROM (
    SELECT provider, unnest(generate_series(first_day, last_day, INTERVAL 1 DAY)) AS day FROM invoices
    WHERE currency <> ''  -- of usage alone
) WHERE day BETWEEN $first AND $last
"""
_TRUED = """
SELECT provider, currency, sum(amount) FROM ledger_entries
WHERE kind IN ('true_up', 'accrual') AND day BETWEEN $first AND $last GROUP BY ALL
"""
_OF_PROVIDERS = (Kind.USAGE, Kind.RERATE, Kind.CHARGE)


@dataclass(frozen=True, slots=True)
class Owed:
    """What one provider is owed for a period, in one currency."""

    provider: str
    """By the name under which its statements come: spans call it by several."""
    currency: str
    posted: Decimal
    """By the ledger: usage, rerates, charges and what was booked to an invoice before."""
    invoiced: Decimal
    is_invoiced: bool
    """Whether its invoices cover every day of the period."""


def covered_days(con: duckdb.DuckDBPyConnection, period: Period) -> dict[str, set[date]]:
    """The days of a period of which invoices tell what is billed, by provider."""
    found: dict[str, set[date]] = defaultdict(set)
    for provider, day in con.execute(
        _COVERED, {"first": period.first_day, "last": period.last_day}
    ).fetchall():
        found[provider].add(day)
    return found


def owed(con: duckdb.DuckDBPyConnection, period: Period, lines: pa.Table) -> list[Owed]:
    """By provider and currency; `lines` are what the period's days cost."""
    days = {"first": period.first_day, "last": period.last_day}
    posted: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for line in lines.select(["kind", "provider", "currency", "amount"]).to_pylist():
        if line["kind"] in _OF_PROVIDERS and line["provider"] and line["amount"] is not None:
            posted[provider_of(line["provider"]), line["currency"]] += line["amount"]
    for provider, currency, amount in con.execute(_TRUED, days).fetchall():
        if amount is not None:
            posted[provider, currency] += amount
    invoiced = {
        (provider, currency): amount or Decimal(0)
        for provider, currency, amount in con.execute(_INVOICED, days).fetchall()
    }
    covered = {name for name, found in covered_days(con, period).items() if len(found) == len(period.days)}
    return [
        Owed(*key, posted.get(key, Decimal(0)), invoiced.get(key, Decimal(0)), key[0] in covered)
        for key in sorted({*posted, *invoiced})
        if key[0] in covered or key in posted
    ]
