"""Body: what a response holds where, as whole numbers, and the complaint where a number cannot be."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from .counts import UsageError

__all__ = ["Json", "count", "holders", "listed", "part", "rest", "seconds", "tier_of"]

Json: TypeAlias = Mapping[str, Any]

# Where the events of a stream hold what a whole response has at its top: OpenAI's responses, Anthropic's messages,
# Bedrock, Cohere, Groq.
_NESTED = ("response", "message", "metadata", "delta", "x_groq")


def holders(body: Json) -> Iterator[Json]:
    """The objects of a response, or of an event of its stream, that may hold its usage."""
    yield body
    for name in _NESTED:
        if isinstance(body.get(name), Mapping):
            yield body[name]


def tier_of(holder: Json) -> str | None:
    """The service tier that answered, as the object says it, or (Anthropic's) its usage; None where neither does."""
    usage = holder.get("usage")
    for said in (holder, usage if isinstance(usage, Mapping) else {}):
        tier = said.get("service_tier")
        if isinstance(tier, str) and tier:
            return tier
    return None


def part(of: Json, *names: str) -> Json:
    """The object under the first of `names` that is there; an empty one where none is."""
    for name in names:
        value = of.get(name)
        if isinstance(value, Mapping):
            return value
        if value is not None:
            raise UsageError(f"{name}: {value!r} holds no counts")
    return {}


def listed(of: Json, name: str) -> Iterator[Json]:
    """The objects in the list under `name`; none where there is no list."""
    values = of.get(name)
    if not isinstance(values, list | tuple | None):
        raise UsageError(f"{name}: {values!r} is no list")
    for value in values or ():
        yield part({name: value}, name)


def count(of: Json, *names: str) -> int:
    """The count under the first of `names` that is there; 0 where none is."""
    for name in names:
        value = of.get(name)
        if value is None:
            continue
        # Some serialisers write every number as a float.
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise UsageError(f"{name}: {value!r} is not a whole number")
        if value < 0:
            raise UsageError(f"{name}: {value} is less than nothing")
        return value
    return 0


def seconds(of: Json, name: str) -> int:
    """The duration under `name` in whole seconds, a started one counted whole; 0 where there is none."""
    value = of.get(name)
    if isinstance(value, float) and math.isfinite(value):
        value = math.ceil(value)
    return count({name: value}, name)


def rest(whole: str, amount: int, parts: Mapping[str, int]) -> int:
    """What of `amount`, reported as `whole`, is in none of its `parts`. Raises UsageError where they are more."""
    if (left := amount - sum(parts.values())) < 0:
        named = " + ".join(f"{name} {each}" for name, each in parts.items() if each)
        raise UsageError(f"{named}: more than {whole}, {amount}, which holds them")
    return left
