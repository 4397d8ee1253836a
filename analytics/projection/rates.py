"""Several guesses of one amount, weighed by how far off each has been."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["relative_error", "weights"]

_LEAST = 0.001


def relative_error(actual: float, guess: float, floor: float) -> float:
    """How far off `guess` was, from 0 to 1, in no unit: `|actual - guess| / (actual + guess + floor)`."""
    return abs(actual - guess) / (actual + guess + floor)


def weights(errors: Sequence[float]) -> list[float]:
    """Shares of 1 by the eighth power of the errors: a guess nine tenths as far off counts more than twice.

    One rule serves few large calls, whose long rate is the best guess, and many small ones, whose short one is.
    """
    inverse = [(error + _LEAST) ** -8 for error in errors]
    total = sum(inverse)
    return [each / total for each in inverse]
