"""Bounds: how often something may really happen that was seen a few times: Clopper and Pearson's, exact and one-sided.

C. J. Clopper, E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
Biometrika 26 (1934).
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, exp, lgamma, log, log1p

__all__ = ["MILLION", "needed", "upper"]

MILLION = 1_000_000
_STEPS = 60


@lru_cache(maxsize=4096)
def upper(seen: int, of: int, confidence: float = 0.9) -> int:
    """The highest share, in millionths and rounded up, that `seen` cases out of `of` are still compatible with.

    The true share is not above it with this confidence. Raises ValueError for counts that cannot be.
    """
    if not 0 <= seen <= of or of == 0:
        raise ValueError(f"{seen} of {of}: some of at least one can be seen")
    if seen == of:
        return MILLION
    low, high = seen / of, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _at_most(seen, of, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    # What is left of the search is far below a millionth.
    return min(MILLION, ceil(high * MILLION - 1e-6))


def needed(share: float, confidence: float = 0.9) -> int:
    """How many cases without one such it takes to be sure of no more than `share`: ln(1 / alpha) / -ln(1 - share)."""
    return ceil(log(1 - confidence) / log1p(-share))


def _at_most(seen: int, of: int, share: float) -> float:
    """The probability of `seen` or fewer among `of`, each with the probability `share`, strictly between 0 and 1."""
    yes, no = log(share), log1p(-share)
    ways = lgamma(of + 1)
    return sum(
        exp(ways - lgamma(k + 1) - lgamma(of - k + 1) + k * yes + (of - k) * no) for k in range(seen + 1)
    )
