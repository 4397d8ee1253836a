"""OTLP over gRPC: the same intake as over HTTP, and answers from which an exporter knows whether to send again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from otlp_samples import Recording, Served, llm_span, request, to_protobuf

from collector.ingest.inflate import MAX_BODY_BYTES
from collector.ingest.limits import Limits
from collector.keys.keyring import FILE_NAME, Keyring

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
GZIP = grpc.Compression.Gzip
Serve = Callable[..., Served]
Metadata = tuple[tuple[str, str], ...]


class Sender:
    """A client of the trace service that sends bytes and tells how each call ended."""

    def __init__(self, port: int) -> None:
        self.channel = grpc.insecure_channel(
            f"127.0.0.1:{port}", options=[("grpc.max_send_message_length", -1)]
        )

    def send(
        self, body: bytes, *, method: str = TRACES, metadata: Metadata = (), compression: Any = None
    ) -> ExportTraceServiceResponse:
        """The answer. Raises grpc.RpcError."""
        call = self.channel.unary_unary(method)
        answer = call(body, metadata=metadata, compression=compression, timeout=30)
        return ExportTraceServiceResponse.FromString(answer)

    def close(self) -> None:
        """Hang up."""
        self.channel.close()

    def refused(self, body: bytes, **options: Any) -> grpc.Call:
        """How a call that must not succeed ended."""
        with pytest.raises(grpc.RpcError) as caught:
            self.send(body, **options)
        return caught.value  # type: ignore[return-value]


@pytest.fixture
def sender(serve: Serve) -> Iterator[Callable[..., tuple[Served, Sender]]]:
    """Start a collector with gRPC, and a client of it."""
    senders: list[Sender] = []

    def begin(**options: Any) -> tuple[Served, Sender]:
        served = serve(grpc=True, **options)
        senders.append(Sender(served.grpc_port))
        return served, senders[-1]

    yield begin
    for each in senders:
        each.close()


@pytest.fixture(scope="module")
def open_(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sender]:
    """A client of a collector that takes everybody's spans, which the tests of this room share."""
    with (
        Served(tmp_path_factory.mktemp("open"), grpc=True) as served,
        closing(Sender(served.grpc_port)) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sender]:
    """A client of a collector that needs the key "s3cret"."""
    folder = tmp_path_factory.mktemp("guarded")
    with Served(folder, grpc=True, api_key="s3cret") as served, closing(Sender(served.grpc_port)) as client:
        yield client


def retry_after_s(call: grpc.Call) -> int | None:
    """When the sender is told to come again, where the two places that exporters read agree; None where nowhere."""
    trailing: Mapping[str, Any] = dict(call.trailing_metadata() or ())
    if "grpc-status-details-bin" not in trailing:
        assert "google.rpc.retryinfo-bin" not in trailing
        return None
    status = Status.FromString(trailing["grpc-status-details-bin"])
    assert (status.code, status.message) == (call.code().value[0], call.details())
    [detail] = status.details
    info = RetryInfo()
    assert detail.Unpack(info)
    assert info == RetryInfo.FromString(trailing["google.rpc.retryinfo-bin"])
    return int(info.retry_delay.seconds)


def test_recordings_make_the_same_calls_as_over_http(
    sender: Callable[..., tuple[Served, Sender]],
    serve: Serve,
    recordings: Mapping[str, Recording],
    tmp_path: Path,
) -> None:
    over_grpc, client = sender()
    over_http = serve(tmp_path / "http")
    for recording in recordings.values():
        document = recording.request()
        assert not client.send(to_protobuf(document), compression=GZIP).HasField("partial_success")
        assert over_http.send(document).status_code == 200
    sql = "SELECT * EXCLUDE (seq, booked_at) FROM calls ORDER BY trace_id, span_id"
    booked = over_grpc.rows(sql)
    assert len(booked) >= 50
    assert booked == over_http.rows(sql)


def test_a_span_that_cannot_be_is_reported_and_the_rest_is_booked(
    sender: Callable[..., tuple[Served, Sender]],
) -> None:
    served, client = sender()
    bad = llm_span(2, {"gen_ai.usage.input_tokens": -1})
    partial = client.send(to_protobuf(request([llm_span(1), bad, llm_span(3)]))).partial_success
    assert partial.rejected_spans == 1
    assert "gen_ai.usage.input_tokens = -1" in partial.error_message
    assert served.rows("SELECT count(*) FROM calls") == [[2]]


@pytest.mark.parametrize(
    ("body", "compression", "code"),
    [
        (b"\xffnonsense", None, grpc.StatusCode.INVALID_ARGUMENT),
        (b"\n" * (MAX_BODY_BYTES + 1), None, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (b"\n" * (4 * MAX_BODY_BYTES), GZIP, grpc.StatusCode.RESOURCE_EXHAUSTED),
    ],
    ids=["malformed", "too large", "gzip bomb"],
)
def test_what_can_never_be_taken_is_not_to_be_sent_again(
    open_: Sender, body: bytes, compression: Any, code: grpc.StatusCode
) -> None:
    refused = open_.refused(body, compression=compression)
    assert (refused.code(), retry_after_s(refused)) == (code, None)
    assert open_.send(b"") == ExportTraceServiceResponse()


@pytest.mark.parametrize("method", [METRICS, LOGS], ids=["metrics", "logs"])
def test_another_signal_is_unimplemented_and_told_why(open_: Sender, method: str) -> None:
    refused = open_.refused(b"", method=method)
    assert refused.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "traces only" in (refused.details() or "")


@pytest.mark.parametrize(
    "metadata",
    [(), (("authorization", "Bearer wrong"),), (("authorization", "Basic s3cret"),)],
    ids=["none", "wrong", "no bearer"],
)
def test_without_the_key_nothing_is_read(guarded: Sender, metadata: Metadata) -> None:
    # More than would be read: the key is looked at first.
    refused = guarded.refused(b"\n" * (MAX_BODY_BYTES + 1), metadata=metadata)
    assert refused.code() is grpc.StatusCode.UNAUTHENTICATED
    assert guarded.send(b"", metadata=(("authorization", "Bearer s3cret"),)) == ExportTraceServiceResponse()


@pytest.fixture
def secret(tmp_path: Path) -> Callable[[str], str]:
    """Make a key of tenant acme with a scope; the metadata that carries it."""
    keyring = Keyring(tmp_path / "data" / FILE_NAME)
    return lambda scope: f"Bearer {keyring.create(['acme'], [scope], now=datetime.now(UTC))[1]}"


def test_a_key_speaks_for_its_tenants_and_needs_the_scope(
    sender: Callable[..., tuple[Served, Sender]], secret: Callable[[str], str]
) -> None:
    ingest, read = secret("ingest"), secret("read")
    _, client = sender()
    body = to_protobuf(request([llm_span(1), llm_span(2, {"switchgear.tenant": "globex"})]))
    assert client.send(body, metadata=(("authorization", ingest),)).partial_success.rejected_spans == 1
    refused = client.refused(body, metadata=(("authorization", read),))
    assert (refused.code(), retry_after_s(refused)) == (grpc.StatusCode.PERMISSION_DENIED, None)


def test_a_used_up_quota_is_exhausted_until_it_has_filled_again(
    sender: Callable[..., tuple[Served, Sender]], secret: Callable[[str], str]
) -> None:
    metadata = (("authorization", secret("ingest")),)
    _, client = sender(limits=Limits(bytes_per_s=1, burst_s=1))
    body = to_protobuf(request([llm_span(1)]))
    client.send(body, metadata=metadata)
    refused = client.refused(body, metadata=metadata)
    assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (retry_after_s(refused) or 0) >= len(body) - 1


def test_a_full_collector_asks_to_be_sent_to_again(
    sender: Callable[..., tuple[Served, Sender]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, client = sender()
    body = to_protobuf(request([llm_span(1)]))
    with monkeypatch.context() as full:
        full.setattr("collector.ingest.room.MAX_BYTES", len(body) - 1)
        refused = client.refused(body)
    assert (refused.code(), retry_after_s(refused)) == (grpc.StatusCode.UNAVAILABLE, 1)
    assert client.send(body) == ExportTraceServiceResponse()


def test_a_fault_of_ours_asks_to_be_sent_to_again_and_logs_nothing_of_the_body(
    sender: Callable[..., tuple[Served, Sender]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def faulty(body: bytes, *_: object) -> None:
        raise RuntimeError(f"cannot read {body!r}")

    monkeypatch.setattr("collector.ingest.intake.inflate", faulty)
    _, client = sender()
    refused = client.refused(b"sk-live-4242")
    assert (refused.code(), retry_after_s(refused)) == (grpc.StatusCode.UNAVAILABLE, 1)
    assert "RuntimeError at test_grpc.py:" in caplog.text
    assert "sk-live" not in caplog.text + (refused.details() or "")


def test_a_message_that_does_not_come_ends_the_call(
    sender: Callable[..., tuple[Served, Sender]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.ingest.grpc_server.BODY_WITHIN_S", 0.2)
    _, client = sender()
    over = threading.Event()

    def never() -> Iterator[bytes]:
        over.wait(30)
        yield from ()

    with pytest.raises(grpc.RpcError) as caught:
        client.channel.stream_unary(TRACES)(never(), timeout=30)
    over.set()
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED  # type: ignore[attr-defined]
    assert client.send(b"") == ExportTraceServiceResponse()


def test_history_is_asked_for_by_metadata(sender: Callable[..., tuple[Served, Sender]]) -> None:
    served, client = sender(limits=Limits(past_days=1))
    body = to_protobuf(request([llm_span(1, startTimeUnixNano="1000000000", endTimeUnixNano="2000000000")]))
    assert client.send(body).partial_success.rejected_spans == 1
    assert client.send(body, metadata=(("switchgear-history", "true"),)) == ExportTraceServiceResponse()
    assert served.rows("SELECT count(*) FROM calls") == [[1]]
