"""Reading: one span through the table of its dialect. Pure: attributes in, counts and names out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from switchgear.usage import MAX_TOKENS_PER_CALL, Usage, UsageError

from ..call import Reported
from ..span import Scalar, Span
from .dialect import Dialect

__all__ = ["BadValueError", "Counts", "counts", "kind", "response_id", "text"]

# Above this an answer is not searched for its id: reading it would cost more than a twin is worth.
MAX_ANSWER_CHARS = 4 * 1024 * 1024
_NOT_PROVIDER_IDS = ("run-", "run--", "lc_run-")


class BadValueError(ValueError):
    """An attribute with a value that cannot be: names the attribute and the value."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a span says about usage: the canonical counts, and which of them it really named."""

    usage: Usage
    reported: Reported


def kind(dialect: Dialect, span: Span) -> tuple[bool, str]:
    """Whether `span` is of a billable kind, and the value that says so ("" where nothing does)."""
    for rule in dialect.kinds:
        value = span.attributes.get(rule.attribute)
        if not isinstance(value, str) or not value:
            continue
        lowered = value.lower()
        if lowered in rule.bills:
            return True, lowered
        if lowered in rule.never or not rule.passes:
            return False, f"{rule.attribute} = {value[:64]!r}"
    return False, ""


def counts(dialect: Dialect, span: Span, *, output_expected: bool) -> Counts | None:
    """The usage of `span`, or None where it names none. Raises BadValueError for an impossible count.

    Cached tokens are taken out of the input, unless the emitter leaves them out already: a known one, or one
    that gives itself away by `cache_read + cache_write > input`. An answer without any token at all (0 in,
    0 out) is what emitters write when the provider told them nothing: that is no usage.
    """
    read = _Tokens(span.attributes)
    total, output = read.first(dialect.input), read.first(dialect.output)
    cache_read, reasoning = read.first(dialect.cache_read), read.first(dialect.reasoning)
    write, short, long = _cache_write(dialect, read)
    if not any((total, output, cache_read, write)):
        return None
    reported = _reported(total, output, cache_read, write, reasoning)
    if short is not None:
        reported |= Reported.LIFETIMES
    if output is None and not output_expected:
        reported |= Reported.OUTPUT
    cached = (cache_read or 0) + (write or 0)
    uncached = total or 0
    if not (span.scope_name in dialect.exclusive_scopes or cached > uncached):
        uncached -= cached
    spoken, thought = output or 0, reasoning or 0
    try:
        usage = Usage(
            input_uncached=uncached,
            cache_read=cache_read or 0,
            cache_write_5m=(write or 0) - (long or 0),
            cache_write_1h=long or 0,
            # More reasoning than output: an emitter that counts them side by side.
            output=spoken + thought if thought > spoken else spoken,
            reasoning=thought,
        )
    except UsageError as problem:
        raise BadValueError(str(problem)) from problem
    return Counts(usage, reported)


def text(span: Span, names: tuple[str, ...]) -> str | None:
    """The first of `names` that holds text."""
    for name in names:
        value = span.attributes.get(name)
        if isinstance(value, str) and value:
            return value
    return None


def response_id(dialect: Dialect, span: Span) -> str | None:
    """The provider's id of its answer, from an attribute or from the answer itself."""
    named = text(span, dialect.response_id)
    if named is not None or dialect.answer is None:
        return named
    answer = span.attributes.get(dialect.answer)
    if not isinstance(answer, str) or not answer.startswith("{") or len(answer) > MAX_ANSWER_CHARS:
        return None
    try:
        return _id_of(orjson.loads(answer))
    except orjson.JSONDecodeError:
        return None


def _id_of(answer: object) -> str | None:
    """The id in a provider's own body, or in the result that LangChain makes of it."""
    match answer:
        case {"id": str() as found} if found and not found.startswith(_NOT_PROVIDER_IDS):
            return found
        case {"llm_output": {"id": str() as found}} if found:
            return found
        case {
            "generations": [[{"message": {"kwargs": {"response_metadata": {"id": str() as found}}}}, *_], *_]
        }:
            return found or None
        case {"response": {"id": str() as found}} if found:
            return found
    return None


def _reported(*found: int | None) -> Reported:
    """The flags of input, output, cache read, cache write and reasoning, where there is a count."""
    return Reported(sum(flag for flag, count in zip(_FLAGS, found, strict=True) if count is not None))


# As plain numbers: joining enum flags one by one costs more than reading the span.
_FLAGS = tuple(
    flag.value
    for flag in (
        *(Reported.INPUT, Reported.OUTPUT, Reported.CACHE_READ, Reported.CACHE_WRITE),
        Reported.REASONING,
    )
)


def _cache_write(dialect: Dialect, read: _Tokens) -> tuple[int | None, int | None, int | None]:
    """(all that was written, of which for 5 minutes, of which for an hour); the parts None where not told."""
    write = read.first(dialect.cache_write)
    short, long = read.first(dialect.cache_write_5m), read.first(dialect.cache_write_1h)
    if short is None and long is None:
        return write, None, None
    parts = (short or 0) + (long or 0)
    if write is None or parts > write:
        write = parts
    return write, write - (long or 0), long or 0


class _Tokens:
    """Token counts among attributes: whole numbers, or text of digits; anything else is refused."""

    def __init__(self, attributes: Mapping[str, Scalar]) -> None:
        self._attributes = attributes

    def first(self, names: tuple[str, ...]) -> int | None:
        for name in names:
            value = self._attributes.get(name)
            if value is not None:
                return _whole(name, value)
        return None


def _whole(name: str, value: Scalar) -> int:
    count = _integer(value)
    if count is None or not 0 <= count <= MAX_TOKENS_PER_CALL:
        shown = "a list or map" if value == () else repr(value)[:64]
        raise BadValueError(
            f"{name} = {shown}: a token count is a whole number from 0 to {MAX_TOKENS_PER_CALL}"
        )
    return count


def _integer(value: Scalar) -> int | None:
    match value:
        case bool():
            return None
        case int():
            return value
        case float() if math.isfinite(value) and value.is_integer():
            return int(value)
        case str() if value.isascii() and value.isdigit() and len(value) <= 20:
            return int(value)
    return None
