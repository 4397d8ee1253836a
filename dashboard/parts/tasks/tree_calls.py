"""The calls of a task tree, or of one task in it, in the order of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import streamlit as st

from dashboard import frame, grid, look
from dashboard.charts.branching import Branch
from dashboard.services import Answer
from dashboard.view import View

__all__ = ["drawn", "show"]

_STATES: Mapping[str, str] = {
    "complete": "● complete",
    "incomplete": "◌ incomplete",
    "unpriced": "◌ unpriced",
    "settled_only": "◧ settled only",
    "served": "○ from the cache",
}
_IN = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h")


def show(view: View, answer: Answer, at: str | None, root: Branch) -> None:
    """The table, with every digit as CSV."""
    if answer.value is None:
        return
    rows: list[dict[str, Any]] = answer.value.to_pylist()
    shown = sum(row["calls"] for row in rows if not row["rest"])
    served = sum(row["state"] == "served" for row in rows)
    whole = sum(row["calls"] for row in rows)
    aside = f"{look.count(whole)}, in the order of time"
    if shown < whole:
        aside = f"{look.count(shown)} of {look.count(whole)}, the dearest and those of unknown cost, by time"
    if served:
        aside += f"; beside them {look.count(served)} answered from the cache, which were not billed"
    costs = [row["cost"] for row in rows]
    currency = next((row["currency"] for row in rows if row["currency"]), "USD")
    if at and st.button("Calls of all tasks", icon=":material/close:", type="tertiary", key="all-calls"):
        frame.go(view.but(at=None))
    grid.show(
        answer.value,
        name="task-calls",
        title=f"Calls of {look.text(at)}" if at else f"Calls of {look.text(root.name)}",
        aside=aside,
        basis="estimated",
        drawn=drawn(rows),
        config=_config(currency, grid.amounts(currency, costs)),
    )


def drawn(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """What the grid shows: tokens that are not told and cost that is not known stay empty."""
    shown = []
    for row in rows:
        sent = [row[name] for name in _IN]
        known = row["output"] is not None
        took = None if row["rest"] or row["ended_at"] is None else row["ended_at"] - row["started_at"]
        shown.append(
            {
                "started_at": None if row["rest"] else row["started_at"],
                "took_s": None if took is None else took.total_seconds(),
                "task_id": f"(all {look.count(row['calls'])} others)" if row["rest"] else row["task_id"],
                "model": row["model"] or row["sku"] or ("" if row["rest"] else grid.NAMES["model"]),
                "state": _STATES.get(row["state"] or "", row["state"]),
                "attempts": row["attempts"],
                "tokens_in": sum(each or 0 for each in sent) if known else None,
                "cached": (row["cache_read"] or 0) if known else None,
                "output": row["output"],
                "cost": None if row["cost"] is None else float(row["cost"]),
                "workload": row["workload"],
                "tier": row["tier"],
            }
        )
    numbers = dict.fromkeys(("attempts", "tokens_in", "cached", "output"), pl.Int64)
    return pl.DataFrame(
        shown,
        infer_schema_length=None,
        schema_overrides={**numbers, "cost": pl.Float64, "took_s": pl.Float64},
    )


def _config(currency: str, amount: str) -> dict[str, Any]:
    column = st.column_config
    return {
        "started_at": column.DatetimeColumn("Began, UTC", format="D MMM HH:mm:ss", timezone="UTC"),
        "took_s": column.NumberColumn("Took", format="%.1f s", width="small"),
        "task_id": column.TextColumn("Task", width=230),
        "model": column.TextColumn("Model", width=200),
        "state": column.TextColumn("State", width=110),
        "attempts": column.NumberColumn("Attempts", width="small"),
        "tokens_in": column.NumberColumn("Tokens in", format="localized"),
        "cached": column.NumberColumn("of it cached", format="localized"),
        "output": column.NumberColumn("Tokens out", format="localized"),
        "cost": column.NumberColumn(f"Cost, {currency}", format=amount),
        "workload": column.TextColumn("Workload"),
        "tier": column.TextColumn("Tier", width="small"),
    }
