"""Matching: which provider a contract is with, and which models a term is for.

Models are named by patterns: `*` stands for any text, `?` for one character. Providers are named as in the price book.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache

from ..patterns import may_share
from ..prices.listed import names_of

__all__ = ["matches", "names_provider", "overlap"]


@lru_cache(maxsize=8192)
def matches(patterns: tuple[str, ...], name: str) -> bool:
    """Whether one of the patterns is for `name`. Case does not count: providers spell a model in several ways."""
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)


@lru_cache(maxsize=8192)
def names_provider(provider: str, named: str) -> bool:
    """Whether a contract with `provider` is for a call whose span names its provider so.

    The price book's rule: "azure" is "azure.ai.openai" too, and "openai" is "openai.responses".
    """
    return names_of(provider)[0] in names_of(named)


def overlap(one: Iterable[str], other: Iterable[str]) -> bool:
    """Whether some name fits a pattern of each: two terms that may both be for one model."""
    others = tuple(other)
    return any(may_share(a.lower(), b.lower()) for a in one for b in others)
