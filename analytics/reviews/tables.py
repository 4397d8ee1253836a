"""Tables: the owners of a review with every digit, as CSV and as Parquet."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..cells import guarded
from .document import OwnerLine, Review
from .sections import UNOWNED

__all__ = ["csv_text", "parquet", "plain_cell"]

_MONEY = pa.decimal128(38, 12)
_AMOUNTS = ("actual", "plan", "variance", "previous", "week_on_week", "charged", "forecast", "month_plan")
_COUNTS = ("workloads", "calls", "unpriced_calls", "incomplete_calls", "breaker_trips")
_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("week", "kind", "owner", "cost_centres", "currency")),
        *((name, _MONEY) for name in _AMOUNTS),
        *((name, pa.int64()) for name in _COUNTS),
        *((name, pa.string()) for name in ("status", "next_action")),
    ]
)


def csv_text(review: Review) -> str:
    """One line an owner, the unowned line and the total (`kind`), amounts in full, a dot before decimals."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(_SCHEMA.names)
    for row in _table(review).to_pylist():
        writer.writerow(plain_cell(value) for value in row.values())
    return buffer.getvalue()


def parquet(review: Review) -> bytes:
    """The same lines with types: amounts DECIMAL(38,12), counts 64 bit, NULL where not known."""
    out = pa.BufferOutputStream()
    pq.write_table(_table(review), out)
    found: bytes = out.getvalue().to_pybytes()
    return found


def plain_cell(value: Any) -> str:
    """A CSV cell: numbers in full, NULL empty, and text that starts like a formula behind an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return guarded(value) if isinstance(value, str) else str(value)


def _table(review: Review) -> pa.Table:
    kinds = [("unowned" if line.owner is None else "owner", line) for line in review.owners]
    lines = [_line(review, kind, line) for kind, line in [*kinds, ("total", review.total)]]
    return pa.Table.from_pylist(lines, schema=_SCHEMA)


def _line(review: Review, kind: str, line: OwnerLine) -> dict[str, Any]:
    return {
        "week": review.week,
        "kind": kind,
        "owner": {"owner": line.owner, "unowned": UNOWNED, "total": None}[kind],
        "cost_centres": ", ".join(line.cost_centres) or None,
        "currency": review.currency,
        "actual": line.actual,
        "plan": line.plan,
        "variance": line.variance,
        "previous": line.previous,
        "week_on_week": line.change,
        "charged": line.charged,
        "forecast": line.forecast,
        "month_plan": line.month_plan,
        "workloads": line.workloads,
        "calls": line.calls,
        "unpriced_calls": line.unpriced_calls,
        "incomplete_calls": line.incomplete_calls,
        "breaker_trips": line.trips,
        "status": line.status,
        "next_action": line.next_action or None,
    }
