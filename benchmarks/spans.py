"""Spans: what the traces of agents hold. Twenty attributes each; of a mixed trace one span in four is billable.

The names are those of OpenTelemetry's conventions: agent, tool and chat spans by GenAI, HTTP and database client spans
by theirs, and the six tags of the SDK on all. Ids and times are random, so that whoever encodes them finds them again.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from random import Random

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from switchgear.usage import Usage

__all__ = [
    "ALL_BILLABLE",
    "ONE_IN_FOUR",
    "SPANS_PER_TRACE",
    "TENANTS",
    "WORKLOADS",
    "Kind",
    "MadeSpan",
    "MadeTrace",
    "encoded",
    "trace",
]

Value = str | int | float | Sequence[str]

TENANTS = tuple(f"tenant-{number:02d}" for number in range(20))
WORKLOADS = ("support-agent", "nightly-ingest", "summarize-sales", "code-review", "research")
_TIERS = ("interactive", "batch", "background")
_MODELS = (
    ("openai", "gpt-4o-mini-2024-07-18"),
    ("openai", "gpt-4.1-2025-04-14"),
    ("anthropic", "claude-sonnet-4-5-20250929"),
    ("anthropic", "claude-haiku-4-5-20251001"),
)
_MS = 1_000_000


class Kind(Enum):
    """What a span tells of; the value is the instrumentation that makes it."""

    AGENT = "opentelemetry.instrumentation.genai.agents"
    CHAT = "opentelemetry.instrumentation.genai.openai"
    TOOL = "opentelemetry.instrumentation.genai.tools"
    HTTP = "opentelemetry.instrumentation.httpx"
    DATABASE = "opentelemetry.instrumentation.psycopg"


ONE_IN_FOUR = (Kind.AGENT, Kind.CHAT, Kind.TOOL, Kind.HTTP, Kind.CHAT, Kind.TOOL, Kind.DATABASE, Kind.HTTP)
ALL_BILLABLE = (Kind.CHAT,) * 8
SPANS_PER_TRACE = 8


@dataclass(frozen=True, slots=True)
class MadeSpan:
    """One span, before it is encoded."""

    kind: Kind
    span_id: bytes
    parent_id: bytes
    times: tuple[bytes, bytes]
    """What stands where its start and its end belong."""
    delays_ns: tuple[int, int]
    """When it starts and ends, after its trace's start."""
    attributes: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class MadeTrace:
    """One run of an agent: a task."""

    trace_id: bytes
    spans: Sequence[MadeSpan]
    calls: Sequence[tuple[str, str, Usage]]
    """(provider, model, usage) of each billable span."""


def trace(kinds: Sequence[Kind], number: int, random: Random) -> MadeTrace:
    """A trace with a span of each kind; `number` chooses its tenant, workload and model.

    All are children of the agent's span, which is in another request where `kinds` names none.
    """
    trace_id, root = random.randbytes(16), random.randbytes(8)
    provider, model = _MODELS[number % len(_MODELS)]
    spans: list[MadeSpan] = []
    calls: list[tuple[str, str, Usage]] = []
    for place, kind in enumerate(kinds):
        span_id, parent_id = (root, b"") if kind is Kind.AGENT else (random.randbytes(8), root)
        begins = place * 40 * _MS
        match kind:
            case Kind.CHAT:
                usage = _usage(random)
                calls.append((provider, model, usage))
                own = _chat(provider, model, usage, span_id)
            case Kind.AGENT:
                own = _agent(provider, model, number)
            case Kind.TOOL:
                own = _tool(number, place)
            case Kind.HTTP:
                own = _http(place)
            case Kind.DATABASE:
                own = _database()
        attributes = {**_tags(number, trace_id.hex()), **own}
        assert len(attributes) == 20, (kind, len(attributes))
        times = (random.randbytes(8), random.randbytes(8))
        spans.append(
            MadeSpan(
                kind, span_id, parent_id, times, (begins, begins + random.randrange(5, 35) * _MS), attributes
            )
        )
    return MadeTrace(trace_id, spans, calls)


def encoded(traces: Sequence[MadeTrace]) -> bytes:
    """The traces as one ExportTraceServiceRequest of one service, as a batching exporter groups them."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    _put(resource.resource.attributes, {"service.name": "agents", "telemetry.sdk.language": "python"})
    for kind in Kind:
        spans = [(each, span) for each in traces for span in each.spans if span.kind is kind]
        if not spans:
            continue
        scope = resource.scope_spans.add()
        scope.scope.name, scope.scope.version = kind.value, "1.3b0"
        for of, span in spans:
            made = scope.spans.add(
                trace_id=of.trace_id,
                span_id=span.span_id,
                parent_span_id=span.parent_id,
                name=kind.name.lower(),
                kind=Span.SPAN_KIND_INTERNAL if kind in {Kind.AGENT, Kind.TOOL} else Span.SPAN_KIND_CLIENT,
                start_time_unix_nano=struct.unpack("<Q", span.times[0])[0],
                end_time_unix_nano=struct.unpack("<Q", span.times[1])[0],
            )
            _put(made.attributes, span.attributes)
    whole: bytes = request.SerializeToString()
    return whole


def _usage(random: Random) -> Usage:
    cached = random.choice((0, 0, 1024, 4096))
    return Usage(
        input_uncached=random.randrange(200, 6_000), cache_read=cached, output=random.randrange(20, 900)
    )


def _tags(number: int, task: str) -> dict[str, Value]:
    return {
        "switchgear.tenant": TENANTS[number % len(TENANTS)],
        "switchgear.workload": WORKLOADS[number % len(WORKLOADS)],
        "switchgear.task.id": task,
        "switchgear.task.root_id": task,
        "switchgear.tier": _TIERS[number % len(_TIERS)],
    }


def _chat(provider: str, model: str, usage: Usage, span_id: bytes) -> dict[str, Value]:
    return {
        "switchgear.attempt": 1,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "gen_ai.request.max_tokens": 4096,
        "gen_ai.request.temperature": 0.2,
        "gen_ai.response.model": model,
        "gen_ai.response.id": f"resp-{span_id.hex()}",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.output.type": "text",
        "gen_ai.usage.input_tokens": usage.input_total,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read,
        "gen_ai.usage.output_tokens": usage.output,
        "server.address": f"api.{provider}.com",
        "server.port": 443,
    }


def _agent(provider: str, model: str, number: int) -> dict[str, Value]:
    return {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": provider,
        "gen_ai.agent.id": f"agent-{number:04d}",
        "gen_ai.agent.name": WORKLOADS[number % len(WORKLOADS)],
        "gen_ai.agent.version": "2026.11",
        "gen_ai.agent.description": "answers questions with the tools of its team",
        "gen_ai.conversation.id": f"conversation-{number:08d}",
        "gen_ai.request.model": model,
        "gen_ai.output.type": "text",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 8_000,
        "gen_ai.usage.output_tokens": 1_200,
        "server.address": f"api.{provider}.com",
        "server.port": 443,
        "thread.name": "MainThread",
    }


def _tool(number: int, place: int) -> dict[str, Value]:
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "search_orders",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.description": "finds the orders of a customer",
        "gen_ai.tool.call.id": f"call-{number:06d}-{place}",
        "gen_ai.agent.id": f"agent-{number:04d}",
        "gen_ai.agent.name": WORKLOADS[number % len(WORKLOADS)],
        "gen_ai.conversation.id": f"conversation-{number:08d}",
        "code.function.name": "orders.search",
        "code.file.path": "/srv/agents/orders.py",
        "code.line.number": 118,
        "thread.id": 140_211,
        "thread.name": "tools-1",
        "process.pid": 4_711,
        "deployment.environment.name": "production",
    }


def _http(place: int) -> dict[str, Value]:
    return {
        "http.request.method": "GET",
        "http.request.body.size": 0,
        "http.response.status_code": 200,
        "http.response.body.size": 18_211,
        "http.route": "/v2/orders",
        "url.full": f"https://orders.internal.example/v2/orders?page={place}",
        "url.scheme": "https",
        "server.address": "orders.internal.example",
        "server.port": 443,
        "network.protocol.name": "http",
        "network.protocol.version": "1.1",
        "network.peer.address": "10.0.12.7",
        "network.peer.port": 443,
        "network.transport": "tcp",
        "user_agent.original": "python-httpx/0.28.1",
    }


def _database() -> dict[str, Value]:
    return {
        "db.system.name": "postgresql",
        "db.namespace": "orders",
        "db.collection.name": "orders",
        "db.operation.name": "SELECT",
        "db.query.summary": "SELECT orders",
        "db.query.text": "SELECT id, placed_at, total FROM orders WHERE customer = $1 ORDER BY placed_at DESC LIMIT 50",
        "db.response.returned_rows": 37,
        "db.client.connection.pool.name": "orders-ro",
        "server.address": "db-ro.internal.example",
        "server.port": 5_432,
        "network.peer.address": "10.0.12.9",
        "network.peer.port": 5_432,
        "network.transport": "tcp",
        "thread.id": 140_211,
        "thread.name": "tools-1",
    }


def _put(attributes: object, values: Mapping[str, Value]) -> None:
    for key, value in values.items():
        attributes.add(key=key, value=_any_value(value))  # type: ignore[attr-defined]


def _any_value(value: Value) -> AnyValue:
    made = AnyValue()
    match value:
        case str():
            made.string_value = value
        case int():
            made.int_value = value
        case float():
            made.double_value = value
        case _:
            made.array_value.values.extend(_any_value(each) for each in value)
    return made
