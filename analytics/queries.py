"""Queries: the SQL of this package's files, and what a cursor sees of the facts."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

__all__ = ["is_cut", "sql"]


@cache
def sql(name: str) -> str:
    """The statement of that name, from the folder `analytics/sql`."""
    return files("analytics").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def is_cut(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether the cursor's views hold only a part of the facts: it has views of its own then (`queries.reader`)."""
    found = con.execute("SELECT count(*) FROM duckdb_views() WHERE temporary AND view_name = 'calls'")
    return found.fetchall() != [(0,)]
