"""Retries: the share of calls that needed further attempts, by workload, in step with others or apart. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from ..look import Palette, text
from .common import axis, layout

__all__ = ["retried_share"]

_ROW, _HEAD = 30, 86


def retried_share(rows: Sequence[Mapping[str, Any]], palette: Palette, *, unnamed: str) -> go.Figure:
    """Rows of the report `audit_retries`: of each the retried calls as a part of its calls, those in herds apart."""
    places = list(range(len(rows)))
    figure = go.Figure()
    for words, colour, counted in (
        ("in step with other tasks (herds)", palette.hot, _in_herds),
        ("apart", palette.warm, _apart),
    ):
        figure.add_bar(
            y=places,
            x=[100 * counted(row) / row["calls"] for row in rows],
            orientation="h",
            width=0.66,
            name=words,
            marker={"color": colour, "line": {"width": 0}},
            customdata=[f"{counted(row):,} of {row['calls']:,} calls" for row in rows],
            hovertemplate="%{x:.1f} %: %{customdata} retried, " + words + "<extra></extra>",
        )
    figure.add_scatter(
        y=places,
        x=[100 * row["retried_calls"] / row["calls"] for row in rows],
        mode="text",
        text=[f"  {row['attempts_per_call']:.2f} attempts a call" for row in rows],
        textposition="middle right",
        textfont={"color": palette.soft, "size": 12},
        cliponaxis=False,
        showlegend=False,
        hoverinfo="skip",
    )
    most = max((100 * row["retried_calls"] / row["calls"] for row in rows), default=0.0) or 1.0
    figure.update_layout(
        **layout(palette, _HEAD + _ROW * len(rows)),
        barmode="stack",
        showlegend=True,
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1,
            "yanchor": "bottom",
            "traceorder": "normal",
            "font": {"size": 12, "color": palette.soft},
        },
    )
    figure.update_xaxes(
        **axis(palette, "retried calls, % of all"), range=[0, most * 1.35], tickvals=_ticks(most)
    )
    figure.update_yaxes(
        **(axis(palette, "", grid=False) | {"tickfont": {"color": palette.ink, "size": 12}}),
        tickvals=places,
        ticktext=[_label(row, unnamed) for row in rows],
        range=[len(rows) - 0.5, -0.5],
        showline=False,
        ticklabelstandoff=8,
    )
    return figure


def _ticks(most: float) -> list[float]:
    """Whole steps up to the most, none beyond all: what is right of them is room for the words."""
    step = next(each for each in (0.5, 1, 2, 5, 10, 20) if most <= 5 * each or each == 20)
    return [step * place for place in range(int(min(100.0, most) // step) + 1)]


def _label(row: Mapping[str, Any], unnamed: str) -> str:
    return text(f"{row['tenant']} / {unnamed if row['workload'] is None else row['workload']}")


def _in_herds(row: Mapping[str, Any]) -> int:
    return int(row["synchronous_calls"])


def _apart(row: Mapping[str, Any]) -> int:
    return int(row["retried_calls"] - row["synchronous_calls"])
