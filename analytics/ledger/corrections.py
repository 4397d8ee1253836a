"""Corrections: what the calls of a period cost now, less what is posted for its days.

Late calls, rerates, moved owners and better usage all show as this difference; it is charged in a later period, with
the days that it is for. Of a period for which nothing is posted it is all of its lines, which is what a close posts.

Days whose calls were deleted stay as they were posted: what was known of them is no longer there to compute from. So
does what contracts charge for a month of which any day is such a one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from collector.facts.statements import registered

from .calendar import Calendar, Period
from .line import COUNTS, KEYS, LINES, MEASURES, Kind

if TYPE_CHECKING:
    import duckdb

__all__ = ["COMPUTED", "Compute", "difference", "posted"]

Compute = Callable[["duckdb.DuckDBPyConnection", Period], pa.Table]
"""The lines of a period as the facts are on the cursor, as `LINES`."""

COMPUTED = (Kind.USAGE, Kind.RERATE, Kind.CHARGE, Kind.SHARED)
"""The kinds of lines that are computed; all others are booked by somebody."""

_OF_CALLS = (Kind.USAGE, Kind.RERATE)
_SUMS = (*COUNTS, *MEASURES)
_KEYS = ", ".join(KEYS)
_KINDS = ", ".join(f"'{kind}'" for kind in COMPUTED)
_POSTED = (
    f"SELECT {_KEYS}, {', '.join(_SUMS)} FROM ledger_entries"  # noqa: S608 - our own names, here and below
    f" WHERE day BETWEEN $first AND $last AND kind IN ({_KINDS})"
)
_TYPES = {**dict.fromkeys(COUNTS, "BIGINT"), **dict.fromkeys(MEASURES, "DECIMAL(38, 12)")}
_DIFFERENCE = (
    f"SELECT {_KEYS}, {', '.join(f'sum({name})::{_TYPES[name]} AS {name}' for name in _SUMS)} FROM ("  # noqa: S608
    f"SELECT {_KEYS}, {', '.join(_SUMS)} FROM computed_lines UNION ALL"
    f" SELECT {_KEYS}, {', '.join(f'-{name}' for name in _SUMS)} FROM posted_lines"
    f") GROUP BY {_KEYS}"
    f" HAVING {' OR '.join(f'coalesce(sum({name}), 0) <> 0' for name in _SUMS)}"
)
_DELETED = (
    'SELECT DISTINCT "hour", tenant FROM rollup_hours WHERE NOT details AND "hour" >= $from AND "hour" < $to'
)


def difference(
    con: duckdb.DuckDBPyConnection, period: Period, compute: Compute, calendar: Calendar
) -> pa.Table:
    """The lines to post for the days of a period; none where what is posted is what they cost now."""
    computed = compute(con, period)
    before = posted(con, period)
    with registered(con, computed_lines=computed, posted_lines=before):
        found = con.sql(_DIFFERENCE).to_arrow_table().cast(LINES)
    if not before.num_rows or not found.num_rows:
        return found
    return _without_deleted(found, computed, _deleted(con, period, calendar))


def posted(con: duckdb.DuckDBPyConnection, period: Period) -> pa.Table:
    """What is posted for the days of a period of what is computed, in whichever period it was charged."""
    days = {"first": period.first_day, "last": period.last_day}
    return con.sql(_POSTED, params=days).to_arrow_table().cast(LINES)


def _deleted(con: duckdb.DuckDBPyConnection, period: Period, calendar: Calendar) -> dict[date, set[str]]:
    """The days of which calls were deleted, with the names that their sums have now."""
    hour, day = timedelta(hours=1), timedelta(days=1)
    # With the days beside it: a contract's month, in its own zone, may begin or end there.
    bounds = {"from": period.start - day, "to": period.stop + day}
    found: dict[date, set[str]] = defaultdict(set)
    for at, tenant in con.execute(_DELETED, bounds).fetchall():
        # An hour of UTC may lie in two days of a zone that is half an hour off.
        for each in {calendar.day_of(at), calendar.day_of(at + hour - timedelta(microseconds=1))}:
            found[each].add(tenant)
    return found


def _without_deleted(found: pa.Table, computed: pa.Table, deleted: dict[date, set[str]]) -> pa.Table:
    """Without what stays as it was posted: tenants whose calls of a day were deleted, under their own name or another;
    all that is shared on such a day, since that was split by their calls too; and what is charged for the month."""
    if not deleted:
        return found
    known: dict[date, set[str]] = defaultdict(set)
    for (day, tenant), kind in zip(_pairs(computed), computed["kind"].to_pylist(), strict=True):
        if kind in _OF_CALLS:
            known[day].add(tenant)
    kinds, items = found["kind"].to_pylist(), found["item"].to_pylist()
    keep = [
        (day not in deleted or (tenant not in deleted[day] and tenant in known[day]))
        if kind in _OF_CALLS
        # A charge, and a share of one, names what it is for.
        else day not in deleted and item is None
        for (day, tenant), kind, item in zip(_pairs(found), kinds, items, strict=True)
    ]
    return found.filter(pa.array(keep, pa.bool_()))


def _pairs(lines: pa.Table) -> list[tuple[date, str]]:
    return list(zip(lines["day"].to_pylist(), lines["tenant"].to_pylist(), strict=True))
