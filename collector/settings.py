"""Settings: numbers that an operator changes by name, one "name=value" each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

__all__ = ["changed"]

Values = TypeVar("Values", bound=Any)
"""A dataclass of whole numbers."""
_MOST = 10**12


def changed(values: Values, settings: Iterable[str], *, what: str, most: Mapping[str, int]) -> Values:
    """`values` with each "name=value" put in; the last of a name wins. Raises ValueError.

    `what` is what one of them is called; all are at least 1, and at most what `most` says of some.
    """
    known = [each.name for each in fields(values)]
    changes: dict[str, int] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in known:
            raise ValueError(f"no {what} is named {name[:64]!r}; there are {', '.join(known)}")
        limit = most.get(name, _MOST)
        if not (value.isascii() and value.isdigit() and len(value) <= 13 and 1 <= int(value) <= limit):
            raise ValueError(f"{name}={value[:64]}: it is a whole number from 1 to {limit}")
        changes[name] = int(value)
    return replace(values, **changes)
