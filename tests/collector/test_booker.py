"""Start-up: journal and database are compared, and what the database lacks is booked again, or its absence is said."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from otlp_samples import Served, llm_span, request
from stores import book
from stores import call as stored_call

from analytics.prices import PriceBook
from collector.audit import Transition, keep
from collector.call import Call, NotBilled
from collector.errors import BusyError, StoreError
from collector.facts.booker import Booker
from collector.facts.booking import Booked
from collector.facts.index import Index
from collector.facts.journal import FOLDER, Journal
from collector.facts.rows import pack
from collector.facts.store import FILE_NAME, Store
from collector.facts.writer import Writer
from collector.metrics import Metrics
from switchgear.usage import Usage

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
Serve = Callable[..., Served]


def call(number: int) -> Call:
    over = NOW + timedelta(seconds=1)
    return stored_call(number, NOW, ended_at=over, provider="openai", model="gpt-4o-mini")


def booked(data: Path) -> tuple[int, Decimal]:
    """Run a booker over the folder until it has nothing left: how many calls there are, and their tokens."""
    store, journal = Store(data), Journal(data)
    try:
        booker = Booker(store, journal, PriceBook().quote, Metrics(), committed=lambda: None)
        booker.start()
        booker.close(30)
        row = store.cursor().execute("SELECT count(*), sum(input_uncached) FROM calls").fetchone()
        assert row is not None
        return row[0], row[1]
    finally:
        store.close()
        journal.close()


def journalled(data: Path, numbers: range) -> None:
    journal = Journal(data)
    for number in numbers:
        packed = pack([call(number)])
        journal.append([(packed.payload, packed.facts.num_rows)], 0)
    journal.close()


def test_what_was_acknowledged_and_not_booked_is_booked_at_the_next_start(tmp_path: Path) -> None:
    journalled(tmp_path, range(1, 5))
    assert booked(tmp_path) == (4, 1 + 2 + 3 + 4)
    journalled(tmp_path, range(5, 7))
    assert booked(tmp_path) == (6, 1 + 2 + 3 + 4 + 5 + 6)
    assert booked(tmp_path) == (6, 21), "and only once"


def test_a_database_that_lost_what_it_had_confirmed_is_rebuilt_from_the_journal_and_said_so(
    serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    served = serve(tmp_path / "data")
    served.send(request([llm_span(1)]))
    assert served.rows("SELECT count(*) FROM calls") == [[1]]
    old = (tmp_path / "data" / FILE_NAME).read_bytes()
    for number in (2, 3, 4):
        served.send(request([llm_span(number)]))
        assert served.rows("SELECT count(*) FROM calls") == [[number]]
    served.stop()
    (tmp_path / "data" / FILE_NAME).write_bytes(old)
    with caplog.at_level(logging.ERROR):
        again = serve(tmp_path / "data")
        assert again.http.get("/v1/feed?after=3&wait=10").json()["calls"]
    assert "had confirmed" in caplog.text
    assert again.rows("SELECT count(*), count(DISTINCT span_id) FROM calls") == [[4, 4]]


def test_a_collector_does_not_start_on_a_journal_that_lacks_what_the_database_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.facts.journal.SEGMENT_BYTES", 1)
    journalled(tmp_path, range(1, 4))
    segments = sorted((tmp_path / FOLDER).iterdir())
    segments[1].unlink()
    with pytest.raises(StoreError, match="facts 2 to 2 are missing"):
        booked(tmp_path)


def test_a_fact_that_brings_booking_down_is_put_aside_and_the_others_are_booked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journalled(tmp_path, range(1, 9))
    original = Store.book

    def fragile(store: Store, facts: pa.Table, *arguments: Any) -> Booked:
        for row in facts.select(["span_id", "quarantined"]).to_pylist():
            if row == {"span_id": f"{5:016x}", "quarantined": None}:
                raise RuntimeError("no such luck")
        return original(store, facts, *arguments)

    monkeypatch.setattr(Store, "book", fragile)
    assert booked(tmp_path) == (7, 1 + 2 + 3 + 4 + 6 + 7 + 8)
    store = Store(tmp_path)
    aside = store.cursor().execute("SELECT span_id, reason FROM quarantine").fetchall()
    store.close()
    assert aside == [(f"{5:016x}", "cannot be booked: RuntimeError: no such luck")]


@contextmanager
def working(data: Path) -> Iterator[Writer]:
    """A writer with all that it needs, on the folder."""
    store, journal = Store(data), Journal(data)
    booker = Booker(store, journal, PriceBook().quote, Metrics(), committed=lambda: None)
    writer = Writer(journal, booker, Metrics(), now=lambda: NOW)
    writer.start()
    try:
        yield writer
    finally:
        writer.close()
        store.close()
        journal.close()


def test_a_reason_that_cannot_be_kept_holds_up_no_fact(tmp_path: Path) -> None:
    unkept = NotBilled("0" * 32, "0" * 16, "failed", "half a pair: \ud800", "otel-genai")
    with working(tmp_path) as writer:
        writer.submit(pack([call(1), call(2)], [unkept])).result(20)
        writer.submit(pack([], [unkept])).result(20)
        writer.submit(pack([call(3)])).result(20)
    assert booked(tmp_path) == (3, 1 + 2 + 3)


def test_a_fault_in_writing_costs_its_requests_and_not_the_next_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with working(tmp_path) as writer:
        with monkeypatch.context() as broken:
            broken.setattr(Journal, "append", lambda *_: 1 // 0)
            with pytest.raises(StoreError, match="ZeroDivisionError"):
                writer.submit(pack([call(1)])).result(20)
        writer.submit(pack([call(2)])).result(20)
    assert booked(tmp_path) == (1, 2)


def test_what_gathers_for_one_batch_is_booked_at_once_when_somebody_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.facts.booker._GATHERS", 1e9)
    monkeypatch.setattr("collector.facts.booker._GATHERS_AT_MOST_S", 600.0)
    batches: list[int] = []
    committed = threading.Condition()
    original = Store.book

    def counted(store: Store, facts: pa.Table, *arguments: Any) -> Booked:
        result = original(store, facts, *arguments)
        with committed:
            batches.append(facts.num_rows)
            committed.notify()
        return result

    monkeypatch.setattr(Store, "book", counted)
    with working(tmp_path) as writer:
        writer.submit(pack([call(1)])).result(20)
        with committed:
            assert committed.wait_for(lambda: batches == [1], 20)
        for number in (2, 3):
            writer.submit(pack([call(number)])).result(20)
        assert batches == [1]
        writer.hurry()
        with committed:
            assert committed.wait_for(lambda: batches == [1, 2], 20)
        writer.submit(pack([call(4)])).result(20)
    # An end waits for nobody either.
    assert batches == [1, 2, 1]


def test_reasons_that_wait_take_room_as_facts_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.facts.writer.MAX_WAITING", 10)
    go_on = threading.Event()
    original = Store.book

    def slow(store: Store, *arguments: Any) -> Booked:
        assert go_on.wait(20)
        return original(store, *arguments)

    monkeypatch.setattr(Store, "book", slow)
    reasons = [NotBilled(f"{n:032x}", f"{n:016x}", "failed", "HTTP 500", "otel-genai") for n in range(1, 9)]
    with working(tmp_path) as writer:
        writer.submit(pack([], reasons)).result(20)
        with pytest.raises(BusyError, match="8 spans wait"):
            writer.submit(pack([], reasons))
        go_on.set()
    store = Store(tmp_path)
    kept = store.cursor().execute('SELECT count(*), min("at"), max("at") FROM not_billed').fetchall()
    store.close()
    assert kept == [(8, NOW, NOW)]


def test_a_file_of_the_schema_before_is_migrated_and_a_copy_of_it_kept(tmp_path: Path) -> None:
    schema_1 = Path(__file__).with_name("schema_1.sql").read_text(encoding="utf-8")
    with duckdb.connect(str(tmp_path / FILE_NAME)) as con:
        con.execute(schema_1)
    store = Store(tmp_path)
    # What told of call 3 beside the span that it is named after got a number beyond those of version 1.
    assert store.last_seq == 14 + 1
    found = store.cursor().execute("SELECT span_id, cost, kind, seq FROM calls ORDER BY seq").fetchall()
    assert found == [
        (f"{1:016x}", Decimal("0.5"), "llm", 11),
        (f"{2:016x}", None, "llm", 12),
        (f"{3:016x}", None, "llm", 14),
    ]
    sent_again = replace(call(1), usage=Usage(7, output=1))
    twins = [
        replace(
            sent_again,
            trace_id=f"{n:032x}",
            span_id=f"{n:016x}",
            response_id="r",
            provider=None,
            model=None,
            scope=scope,
        )
        for n, scope in ((3, "x@1"), (4, "y@1"), (5, "z@1"))
    ]
    booked = book(store, [sent_again, *twins], PriceBook().quote, NOW)
    assert booked.outcomes == {"duplicate": 3, "twin": 1}
    store.close()
    with duckdb.connect(str(tmp_path / f"{FILE_NAME}.schema-1"), read_only=True) as con:
        assert con.execute("SELECT max(schema_version) FROM store").fetchone() == (1,)


def test_a_file_of_version_2_keeps_what_it_holds_and_takes_what_is_new(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / FILE_NAME)) as con:
        con.execute(Path(__file__).with_name("schema_2.sql").read_text(encoding="utf-8"))
    store = Store(tmp_path)
    again = [call(1), replace(call(3), response_id="r"), replace(call(4), response_id="r", scope="y@1")]
    again = [replace(each, workload="w", usage=Usage(7, output=1)) for each in again]
    sound = replace(call(6), usage=Usage(7, output=1, apart=(("input_audio", 5),)), service_tier="flex")
    booked = book(store, [*again, sound], PriceBook().quote, NOW)
    assert booked.outcomes == {"duplicate": 3, "new": 1}
    found = store.cursor().execute("SELECT span_id, apart, service_tier FROM calls ORDER BY seq").fetchall()
    store.close()
    assert found == [
        (f"{1:016x}", None, None),
        (f"{3:016x}", None, None),
        (f"{6:016x}", "input_audio=5", "flex"),
    ]


def test_a_file_of_version_3_keeps_its_transitions_and_takes_those_of_breakers_for_an_owner_or_a_model(
    tmp_path: Path,
) -> None:
    with duckdb.connect(str(tmp_path / FILE_NAME)) as con:
        con.execute(Path(__file__).with_name("schema_3.sql").read_text(encoding="utf-8"))
    old, parts = (
        {"tenant": "acme", "workload": "w", "tier": "batch", "task": "t1"},
        ("owner", "model", "provider"),
    )
    new = {name: name[0] for name in parts}
    moved = {"at": NOW.isoformat(), "policy": "hour", "from": "closed", "to": "open", "scope": new}
    with closing(Store(tmp_path)) as store:
        with store.transaction() as con:
            assert keep(con, [Transition(id=id_, **moved) for id_ in ("h1", "h3")]) == 1
        found = store.cursor().execute("SELECT id, scope FROM transitions ORDER BY id").fetchall()
    assert found == [
        ("h1", old | dict.fromkeys(parts)),
        ("h2", dict.fromkeys([*old, *parts])),
        ("h3", dict.fromkeys(old) | new),
    ]
    with closing(Store(tmp_path)) as again:
        assert again.cursor().execute("SELECT id, scope FROM transitions ORDER BY id").fetchall() == found


@settings(max_examples=50, deadline=None)
@given(
    batches=st.lists(st.lists(st.integers(1, 2**64 - 1), max_size=20), max_size=12),
    wanted=st.lists(st.integers(1, 2**64 - 1), max_size=20),
)
def test_the_index_finds_every_hash_that_was_added_with_its_segment(
    batches: list[list[int]], wanted: list[int]
) -> None:
    index = Index()
    added: dict[int, set[int]] = {}
    for number, batch in enumerate(batches):
        hashes = np.array(batch, dtype=np.uint64)
        index.add(Index.word(hashes, np.full(len(batch), number * 5000, dtype=np.int64)))
        for each in batch:
            added.setdefault(each, set()).add(number * 5000 // 4096)
    probes = [*added, *wanted]
    hit, segments = index.find(np.array(probes, dtype=np.uint64))
    assert all(hit[: len(added)])
    assert set().union(*added.values()) <= set(segments.tolist()) if added else True
    fingerprints = {each >> 24 for each in added}
    assert [bool(each) for each in hit] == [each >> 24 in fingerprints for each in probes]
