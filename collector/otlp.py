"""OTLP: trace requests in protobuf or JSON -> spans, holding only the attributes that are asked for.

A malformed body is refused whole (DecodeError); a span with an impossible id is refused alone.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from google.protobuf.message import DecodeError as ProtobufError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from .call import NotBilled
from .errors import DecodeError
from .span import Scalar, Span

__all__ = ["JSON", "PROTOBUF", "Decoded", "decode"]

PROTOBUF = "application/x-protobuf"
JSON = "application/json"

_STATUS_ERROR = 2
_MAX_NANOSECONDS = 2**63 - 1


@dataclass(slots=True)
class Decoded:
    """The spans of one request, and those that are none."""

    spans: list[Span] = field(default_factory=list)
    rejected: list[NotBilled] = field(default_factory=list)


def decode(body: bytes, content_type: str, wanted: frozenset[str]) -> Decoded:
    """The spans in `body`, each with those of its attributes that are `wanted`; an empty body holds none.

    Raises DecodeError: 400 for a malformed body, 415 for a content type other than the two of OTLP.
    """
    media = content_type.partition(";")[0].strip().lower()
    if media == PROTOBUF:
        return _protobuf(body, wanted)
    if media == JSON:
        return _json(body, wanted)
    raise DecodeError(f"Content-Type {content_type[:64]!r} is not taken; send {PROTOBUF} or {JSON}", 415)


def _protobuf(body: bytes, wanted: frozenset[str]) -> Decoded:
    request = ExportTraceServiceRequest()
    try:
        request.ParseFromString(body)
    except ProtobufError as problem:
        raise DecodeError(f"the body is no ExportTraceServiceRequest: {problem}") from problem
    decoded = Decoded()
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            name, version = scope.scope.name, scope.scope.version
            for span in scope.spans:
                _add(
                    decoded,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_span_id=span.parent_span_id.hex(),
                    start_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    error=span.status.code == _STATUS_ERROR,
                    scope=(name, version),
                    attributes=_protobuf_attributes(span.attributes, wanted),
                )
    return decoded


def _protobuf_attributes(pairs: Iterable[Any], wanted: frozenset[str]) -> dict[str, Scalar]:
    found: dict[str, Scalar] = {}
    for pair in pairs:
        key = pair.key
        if key in wanted:
            which = pair.value.WhichOneof("value")
            if which in _SCALARS:
                found[key] = getattr(pair.value, which)
            elif which is not None:
                found[key] = ()
    return found


_SCALARS = frozenset({"string_value", "int_value", "double_value", "bool_value"})


def _json(body: bytes, wanted: frozenset[str]) -> Decoded:
    if not body.strip():
        return Decoded()
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        raise DecodeError(f"the body is no JSON: {problem}") from problem
    decoded = Decoded()
    for resource in _list(_map(request, "the request"), "resourceSpans"):
        for scope in _list(_map(resource, "resourceSpans"), "scopeSpans"):
            named = _object(_map(scope, "scopeSpans"), "scope")
            for raw in _list(scope, "spans"):
                span = _map(raw, "spans")
                _add(
                    decoded,
                    trace_id=_hex(span, "traceId"),
                    span_id=_hex(span, "spanId"),
                    parent_span_id=_hex(span, "parentSpanId"),
                    start_ns=_nanoseconds(span, "startTimeUnixNano"),
                    end_ns=_nanoseconds(span, "endTimeUnixNano"),
                    error=_object(span, "status").get("code") == _STATUS_ERROR,
                    scope=(_text(named, "name"), _text(named, "version")),
                    attributes=_json_attributes(_list(span, "attributes"), wanted),
                )
    return decoded


def _json_attributes(pairs: Sequence[Any], wanted: frozenset[str]) -> dict[str, Scalar]:
    found: dict[str, Scalar] = {}
    for pair in pairs:
        key = _map(pair, "attributes").get("key")
        if isinstance(key, str) and key in wanted:
            value = _json_value(_object(pair, "value"), key)
            if value is not None:
                found[key] = value
    return found


def _json_value(value: Mapping[str, Any], key: str) -> Scalar | None:
    """The one value of a proto3 JSON AnyValue; None where it is empty."""
    match value:
        case {"stringValue": str() as text}:
            return text
        case {"intValue": bool()}:
            pass
        case {"intValue": int() as number}:
            return number
        case {"intValue": str() as digits}:
            return _int64(digits, key)
        case {"boolValue": bool() as truth}:
            return truth
        case {"doubleValue": (int() | float()) as number} if not isinstance(number, bool):
            return float(number)
        case {"doubleValue": ("NaN" | "Infinity" | "-Infinity") as name}:
            return float(name)
        case {"bytesValue": str() as encoded}:
            try:
                base64.b64decode(encoded, validate=True)
            except (binascii.Error, ValueError):
                pass
            else:
                return ()
        case {"arrayValue": _} | {"kvlistValue": _}:
            return ()
        case _ if not _KNOWN_VALUES.intersection(value):
            return None
    raise DecodeError(f"attribute {key[:64]!r}: its value is no OTLP value")


_KNOWN_VALUES = frozenset({"stringValue", "intValue", "boolValue", "doubleValue", "bytesValue"})


def _int64(digits: str, key: str) -> int:
    unsigned = digits.removeprefix("-")
    if not (unsigned.isascii() and unsigned.isdigit() and len(unsigned) <= 19):
        raise DecodeError(f"attribute {key[:64]!r}: intValue {digits[:32]!r} is no 64-bit integer")
    return int(digits)


def _add(
    decoded: Decoded,
    *,
    trace_id: str,
    span_id: str,
    parent_span_id: str,
    start_ns: int,
    end_ns: int,
    error: bool,
    scope: tuple[str, str],
    attributes: dict[str, Scalar],
) -> None:
    unfit = _unfit(trace_id, "trace", 32) or _unfit(span_id, "span", 16)
    if unfit is None and not 0 <= start_ns <= _MAX_NANOSECONDS:
        unfit = f"start time {start_ns} is no time in nanoseconds since 1970"
    if unfit is not None:
        decoded.rejected.append(NotBilled(trace_id[:64], span_id[:64], "bad_id", unfit, rejected=True))
        return
    decoded.spans.append(
        Span(
            trace_id=trace_id,
            span_id=span_id,
            parent_span_id=None if _unfit(parent_span_id, "parent", 16) else parent_span_id,
            start_ns=start_ns,
            end_ns=min(max(end_ns, 0), _MAX_NANOSECONDS),
            error=error,
            scope_name=scope[0],
            scope_version=scope[1],
            attributes=attributes,
        )
    )


def _unfit(identifier: str, what: str, digits: int) -> str | None:
    """Why `identifier` (hex) is no id of that many digits, or None."""
    if len(identifier) != digits:
        return f"{what} id of {len(identifier) // 2} bytes; it has {digits // 2}"
    if not identifier.strip("0"):
        return f"{what} id is all zero"
    return None


def _hex(span: Mapping[str, Any], name: str) -> str:
    value = span.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or not set(value) <= _HEX_DIGITS:
        raise DecodeError(f"{name} {str(value)[:64]!r} is not hexadecimal")
    return value.lower()


_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")


def _nanoseconds(span: Mapping[str, Any], name: str) -> int:
    value = span.get(name)
    if value is None:
        return 0
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise DecodeError(f"{name} {str(value)[:64]!r} is no count of nanoseconds")


def _map(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise DecodeError(f"{where}: an object is expected, not {str(value)[:64]!r}")
    return value


def _object(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = holder.get(name)
    return {} if value is None else _map(value, name)


def _list(holder: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = holder.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise DecodeError(f"{name}: a list is expected, not {str(value)[:64]!r}")
    return value


def _text(holder: Mapping[str, Any], name: str) -> str:
    value = holder.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DecodeError(f"{name}: text is expected, not {str(value)[:64]!r}")
    return value
