"""What a unit of work costs over time, beside the range before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import plotly.graph_objects as go

from ..look import Palette, text
from .common import axis, layout

__all__ = ["unit_trend"]

_HOVER = "%{y:,.4~f} "


def unit_trend(
    buckets: Sequence[datetime],
    values: Sequence[float | None],
    palette: Palette,
    *,
    name: str,
    unit: str,
    bucket_s: int,
    before: Sequence[float | None] | None = None,
    height: int = 300,
) -> go.Figure:
    """A line with a mark for each bucket in which the unit's cost is known; `before` dotted, bucket by bucket."""
    middles = [bucket + timedelta(seconds=bucket_s) / 2 for bucket in buckets]
    figure = go.Figure()
    if before is not None:
        figure.add_scatter(
            x=middles,
            y=list(before),
            mode="lines",
            name="range before",
            line={"color": palette.off, "width": 1.5, "dash": "dot"},
            hovertemplate=_HOVER + text(unit),
        )
    figure.add_scatter(
        x=middles,
        y=list(values),
        mode="lines+markers",
        name=text(name),
        line={"color": palette.calm, "width": 2},
        marker={"size": 5},
        hovertemplate=_HOVER + text(unit),
    )
    figure.update_layout(
        **layout(palette, height),
        hovermode="x unified",
        showlegend=before is not None,
        legend={
            "orientation": "h",
            "y": -0.12,
            "x": 0,
            "yanchor": "top",
            "font": {"size": 12, "color": palette.soft},
        },
    )
    figure.update_xaxes(
        **axis(palette, "", grid=False),
        range=[buckets[0], buckets[-1] + timedelta(seconds=bucket_s)],
        type="date",
        tickformat="%-d %b" if bucket_s >= 21600 else "%H:%M\n%-d %b",
    )
    figure.update_yaxes(**axis(palette, unit), rangemode="tozero", nticks=5)
    return figure
