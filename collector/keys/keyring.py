"""Keyring: the keys of an installation, in a small SQLite file that both services read. Secrets are not in it.

A secret is `sg_`, twelve characters that may be shown, and 256 random bits; the file holds its SHA-256. Fast hashing
is right here: nobody can try 2^256 secrets, so a slow hash would only slow down every request.

The file is one file at any time (a rollback journal, no write-ahead log beside it), so that a copy of it is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from unicodedata import normalize

from ..errors import KeyringError, StoreError
from .key import Key, unfit

__all__ = ["FILE_NAME", "ID_LENGTH", "PREFIX", "Keyring", "Record", "digest_of"]

FILE_NAME = "keys.sqlite"
SCHEMA_VERSION = 1
PREFIX = "sg_"
ID_LENGTH = len(PREFIX) + 12
_BUSY_S = 5.0
_COLUMNS = "id, digest, name, tenants, scopes, options, created_at, expires_at, revoked_at, replaces"


@dataclass(frozen=True, slots=True)
class Record:
    """A key as the file keeps it: everything but the secret."""

    key: Key
    digest: bytes
    """SHA-256 of the whole secret."""
    name: str
    """What it is for, in the words of whoever made it; "" where they had none."""
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    replaces: str | None = None
    """The id of the key that it was rotated from."""

    def state(self, now: datetime) -> str:
        """What it is worth at `now`: live, expired or revoked."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "live"


def digest_of(secret: str) -> bytes:
    """What is stored of a secret, and compared."""
    return hashlib.sha256(secret.encode()).digest()


class Keyring:
    """The key file at a path, which need not be there: then it holds no keys. Nothing is held open between calls."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def stamp(self) -> tuple[int, int] | None:
        """Differs from an earlier one when the file holds something else; None where there is no file.

        Raises StoreError, as everything here, where the file is none of ours or cannot be used.
        """
        with self._open() as con:
            return None if con is None else self._stamp(con)

    def records(self) -> list[Record]:
        """Every key that was ever made, the oldest first."""
        with self._open() as con:
            if con is None or self._stamp(con) is None:
                return []
            rows = con.execute(f"SELECT {_COLUMNS} FROM keys ORDER BY created_at, id").fetchall()  # noqa: S608
            return [_record(row) for row in rows]

    def create(
        self,
        tenants: Sequence[str],
        scopes: Sequence[str],
        *,
        now: datetime,
        options: Sequence[str] = (),
        name: str = "",
        expires_at: datetime | None = None,
    ) -> tuple[Record, str]:
        """Make a key; its record, and the secret, which is nowhere else. Raises KeyringError for unfit rights."""
        findings = unfit(tenants, scopes, options)
        if findings:
            raise KeyringError("; ".join(findings))
        tenants = tuple(dict.fromkeys(normalize("NFC", tenant) for tenant in tenants))
        self._make_file()
        with self._change() as con:
            return _insert(
                con, Key("", tenants, frozenset(scopes), frozenset(options)), name, now, expires_at
            )

    def revoke(self, key_id: str, *, now: datetime) -> Record:
        """End a key at once. Revoking one that has ended changes nothing."""
        with self._change() as con:
            record = self._find(con, key_id)
            if record.revoked_at is not None:
                return record
            con.execute("UPDATE keys SET revoked_at = ? WHERE id = ?", (now.isoformat(), key_id))
            return replace(record, revoked_at=now)

    def rotate(
        self, key_id: str, *, now: datetime, until: datetime, expires_at: datetime | None
    ) -> tuple[Record, str]:
        """Make a key with the rights of another, which goes on until `until` at the latest; record and secret.

        Without `expires_at` the new key lives as long as the old one was made for.
        """
        with self._change() as con:
            old = self._find(con, key_id)
            if old.state(now) != "live":
                raise KeyringError(
                    f"key {key_id} is {old.state(now)}; make a new one with: switchgear keys create"
                )
            ends = until if old.expires_at is None else min(until, old.expires_at)
            if expires_at is None and old.expires_at is not None:
                expires_at = now + (old.expires_at - old.created_at)
            con.execute("UPDATE keys SET expires_at = ? WHERE id = ?", (ends.isoformat(), key_id))
            return _insert(con, old.key, old.name, now, expires_at, replaces=key_id)

    def _find(self, con: sqlite3.Connection, key_id: str) -> Record:
        row = con.execute(f"SELECT {_COLUMNS} FROM keys WHERE id = ?", (key_id,)).fetchone()  # noqa: S608
        if row is None:
            raise KeyringError(
                f"no key {key_id[:64]!r} in {self._path}; switchgear keys list shows their ids"
            )
        return _record(row)

    def _stamp(self, con: sqlite3.Connection) -> tuple[int, int] | None:
        """Which file it is and how often it was changed; None for a file that somebody is just making."""
        tables = {row[0] for row in con.execute("SELECT name FROM sqlite_master")}
        if not tables:
            return None
        if "keyring" not in tables:
            raise StoreError(f"{self._path} is a SQLite file, but none of switchgear's; move it away")
        version, changes = con.execute("SELECT schema_version, changes FROM keyring").fetchone()
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"{self._path} has schema {version}, this switchgear knows {SCHEMA_VERSION}; "
                "use the version that wrote it"
            )
        return self._path.stat().st_ino, changes

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection | None]:
        """A connection to the file, None where there is none."""
        try:
            if not self._path.exists():
                yield None
                return
            con = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode=rw", uri=True, timeout=_BUSY_S, isolation_level=None
            )
            try:
                yield con
            finally:
                con.close()
        except (sqlite3.Error, OSError) as problem:
            raise StoreError(f"cannot use the key file {self._path}: {problem}") from problem

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """A connection inside a transaction, which is undone by an exception."""
        with self._open() as con:
            if con is None:
                raise KeyringError(f"no keys in {self._path}; make one with: switchgear keys create --help")
            con.execute("BEGIN IMMEDIATE")
            try:
                if self._stamp(con) is None:
                    _prepare(con)
                yield con
                con.execute("UPDATE keyring SET changes = changes + 1")
                con.execute("COMMIT")
            except BaseException:
                if con.in_transaction:
                    con.execute("ROLLBACK")
                raise

    def _make_file(self) -> None:
        """Make the file where it is missing, before SQLite makes one that others can read."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as problem:
            raise StoreError(f"cannot write the key file {self._path}: {problem.strerror}") from problem


def _prepare(con: sqlite3.Connection) -> None:
    schema = files("collector.facts").joinpath("sql", "keys.sql").read_text(encoding="utf-8")
    # Not `executescript`, which would end the transaction first.
    for statement in schema.split(";"):
        con.execute(statement)


def _insert(
    con: sqlite3.Connection,
    rights: Key,
    name: str,
    now: datetime,
    expires_at: datetime | None,
    replaces: str | None = None,
) -> tuple[Record, str]:
    key = replace(rights, id=PREFIX + secrets.token_hex(6))
    secret = f"{key.id}_{secrets.token_urlsafe(32)}"
    record = Record(key, digest_of(secret), name, now, expires_at, replaces=replaces)
    con.execute(
        f"INSERT INTO keys ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, ?)",  # noqa: S608 - our own names
        (
            key.id,
            record.digest,
            name,
            *(json.dumps(sorted(each)) for each in (key.tenants, key.scopes, key.options)),
            now.isoformat(),
            None if expires_at is None else expires_at.isoformat(),
            replaces,
        ),
    )
    return record, secret


def _record(row: Sequence[Any]) -> Record:
    key_id, digest, name, tenants, scopes, options, created_at, expires_at, revoked_at, replaces = row
    key = Key(
        key_id, tuple(json.loads(tenants)), frozenset(json.loads(scopes)), frozenset(json.loads(options))
    )
    return Record(
        key, digest, name, datetime.fromisoformat(created_at), _time(expires_at), _time(revoked_at), replaces
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
