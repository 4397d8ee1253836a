"""Runaways: what grows now, what cost many times the usual, and what makes the same call again and again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import streamlit as st

from dashboard import board, grid, look, session
from dashboard.services import Answer
from dashboard.view import View

from .. import choosing
from . import task_search

__all__ = ["drawn_beside", "drawn_loops", "show", "times_usual"]

_TIMES = {"3": "3 times", "5": "5 times", "10": "10 times", "30": "30 times"}
_LATELY = timedelta(minutes=15)
_STEP_S = 60
_AGE_S = 10.0
_TOP = "100"
_OF_TREES = ("tenant", "workload", "owner", "tier")
_OF_LOOPS = ("tenant", "workload", "owner", "model")
_SURE: Mapping[str, str] = {"sure": "■ sure", "likely": "▲ likely", "possible": "○ possible"}


def times_usual(view: View) -> str:
    """From how many times the usual cost on a tree is told."""
    return choosing.one_of(view, "times", "Cost beside the usual", _TIMES, "5")


def show(view: View, times: str) -> None:
    """The three tables; a row opens its tree."""
    answers = _ask(view, times)
    now = session.now()
    collector = session.services().collector
    task_search.notice(session.away(collector, answers, now) + session.denied(answers["outliers"], "read"))
    if "growing" in answers:
        _growing(view, answers["growing"])
    _outliers(view, answers["outliers"], times)
    _loops(view, answers["loops"])


def _ask(view: View, times: str) -> dict[str, Answer]:
    services, now = session.services(), session.now()
    whole = view.but(task=None)
    asked = whole.params(now)
    span = {name: asked[name] for name in ("from", "to")}
    of_trees = span | {name: asked[name] for name in _OF_TREES if name in asked} | {"top": _TOP}
    of_loops = span | {name: asked[name] for name in _OF_LOOPS if name in asked}
    minute = datetime.fromtimestamp(now.timestamp() // _STEP_S * _STEP_S, UTC)
    lately = {"since": (minute - _LATELY).isoformat()}

    def report(name: str, params: Mapping[str, str], topic: str) -> Answer:
        return services.collector.report(name, params, max_age_s=_AGE_S, topic=f"{topic} {whole.topic}")

    questions = {
        "outliers": lambda: report("task_outliers", of_trees | {"times": times}, f"outliers {times}"),
        "loops": lambda: report("audit_loops", of_loops, "loops"),
    }
    if view.start is None:
        questions["growing"] = lambda: report("task_outliers", of_trees | lately, "growing")
    with st.spinner("Comparing tasks with the others of their workload"):
        return services.together(questions)


def _growing(view: View, answer: Answer) -> None:
    title, aside = (
        "Growing now",
        "what trees spent in the last 15 minutes, beside what such a tree usually costs",
    )
    if answer.value is None:
        return
    if not answer.value.num_rows:
        grid.heading(title, aside)
        st.html(
            board.empty("No task made a call in the last 15 minutes.", "It shows here as soon as one does.")
        )
        return
    _beside(view, answer.value, name="growing", title=title, aside=aside, recent=True)


def _outliers(view: View, answer: Answer, times: str) -> None:
    title = "Far beyond the usual"
    if answer.value is None:
        return
    if not answer.value.num_rows:
        grid.heading(title)
        st.html(
            board.empty(
                f"No tree cost {look.text(times)} times what is usual in {look.text(view.words)}.",
                "Usual is the median of its workload's trees, where there are five others at the least.",
            )
        )
        return
    rows = answer.value.to_pylist()
    excess: dict[str, Decimal] = {}
    for row in rows:
        excess[row["currency"]] = excess.get(row["currency"], Decimal(0)) + row["excess_cost"]
    beyond = " + ".join(look.money(amount, currency) for currency, amount in sorted(excess.items()))
    trees = f"{look.count(len(rows))} tree{'' if len(rows) == 1 else 's'}"
    aside = (
        f"{trees} of at least {look.text(times)} times the median of their workload; at the median they would have "
        f"cost {beyond} less"
    )
    _beside(view, answer.value, name="outliers", title=title, aside=aside, recent=False)


def _beside(view: View, found: pa.Table, *, name: str, title: str, aside: str, recent: bool) -> None:
    rows = found.to_pylist()
    chosen = grid.show(
        found,
        name=name,
        title=title,
        aside=aside,
        basis="estimated",
        drawn=drawn_beside(rows, recent=recent),
        config=_beside_config(rows),
        select=True,
    )
    if chosen is not None:
        task_search.opened(view, rows[chosen]["root_task_id"], rows[chosen]["tenant"])


def drawn_beside(rows: Sequence[Mapping[str, Any]], *, recent: bool) -> pl.DataFrame:
    """What the grid shows of trees beside the usual one; what nothing is known of stays empty."""
    shown = []
    for row in rows:
        lately = (
            {"recent_cost": _float(row["recent_cost"]), "recent_calls": row["recent_calls"]} if recent else {}
        )
        shown.append(
            {
                "task": row["root_task_id"],
                "workload": row["workload"] or grid.NAMES["workload"],
                "tenant": row["tenant"],
                **lately,
                "cost": _float(row["cost"]),
                "usual_cost": _float(row["usual_cost"]),
                "times_usual": row["times_usual"],
                "excess_cost": _float(row["excess_cost"]),
                "calls": row["calls"],
                "usual_calls": row["usual_calls"],
                "tasks": row["tasks"],
                "unknown": (row["unpriced_calls"] + row["incomplete_calls"]) or None,
                "first_at": row["first_at"],
                "last_at": row["last_at"],
                "owner": row["owner"] or grid.NAMES["owner"],
            }
        )
    amounts = ("recent_cost", "cost", "usual_cost", "times_usual", "excess_cost")
    numbers = {name: pl.Float64 for name in amounts if recent or name != "recent_cost"}
    return pl.DataFrame(shown, infer_schema_length=None, schema_overrides={**numbers, "unknown": pl.Int64})


def _beside_config(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    column = st.column_config
    currency = next((row["currency"] for row in rows if row["currency"]), "USD")
    amount = grid.amounts(currency, [row["cost"] for row in rows])
    return {
        "task": column.TextColumn("Root task", width=250),
        "workload": column.TextColumn("Workload", width=150),
        "tenant": column.TextColumn("Tenant", width=130),
        "recent_cost": column.NumberColumn(f"Last 15 min, {currency}", format=amount),
        "recent_calls": column.NumberColumn("Calls in 15 min", format="localized"),
        "cost": column.NumberColumn(f"Cost, {currency}", format=amount),
        "usual_cost": column.NumberColumn(
            f"Usual, {currency}", format=amount, help="The median of the workload's trees in this range"
        ),
        "times_usual": column.NumberColumn("Times the usual", format="%.1f"),
        "excess_cost": column.NumberColumn(f"Beyond it, {currency}", format=amount),
        "calls": column.NumberColumn("Calls", format="localized", width="small"),
        "usual_calls": column.NumberColumn("Usual calls", format="localized", width="small"),
        "tasks": column.NumberColumn("Tasks", format="localized", width="small"),
        "unknown": column.NumberColumn(
            "Unknown cost", help="Calls that are unpriced or incomplete", width=110
        ),
        "first_at": task_search.when("Started, UTC"),
        "last_at": task_search.when("Last call, UTC"),
        "owner": column.TextColumn("Owner"),
    }


def _loops(view: View, answer: Answer) -> None:
    title = "The same call again and again"
    aside = "tasks in a loop: calls to one model whose input stays, or grows by the same each time"
    if answer.value is None:
        return
    if not answer.value.num_rows:
        grid.heading(title, aside)
        st.html(
            board.empty(
                f"No task looped in {look.text(view.words)}.", "docs/audits.md says what counts as a loop."
            )
        )
        return
    rows = answer.value.to_pylist()
    chosen = grid.show(
        answer.value,
        name="loops",
        title=title,
        aside=aside,
        basis="estimated",
        drawn=drawn_loops(rows),
        config=_loops_config(rows),
        select=True,
    )
    if chosen is not None:
        row = rows[chosen]
        task_search.opened(view, row["root_task_id"] or row["task_id"], row["tenant"], row["task_id"])


def drawn_loops(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """What the grid shows of loops: how sure it is first, and the evidence in words last."""
    shown = [
        {
            "task": row["task_id"],
            "workload": row["workload"] or grid.NAMES["workload"],
            "tenant": row["tenant"],
            "confidence": _SURE.get(row["confidence"], row["confidence"]),
            "excess_cost": _float(row["excess_cost"]),
            "cost": _float(row["cost"]),
            "typical_cost": _float(row["typical_cost"]),
            "repeated": row["repeated"],
            "gap_s": row["gap_s"],
            "last_at": row["last_at"],
            "finding": row["finding"],
        }
        for row in rows
    ]
    numbers = dict.fromkeys(("excess_cost", "cost", "typical_cost"), pl.Float64)
    return pl.DataFrame(shown, infer_schema_length=None, schema_overrides=numbers)


def _loops_config(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    column = st.column_config
    currency = next((row["currency"] for row in rows if row["currency"]), "USD")
    amount = grid.amounts(currency, [row["cost"] for row in rows])
    return {
        "task": column.TextColumn("Task", width=250),
        "workload": column.TextColumn("Workload", width=150),
        "tenant": column.TextColumn("Tenant", width=130),
        "confidence": column.TextColumn("How sure", width=90),
        "excess_cost": column.NumberColumn(f"Repeats, {currency}", format=amount),
        "cost": column.NumberColumn(f"Cost, {currency}", format=amount),
        "typical_cost": column.NumberColumn(f"Usual, {currency}", format=amount),
        "repeated": column.NumberColumn("Repeated calls", format="localized"),
        "gap_s": column.NumberColumn("Every", format="%.1f s", width="small"),
        "last_at": task_search.when("Last call, UTC"),
        "finding": column.TextColumn("What it did", width="large"),
    }


def _float(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
