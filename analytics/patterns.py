"""Patterns of names: `*` stands for any text, `?` for one character."""

from __future__ import annotations

from functools import lru_cache

__all__ = ["is_pattern", "may_share"]


def is_pattern(name: str) -> bool:
    """Whether `name` stands for more than one name."""
    return "*" in name or "?" in name


@lru_cache(maxsize=65536)
def may_share(one: str, other: str) -> bool:
    """Whether there is a name that both patterns match."""
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return may_share(one[1:], other) or may_share(one, other[1:])
    if other[0] == "*":
        return may_share(other, one)
    return (one[0] == other[0] or "?" in (one[0], other[0])) and may_share(one[1:], other[1:])
