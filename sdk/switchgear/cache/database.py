"""The one SQLite file of the cache's folder: its tables, and a connection for each thread of each process.

Write-ahead log, synchronous=NORMAL: what was written outlives the death of the process at any moment. A loss of power
may take the last entries, which are then asked for again, and leaves the file whole. Only for file systems whose locks
work, as SQLite says of its log: not for NFS.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import ConfigError

__all__ = ["FILE", "Database"]

FILE = "cache.db"
_VERSION = 2
_WAIT_S = 5.0
_AGAIN_S = 0.005
_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600
_log = logging.getLogger("switchgear")

# Whatever is found by is a keyed hash; what is read is sealed. `bytes` is what an entry takes, its vector included.
# AUTOINCREMENT: ids only grow, also after deletions, so that what is new is what has a higher one.
_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE totals (entries INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;
CREATE TABLE keys (tenant BLOB PRIMARY KEY, wrapped BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant BLOB NOT NULL,
    scope BLOB NOT NULL,
    workload BLOB NOT NULL,
    exact BLOB NOT NULL,
    partition BLOB,
    kept INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
CREATE INDEX entries_exact ON entries (exact);
CREATE INDEX entries_expires ON entries (expires);
CREATE INDEX entries_tenant ON entries (tenant, workload);
CREATE TABLE vectors (
    id INTEGER PRIMARY KEY REFERENCES entries (id) ON DELETE CASCADE,
    partition BLOB NOT NULL,
    tenant BLOB NOT NULL,
    expires INTEGER NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
CREATE INDEX vectors_partition ON vectors (partition);
CREATE TABLE tags (
    tag BLOB NOT NULL,
    id INTEGER NOT NULL REFERENCES entries (id) ON DELETE CASCADE,
    PRIMARY KEY (tag, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_id ON tags (id);
CREATE TRIGGER counted AFTER INSERT ON entries BEGIN
    UPDATE totals SET entries = entries + 1, bytes = bytes + new.bytes;
END;
CREATE TRIGGER discounted AFTER DELETE ON entries BEGIN
    UPDATE totals SET entries = entries - 1, bytes = bytes - old.bytes;
END;
INSERT INTO totals VALUES (0, 0);
"""


class Database:
    """From any thread, and in a forked child as well."""

    def __init__(self, folder: Path, check: bytes) -> None:
        """Make what is missing. Raises ConfigError for another master key than the one it was made with."""
        self.path = folder / FILE
        if not folder.exists():
            folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        # SQLite gives its log and the log's index the mode of the file. It is never opened where it is there: to close
        # it would end the locks that another connection of this process has on it.
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE))
        self._closed = False
        self._of_process()
        try:
            self._made(check)
        except sqlite3.DatabaseError as error:
            self.close()
            raise ConfigError(
                f"{self.path}: cannot be opened as the cache's file ({error}); remove the folder to begin anew, "
                "which loses kept answers alone"
            ) from error
        except ConfigError:
            self.close()
            raise

    def _of_process(self) -> None:
        """A connection must not be used, nor closed, by a child of the process that opened it."""
        self._inherited = [*getattr(self, "_inherited", ()), *getattr(self, "_connections", ())]
        self._pid = os.getpid()
        self._local = threading.local()
        self._connections: list[tuple[threading.Thread, sqlite3.Connection]] = []
        self._opening = threading.Lock()
        self._writing = threading.Lock()

    def connection(self) -> sqlite3.Connection:
        """This thread's own, in autocommit."""
        if self._pid != os.getpid():
            self._of_process()
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            if self._closed:
                raise sqlite3.ProgrammingError("the cache is closed")
            connection = self._opened()
            self._local.connection = connection
            with self._opening:
                self._close_of_the_dead()
                self._connections.append((threading.current_thread(), connection))
        return connection

    def _close_of_the_dead(self) -> None:
        """Threads come and go; what they had open goes with the next that comes."""
        for thread, connection in self._connections:
            if not thread.is_alive():
                connection.close()
        self._connections = [each for each in self._connections if each[0].is_alive()]

    def _opened(self) -> sqlite3.Connection:
        # Threads do not share it; `check_same_thread` would keep `close` from closing those of others.
        connection = sqlite3.connect(
            self.path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
        )
        for pragma in ("foreign_keys=ON", "secure_delete=ON", "synchronous=NORMAL", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _made(self, check: bytes) -> None:
        connection = self.connection()
        _in_wal(connection)
        with self.writing():
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in _statements():
                    connection.execute(statement)
                connection.execute("INSERT INTO meta VALUES ('check', ?)", (check,))
                connection.execute(f"PRAGMA user_version={_VERSION}")
            elif version != _VERSION:
                raise ConfigError(
                    f"{self.path}: is of version {version}, this release reads version {_VERSION}; remove the folder "
                    "to begin anew, which loses kept answers alone"
                )
            (made_with,) = connection.execute("SELECT value FROM meta WHERE name = 'check'").fetchone()
        if made_with != check:
            raise ConfigError(
                f"{self.path}: was made with another master key; give that one, or remove the folder"
            )

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; nothing of it stays where an error ends it. Raises sqlite3.OperationalError after 5 s
        in which other processes wrote all the time."""
        connection = self.connection()
        with self._writing:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # Some errors, as that of a full disk, have ended it already.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def overwrite_log(self) -> None:
        """Put all that was deleted beyond recovery: of the write-ahead log, too, which keeps pages as they were."""
        (busy, _, _) = self.connection().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            _log.warning("%s: deleted answers stay in the log, sealed, until no process reads it", self.path)

    def close(self) -> None:
        """Of all threads of this process."""
        self._closed = True
        if self._pid != os.getpid():
            self._of_process()
        for _, connection in self._connections:
            with suppress(sqlite3.Error):
                connection.close()
        self._connections.clear()
        self._local = threading.local()


def _statements() -> Iterator[str]:
    """Each of the tables' statements; a trigger's own ends are not a statement's."""
    statement = ""
    for line in _TABLES.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _in_wal(connection: sqlite3.Connection) -> None:
    """SQLite does not wait where two processes turn the log on at once."""
    until = time.monotonic() + _WAIT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(_AGAIN_S)
        else:
            return
