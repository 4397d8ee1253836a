"""Answer cache: what answers that were given before saved, net of wrong ones, and what watching says they would."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import streamlit as st

from dashboard import board, grid, look, session
from dashboard.services import Answer
from dashboard.view import View

from ..choosing import one_of
from . import levels
from .levels import GROUPS

__all__ = ["answer_cache", "cells", "drawn"]

_AGE_S = 15.0
_WAIT_S = 8.0
_BY = ("workload", "tenant", "model", "owner", "cost_centre", "tier", "provider")
_NOTHING = (
    "No call of this range asked a cache of answers. <code>cache=&quot;shadow&quot;</code> in an agent's client, or "
    "<code>mode: shadow</code> in the policy file, measures without serving anything: docs/semantic-cache-savings.md."
)
_COUNTS: Mapping[str, str] = {
    "requests": "Requests",
    "exact": "Same request",
    "semantic": "Same meaning",
    "audits": "Audited",
    "audit_different": "Audited, wrong",
    "shadows": "In shadow",
    "shadow_different": "In shadow, wrong",
    "unknown": "Not priced",
}
_AMOUNTS: Mapping[str, str] = {
    "net": "Saved, net",
    "saved": "Would have cost",
    "wrong": "Wrong",
    "wrong_at_most": "Wrong, at most",
    "unjudged": "Not judged",
    "shadow_net": "Shadow would save",
}
Row = Mapping[str, Any]
Cell = tuple[str, str, str]


def answer_cache(view: View) -> None:
    """The tab."""
    asked = {name: value for name, value in levels.filters(view).items() if name in _BY}
    if len(asked) < len(levels.filters(view)):
        st.html(board.empty("Not of one task.", "What a cache saves is told of workloads: go one level up."))
        return
    offered = {name: GROUPS[name].one for name in _BY if name not in asked}
    group = one_of(view, "cache_by", "Group by", offered)
    now = session.now()
    answers = _ask(view, group, now)
    notice = session.away(session.services().collector, answers, now)
    if notice:
        st.html(notice)
    total, rows = answers["total"].value, answers["rows"].value
    if total is None or rows is None:
        st.html(
            board.empty("Nothing can be shown yet.", "The collector has not answered since this page opened.")
        )
    elif not total.num_rows:
        st.html(board.empty("No cache in this range.", _NOTHING))
    else:
        (whole,) = total.to_pylist()
        st.html(board.figures(cells(whole)))
        grid.show(
            rows,
            name=f"answer-cache-by-{group}",
            title=GROUPS[group].many,
            aside="nothing of it is cost, revenue or credit",
            drawn=drawn(rows, group),
            config=_config(rows, group),
            order=[group, "hits", *_AMOUNTS, *_COUNTS],
        )


def cells(row: Row) -> list[Cell]:
    """The headline: what was saved and how much of it is sure, how often there was an answer, what shadows saw."""
    currency = row["currency"] or "USD"
    served = row["exact"] + row["semantic"]
    asked = served + row["missed"] + row["audits"]
    judged = row["audit_same"] + row["audit_different"]
    shadow_judged = row["shadow_same"] + row["shadow_different"]
    return [
        ("Saved, net", look.money(row["net"], currency), "not billed, and no revenue"),
        (
            "Answered from the cache",
            _share(served, asked),
            f"{look.count(served)} of {look.count(asked)}, {look.count(row['semantic'])} by meaning",
        ),
        (
            "Would have cost",
            look.money(row["saved"], currency),
            f"of {look.count(row['unknown'])} it is not known"
            if row["unknown"]
            else "at the prices of their time",
        ),
        (
            "Wrong answers, taken off",
            look.money(row["wrong"], currency),
            f"at most {look.money(row['wrong_at_most'], currency)}; {look.count(judged)} were judged"
            if judged
            else "no audit was judged: not known",
        ),
        ("Not judged, not counted", look.money(row["unjudged"], currency), "semantic answers without audits"),
        (
            "Audits",
            look.money(row["audit_cost"], currency),
            f"{look.count(row['audits'])} asked all the same, and paid",
        ),
        (
            "Shadow would have saved",
            look.money(row["shadow_net"], currency),
            f"{look.count(row['shadows'])} answers to serve, nothing served",
        ),
        (
            "Wrong in shadow",
            _share(row["shadow_different"], shadow_judged),
            f"{look.count(row['shadow_different'])} of {look.count(shadow_judged)} judged",
        ),
    ]


def drawn(table: pa.Table, group: str) -> pl.DataFrame:
    """What the grid shows of the report."""
    rows: list[Row] = table.to_pylist()
    hits = []
    for row in rows:
        served = row["exact"] + row["semantic"]
        asked = served + row["missed"] + row["audits"]
        hits.append(100 * served / asked if asked else None)
    return (
        pl.DataFrame(table)
        .with_columns(
            pl.Series(group, [grid.named(group, row[group]) for row in rows], dtype=pl.String),
            pl.Series("hits", hits, dtype=pl.Float64),
        )
        .with_columns(pl.col(name).cast(pl.Float64) for name in _AMOUNTS)
    )


def _share(part: int, whole: int) -> str:
    return look.percent(Decimal(part), Decimal(whole))


def _ask(view: View, group: str, now: datetime) -> dict[str, Answer]:
    both = session.services()

    def report(**more: str) -> Callable[[], Answer]:
        asked = levels.params(view, now) | more
        topic = f"answer_cache {levels.topic(view)} {sorted(more.items())}"
        return lambda: both.collector.report(
            "answer_cache", asked, max_age_s=_AGE_S, topic=topic, timeout_s=_WAIT_S
        )

    return both.together({"total": report(), "rows": report(by=group)})


def _config(table: pa.Table, group: str) -> dict[str, Any]:
    column = st.column_config
    currency = next((each for each in table["currency"].to_pylist() if each), "USD")
    format_ = grid.amounts(currency, [each for name in _AMOUNTS for each in table[name].to_pylist()])
    return {
        group: column.TextColumn(GROUPS[group].one, width="medium"),
        "hits": column.NumberColumn("Answered", format="%.1f %%", width="small"),
        **{name: column.NumberColumn(title, format=format_) for name, title in _AMOUNTS.items()},
        **{name: column.NumberColumn(title, format="localized") for name, title in _COUNTS.items()},
    }
