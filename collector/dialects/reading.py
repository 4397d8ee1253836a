"""Reading: one span through the table of its dialect. Pure: fields in, counts and names out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from switchgear.usage import COUNTS, Usage, UsageError
from switchgear.usage.modalities import MODALITIES, of_input

from ..call import Reported
from ..span import Span
from .dialect import Apart, Dialect, Estimate
from .fields import BadValueError, Fields

__all__ = ["Counts", "counts", "failure", "kind", "response_id", "service_tier"]

# The tiers of service that providers price apart. Their names for the standard one are many: default, auto, on_demand.
_PRICED_APART = frozenset({"batch", "flex", "priority"})
# LangChain's ids of its own runs, which stand where a provider's id may stand too.
_NOT_PROVIDER_IDS = ("run-", "lc_run-")


class Counts(NamedTuple):
    """What a span says about usage: the canonical counts, which of them it really named, and whether they agree."""

    usage: Usage
    reported: Reported
    consistent: bool


class Parts(NamedTuple):
    """What a span says beyond the counts themselves."""

    told: Mapping[str, int]
    """What is billed apart, by its name in `APART`, without zeros; of the input, cached or not."""
    input_beside: int
    output_beside: int


_NO_PARTS = Parts({}, 0, 0)
# Where a dialect names each count of `Usage`.
_CANONICAL = {name: name for name in COUNTS} | {"input_uncached": "input"}


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

    Counts that contradict each other are not consistent: an emitter that gives itself away, for input or for
    reasoning, a total that is no sum, and parts that are more than their whole. The counts are believed then, never
    a total or what is said of their parts, and none is left out.
    """
    if dialect.canonical:
        return _canonical(dialect, fields)
    total, output = fields.tokens(dialect.input), fields.tokens(dialect.output)
    cache_read, reasoning = fields.tokens(dialect.cache_read), fields.tokens(dialect.reasoning)
    write, short, long = _cache_write(dialect, fields)
    if not (total or output or cache_read or write):
        return None
    if dialect.estimate is not None and _guessed(dialect.estimate, fields):
        return None
    named = (total, output, cache_read, write, short, reasoning)
    if output is None and not output_expected:
        named = (total, 0, cache_read, write, short, reasoning)
    consistent = True
    cached, uncached = (cache_read or 0) + (write or 0), total or 0
    if cached and not _leaves_out(dialect, span, fields):
        if cached > uncached:
            consistent = total is None
        else:
            uncached -= cached
    spoken, thought = output or 0, reasoning or 0
    if thought and _beside(dialect, fields):
        spoken += thought
    elif thought > spoken:
        consistent = consistent and output is None
        spoken += thought
    parts = _parts(dialect, fields) if fields.any_of(dialect.parted) else _NO_PARTS
    uncached += parts.input_beside
    spoken += parts.output_beside
    try:
        usage = Usage(uncached, cache_read or 0, (write or 0) - (long or 0), long or 0, spoken, thought)
    except UsageError as problem:
        raise BadValueError(str(problem)) from problem
    if parts.told:
        usage, agree = _with_parts(usage, parts.told)
        consistent = consistent and agree
    if total is not None and output is not None:
        whole = fields.number(dialect.total)
        consistent = consistent and (whole is None or whole in (usage.total, total + output))
    return Counts(usage, _reported(*named), consistent)


def _canonical(dialect: Dialect, fields: Fields) -> Counts | None:
    """The counts of `Usage`, as they are. Raises BadValueError."""
    told = {name: fields.tokens(getattr(dialect, _CANONICAL[name])) for name in COUNTS}
    if all(count is None for count in told.values()):
        return None
    parts = dialect.parts if fields.any_of(dialect.parted) else {}
    apart = {name: count for name, names in parts.items() if (count := fields.tokens(names))}
    try:
        usage = Usage(**{name: count or 0 for name, count in told.items()}, apart=tuple(apart.items()))
    except UsageError as problem:
        raise BadValueError(str(problem)) from problem
    short, long = told["cache_write_5m"], told["cache_write_1h"]
    written = short if long is None else long
    named = (told["input_uncached"], told["output"], told["cache_read"], written, written, told["reasoning"])
    return Counts(usage, _reported(*named), consistent=True)


def response_id(dialect: Dialect, fields: Fields) -> str | None:
    """The provider's id of its answer, from an attribute or from the answer itself."""
    for name in dialect.response_id:
        found = fields.get(name)
        if isinstance(found, str) and found and not found.startswith(_NOT_PROVIDER_IDS):
            return None if dialect.own_ids and found in map(fields.get, dialect.own_ids) else found
    return None


def service_tier(dialect: Dialect, fields: Fields) -> str | None:
    """ "batch", "flex" or "priority", where the call was served so; None is the standard one, whatever its name."""
    served = fields.text(dialect.service_tier)
    return served.lower() if served is not None and served.lower() in _PRICED_APART else None


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


def _parts(dialect: Dialect, fields: Fields) -> Parts:
    """What the span says of what is billed apart, and which tokens its input and output leave out."""
    told = {part: found for part, names in dialect.parts.items() if (found := fields.tokens(names))}
    beside = [part for part in told if fields.source(dialect.parts[part]) in dialect.parts_beside]
    return Parts(
        told,
        (fields.tokens(dialect.input_beside) or 0)
        + sum(told[part] for part in beside if part.startswith("input")),
        (fields.tokens(dialect.output_beside) or 0)
        + sum(told[part] for part in beside if part.startswith("output")),
    )


def _with_parts(usage: Usage, told: Mapping[str, int]) -> tuple[Usage, bool]:
    """`usage` with what is billed apart of it, and True; as it is, and False, where that is more than the whole."""
    cached = {name: told[f"cache_read_{name}"] for name in MODALITIES if f"cache_read_{name}" in told}
    of_whole = {name: told.get(f"input_{name}", 0) for name in MODALITIES}
    if sum(of_whole.values()) > usage.input_total:
        return usage, False
    counts = {"input_uncached": usage.input_uncached, "cache_read": usage.cache_read}
    apart = {**told, **of_input(of_whole, cached or None, **counts)}
    try:
        return replace(usage, apart=tuple(apart.items())), True
    except UsageError:
        return usage, False


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
    """The flags of the counts that are there, in the order of the flags."""
    bits = 0
    for place, count in enumerate(found):
        if count is not None:
            bits |= 1 << place
    return _REPORTED[bits]


# All of them, since joining enum flags one by one costs more than reading the span.
_REPORTED = tuple(Reported(value) for value in range(1 << len(Reported)))


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
