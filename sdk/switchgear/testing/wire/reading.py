"""What the readers of all formats share: a field that must be there, and one that may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .asked import BadRequestError, Tool

__all__ = ["counted", "listed", "maximum", "needed", "offered", "part"]


def needed(body: Mapping[str, Any], name: str, kind: type | tuple[type, ...]) -> Any:
    """The field under `name`. Raises BadRequestError where there is none of that kind."""
    value = body.get(name)
    if not isinstance(value, kind):
        raise BadRequestError(f"you must provide a {name} parameter")
    return value


def part(body: Any, name: str) -> Mapping[str, Any]:
    """The object under `name`; an empty one where there is none."""
    value = body.get(name) if isinstance(body, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def listed(body: Any, name: str) -> Sequence[Mapping[str, Any]]:
    """The objects in the list under `name`; none where there is no list."""
    value = body.get(name) if isinstance(body, Mapping) else None
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def maximum(body: Mapping[str, Any], *names: str) -> int | None:
    """The most tokens that may be written: the first of `names` that is there."""
    for name in names:
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise BadRequestError(f"{name}: must be a whole number above 0")
        return value
    return None


def counted(body: Mapping[str, Any], name: str, most: int) -> int:
    """How many answers are asked for: 1 where it is not said."""
    count = maximum(body, name) or 1
    if count > most:
        raise BadRequestError(f"{name}: at most {most}")
    return count


def offered(tools: Sequence[Mapping[str, Any]], schema: str) -> list[Tool]:
    """The tools that have a name, with the schema under that field; those of the provider's own have none."""
    return [Tool(each["name"], part(each, schema)) for each in tools if isinstance(each.get("name"), str)]
