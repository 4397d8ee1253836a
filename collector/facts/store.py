"""Store: the DuckDB file that holds the facts. One writer; every reader has a cursor of its own.

A batch is one transaction, which also notes how far in the journal it reaches: what is booked and what is not are
never in doubt, and a batch that comes again is not booked again.
"""

from __future__ import annotations

import logging
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from ..call import NotBilled
from ..errors import StoreError
from ..pricing import PriceCall
from . import adjustments, booking, rewriting, rollups
from .booking import Booked
from .candidates import index_of
from .index import Hashes, Index
from .rows import EPOCH, hashed
from .statements import MADE_OF_VIEWS, statement

__all__ = ["FILE_NAME", "SCHEMA_VERSION", "Store"]

SCHEMA_VERSION = 6
FILE_NAME = "switchgear.duckdb"
_log = logging.getLogger(__name__)

# Nothing that a reader runs may reach files or the network, whatever gets past the check of its SQL.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    # Its cache grows to this, beside the index and whatever is booked at the moment. A scan of 10 M calls takes no
    # longer than with half as much again.
    "memory_limit": "256MiB",
    # Of the WAL, some 120,000 calls: a row group that is whole is written once. One at 16 MiB, the default, has a
    # fourth of it, and is read and written again with the next; a start reads these in 0.3 s.
    "checkpoint_threshold": "64MiB",
    "threads": "2",
    "preserve_insertion_order": "true",
}


class Store:
    """The open store. `book`, `transaction` and `close` are the writer's; `cursor` is anyone's."""

    def __init__(self, data: Path) -> None:
        """Open `data`/switchgear.duckdb, creating both where they are missing. Raises StoreError."""
        self._path = data / FILE_NAME
        self._lock = threading.RLock()
        self._con = _open(self._path)
        _forget_spilled(self._path)
        rewriting.begun(self._path)
        self._seq = 0
        self._index = Index()
        self._newest: datetime | None = None
        self.last_booked_at: datetime | None = None
        self.unfolded = 0
        """Rows that were appended to the rollups since they were folded."""
        self._learn()

    @property
    def last_seq(self) -> int:
        """The last of the journal's facts that is booked."""
        return self._seq

    @property
    def newest(self) -> datetime | None:
        """The latest end of any call booked since this was opened."""
        return self._newest

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
            self._learn()

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

    def book(
        self,
        facts: pa.Table | None,
        price: PriceCall,
        not_billed: Sequence[NotBilled] = (),
        told_at: datetime = EPOCH,
    ) -> Booked:
        """Book `facts` (`rows.numbered`), each call exactly once whatever was booked before.

        Facts up to `last_seq` are booked already and skipped. `not_billed` is what was told, at `told_at`, of spans
        that are no calls. On disk when this returns.
        """
        with self._lock:
            new = _beyond(facts, self._seq)
            last = self._seq if new is None else int(new["seq"][-1].as_py())
            with self.transaction() as con:
                result = Booked() if new is None else booking.book(con, self._index, new, price)
                if not_billed:
                    booking.keep_reasons(con, not_billed, told_at)
                con.execute("UPDATE store SET applied_seq = $1", [last])
            self._seq = last
            self._remember(result.words)
            self.unfolded += result.unfolded
            if new is not None and result.states:
                self.last_booked_at = new["booked_at"][-1].as_py().astimezone(UTC)
            self._newest = max(filter(None, (self._newest, result.newest)), default=None)
            return result

    def adjust(self, rows: pa.Table) -> None:
        """Keep one part of a rerate (`rows.numbered`), once. On disk when this returns."""
        with self._lock:
            new = _beyond(rows, self._seq)
            if new is not None:
                last = int(new["seq"][-1].as_py())
                with self.transaction() as con:
                    adjustments.keep(con, new)
                    con.execute("UPDATE store SET applied_seq = $1", [last])
                self._seq = last

    @contextmanager
    def standing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor, while nothing is written: the files on disk hold exactly what it sees."""
        with self._lock:
            cursor = self._con.cursor()
            try:
                yield cursor
            finally:
                cursor.close()

    def fold(self) -> None:
        """Fold what the batches appended to the rollups."""
        with self._lock:
            with self.transaction() as con:
                rollups.fold(con)
            self.unfolded = 0

    def checkpoint(self) -> bool:
        """Write everything that is booked into the file itself; False where readers stand in the way."""
        with self._lock:
            try:
                self._con.execute("CHECKPOINT")
            except duckdb.TransactionException:
                return False
            return True

    def rewrite(self, alone: Callable[[], AbstractContextManager[None]]) -> None:
        """Write the file anew: a database leaves in its file what was deleted from it. Booking waits meanwhile.

        Within `alone`, which is short, no cursor of this store may be open. Raises StoreError and duckdb.Error; the
        file is the old one then.
        """
        with self._lock:
            fresh = rewriting.begun(self._path)
            with closing(_open(fresh)) as new, closing(self._con.cursor()) as old:
                rewriting.copy(old, new)
            with alone():
                self._con.close()
                try:
                    rewriting.put_in_place(fresh, self._path)
                finally:
                    self._con = _open(self._path)

    def _remember(self, words: Sequence[Hashes]) -> None:
        """Let the index know what was just committed. Raises StoreError where it cannot: `reopen` makes it anew."""
        try:
            if words:
                self._index.add(np.concatenate(words))
        except MemoryError as problem:
            raise StoreError(
                "there is no memory for the index of what is booked; give the collector more"
            ) from problem

    def _learn(self) -> None:
        """Read what is kept in memory of the file. Raises StoreError: a damaged block shows when it is read."""
        try:
            self._seq = _value(self._con, "SELECT max(applied_seq) FROM store") or 0
            at = _value(self._con, "SELECT max(booked_at) FROM booked")
            self.last_booked_at = None if at is None else at.astimezone(UTC)
            self._index = index_of(self._con)
            self.unfolded = rollups.unfolded(self._con)
        except duckdb.Error as problem:
            self._con.close()
            raise StoreError(_refusal(self._path, problem)) from problem


def _value(con: duckdb.DuckDBPyConnection, sql: str) -> Any:
    """The first value of the one row that `sql` gives."""
    row = con.cursor().execute(sql).fetchone()
    return row[0] if row else None


def _beyond(facts: pa.Table | None, seq: int) -> pa.Table | None:
    """Those of the facts with a number above `seq`; None where there are none."""
    if facts is None:
        return None
    new = facts.slice(int(facts["seq"].to_numpy().searchsorted(seq, side="right")))
    return new if new.num_rows else None


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


def _forget_spilled(path: Path) -> None:
    """Delete what a killed process left of work too large for its memory: facts that may be deleted by now."""
    shutil.rmtree(path.with_name(f"{path.name}.tmp"), ignore_errors=True)


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
    if tables and "store" not in tables:
        raise StoreError(
            f"{path} is a DuckDB file, but none of switchgear's; name another folder with --data"
        )
    found = SCHEMA_VERSION
    if tables:
        found = _value(con, "SELECT max(schema_version) FROM store") or 0
    if not 0 < found <= SCHEMA_VERSION:
        raise StoreError(
            f"{path} has schema {found}, this switchgear writes {SCHEMA_VERSION}; "
            "use the version that wrote it, or name another folder with --data"
        )
    if found < SCHEMA_VERSION:
        _keep_copy(con, path, found)
        con.create_function("hashed", hashed, ["VARCHAR"], "UBIGINT")
    con.begin()
    for version in range(found, SCHEMA_VERSION):
        con.execute(statement(f"migrate_{version}_to_{version + 1}"))
    con.execute(statement("schema"))
    con.execute(statement("rollup_tables"))
    con.execute(statement("deletion_tables"))
    con.execute(statement("ledger_tables"))
    con.execute(statement("views"))
    con.execute(statement("rollup_views"))
    con.execute(statement("ledger_views"))
    for view in MADE_OF_VIEWS:
        con.execute(f"CREATE OR REPLACE VIEW {view} AS {statement(view)}")
    if "rollup_hours_base" not in tables:
        con.execute(statement("rollup_fill"))
    if not tables:
        con.execute("INSERT INTO store VALUES ($1, $2, 0)", [SCHEMA_VERSION, datetime.now(UTC)])
    con.execute("UPDATE store SET schema_version = $1", [SCHEMA_VERSION])
    con.commit()


def _keep_copy(con: duckdb.DuckDBPyConnection, path: Path, version: int) -> None:
    """Copy the file as an older version wrote it, beside it, before it is migrated."""
    con.execute("CHECKPOINT")
    kept = path.with_name(f"{path.name}.schema-{version}")
    if not kept.exists():
        # Under its own name only once it is whole: half a copy would be taken for one at the next start.
        half = kept.with_name(f"{kept.name}.half")
        shutil.copyfile(path, half)
        half.rename(kept)
    _log.warning(
        "%s has schema %d and is migrated to %d; %s is a copy of it", path, version, SCHEMA_VERSION, kept
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
    return (
        f"cannot open {path}: {text}; restore a backup (switchgear restore), or move it and its .wal away: "
        "the calls are booked again as far as the journal goes back (docs/durability.md)"
    )


def _first_line(problem: Exception) -> str:
    return str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
