"""The charts: Arrow tables in, Plotly figures out. Pure. Plotly reads some HTML, so every name is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import plotly.graph_objects as go
import pyarrow as pa

from .look import Palette, text

__all__ = ["REST", "spend_over_time", "treemap"]

REST = "all others"
_FONT = '"Source Sans", "Source Sans Pro", sans-serif'


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
    """Stacked bars of the report `timeline`: cost in each bucket, by key, the most expensive key at the bottom."""
    by_key: dict[tuple[bool, str], dict[datetime, float]] = {}
    for row in table.to_pylist():
        name = REST if row["rest"] else unnamed if row["key"] is None else row["key"]
        by_key.setdefault((row["rest"], name), {})[row["bucket"]] = float(row["cost"] or 0)
    ranked = sorted(by_key.items(), key=lambda item: (item[0][0], -sum(item[1].values()), item[0][1]))
    currency = (
        next((value for value in table["currency"].to_pylist() if value), "USD") if table.num_rows else "USD"
    )
    step = timedelta(seconds=bucket_s)
    figure = go.Figure()
    for place, ((rest, name), costs) in enumerate(ranked):
        colour = palette.rest if rest else palette.series[place % len(palette.series)]
        figure.add_bar(
            x=[bucket + step / 2 for bucket in costs],
            y=list(costs.values()),
            width=bucket_s * 1000 * 0.86,
            name=text(name),
            marker={"color": colour, "line": {"width": 0}},
            hovertemplate="%{y:,.4~f} " + text(currency),
        )
    figure.update_layout(
        **_layout(palette, height),
        barmode="stack",
        hovermode="x unified",
        showlegend=True,
        legend={
            "orientation": "h",
            "y": -0.16,
            "x": 0,
            "yanchor": "top",
            "traceorder": "normal",
            "font": {"size": 12, "color": palette.soft},
        },
    )
    figure.update_xaxes(
        range=[start, stop],
        showgrid=False,
        zeroline=False,
        tickfont={"color": palette.soft},
        linecolor=palette.line,
    )
    figure.update_yaxes(
        title={"text": text(currency), "font": {"size": 12, "color": palette.soft}},
        gridcolor=palette.line,
        zerolinecolor=palette.line,
        tickfont={"color": palette.soft},
        rangemode="tozero",
        automargin=True,
        nticks=5,
    )
    return figure


def treemap(
    rows: Sequence[Mapping[str, Any]],
    palette: Palette,
    *,
    names: tuple[str, str],
    unnamed: tuple[str, str],
    root: str,
    height: int = 340,
) -> go.Figure:
    """Cost by two nested names; areas are known cost, so calls without a price have none and stand in the tables."""
    outer, inner = names
    groups: dict[str, float] = {}
    leaves: list[tuple[str, str, float]] = []
    for row in rows:
        if not row["cost"]:
            continue
        name = unnamed[0] if row[outer] is None else row[outer]
        groups[name] = groups.get(name, 0.0) + float(row["cost"])
        leaves.append((name, unnamed[1] if row[inner] is None else row[inner], float(row["cost"])))
    ranked = sorted(groups, key=lambda name: -groups[name])
    colour = {name: palette.series[place % len(palette.series)] for place, name in enumerate(ranked)}
    figure = go.Figure(
        go.Treemap(
            ids=[
                "all",
                *(f"o{place}" for place in range(len(ranked))),
                *(f"i{n}" for n in range(len(leaves))),
            ],
            labels=[text(root), *(text(name) for name in ranked), *(text(name) for _, name, _ in leaves)],
            parents=["", *("all" for _ in ranked), *(f"o{ranked.index(name)}" for name, _, _ in leaves)],
            values=[
                sum(groups.values()),
                *(groups[name] for name in ranked),
                *(cost for _, _, cost in leaves),
            ],
            marker={
                "colors": [
                    palette.panel,
                    *(colour[name] for name in ranked),
                    *(colour[name] for name, _, _ in leaves),
                ],
                "line": {"color": palette.ground, "width": 2},
                "pad": {"t": 24, "l": 3, "r": 3, "b": 3},
            },
            branchvalues="total",
            texttemplate="%{label}<br>%{value:,.2f}",
            hovertemplate="%{label}<br>%{value:,.4f}<br>%{percentRoot:.1%} of all<extra></extra>",
            textfont={"size": 13, "color": [palette.ink, *([palette.ground] * (len(ranked) + len(leaves)))]},
            tiling={"pad": 2},
            pathbar={"visible": False},
        )
    )
    figure.update_layout(**_layout(palette, height))
    return figure


def _layout(palette: Palette, height: int) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": 4, "r": 4, "t": 8, "b": 4},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": _FONT, "size": 13, "color": palette.ink},
        "hoverlabel": {"bgcolor": palette.panel, "bordercolor": palette.line, "font": {"color": palette.ink}},
        "bargap": 0.1,
        "template": "none",
    }
