"""The ranked table as a data grid: the total first, then a row for each name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl
import streamlit as st

from dashboard import grid

from .levels import MEASURES
from .ranked import Row, change, value_of

__all__ = ["config", "drawn"]

_COUNTS = ("calls", "attempts", "tokens_in", "tokens_out", "unowned", "unpriced", "incomplete")
_NUMBERS = {"cost": pl.Float64, "share": pl.Float64, "before": pl.Float64} | dict.fromkeys(_COUNTS, pl.Int64)


def drawn(
    rows: Sequence[Row], total: Row, name: str, measure: str, *, compared: bool, many: str
) -> pl.DataFrame:
    """What the grid shows; amounts as floats, for drawing only. `many` is the word for the rows."""
    whole = value_of(total, measure)

    def line(row: Row, label: str) -> dict[str, Any]:
        value = value_of(row, measure)
        told: dict[str, Any] = {name: label}
        if total.trend:
            told["trend"] = list(row.trend) or None
        told["cost"] = _number(row.cost)
        told["share"] = None if value is None or not whole else float(100 * value / whole)
        if compared:
            told["before"] = None if row.before is None else _number(value_of(row.before, measure))
            told["change"] = "" if row.others else change(row, measure)
        return told | {count: getattr(row, count) for count in _COUNTS if _is_told(count, rows)}

    every = [line(total, f"All {many}"), *(line(row, row.label) for row in rows)]
    schema = {column: kind for column, kind in _NUMBERS.items() if column in every[0]}
    return pl.DataFrame(every, infer_schema_length=None, schema_overrides=schema)


def config(name: str, title: str, measure: str, total: Row, rows: Sequence[Row]) -> dict[str, Any]:
    """How each column is written."""
    currency = total.currency or "USD"
    number = st.column_config.NumberColumn
    amounts = grid.amounts(currency, (row.cost for row in (total, *rows)))
    was = (
        grid.amounts(currency, (row.before.cost for row in rows if row.before))
        if measure == "cost"
        else "localized"
    )
    of = MEASURES[measure].lower()
    return {
        name: st.column_config.TextColumn(title, width="medium"),
        "trend": st.column_config.LineChartColumn(
            "Trend", help=f"{MEASURES[measure]} over the range", width=110, y_min=0
        ),
        "cost": number(f"Cost, {currency}", format=amounts),
        "share": st.column_config.ProgressColumn(
            f"Share of {of}", format="%.1f %%", min_value=0, max_value=100, width=120, color="primary"
        ),
        "before": number("Before" if measure == "cost" else f"{MEASURES[measure]} before", format=was),
        "change": st.column_config.TextColumn(
            "Change", help=f"Of {of} since the range before", width="small"
        ),
        **{count: number(words, format="localized") for count, words in _WORDS.items()},
    }


_WORDS = {
    "calls": "Calls",
    "attempts": "Attempts",
    "tokens_in": "Tokens in",
    "tokens_out": "Tokens out",
    "unowned": "Unowned",
    "unpriced": "Unpriced",
    "incomplete": "Incomplete",
}


def _is_told(count: str, rows: Iterable[Row]) -> bool:
    """Whether the report has such a column."""
    return all(getattr(row, count) is not None for row in rows)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
