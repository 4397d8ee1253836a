"""Kept answers: found by the very same request, or by the nearest wording; forgotten by tenant, workload, tag or age.

They lie in one SQLite file, `cache.db`, sealed by a key for each tenant and found by keyed hashes; what shows are
numbers, sizes and times. A row that was changed, moved or put there by another hand is a miss, and removed.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import zlib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from .database import FILE, Database
from .embedding import Vectors
from .model import Answer, Namespace, Question
from .nearest import Nearest
from .neighbours import Neighbours, to_bytes, unit
from .packing import Place, micros, packed, vector_context
from .rows import Entry, Hashes, Rows
from .sealing import Secrets, master_key
from .vault import Vault

__all__ = ["MOST_OF_ONE", "Entries", "Entry"]

MOST_OF_ONE = 1024 * 1024
"""Bytes of a request and its answer; what is larger is not kept."""
MOST_BYTES = 1024 * 1024 * 1024
MOST_ENTRIES = 1_000_000
_ROW = 400
"""Bytes that an entry takes beside what is sealed: hashes, numbers, and their places in the indexes; about."""
_EFFORT = 1  # of zlib: the fastest makes a tenth of a stream's events already
_LOT = 500
"""Rows deleted at once, so that other writers get their turn."""
_PATIENCE = 4
"""So often the nearest are looked up anew where the index had some that are gone."""
_SPARE = 54
"""So many more are compared exactly: of wordings that are all but alike, lists cannot tell which is nearest."""
_log = logging.getLogger("switchgear")


class Entries:
    """The kept answers of a folder. For all threads of all processes that open it."""

    def __init__(
        self,
        folder: Path,
        *,
        master: bytes | None = None,
        most_bytes: int = MOST_BYTES,
        most_entries: int = MOST_ENTRIES,
    ) -> None:
        """Open or make it, the folder for its owner alone.

        `master` is the key of all keys, 32 bytes or more. Without it one is kept beside the folder: `<folder>.key`, for
        its owner alone; who copies the folder has not copied the key. What is more than `most_bytes` or `most_entries`
        goes, what is over soonest first. Raises ConfigError for another key than the one it was made with.
        """
        folder = folder.resolve()
        if master is None:
            master = master_key(folder.with_name(f"{folder.name}.key"), new=not (folder / FILE).exists())
        self.secrets = secrets = Secrets(master)
        self._hashes = Hashes(secrets)
        self._database = Database(folder, secrets.check)
        self._vault = Vault(secrets)
        self._rows = Rows(self._database, self._vault)
        self._neighbours = Neighbours()
        self._nearest = Nearest(self._database, self._rows, self._neighbours)
        self._most_bytes, self._most_entries = most_bytes, most_entries
        self._counting = threading.Lock()
        self.crowded_out = 0
        """Entries that went before their time, for want of room; by this process."""

    @property
    def damaged(self) -> int:
        """Rows that were found changed, moved or foreign, and removed; by this process."""
        return self._rows.damaged

    @property
    def size(self) -> tuple[int, int]:
        """Entries, and the bytes that they take on disk, about; what is over included."""
        row: tuple[int, int] = self._database.connection().execute("SELECT * FROM totals").fetchone()
        return row

    @property
    def index_bytes(self) -> int:
        """Memory that large partitions take in this process, about."""
        return self._neighbours.bytes

    def exact(self, where: Namespace, question: Question, now: datetime) -> Entry | None:
        """The answer to this very request: compared whole, not by its hash alone."""
        hashed = self._hashes.exact(self._hashes.scope(where), question.exact)
        for found in self._rows.of_request(hashed, now):
            if found.kept.exact == question.exact and found.kept.is_of(where):
                return found.entry
        return None

    def near(
        self, where: Namespace, partition: bytes, vector: Vectors, most: int, now: datetime
    ) -> list[tuple[float, Entry]]:
        """Entries of a partition and their cosines with `vector`, best first; at most so many.

        Of a partition of more than 512 the nearest are found by an index, which may miss some. Vectors of another
        length than `vector` has are left out; those of another model of that length are the caller's to keep apart.
        """
        wanted = unit(vector)
        hashed = self._hashes.partition(self._hashes.scope(where), partition)
        found: list[tuple[float, Entry]] = []
        for attempt in range(_PATIENCE):
            best, gone = self._nearest.of(hashed, wanted, (2 * most + _SPARE) << attempt, micros(now))
            found = self._entries(where, partition, best, most, now)
            if len(found) == most or not gone:
                break
        return found

    def _entries(
        self, where: Namespace, partition: bytes, best: Iterable[tuple[float, int]], most: int, now: datetime
    ) -> list[tuple[float, Entry]]:
        taken: list[tuple[float, Entry]] = []
        for near, number in best:
            if len(taken) == most:
                break
            found = self._rows.of_id(number, now)
            # Two of one hash are kept apart here, as are two requests by `exact`.
            if found is not None and found.kept.is_of(where) and found.kept.is_in(partition):
                taken.append((near, found.entry))
        return taken

    def put(
        self,
        where: Namespace,
        question: Question,
        partition: bytes | None,
        vector: Vectors | None,
        answer: Answer,
        tags: Iterable[str],
        now: datetime,
        expires_at: datetime,
    ) -> int | None:
        """Keep an answer, in place of any other to this very request; its id, once it is written.

        With `partition` and `vector` it is found by its wording, too. None where it is larger than 1 MiB or over
        already, and not kept.
        """
        plain = packed(where, question, partition, answer)
        if len(plain) > MOST_OF_ONE or expires_at <= now:
            return None
        halves = None if vector is None or partition is None else to_bytes(unit(vector))
        with self._database.writing() as connection:
            place = self._place(connection, where, question, partition, now, expires_at)
            self._write(connection, place, plain, halves)
            rows = [(self._hashes.tag(tag), place.id) for tag in set(tags)]
            connection.executemany("INSERT INTO tags VALUES (?, ?)", rows)
            self._make_room(connection, place.id)
        return place.id

    def _place(
        self,
        connection: sqlite3.Connection,
        where: Namespace,
        question: Question,
        partition: bytes | None,
        now: datetime,
        expires_at: datetime,
    ) -> Place:
        """Where a new row goes, freed from what stood for this request."""
        scope = self._hashes.scope(where)
        exact = self._hashes.exact(scope, question.exact)
        connection.execute("DELETE FROM entries WHERE exact = ?", (exact,))
        last = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'entries'").fetchone()
        return Place(
            id=1 if last is None else last[0] + 1,
            tenant=self._hashes.tenant(where.tenant),
            scope=scope,
            workload=self._hashes.workload(where.workload),
            exact=exact,
            partition=None if partition is None else self._hashes.partition(scope, partition),
            kept=micros(now),
            expires=micros(expires_at),
        )

    def _write(
        self, connection: sqlite3.Connection, place: Place, plain: bytes, vector: bytes | None
    ) -> None:
        seal = self._vault.for_writing(connection, place.tenant)
        sealed = seal.seal(zlib.compress(plain, _EFFORT), place.context)
        size = len(sealed) + _ROW + (0 if vector is None else len(vector))
        connection.execute(
            "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*place.columns, size, sealed)
        )
        if vector is not None and place.partition is not None:
            context = vector_context(place.id, place.partition, place.tenant, place.expires)
            row = (place.id, place.partition, place.tenant, place.expires, seal.seal(vector, context))
            connection.execute("INSERT INTO vectors VALUES (?, ?, ?, ?, ?)", row)

    def _make_room(self, connection: sqlite3.Connection, newest: int) -> None:
        """What is over soonest goes until all fits; but not what is being written."""
        crowded = 0
        while True:
            entries, size = connection.execute("SELECT * FROM totals").fetchone()
            if entries <= max(self._most_entries, 1) and (size <= self._most_bytes or entries == 1):
                break
            connection.execute(
                "DELETE FROM entries WHERE id = (SELECT id FROM entries WHERE id != ? ORDER BY expires LIMIT 1)",
                (newest,),
            )
            crowded += 1
        if crowded:
            with self._counting:
                first, self.crowded_out = not self.crowded_out, self.crowded_out + crowded
            if first:
                _log.warning(
                    "%s: is full (more than %d entries or %d bytes): what is over soonest goes",
                    self._database.path,
                    self._most_entries,
                    self._most_bytes,
                )

    # Forgetting: once a call returns, what it deleted cannot be brought back from the file or its log.

    def forget_tenant(self, tenant: str) -> int:
        """All of a tenant's answers, and the key they were sealed with; how many answers that were."""
        hashed = self._hashes.tenant(tenant)
        with self._database.writing() as connection:
            count = _deleted(connection, "tenant = ?", hashed)
            connection.execute("DELETE FROM keys WHERE tenant = ?", (hashed,))
        self._vault.forget(hashed)
        return self._forgotten(count)

    def forget_workload(self, tenant: str | None, workload: str) -> int:
        """A workload's answers, of a tenant or (None) of all; how many that were."""
        return self._forget("workload = ?", self._hashes.workload(workload), tenant)

    def forget_tag(self, tenant: str | None, tag: str) -> int:
        """The answers with a tag, of a tenant or (None) of all; how many that were."""
        return self._forget("id IN (SELECT id FROM tags WHERE tag = ?)", self._hashes.tag(tag), tenant)

    def forget_entry(self, number: int) -> bool:
        """One answer; whether it was there."""
        with self._database.writing() as connection:
            row = connection.execute(
                "DELETE FROM entries WHERE id = ? RETURNING partition", (number,)
            ).fetchone()
        if row is None:
            return False
        self._neighbours.gone(row[0], {number})
        self._database.overwrite_log()
        return True

    def _forget(self, condition: str, value: bytes, tenant: str | None) -> int:
        with self._database.writing() as connection:
            if tenant is None:
                count = _deleted(connection, condition, value)
            else:
                count = _deleted(
                    connection, f"{condition} AND tenant = ?", value, self._hashes.tenant(tenant)
                )
        return self._forgotten(count)

    def _forgotten(self, count: int) -> int:
        # Vectors in memory as well.
        self._neighbours.forget()
        self._database.overwrite_log()
        return count

    def sweep(self, now: datetime) -> int:
        """What is over at `now`; how many answers that were."""
        count = 0
        while True:
            deleted, more = self.sweep_some(now, _LOT)
            count += deleted
            if not more:
                return count

    def sweep_some(self, now: datetime, most: int) -> tuple[int, bool]:
        """Of what is over at `now`, so many at most: how many answers that were, and whether there are more."""
        with self._database.writing() as connection:
            deleted = _deleted(
                connection,
                "id IN (SELECT id FROM entries WHERE expires <= ? ORDER BY expires LIMIT ?)",
                micros(now),
                most,
            )
            left = connection.execute(
                "SELECT 1 FROM entries WHERE expires <= ? LIMIT 1", (micros(now),)
            ).fetchone()
        return deleted, left is not None

    def hashed(self, wording: bytes) -> bytes:
        """A wording's keyed hash, the same for every tenant: by it what was learned of it is found."""
        return self._hashes.wording(wording)

    def settled(self) -> None:
        """Wait until no vector is on its way into an index."""
        self._neighbours.settled()

    def close(self) -> None:
        """Nothing is looked up any more."""
        self._neighbours.forget()
        self._database.close()


def _deleted(connection: sqlite3.Connection, condition: str, *values: object) -> int:
    """Delete entries; how many there were."""
    return connection.execute(f"DELETE FROM entries WHERE {condition}", values).rowcount  # noqa: S608 - conditions of this module
