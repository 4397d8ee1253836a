"""Where it goes: cost from all tenants down to one call, as areas, over time and as a ranked table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import streamlit as st

from dashboard import board, frame, grid, look, session
from dashboard.charts.areas import treemap
from dashboard.charts.spend import stacked
from dashboard.charts.trends import Trend, trend_of
from dashboard.services import Answer
from dashboard.view import View

from .. import retrying
from ..choosing import one_of
from . import calls_of_task, figures, levels, ranked, ranked_grid, saved
from .levels import GROUPS, MEASURES

__all__ = ["where"]

_AGE_S = 15.0
_TOP = "100"
# What is listed by itself, not summed: the report of that name, and how many of it.
_LISTS = {"task": "100", "call": "500"}
_DRAWN = 7
_HEIGHT = 340
_EACH = {
    "10s": "in 10 s",
    "minute": "a minute",
    "5m": "in 5 min",
    "15m": "in 15 min",
    "hour": "an hour",
    "6h": "in 6 h",
    "day": "a day",
}
_NOTHING = (
    "Choose a longer range. A call shows here within seconds once an agent sends its span to the collector: "
    "docs/agents.md says how, and <code>switchgear demo --history 90d</code> makes up a company."
)
_NO_COST = "All calls of this range are unpriced or incomplete: the table has them."


def where(view: View) -> None:
    """The tab."""
    _way(view)
    group, measure = _switches(view)
    now = session.now()
    answers = _ask(view, group, now)
    notice = session.away(session.services().collector, answers, now)
    if notice:
        st.html(notice)
        retrying.until_it_answers()
    found = answers["list" if group in _LISTS else "spend"].value
    if found is None or answers["spend"].value is None:
        st.html(
            board.empty("Nothing can be shown yet.", "The collector has not answered since this page opened.")
        )
        return
    rows, total = _rows(view, group, measure, now, answers)
    basis = figures.basis(view, now)
    st.html(
        board.figures(
            figures.cells(total, compared=view.compare, basis=basis, savings=saved.figure(view, now))
        )
    )
    coverage = answers["coverage"].value
    over_cap = figures.over_cap(coverage["overflow_calls"][0].as_py()) if coverage is not None else ""
    if over_cap:
        st.html(over_cap)
    if not total.calls and not rows:
        way_out = "Choose a longer range, or go one level up." if levels.filters(view) else _NOTHING
        st.html(board.empty("No calls in this range.", way_out))
        return
    left, right = st.columns([1, 1.35], gap="medium")
    with left:
        _areas(view, group, measure, total, answers)
    with right:
        _trend(view, group, measure, total, answers, now)
    if group == "call":
        calls_of_task.show(view, found, basis)
    else:
        _table(view, group, measure, rows, total, basis)


def _way(view: View) -> None:
    """Where the reader stands, each level a way back; and what no list above the page shows of the filters."""
    way = levels.crumbs(view)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="crumbs"):
        for place, crumb in enumerate(way):
            words = crumb.name if crumb.kind == "all" else grid.named(crumb.kind, crumb.name)
            if place == len(way) - 1:
                st.html(f'<span class="sg sg-here">{look.text(words)}</span>', width="content")
                continue
            if st.button(look.label(words), key=f"crumb-{place}", type="tertiary"):
                frame.go(crumb.view)
            st.html('<span class="sg sg-soft">/</span>', width="content")
        for crumb in levels.beside(view):
            words = f"{GROUPS[crumb.kind].one}: {grid.named(crumb.kind, crumb.name)}"
            if st.button(f"{look.label(words)} ✕", key=f"drop-{crumb.kind}", help="Take this filter away"):
                frame.go(crumb.view)


def _switches(view: View) -> tuple[str, str]:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="switches"):
        offered = {name: GROUPS[name].one for name in levels.groups(view)}
        group = one_of(view, "group", "Group by", offered, default=levels.group_of(view.but(group=None)))
        measure = one_of(view, "measure", "Measure", MEASURES)
    return group, measure


def _ask(view: View, group: str, now: datetime) -> dict[str, Answer]:
    both = session.services()
    bucket, _ = view.bucket

    def report(name: str, *, before: bool = False, **more: str) -> Callable[[], Answer]:
        asked = levels.params(view, now, before=before) | more
        topic = f"{name} {before} {levels.topic(view)} {sorted(more.items())}"
        return lambda: both.collector.report(name, asked, max_age_s=_AGE_S, topic=topic)

    questions = {
        "nested": report("spend", by=",".join(GROUPS[group].nested)),
        "trend": report("timeline", by=_trend_by(group), bucket=bucket, top=_TOP),
        "coverage": report("coverage"),
    }
    # The sum of the rows is the total, where the rows have all that the headline tells.
    by = "" if group in _LISTS else group
    questions["spend"] = report("spend", by=by)
    if group in _LISTS:
        questions["list"] = report(f"{group}s", top=_LISTS[group])
    if view.compare:
        questions["spend_before"] = report("spend", before=True, by=by)
        questions["trend_before"] = report("timeline", before=True, by="provider", bucket=bucket, top="1")
    return both.together(questions)


def _trend_by(group: str) -> str:
    return "model" if group in _LISTS else group


def _rows(
    view: View, group: str, measure: str, now: datetime, answers: Mapping[str, Answer]
) -> tuple[list[ranked.Row], ranked.Row]:
    """The rows of the table, and their total. The calls of a task have a table of their own."""
    spend, before = answers["spend"].value, _value(answers, "spend_before")
    whole = ranked.total_of(spend, before)
    if group == "call":
        return [], whole
    trends = _series(view, measure, now, answers) if _trend_by(group) == group else None
    if group in _LISTS:
        rows = ranked.rows_of(answers["list"].value, group)
    else:
        rows = ranked.rows_of(spend, group, before, trends.series if trends else {})
    return ranked.by_measure(rows, measure), replace(whole, trend=trends.whole if trends else ())


def _value(answers: Mapping[str, Answer], name: str) -> pa.Table | None:
    return answers[name].value if name in answers else None


def _series(
    view: View, measure: str, now: datetime, answers: Mapping[str, Answer], top: int | None = None
) -> Trend | None:
    timeline = answers["trend"].value
    start, stop = view.span(now)
    return None if timeline is None else trend_of(timeline, measure, start, stop, view.bucket[1], top)


def _unit(measure: str, total: ranked.Row) -> str:
    return (total.currency or "USD") if measure == "cost" else measure


def _written(size: float, measure: str, unit: str) -> str:
    return look.money(Decimal(str(size)), unit) if measure == "cost" else look.count(round(size))


def _areas(view: View, group: str, measure: str, total: ranked.Row, answers: Mapping[str, Answer]) -> None:
    outer, inner = GROUPS[group].nested
    unit = _unit(measure, total)
    known = "known cost" if measure == "cost" else measure
    grid.heading(
        "Shares",
        f"area: {known}{f' in {look.text(unit)}' if measure == 'cost' else ''}, "
        f"{GROUPS[outer].one.lower()} then {GROUPS[inner].one.lower()}; choose one to open it",
    )
    nested = answers["nested"].value
    sizes = [] if nested is None else ranked.sizes(nested, (outer, inner), measure)
    if not any(size for _, _, size in sizes):
        st.html(board.empty("No known cost to draw.", _NO_COST))
        return
    areas = treemap(
        sizes,
        session.palette(),
        shown=(lambda name: grid.named(outer, name), lambda name: grid.named(inner, name)),
        root="all",
        written=lambda size: _written(size, measure, unit),
        height=_HEIGHT,
    )
    event: Any = st.plotly_chart(
        areas.figure,
        theme=None,
        config=session.PLOT,
        key=f"areas-{st.session_state.get('steps', 0)}",
        alt=f"{MEASURES[measure]} as nested areas, by {outer} and {inner}",
        on_select="rerun",
        selection_mode="points",
    )
    points = event["selection"]["points"]
    path = areas.names.get(str(points[0].get("id"))) if points else None
    if path:
        frame.go(levels.narrowed(view, dict(zip((outer, inner), path, strict=False))))


def _trend(
    view: View, group: str, measure: str, total: ranked.Row, answers: Mapping[str, Answer], now: datetime
) -> None:
    by = _trend_by(group)
    unit = _unit(measure, total)
    each = _EACH[view.bucket[0]]
    grid.heading("Over time", f"{MEASURES[measure].lower()} {each} by {GROUPS[by].one.lower()}, UTC")
    trend = _series(view, measure, now, answers, _DRAWN)
    if trend is None or not any(any(values) for values in (*trend.series.values(), trend.rest or ())):
        st.html(board.empty("No known cost to draw.", _NO_COST))
        return
    earlier = _value(answers, "trend_before")
    before = None
    if earlier is not None:
        (first, last), (start, _) = view.span(now), view.before(now)
        before = trend_of(earlier, measure, start, start + (last - first), view.bucket[1]).whole
    figure = stacked(
        trend,
        session.palette(),
        bucket_s=view.bucket[1],
        unit=unit,
        shown=lambda name: grid.named(by, name),
        before=before,
        height=_HEIGHT,
    )
    alt = f"{MEASURES[measure]} over time by {by}"
    st.plotly_chart(figure, theme=None, config=session.PLOT, key="showback-trend", alt=alt)


def _table(
    view: View, group: str, measure: str, rows: list[ranked.Row], total: ranked.Row, basis: str
) -> None:
    what = GROUPS[group]
    is_of_tasks = group == "task"
    compared = view.compare and not is_of_tasks and total.before is not None
    chosen = grid.show(
        ranked.table_of(rows, group, measure, compared=compared),
        name=f"by-{group}",
        title=what.many,
        aside="choose a row to open it"
        + ("; a task has no range before" if view.compare and is_of_tasks else ""),
        basis=basis,
        drawn=ranked_grid.drawn(rows, total, group, measure, compared=compared, many=what.many.lower()),
        config=ranked_grid.config(group, what.one, measure, total, rows),
        totals=1,
        select=True,
    )
    if chosen is not None and not rows[chosen].others:
        frame.go(levels.opened(view, group, rows[chosen].names))
