"""Records of calls: booked whatever a sampler says, once beside any instrumentation, with every count of an answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Decision, Sampler, SamplingResult
from otlp_samples import BASE_NS, PROTOBUF, Served

import switchgear as sg
from collector.billing import WANTED, bill
from collector.call import Call
from collector.merging.merge import Shelf
from collector.merging.settlement import Counts, Settlement, settled_call
from collector.otlp import decode
from switchgear import runtime
from switchgear.export import Recorder, carries
from switchgear.usage import APART, Usage

TAGS = {
    "switchgear.tenant": "acme",
    "switchgear.workload": "writer",
    "switchgear.task.id": "t-1",
    "switchgear.task.root_id": "t-1",
    "switchgear.tier": "batch",
}
USAGE = Usage(400, 600, 20, 30, 50, 20)


class Caught:
    """An outbox that keeps what is put into it."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.put = self.spans.append


def recorded(**said: Any) -> Call:
    """What the collector makes of a record."""
    caught = Caught()
    usual: dict[str, Any] = {
        "parent": None,
        "started_ns": BASE_NS,
        "ended_ns": BASE_NS + 2_000_000,
        "provider": "openai",
        "request_model": "gpt-4o-mini",
        "response_model": "gpt-4o-mini-2024-07-18",
        "response_id": "chatcmpl-1",
        "usage": USAGE,
    }
    Recorder(caught, Resource({})).call(TAGS, **{**usual, **said})  # type: ignore[arg-type]
    (span,) = caught.spans
    return read(span)


def read(span: ReadableSpan) -> Call:
    (found,) = decode(encode_spans([span]).SerializeToString(), PROTOBUF, WANTED)
    call = bill(found)  # type: ignore[arg-type]
    assert isinstance(call, Call), call
    return call


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Any usage with a count; what is billed apart is at most what holds it."""
    count = st.integers(0, 100_000_000)
    output = draw(count)
    counts = {
        "input_uncached": draw(count),
        "cache_read": draw(count),
        "cache_write_5m": draw(count),
        "cache_write_1h": draw(count),
        "output": output,
        "reasoning": draw(st.integers(0, output)),
    }
    left, apart = dict(counts), {}
    for name in draw(st.lists(st.sampled_from(sorted(APART)), unique=True)):
        whole = APART[name]
        apart[name] = draw(st.integers(0, 100_000_000 if whole is None else left[whole]))
        if whole is not None:
            left[whole] -= apart[name]
    return Usage(**counts, apart=tuple(apart.items()))


@given(usages())
def test_every_count_of_a_usage_arrives(usage: Usage) -> None:
    call = recorded(usage=usage)
    assert call.usage == usage
    assert call.reported == 63  # all six
    assert call.flags == ()


def test_a_record_says_all_that_a_call_is_booked_with() -> None:
    call = recorded(attempt=2, lease_id="g:1", degraded_from="gpt-4o", service_tier="flex", provider="openai")
    assert (call.tenant, call.workload, call.task_id, call.root_task_id, call.tier) == (
        *("acme", "writer", "t-1", "t-1"),
        "batch",
    )
    assert (call.provider, call.request_model, call.model) == (
        *("openai", "gpt-4o-mini"),
        "gpt-4o-mini-2024-07-18",
    )
    assert (call.response_id, call.attempts, call.lease_id, call.service_tier) == (
        *("chatcmpl-1", 2, "g:1"),
        "flex",
    )
    assert (call.dialect, call.parent_span_id) == ("switchgear", None)


def test_a_record_without_usage_is_a_call_of_unknown_cost_and_not_of_none() -> None:
    call = recorded(usage=None, response_model=None, response_id=None)
    assert (call.usage, call.model) == (None, "gpt-4o-mini")
    assert not call.reported.complete


def test_a_record_is_a_child_of_the_span_that_was_current() -> None:
    parent = trace.SpanContext(7, 8, is_remote=False)
    call = recorded(parent=parent)
    assert (call.trace_id, call.parent_span_id) == (f"{7:032x}", f"{8:016x}")


def instrumented(trace_id: int, span_id: int, **changed: Any) -> Call:
    """What another instrumentation tells of the same call: one output token more, and no lifetimes."""
    told = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.usage.input_tokens": 1_050,
        "gen_ai.usage.output_tokens": 51,
        "switchgear.tenant": "acme",
        **changed,
    }
    context = trace.SpanContext(trace_id, span_id, is_remote=False)
    return read(
        ReadableSpan(
            name="chat",
            context=context,
            attributes={name: value for name, value in told.items() if value is not None},
            start_time=BASE_NS,
            end_time=BASE_NS + 3_000_000,
        )
    )


AT = datetime.fromtimestamp(BASE_NS / 1e9, UTC)
SETTLED = settled_call(
    Settlement(
        lease_id="g:1",
        tenant="acme",
        model="gpt-4o-mini",
        usage=Counts(input_uncached=1, output=1),
        started_at=AT,
        ended_at=AT,
    )
)
PARENT = trace.SpanContext(7, 8, is_remote=False)


@pytest.mark.parametrize(
    "told",
    [
        [recorded(parent=PARENT, response_id=None), instrumented(7, 8, **{"gen_ai.response.id": None})],
        [recorded(), instrumented(7, 8)],
        [recorded(lease_id="g:1"), instrumented(7, 8), SETTLED],
        [recorded(lease_id="g:1"), instrumented(7, 8, **{"switchgear.lease.id": "g:1"}), SETTLED],
    ],
    ids=["inside the span", "by the response's id", "with the settlement", "with the hold on both"],
)
def test_beside_whatever_else_tells_of_the_call_it_is_one_with_the_records_counts(told: list[Call]) -> None:
    for order in permutations(told):
        shelf = Shelf()
        for call in order:
            shelf.put(call)
        (group,) = shelf.groups
        assert group.record().usage == USAGE


class RecordOnly(Sampler):
    """Spans are made, and not exported."""

    def should_sample(self, *_: Any, **__: Any) -> SamplingResult:
        return SamplingResult(Decision.RECORD_ONLY)

    def get_description(self) -> str:
        return "record only"


LLM = {"gen_ai.operation.name": "chat"}


@pytest.mark.parametrize(
    ("sampler", "attributes", "carried"),
    [
        (ALWAYS_ON, LLM, True),
        (ALWAYS_ON, {"gen_ai.operation.name": "embeddings"}, True),
        (ALWAYS_ON, {"openinference.span.kind": "LLM"}, True),
        (ALWAYS_ON, {"openinference.span.kind": "EMBEDDING"}, True),
        (ALWAYS_ON, {"llm.request.type": "chat"}, True),
        (ALWAYS_ON, {"langfuse.observation.type": "generation"}, True),
        (ALWAYS_ON, {"gen_ai.operation.name": "invoke_agent"}, False),
        (ALWAYS_ON, {"openinference.span.kind": "CHAIN"}, False),
        (ALWAYS_ON, {"traceloop.span.kind": "task", **LLM}, False),
        (ALWAYS_ON, {"http.route": "/ask"}, False),
        (ALWAYS_ON, {}, False),
        (ALWAYS_OFF, LLM, False),
        (RecordOnly(), LLM, False),
    ],
    ids=lambda value: getattr(value, "get_description", lambda: str(value))(),
)
def test_only_a_sampled_span_of_a_request_to_a_model_carries_it(
    sampler: Sampler, attributes: dict[str, str], *, carried: bool
) -> None:
    provider = TracerProvider(sampler=sampler)
    provider.add_span_processor(sg.CostSpanProcessor())
    with sg.task("writer", tenant="acme"):
        span = provider.get_tracer("x").start_span("x", attributes=attributes)
    assert carries(span) is carried


def test_a_span_of_a_provider_that_is_not_ours_carries_nothing() -> None:
    with sg.task("writer", tenant="acme"):
        span = TracerProvider().get_tracer("x").start_span("chat", attributes=LLM)
    assert not carries(span)


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("collector")) as running:
        yield running


@pytest.fixture
def record(collector: Served, tmp_path: Path) -> Iterator[Callable[..., tuple[TracerProvider, Recorder]]]:
    """Configure the SDK with a sampler, against the real collector."""

    def begin(sampler: Sampler) -> tuple[TracerProvider, Recorder]:
        provider = TracerProvider(sampler=sampler)
        sg.configure(collector=collector.url, guard=False, tracer_provider=provider, spool=str(tmp_path))
        assert runtime._runtime is not None
        return provider, runtime._runtime.recorder

    yield begin
    sg.shutdown(2)


@pytest.mark.parametrize("sampler", [ALWAYS_OFF, ALWAYS_ON], ids=["off", "on"])
def test_with_any_sampler_a_call_is_booked_once(
    sampler: Sampler, collector: Served, record: Callable[..., tuple[TracerProvider, Recorder]]
) -> None:
    provider, recorder = record(sampler)
    tenant = sampler.get_description()
    with sg.task("writer", tenant=tenant) as task:
        told = {**LLM, "gen_ai.request.model": "gpt-4o-mini", "gen_ai.usage.input_tokens": 7}
        with provider.get_tracer("x").start_as_current_span("chat", attributes=told) as span:
            span.set_attribute("gen_ai.usage.output_tokens", 1)
            if not carries(span):
                now = time.time_ns()
                recorder.call(
                    task.span_attributes,
                    parent=span.get_span_context(),
                    started_ns=now,
                    ended_ns=now + 1,
                    provider="openai",
                    request_model="gpt-4o-mini",
                    usage=Usage(7, output=1),
                )
    assert sg.flush(5)
    rows = collector.rows("SELECT input_uncached, output, state FROM calls WHERE tenant = ?", [tenant])
    assert rows == [[7, 1, "complete"]]
    ends = collector.rows("SELECT outcome FROM task_ends WHERE tenant = ?", [tenant])
    assert ends == [["succeeded"]]
