"""Adjustments: what a rerate makes of booked calls, as rows for the journal and the store; the calls stay as they are.

A rerate comes in parts, each a record of the journal. The last one carries the rerate itself, and from there its rows
count, all at once; what one that was broken off has left is none, and goes with the next rerate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from .journal import Kind
from .rows import Packed
from .statements import registered

__all__ = ["ROWS", "Rerate", "keep", "pack", "unpacked"]

_TIME = pa.timestamp("us", "UTC")
_BOOKED = pa.decimal128(18, 12)
_MONEY = pa.decimal128(38, 12)
_RERATE = b"rerate"

ROWS: Mapping[str, pa.DataType] = {
    "rerate": pa.string(),
    "call_id": pa.int64(),
    "call_seq": pa.int64(),
    "booked_cost": _BOOKED,
    "booked_currency": pa.string(),
    "tenant": pa.string(),
    "workload": pa.string(),
    "tier": pa.string(),
    "provider": pa.string(),
    "model": pa.string(),
    "trace_id": pa.string(),
    "span_id": pa.string(),
    "started_at": _TIME,
    "calls": pa.int64(),
    "currency": pa.string(),
    "old_cost": _MONEY,
    "new_cost": _MONEY,
    "delta": _MONEY,
    "old_price_version": pa.string(),
    "new_price_version": pa.string(),
    "old_contract": pa.string(),
    "new_contract": pa.string(),
}
"""The columns of a row, but for its number; schema.sql says what they mean."""


@dataclass(frozen=True, slots=True)
class Rerate:
    """A rerate that was written: who asked for what, when and why."""

    id: str
    at: datetime
    by: str
    """The id of a key."""
    reason: str
    begins: datetime
    """Calls that began at or after it,"""
    ends: datetime
    """and before it."""
    price_version: str
    rows: int
    """How many it has written."""


def pack(rows: pa.Table, rerate: Rerate | None = None) -> Packed:
    """One part of a rerate, with columns in `ROWS`; the last one with the rerate itself."""
    rows = rows.select(list(ROWS)).cast(pa.schema(list(ROWS.items())))
    if rerate is not None:
        rows = rows.replace_schema_metadata({_RERATE: orjson.dumps(asdict(rerate))})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return Packed(sink.getvalue().to_pybytes(), rows, kind=Kind.ADJUSTED)


def unpacked(payload: bytes) -> pa.Table:
    """The rows of a part; columns that an older version did not know are NULL."""
    rows = pa.ipc.open_stream(payload).read_all()
    for name, kind in ROWS.items():
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.nulls(rows.num_rows, kind))
    return rows


def keep(con: duckdb.DuckDBPyConnection, rows: pa.Table) -> None:
    """Write a part, with the `seq` of each row, inside the caller's transaction; with the last one all of it counts."""
    columns = ", ".join(("seq", *ROWS))
    with registered(con, rows=rows):
        con.execute(f"INSERT INTO adjusted ({columns}) SELECT {columns} FROM rows")  # noqa: S608 - our own names
    found = (rows.schema.metadata or {}).get(_RERATE)
    if found is not None:
        told: dict[str, Any] = orjson.loads(found)
        names = ", ".join(f'"{name}"' for name in told)
        values = ", ".join(f"${name}" for name in told)
        con.execute(f"INSERT INTO rerates ({names}) VALUES ({values})", told)  # noqa: S608
        con.execute("DELETE FROM adjusted WHERE rerate NOT IN (SELECT id FROM rerates)")
