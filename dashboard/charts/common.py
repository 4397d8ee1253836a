"""What all charts have in common: font, ground, margins and how axes look."""

from __future__ import annotations

from typing import Any

from ..look import Palette, text

__all__ = ["REST", "axis", "layout"]

REST = "all others"
_FONT = '"Source Sans", "Source Sans Pro", sans-serif'


def layout(palette: Palette, height: int) -> dict[str, Any]:
    """The layout of a figure of this height, in pixels."""
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


def axis(palette: Palette, title: str, *, grid: bool = True) -> dict[str, Any]:
    """An axis with its title, which names what is counted and its unit or currency."""
    return {
        "title": {"text": text(title), "font": {"size": 12, "color": palette.soft}},
        "showgrid": grid,
        "gridcolor": palette.line,
        "linecolor": palette.line,
        "zeroline": False,
        "tickfont": {"color": palette.soft},
        "automargin": True,
    }
