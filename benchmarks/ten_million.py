"""Ten million calls in one store: whether it still takes them in as fast, what it holds, and how fast it answers.

All spans are billable and their times spread over four weeks, in order, as they would have come. Queries go over HTTP
as anyone's would, best of several.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyarrow as pa
from load import Request, send
from result import Figure, booked_exactly
from server import Collector
from spans import ALL_BILLABLE, TENANTS, WORKLOADS

__all__ = ["measure"]

MILLION = 1_000_000
FOUR_WEEKS_NS = 28 * 24 * 3600 * 1_000_000_000
ROUNDS = 5
# Each question, asked of the calls and of their sums.
QUERIES = {
    "tenant x hour": (
        """SELECT tenant, date_trunc('hour', started_at) AS "hour", count(*) AS calls, sum(cost) AS cost
           FROM calls GROUP BY ALL ORDER BY ALL""",
        """SELECT tenant, "hour", sum(calls) AS calls, sum(cost) AS cost FROM rollup_hours GROUP BY ALL ORDER BY ALL""",
    ),
    "top 20 tasks": (
        """SELECT tenant, workload, task_id, sum(cost) AS cost FROM calls
           GROUP BY ALL ORDER BY cost DESC, task_id LIMIT 20""",
        """SELECT tenant, workload, task_id, cost FROM rollup_tasks ORDER BY cost DESC, task_id LIMIT 20""",
    ),
    "one owner's week": (
        """SELECT workload, date_trunc('day', started_at) AS day, count(*) AS calls, sum(cost) AS cost FROM calls
           WHERE owner = 'owner-3' AND started_at >= $begin AND started_at < $begin + INTERVAL 7 DAY
           GROUP BY ALL ORDER BY ALL""",
        """SELECT workload, date_trunc('day', "hour") AS day, sum(calls) AS calls, sum(cost) AS cost FROM rollup_hours
           WHERE owner = 'owner-3' AND "hour" >= $begin AND "hour" < $begin + INTERVAL 7 DAY
           GROUP BY ALL ORDER BY ALL""",
    ),
}


def measure(data: Path, *, connections: int, calls: int = 10 * MILLION) -> Iterator[Figure]:
    """Fill the store in `data`, query it, stop and start the collector."""
    request = Request(ALL_BILLABLE)
    requests = -(-calls // request.calls)
    collector = Collector(data)
    try:
        collector.wait_ready()
        _register(collector)
        begin_ns = time.time_ns() - FOUR_WEEKS_NS
        step_ns = FOUR_WEEKS_NS // requests
        sent = send(
            collector.traces,
            request,
            connections=connections,
            requests=requests,
            started_ns=lambda number: begin_ns + number * step_ns,
        )
        lag = booked_exactly(collector, request, requests)
        a_million = MILLION // request.calls
        first = sent.rate(0, a_million) * request.calls
        last = sent.rate(requests - a_million, requests) * request.calls
        yield Figure("acknowledged, first million", first, "calls/s")
        yield Figure("acknowledged, last million", last, "calls/s")
        yield Figure("last million, of the first's rate", 100 * last / first, "%", "at least 90")
        yield Figure(
            "acknowledged, all", requests * request.calls / sent.seconds, "calls/s", "at least 15,000"
        )
        yield Figure("time to acknowledge, p99", sent.quantile_ms(0.99), "ms", "at most 100")
        yield Figure("from the last of these until all can be queried", lag, "s")
        now, peak = collector.memory_mib()
        yield Figure("collector: memory at the end", now, "MiB", "at most 1,024")
        yield Figure("collector: memory at most", peak, "MiB", "at most 1,024")
        yield from _queries(collector, begin_ns)
        yield Figure("collector: memory after the queries", collector.memory_mib()[0], "MiB", "at most 1,024")
        yield Figure("disk", sum(each.stat().st_size for each in data.rglob("*")) / 2**20, "MiB")
        yield Figure("stopped after", collector.stop(), "s")
    finally:
        collector.kill()
    yield from _start(data, "started again, ready after")
    yield from _start(data, "the same after kill -9")


def _start(data: Path, name: str) -> Iterator[Figure]:
    collector = Collector(data)
    try:
        yield Figure(name, collector.wait_ready(), "s", "at most 5")
    finally:
        collector.kill()


def _register(collector: Collector) -> None:
    """Every workload has an owner: ten of them, with ten workloads each."""
    pairs = [(tenant, workload) for tenant in TENANTS for workload in WORKLOADS]
    lines = [
        {
            "tenant": tenant,
            "workload": workload,
            "owner": f"owner-{place % 10}",
            "cost_centre": f"cc-{place % 4}",
        }
        for place, (tenant, workload) in enumerate(pairs)
    ]
    collector.http.put("/v1/registry", json={"workloads": lines, "plans": []}).raise_for_status()


def _queries(collector: Collector, begin_ns: int) -> Iterator[Figure]:
    """The best time of each question, over HTTP as Arrow; the calls and their sums must give one answer.

    One that is refused, since it took longer than a query may, is infinitely long.
    """
    begin = time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(begin_ns / 1e9 + 7 * 86_400))
    for name, (scanned, rolled) in QUERIES.items():
        answers = []
        for way, sql, wanted in (("scanned", scanned, "at most 200"), ("from rollups", rolled, "at most 10")):
            asked = {"sql": sql.replace("$begin", f"TIMESTAMPTZ '{begin}'"), "format": "arrow"}
            best = float("inf")
            for _ in range(ROUNDS):
                begun = time.perf_counter()
                answer = collector.http.post("/v1/query", json=asked)
                if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
                    print(f"  {name}, {way}: {answer.text}", file=sys.stderr)
                    break
                assert answer.status_code == httpx.codes.OK, answer.text
                best = min(best, time.perf_counter() - begun)
            if best < float("inf"):
                answers.append(pa.ipc.open_stream(answer.content).read_all().to_pylist())
            yield Figure(f"{name}, {way}, as a user's SQL", best * 1000, "ms", wanted)
        assert len(answers) < 2 or answers[0] == answers[1], f"{name}: calls and rollups differ"
