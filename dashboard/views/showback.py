"""The Showback page: who caused which cost, from tenant to workload to task; by model, tier and owner."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import streamlit as st

from dashboard import board, charts, drill, grid, look, session
from dashboard.services import Answer

_AGE_S = 5.0
_TOP_TASKS = "100"
_RETRY = "2s"
_NOTHING = (
    "Choose a longer range. A call shows here within seconds once an agent sends its span to the collector."
)
_PLURAL = {"tenant": "Tenants", "workload": "Workloads", "task": "Tasks"}


def page() -> None:
    """The whole page for the place that the URL names."""
    now = session.now()
    place = _controls(drill.Place.from_query(st.query_params.to_dict()))
    answers = _ask(place, now)
    notice = session.away(session.services().collector, answers, now)
    if notice:
        st.html(notice)
        _retry()
    total, before = answers["total"].value, answers["before"].value
    if total is None:
        st.html(
            board.empty("Nothing can be shown yet.", "The collector has not answered since this page opened.")
        )
        return
    row = total.to_pylist()[0]
    currency = row["currency"] or "USD"
    st.html(board.figures(_figures(row, before.to_pylist()[0] if before is not None else {}, currency)))
    if not row["calls"]:
        way_out = "Choose a longer range, or go one level up." if place.path else _NOTHING
        st.html(board.empty("No calls in this range.", way_out))
        return
    _pictures(place, answers, now, currency)
    _table(place, answers, currency)
    _cuts(answers, currency)


def _controls(place: drill.Place) -> drill.Place:
    head, ranges = st.columns([2, 3], vertical_alignment="center")
    head.html('<div class="sg sg-head"><h1>Showback</h1></div>')
    with ranges, st.container(horizontal=True, horizontal_alignment="right"):
        chosen = st.segmented_control(
            "Range up to now",
            list(drill.RANGES),
            format_func=lambda name: drill.RANGES[name].words,
            default=place.range,
            label_visibility="collapsed",
            key=f"range-{place.range}",
        )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for depth, name in enumerate(("All tenants", *place.path)):
            missing = grid.NAMES[drill.LEVELS[depth - 1]] if depth else ""
            words = name or missing
            if depth == len(place.path):
                st.html(f'<span class="sg sg-here">{look.text(words)}</span>', width="content")
                continue
            if st.button(look.label(words), key=f"crumb-{depth}", type="tertiary"):
                _go(place.up_to(depth))
            st.html('<span class="sg sg-soft">/</span>', width="content")
    if chosen and chosen != place.range:
        _go(drill.Place(chosen, place.path))
    return place


def _go(place: drill.Place) -> None:
    """Open another place: the URL says where, and a new key drops the selection that led there."""
    st.session_state["steps"] = st.session_state.get("steps", 0) + 1
    st.query_params.from_dict(place.query())
    st.rerun()


def _ask(place: drill.Place, now: datetime) -> dict[str, Answer]:
    both = session.services()
    start, stop = place.span(now)
    length = stop - start
    here = {"from": start.isoformat(), "to": stop.isoformat(), **place.filters()}
    earlier = here | {"from": (start - length).isoformat(), "to": start.isoformat()}
    level = place.next_level
    bucket = drill.RANGES[place.range].bucket

    def report(name: str, params: Mapping[str, str], when: str = "now") -> Answer:
        others = {key: value for key, value in params.items() if key not in ("from", "to")}
        topic = json.dumps([name, place.range, when, sorted(others.items())])
        return both.collector.report(name, params, max_age_s=_AGE_S, topic=topic)

    questions = {
        "total": lambda: report("spend", here),
        "before": lambda: report("spend", earlier, "before"),
        "trend": lambda: report("timeline", here | {"by": level or "model", "bucket": bucket, "top": "7"}),
        "model": lambda: report("spend", here | {"by": "provider,model"}),
        "tier": lambda: report("spend", here | {"by": "tier"}),
        "owner": lambda: report("spend", here | {"by": "owner,cost_centre"}),
        "nested": lambda: report("spend", here | {"by": _nested(level)}),
    }
    if level == "task":
        questions["rows"] = lambda: report("tasks", here | {"top": _TOP_TASKS})
    elif level:
        questions["rows"] = lambda: report("spend", here | {"by": level})
    return both.together(questions)


def _nested(level: str | None) -> str:
    return {"tenant": "tenant,workload", "workload": "workload,model"}.get(level or "", "provider,model")


def _figures(row: Mapping[str, Any], before: Mapping[str, Any], currency: str) -> list[tuple[str, str, str]]:
    cost, calls = row["cost"], row["calls"]
    each = cost / calls if cost is not None and calls else None
    unpriced, incomplete, unowned = (row[f"{name}_calls"] for name in ("unpriced", "incomplete", "unowned"))

    def warned(number: int) -> str:
        return f'<span class="{"sg-warm" if number else ""}">{look.count(number)}</span> <small>calls</small>'

    return [
        ("Cost", look.money(cost if calls else Decimal(0), currency), _change(cost, before.get("cost"))),
        ("Calls", look.count(calls), f"{look.count(row['attempts'] - calls)} retried attempts"),
        ("Cost of a call", look.money(each, currency), "mean over all calls"),
        (
            "Unowned",
            warned(unowned),
            f"{look.percent(Decimal(unowned), Decimal(calls))} of calls" if calls else "",
        ),
        ("Unpriced", warned(unpriced), "in no amount here" if unpriced else ""),
        ("Incomplete", warned(incomplete), "usage was not sent" if incomplete else ""),
    ]


def _change(cost: Decimal | None, before: Decimal | None) -> str:
    """Against the equal range before. More cost is never shown as good."""
    if cost is None or not before:
        return "nothing in the range before"
    share = 100 * (cost - before) / before
    if share >= 1000:
        return "more than ten times the range before"
    sign = "+" if share > 0 else "\N{MINUS SIGN}" if share < 0 else ""
    return f"{sign}{abs(share):,.1f} % on the range before"


def _pictures(place: drill.Place, answers: Mapping[str, Answer], now: datetime, currency: str) -> None:
    level = place.next_level
    palette = session.palette()
    start, stop = place.span(now)
    left, right = st.columns([1, 1.35], gap="medium")
    by = level or "model"
    with left:
        names = tuple(_nested(level).split(","))
        st.html(
            f'<div class="sg sg-h">Where it goes <small>area: known cost in {look.text(currency)}, '
            f"{' then '.join(names)}</small></div>"
        )
        nested = answers["nested"].value
        rows = nested.to_pylist() if nested is not None else []
        if any(row["cost"] for row in rows):
            figure = charts.treemap(
                rows,
                palette,
                names=(names[0], names[1]),
                unnamed=(grid.NAMES[names[0]], grid.NAMES[names[1]]),
                root=place.path[-1] if place.path and place.path[-1] else "all",
            )
            st.plotly_chart(
                figure, theme=None, config=session.PLOT, key="showback-map", alt="Cost as nested areas"
            )
        else:
            st.html(
                board.empty("No known cost to draw.", "All calls of this range are unpriced or incomplete.")
            )
    with right:
        st.html(f'<div class="sg sg-h">Over time <small>by {by}, UTC</small></div>')
        trend = answers["trend"].value
        if trend is not None and any(cost is not None for cost in trend["cost"].to_pylist()):
            figure = charts.spend_over_time(
                trend,
                palette,
                start=start,
                stop=stop,
                bucket_s=drill.RANGES[place.range].bucket_s,
                unnamed=grid.NAMES[by],
                height=340,
            )
            st.plotly_chart(
                figure, theme=None, config=session.PLOT, key="showback-trend", alt="Cost over time"
            )
        else:
            st.html(
                board.empty("No known cost to draw.", "All calls of this range are unpriced or incomplete.")
            )


def _table(place: drill.Place, answers: Mapping[str, Answer], currency: str) -> None:
    level = place.next_level
    if level is None or answers["rows"].value is None:
        return
    table: pa.Table = answers["rows"].value
    name = "task_id" if level == "task" else level
    _title(_PLURAL[level], "select a row to open it", table, f"by-{level}")
    event = st.dataframe(
        grid.frame(table, [name]),
        column_config=grid.columns([name], currency, {name: level.capitalize()}),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        height=grid.height(table),
        placeholder="—",
        key=f"rows-{level}-{st.session_state.get('steps', 0)}",
        alt=f"Cost by {level}",
    )
    chosen = event["selection"]["rows"]
    if chosen and chosen[0] < table.num_rows:
        row = table.slice(chosen[0], 1).to_pylist()[0]
        if not row.get("rest"):
            _go(place.below(row[name]))


def _cuts(answers: Mapping[str, Answer], currency: str) -> None:
    by_model, by_tier, by_owner = answers["model"].value, answers["tier"].value, answers["owner"].value
    _cut("Models", by_model, ["provider", "model"], currency)
    left, right = st.columns([1, 1.35], gap="medium")
    with left:
        _cut("Tiers", by_tier, ["tier"], currency, brief=True)
    with right:
        _cut("Owners", by_owner, ["owner", "cost_centre"], currency, brief=True)


def _cut(title: str, table: pa.Table | None, names: list[str], currency: str, *, brief: bool = False) -> None:
    if table is None:
        return
    _title(title, "", table, f"by-{names[-1] if not brief else names[0]}")
    counts = ["calls", "unpriced_calls", "incomplete_calls"]
    st.dataframe(
        grid.frame(table, names),
        column_config=grid.columns(names, currency),
        column_order=[*names, "cost", "share", *counts] if brief else None,
        hide_index=True,
        height=grid.height(table),
        placeholder="—",
        alt=f"Cost by {' and '.join(names)}",
    )


def _title(title: str, aside: str, table: pa.Table, name: str) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.html(f'<div class="sg sg-h">{title} <small>{aside}</small></div>')
        grid.download(table, name)


@st.fragment(run_every=_RETRY)
def _retry() -> None:
    """Runs the page again as soon as the collector answers."""
    alive = session.services().collector.document("/healthz")
    if alive.error is None:
        st.rerun()


page()
