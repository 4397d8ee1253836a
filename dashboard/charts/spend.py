"""Cost, calls or tokens over time: stacked bars, and the range before as a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import plotly.graph_objects as go
import pyarrow as pa

from ..look import Palette, text
from .common import REST, axis, layout
from .trends import Trend, trend_of

__all__ = ["spend_over_time", "stacked"]

_BEFORE = "range before"
_GAP = 0.14


def spend_over_time(
    table: pa.Table,
    palette: Palette,
    *,
    start: datetime,
    stop: datetime,
    bucket_s: int,
    unnamed: str,
    height: int = 280,
) -> go.Figure:
    """The report `timeline` as stacked bars of cost, the most expensive key at the bottom."""
    currency = next((value for value in table["currency"].to_pylist() if value), "USD")
    return stacked(
        trend_of(table, "cost", start, stop, bucket_s),
        palette,
        bucket_s=bucket_s,
        unit=currency,
        shown=lambda key: key or unnamed,
        height=height,
    )


def stacked(
    trend: Trend,
    palette: Palette,
    *,
    bucket_s: int,
    unit: str,
    shown: Callable[[str | None], str],
    before: Sequence[float] | None = None,
    height: int = 280,
) -> go.Figure:
    """Stacked bars, the largest key at the bottom; `before` is the range before, bucket by bucket, as a line.

    `unit` is a currency or what is counted, `shown` how a key is written.
    """
    figure = go.Figure()
    middles = [bucket + timedelta(seconds=bucket_s) / 2 for bucket in trend.buckets]
    parts = [(shown(key), values) for key, values in trend.series.items()]
    colours = [palette.series[place % len(palette.series)] for place in range(len(parts))]
    if trend.rest is not None:
        parts.append((REST, trend.rest))
        colours.append(palette.rest)
    wholes = [sum(values) for values in zip(*(values for _, values in parts), strict=True)]
    for (name, values), colour in zip(parts, colours, strict=True):
        figure.add_bar(
            x=middles,
            # What is nothing in a bucket is no line of its hover.
            y=[value or None for value in values],
            width=bucket_s * 1000 * (1 - _GAP),
            name=text(name),
            marker={"color": colour, "line": {"width": 0}},
            customdata=[value / whole if whole else 0 for value, whole in zip(values, wholes, strict=True)],
            hovertemplate=f"%{{y:,.4~f}} {text(unit)} (%{{customdata:.1%}})",
        )
    if before is not None:
        figure.add_scatter(
            x=middles,
            y=list(before),
            mode="lines",
            name=_BEFORE,
            line={"color": palette.ink, "width": 1.5, "dash": "dot", "shape": "hvh"},
            hovertemplate=f"%{{y:,.4~f}} {text(unit)}",
        )
    figure.update_layout(
        **layout(palette, height),
        barmode="stack",
        hovermode="x unified",
        showlegend=True,
        legend={
            "orientation": "h",
            "y": -0.12,
            "x": 0,
            "yanchor": "top",
            "traceorder": "normal",
            "font": {"size": 12, "color": palette.soft},
        },
    )
    last = trend.buckets[-1] + timedelta(seconds=bucket_s)
    figure.update_xaxes(
        **axis(palette, "", grid=False),
        tickformat="%-d %b" if bucket_s >= 21600 else "%H:%M\n%-d %b",
        range=[trend.buckets[0], last],
        type="date",
        hoverformat=_hover(bucket_s),
    )
    figure.update_yaxes(**axis(palette, unit), rangemode="tozero", nticks=5)
    return figure


def _hover(bucket_s: int) -> str:
    return "%-d %b %Y" if bucket_s >= 86400 else "%-d %b %H:%M:%S" if bucket_s < 60 else "%-d %b %H:%M"
