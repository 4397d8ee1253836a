"""Bad inputs 1 to 8 and 10 to 12 of the catalogue: bodies that are too large, damaged, or not what they say.

Sent to a collector in a process of its own, whose memory is watched. After each the collector answers, and books.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import socket
import struct
import zlib
from collections.abc import Callable, Iterator

import httpx
import pytest
from bad_inputs import Watched, alive, booked, counted, fresh, rejected, settle
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp_samples import JSON, PROTOBUF, Served, llm_span, request, to_protobuf

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    running = Watched(tmp_path_factory.mktemp("bodies"))
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def _lives_and_books(watched: Watched) -> Iterator[None]:
    """Whatever was sent: good spans are taken as before, and no request was answered with 5xx."""
    yield
    assert alive(watched.http)
    metrics = settle(watched.http)
    assert not [name for name in metrics if 'rejected_requests_total{status="5' in name]
    assert rejected(watched.post(good(2))) == (0, "")
    assert counted(watched.http, "booked_calls") == metrics["switchgear_collector_booked_calls_total"] + 2


def good(spans: int = 1) -> bytes:
    return to_protobuf(request([llm_span(fresh()) for _ in range(spans)]))


def refused(watched: Watched, status: int, body: bytes, content_type: str = PROTOBUF, **headers: str) -> str:
    """Send the body: it is refused with `status` as a google.rpc.Status, and counted; what it says."""
    before = counted(watched.http, "rejected_requests", status=str(status))
    answer = watched.post(body, content_type, **headers)
    assert answer.status_code == status, answer.text
    assert "retry-after" not in answer.headers
    assert counted(watched.http, "rejected_requests", status=str(status)) == before + 1
    if answer.headers["Content-Type"] == PROTOBUF:
        return str(Status.FromString(answer.content).message)
    return str(answer.json()["message"])


def test_01_a_gzip_bomb_is_413_and_takes_no_memory(watched: Watched) -> None:
    bomb = gzip.compress(bytes(256 * MIB))
    assert len(bomb) < 300_000
    with watched.grows_less_than(16):
        refused(watched, 413, bomb, Content_Encoding="gzip")


def test_01_many_small_members_are_no_way_round_the_cap(watched: Watched) -> None:
    with watched.grows_less_than(16):
        refused(watched, 413, gzip.compress(bytes(MIB)) * 100, Content_Encoding="gzip")


@pytest.mark.parametrize("cut", [1, 4, 8, 20], ids=lambda cut: f"{cut} bytes short")
def test_02_a_cut_gzip_is_400(watched: Watched, cut: int) -> None:
    refused(watched, 400, gzip.compress(good())[:-cut], Content_Encoding="gzip")


def test_02_a_gzip_with_a_wrong_checksum_is_400(watched: Watched) -> None:
    body = good()
    wrong = struct.pack("<LL", zlib.crc32(body) ^ 1, len(body))
    refused(watched, 400, gzip.compress(body)[:-8] + wrong, Content_Encoding="gzip")


def test_03_all_members_of_a_gzip_are_read(watched: Watched) -> None:
    booked = counted(watched.http, "booked_calls")
    both = gzip.compress(good(2)) + gzip.compress(good(3))
    assert rejected(watched.post(both, Content_Encoding="gzip")) == (0, "")
    assert counted(watched.http, "booked_calls") == booked + 5


def test_03_a_second_member_that_is_damaged_is_never_a_partial_200(watched: Watched) -> None:
    booked = counted(watched.http, "booked_calls")
    refused(watched, 400, gzip.compress(good(2)) + gzip.compress(good(2))[:-3], Content_Encoding="gzip")
    refused(watched, 400, gzip.compress(good(2)) + b"trailing", Content_Encoding="gzip")
    assert counted(watched.http, "booked_calls") == booked


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(gzip.compress(b"{}")), "gzip"),
        (zlib.compress(b"{}"), "deflate"),
        (b"(\xb5/\xfd\x04\x00\x11\x00\x00{}", "zstd"),
        (b"\x0b\x01\x80{}\x03", "br"),
        (gzip.compress(gzip.compress(b"{}")), "gzip, gzip"),
        (b"{}", "no such thing"),
    ],
    ids=["gzip in gzip", "deflate", "zstd", "br", "gzip, gzip", "unknown"],
)
def test_04_any_encoding_but_gzip_once_is_415(watched: Watched, body: bytes, encoding: str) -> None:
    refused(watched, 415, body, JSON, Content_Encoding=encoding)


def raw(collector: Watched | Served, head: bytes) -> socket.socket:
    """A connection on which the head of a request was sent."""
    client = socket.create_connection(("127.0.0.1", collector.port), timeout=30)
    client.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n" + head)
    return client


def test_05_a_body_without_end_is_413_at_the_cap(watched: Watched) -> None:
    with raw(watched, b"Transfer-Encoding: chunked\r\n\r\n") as client, watched.grows_less_than(160):
        chunk = b"100000\r\n" + bytes(MIB) + b"\r\n"
        answer = b""
        client.settimeout(0.01)
        for _ in range(200):
            try:
                client.sendall(chunk)
                answer = client.recv(64)
            except TimeoutError:
                continue
            except OSError:
                break
            if answer:
                break
    assert answer.startswith(b"HTTP/1.1 413")


def test_05_a_body_that_announces_too_much_is_413_before_it_is_sent(watched: Watched) -> None:
    with raw(watched, b"Content-Length: 99999999999\r\n\r\n") as client, watched.grows_less_than(16):
        assert client.recv(64).startswith(b"HTTP/1.1 413")


def test_05_a_body_shorter_than_it_announces_books_nothing(watched: Watched) -> None:
    booked = counted(watched.http, "booked_calls")
    body = good()
    with raw(watched, b"Content-Length: %d\r\n\r\n" % (len(body) + 1)) as client:
        client.sendall(body)
        client.shutdown(socket.SHUT_WR)
        client.recv(64)
    assert counted(watched.http, "booked_calls") == booked


def test_05_what_follows_the_announced_length_is_not_booked(serve: Callable[..., Served]) -> None:
    """On a collector of its own: the body itself may be booked, or not, after the answer."""
    served, body = serve(), good()
    after = [llm_span(fresh()) for _ in range(5)]
    with raw(served, b"Content-Length: %d\r\n\r\n" % len(body)) as client:
        client.sendall(body + to_protobuf(request(after)))
        # As soon as the server sees that what follows is no request it says 400 and closes.
        assert client.recv(64).startswith((b"HTTP/1.1 200", b"HTTP/1.1 400"))
    served.send(request([last := llm_span(fresh())]))
    # It was sent later: what there is of the others is booked by then.
    assert booked(served, *after, last) == [last[1]["spanId"]]


def test_05_a_slow_body_is_408(serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.ingest.lane.BODY_WITHIN_S", 0.05)
    address = httpx.URL(serve().url)
    with socket.create_connection((address.host, address.port or 0), timeout=30) as client:
        client.sendall(
            b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
            b"Content-Length: 100\r\n\r\n\x0a"
        )
        assert client.recv(64).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"", PROTOBUF), (b"", JSON), (b"{}", JSON), (b'{"resourceSpans":[]}', JSON), (b"\n\0", PROTOBUF)],
    ids=["protobuf", "json", "empty json", "no resources", "empty resource"],
)
def test_06_an_empty_request_is_200_with_no_spans(watched: Watched, body: bytes, content_type: str) -> None:
    accepted = counted(watched.http, "accepted_spans")
    assert rejected(watched.post(body, content_type)) == (0, "")
    assert counted(watched.http, "accepted_spans") == accepted


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON], ids=["protobuf", "json"])
@pytest.mark.parametrize("seed", range(3))
def test_07_noise_is_400_with_a_status(watched: Watched, seed: int, content_type: str) -> None:
    assert refused(watched, 400, b"\xff" + hashlib.shake_128(bytes([seed])).digest(200), content_type)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
def test_07_a_cut_protobuf_is_400_and_books_nothing(watched: Watched, part: float) -> None:
    booked = counted(watched.http, "booked_calls")
    body = good(20)
    assert refused(watched, 400, body[: int(len(body) * part)])
    assert counted(watched.http, "booked_calls") == booked


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "", "application/x-protobuf2"])
def test_08_any_other_content_type_is_415(watched: Watched, content_type: str) -> None:
    refused(watched, 415, good(), content_type)


def nested(depth: int) -> bytes:
    """A protobuf request in which an attribute holds arrays of arrays, so deep."""
    built = ExportTraceServiceRequest.FromString(good())
    wire = b""
    for _ in range(depth):
        inner = b"\x0a" + _varint(len(wire)) + wire
        wire = b"\x2a" + _varint(len(inner)) + inner
    span = built.resource_spans[0].scope_spans[0].spans[0]
    pair = b"\x0a\x15gen_ai.input.messages" + b"\x12" + _varint(len(wire)) + wire
    whole = span.SerializeToString() + b"\x4a" + _varint(len(pair)) + pair
    scope = b"\x12" + _varint(len(whole)) + whole
    resource = b"\x12" + _varint(len(scope)) + scope
    return b"\x0a" + _varint(len(resource)) + resource


def _varint(number: int) -> bytes:
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def test_10_depth_is_400_or_read_but_never_a_fault(watched: Watched) -> None:
    deep = b'{"resourceSpans":' + b"[" * 10_000 + b"]" * 10_000 + b"}"
    refused(watched, 400, deep, JSON)
    assert watched.post(nested(200)).status_code in (200, 400)


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON], ids=["protobuf", "json"])
def test_11_a_million_attributes_are_413(watched: Watched, content_type: str) -> None:
    scope, span = llm_span(fresh())
    if content_type == JSON:
        pair = b'{"key":"a","value":{}},'
        body = json.dumps(request([(scope, span)])).encode()
        start = body.index(b'"attributes": [', body.index(b'"spans"')) + len(b'"attributes": [')
        body = body[:start] + pair * 1_000_000 + body[start:]
    else:
        built = ExportTraceServiceRequest.FromString(good())
        whole = built.resource_spans[0].scope_spans[0].spans[0].SerializeToString()
        whole += b"\x4a\x07\x0a\x01a\x12\x02\x18\x01" * 1_000_000
        scope_spans = b"\x12" + _varint(len(whole)) + whole
        resource = b"\x12" + _varint(len(scope_spans)) + scope_spans
        body = b"\x0a" + _varint(len(resource)) + resource
    with watched.grows_less_than(64):
        refused(watched, 413, body, content_type)


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON], ids=["protobuf", "json"])
def test_12_a_value_of_10_mb_is_cut_and_the_call_says_so(watched: Watched, content_type: str) -> None:
    long = {"gen_ai.request.model": "gpt-4o-mini", "gen_ai.response.id": "r" * 10_000_000}
    spans = request([llm_span(fresh()), llm_span(number := fresh(), long), llm_span(fresh())])
    body = to_protobuf(spans) if content_type == PROTOBUF else json.dumps(spans).encode()
    with watched.grows_less_than(64):
        assert rejected(watched.post(body, content_type)) == (0, "")
    [row] = watched.rows(f"SELECT length(response_id), flags FROM calls WHERE span_id = '{number:016x}'")
    assert row[0] <= 4096
    assert row[1] == "truncated"


def test_12_content_of_10_mb_is_not_kept_at_all(watched: Watched) -> None:
    long = llm_span(fresh(), {"gen_ai.input.messages": "x" * 10_000_000})
    with watched.grows_less_than(64):
        assert rejected(watched.post(to_protobuf(request([long])))) == (0, "")
