"""Plan: what each cost centre has cost and is expected to cost, beside its plan, as bullet bars. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from ..look import Palette, money, text
from .common import axis, layout

__all__ = ["STATUSES", "bullets"]

# How a plan stands: never by colour alone.
STATUSES: Mapping[str, tuple[str, str, str]] = {
    "over": ("■", "over", "hot"),
    "watch": ("▲", "watch", "warm"),
    "ok": ("●", "in plan", "calm"),
}
_ROW, _HEAD = 36, 92


def bullets(rows: Sequence[Mapping[str, Any]], palette: Palette, *, unnamed: str, currency: str) -> go.Figure:
    """Rows of the report `plan` in one currency, the first on top.

    Light is the plan and dark what is charged; a bar across is what of the plan is due by today, a diamond what is
    expected at the end, on the line that it is on in about 80 of 100 cases.
    """
    places = list(range(len(rows)))
    labels = [_label(row, unnamed) for row in rows]
    figure = go.Figure()
    figure.add_bar(
        y=places,
        x=[_number(row["plan"]) for row in rows],
        orientation="h",
        width=0.72,
        name="plan",
        marker={"color": palette.track, "line": {"color": palette.off, "width": 1}},
        hovertemplate="plan %{x:,.2f} " + text(currency) + "<extra></extra>",
    )
    statuses = [_status(row) for row in rows]
    for glyph, word, colour in dict.fromkeys(statuses):
        own = [place for place, status in enumerate(statuses) if status[1] == word]
        figure.add_bar(
            y=own,
            x=[_number(rows[place]["cost"]) for place in own],
            orientation="h",
            width=0.34,
            name=f"charged, {glyph} {word}" if glyph else f"charged, {word}",
            marker={"color": getattr(palette, colour), "line": {"width": 0}},
            hovertemplate="charged %{x:,.4f} " + text(currency) + "<extra></extra>",
        )
    due = [(place, row) for place, row in zip(places, rows, strict=True) if row["due"] is not None]
    figure.add_scatter(
        y=[place for place, _ in due],
        x=[_number(row["due"]) for _, row in due],
        mode="markers",
        name="due by today",
        marker={"symbol": "line-ns", "size": 20, "line": {"color": palette.ink, "width": 2}},
        hovertemplate="due by today %{x:,.2f} " + text(currency) + "<extra></extra>",
    )
    ahead = [(place, row) for place, row in zip(places, rows, strict=True) if _is_ahead(row)]
    figure.add_scatter(
        y=[place for place, _ in ahead],
        x=[_number(row["forecast"]) for _, row in ahead],
        mode="markers",
        name="expected at the end, 80 % band",
        marker={
            "symbol": "diamond",
            "size": 9,
            "color": palette.ground,
            "line": {"color": palette.ink, "width": 1.6},
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [float(row["forecast_high"] - row["forecast"]) for _, row in ahead],
            "arrayminus": [float(row["forecast"] - row["forecast_low"]) for _, row in ahead],
            "color": palette.ink,
            "thickness": 1.4,
            "width": 4,
        },
        customdata=[
            text(f"{money(row['forecast_low'], currency)} to {money(row['forecast_high'], currency)}")
            for _, row in ahead
        ],
        hovertemplate="expected %{x:,.2f} " + text(currency) + "<br>80 % band %{customdata}<extra></extra>",
    )
    figure.update_layout(
        **layout(palette, _HEAD + _ROW * len(rows)),
        barmode="overlay",
        hovermode="closest",
        showlegend=True,
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1,
            "yanchor": "bottom",
            "font": {"size": 12, "color": palette.soft},
            "itemclick": False,
            "itemdoubleclick": False,
        },
    )
    figure.update_xaxes(**axis(palette, f"{currency}, of the month"), rangemode="tozero")
    figure.update_yaxes(
        **(axis(palette, "", grid=False) | {"tickfont": {"color": palette.ink, "size": 13}}),
        tickvals=places,
        ticktext=labels,
        range=[len(rows) - 0.5, -0.5],
        showline=False,
        ticklabelstandoff=8,
    )
    return figure


def _label(row: Mapping[str, Any], unnamed: str) -> str:
    name = unnamed if row["cost_centre"] is None else str(row["cost_centre"])
    glyph, word, _ = _status(row)
    return f"{text(name)}  {glyph} {word}"


def _status(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Glyph, word and colour; a plan of which nothing can be said has no glyph."""
    if row["plan"] is None:
        return "", "no plan", "off"
    return STATUSES.get(row["status"] or "", ("", "too early to tell", "calm"))


def _is_ahead(row: Mapping[str, Any]) -> bool:
    """Whether there is anything still to come: of a month that is over there is not."""
    return row["forecast"] is not None and row["forecast_by"] != "complete"


def _number(amount: Any) -> float | None:
    return None if amount is None else float(amount)
