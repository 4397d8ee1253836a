"""The line to the collector: one body, one attempt, and what became of it."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from ..settings import Settings

if TYPE_CHECKING:
    import httpx

__all__ = ["Answer", "Line", "Verdict"]

_CONNECT_S = 1.0
# Below the five seconds after which common servers close an idle connection: one that is closed while a body is on
# its way looks like a collector that is away.
_IDLE_S = 2.0
_LONGEST_REASON = 200
_CERTIFICATES = ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE")


class Verdict(Enum):
    """What became of a body."""

    TAKEN = "taken"
    LATER = "later"
    """Nobody took it now; it may be sent again, and as often as one likes, since a call is booked once."""
    NEVER = "never"
    """It is not wanted, now or later."""
    TOO_LARGE = "too large"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the collector said, or that it said nothing."""

    verdict: Verdict
    reason: str = ""
    after_s: float = 0.0
    """How long it asks to be left alone."""
    rejected: int = 0
    """How many of the spans that it took it may not book."""


class Line:
    """Sends bodies of OTLP/HTTP to one collector. Used by one thread at a time."""

    def __init__(self, settings: Settings) -> None:
        self._url = f"{settings.collector}/v1/traces"
        self._headers = {"content-type": "application/x-protobuf"}
        if settings.api_key:
            self._headers["authorization"] = f"Bearer {settings.api_key}"
        # All that is loaded or made once is so here. A fork in the middle of it, in another thread, would leave its
        # child with half a module, or before a lock of OpenSSL's that nobody opens.
        self._tls = _tls(settings.collector)
        self._client: httpx.Client | None = self._connection()
        "a host's name".encode("idna")

    def post(self, body: bytes, timeout_s: float) -> Answer:
        """Send a body once, waiting at most about `timeout_s` for the answer."""
        if self._client is None:
            self._client = self._connection()
        import httpx

        timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_S))
        try:
            reply = self._client.post(self._url, content=body, headers=self._headers, timeout=timeout)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the line, the agent goes on
            return Answer(Verdict.LATER, f"{type(error).__name__}: {error}"[:_LONGEST_REASON])
        return _read(reply)

    def _connection(self) -> httpx.Client:
        # Here, as it takes longer to import than all the rest: whoever only imports switchgear does without.
        import httpx

        limits = httpx.Limits(max_connections=1, keepalive_expiry=_IDLE_S)
        return httpx.Client(verify=self._tls, limits=limits, trust_env=False)

    def close(self) -> None:
        """Drop the connection; the next body opens another."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def forget(self) -> None:
        """Leave the connection to the process that this one was forked from."""
        self._client = None


def _tls(url: str) -> ssl.SSLContext:
    if not url.startswith("https"):
        # One that trusts somebody takes 25 ms to make, which plain HTTP has no need of.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    own = next((path for name in _CERTIFICATES if (path := os.environ.get(name))), None)
    return ssl.create_default_context(cafile=own)


def _read(reply: httpx.Response) -> Answer:
    status = reply.status_code
    if 200 <= status < 300:
        return _taken(reply.content)
    reason = f"HTTP {status}"
    if status in (408, 429) or status >= 500:
        return Answer(Verdict.LATER, reason, _seconds(reply.headers.get("retry-after", "")))
    if status == 413:
        return Answer(Verdict.TOO_LARGE, reason)
    return Answer(Verdict.NEVER, reason)


def _taken(body: bytes) -> Answer:
    try:
        partial = ExportTraceServiceResponse.FromString(body).partial_success
    except DecodeError:
        return Answer(Verdict.TAKEN)
    return Answer(
        Verdict.TAKEN, partial.error_message[:_LONGEST_REASON], rejected=max(partial.rejected_spans, 0)
    )


def _seconds(text: str) -> float:
    """The seconds of a Retry-After; 0 where it holds none."""
    try:
        # In this order NaN becomes 0.
        return min(max(0.0, float(text)), 300.0)
    except ValueError:
        return 0.0
