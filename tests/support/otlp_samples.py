"""Spans as OTLP requests, recorded and by hand, and the real application on a real socket."""

from __future__ import annotations

import atexit
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from serving import Serving, free_ports

from analytics.prices import PriceBook
from collector.ingest.grpc_server import Endpoint
from collector.ingest.limits import Limits
from collector.queries.sandbox.workers import Workers
from collector.service import create_app

SHARED = Path(os.environ.get("SWITCHGEAR_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
BASE_NS = 1_795_500_000_000_000_000
# Recorded spans and those by hand have fixed times: they are never too old for the tests.
EVER = Limits(past_days=36_500)
JSON = "application/json"
PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True)
class Recording:
    """Spans that an instrumentation recorded, and what its provider really billed."""

    name: str
    spans: Sequence[Mapping[str, Any]]
    truth: Mapping[str, Any]

    def request(self) -> dict[str, Any]:
        """The spans as one OTLP/JSON request; times are invented around the recorded durations."""
        return request([otlp_span(span, place) for place, span in enumerate(self.spans)])


def otlp_span(span: Mapping[str, Any], place: int) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """A recorded span as (scope, OTLP/JSON span)."""
    ended = BASE_NS + place * 1_000_000
    started = ended - int((span.get("duration_ms") or 1) * 1_000_000)
    code = span["status"].get("code")
    scope = {"name": span["scope"]["name"], "version": span["scope"].get("version") or ""}
    return scope, {
        "traceId": span["trace_id"].upper(),
        "spanId": span["span_id"],
        "parentSpanId": span["parent_span_id"] or "",
        "name": span["name"],
        "kind": 3,
        "startTimeUnixNano": str(started),
        "endTimeUnixNano": str(ended),
        "attributes": [
            {"key": key, "value": any_value(value)}
            for key, value in {**span["attributes"], "switchgear.tenant": "acme"}.items()
        ],
        "status": {"code": {"OK": 1, "ERROR": 2}.get(code, code if isinstance(code, int) else 0)},
        "droppedAttributesCount": 0,
        "aFieldOfTheFuture": {"x": 1},
    }


def any_value(value: Any) -> dict[str, Any]:
    """The value as OTLP/JSON writes it."""
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            named = {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
            return {"doubleValue": value if math.isfinite(value) else named}
        case str():
            return {"stringValue": value}
        case list():
            return {"arrayValue": {"values": [any_value(each) for each in value]}}
    return {}


def request(spans: Sequence[tuple[Mapping[str, Any], dict[str, Any]]]) -> dict[str, Any]:
    """An OTLP/JSON request with a scope of its own for each span."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "agent"}}]},
                "scopeSpans": [
                    {"scope": {"name": scope["name"], "version": scope["version"]}, "spans": [span]}
                    for scope, span in spans
                ],
            }
        ]
    }


def split(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The same request as one request for each span."""
    return [
        {"resourceSpans": [{"scopeSpans": [{"scope": scope["scope"], "spans": [span]}]}]}
        for resource in document["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def to_protobuf(document: Mapping[str, Any]) -> bytes:
    """An OTLP/JSON request as protobuf, by the generated classes."""
    built = ExportTraceServiceRequest()
    for resource in document["resourceSpans"]:
        in_resource = built.resource_spans.add()
        for scope in resource["scopeSpans"]:
            in_scope = in_resource.scope_spans.add()
            in_scope.scope.name, in_scope.scope.version = scope["scope"]["name"], scope["scope"]["version"]
            for span in scope["spans"]:
                made = in_scope.spans.add(
                    trace_id=bytes.fromhex(span["traceId"]),
                    span_id=bytes.fromhex(span["spanId"]),
                    parent_span_id=bytes.fromhex(span["parentSpanId"]),
                    name=span["name"],
                    kind=span["kind"],
                    start_time_unix_nano=int(span["startTimeUnixNano"]),
                    end_time_unix_nano=int(span["endTimeUnixNano"]),
                )
                made.status.code = span["status"]["code"]
                for pair in span["attributes"]:
                    made.attributes.add(key=pair["key"], value=_protobuf_value(pair["value"]))
    encoded: bytes = built.SerializeToString()
    return encoded


def _protobuf_value(value: Mapping[str, Any]) -> AnyValue:
    made = AnyValue()
    match value:
        case {"stringValue": text}:
            made.string_value = text
        case {"intValue": digits}:
            made.int_value = int(digits)
        case {"doubleValue": number}:
            made.double_value = float(number)
        case {"boolValue": truth}:
            made.bool_value = truth
        case {"arrayValue": array}:
            made.array_value.values.extend(_protobuf_value(each) for each in array["values"])
    return made


def llm_span(
    number: int = 1,
    attributes: Mapping[str, Any] | None = None,
    *,
    scope: str = "opentelemetry.instrumentation.genai.openai",
    **fields: Any,
) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """A hand-made chat span: 400 + 600 cached in, 50 out, of which 20 reasoning; `attributes` override."""
    named = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.id": f"chatcmpl-{number:08x}",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.cache_read.input_tokens": 600,
        "gen_ai.usage.output_tokens": 50,
        "gen_ai.usage.reasoning.output_tokens": 20,
        "switchgear.tenant": "acme",
        **(attributes or {}),
    }
    return {"name": scope, "version": "1"}, {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "parentSpanId": "",
        "name": "chat",
        "kind": 3,
        "startTimeUnixNano": str(BASE_NS),
        "endTimeUnixNano": str(BASE_NS + 1_000_000),
        "attributes": [
            {"key": key, "value": any_value(value)} for key, value in named.items() if value is not None
        ],
        "status": {"code": 0},
        **fields,
    }


def task_end(
    number: int = 1, attributes: Mapping[str, Any] | None = None, **fields: Any
) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """A hand-made span that tells how a task ended: well, as its id "t1"; `attributes` override."""
    named = {
        "switchgear.tenant": "acme",
        "switchgear.workload": "writer",
        "switchgear.task.id": "t1",
        "switchgear.task.root_id": "t1",
        "switchgear.task.outcome": "succeeded",
        **(attributes or {}),
    }
    scope, span = llm_span(number, scope="switchgear", name="task writer", **fields)
    ours = [{"key": key, "value": any_value(value)} for key, value in named.items() if value is not None]
    return scope, span | {"attributes": ours}


WORKERS = Workers()
"""The processes that all applications of a test run query in: they keep nothing, and take half a second to start."""
atexit.register(WORKERS.close)
_PRICES = PriceBook()
"""The list prices: read once, as a suite starts hundreds of applications."""


class Served(Serving):
    """The collector's application on a real socket, with a client of it; with `grpc` on `grpc_port` too."""

    def __init__(self, data: Path, *, grpc: bool = False, **options: Any) -> None:
        (self.grpc_port,) = free_ports(1)
        endpoint = Endpoint("127.0.0.1", self.grpc_port) if grpc else None
        usual = {"price": _PRICES.quote, "limits": EVER, "workers": WORKERS}
        self.app = create_app(data=data, grpc=endpoint, **{**usual, **options})
        super().__init__(self.app)
        self.http = self.client()

    def send(self, document: Mapping[str, Any], *, protobuf: bool = False) -> httpx.Response:
        """POST an OTLP/JSON request, or the same as protobuf."""
        content = to_protobuf(document) if protobuf else json.dumps(document).encode()
        return self.http.post(
            "/v1/traces", content=content, headers={"Content-Type": PROTOBUF if protobuf else JSON}
        )

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[list[Any]]:
        """What a query answers."""
        answer = self.http.post("/v1/query", json={"sql": sql, "params": list(params)})
        assert answer.status_code == 200, answer.text
        found: list[list[Any]] = answer.json()["rows"]
        return found

    def stop(self) -> None:
        """End it, with its client."""
        self.http.close()
        super().stop()
