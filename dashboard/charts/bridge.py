"""Bridge: from the cost of one week to the next in parts that add up to the change, as a waterfall. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import plotly.graph_objects as go

from analytics.reviews.document import Bridge
from analytics.reviews.wording import money

from ..look import Palette, text
from .common import axis, layout

__all__ = ["bridge"]

# From where on the steps would be slivers beside the whole, and the axis leaves out 0.
_CUT_ABOVE = 0.8
_FIRST, _LAST = "last week", "this week"


def bridge(walk: Bridge, palette: Palette, *, currency: str, places: int, height: int = 300) -> go.Figure:
    """Cost of last week, each part of the change, and cost of this week; `places` is how many decimals are written.

    What adds is amber and what takes off is blue, each with its sign: more cost is never shown as good.
    """
    steps = [step for step in walk.steps if step.amount]
    names = [_FIRST, *(step.name for step in steps), _LAST]
    written = [
        money(walk.start, currency, places),
        *(("+" if step.amount > 0 else "") + money(step.amount, currency, places) for step in steps),
        money(walk.end, currency, places),
    ]
    figure = go.Figure(
        go.Waterfall(
            x=list(range(len(names))),
            y=[float(walk.start), *(float(step.amount) for step in steps), float(walk.end)],
            measure=["absolute", *("relative" for _ in steps), "total"],
            text=written,
            textposition="outside",
            textfont={"color": palette.ink, "size": 12},
            constraintext="none",
            cliponaxis=False,
            width=0.64,
            increasing={"marker": {"color": palette.warm}},
            decreasing={"marker": {"color": palette.calm}},
            totals={"marker": {"color": palette.off}},
            connector={"line": {"color": palette.soft, "width": 1}},
            customdata=["", *(text(step.words) for step in steps), ""],
            hovertemplate="%{text}<br>%{customdata}<extra></extra>",
        )
    )
    low, high, is_cut = _ends(walk.start, [step.amount for step in steps])
    figure.update_layout(**layout(palette, height), showlegend=False)
    figure.update_xaxes(
        **(axis(palette, "", grid=False) | {"tickfont": {"color": palette.ink, "size": 12}}),
        tickvals=list(range(len(names))),
        ticktext=[text(name) for name in names],
        tickangle=0 if len(names) <= 8 else -35,
    )
    title = f"{currency} a week, axis does not begin at 0" if is_cut else f"{currency} a week"
    figure.update_yaxes(**axis(palette, title), range=[low, high], nticks=5)
    return figure


def _ends(start: Decimal, steps: Sequence[Decimal]) -> tuple[float, float, bool]:
    """From where to where the axis goes, with room for the figures; and whether it leaves out 0."""
    sums = [start]
    for amount in steps:
        sums.append(sums[-1] + amount)
    low, high = float(min(sums)), float(max(sums))
    spread = high - low
    if spread and low > _CUT_ABOVE * high:
        return low - spread, high + spread * 0.3, True
    low, high = min(low, 0.0), max(high, 0.0)
    room = (high - low or 1.0) * 0.16
    return low - (room if low < 0 else 0.0), high + room, False
