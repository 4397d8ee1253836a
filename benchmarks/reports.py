"""Ten million calls: three questions put to the calls themselves and to the rollups, and what that takes in memory.

The calls are made as columns and booked as the collector books them, in its batches, into a store in this process:
four weeks, twenty tenants with five workloads each, tasks of eighty calls. Both ways must give the same answer before
a time is printed; the best of several counts.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial

import duckdb
import pyarrow as pa
from many_calls import best_ms, place
from result import Figure, show
from spans import TENANTS, WORKLOADS

from analytics import registry
from analytics.reports import REPORTS
from collector.facts import rollups
from collector.facts.booker import MAX_UNFOLDED
from collector.facts.rows import pack
from collector.facts.store import Store
from collector.pricing import Quote
from switchgear.usage import Usage

CALLS, BATCH = 10_000_000, 16_384
CALLS_A_TASK = 80
BEGIN = datetime(2026, 10, 5, tzinfo=UTC)
WEEKS = 4
_TIME = pa.timestamp("us", "UTC")

# What the calls of a batch say: fifty tasks at a time, and a task chooses all but its calls' times, counts and costs.
_MADE = """
SELECT tenants[1 + task % 20] AS tenant, workloads[1 + task // 20 % 5] AS workload,
       tiers[1 + task // 20 % 3] AS tier, models[1 + task // 100 % 2] AS model, 'openai' AS provider,
       md5(task::VARCHAR) AS task_id, task_id AS root_task_id, task_id AS trace_id,
       printf('%016x', hash(number)) AS span_id, hash(number, 1) AS identity_hash,
       $begin + to_microseconds(number * $step_us) AS started_at, started_at + INTERVAL 2 SECONDS AS ended_at,
       200 + hash(number, 2) % 5800 AS input_uncached, hash(number, 3) % 4 * 1024 AS cache_read,
       0 AS cache_write_5m, 0 AS cache_write_1h, 20 + hash(number, 4) % 880 AS output, 0 AS reasoning,
       (input_uncached + output) * 0.0000025 AS cost, 'USD' AS currency, 'made 1' AS price_version,
       'complete' AS state, 3 AS reported, 1 AS attempts, 'otel-genai' AS dialect, 'made@1' AS scope, 'llm' AS kind,
       number AS seq, started_at AS booked_at
FROM (
    SELECT number, number // (50 * $calls_a_task) * 50 + number % 50 AS task FROM range($low, $high) AS t(number)
), (SELECT $tenants AS tenants, $workloads AS workloads, ['interactive', 'batch', 'background'] AS tiers,
           ['gpt-4o-mini-2024-07-18', 'gpt-4.1-2025-04-14'] AS models)
"""

WEEK = {"begin": BEGIN + timedelta(days=7), "end": BEGIN + timedelta(days=14)}
# The hour of a time. date_trunc takes eight times as long over 10 M calls.
_HOUR = "make_timestamptz(epoch_us(started_at) // 3600000000 * 3600000000)"
# The question, put to the calls and to the rollups.
QUESTIONS = {
    "tenant x hour": (
        f"SELECT tenant, {_HOUR} AS hour, count(*) AS calls, sum(cost) AS cost FROM calls GROUP BY ALL",  # noqa: S608
        "SELECT tenant, hour, sum(calls) AS calls, sum(cost) AS cost FROM rollup_hours GROUP BY ALL",
    ),
    "top 20 tasks": (
        "SELECT tenant, task_id, count(*) AS calls, sum(cost) AS cost FROM calls GROUP BY ALL"
        " ORDER BY cost DESC, task_id LIMIT 20",
        "SELECT tenant, task_id, calls, cost FROM rollup_tasks ORDER BY cost DESC, task_id LIMIT 20",
    ),
    "one owner's week": (
        f"SELECT workload, date_trunc('day', {_HOUR}) AS day, count(*) AS calls, sum(cost) AS cost FROM calls"  # noqa: S608
        " WHERE owner = 'owner-3' AND started_at >= $begin AND started_at < $end GROUP BY ALL",
        "SELECT workload, date_trunc('day', hour) AS day, sum(calls) AS calls, sum(cost) AS cost FROM rollup_hours"
        " WHERE owner = 'owner-3' AND hour >= $begin AND hour < $end GROUP BY ALL",
    ),
}


def main() -> None:
    """Fill a store, ask it, and print a line a figure."""
    with place(__doc__, "reports", CALLS) as (folder, calls), closing(Store(folder)) as store:
        show(f"{calls:,} calls", _figures(store, calls))


def _figures(store: Store, calls: int) -> Iterator[Figure]:
    yield from filled(store, calls)
    con = store.cursor()
    yield Figure("rows by hour", _count(con, "rollup_hours"), "rows")
    yield Figure("tasks", _count(con, "rollup_tasks"), "rows")
    for name, (scanned, rolled) in QUESTIONS.items():
        assert _rows(con, scanned) == _rows(con, rolled), name
        yield Figure(f"{name}, scanned", best_ms(partial(_ask, con, scanned)), "ms", "at most 200")
        yield Figure(f"{name}, from the rollups", best_ms(partial(_ask, con, rolled)), "ms", "at most 10")
    for name, params in _reports().items():
        report = REPORTS[name.split()[0]]
        yield Figure(f"report: {name}", best_ms(partial(report, con, params)), "ms")
    begun = time.perf_counter()
    assert rollups.check(con) == []
    yield Figure("rollups compared with every call", time.perf_counter() - begun, "s")
    yield Figure(
        "memory at most", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MiB", "at most 1,024"
    )


def filled(store: Store, calls: int) -> Iterator[Figure]:
    """Book that many calls, with owners; what it took."""
    pairs = [(tenant, workload) for tenant in TENANTS for workload in WORKLOADS]
    owned = [
        {
            "tenant": tenant,
            "workload": workload,
            "owner": f"owner-{place % 10}",
            "cost_centre": f"cc-{place % 4}",
        }
        for place, (tenant, workload) in enumerate(pairs)
    ]
    with store.transaction() as con:
        registry.replace(con, {"workloads": owned})
    booking_s = fold_s = 0.0
    for facts in _facts(calls):
        begun = time.perf_counter()
        store.book(facts, _no_price)
        booking_s += time.perf_counter() - begun
        if store.unfolded > MAX_UNFOLDED:
            begun = time.perf_counter()
            store.fold()
            fold_s += time.perf_counter() - begun
    store.fold()
    store.checkpoint()
    yield Figure("booked", calls / booking_s, "calls/s")
    yield Figure("of that time again, to fold the rollups", 100 * fold_s / booking_s, "%")


def _facts(calls: int) -> Iterator[pa.Table]:
    """The calls in batches, as the journal hands them to the booker."""
    schema = pack([]).facts.schema.append(pa.field("seq", pa.int64())).append(pa.field("booked_at", _TIME))
    with duckdb.connect(":memory:", config={"threads": "1"}) as con:
        con.execute("SET TimeZone = 'UTC'")
        for low in range(1, calls + 1, BATCH):
            made = con.sql(
                _MADE,
                params={
                    "low": low,
                    "high": min(low + BATCH, calls + 1),
                    "begin": BEGIN,
                    "step_us": WEEKS * 7 * 86_400_000_000 // calls,
                    "calls_a_task": CALLS_A_TASK,
                    "tenants": list(TENANTS),
                    "workloads": list(WORKLOADS),
                },
            ).to_arrow_table()
            columns = {
                field.name: made[field.name].cast(field.type)
                if field.name in made.column_names
                else pa.nulls(made.num_rows, field.type)
                for field in schema
            }
            yield pa.table(columns)


def _reports() -> dict[str, dict[str, str]]:
    """The same questions and some more, as named reports."""
    whole = {
        "from": f"{BEGIN:%Y-%m-%dT%H:%M:%SZ}",
        "to": f"{BEGIN + timedelta(weeks=WEEKS):%Y-%m-%dT%H:%M:%SZ}",
    }
    week = {"from": f"{WEEK['begin']:%Y-%m-%dT%H:%M:%SZ}", "to": f"{WEEK['end']:%Y-%m-%dT%H:%M:%SZ}"}
    odd = {"from": f"{WEEK['begin']:%Y-%m-%dT%H:07:00Z}", "to": f"{WEEK['end']:%Y-%m-%dT%H:53:00Z}"}
    return {
        "spend by tenant and hour": {**whole, "by": "tenant,hour"},
        "spend by owner": {**whole, "by": "owner"},
        "spend of one owner's week by workload and day": {**week, "owner": "owner-3", "by": "workload,day"},
        "spend of a week by workload, not in whole hours": {**odd, "by": "workload"},
        "tasks of all time": whole,
        "tasks of a week": week,
        "coverage": whole,
    }


def _ask(con: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    return con.sql(sql, params=WEEK if "$begin" in sql else None).to_arrow_table()


def _rows(con: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[object, ...]]:
    return sorted(tuple(row.values()) for row in _ask(con, sql).to_pylist())


def _count(con: duckdb.DuckDBPyConnection, name: str) -> int:
    return len(con.sql(f"SELECT 1 FROM {name}").to_arrow_table())  # noqa: S608 - our own names


def _no_price(provider: str | None, model: str | None, usage: Usage, at: datetime, *_: object) -> Quote:
    raise AssertionError("the calls bring their prices along")


if __name__ == "__main__":
    main()
