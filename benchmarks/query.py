"""What a query costs through the sandbox, for a key of every tenant and for one of a single tenant.

A collector as a user starts it, filled over HTTP with calls of four weeks and asked over HTTP; best of several. What
the single tenant is told must be what the other key is told of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from load import Request, send
from many_calls import best_ms, place
from result import Figure, booked_exactly, show
from server import Collector
from spans import ALL_BILLABLE, TENANTS

from collector.keys.keyring import FILE_NAME, Keyring

CALLS = 1_000_000
FOUR_WEEKS_S = 28 * 24 * 3600
PAUSE_S = 0.05
SMALL = "at most 30"
# What is asked, and what is wanted of it. {trace} is one trace's id; {day} is where one day's calls are.
QUESTIONS = {
    "SELECT 1": ("SELECT 1 AS tenant", SMALL),
    "one trace of a day, all columns": ("SELECT * FROM calls WHERE trace_id = '{trace}' AND {day}", SMALL),
    "one day by workload": (
        "SELECT tenant, workload, count(*), sum(cost) FROM calls WHERE {day} GROUP BY ALL",
        "",
    ),
    "100 calls, all columns": ("SELECT * FROM calls LIMIT 100", ""),
    "the last 100 of a day, all columns": (
        "SELECT * FROM calls WHERE {day} ORDER BY started_at DESC LIMIT 100",
        "",
    ),
    "count": ("SELECT tenant, count(*) FROM calls GROUP BY ALL", ""),
    "sum of cost": ("SELECT tenant, sum(cost) FROM calls GROUP BY ALL", ""),
    "tenant x hour, from the calls": (
        "SELECT tenant, date_trunc('hour', started_at) AS at, count(*), sum(cost) FROM calls GROUP BY ALL",
        "",
    ),
    "tenant x hour, from the sums": (
        'SELECT tenant, "hour" AS at, sum(calls), sum(cost) FROM rollup_hours GROUP BY ALL',
        "",
    ),
}


def main() -> None:
    """Fill a collector, ask it, and print a line a figure."""
    with place(__doc__, "query", CALLS) as (folder, calls):
        collector = Collector(folder / "data")
        try:
            show(f"queries over {calls:,} calls", _measure(collector, folder / "data", calls))
        finally:
            collector.kill()


def _measure(collector: Collector, data: Path, calls: int) -> Iterator[Figure]:
    collector.wait_ready()
    begin_s = time.time() - FOUR_WEEKS_S
    _fill(collector, calls, begin_s)
    before = collector.memory_mib()[0]
    places = _places(collector, begin_s)
    every, one = _clients(collector, data)
    for name, (sql, wanted) in QUESTIONS.items():
        asked = sql.format(**places)
        all_rows, best = _best(every, asked)
        yield Figure(f"{name}: every tenant", best, "ms", wanted)
        own_rows, best = _best(one, asked)
        yield Figure(f"{name}: one of {len(TENANTS)}", best, "ms", wanted)
        if "LIMIT" not in asked and "FROM" in asked:
            assert sorted(map(str, own_rows)) == sorted(
                str(row) for row in all_rows if row[0] == TENANTS[0]
            ), name
    now, peak = collector.memory_mib()
    yield Figure("collector: memory before the queries", before, "MiB")
    yield Figure("collector: memory after them", now, "MiB")
    yield Figure("collector: memory at most", peak, "MiB")


def _fill(collector: Collector, calls: int, begin_s: float) -> None:
    request = Request(ALL_BILLABLE)
    requests = -(-calls // request.calls)
    step_ns = FOUR_WEEKS_S * 1_000_000_000 // requests
    begin_ns = int(begin_s * 1e9)
    send(
        collector.traces,
        request,
        connections=4,
        requests=requests,
        started_ns=lambda number: begin_ns + number * step_ns,
    )
    booked_exactly(collector, request, requests)


def _places(collector: Collector, begin_s: float) -> dict[str, str]:
    """A day in the middle, and a trace of it."""
    first, last = (f"'{datetime.fromtimestamp(begin_s + day * 86_400, UTC).isoformat()}'" for day in (14, 15))
    day = f"started_at >= {first} AND started_at < {last}"
    ((trace,),) = collector.rows(
        f"SELECT min(trace_id) FROM calls WHERE {day} AND tenant = '{TENANTS[0]}'"  # noqa: S608 - our own words
    )
    return {"day": day, "trace": trace}


def _clients(collector: Collector, data: Path) -> tuple[httpx.Client, httpx.Client]:
    """One with a key of every tenant and one with a key of the first, once the collector takes no other."""
    keyring, now = Keyring(data / FILE_NAME), datetime.now(UTC)
    secrets = [keyring.create([tenant], ["read"], now=now)[1] for tenant in ("*", TENANTS[0])]
    while collector.http.get("/metrics").status_code == httpx.codes.OK:
        time.sleep(0.05)
    every, one = (
        httpx.Client(
            base_url=collector.url, headers={"Authorization": f"Bearer {secret}"}, timeout=30, trust_env=False
        )
        for secret in secrets
    )
    return every, one


def _best(client: httpx.Client, sql: str) -> tuple[list[list[Any]], float]:
    """The rows of the answer, and the shortest time that it took, in milliseconds."""
    answers: list[httpx.Response] = []
    # The process makes itself a fresh database after each answer; back to back, a query would wait for it.
    best = best_ms(lambda: answers.append(client.post("/v1/query", json={"sql": sql})), pause_s=PAUSE_S)
    for answer in answers:
        assert answer.status_code == httpx.codes.OK, f"{sql}: {answer.text}"
    rows: list[list[Any]] = answers[-1].json()["rows"]
    return rows, best


if __name__ == "__main__":
    main()
