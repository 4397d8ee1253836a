"""Statements: the SQL of this package's files, and Arrow tables that a statement may read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.resources import files

import duckdb
import pyarrow as pa

__all__ = ["MADE_OF_VIEWS", "registered", "statement"]

MADE_OF_VIEWS: Mapping[str, tuple[str, ...]] = {
    "cost_adjusted": ("rollup_hours", "adjustments"),
    "estimates": ("calls", "rollup_hours"),
}
"""Documented views that read nothing but others of them, by the name of their SQL: who sees less of these sees less."""


@cache
def statement(name: str) -> str:
    """The SQL of that name, from the folder sql."""
    return files("collector.facts").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


@contextmanager
def registered(con: duckdb.DuckDBPyConnection, **tables: pa.Table | pa.RecordBatchReader) -> Iterator[None]:
    """Let statements on `con` read the tables by these names."""
    for name, rows in tables.items():
        con.register(name, rows)
    try:
        yield
    finally:
        for name in tables:
            con.unregister(name)
