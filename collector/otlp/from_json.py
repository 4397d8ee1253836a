"""From JSON: the body is checked and cut into spans at once, the attributes of each are read when it is its turn.

What no field below names is skipped without an object being made of it. Ids are hexadecimal, as OTLP has it; 64-bit
numbers may be text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from ..call import NotBilled
from ..errors import DecodeError
from ..span import Scalar, Span, Wanted
from .identity import MAX_NANOSECONDS, flags_of, parent_of, unfit
from .limits import MAX_ATTRIBUTES, MAX_JSON_PARTS, MAX_SCOPE_CHARS, MAX_SPANS, too_many

__all__ = ["spans"]

_STATUS_ERROR = 2
_HEX = re.compile("[0-9a-fA-F]*")
_WHOLE = re.compile(r"(-?[0-9]{1,20})(?:\.0{1,19})?")
_DECIMAL = re.compile(r"-?[0-9]{1,400}(?:\.[0-9]{1,400})?(?:[eE][+-]?[0-9]{1,4})?|NaN|-?Infinity")
_NANOSECONDS = re.compile("[0-9]{1,20}")
_INT64 = range(-(2**63), 2**63)


class _Object(msgspec.Struct, gc=False):
    """Any object: its content is skipped."""


class _Value(msgspec.Struct, rename="camel", gc=False):
    """An AnyValue in proto3 JSON."""

    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | float | str | None = None
    double_value: float | str | None = None
    bytes_value: str | None = None
    array_value: _Object | None = None
    kvlist_value: _Object | None = None


class _Pair(msgspec.Struct, gc=False):
    key: str | None = None
    value: _Value | None = None


class _Status(msgspec.Struct, gc=False):
    code: int | str | None = None


class _Span(msgspec.Struct, rename="camel", gc=False):
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    start_time_unix_nano: int | float | str | None = None
    end_time_unix_nano: int | float | str | None = None
    status: _Status | None = None
    attributes: msgspec.Raw = msgspec.Raw(b"null")


class _Scope(msgspec.Struct, gc=False):
    name: str | None = None
    version: str | None = None


class _ScopeSpans(msgspec.Struct, gc=False):
    scope: _Scope | None = None
    spans: list[_Span] | None = None


class _ResourceSpans(msgspec.Struct, rename="camel", gc=False):
    scope_spans: list[_ScopeSpans] | None = None


class _Request(msgspec.Struct, rename="camel", gc=False):
    resource_spans: list[_ResourceSpans] | None = None


_request = msgspec.json.Decoder(_Request)
_pairs = msgspec.json.Decoder(list[_Pair] | None)
# What the decoder raises for text that is no JSON, or is not shaped as OTLP, or is nested too deep.
_PROBLEMS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def spans(body: bytes, wanted: Wanted) -> Iterator[Span | NotBilled]:
    """The spans of an ExportTraceServiceRequest in JSON; see `decode`."""
    if not body.strip():
        return
    if body.count(b"{") + body.count(b"[") > MAX_JSON_PARTS:
        raise too_many("objects and lists", MAX_JSON_PARTS)
    try:
        request = _request.decode(body)
    except _PROBLEMS as problem:
        raise DecodeError(f"the body is no OTLP/JSON: {problem}") from problem
    left = MAX_SPANS
    for resource in request.resource_spans or ():
        for held in resource.scope_spans or ():
            scope = _scope(held.scope or _Scope())
            left -= len(held.spans or ())
            if left < 0:
                raise too_many("spans", MAX_SPANS)
            for span in held.spans or ():
                yield _span(span, scope, wanted)


def _scope(scope: _Scope) -> tuple[str, str]:
    return (scope.name or "")[:MAX_SCOPE_CHARS], (scope.version or "")[:MAX_SCOPE_CHARS]


def _span(span: _Span, scope: tuple[str, str], wanted: Wanted) -> Span | NotBilled:
    ids = (span.trace_id or "", span.span_id or "", span.parent_span_id or "")
    trace_id, span_id, parent = map(str.lower, ids)
    try:
        _check_hex(ids)
        start_ns, end_ns = _nanoseconds(span.start_time_unix_nano), _nanoseconds(span.end_time_unix_nano)
        if none := unfit(trace_id, span_id, start_ns):
            return none
        pairs = _pairs.decode(span.attributes) or ()
        if len(pairs) > MAX_ATTRIBUTES:
            raise too_many("attributes in one span", MAX_ATTRIBUTES)
        # Of a name that comes twice the last value stays.
        held = {pair.key or "": pair.value or _Value() for pair in pairs}
        names = wanted.names.intersection(held)
        if wanted.telling.isdisjoint(names):
            tenant = _value(held[wanted.tenant], wanted.tenant) if wanted.tenant in names else None
            return NotBilled.unknown(trace_id, span_id, tenant)
        attributes, cut = _attributes(held, names, wanted)
    except (*_PROBLEMS, ValueError) as problem:
        return NotBilled(trace_id[:64], span_id[:64], "bad_value", str(problem), rejected=True)
    return Span(
        trace_id,
        span_id,
        parent_of(parent),
        start_ns,
        min(max(end_ns, 0), MAX_NANOSECONDS),
        span.status is not None and span.status.code == _STATUS_ERROR,
        *scope,
        attributes,
        flags_of(twice=len(held) != len(pairs), cut=cut),
    )


def _attributes(
    held: Mapping[str, _Value], names: frozenset[str], wanted: Wanted
) -> tuple[dict[str, Scalar], bool]:
    """Those of the names, and whether a text had to be cut."""
    found: dict[str, Scalar] = {}
    cut = False
    for name in names:
        value = _value(held[name], name)
        if value is None:
            continue
        if isinstance(value, str):
            kept = wanted.kept(name, value)
            cut = cut or len(kept) < len(value)
            value = kept
        found[name] = value
    return found, cut


def _check_hex(ids: Sequence[str]) -> None:
    for identifier in ids:
        if not _HEX.fullmatch(identifier):
            raise ValueError(f"id {identifier[:64]!r} is not hexadecimal")


def _value(value: _Value, name: str) -> Scalar | None:
    """The scalar in an AnyValue, () for one that is none, None for an empty one."""
    if value.string_value is not None:
        return value.string_value
    if value.int_value is not None:
        return _int64(value.int_value, name)
    if value.bool_value is not None:
        return value.bool_value
    if value.double_value is not None:
        return _double(value.double_value, name)
    others = (value.bytes_value, value.array_value, value.kvlist_value)
    return None if others == (None, None, None) else ()


def _int64(value: float | str, name: str) -> int:
    whole = _whole(value)
    if whole is None or whole not in _INT64:
        raise ValueError(f"attribute {name[:64]!r}: intValue {str(value)[:64]!r} is no 64-bit integer")
    return whole


def _double(value: float | str, name: str) -> float:
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        raise ValueError(f"attribute {name[:64]!r}: doubleValue {value[:64]!r} is no number")
    return float(value)


def _nanoseconds(value: float | str | None) -> int:
    """A time; one beyond 64 bits is left to `checked`."""
    if value is None:
        return 0
    whole = None if isinstance(value, str) and not _NANOSECONDS.fullmatch(value) else _whole(value)
    if whole is None:
        raise ValueError(f"time {str(value)[:64]!r} is no count of nanoseconds")
    return whole


def _whole(value: float | str) -> int | None:
    if isinstance(value, str):
        match = _WHOLE.fullmatch(value)
        return int(match[1]) if match else None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value
