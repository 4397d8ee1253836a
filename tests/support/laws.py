"""Laws: how many examples of each the suite tries, and how many more `make laws` does."""

from __future__ import annotations

from hypothesis import settings

__all__ = ["LONG", "SUITE", "examples"]

SUITE, LONG = 30, 1_000
"""Of a law that names no number of its own."""


def examples(few: int) -> int:
    """`few` in the suite, and as many times more in `make laws` as there are of any other law."""
    return few * settings.default.max_examples // SUITE
