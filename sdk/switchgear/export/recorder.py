"""Records: what the SDK itself tells the collector of a call, whatever a sampler or an instrumentation does.

A record is a span of its own with the counts of `Usage` by their own names. It never goes through the tracer provider
of the process: neither its sampler nor its other processors see it.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

from .. import attributes
from ..usage import COUNTS, Usage
from .outbox import Outbox

__all__ = ["Recorder", "carries"]

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_COUNTS = tuple((name, attributes.USAGE + name) for name in COUNTS)

# What instrumentations set when they begin a span of a request to a model, in lower case.
_OPERATIONS = frozenset(
    {
        *("chat", "generate_content", "text_completion", "embeddings", "realtime_inference"),
        *("completion", "embedding", "response", "responses"),
    }
)
_KINDS: Mapping[str, frozenset[str]] = {
    "gen_ai.operation.name": _OPERATIONS,
    "openinference.span.kind": frozenset({"llm", "embedding"}),
    "llm.request.type": _OPERATIONS,
    "langfuse.observation.type": frozenset({"generation", "embedding"}),
}


class Recorder:
    """Makes records and puts them in the outbox. From any thread; raises nothing."""

    def __init__(self, outbox: Outbox, resource: Resource) -> None:
        self._outbox = outbox
        self._resource = resource
        self._scope = InstrumentationScope("switchgear", version("switchgear"))
        self._ids = RandomIdGenerator()

    def call(
        self,
        tags: Mapping[str, str],
        *,
        parent: SpanContext | None,
        started_ns: int,
        ended_ns: int,
        provider: str | None,
        request_model: str | None,
        response_model: str | None = None,
        response_id: str | None = None,
        usage: Usage | None = None,
        service_tier: str | None = None,
        attempt: int = 1,
        lease_id: str | None = None,
        degraded_from: str | None = None,
        cache: str | None = None,
    ) -> None:
        """One call that was billed, or may have been: without `usage` it is booked as incomplete.

        `cache` is what became of it at the answer cache: of one that was served, no model was asked, and the usage is
        that of the answer when it was given.

        `tags` are those of its task (`Task.span_attributes`), `parent` is the span that was current, recording or
        not, times are in nanoseconds since 1970, `lease_id` names the hold that it drew.
        """
        told: dict[str, Any] = {**tags, attributes.RECORD: "call", attributes.ATTEMPT: attempt}
        named = (
            ("gen_ai.provider.name", provider),
            ("gen_ai.request.model", request_model),
            ("gen_ai.response.model", response_model),
            ("gen_ai.response.id", response_id),
            (attributes.SERVICE_TIER, service_tier),
            (attributes.LEASE_ID, lease_id),
            (attributes.DEGRADED_FROM, degraded_from),
            (attributes.CACHE, cache),
        )
        told.update((name, value) for name, value in named if value is not None)
        if usage is not None:
            for name, attribute in _COUNTS:
                told[attribute] = getattr(usage, name)
            for name, count in usage.apart:
                told[attributes.USAGE + name] = count
        self._put("call", SpanKind.CLIENT, told, parent, started_ns, ended_ns)

    def task_ended(self, tags: Mapping[str, str], outcome: str, started_ns: int, ended_ns: int) -> None:
        """How a root task ended: a value of `Outcome`."""
        told = {**tags, attributes.TASK_OUTCOME: outcome}
        self._put("task", SpanKind.INTERNAL, told, None, started_ns, ended_ns)

    def _put(
        self,
        name: str,
        kind: SpanKind,
        told: Mapping[str, Any],
        parent: SpanContext | None,
        started_ns: int,
        ended_ns: int,
    ) -> None:
        if parent is not None and not parent.is_valid:
            parent = None
        trace_id = self._ids.generate_trace_id() if parent is None else parent.trace_id
        context = SpanContext(trace_id, self._ids.generate_span_id(), is_remote=False, trace_flags=_SAMPLED)
        self._outbox.put(
            ReadableSpan(
                name=name,
                context=context,
                parent=parent,
                resource=self._resource,
                attributes=told,
                kind=kind,
                instrumentation_scope=self._scope,
                start_time=started_ns,
                end_time=ended_ns,
            )
        )


def carries(span: trace.Span) -> bool:
    """Whether a span that is current tells the collector of the call that is about to be made: no record is needed.

    It is one that an instrumentation began for a request to a model, that is sampled, and that goes through a tracer
    provider which has our processor. A span that only lies round the request, such as a web framework's, is none.
    """
    if not span.is_recording() or not span.get_span_context().trace_flags.sampled:
        return False
    told = getattr(span, "attributes", None)
    if not told or attributes.TENANT not in told or "traceloop.span.kind" in told:
        return False
    return any(str(told[name]).lower() in kinds for name, kinds in _KINDS.items() if name in told)
