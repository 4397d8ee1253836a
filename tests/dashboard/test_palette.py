"""The palette: text that can be read (WCAG 2.2 AA), and colours that stay apart for colour-blind readers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise

import pytest

from dashboard.look import STATES, Palette, dark, light

THEMES = {"light": light, "dark": dark}
TEXT, GRAPHIC = 4.5, 3.0  # WCAG 2.2, 1.4.3 and 1.4.11
# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
BLIND = {
    "protan": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deutan": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritan": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
# Far more than the just noticeable difference of about 2.
APART = 10.0


def linear(colour: str) -> list[float]:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def contrast(one: str, other: str) -> float:
    high, low = sorted(
        (0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (linear(one), linear(other))), reverse=True
    )
    return (high + 0.05) / (low + 0.05)


def lab(rgb: Sequence[float]) -> list[float]:
    """CIE L*a*b* (D65) of linear RGB."""
    r, g, b = (min(max(part, 0.0), 1.0) for part in rgb)
    x = (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    z = (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)]


def apart(one: str, other: str, kind: str) -> float:
    """How far two colours are from each other (CIE 1976) for a reader of this kind."""
    seen = [
        lab([sum(m * p for m, p in zip(row, linear(each), strict=True)) for row in BLIND[kind]])
        for each in (one, other)
    ]
    return sum((a - b) ** 2 for a, b in zip(*seen, strict=True)) ** 0.5


@pytest.mark.parametrize("palette", THEMES.values(), ids=THEMES)
def test_every_text_can_be_read_on_every_ground(palette: Palette) -> None:
    inks = ("ink", "soft", "hot", "warm", "trial", "calm", "off")
    found = {
        (ink, ground): contrast(getattr(palette, ink), getattr(palette, ground))
        for ink in inks
        for ground in ("ground", "panel")
    }
    assert {pair: value for pair, value in found.items() if value < TEXT} == {}


@pytest.mark.parametrize("palette", THEMES.values(), ids=THEMES)
def test_every_series_stands_out_from_the_ground_and_carries_its_name(palette: Palette) -> None:
    # Areas carry their names in the colour of the ground.
    assert {
        colour: contrast(colour, palette.ground)
        for colour in palette.series
        if contrast(colour, palette.ground) < TEXT
    } == {}


@pytest.mark.parametrize("kind", BLIND)
@pytest.mark.parametrize("palette", THEMES.values(), ids=THEMES)
def test_states_that_are_urgent_in_different_ways_stay_apart(palette: Palette, kind: str) -> None:
    colours = {state.colour for state in STATES.values()} - {"off"}
    near = {
        (one, other): round(apart(getattr(palette, one), getattr(palette, other), kind), 1)
        for one, other in combinations(sorted(colours), 2)
    }
    # Word and glyph say the state as well; colour alone must not say another one.
    assert {pair: value for pair, value in near.items() if value < APART and "hot" in pair} == {}


@pytest.mark.parametrize("kind", BLIND)
@pytest.mark.parametrize("palette", THEMES.values(), ids=THEMES)
def test_series_beside_each_other_stay_apart(palette: Palette, kind: str) -> None:
    near = {pair: round(apart(*pair, kind), 1) for pair in pairwise(palette.series)}
    assert {pair: value for pair, value in near.items() if value < APART} == {}
