"""Walk: what an amount is made of, in steps that add up to it, as a waterfall. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import plotly.graph_objects as go

from ..look import Palette, money, text
from .common import axis, layout

__all__ = ["waterfall"]


def waterfall(
    steps: Sequence[tuple[str, Decimal]], last: str, palette: Palette, *, currency: str, height: int = 270
) -> go.Figure:
    """From nothing by steps to their sum, named `last`.

    What adds is amber and what takes off is blue, each with its sign; neither is good or bad.
    """
    total = sum((amount for _, amount in steps), Decimal(0))
    names = [*(name for name, _ in steps), last]
    amounts = [*(amount for _, amount in steps), total]
    figure = go.Figure(
        go.Waterfall(
            x=list(range(len(names))),
            y=[float(amount) for amount in amounts],
            measure=[*("relative" for _ in steps), "total"],
            text=[
                text(each)
                for each in (*(_signed(amount, currency) for _, amount in steps), money(total, currency))
            ],
            textposition="outside",
            textfont={"color": palette.ink, "size": 12},
            constraintext="none",
            cliponaxis=False,
            width=0.62,
            increasing={"marker": {"color": palette.warm}},
            decreasing={"marker": {"color": palette.calm}},
            totals={"marker": {"color": palette.off}},
            connector={"line": {"color": palette.line, "width": 1}},
            hovertemplate="%{customdata}: %{text}<extra></extra>",
            customdata=[text(name) for name in names],
        )
    )
    figure.update_layout(**layout(palette, height), showlegend=False)
    figure.update_xaxes(
        **(axis(palette, "", grid=False) | {"tickfont": {"color": palette.ink, "size": 12}}),
        tickvals=list(range(len(names))),
        ticktext=[text(name) for name in names],
    )
    figure.update_yaxes(**axis(palette, currency), range=_range([amount for _, amount in steps]), nticks=5)
    return figure


def _range(steps: Sequence[Decimal]) -> list[float]:
    """From where to where the axis goes: 0 and every sum on the way are in it, with room for the figures."""
    sums = [Decimal(0)]
    for amount in steps:
        sums.append(sums[-1] + amount)
    low, high = float(min(sums)), float(max(sums))
    room = (high - low or 1.0) * 0.16
    return [low - (room if low < 0 else 0.0), high + room]


def _signed(amount: Decimal, currency: str) -> str:
    return f"+{money(amount, currency)}" if amount > 0 else money(amount, currency)
