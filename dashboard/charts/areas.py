"""Nested areas: how much of the whole each name has, and each name within it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import plotly.graph_objects as go

from ..look import Palette, text
from .common import layout

__all__ = ["Areas", "treemap"]

_WHOLE = "all"
# What has too little of the whole is one area for each outer name: nobody can see, or choose, one of a pixel.
_LEAST = 0.004
_SMALL = "small ones"
Path = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Areas:
    """The figure, and which names each area is of, by its id: outer, or outer and inner. The whole has none."""

    figure: go.Figure
    names: Mapping[str, Path]


def treemap(
    sizes: Iterable[tuple[str | None, str | None, float]],
    palette: Palette,
    *,
    shown: tuple[Callable[[str | None], str], Callable[[str | None], str]],
    root: str,
    written: Callable[[float], str],
    height: int = 340,
) -> Areas:
    """Outer name, inner name and size as areas; what has no size, such as calls without a price, has none.

    `shown` says how an outer and an inner name are written, `root` is the whole, `written` says how a size is.
    """
    groups: dict[str | None, dict[str | None, float]] = {}
    for outer, inner, size in sizes:
        if size > 0:
            within = groups.setdefault(outer, {})
            within[inner] = within.get(inner, 0.0) + size
    whole = sum(sum(within.values()) for within in groups.values())
    ids, labels, parents, values, colours = [_WHOLE], [text(root)], [""], [whole], [palette.panel]
    names: dict[str, Path] = {}

    def add(area: str, label: str, parent: str, size: float, colour: str) -> None:
        ids.append(area)
        labels.append(text(label))
        parents.append(parent)
        values.append(size)
        colours.append(colour)

    ranked = sorted(groups, key=lambda name: (-sum(groups[name].values()), name is None, name or ""))
    for place, outer in enumerate(ranked):
        within, area = groups[outer], f"{place}"
        colour = palette.series[place % len(palette.series)]
        add(area, shown[0](outer), _WHOLE, sum(within.values()), colour)
        names[area] = (outer,)
        small = [size for size in within.values() if size < whole * _LEAST]
        for number, (name, size) in enumerate(within.items()):
            if size >= whole * _LEAST:
                add(f"{place}.{number}", shown[1](name), area, size, colour)
                names[f"{place}.{number}"] = (outer, name)
        if small:
            add(f"{place}.small", f"{len(small)} {_SMALL}", area, sum(small), colour)
            names[f"{place}.small"] = (outer,)
    figure = go.Figure(
        go.Treemap(
            ids=ids,
            labels=labels,
            parents=parents,
            values=values,
            marker={
                "colors": colours,
                "line": {"color": palette.ground, "width": 2},
                "pad": {"t": 22, "l": 3, "r": 3, "b": 3},
            },
            branchvalues="total",
            text=[text(written(size)) for size in values],
            texttemplate="%{label}<br>%{text}",
            hovertemplate="%{label}<br>%{text}<br>%{percentRoot:.1%} of all<extra></extra>",
            textfont={"size": 13, "color": [palette.ink, *([palette.ground] * (len(ids) - 1))]},
            tiling={"pad": 2},
            pathbar={"visible": False},
        )
    )
    figure.update_layout(**layout(palette, height))
    return Areas(figure, names)
