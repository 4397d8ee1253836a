"""gRPC: the OTLP trace service on a port of its own, thin around the same intake as the HTTP lane.

A message stays bytes until the one decoder reads it. The service takes a stream, which on the wire is the same for a
sender of one message: so the key is checked before any of it is read, and it is ours to say how long that may take
and how many are read at once. The gRPC library holds up to 64 MiB of a message that is not whole yet and tells nobody
how much: hence turns, `MAX_READING` in all and half of them for one key.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import any_pb2, duration_pb2  # type: ignore[import-untyped]
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from grpc import aio

from ..errors import DecodeError
from ..keys.key import Key
from ..metrics import Metrics
from ..otlp import PROTOBUF
from .answers import TRACES_ONLY, Refusal, accepted, refusal
from .inflate import MAX_BODY_BYTES
from .intake import Intake
from .lane import BODY_WITHIN_S, HISTORY

__all__ = ["Endpoint", "GrpcServer"]

MAX_READING = 16
STOPS_WITHIN_S = 2.0

_TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_OTHER_SIGNALS = frozenset(
    {
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    }
)
_OPTIONS = (
    # A port that another process listens on is taken, not shared.
    ("grpc.so_reuseport", 0),
    # Holds for a message as it is sent and, where that is gzip, as it is after inflating.
    ("grpc.max_receive_message_length", MAX_BODY_BYTES),
)
_CODES: Mapping[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
_Context = aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to listen for gRPC; with TLS where there is a certificate chain and its private key, both PEM."""

    host: str
    port: int
    certificate: tuple[bytes, bytes] | None = None

    @property
    def address(self) -> str:
        """As gRPC writes it: "127.0.0.1:4317", "[::1]:4317"."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class GrpcServer(grpc.GenericRpcHandler):
    """Serves on the event loop that starts it. `start` it once, then `stop` it once."""

    def __init__(
        self, endpoint: Endpoint, intake: Intake, metrics: Metrics, identify: Callable[[str], Key]
    ) -> None:
        """`identify` gives the key of an authorization header's value, or raises what refuses it."""
        self._endpoint = endpoint
        self._intake = intake
        self._metrics = metrics
        self._identify = identify
        self._turns = asyncio.Semaphore(MAX_READING)
        self._turns_of_key = defaultdict[str, asyncio.Semaphore](lambda: asyncio.Semaphore(MAX_READING // 2))
        self._server: aio.Server | None = None

    async def start(self) -> int:
        """Listen; the port. Raises RuntimeError where another process listens there."""
        self._server = aio.server(handlers=[self], options=_OPTIONS)
        if self._endpoint.certificate is None:
            port = self._server.add_insecure_port(self._endpoint.address)
        else:
            chain, key = self._endpoint.certificate
            credentials = grpc.ssl_server_credentials([(key, chain)])
            port = self._server.add_secure_port(self._endpoint.address, credentials)
        await self._server.start()
        return port

    async def stop(self) -> None:
        """Take nothing new, let what is under way finish for two seconds, then end it: its senders try again."""
        if self._server is not None:
            await self._server.stop(STOPS_WITHIN_S)

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The handler of a call by its path; None for a path that is no OTLP."""
        if handler_call_details.method == _TRACES:
            return grpc.stream_unary_rpc_method_handler(self._traces)
        if handler_call_details.method in _OTHER_SIGNALS:
            return grpc.stream_unary_rpc_method_handler(self._other_signal)
        return None

    async def _traces(self, _: Any, context: _Context) -> bytes:
        try:
            metadata = dict(context.invocation_metadata() or ())
            key = self._identify(str(metadata.get("authorization", "")))
            with self._intake.enter(key) as place:
                body = await self._body(context, key)
                place.grow(len(body))
                rejected = await self._intake.take(
                    body,
                    content_type=PROTOBUF,
                    encoding="",
                    key=key,
                    history=metadata.get(HISTORY) == "true",
                )
        except Exception as problem:  # noqa: BLE001 - whatever it is, the sender is told whether to send again
            return await self._refuse(context, refusal(problem))
        encoded: bytes = accepted(rejected).SerializeToString()
        return encoded

    async def _other_signal(self, _: Any, context: _Context) -> bytes:
        return await self._refuse(context, Refusal(404, TRACES_ONLY))

    async def _body(self, context: _Context, key: Key) -> bytes:
        """The one message of a call."""
        try:
            async with asyncio.timeout(BODY_WITHIN_S), self._turns_of_key[key.id], self._turns:
                message = await context.read()
        except TimeoutError:
            raise DecodeError(f"the message did not arrive within {BODY_WITHIN_S:.0f} s", 408) from None
        if not isinstance(message, bytes):
            raise DecodeError("the call holds no message")
        return message

    async def _refuse(self, context: _Context, answer: Refusal) -> bytes:
        self._metrics.count("rejected_requests", status=str(answer.status))
        await context.abort(_CODES[answer.code], answer.reason, _details(answer))
        return b""  # never reached: abort raises


def _details(answer: Refusal) -> tuple[tuple[str, bytes], ...]:
    """The trailing metadata that tells when to send again, for exporters that read either of two names."""
    if answer.retry_after_s is None:
        return ()
    info = RetryInfo(retry_delay=duration_pb2.Duration(seconds=answer.retry_after_s))
    packed = any_pb2.Any()
    packed.Pack(info)
    status = Status(code=answer.code, message=answer.reason, details=[packed])
    return (
        ("grpc-status-details-bin", status.SerializeToString()),
        ("google.rpc.retryinfo-bin", info.SerializeToString()),
    )
