"""Usage: the lines of the calls of some days, and of what rerates have made of them.

A call is known by the amount that was booked, split by meter (`meters`). Of calls whose details were deleted there are
sums by hour: their lines are `unsplit`, and stand on the day in which the hour begins.

Nothing depends on the order in which calls came, were stored or are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from switchgear.usage import COUNTS as TOKENS

from ..prices import PriceBook
from ..queries import sql
from .line import AMOUNTS, COUNTS, KEYS, LINES, MEASURES, MONEY, Kind
from .meters import UNSPLIT, split

if TYPE_CHECKING:
    import duckdb

__all__ = ["CALLS_AT_ONCE", "Day", "combined", "is_beside", "of_days"]

CALLS_AT_ONCE = 65_536
"""So many are in memory at a time; to go through fewer takes hardly less time."""
_UNITS = pa.decimal128(38, 0)
_NEWLY_PRICED = (
    "(tenant, trace_id, span_id) IN (SELECT (tenant, trace_id, span_id) FROM adjustments"
    " WHERE applies AND started_at >= $start AND started_at < $stop)"
)


@dataclass(frozen=True, slots=True)
class Day:
    """A day with its instants: those from `start` to before `stop`."""

    day: date
    start: datetime
    stop: datetime


def of_days(con: duckdb.DuckDBPyConnection, days: Sequence[Day], book: PriceBook) -> list[pa.Table]:
    """The lines of the calls of each of these days, which follow one after the other."""
    span = {"start": days[0].start, "stop": days[-1].stop}
    found = [_lines(calls, days, book) for calls in _read(con, span)]
    found.append(_deleted(con, days, span))
    whole = _table(_added(pl.concat(found)))
    # Lines in the order of keys are in that of days.
    last = pl.Series([each.day for each in days], dtype=pl.Date)
    ends = pl.Series(whole["day"]).search_sorted(last, side="right").to_list()
    return [whole.slice(first, end - first) for first, end in zip([0, *ends], ends, strict=False)]


def is_beside(con: duckdb.DuckDBPyConnection, start: datetime, stop: datetime) -> bool:
    """Whether a time may have lines where it has no calls: of those that were deleted, and of rerates."""
    ((found,),) = con.execute(sql("ledger_beside"), {"start": start, "stop": stop}).fetchall()
    return bool(found)


def combined(lines: pa.Table) -> pa.Table:
    """One line for each key, in the order of keys: what the lines with that key add up to.

    What is not known adds nothing to what is; where nothing of a measure is known, its sum is NULL.
    """
    return _table(_added(pl.DataFrame(lines).with_columns(pl.col(*MEASURES).to_physical())))


def _read(con: duckdb.DuckDBPyConnection, span: Mapping[str, Any]) -> Iterator[pl.DataFrame]:
    newly_priced = "false"
    ((is_rerated,),) = con.execute(sql("ledger_rerated"), span).fetchall()
    if is_rerated:
        newly_priced = _NEWLY_PRICED
        yield from _batches(con, sql("ledger_rerates"), span)
    yield from _batches(con, sql("ledger_calls").format(newly_priced=newly_priced), span)


def _batches(
    con: duckdb.DuckDBPyConnection, statement: str, params: Mapping[str, Any]
) -> Iterator[pl.DataFrame]:
    for batch in con.sql(statement, params=params).to_arrow_reader(CALLS_AT_ONCE):
        yield pl.DataFrame(pa.Table.from_batches([batch]))


def _on_days(rows: pl.DataFrame, days: Sequence[Day]) -> pl.DataFrame:
    """With the day in which each began."""
    starts = pl.Series([each.start for each in days], dtype=pl.Datetime("us", "UTC")).to_physical()
    began = rows["started_at"].cast(pl.Datetime("us", "UTC")).to_physical()
    places = starts.search_sorted(began, side="right") - 1
    return rows.with_columns(pl.Series("day", [each.day for each in days], dtype=pl.Date).gather(places))


def _lines(calls: pl.DataFrame, days: Sequence[Day], book: PriceBook) -> pl.DataFrame:
    """The lines of some calls."""
    calls = _on_days(calls, days).with_columns(pl.col("cost", "list_cost").to_physical())
    # What is left of a unit is the first attempt's.
    first = pl.col("cost").abs() // pl.max_horizontal(pl.col("attempts"), 1)
    rest = pl.col("cost").abs() - first
    rows = split(calls, book).with_columns(
        amount=pl.col("cost"),
        list_amount=pl.col("list_cost"),
        retry_amount=pl.when(pl.col("cost") < 0).then(0 - rest).otherwise(rest),
        details=pl.lit(None, pl.String),
        rule=pl.lit(None, pl.String),
    )
    return _added(
        rows.with_columns(pl.col(name).fill_null(0) * pl.col("calls") for name in ("attempts", *TOKENS))
    )


def _deleted(con: duckdb.DuckDBPyConnection, days: Sequence[Day], span: Mapping[str, Any]) -> pl.DataFrame:
    """The lines of hours whose calls were deleted: what was at list price, and what attempts cost, is not known."""
    found = con.sql(sql("ledger_hours"), params=dict(span)).to_arrow_table()
    known = pl.col("cost").is_not_null()
    rows = _on_days(pl.DataFrame(found), days).with_columns(pl.col("cost").to_physical())
    return _added(
        rows.with_columns(
            *(pl.when(known).then(pl.lit(0, pl.Int128)).alias(name) for name in AMOUNTS[:-1]),
            *(pl.lit(None, pl.Int128).alias(name) for name in MEASURES if name not in AMOUNTS),
            *(
                pl.lit(None, pl.String).alias(name)
                for name in KEYS
                if name not in (*found.column_names, "day")
            ),
        ).with_columns(
            pl.col("cost").alias(AMOUNTS[-1]),
            amount=pl.col("cost"),
            kind=pl.lit(Kind.USAGE.value),
            item=pl.when(known).then(pl.lit(UNSPLIT)),
        )
    )


def _added(rows: pl.DataFrame) -> pl.DataFrame:
    """One row for each key that there is, with the sums of its measures."""
    keys = [name for name in KEYS if name in rows.columns]
    sums = [
        pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum()).alias(name) for name in MEASURES
    ]
    return rows.group_by(keys).agg(pl.col(*COUNTS).cast(pl.Int64).sum(), *sums)


def _table(rows: pl.DataFrame) -> pa.Table:
    """Rows with amounts in 1e-12 as lines, in the order of keys."""
    rows = rows.sort(KEYS, nulls_last=False)
    table = rows.with_columns(pl.col(*MEASURES).cast(pl.Decimal(38, 0))).to_arrow()
    columns = [
        _money(table[field.name]) if field.type == MONEY else table[field.name].cast(field.type)
        for field in LINES
    ]
    return pa.Table.from_arrays(columns, schema=LINES)


def _money(units: pa.ChunkedArray) -> pa.Array:
    """Whole numbers, read as what they are: units of 1e-12."""
    whole = units.cast(_UNITS).combine_chunks()
    return pa.Array.from_buffers(MONEY, len(whole), whole.buffers(), offset=whole.offset)
