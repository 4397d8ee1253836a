"""Report: what an export is made of, as named reports of the collector, each for a key that sees all of the ledger.

An export asks `focus_pages` what there is, then `focus_lines` for each page: what is booked in one period for one day.
So neither the collector nor whoever exports holds more than a day at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from collector.reporting import Report, ReportError

from ..ledger import periods
from ..ledger.calendar import CalendarError, Period
from ..ledger.corrections import COMPUTED
from ..ledger.errors import LedgerError
from ..ledger.line import LINES
from ..ledger.owed import EFFECTIVE
from ..parameters import check_names
from ..queries import sql
from .datasets import COMMITMENT, contract_commitments
from .prepared import POSTED

if TYPE_CHECKING:
    import duckdb

    from ..contracts import Contract
    from ..ledger.live import LiveLines

__all__ = ["reports"]

_DAY = timedelta(days=1)
_MOST_DAYS = 1100
_PAGES = pa.schema(
    [
        pa.field("period", pa.string(), nullable=False),
        pa.field("day", pa.date32()),
        *(pa.field(name, pa.timestamp("us", "UTC")) for name in ("starts", "ends", "closed_at")),
        pa.field("zone", pa.string(), nullable=False),
        pa.field("currency", pa.string(), nullable=False),
    ]
)
_ORIGIN = ("rule", "reference", "workload", "item", "currency")
"""What the shares of one cost have in common, of those of one day."""
_BY_HAND = f"kind NOT IN ({', '.join(repr(kind.value) for kind in COMPUTED)})"
_Params = Mapping[str, str]


def reports(live: LiveLines, contracts: Callable[[], tuple[Contract, ...]]) -> Mapping[str, Report]:
    """The reports by name, as the collector takes them; `contracts` are those that hold now."""
    return {
        "focus_pages": partial(pages, live),
        "focus_lines": partial(lines, live),
        "focus_invoices": invoices,
        "focus_contracts": partial(_contracts, live, contracts),
    }


def pages(live: LiveLines, con: duckdb.DuckDBPyConnection, params: _Params) -> pa.Table:
    """The pages of the periods `from` to `to` ("2026-10"), or of the days ("2026-10-01"), both within.

    A row for each period and day of it, with the period's bounds, when it was closed, the zone and the currency. A
    period in which there is nothing has one row without a day. Days come with all periods in which something was
    booked for them.
    """
    check_names(params, ("from", "to"))
    _see_all(con)
    calendar = live.chargeback.calendar
    by_period = len(params.get("from", "")) == len("2026-10")
    if by_period:
        first, last = _period(live, params, "from").first_day, _period(live, params, "to").last_day
    else:
        first, last = _day(params, "from"), _day(params, "to")
    if last < first:
        raise ReportError(f"to: {params['to']} is before from: {params['from']}; both are within")
    if (last - first).days >= _MOST_DAYS:
        raise ReportError(f"to: the range has more than {_MOST_DAYS} days; export less at a time")
    with _one_moment(con):
        closed = {each.period: each for each in periods.closed(con)}
        condition = "period BETWEEN $first AND $last" if by_period else "day BETWEEN $first AND $last"
        bounds = (f"{first:%Y-%m}", f"{last:%Y-%m}") if by_period else (first, last)
        found: set[tuple[str, date | None]] = set(
            con.execute(
                sql("focus_pages").format(condition=condition),
                dict(zip(("first", "last"), bounds, strict=True)),
            ).fetchall()
        )
    days = [first + place * _DAY for place in range((last - first).days + 1)]
    found |= {(f"{day:%Y-%m}", day) for day in days if f"{day:%Y-%m}" not in closed}
    named = {period for period, _ in found}
    found |= {(f"{day:%Y-%m}", None) for day in days if f"{day:%Y-%m}" not in named}
    rows = []
    for name, day in sorted(found, key=lambda page: (page[0], page[1] or date.min)):
        period, close = _bounds(live, name, closed.get(name))
        rows.append(
            {
                "period": name,
                "day": day,
                "starts": period.start,
                "ends": period.stop,
                "closed_at": close,
                "zone": calendar.zone,
                "currency": live.chargeback.currency,
            }
        )
    return pa.Table.from_pylist(rows, _PAGES)


def lines(live: LiveLines, con: duckdb.DuckDBPyConnection, params: _Params) -> pa.Table:
    """What is booked in a `period` for a `day`, as lines with the numbers of their entries.

    Of a closed period that is what was posted; of an open one what the facts say of its own days now, without a number,
    and what was posted. `closed` (true or false) says which the page was when the export began.
    """
    check_names(params, ("period", "day", "closed"))
    _see_all(con)
    period, day = _period(live, params, "period"), _day(params, "day")
    with _one_moment(con):
        is_closed = any(each.period == period.name for each in periods.closed(con))
        if params.get("closed", str(is_closed).lower()) != str(is_closed).lower():
            raise ReportError(f"period: {period.name} was closed while it was exported; export it again")
        own = not is_closed and period.first_day <= day <= period.last_day
        found = _posted(con, period, day, _BY_HAND if own else "true")
        if own:
            computed = live.of_range(con, day, day)
            count = computed.num_rows
            beside = {"period": pa.repeat(period.name, count), "entry": pa.nulls(count, pa.int64())}
            whole = pa.table({**beside, **{name: computed[name] for name in LINES.names}})
            found = pa.concat_tables([whole.cast(found.schema), found])
    return _with_origins(found, is_own=period.first_day <= day <= period.last_day)


def invoices(con: duckdb.DuckDBPyConnection, params: _Params) -> pa.Table:
    """The lines of statements that count for the days `from` to `to`, both within."""
    check_names(params, ("from", "to"))
    _see_all(con)
    days = {"first": _day(params, "from"), "last": _day(params, "to")}
    return con.sql(sql("focus_invoices").format(effective=EFFECTIVE), params=days).to_arrow_table()


def _contracts(
    live: LiveLines,
    contracts: Callable[[], tuple[Contract, ...]],
    con: duckdb.DuckDBPyConnection,
    params: _Params,
) -> pa.Table:
    """Commitments and provisioned units of the contracts, as rows of FOCUS Contract Commitment."""
    check_names(params, ())
    _see_all(con)
    now, _ = live.chargeback.calendar.bounds(live.today, live.today)
    return pa.Table.from_pylist([dict(row) for row in contract_commitments(contracts(), now)], COMMITMENT)


def _posted(con: duckdb.DuckDBPyConnection, period: Period, day: date, condition: str) -> pa.Table:
    text = sql("focus_posted").format(columns=", ".join(LINES.names), condition=condition)
    found = con.sql(text, params={"period": period.name, "day": day}).to_arrow_table()
    return found.cast(pa.schema([field for field in POSTED if field.name != "origin_amount"]))


def _with_origins(found: pa.Table, *, is_own: bool) -> pa.Table:
    """With what the shares of each cost add up to. Of another period's day there are only differences of shares."""
    rows = pl.DataFrame(found)
    # What leaves where it arose has no details.
    is_share = pl.col("rule").is_not_null() & pl.col("details").is_not_null() & pl.lit(is_own)
    amount = pl.when(is_share).then(pl.col("amount"))
    rows = rows.with_columns(origin_amount=pl.when(is_share).then(amount.sum().over(_ORIGIN)))
    return rows.select(POSTED.names).to_arrow().cast(POSTED)


def _bounds(live: LiveLines, name: str, closed: periods.Closed | None) -> tuple[Period, Any]:
    calendar = live.chargeback.calendar
    if closed is None:
        return calendar.period(name), None
    try:
        return periods.as_closed(closed, calendar), closed.closed_at
    except LedgerError as problem:
        raise ReportError(f"from: {problem}") from None


def _see_all(con: duckdb.DuckDBPyConnection) -> None:
    """Refuse a key that sees a part of the ledger: its cursor has a view of its own (`queries.reader`)."""
    found = con.execute("SELECT count(*) FROM duckdb_views() WHERE temporary AND view_name = 'ledger'")
    if found.fetchall() != [(0,)]:
        raise ReportError("an export is of the whole ledger: take a key with finance for every tenant")


def _period(live: LiveLines, params: _Params, name: str) -> Period:
    try:
        return live.chargeback.calendar.period(params.get(name, ""))
    except CalendarError as problem:
        raise ReportError(f"{name}: {problem}") from None


def _day(params: _Params, name: str) -> date:
    text = params.get(name, "")
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = date.min
    if not 1970 <= found.year <= 9000:
        raise ReportError(f'{name}: {text[:64]!r} is no day; write one such as "2026-10-31"')
    return found


@contextmanager
def _one_moment(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Read as of one moment, however many statements."""
    con.begin()
    try:
        yield
    finally:
        con.rollback()
