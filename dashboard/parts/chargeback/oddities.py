"""Oddities: tasks in a loop, and hours that cost far more than usual, in short; a row opens its task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import pyarrow as pa
import streamlit as st

from dashboard import board, frame, grid, look
from dashboard.view import View

__all__ = ["show"]

_TASKS = "views/tasks.py"
_GLYPHS: Mapping[str, str] = {"spike": "▲ spike", "shift": "◆ shift", "new": "● new", "stopped": "○ stopped"}
_SURE: Mapping[str, str] = {"sure": "■ sure", "likely": "▲ likely", "possible": "○ possible"}


def show(view: View, loops: pa.Table | None, anomalies: pa.Table | None) -> None:
    """Both tables."""
    if loops is not None:
        _loops(view, loops)
    if anomalies is not None:
        _anomalies(view, anomalies)


def _loops(view: View, table: pa.Table) -> None:
    if not table.num_rows:
        grid.heading("Loops", "tasks that make the same call over and over")
        st.html(board.empty("No task in a loop.", "Ten calls alike in a row would be looked at."))
        return
    rows = table.to_pylist()
    column = st.column_config
    place = grid.show(
        table,
        name="loops",
        title="Loops",
        aside="tasks that make the same call over and over; select one to open it",
        basis="estimated",
        drawn=_of_loops(rows),
        config={
            "task_id": column.TextColumn("Task", width="medium"),
            "confidence": column.TextColumn("How sure", width="small"),
            "who": column.TextColumn("Tenant / workload", width="medium"),
            "owner": column.TextColumn("Owner"),
            "excess_cost": column.NumberColumn("Cost of repeats", format="%.4f"),
            "cost": column.NumberColumn("Cost", format="%.4f"),
            "currency": column.TextColumn("Currency", width="small"),
            "last_at": column.DatetimeColumn("Last call, UTC", format="D MMM HH:mm:ss", timezone="UTC"),
            "finding": column.TextColumn("Finding", width="large"),
        },
        select=True,
    )
    if place is not None:
        _open(view, rows[place])


def _of_loops(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    shown = [
        {
            "confidence": _SURE.get(row["confidence"], row["confidence"]),
            "task_id": row["task_id"],
            "who": _who(row),
            "owner": row["owner"] or grid.NAMES["owner"],
            "excess_cost": None if row["excess_cost"] is None else float(row["excess_cost"]),
            "cost": None if row["cost"] is None else float(row["cost"]),
            "currency": row["currency"],
            "last_at": row["last_at"],
            "finding": row["finding"],
        }
        for row in rows
    ]
    return pl.DataFrame(
        shown, infer_schema_length=None, schema_overrides={"cost": pl.Float64, "excess_cost": pl.Float64}
    )


def _anomalies(view: View, table: pa.Table) -> None:
    if not table.num_rows:
        grid.heading("Anomalies", "hours that cost far more than a workload usually does then")
        st.html(
            board.empty(
                "Nothing unusual.", "A workload needs a week of calls before anything is usual for it."
            )
        )
        return
    rows = table.to_pylist()
    column = st.column_config
    place = grid.show(
        table,
        name="anomalies",
        title="Anomalies",
        aside="hours unlike a workload's usual ones; select one to see the tasks of that time",
        basis="estimated",
        drawn=_of_anomalies(rows),
        config={
            "kind": column.TextColumn("Kind", width="small"),
            "who": column.TextColumn("Tenant / workload", width="medium"),
            "owner": column.TextColumn("Owner"),
            "started_at": column.DatetimeColumn("From, UTC", format="D MMM HH:mm", timezone="UTC"),
            "hours": column.NumberColumn("Hours", format="localized"),
            "actual": column.NumberColumn("Cost", format="%.4f"),
            "expected": column.NumberColumn("Usual", format="%.4f"),
            "impact": column.NumberColumn("Difference", format="%+.4f"),
            "currency": column.TextColumn("Currency", width="small"),
            "cause": column.TextColumn("Cause", width="small"),
            "evidence": column.TextColumn("Evidence", width="large"),
        },
        select=True,
    )
    if place is not None:
        _open(view, rows[place])


def _of_anomalies(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    amounts = ("actual", "expected", "impact")
    shown = [
        {
            "kind": _GLYPHS.get(row["kind"], row["kind"]),
            "who": _who(row),
            "owner": row["owner"] or grid.NAMES["owner"],
            "started_at": row["started_at"],
            "hours": row["hours"],
            **{name: None if row[name] is None else float(row[name]) for name in amounts},
            "currency": row["currency"],
            "cause": row["cause"],
            "evidence": row["evidence"],
        }
        for row in rows
    ]
    return pl.DataFrame(shown, infer_schema_length=None, schema_overrides=dict.fromkeys(amounts, pl.Float64))


def _open(view: View, row: Mapping[str, Any]) -> None:
    """The task, or the tasks of the workload at that time, on the page of tasks."""
    wanted = view.but(**dict.fromkeys(view.more)).but(tenant=row["tenant"], workload=row["workload"] or "")
    if row.get("task_id") and "confidence" in row:
        wanted = wanted.but(task=row["task_id"])
    elif row.get("started_at") and row.get("ended_at"):
        wanted = wanted.but(start=row["started_at"], stop=row["ended_at"], task=row.get("task_id"))
    frame.go(wanted, page=_TASKS)


def _who(row: Mapping[str, Any]) -> str:
    return f"{look.tidy(row['tenant'])} / {look.tidy(row['workload'] or grid.NAMES['workload'])}"
