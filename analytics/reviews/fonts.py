"""Fonts: what can be drawn of a text with the fonts of PDF and charts, those that come with matplotlib.

A name may hold characters that they do not have, such as Chinese ones and emoji: they are boxes there, and themselves
in every other kind of file.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

import matplotlib as mpl
from matplotlib.ft2font import FT2Font

__all__ = ["FOLDER", "drawable"]

FOLDER = Path(mpl.get_data_path()) / "fonts" / "ttf"
_USED = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSans-Oblique.ttf", "DejaVuSansMono.ttf")
_BOX = "\u25a1"


def drawable(text: str) -> str:
    """The text with a box for each character that no font has, and without those that are only commands."""
    return "".join(_drawn(char) for char in text)


@cache
def _drawn(char: str) -> str:
    if char.isspace():
        return " "
    if ord(char) in _known() and char.isprintable():
        return char
    return "" if unicodedata.category(char)[0] in "CM" else _BOX


@cache
def _known() -> frozenset[int]:
    """The characters that all of them have."""
    first, *others = (FT2Font(str(FOLDER / name)).get_charmap() for name in _USED)
    return frozenset(first).intersection(*others)
