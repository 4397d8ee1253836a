"""Traces of agent frameworks, as other tools export them: the calls in them, each counted once.

The runs of tau-bench beside them are messages without any span or count: there is nothing to load.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from otlp_samples import JSON, any_value, request, split

from collector.call import Call
from collector.ingest.body import bill_body
from collector.merging.merge import Shelf

# What the counting of `expected_counts.json`, which adds up spans, says otherwise than the calls do. Each is
# (calls, input, output), counted by hand from the trace.
COUNTED_OTHERWISE = {
    # OpenAIChat.invoke wraps a request that Langfuse recorded inside it, whose counts are those that the messages
    # of the trace repeat from the provider: two calls, four spans.
    "langfuse/agno-2025-06-11.trace.json": (2, 663 + 163, 225 + 20),
    # Langfuse's own names split the output: 64 reasoned tokens stand beside the 35.
    "langfuse/langgraph-js-2025-10-30.trace.json": (2, 179 + 142, 35 + 64 + 24),
    # The agent's own span carries usage too, and is no call.
    "langfuse/microsoft-agent-2025-12-17.trace.json": (2, 77 + 216, 86 + 20),
    # call_llm, generate_content and openai.chat are three spans of one request, twice.
    "agentevals/tempo_export_with_batches.json": (2, 2256 + 2392, 13 + 116),
}


def langfuse(document: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
    """Observations as the spans that Langfuse's SDK would have sent."""
    for seen in document["observations"]:
        details = {name: int(count) for name, count in (seen["usageDetails"] or {}).items()}
        yield span(
            {"name": "langfuse-sdk", "version": "3.0.0"},
            (seen["traceId"], seen["id"], seen["parentObservationId"]),
            (_ns(seen["startTime"]), _ns(seen["endTime"] or seen["startTime"])),
            {
                "langfuse.observation.type": seen["type"].lower(),
                **({"langfuse.observation.model.name": seen["model"]} if seen["model"] else {}),
                **({"langfuse.observation.usage_details": json.dumps(details)} if details else {}),
            },
        )


def jaeger(document: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
    """Spans of a Jaeger export, whose scope is among their tags."""
    for trace in document["data"]:
        for seen in trace["spans"]:
            tags = {tag["key"]: tag["value"] for tag in seen["tags"]}
            parents = [each["spanID"] for each in seen["references"] if each["refType"] == "CHILD_OF"]
            began = seen["startTime"] * 1000
            yield span(
                {"name": tags.get("otel.scope.name", ""), "version": tags.get("otel.scope.version", "")},
                (seen["traceID"], seen["spanID"], parents[0] if parents else None),
                (began, began + seen["duration"] * 1000),
                tags,
            )


def tempo(document: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
    """Spans of a Tempo export: OTLP under its older names, with the kind of a span as a word."""
    for batch in document["batches"]:
        for library in batch["instrumentationLibrarySpans"]:
            scope = {"name": "", "version": "", **library.get("instrumentationLibrary", {})}
            for seen in library["spans"]:
                yield scope, {**seen, "kind": 1, "status": {"code": 0}}


def span(
    scope: Mapping[str, Any],
    ids: tuple[str, str, str | None],
    times: tuple[int, int],
    attributes: Mapping[str, Any],
) -> tuple[Mapping[str, Any], dict[str, Any]]:
    return scope, {
        "traceId": ids[0].zfill(32),
        "spanId": ids[1].zfill(16),
        "parentSpanId": (ids[2] or "").zfill(16) if ids[2] else "",
        "startTimeUnixNano": str(times[0]),
        "endTimeUnixNano": str(times[1]),
        "attributes": [{"key": key, "value": any_value(value)} for key, value in attributes.items()],
        "status": {"code": 0},
    }


def _ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1_000_000) * 1000


def loaded(path: Path) -> list[tuple[Mapping[str, Any], dict[str, Any]]]:
    document = json.loads(path.read_text())
    convert = langfuse if "observations" in document else jaeger if "data" in document else tempo
    return list(convert(document))


def booked(spans: Sequence[tuple[Mapping[str, Any], dict[str, Any]]]) -> list[Call]:
    """The calls of the spans, each sent by itself, in that order."""
    shelf = Shelf()
    for single in split(request(spans)):
        for each in bill_body(json.dumps(single).encode(), JSON):
            if isinstance(each, Call):
                shelf.put(each)
    return [group.record() for group in shelf.groups]


def totals(calls: Sequence[Call]) -> tuple[int, int, int]:
    used = [call.usage for call in calls if call.usage is not None]
    return len(calls), sum(usage.input_total for usage in used), sum(usage.output for usage in used)


@pytest.fixture(scope="module")
def traces(shared: Path) -> Mapping[str, Any]:
    folder = shared / "agent_traces"
    expected = json.loads((folder / "expected_counts.json").read_text())
    return {name: (folder / name, counted) for name, counted in expected.items()}


def test_each_call_of_an_agent_is_counted_once(traces: Mapping[str, Any]) -> None:
    for name, (path, counted) in traces.items():
        want = COUNTED_OTHERWISE.get(
            name, (counted["llm_calls"], counted["input_tokens"], counted["output_tokens"])
        )
        assert totals(booked(loaded(path))) == want, name


def test_the_calls_of_an_agent_do_not_depend_on_the_order_of_its_spans(traces: Mapping[str, Any]) -> None:
    for name, (path, _) in traces.items():
        spans = loaded(path)
        assert totals(booked(spans[::-1])) == totals(booked(spans)), name
