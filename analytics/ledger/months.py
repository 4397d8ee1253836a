"""Months: the periods of a ledger and how far each of them is: open, closed, or closed and fitting its invoices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from . import owed as owing
from .calendar import Period
from .live import LiveLines
from .periods import closed

if TYPE_CHECKING:
    import duckdb

__all__ = ["months"]

OPEN, CLOSED, RECONCILED = "open", "closed", "reconciled"
_SCHEMA = pa.schema(
    [
        ("period", pa.string()),
        ("first_day", pa.date32()),
        ("last_day", pa.date32()),
        ("state", pa.string()),
        ("closed_at", pa.timestamp("us", "UTC")),
    ]
)
_POSTED = """
SELECT kind, provider, currency, sum(amount)::DECIMAL(38, 12) AS amount FROM ledger_entries
WHERE day BETWEEN $first AND $last GROUP BY ALL
"""


def months(con: duckdb.DuckDBPyConnection, live: LiveLines) -> pa.Table:
    """A row for each period from the first with anything that the cursor sees up to today's; the last first.

    `reconciled`: it is closed, every provider's invoices cover it, and none differs by more than `close.tolerance`.
    """
    calendar = live.chargeback.calendar
    known = {each.period: each for each in closed(con)}
    ((first,),) = con.execute('SELECT min("hour") FROM rollup_hours').fetchall()
    begin = calendar.day_of(first) if first is not None else live.today
    period = calendar.period_of(min([begin, *(calendar.period(name).first_day for name in known)]))
    rows = []
    while period.first_day <= live.today:
        found = known.get(period.name)
        state = OPEN if found is None else RECONCILED if _fits(con, live, period) else CLOSED
        closed_at = found.closed_at if found is not None else None
        rows.append(
            dict(
                zip(
                    _SCHEMA.names,
                    (period.name, period.first_day, period.last_day, state, closed_at),
                    strict=True,
                )
            )
        )
        period = calendar.after(period)
    return pa.Table.from_pylist(rows[::-1], schema=_SCHEMA)


def _fits(con: duckdb.DuckDBPyConnection, live: LiveLines, period: Period) -> bool:
    """Whether what is posted for the days of a closed period, and all that was invoiced for them, is the same."""
    days = {"first": period.first_day, "last": period.last_day}
    posted = con.sql(_POSTED, params=days).to_arrow_table()
    providers = owing.owed(con, period, posted)
    terms = live.chargeback.close
    return bool(providers) and all(
        each.is_invoiced and abs(each.invoiced - each.posted) <= terms.let_pass(each.invoiced, each.currency)
        for each in providers
    )
