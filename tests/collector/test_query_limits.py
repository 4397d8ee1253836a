"""What a query costs at most, in time and memory, and that nobody else pays for it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import memory
import pytest
from otlp_samples import WORKERS
from waiting import until

from analytics import registry
from collector.errors import BusyError, QueryError
from collector.facts.store import Store
from collector.keys.key import Key
from collector.queries.query import AT_ONCE_OF_A_KEY, WAITING_OF_A_KEY, Limits, Queries, Question
from collector.queries.reader import Reader
from collector.queries.sandbox.workers import Worker, Workers

ENDLESS = "SELECT count(*) FROM range(1000000000) a, range(1000000) b WHERE a.range % 7 = b.range % 11"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux shows them")
STEPS = range(1, 40)
WITHIN_S = 0.6
REGISTERED = 50
# SQL that the planner or a single step never comes back from, or that takes all memory: no interrupt would end it.
BLOW_UPS = {
    "endless": ENDLESS,
    "chained joins": f"WITH a0 AS (FROM calls), {', '.join(f'a{n} AS (FROM a{n - 1} x, a{n - 1} y)' for n in STEPS)} "
    "FROM a39",
    "nested stars": f"SELECT * FROM {'(SELECT *, * FROM ' * 22}calls{')' * 22}",
    "doubling aliases": f"SELECT 'x' AS a0, {', '.join(f'a{n - 1} || a{n - 1} AS a{n}' for n in STEPS)}",
    "300 tables": f"SELECT count(*) FROM {', '.join(f'calls c{n}' for n in range(300))}",
    "a long text": "SELECT length(repeat('x', 3000000000))",
    "a long list": "SELECT list_resize([1], 2000000000)",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with closing(Store(tmp_path_factory.mktemp("store"))) as opened:
        lines = [{"tenant": f"t{number}", "workload": "w"} for number in range(REGISTERED)]
        with opened.transaction() as con:
            registry.replace(con, {"workloads": lines})
        yield opened


@pytest.fixture(scope="module")
def reader(store: Store) -> Iterator[Reader]:
    with closing(Reader(store)) as opened:
        yield opened


@pytest.fixture
def workers() -> Iterator[Workers]:
    """Processes of this test's own, for it to look at."""
    with closing(Workers()) as opened:
        yield opened


def key(name: str) -> Key:
    return Key(name, ("*",), frozenset({"read"}))


async def rows(queries: Queries, sql: str, by: str = "someone") -> list[list[Any]]:
    found: list[list[Any]] = json.loads(await queries.answer(Question(sql, [], "json", None), key(by)))[
        "rows"
    ]
    return found


@pytest.fixture(scope="module")
def endings(reader: Reader) -> Mapping[str, Any]:
    """How each of them ends, all asked at once; and what that took of this process's memory."""

    async def all_of_them(queries: Queries) -> list[Any]:
        asked = [rows(queries, sql, by=name) for name, sql in BLOW_UPS.items()]
        return await asyncio.gather(*asked, return_exceptions=True)

    with closing(Queries(reader, WORKERS, Limits(within_s=WITHIN_S))) as queries, memory.peak() as taken:
        ended = asyncio.run(all_of_them(queries))
        assert taken() < 64 * 1024**2
    return dict(zip(BLOW_UPS, ended, strict=True))


@pytest.mark.parametrize("name", BLOW_UPS)
def test_what_takes_too_much_ends_and_says_so(endings: Mapping[str, Any], name: str) -> None:
    assert type(endings[name]) is QueryError
    assert "in time, which is 0.6 s" in str(endings[name]) or "more memory than" in str(endings[name])


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT * FROM range(100001)", "more than 100000 rows"),
        ("SELECT repeat('x', 1000000) FROM range(100)", "more than 67108864 bytes"),
        ("SELECT nothing FROM calls", 'Referenced column "nothing" not found'),
        ("SELECT x::INT FROM (VALUES ('a')) AS t(x)", "Could not convert"),
        ("SELECT TIMESTAMP 'infinity' AS late", "late: "),
    ],
)
async def test_a_query_without_an_answer_costs_no_process(reader: Reader, sql: str, says: str) -> None:
    with closing(Queries(reader, WORKERS)) as queries:
        assert await rows(queries, "SELECT 1") == [[1]]
        before = WORKERS.pids
        with pytest.raises(QueryError, match=says):
            await rows(queries, sql)
        assert await rows(queries, "SELECT 2") == [[2]]
        assert WORKERS.pids == before


@pytest.mark.parametrize(("most", "fits"), [(REGISTERED, True), (REGISTERED - 1, False)])
async def test_a_query_reads_so_many_rows_and_no_more(reader: Reader, most: int, *, fits: bool) -> None:
    with closing(Queries(reader, WORKERS, Limits(input_rows=most))) as queries:
        if fits:
            assert await rows(queries, "SELECT count(*) FROM registry") == [[REGISTERED]]
        else:
            with pytest.raises(QueryError, match=f"reads more than {most} rows"):
                await rows(queries, "SELECT count(*) FROM registry")
        # A filter that the store can apply leaves rows out before they count.
        assert await rows(queries, "SELECT count(*) FROM registry WHERE tenant = 't7'") == [[1]]


async def test_whoever_asks_for_much_leaves_room_for_others(reader: Reader) -> None:
    with closing(Queries(reader, WORKERS, Limits(within_s=60))) as queries:
        greedy = [asyncio.create_task(rows(queries, ENDLESS, by="greedy")) for _ in range(5)]
        await asyncio.sleep(0)
        assert await rows(queries, "SELECT 1", by="modest") == [[1]]
        assert not any(task.done() for task in greedy)
    ended = await asyncio.gather(*greedy, return_exceptions=True)
    # Those that ran were ended with the service, which waits for none of them; the others never began.
    assert [type(each) for each in ended] == [BusyError] * 2 + [asyncio.CancelledError] * 3


async def test_a_key_can_ask_so_many_at_once_and_no_more(reader: Reader) -> None:
    with closing(Queries(reader, WORKERS, Limits(within_s=60))) as queries:
        most = AT_ONCE_OF_A_KEY + WAITING_OF_A_KEY
        asked = [asyncio.create_task(rows(queries, ENDLESS)) for _ in range(most)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match=f"{most} queries of this key are under way"):
            await rows(queries, "SELECT 1")
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        assert await rows(queries, "SELECT 1") == [[1]]


class Watched(Workers):
    """Says when a process was lent."""

    def __init__(self) -> None:
        super().__init__()
        self.has_lent = threading.Event()

    @contextmanager
    def lend(self) -> Iterator[Worker]:
        with super().lend() as worker:
            self.has_lent.set()
            yield worker


@LINUX
async def test_a_query_that_nobody_waits_for_any_more_is_ended(reader: Reader) -> None:
    with closing(Watched()) as workers, closing(Queries(reader, workers, Limits(within_s=60))) as queries:
        asked = asyncio.create_task(rows(queries, ENDLESS))
        assert await asyncio.to_thread(workers.has_lent.wait, 20)
        [pid] = workers.pids
        ended = os.pidfd_open(pid)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert await asyncio.to_thread(select.select, [ended], [], [], 20) == ([ended], [], [])
        os.close(ended)


async def test_a_process_that_was_killed_is_replaced(reader: Reader, workers: Workers) -> None:
    with closing(Queries(reader, workers)) as queries:
        assert await rows(queries, "SELECT 1") == [[1]]
        [before] = workers.pids
        os.kill(before, signal.SIGKILL)
        await asyncio.to_thread(os.waitid, os.P_PID, before, os.WEXITED | os.WNOWAIT)
        assert await rows(queries, "SELECT 1") == [[1]]
        assert before not in workers.pids


async def test_all_that_a_query_reads_is_of_one_moment(reader: Reader, store: Store) -> None:
    """Two scans with a commit between them: they count the same."""
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            with store.transaction() as con:
                con.execute("INSERT INTO cost_centres (cost_centre, approver) VALUES ('c', 'ann')")

    writing = threading.Thread(target=write)
    writing.start()
    sql = "SELECT (SELECT count(*) FROM cost_centres), (SELECT count(*) FROM cost_centres WHERE approver = 'ann')"
    try:
        with closing(Queries(reader, WORKERS)) as queries:
            counted = [(await rows(queries, sql))[0] for _ in range(10)]
    finally:
        ended.set()
        writing.join()
    assert [first for first, _ in counted] == [second for _, second in counted]
    assert counted[0] != counted[-1]


def _held(process: Path) -> set[str]:
    found = set()
    for each in (process / "fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            found.add(str(each.readlink()).split(":")[0])
    return found


@LINUX
async def test_a_process_holds_nothing_of_the_collector(reader: Reader, workers: Workers) -> None:
    with closing(Queries(reader, workers)) as queries:
        await rows(queries, "SELECT 1")
    [pid] = workers.pids
    process = Path(f"/proc/{pid}")
    names = {line.split(b"=")[0].decode() for line in (process / "environ").read_bytes().split(b"\0") if line}
    assert names <= {"LANG", "ARROW_DEFAULT_MEMORY_POOL", "OPENBLAS_NUM_THREADS", "LD_LIBRARY_PATH"}
    # What a process opens for a moment (the C library reads how many processors there are) it does not hold.
    until(lambda: _held(process) == {"/dev/null", "pipe"}, "the process to hold two pipes and nothing else")
    assert (process / "cwd").readlink() == Path("/")
    limits = (process / "limits").read_text()
    assert re.search(r"Max file size\s+0\s+0", limits)
    assert not re.search(r"Max address space\s+unlimited", limits)


@LINUX
def test_a_process_ends_with_the_collector_however_that_ends() -> None:
    code = (
        "from collector.queries.sandbox.workers import Worker; worker = Worker(); worker.await_ready(); "
        "print(worker.pid, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as collector:
        assert collector.stdout is not None
        worker = os.pidfd_open(int(collector.stdout.readline()))
        collector.kill()
    try:
        assert select.select([worker], [], [], 20)[0] == [worker]
    finally:
        os.close(worker)


@LINUX
def test_a_process_is_kept_however_large_the_collector_is() -> None:
    """What a parent holds counts as its child's peak, by getrusage."""
    code = """
from collector.queries.sandbox.channel import packed_schemas
from collector.queries.sandbox.workers import Worker
large = b"x" * 1024**3
worker = Worker()
worker.await_ready()
asked = {"sql": "SELECT 1", "params": [], "format": "json", "watermark": None, "within_s": 20}
worker.channel.send(asked, packed_schemas({}))
print(worker.channel.receive()[0])
worker.bury()
"""
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert answer.stdout.strip() == "{'answer': True, 'worn_out': False}"
