"""Task search: task trees by id or by how it begins, and those of the range that cost most, are newest or largest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import streamlit as st

from dashboard import board, frame, grid, look, session
from dashboard.services import Answer
from dashboard.view import View

from .. import choosing

__all__ = [
    "EVER",
    "FATES",
    "box",
    "listed",
    "matches",
    "notice",
    "opened",
    "order",
    "table",
    "the_one",
    "when",
]

# Of a task's id nobody says when it ran: it is looked for in all that is kept.
EVER = {"from": "2000-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
# How a tree ended, as docs/unit-costs.md has it: a glyph and a word.
FATES: Mapping[str, str] = {
    "succeeded": "● succeeded",
    "failed": "✕ failed",
    "stopped": "■ stopped",
    "abandoned": "◇ abandoned",
    "open": "▶ not ended",
    "unknown": "○ end not told",
}
_ORDERS = {"cost": "Dearest", "recent": "Newest", "calls": "Most calls"}
_WORDS = {
    "cost": "the dearest first",
    "recent": "the last call first",
    "calls": "those with most calls first",
}
_AGE_S = 5.0
_TOP = "100"


def box(view: View) -> None:
    """The search: what is typed stands in the URL."""
    key = f"search-{st.session_state.get('steps', 0)}"
    typed = st.text_input(
        "Find a task",
        value=view.task or "",
        key=key,
        placeholder="Task id, or how it begins",
        icon=":material/search:",
        max_chars=256,
        label_visibility="collapsed",
        width=420,
    ).strip()
    if typed != (view.task or ""):
        opened(view, typed or None, None)


def opened(view: View, task: str | None, tenant: str | None, at: str | None = None) -> None:
    """Show a tree, or all of them where none is named."""
    frame.go(view.but(task=task, of=tenant, at=at, branch=None, shown=None, drawn=None))


def matches(view: View) -> Answer:
    """Trees in which a task's id begins with what is looked for, of whatever time; filters do not hold."""
    find = view.task or ""
    asked = {**EVER, "find": find, "order": "recent", "top": _TOP}
    with st.spinner("Looking for the task"):
        return session.services().collector.report(
            "task_trees", asked, max_age_s=_AGE_S, topic=f"find {find}"
        )


def the_one(rows: Sequence[Mapping[str, Any]], view: View) -> Mapping[str, Any] | None:
    """The tree that is meant: of the root with that id, of the tenant that is filtered by; or the only one there is."""
    exact = [row for row in rows if row["root_task_id"] == view.task]
    of_tenant = [row for row in exact if row["tenant"] == view.tenant]
    for found in (of_tenant, exact, rows):
        if len(found) == 1:
            return found[0]
    return None


def order(view: View) -> str:
    """In which order trees are listed."""
    return choosing.one_of(view, "order", "Order", _ORDERS)


def listed(view: View, order: str) -> None:
    """The task trees of the range under the filters."""
    asked = view.but(task=None).params(session.now()) | {"order": order, "top": _TOP}
    collector = session.services().collector
    with st.spinner("Reading the task trees"):
        answer = collector.report(
            "task_trees", asked, max_age_s=_AGE_S, topic=f"trees {order} {view.but(task=None).topic}"
        )
    notice(session.away(collector, {"trees": answer}, session.now()) + session.denied(answer, "read"))
    if answer.value is None:
        return
    if not answer.value.num_rows:
        st.html(
            board.empty(
                f"No task made a call in {look.text(view.words)}.",
                "Choose a longer range or fewer filters. Calls of no task are on the page Showback; "
                "<code>with sg.task(...)</code> gives them one.",
            )
        )
        return
    table(view, answer.value, f"Task trees in {look.text(view.words)}", _WORDS[order])


def table(view: View, found: pa.Table, title: str, order: str) -> None:
    """The trees as a table; a row opens its tree."""
    rows = found.to_pylist()
    shown = [row for row in rows if not row["rest"]]
    trees, told = sum(row["trees"] for row in rows), _together(shown)
    whole = f"{look.count(len(shown))} of {look.count(trees)}" if len(shown) < trees else look.count(trees)
    of_all = f" of {_together(rows)}" if len(shown) < trees else ""
    chosen = grid.show(
        found,
        name="task-trees",
        title=title,
        aside=f"{whole}, {order}: {told}{of_all}. Choose one to open it.",
        basis="estimated",
        drawn=drawn(shown + [row for row in rows if row["rest"]]),
        config=config(rows),
        select=True,
    )
    if chosen is not None and not rows[chosen]["rest"]:
        opened(view, rows[chosen]["root_task_id"], rows[chosen]["tenant"])


def drawn(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """What the grid shows of trees; the row of all others has no names."""
    shown = [
        {
            "task": f"(all {look.count(row['trees'])} others)" if row["rest"] else row["root_task_id"],
            "workload": "" if row["rest"] else _name(row, "workload"),
            "tenant": "" if row["rest"] else row["tenant"],
            "cost": None if row["cost"] is None else float(row["cost"]),
            "calls": row["calls"],
            "attempts": row["attempts"],
            "tasks": row["tasks"],
            "depth": row["depth"],
            "fate": FATES.get(row["fate"] or "", ""),
            "first_at": row["first_at"],
            "last_at": row["last_at"],
            "owner": "" if row["rest"] else _name(row, "owner"),
            "tier": "" if row["rest"] else _name(row, "tier"),
            "unknown": (row["unpriced_calls"] + row["incomplete_calls"]) or None,
        }
        for row in rows
    ]
    numbers = {"cost": pl.Float64, **dict.fromkeys(("tasks", "depth", "unknown"), pl.Int64)}
    return pl.DataFrame(shown, infer_schema_length=None, schema_overrides=numbers)


def config(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How the grid writes what `drawn` makes."""
    column = st.column_config
    currency = next((row["currency"] for row in rows if row["currency"]), "USD")
    return {
        "task": column.TextColumn("Root task", width=260),
        "workload": column.TextColumn("Workload", width=150),
        "tenant": column.TextColumn("Tenant", width=130),
        "cost": column.NumberColumn(
            f"Cost, {currency}", format=grid.amounts(currency, [row["cost"] for row in rows])
        ),
        "calls": column.NumberColumn("Calls", format="localized", width=72),
        "attempts": column.NumberColumn("Attempts", format="localized", width=84),
        "tasks": column.NumberColumn("Tasks", format="localized", width=66),
        "depth": column.NumberColumn("Depth", width=66),
        "fate": column.TextColumn("How it ended", width=120),
        "first_at": when("Started, UTC"),
        "last_at": when("Last call, UTC"),
        "owner": column.TextColumn("Owner", width=120),
        "tier": column.TextColumn("Tier", width=100),
        "unknown": column.NumberColumn(
            "Unknown cost", help="Calls that are unpriced or incomplete", width=110
        ),
    }


def notice(told: str) -> None:
    """What is wrong with what is shown, if anything is."""
    if told:
        st.html(told)


def when(title: str) -> Any:
    """A column of instants."""
    return st.column_config.DatetimeColumn(title, format="D MMM HH:mm:ss", timezone="UTC")


def _name(row: Mapping[str, Any], name: str) -> str:
    return grid.NAMES[name] if row[name] is None else str(row[name])


def _together(rows: Sequence[Mapping[str, Any]]) -> str:
    """What rows come to, a sum for each currency."""
    sums: dict[str, Decimal] = {}
    for row in rows:
        if row["cost"] is not None:
            sums[row["currency"]] = sums.get(row["currency"], Decimal(0)) + row["cost"]
    return " + ".join(
        look.money(amount, currency) for currency, amount in sorted(sums.items())
    ) or look.money(None)
