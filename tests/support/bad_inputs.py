"""What every bad input is checked by: the good spans beside it, what was counted, and that the collector lives."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from otlp_samples import JSON, PROTOBUF, Served, llm_span, request

_numbers = itertools.count(1)

Sample = tuple[Mapping[str, Any], dict[str, Any]]


def fresh() -> int:
    """A number that no other span of this run has."""
    return next(_numbers)


def counted(http: httpx.Client, name: str, **labels: str) -> float:
    """A counter of `/metrics`, of all that was acknowledged; 0 where nothing was counted yet."""
    shown = ",".join(f'{label}="{value}"' for label, value in labels.items())
    full = f"switchgear_collector_{name}_total" + (f"{{{shown}}}" if shown else "")
    return settle(http).get(full, 0.0)


def settle(http: httpx.Client) -> dict[str, float]:
    """Return when all that was acknowledged is booked: the metrics as they stand then."""
    while True:
        lines = http.get("/metrics").text.splitlines()
        metrics = {
            name: float(value)
            for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
        }
        if not metrics["switchgear_collector_waiting_calls"]:
            return metrics
        # Whoever asks a question is waited for: nothing more gathers before what there is is booked.
        http.post("/v1/query", json={"sql": "SELECT 1"}).raise_for_status()


def booked(served: Served, *samples: Sample) -> list[str]:
    """The ids of those of these spans whose calls are booked, each as often as it is."""
    settle(served.http)
    ids = [span["spanId"] for _, span in samples]
    marks = ", ".join("?" for _ in ids)
    found = served.rows(f"SELECT span_id FROM calls WHERE span_id IN ({marks}) ORDER BY span_id", ids)
    return [str(row[0]) for row in found]


def rejected(answer: httpx.Response) -> tuple[int, str]:
    """How many spans a 200 says were rejected, and why."""
    assert answer.status_code == 200, answer.text
    if answer.headers["Content-Type"] == JSON:
        said = answer.json().get("partialSuccess", {})
        return int(said.get("rejectedSpans", 0)), str(said.get("errorMessage", ""))
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    return partial.rejected_spans, partial.error_message


def refused_alone(served: Served, make: Callable[[], Sample], reason: str) -> str:
    """Send bad spans, each between two good ones, as JSON and as protobuf; what the sender is told.

    The bad ones alone are rejected, for `reason`, and counted; the good ones are booked once each.
    """
    goods, bads, words = [], [], ""
    before = counted(served.http, "rejected_spans", reason=reason)
    for protobuf in (False, True):
        first, bad, last = llm_span(fresh()), make(), llm_span(fresh())
        number, words = rejected(served.send(request([first, bad, last]), protobuf=protobuf))
        assert number == 1
        goods += [first, last]
        bads.append(bad)
    assert counted(served.http, "rejected_spans", reason=reason) == before + 2
    assert booked(served, *goods, *bads) == [span["spanId"] for _, span in goods]
    assert alive(served.http)
    return words


def taken(served: Served, make: Callable[[], Sample], *columns: str) -> list[Any]:
    """Send odd spans, each between two good ones, as JSON and as protobuf: all are booked; these columns of theirs."""
    goods, odds = [], []
    for protobuf in (False, True):
        first, odd, last = llm_span(fresh()), make(), llm_span(fresh())
        assert rejected(served.send(request([first, odd, last]), protobuf=protobuf)) == (0, "")
        goods += [first, last]
        odds.append(odd[1]["spanId"])
    assert booked(served, *goods) == [span["spanId"] for _, span in goods]
    assert alive(served.http)
    json_row, protobuf_row = served.rows(
        f"SELECT {', '.join(columns)} FROM calls WHERE span_id IN (?, ?) ORDER BY seq", odds
    )
    assert json_row == protobuf_row
    return json_row


def alive(http: httpx.Client) -> bool:
    """Whether the collector answers and can write."""
    return http.get("/healthz").status_code == http.get("/readyz").status_code == 200


class Watched:
    """A collector in a process of its own, whose memory can be looked at."""

    def __init__(self, data: Path) -> None:
        code = (
            "import socket, sys, uvicorn; from pathlib import Path; from analytics.prices import PriceBook;"
            "from collector.ingest.limits import Limits; from collector.service import create_app;"
            "app = create_app(data=Path(sys.argv[1]), price=PriceBook().quote, limits=Limits(past_days=36_500));"
            "listener = socket.create_server(('127.0.0.1', 0)); print(listener.getsockname()[1], flush=True);"
            "uvicorn.Server(uvicorn.Config(app, lifespan='on', log_level='error')).run(sockets=[listener])"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, str(data)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60, trust_env=False)

    def post(self, body: bytes, content_type: str = PROTOBUF, **headers: str) -> httpx.Response:
        """POST a body to the traces route."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post("/v1/traces", content=body, headers={"Content-Type": content_type, **named})

    def rows(self, sql: str) -> list[list[Any]]:
        """What a query answers."""
        answer = self.http.post("/v1/query", json={"sql": sql})
        assert answer.status_code == 200, answer.text
        found: list[list[Any]] = answer.json()["rows"]
        return found

    @contextmanager
    def grows_less_than(self, megabytes: int) -> Iterator[None]:
        """Check that the process never holds so much more memory than now, not even for a moment."""
        # 5: the kernel sets the highest mark back to what is held now.
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")
        before = self._memory("VmRSS")
        yield
        grown = self._memory("VmHWM") - before
        assert grown < megabytes * 1024 * 1024, f"grew by {grown / 1024 / 1024:.0f} MB"

    def _memory(self, name: str) -> int:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith(f"{name}:")]
        return int(line.split()[1]) * 1024

    def stop(self) -> str:
        """End the process; what it logged."""
        self.http.close()
        self._process.terminate()
        _, said = self._process.communicate(timeout=30)
        return said
