"""JSON and protobuf: whatever a request holds, both encodings of it are billed alike."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from otlp_samples import BASE_NS, JSON, PROTOBUF, any_value, request, to_protobuf

from collector.billing import WANTED
from collector.call import Call
from collector.dialects import DIALECTS
from collector.ingest.body import bill_body

SCOPES = [*sorted({scope for dialect in DIALECTS for scope in dialect.scopes}), "by-hand", ""]

# Letters, marks that combine, what JSON escapes, what opens documents, and what no name may hold.
text = st.text("abc 019.-e\u0301\N{GRINNING FACE}\0\n\\\"'{}[]:,", max_size=80)
# Words that decide, beside any text and any number.
words = st.sampled_from(
    ["chat", "LLM", "generation", "llm", "ai.x.doGenerate", "execute_tool", "12", "USD", ""]
)
values = st.one_of(
    words,
    words,
    text,
    st.just("x" * 5000),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 5000),
    st.floats(),
    st.booleans(),
    st.lists(st.integers(0, 9), max_size=2),
    st.none(),
)
pairs = st.tuples(st.sampled_from(sorted(WANTED.names)) | text, values)
times = st.integers(0, 2**64 - 1) | st.integers(BASE_NS, BASE_NS + 9)


@st.composite
def spans(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A span of some scope, with ids of which some are none."""
    named = [("gen_ai.request.model", "m"), ("gen_ai.operation.name", "chat")] if draw(st.booleans()) else []
    attributes = [*named, *draw(st.lists(pairs, max_size=30))]
    ids = {
        name: draw(st.binary(min_size=size, max_size=size) | st.binary(max_size=20)).hex()
        for name, size in (("traceId", 16), ("spanId", 8), ("parentSpanId", 8))
    }
    scope = {"name": draw(st.sampled_from(SCOPES)), "version": draw(text)}
    return scope, {
        **ids,
        "name": draw(text),
        "kind": draw(st.integers(0, 5)),
        "startTimeUnixNano": str(draw(times)),
        "endTimeUnixNano": draw(times),
        "attributes": [{"key": key, "value": any_value(value)} for key, value in attributes],
        "status": {"code": draw(st.integers(0, 2))},
    }


@given(st.lists(spans(), max_size=4))
def test_both_encodings_of_a_request_are_billed_alike(made: list[Any]) -> None:
    document = request(made)
    billed = bill_body(json.dumps(document).encode(), JSON)
    assert billed == bill_body(to_protobuf(document), PROTOBUF)
    assert len(billed) == len(made)
    for (_, span), each in zip(made, billed, strict=True):
        assert (each.trace_id, each.span_id) == (span["traceId"], span["spanId"])
        assert isinstance(each, Call) or each.reason
