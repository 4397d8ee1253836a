"""Rows as they are read: found by keyed hashes, opened, and believed only where they are what was written there."""

from __future__ import annotations

import logging
import sqlite3
import struct
import threading
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from .database import Database
from .model import Answer, Namespace
from .packing import Kept, Place, instant, micros, unpacked
from .sealing import Damaged, Secrets
from .vault import Vault

__all__ = ["Entry", "Found", "Hashes", "Rows"]

_COLUMNS = "id, tenant, scope, workload, exact, partition, kept, expires, sealed"
_log = logging.getLogger("switchgear")


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer that was kept, and for whom."""

    id: int
    tenant: str
    wording: str | None
    answer: Answer
    kept_at: datetime


class Found(NamedTuple):
    """A row, opened."""

    place: Place
    kept: Kept

    @property
    def entry(self) -> Entry:
        """As it is handed out."""
        kept = self.kept
        return Entry(self.place.id, kept.where.tenant, kept.wording, kept.answer, instant(self.place.kept))


class Hashes:
    """By what rows are found. Without the master key nobody can tell what they are of."""

    def __init__(self, secrets: Secrets) -> None:
        self._hashed = secrets.hashed

    def tenant(self, tenant: str) -> bytes:
        """Whose key a row is sealed with."""
        return self._hashed(b"tenant", tenant.encode())

    def workload(self, workload: str) -> bytes:
        """Of any tenant."""
        return self._hashed(b"workload", workload.encode())

    def scope(self, where: Namespace) -> bytes:
        """Of a workload: a group's, or a tenant's own. No tenant's name makes a group's."""
        if where.group is not None:
            return self._hashed(b"group", where.workload.encode(), where.group.encode())
        return self._hashed(b"own", where.workload.encode(), where.tenant.encode())

    def exact(self, scope: bytes, exact: bytes) -> bytes:
        """Of a whole request."""
        return self._hashed(b"exact", scope, exact)

    def partition(self, scope: bytes, partition: bytes) -> bytes:
        """Of what has to be equal before wordings are compared."""
        return self._hashed(b"partition", scope, partition)

    def wording(self, wording: bytes) -> bytes:
        """Of a wording without its values, whoever asked it."""
        return self._hashed(b"wording", wording)

    def tag(self, tag: str) -> bytes:
        """Of any tenant."""
        return self._hashed(b"tag", tag.encode())


class Rows:
    """What is in the database, opened. From any thread."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        self._counting = threading.Lock()
        self.damaged = 0

    def of_request(self, exact: bytes, now: datetime) -> list[Found]:
        """Those of that hash that are not over: one, or several where hashes collide."""
        return self._found("exact = ? AND expires > ?", (exact, micros(now)))

    def of_id(self, number: int, now: datetime) -> Found | None:
        """Unless it is over or gone."""
        found = self._found("id = ? AND expires > ?", (number, micros(now)))
        return found[0] if found else None

    def _found(self, condition: str, values: tuple[object, ...]) -> list[Found]:
        rows = self._database.connection().execute(
            f"SELECT {_COLUMNS} FROM entries WHERE {condition}",  # noqa: S608 - conditions of this class
            values,
        )
        opened = [self._opened(Place(*row[:-1]), row[-1]) for row in rows.fetchall()]
        return [found for found in opened if found is not None]

    def _opened(self, place: Place, sealed: bytes) -> Found | None:
        try:
            context = place.context
        except struct.error:
            self.remove_damaged(place.id)
            return None
        plain = self.unsealed(place.id, place.tenant, sealed, context)
        return None if plain is None else Found(place, unpacked(zlib.decompress(plain)))

    def unsealed(self, number: int, tenant: bytes, sealed: bytes, context: bytes) -> bytes | None:
        """What the tenant's key opens; None for what it does not, which is removed."""
        connection = self._database.connection()
        try:
            try:
                return self._vault.seal(connection, tenant).open(sealed, context)
            except Damaged:
                return self._vault.fresh(connection, tenant).open(sealed, context)
        except Damaged:
            self.remove_damaged(number)
            return None

    def remove_damaged(self, number: int) -> None:
        """Count it, and take it out. Where others write all the time, the next look at it does that."""
        self.count_damaged()
        try:
            with self._database.writing() as connection:
                connection.execute("DELETE FROM entries WHERE id = ?", (number,))
        except sqlite3.OperationalError as error:
            _log.warning("%s: a damaged answer stays for now: %s", self._database.path, error)

    def count_damaged(self) -> None:
        """Told once; the count says how many there were."""
        with self._counting:
            self.damaged += 1
            first = self.damaged == 1
        if first:
            _log.warning(
                "%s: holds a row that is not as it was written, and is not used; who else writes there?",
                self._database.path,
            )
