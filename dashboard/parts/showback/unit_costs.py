"""Unit costs: what a task, a success, 1,000 calls and a user cost, and what became of it (docs/unit-costs.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from dashboard import board, grid, look, session
from dashboard.charts.units import unit_trend
from dashboard.services import Answer
from dashboard.view import View

from .. import retrying
from ..choosing import one_of
from . import figures, levels
from .levels import GROUPS

__all__ = ["units"]

_AGE_S = 15.0
# The report reads call by call: a million take half a second.
_WAIT_S = 8.0
_UNITS: Mapping[str, str] = {
    "cost_per_task": "A task",
    "cost_per_success": "A success",
    "cost_per_1000_calls": "1,000 calls",
    "cost_per_user": "A user",
    "cost_of_task_p50": "p50 of a task",
    "cost_of_task_p95": "p95 of a task",
}
_BY = ("tenant", "workload", "owner", "cost_centre", "tier", "model", "provider")
_PARTS: Mapping[str, str] = {
    "no_task": "calls outside any task",
    "overflow": "tasks over the cap on names",
    "deleted": "calls whose details were deleted",
}
_TASKS = "tasks"
_TOTAL = ""
_KEYS = frozenset({"grouped_by", "bucket"})
_NOTHING = (
    "A task counts here once it made a call in the range and the SDK, or a span of your own, says how it ended: "
    "docs/unit-costs.md and docs/agents.md say how."
)
_TITLES = {
    "tasks": "Tasks",
    "succeeded": "Succeeded",
    "failed": "Failed",
    "stopped": "Stopped",
    "abandoned": "Abandoned",
    "open": "Open",
    "unknown": "End not told",
    "users": "Users",
    "calls": "Calls",
    "retry_attempts": "Retried attempts",
    "unpriced_calls": "Unpriced",
    "incomplete_calls": "Incomplete",
}
_AMOUNTS = {
    "cost": "Cost",
    "cost_per_task": "A task",
    "cost_of_task_p50": "p50 of a task",
    "cost_of_task_p95": "p95 of a task",
    "cost_per_success": "A success",
    "cost_per_1000_calls": "1,000 calls",
    "cost_per_user": "A user",
    "retry_cost_at_most": "Retries, at most",
    "abandoned_cost": "Came to nothing",
}
Row = Mapping[str, Any]


def units(view: View) -> None:
    """The tab."""
    offered = {name: GROUPS[name].one for name in _BY if name not in levels.filters(view)}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="unit-switches"):
        group = one_of(view, "units_by", "Group by", offered)
        unit = one_of(view, "unit", "Trend of the cost of", _UNITS)
    now = session.now()
    answers = _ask(view, group, now)
    notice = session.away(session.services().collector, answers, now)
    if notice:
        st.html(notice)
        retrying.until_it_answers()
    total = _rows(answers, "now", _TOTAL)
    if total is None:
        st.html(
            board.empty("Nothing can be shown yet.", "The collector has not answered since this page opened.")
        )
        return
    whole, basis = _of_tasks(total), figures.basis(view, now)
    if whole is None:
        st.html(board.empty("No task in this range.", _NOTHING))
    else:
        before = _rows(answers, "before", _TOTAL)
        # Of a range before that nobody told of, it is not known that there was nothing.
        compared = view.compare and before is not None
        st.html(board.figures(cells(whole, _of_tasks(before), compared=compared, basis=basis)))
    left_out = outside(total)
    if left_out:
        st.html(left_out)
    if whole is not None:
        _trend(view, unit, answers, now, whole["currency"] or "USD", basis)
        _table(group, answers, basis)


def cells(row: Row, before: Row | None, *, compared: bool, basis: str) -> list[tuple[str, str, str]]:
    """The headline: each unit with how many there are, or what became of it since the range before."""
    currency, tasks = row["currency"], row["tasks"]

    def cell(name: str, title: str, words: str) -> tuple[str, str, str]:
        against = look.change(row[name], before[name] if before else Decimal(0))
        return title, look.money(row[name], currency), against if compared else words

    ended = sum(row[each] for each in ("succeeded", "failed", "stopped", "abandoned"))
    told = f"{look.count(row['succeeded'])} of {look.count(ended)} that ended" if ended else "no end was told"
    return [
        cell("cost_per_task", f"Cost of a task{figures.mark(basis)}", f"{look.count(tasks)} tasks"),
        cell("cost_of_task_p50", "p50 of a task", "half cost at most this"),
        cell("cost_of_task_p95", "p95 of a task", "95 in 100 cost at most this"),
        cell("cost_per_success", "Cost of a success", told),
        cell("cost_per_1000_calls", "Cost of 1,000 calls", f"{look.count(row['calls'])} calls of tasks"),
        cell("cost_per_user", "Cost of a user", f"{look.count(row['users'])} users"),
        cell(
            "abandoned_cost",
            "Came to nothing",
            f"{look.percent(row['abandoned_cost'], row['cost'])} of the cost",
        ),
        cell(
            "retry_cost_at_most", "Retries, at most", f"{look.count(row['retry_attempts'])} retried attempts"
        ),
    ]


def outside(table: pa.Table) -> str:
    """A line on calls that are of no task, or of none that can be told: they are in none of these figures."""
    told = [
        f"{look.count(row['calls'])} {_PARTS[row['part']]} ({look.money(row['cost'], row['currency'])})"
        for row in table.to_pylist()
        if row["part"] in _PARTS and row["calls"]
    ]
    return f'<div class="sg sg-note">Beside these: {"; ".join(told)}.</div>' if told else ""


def _ask(view: View, group: str, now: datetime) -> dict[str, Answer]:
    """The total, its trend and the rows of the table in one report, which puts calls together to tasks once."""
    both = session.services()
    bucket, _ = view.bucket

    def report(*groupings: str, before: bool = False) -> Callable[[], Answer]:
        by = ";".join(groupings)
        asked = levels.params(view, now, before=before) | {"by": by}
        topic = f"unit_costs {before} {levels.topic(view)} {by}"
        return lambda: both.collector.report(
            "unit_costs", asked, max_age_s=_AGE_S, topic=topic, timeout_s=_WAIT_S
        )

    questions = {"now": report(_TOTAL, bucket, group)}
    if view.compare:
        questions["before"] = report(_TOTAL, bucket, before=True)
    return both.together(questions)


def _rows(answers: Mapping[str, Answer], when: str, grouping: str) -> pa.Table | None:
    """The rows of one grouping; None where the report is not there."""
    table = answers[when].value if when in answers else None
    return None if table is None else table.filter(pc.equal(table["grouped_by"], grouping))


def _of_tasks(table: pa.Table | None) -> Row | None:
    """The row of the tasks of a report that is grouped by nothing; None where there is no task."""
    rows = table.to_pylist() if table is not None else []
    return next((row for row in rows if row["part"] == _TASKS), None)


def in_buckets(
    table: pa.Table, unit: str, start: datetime, stop: datetime, bucket_s: int
) -> tuple[list[datetime], list[float | None]]:
    """A unit's cost in each bucket of a range; None where there is none, or it is not known."""
    step = timedelta(seconds=bucket_s)
    first = start - timedelta(seconds=start.timestamp() % bucket_s)
    buckets = [first + place * step for place in range(max(1, -(-(stop - first) // step)))]
    costs = {row["bucket"]: row[unit] for row in table.to_pylist() if row["part"] == _TASKS}
    found = [costs.get(bucket) for bucket in buckets]
    return buckets, [None if cost is None else float(cost) for cost in found]


def _trend(
    view: View, unit: str, answers: Mapping[str, Answer], now: datetime, currency: str, basis: str
) -> None:
    grid.heading("Over time", f"{_UNITS[unit].lower()}, {look.text(currency)}, UTC", basis=basis)
    start, stop = view.span(now)
    bucket, bucket_s = view.bucket
    table, earlier = _rows(answers, "now", bucket), _rows(answers, "before", bucket)
    buckets, values = in_buckets(table, unit, start, stop, bucket_s) if table is not None else ([], [])
    if not any(value is not None for value in values):
        st.html(board.empty("Nothing to draw.", "In no part of this range is it known."))
        return
    before = None
    if earlier is not None:
        begun = view.before(now)[0]
        before = in_buckets(earlier, unit, begun, begun + (stop - start), bucket_s)[1]
    figure = unit_trend(
        buckets,
        values,
        session.palette(),
        name=_UNITS[unit].lower(),
        unit=currency,
        bucket_s=bucket_s,
        before=before,
    )
    alt = f"Cost of {_UNITS[unit].lower()} over time"
    st.plotly_chart(figure, theme=None, config=session.PLOT, key="unit-trend", alt=alt)


def _table(group: str, answers: Mapping[str, Answer], basis: str) -> None:
    table = _rows(answers, "now", group)
    if table is None:
        return
    table = table.select([group, *(name for name in table.column_names if name not in _KEYS | {group})])
    grid.show(
        table,
        name=f"unit-costs-by-{group}",
        title=GROUPS[group].many,
        aside="a task may be in several rows; calls outside of tasks are rows of their own",
        basis=basis,
        drawn=_drawn(table, group),
        config=_config(table, group),
        order=[group, "what", *(name for name in (*_AMOUNTS, *_TITLES) if name != "unknown"), "unknown"],
    )


def _drawn(table: pa.Table, group: str) -> pl.DataFrame:
    rows: Sequence[Row] = table.to_pylist()
    names = [grid.named(group, row[group]) for row in rows]
    parts = [_PARTS.get(row["part"], _TASKS) for row in rows]
    return (
        pl.DataFrame(table)
        .with_columns(pl.Series(group, names), pl.Series("what", parts))
        .with_columns(pl.col(name).cast(pl.Float64) for name in _AMOUNTS)
    )


def _config(table: pa.Table, group: str) -> dict[str, Any]:
    currency = next((each for each in table["currency"].to_pylist() if each), "USD")
    number = st.column_config.NumberColumn
    every = [value for name in _AMOUNTS if name != "cost" for value in table[name].to_pylist()]
    small, whole = grid.amounts(currency, every), grid.amounts(currency, table["cost"].to_pylist())
    return {
        group: st.column_config.TextColumn(GROUPS[group].one, width="medium"),
        "what": st.column_config.TextColumn("Of", width="small"),
        **{name: number(title, format=small) for name, title in _AMOUNTS.items()},
        "cost": number(f"Cost, {currency}", format=whole),
        **{name: number(title, format="localized") for name, title in _TITLES.items()},
    }
