"""Requests as bytes: what is decoded, what is refused whole, and which spans are refused alone."""

from __future__ import annotations

import gzip
import json
import time
import tracemalloc
from typing import Any

import pytest
from otlp_samples import JSON, PROTOBUF, any_value, llm_span, request, to_protobuf

from collector.billing import ATTRIBUTES
from collector.errors import DecodeError
from collector.inflate import MAX_BODY_BYTES, inflate
from collector.otlp import decode

ONE = request([llm_span()])


def span_with(**fields: Any) -> bytes:
    scope, span = llm_span()
    return json.dumps(request([(scope, {**span, **fields})])).encode()


def value_of(value: Any, name: str = "gen_ai.usage.input_tokens") -> Any:
    decoded = decode(span_with(attributes=[{"key": name, "value": value}]), JSON, ATTRIBUTES)
    return decoded.spans[0].attributes.get(name)


def test_both_encodings_of_a_request_are_one() -> None:
    assert decode(json.dumps(ONE).encode(), JSON, ATTRIBUTES) == decode(
        to_protobuf(ONE), PROTOBUF, ATTRIBUTES
    )


@pytest.mark.parametrize("content_type", [JSON, "Application/JSON; charset=utf-8", PROTOBUF])
def test_an_empty_body_is_a_request_without_spans(content_type: str) -> None:
    assert decode(b"", content_type, ATTRIBUTES).spans == []


def test_ids_may_be_in_either_case() -> None:
    body = span_with(traceId="ABCDEF" + "0" * 26, spanId="00000000000000aB")
    [span] = decode(body, JSON, ATTRIBUTES).spans
    assert (span.trace_id, span.span_id) == ("abcdef" + "0" * 26, "00000000000000ab")


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ({"intValue": "12"}, 12),
        ({"intValue": 12}, 12),
        ({"intValue": "-1"}, -1),
        ({"intValue": "9223372036854775807"}, 2**63 - 1),
        ({"doubleValue": 12.5}, 12.5),
        ({"doubleValue": 12}, 12.0),
        ({"boolValue": True}, True),
        ({"stringValue": "12"}, "12"),
        ({"bytesValue": "AAEC"}, ()),
        ({"arrayValue": {"values": [any_value(1)]}}, ()),
        ({"kvlistValue": {"values": []}}, ()),
        ({}, None),
        ({"aValueOfTheFuture": 1}, None),
    ],
    ids=str,
)
def test_values_of_json_attributes(value: dict[str, Any], read: Any) -> None:
    assert value_of(value) == read


@pytest.mark.parametrize(
    "value",
    [{"intValue": "1e3"}, {"intValue": 1.5}, {"intValue": True}, {"boolValue": "x"}, {"bytesValue": "%"}],
    ids=str,
)
def test_a_value_that_proto3_json_does_not_allow_refuses_the_request(value: dict[str, Any]) -> None:
    with pytest.raises(DecodeError) as refused:
        value_of(value)
    assert refused.value.status == 400


def test_of_a_repeated_attribute_the_last_counts() -> None:
    twice = [{"key": "gen_ai.system", "value": any_value(name)} for name in ("openai", "anthropic")]
    [span] = decode(span_with(attributes=twice), JSON, ATTRIBUTES).spans
    assert span.attributes == {"gen_ai.system": "anthropic"}


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
    both = request([llm_span(1), (scope, {**span, **fields})])
    decoded = decode(json.dumps(both).encode(), JSON, ATTRIBUTES)
    assert len(decoded.spans) == 1
    assert reason in decoded.rejected[0].reason
    assert decoded.rejected[0].rejected


def test_an_unfit_parent_is_no_parent() -> None:
    [span] = decode(span_with(parentSpanId="0" * 16), JSON, ATTRIBUTES).spans
    assert span.parent_span_id is None


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"\xff\xfe not a message", PROTOBUF, 400),
        (to_protobuf(ONE)[:-3], PROTOBUF, 400),
        (b"{", JSON, 400),
        (b"[]", JSON, 400),
        (b'{"resourceSpans": {}}', JSON, 400),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [1]}]}]}', JSON, 400),
        (span_with(traceId="xyz"), JSON, 400),
        (span_with(startTimeUnixNano="soon"), JSON, 400),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, JSON, 400),
        (b"[" * 10_000 + b"]" * 10_000, JSON, 400),
        (b"<xml/>", "text/xml", 415),
        (b"", "", 415),
    ],
    ids=[
        *("random protobuf", "cut protobuf", "cut json", "a list", "wrong kind", "a number for a span"),
        *("ids no hex", "time no number", "objects 10,000 deep", "lists 10,000 deep", "xml", "no type"),
    ],
)
def test_a_malformed_request_is_refused_whole(body: bytes, content_type: str, status: int) -> None:
    with pytest.raises(DecodeError) as refused:
        decode(body, content_type, ATTRIBUTES)
    assert refused.value.status == status


def test_protobuf_nested_200_deep_is_refused_and_never_a_crash() -> None:
    def framed(field: int, inner: bytes) -> bytes:
        length, encoded = len(inner), bytearray()
        while length > 127:
            encoded.append(length & 127 | 128)
            length >>= 7
        encoded.append(length)
        return bytes([field << 3 | 2]) + bytes(encoded) + inner

    value = framed(1, b"deep")
    for _ in range(200):
        value = framed(5, framed(1, value))  # AnyValue.array_value.values
    attribute = framed(1, b"llm.system") + framed(2, value)
    body = framed(1, framed(2, framed(2, framed(9, attribute))))
    with pytest.raises(DecodeError):
        decode(body, PROTOBUF, ATTRIBUTES)


def test_every_member_of_a_gzip_body_is_read() -> None:
    assert inflate(gzip.compress(b"one ") + gzip.compress(b"two"), "gzip") == b"one two"


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (gzip.compress(b"x" * 1000)[:-4], "gzip", 400),
        (gzip.compress(b"x" * 1000)[:-8] + b"\0" * 8, "gzip", 400),
        (b"plain", "gzip", 400),
        (gzip.compress(b"x") + b"rubbish", "gzip", 400),
        (b"x", "deflate", 415),
        (b"x", "gzip, gzip", 415),
        (b"x", "zstd", 415),
        (b"x", "br", 415),
    ],
    ids=["cut", "bad crc", "no gzip", "rubbish after", "deflate", "nested", "zstd", "br"],
)
def test_a_body_that_is_not_what_its_encoding_says(body: bytes, encoding: str, status: int) -> None:
    with pytest.raises(DecodeError) as refused:
        inflate(body, encoding)
    assert refused.value.status == status


def test_a_bomb_is_refused_before_it_is_inflated_whole() -> None:
    bomb = b"".join(gzip.compress(b"\0" * (16 * 1024 * 1024)) for _ in range(16))
    assert len(bomb) < 300_000
    tracemalloc.start()
    began = time.perf_counter()
    with pytest.raises(DecodeError) as refused:
        inflate(bomb, "gzip", limit=1024 * 1024)
    assert refused.value.status == 413
    assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
    tracemalloc.stop()
    assert time.perf_counter() - began < 1


def test_a_body_at_the_limit_passes_and_one_byte_more_does_not() -> None:
    assert len(inflate(gzip.compress(b"x" * 100), "gzip", limit=100)) == 100
    for body, encoding in ((gzip.compress(b"x" * 101), "gzip"), (b"x" * 101, "")):
        with pytest.raises(DecodeError) as refused:
            inflate(body, encoding, limit=100)
        assert refused.value.status == 413
    assert MAX_BODY_BYTES == 64 * 1024 * 1024
