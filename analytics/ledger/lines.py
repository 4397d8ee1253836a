"""Lines: all that a range of days costs, computed from the facts: usage, rerates, charges, and what rules move.

Lines of a range are those of its days, so that the sums of days, weeks and periods agree. The charges of a month stand
on its last day.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from ..allocation import Rule
from ..contracts import Contracts
from ..prices import PriceBook
from ..queries import sql
from . import charges, sharing, usage
from .calendar import Calendar, Period
from .charges import Charged
from .days import Days
from .line import LINES, Kind
from .usage import Day, combined

if TYPE_CHECKING:
    import duckdb

__all__ = ["Days", "Terms", "combined", "compute", "of_calls", "of_range"]

_DAY = timedelta(days=1)
_OF_CALLS = pa.array([Kind.USAGE.value, Kind.RERATE.value])


@dataclass(frozen=True, slots=True)
class Terms:
    """What lines go by, beside the facts."""

    calendar: Calendar
    book: PriceBook
    """By which cost is split into meters."""
    contracts: Contracts = field(default_factory=Contracts)
    rules: tuple[Rule, ...] = ()


def compute(
    con: duckdb.DuckDBPyConnection, period: Period, terms: Terms, *, today: date, days: Days
) -> pa.Table:
    """The lines of a period, as of_range has them."""
    return of_range(con, period.first_day, period.last_day, terms, today=today, days=days)


def of_range(
    con: duckdb.DuckDBPyConnection,
    first_day: date,
    last_day: date,
    terms: Terms,
    *,
    today: date,
    days: Days,
) -> pa.Table:
    """The lines of the days from the first to the last, both within, as `LINES` in the order of keys.

    `con` sees everything: what is charged and shared depends on all calls of a month. Months that are over by `today`
    are charged whole; the charges of another are as if nothing more came, and say so.
    """
    # Days in order are lines in order, each with a key of its own.
    whole = pa.concat_tables([LINES.empty_table(), *_days(con, first_day, last_day, terms, days)])
    beside: list[pa.Table] = []
    for period in _ending(terms.calendar, first_day, last_day):
        if charged := charges.charged(con, period, terms.contracts):
            beside.append(charges.lines(charged, period, today))
            beside += _shared_charges(con, period, charged, terms, days)
    return combined(pa.concat_tables([whole, *beside])) if beside else whole


def of_calls(con: duckdb.DuckDBPyConnection, first_day: date, last_day: date, terms: Terms) -> pa.Table:
    """The lines of calls and rerates alone: of those that the cursor sees, which need not be all."""
    found = usage.of_days(con, [_day(terms, day) for day in _each(first_day, last_day)], terms.book)
    return pa.concat_tables([LINES.empty_table(), *found])


def _days(
    con: duckdb.DuckDBPyConnection, first_day: date, last_day: date, terms: Terms, days: Days
) -> Iterator[pa.Table]:
    """The lines of each day but for charges of its month: of its calls, and what rules move of these."""
    common = (terms.book.version, con.execute(sql("ledger_stamp")).fetchall())
    missing: list[tuple[Day, object]] = []
    calls = 0
    for each in (_day(terms, day) for day in _each(first_day, last_day)):
        seen = con.execute(sql("ledger_day_stamp"), {"start": each.start, "stop": each.stop}).fetchall()
        # What is booked from here on changes the stamp: whether it is in the lines or not, they are computed anew.
        stamp = (common, seen, terms.rules)
        found = days.get((terms.calendar.zone, each.day), stamp)
        if found is None:
            missing.append((each, stamp))
            calls += seen[0][0]
        if found is not None or calls >= usage.CALLS_AT_ONCE:
            yield from _computed(con, missing, terms, days, has_calls=calls > 0)
            missing, calls = [], 0
        if found is not None:
            yield found
    yield from _computed(con, missing, terms, days, has_calls=calls > 0)


def _computed(
    con: duckdb.DuckDBPyConnection,
    missing: Sequence[tuple[Day, object]],
    terms: Terms,
    days: Days,
    *,
    has_calls: bool,
) -> Iterator[pa.Table]:
    """The lines of some days that follow one after the other, which are kept under their stamps."""
    if not missing:
        return
    asked = [each for each, _ in missing]
    # Most days of a young company are without any.
    if has_calls or usage.is_beside(con, asked[0].start, asked[-1].stop):
        of_calls = usage.of_days(con, asked, terms.book)
    else:
        of_calls = [LINES.empty_table() for _ in asked]
    for (each, stamp), calls in zip(missing, of_calls, strict=True):
        found = _of_day(calls, terms.rules)
        days.put((terms.calendar.zone, each.day), stamp, found)
        yield found


def _day(terms: Terms, day: date) -> Day:
    return Day(day, *terms.calendar.bounds(day, day))


def _of_day(calls: pa.Table, rules: tuple[Rule, ...]) -> pa.Table:
    if not rules or not calls.num_rows:
        return calls
    moved = sharing.allocations(sharing.costs_of_calls(calls), {}, rules)
    return combined(pa.concat_tables([calls, sharing.lines(moved)]))


def _shared_charges(
    con: duckdb.DuckDBPyConnection, period: Period, charged: Sequence[Charged], terms: Terms, days: Days
) -> Iterator[pa.Table]:
    """What rules move of a month's charges, by what was used in all of it."""
    if terms.rules:
        month = pa.concat_tables(_days(con, period.first_day, period.last_day, terms, days))
        used = sharing.costs_of_calls(month.filter(pc.is_in(month["kind"], _OF_CALLS)))
        costs = sharing.costs_of_charges(charged, period, terms.rules)
        yield sharing.lines(sharing.allocations(used, costs, terms.rules), of_charges=True)


def _each(first_day: date, last_day: date) -> Iterator[date]:
    for place in range((last_day - first_day).days + 1):
        yield first_day + place * _DAY


def _ending(calendar: Calendar, first_day: date, last_day: date) -> Iterator[Period]:
    """The periods whose last day is in the range."""
    period = calendar.period_of(first_day)
    while period.last_day < last_day:
        yield period
        period = calendar.after(period)
    if period.last_day == last_day:
        yield period
