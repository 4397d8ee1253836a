"""The exporters that agents really use, against the collector: what they send is booked, and they are told so."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from bad_inputs import counted
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from otlp_samples import JSON, Served

KEY = "a key of this test"
HEADERS = {"authorization": f"Bearer {KEY}"}
NPM = Path(__file__).with_name("npm")
INSTALLS_WITHIN_S = 120

# https://github.com/open-telemetry/opentelemetry-proto/blob/ca6170ef02a5/examples/trace.json, Apache-2.0
OTEL_EXAMPLE = """
{"resourceSpans": [{
  "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "my.service"}}]},
  "scopeSpans": [{
    "scope": {
      "name": "my.library", "version": "1.0.0",
      "attributes": [{"key": "my.scope.attribute", "value": {"stringValue": "some scope attribute"}}]
    },
    "spans": [{
      "traceId": "5B8EFFF798038103D269B633813FC60C",
      "spanId": "EEE19B7EC3C1B174",
      "parentSpanId": "EEE19B7EC3C1B173",
      "name": "I'm a server span",
      "startTimeUnixNano": 1544712660000000000,
      "endTimeUnixNano": 1544712661000000000,
      "kind": 2,
      "attributes": [{"key": "my.span.attr", "value": {"stringValue": "some value"}}]
    }]
  }]
}]}
"""
"""The example of the specification; npm/export.mjs makes what `agent_spans` makes."""


def agent_spans(tenant: str) -> list[Any]:
    """One agent span over three calls of 1,000 tokens in and 100 out."""
    made = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(made))
    tracer = provider.get_tracer("agent", "1")
    named = {"gen_ai.operation.name": "invoke_agent", "switchgear.tenant": tenant}
    with tracer.start_as_current_span("agent", attributes=named):
        for number in range(3):
            with tracer.start_as_current_span("chat", kind=trace.SpanKind.CLIENT) as span:
                span.set_attributes(
                    {
                        "gen_ai.operation.name": "chat",
                        "gen_ai.provider.name": "openai",
                        "gen_ai.request.model": "gpt-4o-mini",
                        "gen_ai.response.id": f"chatcmpl-{number}",
                        "gen_ai.usage.input_tokens": 1000,
                        "gen_ai.usage.output_tokens": 100,
                        "switchgear.tenant": tenant,
                    }
                )
    provider.shutdown()
    return list(made.get_finished_spans())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A collector for HTTP and gRPC that needs a key; each exporter sends for a tenant of its own."""
    with Served(tmp_path_factory.mktemp("served"), grpc=True, api_key=KEY) as running:
        running.http.headers["Authorization"] = f"Bearer {KEY}"
        yield running


def check_booked(served: Served, tenant: str) -> None:
    """The three calls are booked, the agent is not."""
    # Three calls of 1,000 x 0.15 + 100 x 0.60 per million.
    booked = "SELECT count(*), sum(cost) FROM calls WHERE tenant = $1"
    assert served.rows(booked, [tenant]) == [[3, "0.00063"]]
    others = "SELECT code, sum(spans) FROM not_billed_counts WHERE tenant = $1 GROUP BY code"
    assert served.rows(others, [tenant]) == [["wrong_kind", 1]]


def over_http(served: Served, compression: Compression) -> SpanExporter:
    return HttpExporter(endpoint=f"{served.url}/v1/traces", headers=HEADERS, compression=compression)


def over_grpc(served: Served, compression: grpc.Compression) -> SpanExporter:
    endpoint = f"http://127.0.0.1:{served.grpc_port}"
    return GrpcExporter(endpoint=endpoint, headers=HEADERS, compression=compression, insecure=True)


@pytest.mark.parametrize(
    ("exporter", "compression"),
    [
        (over_http, Compression.NoCompression),
        (over_http, Compression.Gzip),
        (over_grpc, grpc.Compression.NoCompression),
        (over_grpc, grpc.Compression.Gzip),
    ],
    ids=["http", "http gzip", "grpc", "grpc gzip"],
)
def test_what_the_python_exporters_send_is_booked(
    served: Served, exporter: Callable[[Served, Any], SpanExporter], compression: Any
) -> None:
    tenant = f"python {exporter.__name__} {compression}"
    sending = exporter(served, compression)
    assert sending.export(agent_spans(tenant)) is SpanExportResult.SUCCESS
    sending.shutdown()
    check_booked(served, tenant)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


@pytest.fixture(scope="session")
def npm_script() -> Path:
    """What exports with Node's exporters, which the lock file installs into a cache that outlives this run."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("no node and npm here: its exporters were not tried")
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = caches / "switchgear" / f"test-npm-{_digest(NPM / 'package-lock.json')}"
    if not (folder / "installed").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(NPM / name, folder)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=INSTALLS_WITHIN_S
            )
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm did not install its exporters in {INSTALLS_WITHIN_S} s")
        if done.returncode:
            pytest.skip(f"npm could not install its exporters: {done.stderr.strip()[:200]}")
        (folder / "installed").touch()
    # Beside what it imports, under a name that no other version of it has.
    script = folder / f"export-{_digest(NPM / 'export.mjs')}.mjs"
    shutil.copy(NPM / "export.mjs", script)
    return script


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("protocol", ["json", "proto", "grpc"])
def test_what_the_npm_exporters_send_is_booked(
    served: Served, npm_script: Path, protocol: str, compression: str
) -> None:
    tenant = f"npm {protocol} {compression}"
    url = f"http://127.0.0.1:{served.grpc_port}" if protocol == "grpc" else f"{served.url}/v1/traces"
    done = subprocess.run(
        ["node", npm_script.name, protocol, url, tenant, compression],
        cwd=npm_script.parent,
        env={**os.environ, "SWITCHGEAR_API_KEY": KEY},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("exported\n", "")
    check_booked(served, tenant)


def test_the_example_of_the_specification_is_taken_and_holds_no_call(served: Served) -> None:
    counts = ("accepted_spans", {}), ("not_billed_spans", {"reason": "no_dialect"})
    before = [counted(served.http, name, **labels) for name, labels in counts]
    answer = served.http.post("/v1/traces", content=OTEL_EXAMPLE, headers={"Content-Type": JSON})
    assert (answer.status_code, answer.json()) == (200, {})
    assert [counted(served.http, name, **labels) for name, labels in counts] == [one + 1 for one in before]
