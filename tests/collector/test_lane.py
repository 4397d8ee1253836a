"""What a sender of OTLP over HTTP is told; the bodies that are refused are in test_bad_inputs_bodies.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bad_inputs import booked, fresh
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from otlp_samples import JSON, PROTOBUF, Served, llm_span, request, to_protobuf

from collector.ingest.admission import Admission
from collector.ingest.limits import Limits

Serve = Callable[..., Served]


def test_traces_are_posted(served: Served) -> None:
    answer = served.http.get("/v1/traces")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/v1/metrics", "/v1/logs"])
def test_another_signal_is_404_in_the_words_of_otlp(served: Served, path: str) -> None:
    answer = served.http.post(path, content=b"", headers={"Content-Type": PROTOBUF})
    status = Status.FromString(answer.content)
    assert (answer.status_code, answer.headers["Content-Type"], status.code) == (404, PROTOBUF, 12)
    assert "traces only" in status.message


@pytest.mark.parametrize("protobuf", [False, True], ids=["json", "protobuf"])
def test_spans_that_cannot_be_are_reported_and_the_rest_is_booked(served: Served, *, protobuf: bool) -> None:
    bad = llm_span(fresh(), {"gen_ai.usage.input_tokens": -1})
    goods = [llm_span(fresh()), llm_span(fresh())]
    answer = served.send(request([goods[0], bad, goods[1]]), protobuf=protobuf)
    assert answer.status_code == 200
    if protobuf:
        partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
        assert partial.rejected_spans == 1
        message = partial.error_message
    else:
        partial_json = answer.json()["partialSuccess"]
        assert partial_json["rejectedSpans"] == "1"
        message = partial_json["errorMessage"]
    assert "gen_ai.usage.input_tokens = -1" in message
    assert booked(served, *goods, bad) == [span["spanId"] for _, span in goods]


def test_a_fault_of_ours_is_503_and_logs_nothing_of_the_body(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def faulty(body: bytes, *_: object) -> None:
        raise RuntimeError(f"cannot read {body!r}")

    monkeypatch.setattr("collector.ingest.intake.inflate", faulty)
    answer = served.http.post("/v1/traces", content=b"sk-live-4242", headers={"Content-Type": JSON})
    assert (answer.status_code, answer.headers["Retry-After"], answer.json()["code"]) == (503, "1", 14)
    assert "RuntimeError at test_lane.py:" in caplog.text
    assert "sk-live" not in caplog.text + answer.text


def test_a_fault_in_one_span_costs_that_span_alone(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Admission.admit
    goods, bad = [llm_span(fresh()), llm_span(fresh())], llm_span(fresh())

    def faulty(self: Admission, each: Any, *arguments: Any, **options: Any) -> Any:
        if each.span_id == bad[1]["spanId"]:
            raise RuntimeError("a fault")
        return original(self, each, *arguments, **options)

    monkeypatch.setattr(Admission, "admit", faulty)
    answer = served.send(request([goods[0], bad, goods[1]]))
    assert answer.json()["partialSuccess"]["rejectedSpans"] == "1"
    assert booked(served, *goods, bad) == [span["spanId"] for _, span in goods]


@pytest.mark.parametrize(
    ("query", "headers"),
    [("?history=true", {}), ("", {"Switchgear-History": "true"})],
    ids=["query", "header"],
)
def test_history_is_asked_for_by_query_or_header(serve: Serve, query: str, headers: dict[str, str]) -> None:
    served = serve(limits=Limits(past_days=1))
    old = request([llm_span(1, startTimeUnixNano="1000000000", endTimeUnixNano="2000000000")])
    assert served.send(old).json()["partialSuccess"]["rejectedSpans"] == "1"
    asked = {"Content-Type": PROTOBUF, **headers}
    answer = served.http.post(f"/v1/traces{query}", content=to_protobuf(old), headers=asked)
    assert (answer.status_code, answer.content) == (200, b"")
    assert served.rows("SELECT count(*) FROM calls") == [[1]]
