"""Days: a week's cost day by day and tenant by tenant, beside the week before. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import plotly.graph_objects as go

from analytics.reviews.document import Day

from ..look import Palette, money, text
from .common import REST, axis, layout

__all__ = ["days"]

_NOTHING = Decimal(0)


def days(shown: Sequence[Day], palette: Palette, *, currency: str, height: int = 240) -> go.Figure:
    """Stacked bars of the known cost of each day by tenant, the dearest at the bottom, and a line of the week before.

    The tenants are those that the review names; all others are one.
    """
    named = dict.fromkeys(name for each in shown for name, _ in each.by_tenant)
    tenants: list[str | None] = [
        *(name for name in named if name is not None),
        *([None] if None in named else []),
    ]
    labels = [f"{each.day:%a} {each.day.day}" for each in shown]
    figure = go.Figure()
    for place, tenant in enumerate(tenants):
        costs = [dict(each.by_tenant).get(tenant, _NOTHING) for each in shown]
        colour = palette.rest if tenant is None else palette.series[place % len(palette.series)]
        figure.add_bar(
            x=labels,
            y=[float(cost) for cost in costs],
            name=REST if tenant is None else text(tenant),
            marker={"color": colour, "line": {"width": 0}},
            customdata=[money(cost, currency) for cost in costs],
            hovertemplate="%{customdata}",
        )
    if any(each.before for each in shown):
        figure.add_scatter(
            x=labels,
            y=[None if each.before is None else float(each.before) for each in shown],
            name="last week, all",
            mode="lines+markers",
            line={"color": palette.ink, "width": 1.5},
            marker={"size": 5},
            customdata=[money(each.before, currency) for each in shown],
            hovertemplate="%{customdata}",
        )
    figure.update_layout(
        **(layout(palette, height) | {"bargap": 0.32}),
        barmode="stack",
        hovermode="x unified",
        showlegend=True,
        legend={
            "orientation": "h",
            "y": -0.14,
            "x": 0,
            "yanchor": "top",
            "traceorder": "normal",
            "font": {"size": 12, "color": palette.soft},
        },
    )
    figure.update_xaxes(**(axis(palette, "", grid=False) | {"type": "category", "tickangle": 0}))
    figure.update_yaxes(**axis(palette, f"{currency} a day"), rangemode="tozero", nticks=5)
    return figure
