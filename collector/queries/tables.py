"""Tables: a result as the JSON or the Arrow stream that answers carry."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pyarrow as pa

from ..errors import QueryError
from ..wire import dump, rfc3339

__all__ = ["ARROW", "ENCODERS", "to_arrow", "to_json"]

ARROW = "application/vnd.apache.arrow.stream"
_INT64 = range(-(2**63), 2**63)


def to_json(table: pa.Table, watermark: datetime | None) -> bytes:
    """`{"columns": [...], "rows": [[...]], "watermark": ...}`: decimals as text, times as RFC 3339."""
    columns = [_values(name, table.column(place)) for place, name in enumerate(table.column_names)]
    return dump(
        {
            "columns": table.column_names,
            "rows": [list(row) for row in zip(*columns, strict=True)],
            "watermark": rfc3339(watermark) if watermark is not None else None,
        }
    )


def to_arrow(table: pa.Table, watermark: datetime | None) -> bytes:
    """An Arrow IPC stream; the watermark stands in the schema's metadata."""
    if watermark is not None:
        table = table.replace_schema_metadata({"watermark": rfc3339(watermark)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    result: bytes = sink.getvalue().to_pybytes()
    return result


def _values(name: str, column: pa.ChunkedArray) -> list[Any]:
    kind = column.type
    try:
        values: list[Any] = column.to_pylist()
    except (OverflowError, ValueError):
        raise QueryError(
            f"{name[:64]}: a {kind} there is none that JSON can hold; cast it to text, or ask for arrow"
        ) from None
    # A sum of integers is a HUGEINT, which Arrow has as a decimal without decimals.
    if pa.types.is_decimal(kind) and kind.scale == 0:
        return [None if value is None else _integer(int(value)) for value in values]
    if pa.types.is_floating(kind):
        return [value if value is not None and math.isfinite(value) else None for value in values]
    if pa.types.is_map(kind):
        return [None if value is None else {str(key): item for key, item in value} for value in values]
    return values


def _integer(value: int) -> int | str:
    return value if value in _INT64 else str(value)


ENCODERS: dict[str, tuple[str, Callable[[pa.Table, datetime | None], bytes]]] = {
    "json": ("application/json", to_json),
    "arrow": (ARROW, to_arrow),
}
