"""What real instrumentations recorded, against what the provider billed."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

import pytest
from otlp_samples import JSON, PROTOBUF, Recording, Served, split, to_protobuf

from analytics.prices import PriceBook
from collector.billing import WANTED, priced
from collector.call import Call, NotBilled, Reported
from collector.ingest.body import bill_body
from collector.merging.merge import Shelf
from collector.otlp import decode
from collector.span import Span

# What an instrumentation does not emit, no reader can book. Patterns of recordings' names, each with the reason.
NO_SPAN = {
    "otel-openai-v2*__responses*": "openai-v2 makes no span for the Responses API",
    "genai-openai-agents__*": "this instrumentation makes spans of agents and tools, none of requests",
}
NO_CACHE = {
    "otel-openai-v2*": "openai-v2 names no cached tokens: only the inclusive totals can be compared",
    "openai-agents-openinference__*chat*": "names cached tokens for the Responses API only",
    "openai-agents-openllmetry__*chat*": "names cached tokens for the Responses API only",
}
TWO_CALLS = {
    "langchain-openinference-both__chain_stream": "LangChain's span names no response id and carries no usage, and "
    "the client's is in a trace of its own: nothing joins the two. Both are incomplete, neither has a cost",
}


def billed_in(document: Mapping[str, Any], *, protobuf: bool = False) -> list[Call | NotBilled]:
    """What becomes of each span of a request, none of which is broken."""
    body = to_protobuf(document) if protobuf else json.dumps(document).encode()
    billed = bill_body(body, PROTOBUF if protobuf else JSON)
    assert not any(isinstance(each, NotBilled) and each.rejected for each in billed)
    return billed


def calls_of(documents: Iterable[Mapping[str, Any]], *, protobuf: bool = False) -> list[Call]:
    """The calls that requests book, one after the other."""
    shelf = Shelf()
    for document in documents:
        for each in billed_in(document, protobuf=protobuf):
            if isinstance(each, Call):
                shelf.put(each)
    return [group.record() for group in shelf.groups]


def billed(call: Call, *, cached: bool) -> tuple[Any, ...] | None:
    """What can be compared of a call: the totals, and what is cached where its emitter says so."""
    if call.usage is None:
        return None
    usage = call.usage
    written = usage.cache_write_5m + usage.cache_write_1h
    return (usage.input_total, usage.output, *((usage.cache_read, written) if cached else ()))


def expected(truth: Mapping[str, Any], *, cached: bool) -> tuple[Any, ...] | None:
    if not truth["usage_sent_on_wire"]:
        return None
    total, output = truth["input_tokens_total_inclusive"], truth["output_tokens_total"]
    return (total, output, *((truth["cache_read"], truth["cache_write"]) if cached else ()))


def excused(recording: Recording, table: Mapping[str, str]) -> bool:
    return any(fnmatchcase(recording.name, pattern) for pattern in table)


def readable(recordings: Mapping[str, Recording]) -> list[Recording]:
    """Every recording, but those whose instrumentation says nothing of the requests or cannot be joined."""
    return [
        each for each in recordings.values() if not excused(each, NO_SPAN) and not excused(each, TWO_CALLS)
    ]


def test_the_reasons_why_a_recording_cannot_match_all_hold(recordings: Mapping[str, Recording]) -> None:
    for recording in recordings.values():
        calls = calls_of([recording.request()])
        if excused(recording, NO_SPAN):
            assert calls == [], recording.name
        elif excused(recording, TWO_CALLS):
            assert len(calls) == 2 * len(recording.truth["calls"]), recording.name
            assert {call.usage for call in calls} == {None}, recording.name
        elif excused(recording, NO_CACHE):
            assert not any(call.usage.cache_read for call in calls if call.usage), recording.name


@pytest.mark.parametrize("protobuf", [False, True], ids=["json", "protobuf"])
def test_billed_usage_is_what_the_provider_billed(
    recordings: Mapping[str, Recording], *, protobuf: bool
) -> None:
    for recording in readable(recordings):
        cached = not excused(recording, NO_CACHE)
        calls = calls_of([recording.request()], protobuf=protobuf)
        got = Counter(billed(call, cached=cached) for call in calls)
        want = Counter(expected(truth, cached=cached) for truth in recording.truth["calls"])
        assert got == want, recording.name


def test_reasoning_and_cache_lifetimes_are_right_where_they_are_told(
    recordings: Mapping[str, Recording],
) -> None:
    told = Counter[str]()
    for recording in readable(recordings):
        for call in calls_of([recording.request()]):
            truth = recording.truth["calls"][0]
            if call.usage is not None and Reported.REASONING in call.reported:
                told["reasoning"] += 1
                assert call.usage.reasoning == (truth["reasoning"] or 0), recording.name
            if call.usage is not None and Reported.LIFETIMES in call.reported:
                told["lifetimes"] += 1
                assert call.usage.cache_write_1h == truth["cache_write_1h"], recording.name
    assert told["reasoning"] >= 20
    assert told["lifetimes"] >= 5


def test_usage_that_nobody_could_see_is_incomplete_and_never_zero(
    recordings: Mapping[str, Recording],
) -> None:
    unseen = [each for each in readable(recordings) if each.truth["calls"]]
    unseen = [each for each in unseen if not any(c["usage_sent_on_wire"] for c in each.truth["calls"])]
    assert len(unseen) >= 8
    for recording in unseen:
        for call in calls_of([recording.request()]):
            assert call.usage is None, recording.name
            assert call.cost is None, recording.name


def test_failed_requests_are_not_charged(recordings: Mapping[str, Recording]) -> None:
    failed = [each for each in readable(recordings) if each.truth["failed_requests"]]
    assert len(failed) >= 8
    for recording in failed:
        assert calls_of([recording.request()]) == [], recording.name


@pytest.mark.parametrize("protobuf", [False, True], ids=["json", "protobuf"])
def test_all_recordings_twice_shuffled_and_split_make_the_same_calls(
    recordings: Mapping[str, Recording], serve: Callable[..., Served], *, protobuf: bool
) -> None:
    chosen = list(recordings.values())
    want = sum(
        0 if excused(each, NO_SPAN) else len(each.truth["calls"]) * (2 if excused(each, TWO_CALLS) else 1)
        for each in chosen
    )
    whole = [recording.request() for recording in chosen]
    single = [each for document in whole for each in split(document)]
    sent = [*whole, *single, *single]
    random.Random(7).shuffle(sent)
    served = serve()
    for document in sent:
        assert served.send(document, protobuf=protobuf).status_code == 200

    ordered = calls_of(whole)
    assert len(ordered) == want
    [[calls, costs, tokens]] = served.rows(
        "SELECT count(*), sum(cost), sum(input_uncached + cache_read + output) FROM calls"
    )
    assert calls == want
    assert tokens == sum(
        call.usage.input_uncached + call.usage.cache_read + call.usage.output
        for call in ordered
        if call.usage is not None
    )
    book = PriceBook()
    assert Decimal(costs) == sum(priced(call, book.quote).cost or 0 for call in ordered)


def test_every_span_of_a_recording_is_booked_or_has_a_reason(recordings: Mapping[str, Recording]) -> None:
    for recording in recordings.values():
        billed = billed_in(recording.request())
        assert len(billed) == len(recording.spans)
        assert all(isinstance(each, Call) or each.reason for each in billed), recording.name


def test_json_and_protobuf_are_billed_alike(recordings: Mapping[str, Recording]) -> None:
    for recording in recordings.values():
        document = recording.request()
        assert billed_in(document) == billed_in(document, protobuf=True), recording.name


def test_nothing_is_odd_about_what_instrumentations_sent(recordings: Mapping[str, Recording]) -> None:
    for recording in recordings.values():
        for call in calls_of([recording.request()]):
            assert call.flags == (), recording.name


def test_content_is_dropped_while_decoding(recordings: Mapping[str, Recording]) -> None:
    # Read for the ids and counts inside them, and dropped with the span.
    kept = {"output.value", "gen_ai.completion", "response_data", "request_data"}
    for recording in recordings.values():
        for span in decode(json.dumps(recording.request()).encode(), JSON, WANTED):
            attributes = span.attributes if isinstance(span, Span) else {}
            for name, value in attributes.items():
                assert name in kept or "hello world" not in str(value), (recording.name, name)
        assert "hello world" not in repr(billed_in(recording.request())), recording.name
