"""Deletions: the record of what was deleted, which stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import duckdb

__all__ = ["DETAILS", "Deletion", "delete", "note"]

DETAILS = "details"
"""Calls, the spans that tell of them, and their sums by task."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """What was deleted at once."""

    at: datetime
    by: str
    """The id of a key, or "retention"."""
    reason: str
    what: str
    """DETAILS, or the one kind that it was."""
    before: datetime
    """What began, or was noted, before it."""
    tenant: str | None = None
    """The pseudonym of the tenant; None: of every tenant."""
    rows: Mapping[str, int] = field(default_factory=dict)
    """How many, by table."""
    amounts: Mapping[str, Decimal] = field(default_factory=dict)
    """Known cost by currency: it is in the sums by hour as before."""


def note(con: duckdb.DuckDBPyConnection, deletion: Deletion) -> None:
    """Keep the record, inside the transaction that deletes."""
    con.execute(
        "INSERT INTO deletions VALUES ($1, $2, $3, $4, $5, $6,"
        " map($7::VARCHAR[], $8::BIGINT[]), map($9::VARCHAR[], $10::DECIMAL(38, 12)[]))",
        [
            *(deletion.at, deletion.by, deletion.reason, deletion.what, deletion.tenant, deletion.before),
            *(list(deletion.rows), list(deletion.rows.values())),
            *(list(deletion.amounts), list(deletion.amounts.values())),
        ],
    )


def delete(con: duckdb.DuckDBPyConnection, table: str, condition: str, values: Mapping[str, object]) -> int:
    """Delete rows of one of our tables; how many there were."""
    sql = f"DELETE FROM {table} WHERE {condition}"  # noqa: S608 - our own SQL
    ((count,),) = con.execute(sql, dict(values)).fetchall()
    return int(count)
