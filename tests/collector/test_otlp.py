"""Requests as bytes: what is decoded, what is refused whole, and which spans are refused alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from memory import peak
from otlp_samples import JSON, PROTOBUF, any_value, llm_span, request, to_protobuf

from collector.billing import WANTED
from collector.call import Flag, NotBilled
from collector.errors import DecodeError
from collector.ingest.inflate import MAX_BODY_BYTES
from collector.otlp import decode
from collector.otlp.limits import MAX_ATTRIBUTES, MAX_JSON_PARTS, MAX_SPANS
from collector.span import MAX_VALUE_CHARS, Span

ONE = request([llm_span()])
INPUT = "gen_ai.usage.input_tokens"


def decoded(body: bytes, content_type: str = JSON) -> list[Span | NotBilled]:
    return list(decode(body, content_type, WANTED))


def one(body: bytes, content_type: str = JSON) -> Span:
    [span] = decoded(body, content_type)
    assert isinstance(span, Span), span
    return span


def rejected(body: bytes, content_type: str = JSON) -> NotBilled:
    [none] = decoded(body, content_type)
    assert isinstance(none, NotBilled), none
    assert none.rejected
    return none


def refused(body: bytes, content_type: str = JSON) -> int:
    """The status with which the whole body is refused."""
    with pytest.raises(DecodeError) as problem:
        decoded(body, content_type)
    return problem.value.status


def span_with(**fields: Any) -> bytes:
    scope, span = llm_span()
    return json.dumps(request([(scope, {**span, **fields})])).encode()


def value_of(value: Any, name: str = INPUT) -> Any:
    model = {"key": "gen_ai.request.model", "value": {"stringValue": "m"}}
    return one(span_with(attributes=[model, {"key": name, "value": value}])).attributes.get(name)


def both(document: dict[str, Any]) -> list[Span | NotBilled]:
    """The spans of a request, the same from both encodings."""
    found = decoded(json.dumps(document).encode())
    assert found == decoded(to_protobuf(document), PROTOBUF)
    return found


def framed(field: int, inner: bytes) -> bytes:
    """A protobuf field with a length."""
    length, encoded = len(inner), bytearray()
    while length > 127:
        encoded.append(length & 127 | 128)
        length >>= 7
    encoded.append(length)
    return bytes([field << 3 | 2]) + bytes(encoded) + inner


def test_both_encodings_of_a_request_are_one() -> None:
    [span] = both(ONE)
    assert isinstance(span, Span)
    assert span.attributes[INPUT] == 1000


@pytest.mark.parametrize("content_type", [JSON, "Application/JSON; charset=utf-8", PROTOBUF])
def test_an_empty_body_is_a_request_without_spans(content_type: str) -> None:
    assert decoded(b"", content_type) == []


def test_ids_may_be_in_either_case() -> None:
    span = one(span_with(traceId="ABCDEF" + "0" * 26, spanId="00000000000000aB"))
    assert (span.trace_id, span.span_id) == ("abcdef" + "0" * 26, "00000000000000ab")


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ({"intValue": "12"}, 12),
        ({"intValue": 12}, 12),
        ({"intValue": "12.0"}, 12),
        ({"intValue": 12.0}, 12),
        ({"intValue": "-1"}, -1),
        ({"intValue": "9223372036854775807"}, 2**63 - 1),
        ({"doubleValue": 12.5}, 12.5),
        ({"doubleValue": 12}, 12.0),
        ({"doubleValue": "12.0"}, 12.0),
        ({"doubleValue": "-1.5e3"}, -1500.0),
        ({"doubleValue": "Infinity"}, float("inf")),
        ({"boolValue": True}, True),
        ({"boolValue": False}, False),
        ({"stringValue": "12"}, "12"),
        ({"stringValue": ""}, ""),
        ({"bytesValue": "AAEC"}, ()),
        ({"arrayValue": {"values": [any_value(1)]}}, ()),
        ({"kvlistValue": {"values": []}}, ()),
        ({"stringValue": None, "intValue": "3"}, 3),
        ({}, None),
        (None, None),
        ({"aValueOfTheFuture": 1}, None),
    ],
    ids=str,
)
def test_values_of_json_attributes(value: dict[str, Any] | None, read: Any) -> None:
    found = value_of(value)
    assert (found, type(found)) == (read, type(read))


@pytest.mark.parametrize(
    "value",
    [
        {"intValue": "1e3"},
        {"intValue": "12.5"},
        {"intValue": 1.5},
        {"intValue": True},
        {"intValue": str(2**63)},
        {"boolValue": "x"},
        {"doubleValue": "twelve"},
        {"doubleValue": "1_0"},
        {"doubleValue": True},
        {"stringValue": 12},
        {"arrayValue": 1},
        7,
    ],
    ids=str,
)
def test_a_value_that_proto3_json_does_not_allow_costs_its_span_alone(value: Any) -> None:
    scope, span = llm_span(2)
    span["attributes"].append({"key": INPUT, "value": value})
    found = decoded(json.dumps(request([llm_span(1), (scope, span), llm_span(3)])).encode())
    broken = [each for each in found if isinstance(each, NotBilled)]
    assert [each.code for each in broken] == ["bad_value"]
    assert broken[0].rejected
    assert len(found) == 3


def test_of_a_repeated_attribute_the_last_counts_and_the_span_is_flagged() -> None:
    scope, span = llm_span()
    span["attributes"] += [{"key": INPUT, "value": any_value(count)} for count in (7, 8)]
    [found] = both(request([(scope, span)]))
    assert isinstance(found, Span)
    assert (found.attributes[INPUT], found.flags) == (8, (Flag.DUPLICATE_KEYS,))


def test_a_long_text_is_cut_and_its_span_is_flagged() -> None:
    long = {"gen_ai.request.model": "m" * 10_000_000}
    [found] = both(request([llm_span(attributes=long)]))
    assert isinstance(found, Span)
    assert found.attributes["gen_ai.request.model"] == "m" * MAX_VALUE_CHARS
    assert found.flags == (Flag.TRUNCATED,)


def test_a_text_that_is_opened_as_a_document_is_kept_whole() -> None:
    answer = json.dumps({"id": "chatcmpl-1", "text": "x" * 100_000})
    attributes = {"openinference.span.kind": "LLM", "output.value": answer}
    [found] = both(request([llm_span(attributes=attributes)]))
    assert isinstance(found, Span)
    assert (found.attributes["output.value"], found.flags) == (answer, ())


def test_a_span_that_names_nothing_of_a_call_is_none_before_it_is_read() -> None:
    scope, span = llm_span()
    span["attributes"] = [
        {"key": "http.request.method", "value": any_value("GET")},
        {"key": "switchgear.tenant", "value": any_value("acme")},
    ]
    [none] = both(request([(scope, span)]))
    assert isinstance(none, NotBilled)
    assert (none.code, none.tenant, none.rejected) == ("no_dialect", "acme", False)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"traceId": "0" * 32}, "trace id is all zero"),
        ({"spanId": "0" * 16}, "span id is all zero"),
        ({"traceId": "ab"}, "trace id of 1 bytes; it has 16"),
        ({"spanId": ""}, "span id of 0 bytes; it has 8"),
        ({"startTimeUnixNano": str(2**64 - 1)}, "is no time in nanoseconds"),
    ],
    ids=["zero trace", "zero span", "short trace", "no span", "far future"],
)
def test_a_span_with_an_impossible_id_is_refused_alone(fields: dict[str, Any], reason: str) -> None:
    scope, span = llm_span(2)
    good, bad = both(request([llm_span(1), (scope, {**span, **fields})]))
    assert isinstance(good, Span)
    assert isinstance(bad, NotBilled)
    assert reason in bad.reason
    assert bad.rejected


@pytest.mark.parametrize(
    "fields",
    [{"traceId": "x" * 32}, {"parentSpanId": "?"}, {"startTimeUnixNano": "soon"}, {"endTimeUnixNano": 1.5}],
    ids=str,
)
def test_json_ids_and_times_that_are_none_cost_their_span_alone(fields: dict[str, Any]) -> None:
    assert rejected(span_with(**fields)).code == "bad_value"


def test_an_unfit_parent_is_no_parent() -> None:
    assert one(span_with(parentSpanId="0" * 16)).parent_span_id is None


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"\xff\xfe not a message", PROTOBUF, 400),
        (to_protobuf(ONE)[:-3], PROTOBUF, 400),
        (to_protobuf(ONE) + b"\x0a", PROTOBUF, 400),
        (to_protobuf(ONE) + b"\x0b\x0c", PROTOBUF, 400),
        (b"\x02\x00", PROTOBUF, 400),
        (framed(1, framed(2, framed(1, framed(1, b"\xff")))), PROTOBUF, 400),
        (framed(1, framed(2, framed(2, framed(9, b"\x0a\x05x")))), PROTOBUF, 400),
        (b"{", JSON, 400),
        (b"[]", JSON, 400),
        (b'{"resourceSpans": {}}', JSON, 400),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [1]}]}]}', JSON, 400),
        (b'{"resourceSpans": [{"scopeSpans": [{"scope": {"name": "\xff"}}]}]}', JSON, 400),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, JSON, 400),
        (b"[" * 10_000 + b"]" * 10_000, JSON, 400),
        (span_with(attributes=[]).replace(b"[]", b"[" * 10_000 + b"]" * 10_000), JSON, 400),
        (b"<xml/>", "text/xml", 415),
        (b"", "", 415),
    ],
    ids=[
        *("random protobuf", "cut protobuf", "cut length", "a group", "field 0", "scope no text"),
        *("cut attribute", "cut json", "a list", "wrong kind", "a number for a span", "json no text"),
        *("objects 10,000 deep", "lists 10,000 deep", "attributes 10,000 deep", "xml", "no type"),
    ],
)
def test_a_malformed_request_is_refused_whole(body: bytes, content_type: str, status: int) -> None:
    assert refused(body, content_type) == status


@pytest.mark.parametrize("depth", [200, 400])
def test_protobuf_nested_deep_is_refused_and_never_a_crash(depth: int) -> None:
    value = framed(1, b"deep")
    for _ in range(depth // 2):
        value = framed(5, framed(1, value))  # AnyValue.array_value.values
    attribute = framed(1, b"anything") + framed(2, value)
    assert refused(framed(1, framed(2, framed(2, framed(9, attribute)))), PROTOBUF) == 400


@pytest.mark.parametrize(
    ("entry", "around", "content_type"),
    [
        (b"\x0a\x00", (), PROTOBUF),
        (b"\x10\x00", (), PROTOBUF),
        (b"\x12\x00", (1,), PROTOBUF),
        (b"\x12\x00", (1, 2), PROTOBUF),
        (b"\x1a\x00", (1, 2, 1), PROTOBUF),
        (b"\x4a\x00", (1, 2, 2), PROTOBUF),
        (b"\x5a\x00", (1, 2, 2), PROTOBUF),
        (b"{},", (b'{"resourceSpans":[', b"{}]}"), JSON),
        (b"[],", (b'{"x":[', b"[]]}"), JSON),
    ],
    ids=[
        *("resources", "unknown fields", "scopes", "spans", "attributes of a scope", "attributes", "events"),
        *("json resources", "json lists"),
    ],
)
def test_a_body_of_empty_entries_is_refused_before_they_take_memory(
    entry: bytes, around: Any, content_type: str
) -> None:
    body = entry * (MAX_BODY_BYTES // len(entry) - 32)
    if content_type == JSON:
        body = body.join(around)
    for field in reversed(around if content_type == PROTOBUF else ()):
        body = framed(field, body)
    with peak() as taken:
        assert refused(body, content_type) == 413
    # Beside the body its own copy in a part, at most, and never an object for each entry.
    assert taken() < MAX_BODY_BYTES + 16 * 1024 * 1024


@pytest.mark.parametrize(
    ("entries", "around"),
    [
        (
            MAX_ATTRIBUTES + 1,
            (
                b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"%032x","spanId":"%016x","attributes":['
                % (1, 1),
                b"{}]}]}]}]}",
            ),
        ),
        (MAX_SPANS + 1, (b'{"resourceSpans":[{"scopeSpans":[{"spans":[', b"{}]}]}]}")),
    ],
    ids=["attributes", "spans"],
)
def test_a_json_body_of_too_many_entries_is_refused(entries: int, around: tuple[bytes, bytes]) -> None:
    assert refused((b"{}," * (entries - 1)).join(around)) == 413


def test_a_span_may_have_thousands_of_attributes() -> None:
    many = {f"llm.input_messages.{number}.message.content": "hello" * 10 for number in range(5_000)}
    [found] = both(request([llm_span(attributes=many)]))
    assert isinstance(found, Span)
    assert found.attributes[INPUT] == 1000


def test_json_of_many_braces_inside_a_text_counts_as_many_objects() -> None:
    text = "{" * (MAX_JSON_PARTS + 1)
    assert refused(json.dumps(request([llm_span(attributes={"x": text})])).encode()) == 413
