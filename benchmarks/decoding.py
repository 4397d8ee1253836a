"""What it costs to read and bill a request: bytes in, calls and reasons out, without HTTP, prices or the disk.

512 spans of 20 attributes a request, on one core, in CPU time. Every request is a new one, so that nothing of it is
remembered from the last; the best of many counts, since the machine's noise only ever adds.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from random import Random

import orjson
from google.protobuf.json_format import MessageToDict
from load import Request
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from result import Figure, show
from spans import ALL_BILLABLE, ONE_IN_FOUR, Kind

from collector.call import Call
from collector.ingest.body import bill_body
from collector.otlp import JSON, PROTOBUF

ROUNDS = 60
BEGAN_NS = 1_795_500_000_000_000_000


def _bodies(request: Request, random: Random, count: int) -> list[bytes]:
    made = []
    for _ in range(count):
        body = bytearray(request.encoded)
        request.stamp(body, random, BEGAN_NS)
        made.append(bytes(body))
    return made


def _as_json(body: bytes) -> bytes:
    document = MessageToDict(ExportTraceServiceRequest.FromString(body))
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for name in {"traceId", "spanId", "parentSpanId"} & span.keys():
                    span[name] = base64.b64decode(span[name]).hex()
    return orjson.dumps(document)


def _best_s(work: Callable[[bytes], object], bodies: Sequence[bytes]) -> float:
    best = float("inf")
    for body in bodies:
        begun = time.process_time()
        work(body)
        best = min(best, time.process_time() - begun)
    return best


def _per_second(kinds: Sequence[Kind], *, in_json: bool) -> float:
    """Spans per CPU second, after a look at whether all that is billable is billed."""
    request = Request(kinds)
    bodies = _bodies(request, Random(7), ROUNDS)
    if in_json:
        bodies = [_as_json(body) for body in bodies]
    content_type = JSON if in_json else PROTOBUF
    billed = bill_body(bodies[0], content_type)
    assert len(billed) == request.spans
    assert sum(isinstance(each, Call) for each in billed) == request.calls
    return request.spans / _best_s(lambda body: bill_body(body, content_type), bodies)


def main() -> None:
    """Print the figures."""
    show(
        "decoding and billing, one core",
        (
            Figure(
                "one span in four billable, protobuf",
                _per_second(ONE_IN_FOUR, in_json=False),
                "spans/CPU-s",
                ">= 100,000",
            ),
            Figure(
                "all billable, protobuf", _per_second(ALL_BILLABLE, in_json=False), "spans/CPU-s", ">= 30,000"
            ),
            Figure("one span in four billable, JSON", _per_second(ONE_IN_FOUR, in_json=True), "spans/CPU-s"),
            Figure("all billable, JSON", _per_second(ALL_BILLABLE, in_json=True), "spans/CPU-s"),
        ),
    )


if __name__ == "__main__":
    main()
