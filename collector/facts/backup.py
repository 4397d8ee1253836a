"""Backup: a consistent copy of the collector's data while it works, and back.

A backup is a folder: the database as it is between two batches (its file and its WAL), the keys, the files of the
ledger, and a manifest with the checksum of each file and how far in the journal the copy reaches. Restored, the
collector books from the journal what came after the copy, if the journal is still there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson

from ..errors import StoreError
from .store import FILE_NAME, Store

__all__ = ["MANIFEST", "Manifest", "restore", "take"]

MANIFEST = "manifest.json"
KEYS = "keys.sqlite"
LEDGER = "ledger"
_WAL = f"{FILE_NAME}.wal"
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds."""

    taken_at: str
    """RFC 3339, UTC."""
    schema: int
    booked_seq: int
    """The last of the journal's facts that is in the copy."""
    calls: int
    cost: dict[str, str]
    """The sum of known costs by currency, to compare after a restore."""
    files: dict[str, str]
    """Path in the folder -> SHA-256, in hex."""


def take(store: Store, data: Path, to: Path, now: datetime) -> Manifest:
    """Copy what is booked, and the keys, into the new folder `to`; then open the copy and compare.

    Acknowledging goes on meanwhile; booking waits for the copy. Raises StoreError where the folder is taken or
    the copy does not hold what the store holds.
    """
    try:
        to.mkdir(parents=True)
    except FileExistsError as problem:
        raise StoreError(f"{to} is there already; name a new folder for the backup") from problem
    except OSError as problem:
        raise StoreError(f"cannot make {to}: {problem.strerror}; name another folder") from problem
    try:
        with store.standing() as con:
            for name in (FILE_NAME, _WAL):
                if (data / name).exists():
                    shutil.copyfile(data / name, to / name)
            if (data / LEDGER).is_dir():
                # What is being written of a close is made again from the entries, where these are in the copy.
                shutil.copytree(data / LEDGER, to / LEDGER, ignore=shutil.ignore_patterns(".*"))
            booked, schema, calls, cost = store.last_seq, *_totals(con)
        _copy_keys(data, to)
        _compare(to / FILE_NAME, (schema, calls, cost))
        manifest = Manifest(
            taken_at=now.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            schema=schema,
            booked_seq=booked,
            calls=calls,
            cost=cost,
            files={
                str(path.relative_to(to)): _sha256(path) for path in sorted(to.rglob("*")) if path.is_file()
            },
        )
        (to / MANIFEST).write_bytes(orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2))
        _sync(to)
    except OSError as problem:
        raise StoreError(f"cannot write the backup {to}: {problem.strerror}") from problem
    return manifest


def restore(source: Path, data: Path, now: datetime) -> Manifest:
    """Put the backup in `source` in place in `data`; what is there is moved aside, never deleted.

    No collector may run on `data`. Raises StoreError for a backup that is incomplete or was changed, and where the
    database is in use.
    """
    manifest = _manifest(source)
    for name, digest in manifest.files.items():
        path = source / name
        if not path.exists():
            raise StoreError(f"{path} is missing: the backup is not whole")
        if _sha256(path) != digest:
            raise StoreError(f"{path} was changed since the backup was taken: its SHA-256 is another")
    try:
        data.mkdir(parents=True, exist_ok=True)
        _refuse_in_use(data / FILE_NAME)
        aside = f"replaced-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        for name in (FILE_NAME, _WAL, LEDGER, *((KEYS,) if KEYS in manifest.files else ())):
            if (data / name).exists():
                (data / name).rename(data / f"{name}.{aside}")
        for name in manifest.files:
            (data / name).parent.mkdir(parents=True, exist_ok=True)
            # With its mode: what is of a closed period can only be read.
            shutil.copy(source / name, data / name)
            if name == KEYS:
                (data / name).chmod(0o600)
        _sync(data)
    except OSError as problem:
        raise StoreError(f"cannot restore into {data}: {problem.strerror}") from problem
    return manifest


def _totals(con: duckdb.DuckDBPyConnection) -> tuple[int, int, dict[str, str]]:
    """(schema, calls, known cost by currency)."""
    schema, calls = con.execute(
        "SELECT (SELECT max(schema_version) FROM store), (SELECT count(*) FROM booked)"
    ).fetchall()[0]
    cost = con.execute(
        "SELECT currency, sum(cost)::VARCHAR FROM booked WHERE cost IS NOT NULL AND currency IS NOT NULL"
        " GROUP BY currency ORDER BY currency"
    ).fetchall()
    return schema, calls, dict(cost)


def _compare(copy: Path, expected: tuple[int, int, dict[str, str]]) -> None:
    try:
        with duckdb.connect(str(copy), config={"enable_external_access": "false"}) as con:
            found = _totals(con)
            con.execute("CHECKPOINT")
    except duckdb.Error as problem:
        raise StoreError(f"the copy {copy} cannot be opened: {str(problem).splitlines()[0]}") from problem
    if found != expected:
        raise StoreError(f"the copy {copy} holds {found}, the store {expected}: take the backup again")


def _copy_keys(data: Path, to: Path) -> None:
    if not (data / KEYS).exists():
        return
    with closing(sqlite3.connect(data / KEYS)) as live, closing(sqlite3.connect(to / KEYS)) as copy:
        live.backup(copy)
    (to / KEYS).chmod(0o600)


def _manifest(source: Path) -> Manifest:
    path = source / MANIFEST
    try:
        document: dict[str, Any] = orjson.loads(path.read_bytes())
        return Manifest(**document)
    except OSError as problem:
        raise StoreError(f"{path}: {problem.strerror}; name the folder of a backup") from problem
    except (orjson.JSONDecodeError, TypeError) as problem:
        raise StoreError(f"{path} is no manifest of a backup: {problem}") from problem


def _refuse_in_use(path: Path) -> None:
    if not path.exists():
        return
    try:
        duckdb.connect(str(path), read_only=True, config={"enable_external_access": "false"}).close()
    except duckdb.IOException as problem:
        if "lock" in str(problem):
            raise StoreError(f"{path} is in use; stop the collector before you restore") from problem
    except duckdb.Error:
        return  # a damaged file is what a restore is for


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    for chunk in _chunks(path):
        digest.update(chunk)
    return digest.hexdigest()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _sync(folder: Path) -> None:
    """Bring every file of the folder, and the folder itself, to the disk."""
    for path in (*folder.iterdir(), *(folder / LEDGER).rglob("*"), folder):
        if path.is_dir() and path != folder and LEDGER not in path.relative_to(folder).parts:
            continue
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
