"""Spend of the last hour beside the hour before it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import plotly.graph_objects as go
import pyarrow as pa

from ..look import Palette, text
from .spend import spend_over_time

__all__ = ["spend_beside_before"]

_MINUTE = timedelta(minutes=1)


def spend_beside_before(
    table: pa.Table,
    before: Sequence[Decimal],
    palette: Palette,
    *,
    start: datetime,
    stop: datetime,
    currency: str,
    unnamed: str,
) -> go.Figure:
    """Stacked bars of the report `timeline` by minute, and a line of what the same minute of the hour before cost.

    `before` has a value for each minute from `start` on.
    """
    figure = spend_over_time(table, palette, start=start, stop=stop, bucket_s=60, unnamed=unnamed, height=270)
    if any(before):
        _add_before(figure, before, palette, start, currency)
    figure.update_yaxes(title={"text": f"{text(currency)} a minute"})
    figure.update_xaxes(
        tickformat="%H:%M", title={"text": "UTC", "font": {"size": 12, "color": palette.soft}}
    )
    figure.update_layout(legend={"y": -0.24})
    return figure


def _add_before(
    figure: go.Figure, before: Sequence[Decimal], palette: Palette, start: datetime, currency: str
) -> None:
    figure.add_scatter(
        x=[start + (n + 0.5) * _MINUTE for n in range(len(before))],
        y=[float(each) for each in before],
        mode="lines",
        name="the hour before",
        line={"color": palette.soft, "width": 1.5, "dash": "dot", "shape": "hvh"},
        hovertemplate="%{y:,.4~f} " + text(currency),
    )
