"""Lane: POST /v1/traces, without a framework in between. Answered with 200 only when it is on disk.

A body has ten seconds to arrive (408 after that) and 64 MiB before and after inflating (413). What holds for every
answer is in `answers`.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs

import orjson
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from ..asgi import Receive, Scope, Send, header, respond
from ..call import NotBilled
from ..errors import DecodeError
from ..keys.key import key_of
from ..metrics import Metrics
from ..otlp import JSON, PROTOBUF
from .answers import TRACES_ONLY, Refusal, accepted, refusal
from .inflate import MAX_BODY_BYTES
from .intake import Intake
from .room import Place

__all__ = ["BODY_WITHIN_S", "HISTORY", "PATHS", "TRACES", "Lane", "refuse"]

TRACES = "/v1/traces"
PATHS = frozenset({TRACES, "/v1/metrics", "/v1/logs"})
"""The paths of OTLP: an exporter expects a google.rpc.Status of each."""
HISTORY = "switchgear-history"
"""The header or metadata that asks to book spans of any age, where its value is `true`."""
BODY_WITHIN_S = 10.0


class Lane:
    """Reads a request's body, gives it to the intake, and answers what became of it."""

    def __init__(self, intake: Intake, metrics: Metrics) -> None:
        self._intake = intake
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        content_type = header(scope, b"content-type")
        try:
            rejected = await self._take(scope, receive, content_type)
        except Exception as problem:  # noqa: BLE001 - whatever it is, the sender is told whether to send again
            answer = refusal(problem)
            self._metrics.count("rejected_requests", status=str(answer.status))
            await refuse(send, answer, content_type)
        else:
            await respond(send, 200, *_encoded(accepted(rejected), content_type))

    async def _take(self, scope: Scope, receive: Receive, content_type: str) -> list[NotBilled]:
        """Book the request; the spans that are refused. Raises what stands in the way of a 200."""
        if scope["path"] != TRACES:
            raise DecodeError(TRACES_ONLY, 404)
        if scope["method"] != "POST":
            raise DecodeError(f"{TRACES} takes POST, not {scope['method'][:16]}", 405)
        _check_announced(scope)
        with self._intake.enter(key_of(scope)) as place:
            return await self._intake.take(
                await _body(receive, place),
                content_type=content_type,
                encoding=header(scope, b"content-encoding"),
                key=key_of(scope),
                history=_wants_history(scope),
            )


def _wants_history(scope: Scope) -> bool:
    """Whether the sender asks to book spans of any age: `?history=true` or `switchgear-history: true`."""
    asked = parse_qs(scope["query_string"].decode("latin-1"))
    return "true" in (*asked.get("history", ()), header(scope, HISTORY.encode()).lower())


def _check_announced(scope: Scope) -> None:
    """Refuse a body by what its header says of its length, before it is sent."""
    length = header(scope, b"content-length")
    if length.isascii() and length.isdigit() and (len(length) > 19 or int(length) > MAX_BODY_BYTES):
        raise DecodeError(f"the body holds {length[:32]} bytes; at most {MAX_BODY_BYTES} are taken", 413)


async def _body(receive: Receive, place: Place) -> bytes:
    # Grown in place, unlike a list of parts: those would stay in memory beside what is made of them.
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise DecodeError("the sender went away before the body's end")
                part = message.get("body", b"")
                if place.held + len(part) > MAX_BODY_BYTES:
                    raise DecodeError(
                        f"the body has more than the {MAX_BODY_BYTES} bytes that are taken", 413
                    )
                place.grow(len(part))
                body += part
                if not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        raise DecodeError(f"the body did not arrive within {BODY_WITHIN_S:.0f} s", 408) from None


def _encoded(answer: ExportTraceServiceResponse, content_type: str) -> tuple[bytes, str]:
    """The answer in the encoding of the request."""
    if _media(content_type) == PROTOBUF:
        return answer.SerializeToString(), PROTOBUF
    document: dict[str, Any] = {}
    if answer.HasField("partial_success"):
        partial = answer.partial_success
        document["partialSuccess"] = {
            "rejectedSpans": str(partial.rejected_spans),
            "errorMessage": partial.error_message,
        }
    return orjson.dumps(document), JSON


async def refuse(send: Send, answer: Refusal, content_type: str) -> None:
    """An error as google.rpc.Status, in the encoding of the request (JSON where that is neither)."""
    headers: list[tuple[bytes, bytes]] = []
    if answer.retry_after_s is not None:
        headers.append((b"retry-after", str(answer.retry_after_s).encode()))
    match answer.status:
        case 405:
            headers.append((b"allow", b"POST"))
        case 408:
            # Its sender may trickle on for ever.
            headers.append((b"connection", b"close"))
    if _media(content_type) == PROTOBUF:
        body, kind = Status(code=answer.code, message=answer.reason).SerializeToString(), PROTOBUF
    else:
        body, kind = orjson.dumps({"code": answer.code, "message": answer.reason}), JSON
    await respond(send, answer.status, body, kind, headers)


def _media(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
