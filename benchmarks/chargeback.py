"""What questions over ten million calls take: from the calls, from their sums, and as lines of the ledger.

The store is that of benchmarks/reports.py. Every figure is checked before it is printed: both ways to a figure give the
same rows, and lines add up to the calls to the last place. Lines are added up by polars and by DuckDB, side by side.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from focus import figures
from many_calls import best_ms, place
from reports import CALLS, QUESTIONS, WEEK, filled
from result import Figure, show

from analytics.ledger.line import COUNTS, MEASURES
from analytics.ledger.live import LiveLines
from analytics.ledger.reports import reports
from analytics.ledger.settings import load
from analytics.live import Followed, LivePrices
from analytics.reports import REPORTS
from analytics.reviews.assembling import assembled
from analytics.reviews.document import encoded
from analytics.reviews.files import KINDS, made
from analytics.reviews.gathering import Week, gathered
from collector.facts.store import Store

QUICK = 1_000_000
MONTH = {"period": "2026-10"}
FIRST, LAST = date(2026, 10, 1), date(2026, 10, 31)
BY = "tenant,workload,owner,cost_centre,model"
_KEYS = BY.split(",")
TODAY = datetime(2026, 12, 1, tzinfo=UTC)

Part = Callable[[Store], Iterator[Figure]]


def main() -> None:
    """Fill a store, ask it, and print a line a figure."""
    if "--quick" in sys.argv:
        sys.argv[sys.argv.index("--quick") :] = ["--calls", str(QUICK)]
    with place(__doc__, "analytics", CALLS) as (folder, calls), closing(Store(folder)) as store:
        for _ in filled(store, calls):
            pass
        show(f"{calls:,} calls on {os.cpu_count()} cores", _figures(store))


def _figures(store: Store) -> Iterator[Figure]:
    for part in PARTS:
        yield from part(store)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield Figure("memory at most", most, "MiB", "at most 1,024")


def scans(store: Store) -> Iterator[Figure]:
    """The questions of the design, put to the calls and to the rollups."""
    con = store.cursor()
    for name, ways in QUESTIONS.items():
        scanned, rolled = (partial(_asked, con, sql) for sql in ways)
        assert _sorted(scanned()) == _sorted(rolled()), name
        yield Figure(f"{name}, scanned", best_ms(scanned), "ms", "at most 200")
        yield Figure(f"{name}, from the rollups", best_ms(rolled), "ms", "at most 10")


def lines(store: Store) -> Iterator[Figure]:
    """A month's lines, computed and kept, and the report made of them."""
    con, live = store.cursor(), _live()
    begun = time.perf_counter()
    month = live.of_range(con, FIRST, LAST)
    took = time.perf_counter() - begun
    start, stop = live.chargeback.calendar.bounds(FIRST, LAST)
    whole = (
        "SELECT count(*), sum(cost)::DECIMAL(38, 12) FROM calls WHERE started_at >= $1 AND started_at < $2"
    )
    ((calls, cost),) = con.execute(whole, [start, stop]).fetchall()
    assert (pc.sum(month["calls"]).as_py(), pc.sum(month["amount"]).as_py()) == (calls, cost)
    yield Figure("lines of a month: calls", calls, "calls")
    yield Figure("lines of a month: lines", month.num_rows, "lines")
    yield Figure("lines of a month, computed", took, "s", "3 a third of a million")
    yield Figure("lines of a month, computed", calls / took, "calls/s")
    yield Figure(
        "lines of a month, unchanged", best_ms(partial(live.of_range, con, FIRST, LAST)), "ms", "at most 300"
    )
    fresh = reports(_live())["costs"]
    begun = time.perf_counter()
    rows = fresh(con, {**MONTH, "by": BY})
    yield Figure("costs by five dimensions, computed", 1000 * (time.perf_counter() - begun), "ms")
    assert pc.sum(rows["cost"]).as_py() == cost
    yield Figure(
        "costs by five dimensions, unchanged", best_ms(partial(fresh, con, {**MONTH, "by": BY})), "ms"
    )
    yield from _side_by_side(month, cost)


def _side_by_side(month: pa.Table, cost: Decimal) -> Iterator[Figure]:
    """The same sums of the same lines, by polars and by DuckDB."""
    frame = pl.DataFrame(month)
    measured = ", ".join(f"sum({name}) AS {name}" for name in (*COUNTS, *MEASURES))
    sql = f"SELECT {BY}, {measured} FROM month_lines GROUP BY ALL"  # noqa: S608 - our own names

    def by_polars() -> pl.DataFrame:
        return frame.group_by(_KEYS).agg(pl.col(*COUNTS, *MEASURES).sum())

    with duckdb.connect(":memory:", config={"threads": "2"}) as con:
        # As in the store, where it adds up wrongly otherwise.
        con.execute("SET disabled_optimizers = 'statistics_propagation'")
        con.register("month_lines", month)

        def by_duckdb() -> pa.Table:
            return con.sql(sql).to_arrow_table()

        assert by_polars()["amount"].sum() == pc.sum(by_duckdb()["amount"]).as_py() == cost
        yield Figure("lines added up by five dimensions, polars", best_ms(by_polars), "ms")
        yield Figure("lines added up by five dimensions, DuckDB", best_ms(by_duckdb), "ms")


def focus(store: Store) -> Iterator[Figure]:
    """A month's lines as rows of FOCUS, as many as of years."""
    yield from figures(_live().of_range(store.cursor(), FIRST, LAST))


def review(store: Store) -> Iterator[Figure]:
    """A week's review: the document, and its six files."""
    live, begun = _live(), time.perf_counter()
    week = Week.of(f"{FIRST:%G-W%V}", live.chargeback.calendar)
    every = {**REPORTS, **reports(live)}
    found = gathered(store.cursor(), week, live, every, now=week.stop, watermark=week.stop, since=None)
    document = encoded(assembled(found))
    gathered_s = time.perf_counter() - begun
    assert set(made(document)) == set(KINDS)
    yield Figure("a week's review, the document", gathered_s, "s")
    yield Figure(
        "a week's review with its files", time.perf_counter() - begun, "s", "at most 20 at 1 M calls"
    )


PARTS: tuple[Part, ...] = (scans, lines, focus, review)
"""What is measured, in order: add a function of the filled store that yields its figures."""


def _live() -> LiveLines:
    return LiveLines(LivePrices(), Followed("chargeback", None, load), lambda: TODAY)


def _asked(con: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    return con.sql(sql, params=WEEK if "$begin" in sql else None).to_arrow_table()


def _sorted(rows: pa.Table) -> list[tuple[object, ...]]:
    return sorted(tuple(row.values()) for row in rows.to_pylist())


if __name__ == "__main__":
    main()
