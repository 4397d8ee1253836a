"""Lane: POST /v1/traces, without a framework in between. Answered with 200 only when it is on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

import orjson
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from .asgi import Receive, Scope, Send, header, respond
from .call import NotBilled
from .errors import BusyError, DecodeError, QuotaError, StoreError
from .inflate import MAX_BODY_BYTES
from .intake import Intake
from .key import key_of
from .metrics import Metrics
from .otlp import JSON, PROTOBUF

__all__ = ["TRACES", "Lane", "refuse"]

TRACES = "/v1/traces"
HISTORY = b"switchgear-history"
# All bodies that are being read or decoded at once: beyond it senders are told to come again.
MAX_IN_FLIGHT_BYTES = 4 * MAX_BODY_BYTES
BODY_WITHIN_S = 10.0
RETRY_AFTER_S = 1
_SHOWN_REASONS = 3

# HTTP status -> google.rpc.Code
_CODES = {400: 3, 401: 16, 405: 12, 408: 4, 413: 8, 415: 3, 429: 8, 503: 14}


class Lane:
    """Reads a request's body, gives it to the intake, and answers what became of it."""

    def __init__(self, intake: Intake, metrics: Metrics) -> None:
        self._intake = intake
        self._metrics = metrics
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        content_type = header(scope, b"content-type")
        try:
            rejected = await self._take(scope, receive, content_type)
        except DecodeError as problem:
            await self._refuse(send, problem.status, str(problem), content_type)
        except QuotaError as problem:
            await self._refuse(send, 429, str(problem), content_type, problem.retry_after_s)
        except (BusyError, StoreError) as problem:
            await self._refuse(send, 503, str(problem), content_type, RETRY_AFTER_S)
        else:
            await respond(send, 200, *_response(rejected, content_type))

    async def _take(self, scope: Scope, receive: Receive, content_type: str) -> list[NotBilled]:
        """Book the request; the spans that are refused. Raises what stands in the way of a 200."""
        if scope["method"] != "POST":
            raise DecodeError(f"{TRACES} takes POST, not {scope['method'][:16]}", 405)
        held = _announced(scope)
        if self._in_flight + held > MAX_IN_FLIGHT_BYTES:
            raise BusyError(f"{self._in_flight} bytes are being read; send this again later")
        self._in_flight += held
        try:
            return await self._intake.take(
                await _body(receive),
                content_type=content_type,
                encoding=header(scope, b"content-encoding"),
                key=key_of(scope),
                history=_wants_history(scope),
            )
        finally:
            self._in_flight -= held

    async def _refuse(
        self, send: Send, status: int, reason: str, content_type: str, retry_after_s: int | None = None
    ) -> None:
        self._metrics.count("rejected_requests", status=str(status))
        await refuse(send, status, reason, content_type, retry_after_s)


def _wants_history(scope: Scope) -> bool:
    """Whether the sender asks to book spans of any age: `?history=true` or `switchgear-history: true`."""
    asked = parse_qs(scope["query_string"].decode("latin-1"))
    return "true" in (*asked.get("history", ()), header(scope, HISTORY).lower())


def _announced(scope: Scope) -> int:
    """The body's length by its header, or the most that it may be. Raises DecodeError for too much."""
    text = header(scope, b"content-length")
    length = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else MAX_BODY_BYTES
    if length > MAX_BODY_BYTES:
        raise DecodeError(f"the body holds {length} bytes; at most {MAX_BODY_BYTES} are taken", 413)
    return length


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise DecodeError("the sender went away before the body's end")
                part = message.get("body", b"")
                size += len(part)
                if size > MAX_BODY_BYTES:
                    raise DecodeError(
                        f"the body has more than the {MAX_BODY_BYTES} bytes that are taken", 413
                    )
                parts.append(part)
                if not message.get("more_body"):
                    return b"".join(parts)
    except TimeoutError:
        raise DecodeError(f"the body did not arrive within {BODY_WITHIN_S:.0f} s", 408) from None


def _response(rejected: Sequence[NotBilled], content_type: str) -> tuple[bytes, str]:
    """The ExportTraceServiceResponse, in the encoding of the request."""
    reasons = [f"{each.span}: {each.reason}" for each in rejected[:_SHOWN_REASONS]]
    if len(rejected) > _SHOWN_REASONS:
        reasons.append(f"and {len(rejected) - _SHOWN_REASONS} more")
    message = "; ".join(reasons)
    if _is_json(content_type):
        document: dict[str, Any] = {}
        if rejected:
            document["partialSuccess"] = {"rejectedSpans": str(len(rejected)), "errorMessage": message}
        return orjson.dumps(document), JSON
    answer = ExportTraceServiceResponse()
    if rejected:
        answer.partial_success.rejected_spans = len(rejected)
        answer.partial_success.error_message = message
    return answer.SerializeToString(), PROTOBUF


async def refuse(
    send: Send, status: int, reason: str, content_type: str, retry_after_s: int | None = None
) -> None:
    """An error as google.rpc.Status, in the encoding of the request (JSON where that is neither)."""
    code = _CODES.get(status, 2)
    headers = [] if retry_after_s is None else [(b"retry-after", str(retry_after_s).encode())]
    if status == 405:
        headers.append((b"allow", b"POST"))
    if content_type.partition(";")[0].strip().lower() == PROTOBUF:
        body, kind = Status(code=code, message=reason).SerializeToString(), PROTOBUF
    else:
        body, kind = orjson.dumps({"code": code, "message": reason}), JSON
    await respond(send, status, body, kind, headers)


def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == JSON
