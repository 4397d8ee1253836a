"""What of a span may lie on a disk: all that billing reads of it, and nothing that somebody wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags
from otlp_samples import BASE_NS, PROTOBUF, SHARED

from collector.billing import WANTED, bill
from collector.call import Call, NotBilled
from collector.dialects import DOCUMENTS
from collector.dialects.vercel import VERCEL
from collector.otlp import decode
from switchgear.export.facts import kept

SECRET = "4111-1111-1111-1111"


def finished(
    attributes: Mapping[str, Any], scope: Mapping[str, Any] | None = None, number: int = 1, **fields: Any
) -> ReadableSpan:
    """A span that ended, with a prompt wherever a span can hold one."""
    named = scope or {"name": "an.instrumentation"}
    context = SpanContext(number, number, is_remote=False, trace_flags=TraceFlags(1))
    told: dict[str, Any] = {
        "name": f"chat {SECRET}",
        "context": context,
        "resource": Resource({"service.name": f"agent {SECRET}"}),
        "attributes": attributes,
        "events": [Event(SECRET, {"gen_ai.prompt": SECRET})],
        "links": [Link(context, {"said": SECRET})],
        "status": Status(StatusCode.ERROR, SECRET),
        "instrumentation_scope": InstrumentationScope(named["name"], named.get("version")),
        "start_time": BASE_NS,
        "end_time": BASE_NS + 1_000_000,
    }
    return ReadableSpan(**{**told, **fields})


def body(span: ReadableSpan) -> bytes:
    encoded: bytes = encode_spans([span]).SerializeToString()
    return encoded


def billed(span: ReadableSpan | None) -> Call | NotBilled | None:
    if span is None:
        return None
    (found,) = decode(body(span), PROTOBUF, WANTED)
    return found if isinstance(found, NotBilled) else bill(found)


def test_every_recorded_span_is_billed_alike_from_the_disk() -> None:
    folder = SHARED / "instrumentation"
    if not folder.is_dir():
        pytest.skip(f"no shared data at {SHARED}; name its folder in SWITCHGEAR_SHARED_DATA")
    calls = 0
    for path in sorted(folder.glob("*__*.json")):
        for number, each in enumerate(json.loads(path.read_text())["spans"], 1):
            if each["scope"]["name"] in VERCEL.scopes:
                continue  # of JavaScript, whose spans this exporter never sees
            status = Status(StatusCode.ERROR if each["status"].get("code") in (2, "ERROR") else StatusCode.OK)
            whole = finished(
                {**each["attributes"], "switchgear.tenant": "acme"},
                each["scope"],
                number,
                status=status,
            )
            before, after = billed(whole), billed(kept(whole))
            if isinstance(before, Call):
                calls += 1
                assert after == before, path.name
            else:
                assert not isinstance(after, Call), path.name
    assert calls > 80


@pytest.mark.parametrize("name", sorted(WANTED.names - DOCUMENTS.keys() - VERCEL.attributes))
def test_whatever_attribute_billing_reads_is_kept(name: str) -> None:
    small = kept(finished({name: "x", "gen_ai.request.model": "m"}))
    assert small is not None
    assert (small.attributes or {})[name] == "x"


@pytest.mark.parametrize("name", sorted(DOCUMENTS.keys() - VERCEL.attributes))
def test_of_a_document_no_word_is_kept(name: str) -> None:
    private = {"content": SECRET, "arguments": {"id": SECRET, "usage": 1}}
    document = {
        "id": "chatcmpl-1",
        "usage": {"input_tokens": 12, "said": SECRET, "input_tokens_details": {"cached_tokens": 3}},
        "choices": [{"message": private}],
        "message": private,
        "generations": [[{"text": SECRET, "message": {"kwargs": {**private, "id": "r1"}}}]],
        "input": SECRET,
        "output": [SECRET],
        "response": {"output": [private]},
    }
    for text in (json.dumps(document), repr(document)):
        small = kept(finished({name: text, "gen_ai.request.model": "m"}))
        assert small is not None
        assert SECRET.encode() not in body(small)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"switchgear.tenant": "acme", "switchgear.workload": "w", "http.response.status_code": 200},
        {"http.route": "/ask", "db.statement": f"select {SECRET}"},
    ],
    ids=["nothing", "a span inside a task", "a framework's"],
)
def test_what_tells_of_no_call_and_no_end_of_a_task_is_left_out(attributes: dict[str, Any]) -> None:
    assert kept(finished(attributes)) is None


def test_of_a_document_counts_ids_and_models_are_kept() -> None:
    answer = {"id": "chatcmpl-1", "model": "gpt-4o", "choices": [{"message": {"content": SECRET}}]}
    usage = {"prompt_tokens": 12, "prompt_tokens_details": {"cached_tokens": 3}}
    small = kept(finished({"response_data": json.dumps({**answer, "usage": usage})}))
    assert small is not None
    (text,) = (small.attributes or {}).values()
    assert json.loads(str(text)) == {"id": "chatcmpl-1", "model": "gpt-4o", "usage": usage}


def test_nothing_private_is_kept_wherever_it_stands() -> None:
    small = kept(
        finished(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "gpt-4o",
                "gen_ai.usage.input_tokens": 12,
                "gen_ai.input.messages": SECRET,
                "gen_ai.output.messages": SECRET,
                "gen_ai.tool.call.arguments": SECRET,
                "gen_ai.system_instructions": SECRET,
                "llm.prompts.0.content": SECRET,
                "llm.input_messages.0.message.content": SECRET,
                "input.value": SECRET,
                "output.value": f"{{not JSON {SECRET}",
                "metadata.usage_object": f"{{'prompt_tokens': 1, 'said': '{SECRET}'}}",
                "gen_ai.usage.said": [SECRET],
                "usage": SECRET,
            }
        )
    )
    assert small is not None
    assert SECRET.encode() not in body(small)
    assert dict(small.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 12,
        "metadata.usage_object": "{'prompt_tokens': 1}",
    }
