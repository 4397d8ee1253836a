"""Matching: which provider a contract is with, and which models a term is for.

Models are named by patterns: `*` stands for any text, `?` for one character. Providers are named as in the price book.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache

from ..prices.listed import names_of

__all__ = ["matches", "may_share", "names_provider"]


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


def may_share(one: Iterable[str], other: Iterable[str]) -> bool:
    """Whether some name fits a pattern of each: two terms that may both be for one model."""
    others = tuple(other)
    return any(_meet(a.lower(), b.lower()) for a in one for b in others)


@lru_cache(maxsize=4096)
def _meet(a: str, b: str) -> bool:
    if not a or not b:
        return not (a + b).strip("*")
    if a[0] == "*":
        return _meet(a[1:], b) or _meet(a, b[1:])
    if b[0] == "*":
        return _meet(b, a)
    return (a[0] == b[0] or "?" in (a[0], b[0])) and _meet(a[1:], b[1:])
