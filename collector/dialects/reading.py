"""Reading: one span through the table of its dialect. Pure: fields in, counts and names out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from switchgear.usage import Usage, UsageError

from ..call import Reported
from ..span import Span
from .dialect import Apart, Dialect, Estimate
from .fields import BadValueError, Fields

__all__ = ["Counts", "counts", "failure", "kind", "response_id"]

# LangChain's ids of its own runs, which stand where a provider's id may stand too.
_NOT_PROVIDER_IDS = ("run-", "lc_run-")


@dataclass(frozen=True, slots=True)
class Counts:
    """What a span says about usage: the canonical counts, and which of them it really named."""

    usage: Usage
    reported: Reported


def kind(dialect: Dialect, fields: Fields) -> tuple[bool, str]:
    """Whether the span is of a billable kind, and the value that says so ("" where nothing does)."""
    for rule in dialect.kinds:
        if rule.given is not None and not fields.says(*rule.given):
            continue
        value = fields.get(rule.attribute)
        if not value and value is not False:
            continue
        if not isinstance(value, str):
            if not isinstance(value, bool):
                continue
            value = str(value)
        lowered = value.lower()
        if lowered in rule.bills or lowered.endswith(rule.endings):
            return True, lowered
        if lowered in rule.never or not rule.passes:
            return False, f"{rule.attribute} = {value[:64]!r}"
    return False, ""


def counts(dialect: Dialect, span: Span, fields: Fields, *, output_expected: bool) -> Counts | None:
    """The usage of `span`, or None where it names none. Raises BadValueError for an impossible count.

    Cached tokens are taken out of the input, unless the emitter leaves them out already: a known one, or one
    that gives itself away by `cache_read + cache_write > input`. An answer without any token at all (0 in,
    0 out) is what emitters write when the provider told them nothing: that is no usage, and neither is what
    an instrumentation guessed by itself.
    """
    total, output = fields.tokens(dialect.input), fields.tokens(dialect.output)
    cache_read, reasoning = fields.tokens(dialect.cache_read), fields.tokens(dialect.reasoning)
    write, short, long = _cache_write(dialect, fields)
    if not any((total, output, cache_read, write)):
        return None
    if dialect.estimate is not None and _guessed(dialect.estimate, fields):
        return None
    reported = _reported(total, output, cache_read, write, reasoning)
    if short is not None:
        reported |= Reported.LIFETIMES
    if output is None and not output_expected:
        reported |= Reported.OUTPUT
    cached = (cache_read or 0) + (write or 0)
    uncached = total or 0
    if cached and not (cached > uncached or _leaves_out(dialect, span, fields)):
        uncached -= cached
    spoken, thought = output or 0, reasoning or 0
    # More reasoning than output: an emitter that counts them side by side.
    beside = thought > spoken or (thought > 0 and _beside(dialect, fields))
    try:
        usage = Usage(
            input_uncached=uncached,
            cache_read=cache_read or 0,
            cache_write_5m=(write or 0) - (long or 0),
            cache_write_1h=long or 0,
            output=spoken + thought if beside else spoken,
            reasoning=thought,
        )
    except UsageError as problem:
        raise BadValueError(str(problem)) from problem
    return Counts(usage, reported)


def response_id(dialect: Dialect, fields: Fields) -> str | None:
    """The provider's id of its answer, from an attribute or from the answer itself."""
    for name in dialect.response_id:
        found = fields.get(name)
        if isinstance(found, str) and found and not found.startswith(_NOT_PROVIDER_IDS):
            return None if dialect.own_ids and found in map(fields.get, dialect.own_ids) else found
    return None


def failure(dialect: Dialect, fields: Fields) -> str | None:
    """What the dialect itself says of a failed request, or None."""
    for name, value in dialect.failures:
        if fields.says(name, value):
            return f"{name} = {value!r}"
    return None


def _guessed(estimate: Estimate, fields: Fields) -> bool:
    streamed = any(fields.says(name, value) for name, value in estimate.streams)
    return streamed and fields.source(estimate.proofs) is None


def _leaves_out(dialect: Dialect, span: Span, fields: Fields) -> bool:
    """Whether the input count is one that leaves the cached tokens out."""
    return bool(dialect.apart) and any(_apart(rule, dialect, span, fields) for rule in dialect.apart)


def _beside(dialect: Dialect, fields: Fields) -> bool:
    """Whether the reasoning count is one that stands beside the output."""
    return bool(dialect.reasoning_apart) and fields.source(dialect.reasoning) in dialect.reasoning_apart


def _apart(rule: Apart, dialect: Dialect, span: Span, fields: Fields) -> bool:
    """Whether `rule` shows that the input of this span leaves the cached tokens out."""
    if rule.scope and rule.scope != span.scope_name:
        return False
    if rule.before and not () < _version(span.scope_version) < rule.before:
        return False
    if rule.providers:
        provider = fields.text(dialect.provider) or ""
        if rule.providers.isdisjoint(provider.lower().split(".")):
            return False
    if rule.counted and fields.source(dialect.input) not in rule.counted:
        return False
    if rule.named and fields.source(tuple(rule.named)) is None:
        return False
    return not rule.lacks or fields.source(tuple(rule.lacks)) is None


def _version(text: str) -> tuple[int, ...]:
    """The numbers of a version: "0.1.54" is (0, 1, 54); () where it holds none."""
    return tuple(int(number) for number in re.findall(r"\d{1,9}", text[:64])[:4])


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


def _cache_write(dialect: Dialect, fields: Fields) -> tuple[int | None, int | None, int | None]:
    """(all that was written, of which for 5 minutes, of which for an hour); the parts None where not told."""
    write = fields.tokens(dialect.cache_write)
    if not (dialect.cache_write_5m or dialect.cache_write_1h):
        return write, None, None
    short, long = fields.tokens(dialect.cache_write_5m), fields.tokens(dialect.cache_write_1h)
    if short is None and long is None:
        return write, None, None
    parts = (short or 0) + (long or 0)
    if write is None or parts > write:
        write = parts
    return write, write - (long or 0), long or 0
