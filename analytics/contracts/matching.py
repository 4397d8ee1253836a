"""Patterns: which models and providers a term is for. `*` stands for any text, `?` for one character."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache

__all__ = ["matches", "may_share", "names_provider"]


@lru_cache(maxsize=8192)
def matches(patterns: tuple[str, ...], name: str) -> bool:
    """Whether one of the patterns is for `name`. Case does not count: providers spell a model in several ways."""
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)


@lru_cache(maxsize=1024)
def names_provider(pattern: str, provider: str) -> bool:
    """Whether the pattern is for a provider as a span names it: "openai" is for "openai.responses" too."""
    return matches((pattern,), provider) or matches((pattern,), provider.partition(".")[0])


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
