"""Store: the DuckDB file that holds the facts. One writer; every reader has a cursor of its own.

A batch is one transaction: find what the store already holds of it, merge, price, insert. What `book` has
returned is on disk.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path

import duckdb
import pyarrow as pa

from .billing import priced
from .call import Call, State
from .errors import StoreError
from .merge import Group, Outcome, Shelf
from .pricing import PriceCall
from .rows import booked_table, call_of, hashes, members_table

__all__ = ["SCHEMA_VERSION", "Booked", "Store", "statement"]

SCHEMA_VERSION = 1
FILE_NAME = "switchgear.duckdb"

# Nothing that a reader runs may reach files or the network, whatever gets past the check of its SQL.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "memory_limit": "1GiB",
    "threads": "2",
    "preserve_insertion_order": "true",
}


@dataclass(slots=True)
class Booked:
    """What became of one batch."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    states: Counter[State] = field(default_factory=Counter)
    """Of the rows that were written: new calls, and calls that became richer."""
    last_seq: int = 0


class Store:
    """The open store. `book`, `transaction` and `close` are the writer's; `cursor` is anyone's."""

    def __init__(self, data: Path) -> None:
        """Open `data`/switchgear.duckdb, creating both where they are missing. Raises StoreError."""
        self._path = data / FILE_NAME
        self._lock = threading.RLock()
        self._con = _open(self._path)
        self._seq = self._last_seq()
        self.last_booked_at = self._last_booked_at()

    @property
    def last_seq(self) -> int:
        """The last place in the feed that is on disk."""
        return self._seq

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own on the same database, for one thread, to read with."""
        return self._con.cursor()

    def close(self) -> None:
        """Write what the WAL holds into the file and let it go."""
        with self._lock:
            self._con.close()

    def reopen(self) -> None:
        """Open the file anew after an error that broke the connection. Raises StoreError."""
        with self._lock:
            with suppress(duckdb.Error):
                self._con.close()
            self._con = _open(self._path)
            self._seq = self._last_seq()

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The writer's connection inside one transaction: committed at the end, undone by an exception."""
        with self._lock:
            self._con.begin()
            try:
                yield self._con
                self._con.commit()
            except BaseException:
                # Where the commit itself failed there is nothing left to undo.
                with suppress(duckdb.Error):
                    self._con.rollback()
                raise

    def book(self, calls: Sequence[Call], price: PriceCall, now: datetime) -> Booked:
        """Book the calls, each exactly once whatever was booked before; on disk when this returns."""
        with self._lock, self.transaction() as con:
            shelf = Shelf(_held(con, calls))
            result = Booked(last_seq=self._seq)
            for call in calls:
                result.outcomes[shelf.put(call)] += 1
            changed = [group for group in shelf.groups if group.changed]
            if changed:
                _Change(con, self._seq, now).write(changed, price, result)
        self._seq = result.last_seq
        if changed:
            self.last_booked_at = now
        return result

    def _last_seq(self) -> int:
        row = self._con.execute(
            "SELECT greatest((SELECT coalesce(max(seq), 0) FROM booked),"
            " (SELECT coalesce(max(seq), 0) FROM retractions))"
        ).fetchone()
        return int(row[0]) if row else 0

    def _last_booked_at(self) -> datetime | None:
        row = self._con.execute("SELECT max(booked_at) FROM booked").fetchone()
        return row[0].astimezone(UTC) if row and row[0] is not None else None


class _Change:
    """The rows that one batch writes, inside its transaction."""

    def __init__(self, con: duckdb.DuckDBPyConnection, seq: int, now: datetime) -> None:
        self._con = con
        self._seq = seq
        self._now = now

    def write(self, groups: Sequence[Group], price: PriceCall, result: Booked) -> None:
        calls = [priced(group.record(), price) for group in groups]
        seqs = list(range(self._seq + 1, self._seq + 1 + len(groups)))
        ids = [group.call_id or seq for group, seq in zip(groups, seqs, strict=True)]
        self._seq += len(groups)
        replaced = [group.call_id for group in groups if group.call_id is not None]
        gone = [other for group in groups for other in group.absorbed]
        if replaced or gone:
            self._delete([*replaced, *(other.call_id for other in gone if other.call_id is not None)])
        self._insert("booked", booked_table(calls, seqs, ids, self._now))
        self._write_members(groups, ids)
        for group, call in zip(groups, calls, strict=True):
            for other in group.absorbed:
                self._retract(other, call)
        result.states.update(call.state for call in calls)
        result.last_seq = self._seq

    def _delete(self, call_ids: Sequence[int]) -> None:
        gone = pa.table({"call_id": pa.array(call_ids, pa.int64())})
        with _registered(self._con, gone=gone):
            self._con.execute("DELETE FROM booked WHERE call_id IN (SELECT call_id FROM gone)")
            self._con.execute("DELETE FROM members WHERE call_id IN (SELECT call_id FROM gone)")

    def _write_members(self, groups: Sequence[Group], ids: Sequence[int]) -> None:
        """Every span of every call that has several: what its record is made of."""
        spans = [
            (member, call_id)
            for group, call_id in zip(groups, ids, strict=True)
            if len(group.members) > 1
            for member in group.members
        ]
        if spans:
            self._insert(
                "members", members_table([member for member, _ in spans], [call_id for _, call_id in spans])
            )

    def _retract(self, gone: Group, into: Call) -> None:
        home = gone.home
        if home is None or gone.call_id is None:
            return
        self._seq += 1
        self._con.execute(
            "INSERT INTO retractions VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            [
                *(self._seq, gone.call_id, home.tenant, home.trace_id, home.span_id),
                *(into.key, self._now, home.started_at),
            ],
        )

    def _insert(self, name: str, rows: pa.Table) -> None:
        with _registered(self._con, rows=rows):
            self._con.execute(f"INSERT INTO {name} BY NAME SELECT * FROM rows")  # noqa: S608 - our own names


def _held(con: duckdb.DuckDBPyConnection, calls: Sequence[Call]) -> list[Group]:
    """The calls of the store that any of `calls` belongs to, with all their spans."""
    hashed = [hashes(call) for call in calls]
    own = {each[0] for each in hashed}
    parents = {each[1] for each in hashed if each[1] is not None}
    answers = {each[2] for each in hashed if each[2] is not None}
    with _registered(
        con,
        probe_identity=_hashes(own | parents),
        probe_response=_hashes(answers),
        probe_child=_hashes(own),
    ):
        found = con.sql(statement("twins")).to_arrow_table()
    if not found.num_rows:
        return []
    with _registered(con, found=found):
        rows = con.sql("SELECT * FROM booked SEMI JOIN found USING (call_id)").to_arrow_table()
        spans = con.sql("SELECT * FROM members SEMI JOIN found USING (call_id)").to_arrow_table()
    members: dict[int, list[Call]] = {}
    for row in spans.to_pylist():
        members.setdefault(row["call_id"], []).append(call_of(row))
    groups = []
    for row in rows.to_pylist():
        home = call_of(row)
        groups.append(Group(members.get(row["call_id"], [home]), call_id=row["call_id"], home=home))
    return groups


def _hashes(values: Iterable[int]) -> pa.Table:
    return pa.table({"hash": pa.array(list(values), pa.uint64())})


@contextmanager
def _registered(con: duckdb.DuckDBPyConnection, **tables: pa.Table) -> Iterator[None]:
    for name, table in tables.items():
        con.register(name, table)
    try:
        yield
    finally:
        for name in tables:
            con.unregister(name)


@cache
def statement(name: str) -> str:
    """The SQL of that name, from this package's sql folder."""
    return files("collector").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def _open(path: Path) -> duckdb.DuckDBPyConnection:
    """The database at `path`, with our schema in it. Raises StoreError with one clear line."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        con = duckdb.connect(str(path), config=_CONFIG)
    except OSError as problem:
        raise StoreError(
            f"cannot use the data folder {path.parent}: {problem.strerror}; name another with --data"
        ) from problem
    except duckdb.Error as problem:
        raise StoreError(_refusal(path, problem)) from problem
    try:
        _prepare(con, path)
    except duckdb.Error as problem:
        con.close()
        raise StoreError(f"cannot use {path}: {_first_line(problem)}") from problem
    except StoreError:
        con.close()
        raise
    return con


def _prepare(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    # Whatever the machine's zone: an hour or a day in SQL is one of UTC.
    con.execute("SET GLOBAL TimeZone = 'UTC'")
    # DuckDB 2.0.1 narrows a sum to what it estimates that it can be, and wraps it around where the estimate is wrong:
    # 5 calls of 4,000 tokens behind a filter were 32. tests/analytics/test_reports.py holds the case.
    con.execute("SET GLOBAL disabled_optimizers = 'statistics_propagation'")
    tables = {
        row[0]
        for row in con.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()"
        ).fetchall()
    }
    if not tables:
        con.begin()
        con.execute(statement("schema"))
        con.execute("INSERT INTO store VALUES ($1, $2)", [SCHEMA_VERSION, datetime.now(UTC)])
        con.commit()
        return
    if "store" not in tables:
        raise StoreError(
            f"{path} is a DuckDB file, but none of switchgear's; name another folder with --data"
        )
    row = con.execute("SELECT max(schema_version) FROM store").fetchone()
    found = row[0] if row else None
    if found != SCHEMA_VERSION:
        raise StoreError(
            f"{path} has schema {found}, this switchgear writes {SCHEMA_VERSION}; "
            "use the version that wrote it, or name another folder with --data"
        )


def _refusal(path: Path, problem: duckdb.Error) -> str:
    text = _first_line(problem)
    if "Conflicting lock" in text or "Could not set lock" in text:
        holder = re.search(r"\(PID \d+\)", text)
        return (
            f"{path} is in use by another process{f' {holder[0]}' if holder else ''}; "
            "stop it, or name another folder with --data"
        )
    if "Permission denied" in text or "Cannot open file" in text or "Read-only" in text:
        return f"cannot write {path}: {text}; make the folder writable or name another with --data"
    return f"cannot open {path}: {text}; move it away, or name another folder with --data"


def _first_line(problem: Exception) -> str:
    return str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
