"""Herds: calls that were retried in step, as attempts over time, and when each workload took part. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import plotly.graph_objects as go

from ..look import Palette, count, text
from .common import axis, layout

__all__ = ["lockstep"]

_LANE, _BARS = 26, 190
_STEP_S = 10


def lockstep(
    rows: Sequence[Mapping[str, Any]],
    palette: Palette,
    *,
    start: datetime,
    stop: datetime,
    unnamed: str,
    most_lanes: int = 8,
) -> go.Figure:
    """Rows of the report `spend` by tenant, workload and 10 s of one model: attempts, and a lane for each workload.

    A mark in a lane is as large as the further attempts that its calls of these ten seconds needed. Where marks of
    several lanes stand above each other, they were retried in step.
    """
    first: defaultdict[datetime, int] = defaultdict(int)
    further: defaultdict[datetime, int] = defaultdict(int)
    lanes: defaultdict[str, dict[datetime, tuple[int, int]]] = defaultdict(dict)
    for row in rows:
        at = row["bucket"]
        first[at] += row["calls"]
        further[at] += row["attempts"] - row["calls"]
        if row["attempts"] > row["calls"]:
            name = f"{row['tenant']} / {unnamed if row['workload'] is None else row['workload']}"
            lanes[name][at] = (row["attempts"] - row["calls"], row["calls"])
    ranked = sorted(lanes, key=lambda name: (-sum(n for n, _ in lanes[name].values()), name))[:most_lanes]
    height = _BARS + 74 + _LANE * len(ranked)
    split = (_LANE * len(ranked) + 8) / height
    figure = go.Figure()
    half = timedelta(seconds=_STEP_S / 2)
    for values, colour, words in (
        (first, palette.rest, "first attempts"),
        (further, palette.hot, "further attempts"),
    ):
        figure.add_bar(
            x=[at + half for at in values],
            y=list(values.values()),
            width=_STEP_S * 1000 * 0.86,
            name=words,
            marker={"color": colour, "line": {"width": 0}},
            hovertemplate="%{y:,} " + words + " of calls that began at %{x|%H:%M:%S}<extra></extra>",
            yaxis="y2",
        )
    most = max((n for lane in lanes.values() for n, _ in lane.values()), default=1)
    for place, name in enumerate(ranked):
        lane = lanes[name]
        figure.add_scatter(
            x=[at + half for at in lane],
            y=[place] * len(lane),
            mode="markers",
            name=text(name),
            showlegend=False,
            marker={
                "size": [5 + 13 * (n / most) ** 0.5 for n, _ in lane.values()],
                "color": palette.hot,
                "opacity": 0.8,
                "line": {"width": 0},
            },
            customdata=[f"{count(n)} further attempts of {count(calls)} calls" for n, calls in lane.values()],
            hovertemplate=f"{text(name)}<br>" + "%{customdata}, %{x|%H:%M:%S}<extra></extra>",
        )
    figure.update_layout(
        **layout(palette, height),
        barmode="stack",
        hovermode="closest",
        showlegend=True,
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1,
            "yanchor": "bottom",
            "font": {"size": 12, "color": palette.soft},
        },
        yaxis=axis(palette, "", grid=True)
        | {
            "domain": [0, max(split - 0.03, 0.01)],
            "tickvals": list(range(len(ranked))),
            "ticktext": [text(name) for name in ranked],
            "range": [len(ranked) - 0.5, -0.5],
            "tickfont": {"color": palette.ink, "size": 12},
            "showline": False,
            "ticklabelstandoff": 8,
        },
        yaxis2=axis(palette, "attempts in 10 s") | {"domain": [split, 1], "rangemode": "tozero", "nticks": 5},
    )
    figure.update_xaxes(
        **axis(palette, "begin of the calls, UTC", grid=False), range=[start, stop], anchor="y"
    )
    return figure
