"""Received: who was given how much of shared cost, by rule; and what tenants bring in beside what they cost. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import plotly.graph_objects as go

from ..look import Palette, text
from .common import axis, layout

__all__ = ["by_rule", "margins"]

_ROW, _HEAD = 30, 86


def by_rule(
    rows: Sequence[Mapping[str, Any]], palette: Palette, *, target: str, unnamed: str, currency: str
) -> go.Figure:
    """Rows of the report `allocation` in one currency, as a bar for each `target` with a part for each rule."""
    sums: dict[str, dict[str, Decimal]] = {}
    rules = list(dict.fromkeys(row["rule"] for row in rows))
    for row in rows:
        name = unnamed if row[target] is None else row[target]
        of = sums.setdefault(name, {})
        of[row["rule"]] = of.get(row["rule"], Decimal(0)) + row["cost"]
    names = sorted(sums, key=lambda name: (-sum(sums[name].values()), name))
    figure = go.Figure()
    for place, rule in enumerate(rules):
        figure.add_bar(
            y=list(range(len(names))),
            x=[float(sums[name].get(rule, 0)) for name in names],
            orientation="h",
            name=text(rule),
            width=0.66,
            marker={"color": palette.series[place % len(palette.series)], "line": {"width": 0}},
            hovertemplate="%{x:,.4f} " + text(currency) + f" by {text(rule)}<extra></extra>",
        )
    figure.update_layout(
        **layout(palette, _HEAD + _ROW * len(names)),
        barmode="relative",
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
    figure.update_xaxes(**axis(palette, f"given, {currency}"))
    _names(figure, names, palette)
    return figure


def margins(rows: Sequence[Mapping[str, Any]], palette: Palette, *, unnamed: str, currency: str) -> go.Figure:
    """Rows of the report `margin` whose revenue is told: a line from cost to revenue, with a word for what is between.

    Left of its revenue the cost is covered; right of it, where the line is drawn in the colour of alarm, it is not.
    """
    figure = go.Figure()
    names = [unnamed if row["tenant"] is None else row["tenant"] for row in rows]
    for is_loss, colour, words in ((False, palette.calm, "margin"), (True, palette.hot, "loss")):
        own = [(place, row) for place, row in enumerate(rows) if (row["margin"] < 0) is is_loss]
        xs: list[float | None] = []
        ys: list[int | None] = []
        for place, row in own:
            xs += [float(row["cost"] or 0), float(row["revenue"]), None]
            ys += [place, place, None]
        figure.add_scatter(
            x=xs,
            y=ys,
            mode="lines",
            name=words,
            line={"color": colour, "width": 5},
            hoverinfo="skip",
        )
    for field, words, symbol in (("cost", "cost to serve", "circle"), ("revenue", "revenue", "line-ns")):
        figure.add_scatter(
            x=[float(row[field] or 0) for row in rows],
            y=list(range(len(rows))),
            mode="markers",
            name=words,
            marker={
                "symbol": symbol,
                "size": 9 if symbol == "circle" else 16,
                "color": palette.ink,
                "line": {"color": palette.ink, "width": 2.4 if symbol != "circle" else 0},
            },
            hovertemplate=f"{words} " + "%{x:,.2f} " + text(currency) + "<extra></extra>",
        )
    figure.update_layout(
        **layout(palette, _HEAD + 24 * len(rows)),
        showlegend=True,
        hovermode="closest",
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1,
            "yanchor": "bottom",
            "font": {"size": 12, "color": palette.soft},
            "itemclick": False,
        },
    )
    figure.update_xaxes(**axis(palette, f"{currency}, of the month"), rangemode="tozero")
    _names(figure, names, palette)
    return figure


def _names(figure: go.Figure, names: Sequence[str], palette: Palette) -> None:
    figure.update_yaxes(
        **(axis(palette, "", grid=False) | {"tickfont": {"color": palette.ink, "size": 13}}),
        tickvals=list(range(len(names))),
        ticktext=[text(name) for name in names],
        range=[len(names) - 0.5, -0.5],
        showline=False,
        ticklabelstandoff=8,
    )
