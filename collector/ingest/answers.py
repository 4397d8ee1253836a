"""Answers: what a sender of OTLP is told, over HTTP and gRPC by one rule.

A sender may try again only where that can help; what it drops instead is spend that nobody will see. OTLP lets it try
again after HTTP 429, 502, 503 and 504, and after gRPC UNAVAILABLE and a RESOURCE_EXHAUSTED that carries RetryInfo:

| what happened                                              | HTTP                | gRPC               | again? |
|------------------------------------------------------------|---------------------|--------------------|--------|
| on disk; the spans that never can be are named             | 200 partial success | OK partial success | no     |
| the request is at fault: malformed, too large, a wrong     | 400, 401, 403, 404, | the code that fits | no     |
| key, another signal                                        | 405, 408, 413, 415  |                    |        |
| this sender's quota is used up                             | 429 + Retry-After   | RESOURCE_EXHAUSTED | later  |
|                                                            |                     | + RetryInfo        |        |
| full, stopping, or the disk cannot be written              | 503 + Retry-After   | UNAVAILABLE        | soon   |
|                                                            |                     | + RetryInfo        |        |
| a fault of ours that no input explains (and a line in the  | 503 + Retry-After   | UNAVAILABLE        | soon   |
| log)                                                       |                     | + RetryInfo        |        |

The last is never 500: OTLP reads that as "drop it", and a restart or a release may heal us before the sender gives up.
A fault in billing one span costs that span alone (see `intake`), so that no span can hold up those beside it.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from ..call import NotBilled
from ..errors import BusyError, DecodeError, DeniedError, QuotaError, StoreError

__all__ = ["RETRY_AFTER_S", "TRACES_ONLY", "Refusal", "accepted", "log_fault", "refusal"]

TRACES_ONLY = "switchgear takes traces only; send metrics and logs elsewhere, or switch their exporters off"
RETRY_AFTER_S = 1
_SHOWN_REASONS = 3
_UNKNOWN = 2
# HTTP status -> google.rpc.Code, which are the codes of gRPC too.
_CODES = {400: 3, 401: 16, 403: 7, 404: 12, 405: 12, 408: 4, 413: 8, 415: 3, 429: 8, 503: 14}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request was not taken, as both protocols say it."""

    status: int
    """The HTTP status."""
    reason: str
    retry_after_s: int | None = None
    """When to send it again; None where that cannot help."""

    @property
    def code(self) -> int:
        """The google.rpc.Code."""
        return _CODES.get(self.status, _UNKNOWN)


def refusal(problem: Exception) -> Refusal:
    """What the sender is told of `problem`; one that was not foreseen is logged."""
    match problem:
        case DecodeError() | DeniedError():
            return Refusal(problem.status, str(problem))
        case QuotaError():
            return Refusal(429, str(problem), problem.retry_after_s)
        case BusyError():
            return Refusal(503, str(problem), problem.retry_after_s)
        case StoreError():
            return Refusal(503, str(problem), RETRY_AFTER_S)
        case _:
            log_fault("a request was not taken", problem)
            return Refusal(503, "the collector failed; its log says more", RETRY_AFTER_S)


def accepted(rejected: Sequence[NotBilled]) -> ExportTraceServiceResponse:
    """The answer to a request that is on disk, but for the spans that were `rejected`."""
    answer = ExportTraceServiceResponse()
    if rejected:
        reasons = [f"{each.span}: {each.reason}" for each in rejected[:_SHOWN_REASONS]]
        if len(rejected) > _SHOWN_REASONS:
            reasons.append(f"and {len(rejected) - _SHOWN_REASONS} more")
        answer.partial_success.rejected_spans = len(rejected)
        answer.partial_success.error_message = "; ".join(reasons)
    return answer


def log_fault(what: str, problem: Exception) -> None:
    """Log where our own code failed. The exception's text is left out: it may hold what a prompt said."""
    frames = traceback.extract_tb(problem.__traceback__)
    places = " <- ".join(f"{Path(each.filename).name}:{each.lineno}" for each in reversed(frames[-4:]))
    _log.error("%s: %s at %s", what, type(problem).__name__, places or "an unknown place")
