"""The calls of a task, with all that is known of each but what was said in it."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import streamlit as st

from dashboard import frame, grid
from dashboard.view import View

__all__ = ["show"]

_TREE = "views/tasks.py"
# What is drawn first; the rest comes after it, and all of it is in the CSV.
_FIRST = (
    *("started_at", "took_s", "model", "provider", "tier", "state", "attempts", "cost"),
    *("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning"),
)
_LAST = ("calls", "currency", "rest", "place", "ended_at", "tenant", "workload", "task_id")
_TITLES = {
    "started_at": "Began, UTC",
    "took_s": "Took",
    "input_uncached": "Input",
    "cache_read": "Cache read",
    "cache_write_5m": "Cache write, 5 min",
    "cache_write_1h": "Cache write, 1 h",
    "end_user": "User",
    "cost_centre": "Cost centre",
    "request_model": "Model asked for",
    "service_tier": "Service tier",
    "price_version": "Price book",
    "list_cost": "List cost",
    "sku": "SKU",
    "response_id": "Response id",
    "trace_id": "Trace",
    "span_id": "Span",
    "lease_id": "Hold",
    "apart": "Billed apart",
}
# One call costs parts of a cent.
_AMOUNT = "%.6f"
_COUNTS = (
    "attempts",
    "input_uncached",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "output",
    "reasoning",
)
_WIDE = ("trace_id", "response_id", "price_version", "request_model", "model")


def show(view: View, table: pa.Table, basis: str) -> None:
    """The table of the report `calls`; a row opens the tree of its task on the page of tasks."""
    others = sum(row["calls"] for row in table.select(["rest", "calls"]).to_pylist() if row["rest"])
    aside = "dearest first; choose one to open its task as a tree"
    if others:
        aside += f"; {others:,} that cost less are in the last row"
    chosen = grid.show(
        table,
        name="calls",
        title="Calls",
        aside=aside,
        basis=basis,
        drawn=_drawn(table),
        config=_config(table),
        order=_order(table),
        select=True,
    )
    if chosen is None:
        return
    row = table.slice(chosen, 1).to_pylist()[0]
    if not row["rest"]:
        # The page of tasks has names of its own in the URL; it knows a tree by its tenant and its root.
        own = {**dict.fromkeys(view.more), "of": row["tenant"]}
        frame.go(view.but(task=row["root_task_id"] or row["task_id"], workload=None, **own), page=_TREE)


def _drawn(table: pa.Table) -> pl.DataFrame:
    amounts = [name for name in ("cost", "list_cost") if name in table.column_names]
    took = (pl.col("ended_at") - pl.col("started_at")).dt.total_milliseconds() / 1000
    words = pl.when("rest").then(pl.format("(all {} others)", "calls")).otherwise(pl.col("model"))
    return pl.DataFrame(table).with_columns(
        *(pl.col(name).cast(pl.Float64) for name in amounts), took.alias("took_s"), words.alias("model")
    )


def _order(table: pa.Table) -> list[str]:
    """Columns in which something stands, what matters most first."""
    told = [name for name in table.column_names if table[name].null_count < table.num_rows]
    return [*_FIRST, *(name for name in told if name not in (*_FIRST, *_LAST))]


def _config(table: pa.Table) -> dict[str, object]:
    column = st.column_config
    currency = next((each for each in table["currency"].to_pylist() if each), "USD")
    found: dict[str, object] = {
        name: column.TextColumn(
            _TITLES.get(name, name.replace("_", " ").capitalize()),
            width="medium" if name in _WIDE else "small",
        )
        for name in table.column_names
    }
    found |= {
        name: column.NumberColumn(_TITLES.get(name, name.capitalize()), format="localized")
        for name in _COUNTS
    }
    return found | {
        "started_at": column.DatetimeColumn(_TITLES["started_at"], format="D MMM HH:mm:ss", timezone="UTC"),
        "booked_at": column.DatetimeColumn("Booked, UTC", format="D MMM HH:mm:ss", timezone="UTC"),
        "took_s": column.NumberColumn(_TITLES["took_s"], format="%.1f s"),
        "cost": column.NumberColumn(f"Cost, {currency}", format=_AMOUNT),
        "list_cost": column.NumberColumn(f"{_TITLES['list_cost']}, {currency}", format=_AMOUNT),
    }
