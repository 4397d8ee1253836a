"""From protobuf: the messages round the spans are walked by hand, the spans are parsed a few at a time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError as ProtobufError  # type: ignore[import-untyped]
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans

from ..call import NotBilled
from ..errors import DecodeError
from ..span import MAX_VALUE_CHARS, Scalar, Span, Wanted
from .flat_span import FlatSpans
from .identity import MAX_NANOSECONDS, flags_of, parent_of, unfit
from .limits import MAX_ATTRIBUTES, MAX_ENTRIES, MAX_SCOPE_CHARS, MAX_SPANS, too_many
from .walk import Walk, tag

__all__ = ["spans"]

_RESOURCE_SPANS, _SCOPE_SPANS = tag(1), tag(2)
_SCOPE, _SPANS = tag(1), tag(2)
_NAME, _VERSION = tag(1), tag(2)
_ATTRIBUTES = tag(9)
_TEXT = tag(1)
_STATUS_ERROR = 2
_SCALARS = frozenset({"string_value", "int_value", "double_value", "bool_value"})
# Spans are parsed in parts of this many bytes: the parser makes up to 30 bytes out of one.
_PART_BYTES = 64 * 1024


def spans(body: bytes, wanted: Wanted) -> Iterator[Span | NotBilled]:
    """The spans of an ExportTraceServiceRequest; see `decode`."""
    walk = Walk(body, MAX_ENTRIES, "resources, scopes and spans")
    left = MAX_SPANS
    for resource in _messages(walk, 0, len(body), _RESOURCE_SPANS):
        for place in _messages(walk, *resource, _SCOPE_SPANS):
            held = _scope_spans(walk, body, *place)
            left -= held.spans
            if left < 0:
                raise too_many("spans", MAX_SPANS)
            for start, end in held.parts:
                yield from _part(body[start:end], held.scope, wanted)


def _messages(walk: Walk, start: int, end: int, field: int) -> Iterator[tuple[int, int]]:
    return ((begins, ends) for mark, begins, ends in walk.fields(start, end) if mark == field)


class _Held(NamedTuple):
    """The spans of one scope, which may stand before or behind them."""

    scope: tuple[str, str]
    spans: int
    parts: list[tuple[int, int]]
    """Where they are: many that are small together, or one that is large."""


def _scope_spans(walk: Walk, body: bytes, start: int, end: int) -> _Held:
    name = version = ""
    spans, parts, before = 0, [], start
    for mark, begins, ends in walk.fields(start, end):
        if mark == _SPANS:
            spans += 1
        elif mark == _SCOPE:
            for of_scope, first, last in walk.fields(begins, ends):
                if of_scope == _NAME:
                    name = _text(body[first:last])
                elif of_scope == _VERSION:
                    version = _text(body[first:last])
        if ends - start > _PART_BYTES and before > start:
            parts.append((start, before))
            start = before
        before = ends
    parts.append((start, before))
    return _Held((name, version), spans, parts)


def _text(raw: bytes) -> str:
    try:
        return raw.decode()[:MAX_SCOPE_CHARS]
    except UnicodeDecodeError as problem:
        raise DecodeError(f"the body is no OTLP: a scope's name is no UTF-8: {problem.reason}") from None


def _part(raw: bytes, scope: tuple[str, str], wanted: Wanted) -> list[Span | NotBilled]:
    """The spans in a part of a ScopeSpans message."""
    try:
        if len(raw) > _PART_BYTES:
            count = _count(raw)
            return [_span(span, count, scope, wanted) for span in FlatSpans.FromString(raw).spans]
        # Parsed as what it is too, so that nothing malformed is taken, and to count what a map does not show.
        whole = ScopeSpans.FromString(raw).spans
        flat = FlatSpans.FromString(raw).spans
        return [
            _span(span, len(same.attributes), scope, wanted) for span, same in zip(flat, whole, strict=True)
        ]
    except (ProtobufError, UnicodeDecodeError) as problem:
        raise DecodeError(f"the body is no ExportTraceServiceRequest: {problem}") from problem


def _count(raw: bytes) -> int:
    """How many attributes the one span of a large part has. Raises DecodeError for too many fields of any kind."""
    walk = Walk(raw, MAX_ATTRIBUTES, "attributes, events and links in one span")
    return sum(
        mark == _ATTRIBUTES
        for span in _messages(walk, 0, len(raw), _SPANS)
        for mark, _, _ in walk.fields(*span)
    )


def _span(span: Any, count: int, scope: tuple[str, str], wanted: Wanted) -> Span | NotBilled:
    if count > MAX_ATTRIBUTES:
        raise too_many("attributes in one span", MAX_ATTRIBUTES)
    trace_id, span_id, start_ns = span.trace_id.hex(), span.span_id.hex(), span.start_time_unix_nano
    if none := unfit(trace_id, span_id, start_ns):
        return none
    held = span.attributes
    names = wanted.names.intersection(held)
    if wanted.telling.isdisjoint(names):
        tenant = _read(held[wanted.tenant]) if wanted.tenant in names else None
        return NotBilled.unknown(trace_id, span_id, tenant)
    attributes: dict[str, Scalar] = {}
    cut = False
    for name in names:
        raw = held[name]
        value = _read(raw)
        if len(raw) > MAX_VALUE_CHARS and isinstance(value, str):
            kept = wanted.kept(name, value)
            cut = cut or len(kept) < len(value)
            value = kept
        if value is not None:
            attributes[name] = value
    return Span(
        trace_id,
        span_id,
        parent_of(span.parent_span_id.hex()),
        start_ns,
        min(span.end_time_unix_nano, MAX_NANOSECONDS),
        span.status.code == _STATUS_ERROR,
        *scope,
        attributes,
        flags_of(twice=count != len(held), cut=cut),
    )


def _read(raw: bytes) -> Scalar | None:
    """The scalar in an AnyValue, () for one that is none, None for an empty one."""
    return _remembered(raw) if len(raw) <= _REMEMBERED_BYTES else _parsed(raw)


def _parsed(raw: bytes) -> Scalar | None:
    size = len(raw) - 2
    if 0 <= size < 0x80 and raw[0] == _TEXT and raw[1] == size:
        return raw[2:].decode()
    value = AnyValue.FromString(raw)
    which = value.WhichOneof("value")
    if which in _SCALARS:
        scalar: Scalar = getattr(value, which)
        return scalar
    return None if which is None else ()


# Names of models, tenants and tasks and most counts come again and again: remembered they take 0.1 µs, parsed 0.6.
_REMEMBERED_BYTES = 64
_remembered = lru_cache(maxsize=8192)(_parsed)
