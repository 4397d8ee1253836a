"""Exact statements about a share, from how often something was the case in so many independent draws."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import exp, lgamma, log, log1p

__all__ = ["at_most", "lower", "upper"]

_STEPS = 60
# What is smaller than that part of a sum changes none of its digits.
_SMALL = 1e-17


def at_most(count: int, draws: int, share: float) -> float:
    """P(X <= count) of X binomial over `draws` with `share`: how likely so few are, were the share that large."""
    if count >= draws or share <= 0:
        return 1.0
    if share >= 1:
        return 0.0
    if count > draws * share:
        return 1 - _tail(draws - count - 1, draws, 1 - share)
    return _tail(count, draws, share)


@lru_cache(maxsize=4096)
def upper(count: int, draws: int, alpha: float) -> float:
    """Clopper and Pearson's upper limit of the share, passed with a chance of `alpha` at most; 1 of no draws."""
    if count >= draws:
        return 1.0
    return _where(lambda share: at_most(count, draws, share) > alpha)


@lru_cache(maxsize=4096)
def lower(count: int, draws: int, alpha: float) -> float:
    """Their lower limit; 0 of no draws."""
    if count <= 0:
        return 0.0
    return _where(lambda share: 1 - at_most(count - 1, draws, share) < alpha)


def _tail(count: int, draws: int, share: float) -> float:
    """P(X <= count) of a count below what is expected: terms from it on downwards become ever smaller."""
    chosen = lgamma(draws + 1) - lgamma(count + 1) - lgamma(draws - count + 1)
    term = exp(chosen + count * log(share) + (draws - count) * log1p(-share))
    total, odds = term, (1 - share) / share
    for k in range(count, 0, -1):
        term *= odds * k / (draws - k + 1)
        total += term
        if term <= _SMALL * total:
            break
    return min(1.0, total)


def _where(below: Callable[[float], bool]) -> float:
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if below(middle):
            low = middle
        else:
            high = middle
    return (low + high) / 2
