"""Rewriting: the database as a file of its rows only. What was deleted from one leaves its bytes in it."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

from ..errors import StoreError
from .statements import registered

__all__ = ["begun", "copy", "put_in_place"]

_ROWS_AT_ONCE = 50_000
_MEMORY = "128MiB"
"""For the new database, beside that of the old one."""


def begun(path: Path) -> Path:
    """Where the new file of the database at `path` comes; what an interrupted attempt left there is gone.

    Raises StoreError where that cannot be removed.
    """
    fresh = path.with_name(f"{path.name}.fresh")
    try:
        for left in path.parent.glob(f"{fresh.name}*"):
            left.unlink()
    except OSError as problem:
        raise StoreError(
            f"cannot remove {problem.filename}: {problem.strerror}; remove it yourself"
        ) from problem
    return fresh


def copy(old: duckdb.DuckDBPyConnection, new: duckdb.DuckDBPyConnection) -> None:
    """Every row, table by table and in order, into a database with the same tables.

    Raises StoreError where the copy has another number of them.
    """
    new.execute(f"SET memory_limit = '{_MEMORY}'")
    tables = new.execute("SELECT table_name FROM duckdb_tables() WHERE NOT temporary").fetchall()
    for (table,) in tables:
        new.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names, here and below
        with registered(new, rows=old.sql(f"FROM {table}").to_arrow_reader(_ROWS_AT_ONCE)):
            new.execute(f"INSERT INTO {table} BY NAME FROM rows")
        count = f"SELECT count(*) FROM {table}"  # noqa: S608
        if old.execute(count).fetchall() != new.execute(count).fetchall():
            raise StoreError(f"the copy of the table {table} is not whole; the old file stays")
    new.execute("CHECKPOINT")


def put_in_place(fresh: Path, path: Path) -> None:
    """Replace a database that is closed. Raises StoreError where its WAL holds something, or it cannot be done."""
    if path.with_name(f"{path.name}.wal").exists():
        raise StoreError(f"{path} was not closed: its WAL is still there; nothing was replaced")
    try:
        _sync(fresh)
        fresh.replace(path)
        _sync(path.parent)
    except OSError as problem:
        raise StoreError(f"cannot put {fresh} in place: {problem.strerror}") from problem


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
