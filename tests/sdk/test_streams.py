"""A stream's meter knows at any time about how much has come, and at the end exactly."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from provider_streams import EVENTS, RESPONSE, START, STREAMS

from switchgear.streams import StreamMeter
from switchgear.streams.formats import Format
from switchgear.usage import Usage

NAMES = list(STREAMS)


def fed(*events: Any, provider: str = "openai") -> StreamMeter:
    """A meter that was fed these events, each in a chunk of its own."""
    meter = StreamMeter(provider)
    for event in events:
        meter.feed(b"data: " + json.dumps(event).encode() + b"\n\n")
    return meter


def chat(delta: Any, **more: Any) -> dict[str, Any]:
    return {
        "object": "chat.completion.chunk",
        "model": "m",
        "id": "c",
        "choices": [{"index": 0, "delta": delta}],
        **more,
    }


def call(arguments: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]}


def said(kind: str, **delta: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": kind, **delta}}


FOUND = {"type": "mcp_tool_result", "content": [{"type": "text", "text": "a" * 400}]}
AUDIO = {"type": "response.audio.delta", "delta": "UklGR" * 400}

# Four bytes a token, rounded up, and no fewer tokens than pieces.
ESTIMATES = [
    pytest.param("openai", [chat({"content": "a" * 17})], 5, id="chat: 17 bytes"),
    pytest.param("openai", [chat({"content": "a"})] * 7, 7, id="chat: seven pieces of a byte"),
    pytest.param("openai", [chat({"content": ""}), chat({"role": "assistant"})], 0, id="chat: no text"),
    pytest.param(
        "openai", [chat({"content": "abcd"}, obfuscation="x" * 99)], 1, id="chat: padding is no text"
    ),
    pytest.param("openai", [chat({"content": 'say "content": "' + "a" * 24})], 10, id="chat: a quoted key"),
    pytest.param("openai", [chat(call('{"a": "b"}'))], 3, id="chat: arguments, quotes counted once"),
    pytest.param("openai", [chat({"reasoning_content": "a" * 8})], 2, id="chat: thinking"),
    pytest.param("openai", [chat({"content": "a\n\n\tb"})], 2, id="chat: escapes are one byte each"),
    pytest.param("openai", [chat({"content": "ю" * 8})], 2, id="chat: two-byte letters, escaped"),
    pytest.param("openai", [chat({"content": "字" * 4})], 3, id="chat: three-byte letters, escaped"),
    pytest.param("openai", [RESPONSE, {"type": "response.x.delta", "delta": "a" * 8}], 2, id="responses"),
    pytest.param("openai", [RESPONSE, AUDIO], 0, id="responses: sound is no text"),
    pytest.param(
        "anthropic", [START, said("text_delta", text="a" * 8)], 3, id="messages: two and what was told"
    ),
    pytest.param("anthropic", [START, said("input_json_delta", partial_json='{"a":1}')], 3, id="arguments"),
    pytest.param("anthropic", [START, said("thinking_delta", thinking="{a}" * 4)], 4, id="thinking"),
    pytest.param("anthropic", [START, said("signature_delta", signature="a" * 400)], 1, id="a signature"),
    pytest.param(
        "anthropic",
        [START, {"type": "content_block_start", "index": 1, "content_block": FOUND}],
        1,
        id="messages: what a tool found is no output",
    ),
    pytest.param(
        "google",
        [{"candidates": [{"content": {"parts": [{"text": "a" * 8}]}}], "modelVersion": "m"}],
        2,
        id="Gemini, uncounted",
    ),
]


@pytest.mark.parametrize(("provider", "events", "tokens"), ESTIMATES)
def test_what_has_come_is_estimated_from_its_text(provider: str, events: list[Any], tokens: int) -> None:
    assert fed(*events, provider=provider).output_so_far == tokens


@pytest.mark.parametrize(("provider", "events", "tokens"), ESTIMATES)
def test_events_that_are_parsed_already_count_the_same(provider: str, events: list[Any], tokens: int) -> None:
    meter = StreamMeter(provider)
    for event in events:
        meter.feed_event(event)
    assert meter.output_so_far == tokens


def test_letters_count_the_same_escaped_or_not() -> None:
    meters = []
    for ascii_ in (True, False):
        meter = StreamMeter("openai")
        event = json.dumps(chat({"content": "Größe… 字 ю"}), ensure_ascii=ascii_)
        meter.feed(b"data: " + event.encode() + b"\n\n")
        meters.append(meter.output_so_far)
    # G r ö ß e, two blanks more, ю: 9 bytes; … and 字: 6 more; 3 blanks in all.
    assert meters == [4, 4]


TIERS = [
    pytest.param("openai", [chat({"content": "a"}, service_tier="flex")], "flex", id="chat: without usage"),
    pytest.param(
        "openai",
        [chat({"content": "a"}), chat({}, service_tier="priority", usage={"prompt_tokens": 5})],
        "priority",
        id="chat: with its usage",
    ),
    pytest.param(
        "openai",
        [
            {"type": "response.created", "response": {"model": "m", "id": "r", "service_tier": "auto"}},
            {
                "type": "response.completed",
                "response": {"model": "m", "id": "r", "service_tier": "flex", "usage": {"input_tokens": 5}},
            },
        ],
        "flex",
        id="responses: the one that answered, not the one asked for",
    ),
    pytest.param(
        "anthropic",
        [
            {
                "type": "message_start",
                "message": {"model": "m", "id": "m", "usage": {"input_tokens": 5, "service_tier": "batch"}},
            },
            {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 5}},
        ],
        "batch",
        id="messages: in the usage of its begin",
    ),
    pytest.param("openai", [chat({"content": "a"}, service_tier=["flex"])], None, id="no text"),
]


@pytest.mark.parametrize(("provider", "events", "tier"), TIERS)
def test_a_stream_says_in_which_tier_it_was_served(
    provider: str, events: list[Any], tier: str | None
) -> None:
    assert fed(*events, provider=provider).service_tier == tier


def test_where_the_provider_counts_as_it_goes_only_what_came_since_is_estimated() -> None:
    counts = {"prompt_tokens": 5, "completion_tokens": 30, "total_tokens": 35}
    meter = fed(chat({"content": "a" * 400}, usage=counts), chat({"content": "a" * 8}))
    assert meter.output_so_far == 30 + 2
    assert meter.usage() is None
    assert meter.estimate(0) == Usage(input_uncached=5, output=32)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40)
@given(data=st.data())
def test_a_whole_stream_is_known_exactly_however_it_is_parted(name: str, data: st.DataObject) -> None:
    stream = STREAMS[name]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream.wire)), max_size=20)))
    meter = StreamMeter(stream.sdk)
    for start, end in zip([0, *cuts], [*cuts, len(stream.wire)], strict=True):
        meter.feed(stream.wire[start:end])
    usage = meter.usage()
    assert meter.finished
    assert meter.model == stream.body["model"]
    assert meter.response_id is not None
    assert (None if usage is None else usage.output) == stream.output
    if usage is not None:
        assert meter.output_so_far == usage.output
        assert meter.estimate(10**6) == usage


# The line that counts or ends a stream, before which all of its text has passed.
LAST = {
    "chat": b"data: [DONE]",
    "chat that counts": b'"usage":{',
    "two choices": b'"usage":{',
    "completions": b"data: [DONE]",
    "responses": b"event: response.completed",
    "messages": b"event: message_delta",
    "messages with thinking and a tool": b"event: message_delta",
}
# A message says at its begin what went in; of others it is a fourth of the request.
BEGUN = {"messages": 11, "messages with thinking and a tool": 11 + 5}


@pytest.mark.parametrize("name", NAMES)
def test_a_stream_that_ends_early_has_no_usage_but_an_estimate(name: str) -> None:
    stream = STREAMS[name]
    meter = StreamMeter(stream.sdk)
    meter.feed(stream.wire[: stream.wire.rfind(b"\n", 0, stream.wire.rfind(LAST[name])) + 1])
    assert not meter.finished
    assert meter.usage() is None
    estimate = meter.estimate(400)
    assert estimate is not None
    assert len(stream.whole) / 5 < estimate.output < len(stream.whole) / 2.5
    assert estimate.input_total == BEGUN.get(name, 100)


def test_of_nothing_there_is_no_estimate() -> None:
    assert StreamMeter("openai").estimate(400) is None
    assert fed(RESPONSE).estimate(400) is None


GEMINI = [
    {
        "candidates": [{"content": {"parts": [{"text": "a" * 40}]}}],
        "modelVersion": "gemini-3-flash",
        "responseId": "r1",
        "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 12, "totalTokenCount": 19},
    },
    {
        "candidates": [{"content": {"parts": [{"text": "b" * 40}]}, "finishReason": "STOP"}],
        "modelVersion": "gemini-3-flash",
        "usageMetadata": {
            "promptTokenCount": 7,
            "candidatesTokenCount": 25,
            "thoughtsTokenCount": 3,
            "totalTokenCount": 35,
        },
    },
]


@pytest.mark.parametrize("parsed", [False, True], ids=["bytes", "parsed"])
def test_gemini_counts_as_it_goes_and_is_whole_when_it_says_why_it_ended(*, parsed: bool) -> None:
    first, last = GEMINI
    meter = StreamMeter("google")

    def feed(event: Any) -> None:
        if parsed:
            meter.feed_event(event)
        else:
            meter.feed(b"data: " + json.dumps(event).encode() + b"\r\n\r\n")

    feed(first)
    assert (meter.format, meter.output_so_far, meter.usage()) == (Format.GEMINI, 12, None)
    feed(last)
    # 25 and 3 of thoughts, which stand beside them.
    assert (meter.finished, meter.output_so_far, meter.model, meter.response_id) == (
        True,
        28,
        "gemini-3-flash",
        "r1",
    )
    assert meter.usage() == Usage(input_uncached=7, output=28, reasoning=3)


def test_bedrock_s_events_are_counted_as_its_sdk_has_parsed_them() -> None:
    meter = StreamMeter("aws")
    for event in (
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"delta": {"reasoningContent": {"text": "a" * 8}}, "contentBlockIndex": 0}},
        {"contentBlockDelta": {"delta": {"text": "a" * 8}, "contentBlockIndex": 1}},
        {"contentBlockDelta": {"delta": {"toolUse": {"input": "a" * 8}}, "contentBlockIndex": 2}},
    ):
        meter.feed_event(event)
    assert (meter.format, meter.output_so_far, meter.usage()) == (Format.CONVERSE, 6, None)
    meter.feed_event({"messageStop": {"stopReason": "end_turn"}})
    usage = {"inputTokens": 7, "outputTokens": 9, "totalTokens": 16}
    meter.feed_event({"metadata": {"usage": usage, "metrics": {"latencyMs": 5}}})
    assert meter.finished
    assert meter.usage() == Usage(input_uncached=7, output=9)


@settings(max_examples=50)
@given(events=st.lists(EVENTS | st.sampled_from([START, RESPONSE, *GEMINI]), max_size=5))
def test_no_event_makes_a_meter_raise(events: list[Any]) -> None:
    for provider in ("openai", "anthropic", "google", "aws", "nobody"):
        meter, parsed = fed(*events, provider=provider), StreamMeter(provider)
        for event in events:
            parsed.feed_event(event)
        for each in (meter, parsed):
            assert each.output_so_far >= 0
            each.usage()
            each.estimate(10)
