"""Faults of the disk, the network and the clock: never a lower total without a word, and nothing charged twice.

A process killed while it works is in test_kill.py, one ended by a signal under load in tests/house/test_sigterm.py, a
second server on one file and a newer file in test_store.py, a noisy tenant in test_noisy.py.
"""

from __future__ import annotations

import errno
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import duckdb
import pytest
from bad_inputs import rejected, settle
from hypothesis import given, settings
from hypothesis import strategies as st
from load import Request
from otlp_samples import BASE_NS, PROTOBUF, Served, llm_span, request, to_protobuf
from server import Collector
from spans import ALL_BILLABLE

from analytics.prices import PriceBook
from collector.errors import StoreError
from collector.facts import store as facts_store
from collector.facts.booker import Booker
from collector.facts.journal import FOLDER, Journal
from collector.facts.store import FILE_NAME, Store
from collector.metrics import Metrics

Serve = Callable[..., Served]
SENDERS = 3
WAL = f"{FILE_NAME}.wal"
# Of one call of `llm_span`: 400 uncached and 600 cached input tokens and 50 output tokens of gpt-4o-mini.
COST = (400 * Decimal("0.15") + 600 * Decimal("0.075") + 50 * Decimal("0.60")) / 1_000_000


@dataclass(frozen=True)
class Left:
    """A data folder as a dead collector left it, and what it had acknowledged."""

    folder: Path
    calls: int

    @contextmanager
    def copy(self) -> Iterator[Path]:
        """The folder anew, to be damaged."""
        with tempfile.TemporaryDirectory() as anew:
            yield Path(shutil.copytree(self.folder, Path(anew) / "data"))


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Left:
    """Killed with 40 calls booked: 20 in the database's file, 20 in its WAL, and all in the journal."""
    data = tmp_path_factory.mktemp("killed") / "data"
    served = Served(data)
    for batch in range(10):
        if batch == 5:
            served.stop()
            served = Served(data)
        served.send(request([llm_span(4 * batch + number) for number in range(1, 5)]))
        settle(served.http)
    copied = shutil.copytree(data, data.with_name("copy"))
    served.stop()
    assert (copied / WAL).stat().st_size > 10_000
    return Left(copied, 40)


def recovered(data: Path) -> tuple[int, Decimal]:
    """What a start makes of the folder: how many calls there are, and their cost. Raises where it refuses."""
    store = Store(data)
    try:
        journal = Journal(data)
        booker = Booker(store, journal, PriceBook().quote, Metrics(), committed=lambda: None)
        booker.start()
        booker.close(30)
        journal.close()
        row = store.cursor().execute("SELECT count(DISTINCT span_id), sum(cost) FROM calls").fetchone()
        assert row is not None
        return row
    finally:
        store.close()


@pytest.mark.parametrize("name", [WAL, FILE_NAME], ids=["wal", "file"])
def test_what_the_database_lost_is_booked_again_from_the_journal(killed: Left, name: str) -> None:
    with killed.copy() as data:
        (data / WAL).unlink()
        (data / name).unlink(missing_ok=True)
        assert recovered(data) == (killed.calls, killed.calls * COST)


@settings(max_examples=8, deadline=None)
@given(part=st.floats(0, 1, exclude_max=True))
def test_a_wal_that_ends_at_any_byte_costs_nothing(killed: Left, part: float) -> None:
    with killed.copy() as data:
        wal = data / WAL
        wal.write_bytes(wal.read_bytes()[: int(part * wal.stat().st_size)])
        assert recovered(data) == (killed.calls, killed.calls * COST)


@settings(max_examples=15, deadline=None)
@given(
    name=st.sampled_from([WAL, FILE_NAME, FOLDER]),
    part=st.floats(0, 1, exclude_max=True),
    bit=st.integers(0, 7),
)
def test_a_flipped_bit_is_noticed_or_mended_and_never_a_lower_total(
    killed: Left, name: str, part: float, bit: int
) -> None:
    with killed.copy() as data:
        damaged = data / name if name != FOLDER else next(iter((data / FOLDER).iterdir()))
        content = bytearray(damaged.read_bytes())
        content[int(part * len(content))] ^= 1 << bit
        damaged.write_bytes(content)
        try:
            found = recovered(data)
        except StoreError:
            return
        assert found == (killed.calls, killed.calls * COST)


def test_a_damaged_journal_stops_the_start_with_one_line_that_names_it(killed: Left) -> None:
    with killed.copy() as data:
        segment = max((data / FOLDER).iterdir())
        content = bytearray(segment.read_bytes())
        content[len(content) // 2] ^= 1
        segment.write_bytes(content)
        collector = Collector(data)
        assert collector.process.wait(60) == 1
        assert (
            collector.last_words()
            .splitlines()[-1]
            .startswith(f"switchgear: collector: {segment} is damaged at")
        )
        collector.kill()


@pytest.mark.parametrize("before", ["migrate_1_to_2", "migrate_3_to_4", "schema", "views"])
def test_a_migration_that_is_killed_is_done_again_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    data, left = tmp_path / "data", tmp_path / "left"
    data.mkdir()
    with duckdb.connect(str(data / FILE_NAME)) as con:
        con.execute(Path(__file__).with_name("schema_1.sql").read_text(encoding="utf-8"))
    told = facts_store.statement

    def statement(name: str) -> str:
        # What stands in the files at a moment is what a process leaves that is killed then.
        if name == before:
            shutil.copytree(data, left)
        return told(name)

    with monkeypatch.context() as copying:
        copying.setattr(facts_store, "statement", statement)
        Store(data).close()
    with closing(Store(left)) as store:
        found = store.cursor().execute("SELECT span_id, cost FROM calls ORDER BY seq").fetchall()
    assert found == [(f"{1:016x}", Decimal("0.5")), (f"{2:016x}", None), (f"{3:016x}", None)]
    with duckdb.connect(str(left / f"{FILE_NAME}.schema-1"), read_only=True) as con:
        assert con.execute("SELECT max(schema_version), count(*) FROM store").fetchone() == (1, 1)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small disk can be mounted by root only")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_stops_acknowledging_and_nothing_else_until_there_is_room(
    serve: Serve, small_disk: Path
) -> None:
    served = serve(small_disk / "data")
    taken = 0

    def statuses(until: int) -> Iterator[int]:
        nonlocal taken
        for _ in range(until):
            answer = served.send(request([llm_span(taken + 1)]))
            taken += answer.status_code == 200
            if answer.status_code == 503:
                assert int(answer.headers["Retry-After"]) >= 1
            yield answer.status_code

    assert set(statuses(5)) == {200}
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space left"), ballast.open("wb", buffering=0) as filling:  # noqa: PT012
        while True:
            filling.write(bytes(4096))
    # What fits into the journal's last page is still taken; then it is over.
    refused = list(statuses(60))
    assert refused[-20:] == [503] * 20
    assert served.http.get("/readyz").status_code == 503
    assert served.rows("SELECT 1") == [[1]]
    before = taken
    ballast.unlink()
    begun = time.monotonic()
    while next(statuses(1)) != 200:
        assert time.monotonic() - begun < 10
    settle(served.http)
    assert taken == before + 1
    assert served.rows("SELECT count(*), count(DISTINCT span_id) FROM calls") == [[taken, taken]]
    assert served.http.get("/readyz").status_code == 200


def test_a_read_only_disk_is_refused_at_the_start_in_one_line(serve: Serve, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(StoreError) as refused:
        serve(small_disk)
    assert str(small_disk) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_fsync_that_fails_is_no_acknowledgement(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    served = serve(tmp_path / "data")
    served.send(request([llm_span(1)]))
    for number, code in enumerate((errno.EIO, errno.EROFS, errno.EDQUOT), 2):
        with monkeypatch.context() as broken:

            def fails(_: int, code: int = code) -> None:
                raise OSError(code, "no")

            broken.setattr("os.fdatasync", fails)
            assert served.send(request([llm_span(number)])).status_code == 503
            assert served.http.get("/readyz").status_code == 503
        assert served.send(request([llm_span(number)])).status_code == 200
    settle(served.http)
    assert served.rows("SELECT count(*) FROM calls") == [[4]]
    served.stop()
    assert recovered(tmp_path / "data") == (4, 4 * COST)


def test_an_acknowledgement_that_is_lost_on_the_way_costs_nothing_twice(serve: Serve) -> None:
    served = serve()
    content = to_protobuf(request([llm_span(number) for number in range(1, 6)]))
    head = f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTOBUF}\r\nContent-Length: {len(content)}\r\n\r\n"
    target = urlsplit(served.url)
    with socket.create_connection((target.hostname, target.port)) as connection:
        connection.sendall(head.encode() + content)
        assert served.http.get("/v1/feed?wait=20&after=4").json()["next"] == 5
        # The answer is on its way; the connection is reset before it is read.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    for _ in range(2):
        again = served.http.post("/v1/traces", content=content, headers={"Content-Type": PROTOBUF})
        assert again.status_code == 200
    settle(served.http)
    assert served.rows("SELECT count(*), sum(cost) FROM calls") == [[5, str(5 * COST)]]


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.mark.parametrize("hours", [-1, 1], ids=["back", "ahead"])
def test_a_clock_that_jumps_charges_nothing_twice_and_keeps_the_order_of_the_feed(
    serve: Serve, hours: int
) -> None:
    began = datetime.fromtimestamp(BASE_NS / 1e9, UTC)
    clock = Clock(began)
    served = serve(now=clock)
    for number in range(1, 4):
        served.send(request([llm_span(number)]))
    clock.now = began + timedelta(hours=hours)
    again = served.send(request([llm_span(number) for number in range(1, 4)]))
    late = served.send(request([llm_span(4)]))
    clock.now = began
    for number in range(1, 6):
        assert rejected(served.send(request([llm_span(number)])))[0] == 0
    settle(served.http)
    # An hour behind, these spans lie in the future: kept aside, told to the sender, and billed when they come again.
    assert (rejected(again)[0], rejected(late)[0]) == ((3, 1) if hours < 0 else (0, 0))
    assert served.rows("SELECT count(*), sum(cost) FROM calls") == [[5, str(5 * COST)]]
    seqs = [call["seq"] for call in served.http.get("/v1/feed").json()["calls"]]
    assert seqs == sorted(seqs)
    assert len(set(seqs)) == 5


BY_HOUR = """
    SELECT tenant, model, date_trunc('hour', started_at) AS hour, count(*), sum(cost), sum(input_uncached), sum(output)
    FROM calls GROUP BY ALL ORDER BY ALL"""


def test_what_comes_a_day_late_and_out_of_order_gives_the_totals_of_what_came_in_order(
    serve: Serve, tmp_path: Path
) -> None:
    one = Request(ALL_BILLABLE, traces=4)
    bodies = []
    for number in range(20):
        body = bytearray(one.encoded)
        one.stamp(body, Random(number), BASE_NS + number * 3_600_000_000_000)
        bodies.append(bytes(body))
    totals = []
    for name, order in (("in order", bodies), ("late", [*bodies[10:], *reversed(bodies[:10])])):
        clock = Clock(datetime.fromtimestamp(BASE_NS / 1e9, UTC) + timedelta(hours=44))
        served = serve(tmp_path / name, now=clock)
        for body in order:
            assert (
                rejected(served.http.post("/v1/traces", content=body, headers={"Content-Type": PROTOBUF}))[0]
                == 0
            )
        settle(served.http)
        totals.append(served.rows(BY_HOUR))
    assert sum(row[3] for row in totals[0]) == 20 * one.calls
    assert totals[0] == totals[1]
