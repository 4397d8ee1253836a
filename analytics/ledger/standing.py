"""Standing: the lines that a day or a period stands at: what is posted where it is closed, else what the facts say.

A day of a closed period costs what was posted for it, whenever that was. A period costs what was posted in it,
whichever days that is for; while it is open, what its own days cost by the facts, and what else was posted in it.

A cursor that sees a part of the calls gets lines of these, and what is posted that it may see: what contracts charge
and rules share cannot be told from a part. Where it may see nothing that was ever posted, closed days too are told by
the facts; as soon as it may see something none are, so that no cost is told twice: once by the facts, and once as the
correction of a later period.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ..queries import is_cut, sql
from .calendar import Calendar, Period
from .corrections import COMPUTED
from .line import LINES
from .live import LiveLines
from .usage import combined

if TYPE_CHECKING:
    import duckdb

__all__ = ["of_days", "of_period"]

_COLUMNS = ", ".join(LINES.names)
_COMPUTED = ", ".join(f"'{kind}'" for kind in COMPUTED)
_IN_DAYS = "day BETWEEN $first AND $last"
_IN_PERIOD = "period = $period"
_BY_HAND = f"kind NOT IN ({_COMPUTED})"


def of_period(con: duckdb.DuckDBPyConnection, live: LiveLines, period: Period) -> pa.Table:
    """What is charged in a period, so far if it is open, of what the cursor sees."""
    own = {"first": period.first_day, "last": period.last_day}
    named = {"period": period.name}
    with _one_moment(con):
        if _stands(con, period):
            posted = _posted(con, _IN_PERIOD, named)
        else:
            posted = _posted(con, f"{_IN_PERIOD} AND ({_BY_HAND} OR NOT {_IN_DAYS})", named | own)
            posted = pa.concat_tables([posted, _computed(con, live, period.first_day, period.last_day)])
    return combined(posted)


def of_days(con: duckdb.DuckDBPyConnection, live: LiveLines, first_day: date, last_day: date) -> pa.Table:
    """What is charged for the days from the first to the last, in whichever period, of what the cursor sees."""
    found = [LINES.empty_table()]
    with _one_moment(con):
        for period, first, last in _parts(live.chargeback.calendar, first_day, last_day):
            days = {"first": first, "last": last}
            if _stands(con, period):
                found.append(_posted(con, _IN_DAYS, days))
            else:
                found.append(_posted(con, f"{_IN_DAYS} AND {_BY_HAND}", days))
                found.append(_computed(con, live, first, last))
    return combined(pa.concat_tables(found))


def _stands(con: duckdb.DuckDBPyConnection, period: Period) -> bool:
    """Whether a period is closed, and the cursor may see what is posted: all of it, or something."""
    if not con.execute("SELECT 1 FROM ledger_periods WHERE period = $1", [period.name]).fetchall():
        return False
    return not is_cut(con) or bool(con.execute("SELECT 1 FROM ledger LIMIT 1").fetchall())


def _parts(calendar: Calendar, first_day: date, last_day: date) -> Iterator[tuple[Period, date, date]]:
    """The periods of a range, each with its days in it."""
    period = calendar.period_of(first_day)
    while period.last_day < last_day:
        yield period, max(first_day, period.first_day), period.last_day
        period = calendar.after(period)
    yield period, max(first_day, period.first_day), last_day


def _computed(con: duckdb.DuckDBPyConnection, live: LiveLines, first_day: date, last_day: date) -> pa.Table:
    return (live.of_calls if is_cut(con) else live.of_range)(con, first_day, last_day)


def _posted(con: duckdb.DuckDBPyConnection, condition: str, params: Mapping[str, Any]) -> pa.Table:
    text = sql("ledger_posted").format(columns=_COLUMNS, condition=condition)
    return con.sql(text, params=params).to_arrow_table().cast(LINES)


@contextmanager
def _one_moment(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Read as of one moment, however many statements."""
    con.begin()
    try:
        yield
    finally:
        con.rollback()
