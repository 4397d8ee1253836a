"""Rates: the busiest minutes against what was committed, and who is behind those above. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import plotly.graph_objects as go

from ..look import Palette, count, money, text
from .common import axis, layout

__all__ = ["busiest_minutes", "payers"]

_ROW, _HEAD = 28, 56


def busiest_minutes(
    rows: Sequence[Mapping[str, Any]],
    palette: Palette,
    *,
    start: datetime,
    stop: datetime,
    bucket_s: int,
    unnamed: str,
    height: int = 260,
) -> go.Figure:
    """Rows of the report `audit_bursts_minutes` of one rate: each bucket's busiest minute, and the rate as a line."""
    committed = rows[0]["committed_tpm"]
    step = timedelta(seconds=bucket_s)
    figure = go.Figure()
    for is_above, colour, words in (
        (False, palette.calm, "within the rate"),
        (True, palette.hot, "above it"),
    ):
        own = [row for row in rows if (row["tokens"] > committed) is is_above]
        figure.add_bar(
            x=[row["bucket"] + step / 2 for row in own],
            y=[float(row["tokens"]) for row in own],
            width=bucket_s * 1000 * 0.86,
            name=words,
            marker={"color": colour, "line": {"width": 0}},
            customdata=[_told(row, unnamed) for row in own],
            hovertemplate="%{customdata}<extra></extra>",
        )
    figure.add_scatter(
        x=[start, stop],
        y=[committed, committed],
        mode="lines",
        name=f"the rate, {count(committed)} a minute",
        line={"color": palette.ink, "width": 1.6, "dash": "dash"},
        hoverinfo="skip",
    )
    figure.update_layout(
        **layout(palette, height),
        barmode="overlay",
        hovermode="closest",
        showlegend=True,
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1,
            "yanchor": "bottom",
            "font": {"size": 12, "color": palette.soft},
        },
    )
    figure.update_xaxes(
        **axis(palette, "busiest minute of each bar's time, UTC", grid=False), range=[start, stop]
    )
    figure.update_yaxes(
        **axis(palette, "tokens a minute, as the rate counts them"), rangemode="tozero", nticks=5
    )
    return figure


def payers(
    rows: Sequence[Mapping[str, Any]], palette: Palette, *, value: str, unnamed: str, unit: str
) -> go.Figure:
    """Rows of the report `audit_bursts` of one rate, as bars of their `value`: a charge, or tokens above."""
    names = [f"{row['tenant']} / {unnamed if row['workload'] is None else row['workload']}" for row in rows]
    amounts = [
        money(row[value], unit) if value == "charge" else f"{count(round(row[value]))} tokens" for row in rows
    ]
    figure = go.Figure(
        go.Bar(
            y=list(range(len(rows))),
            x=[float(row[value]) for row in rows],
            orientation="h",
            width=0.66,
            text=amounts,
            textposition="outside",
            cliponaxis=False,
            textfont={"color": palette.ink, "size": 12},
            marker={"color": palette.warm, "line": {"width": 0}},
            hovertemplate="%{text}<extra></extra>",
        )
    )
    most = max((float(row[value]) for row in rows), default=0.0) or 1.0
    figure.update_layout(**layout(palette, _HEAD + _ROW * len(rows)), showlegend=False)
    figure.update_xaxes(
        **axis(palette, unit if value == "charge" else "tokens above the rate"), range=[0, most * 1.6]
    )
    figure.update_yaxes(
        **(axis(palette, "", grid=False) | {"tickfont": {"color": palette.ink, "size": 12}}),
        tickvals=list(range(len(rows))),
        ticktext=[text(name) for name in names],
        range=[len(rows) - 0.5, -0.5],
        showline=False,
        ticklabelstandoff=8,
    )
    return figure


def _told(row: Mapping[str, Any], unnamed: str) -> str:
    workload = unnamed if row["workload"] is None else row["workload"]
    lines = [
        f"{row['minute']:%-d %b %H:%M} UTC: {count(round(row['tokens']))} tokens",
        f"most of {text(row['tenant'])} / {text(workload)}: {count(round(row['tenant_tokens']))}",
    ]
    if row["minutes_above"]:
        lines.append(f"{row['minutes_above']} minutes above in this bar")
    if row["charge"] is not None:
        lines.append(f"which cost {text(money(row['charge'], row['currency']))} on top")
    return "<br>".join(lines)
