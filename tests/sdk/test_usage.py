"""Provider bodies become disjoint counts."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.streams import StreamMeter
from switchgear.usage import Usage, UsageError, from_response

CHAT = {
    "prompt_tokens": 1000,
    "completion_tokens": 50,
    "prompt_tokens_details": {"cached_tokens": 600, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 20},
}
RESPONSES = {
    "input_tokens": 1000,
    "output_tokens": 50,
    "input_tokens_details": {"cached_tokens": 600},
    "output_tokens_details": {"reasoning_tokens": 20},
}
MESSAGES = {
    "input_tokens": 300,
    "cache_read_input_tokens": 600,
    "cache_creation_input_tokens": 100,
    "cache_creation": {"ephemeral_5m_input_tokens": 70, "ephemeral_1h_input_tokens": 30},
    "output_tokens": 50,
}


@pytest.mark.parametrize(
    ("provider", "usage", "expected"),
    [
        ("openai", CHAT, Usage(input_uncached=1000 - 600, cache_read=600, output=50, reasoning=20)),
        ("openai", RESPONSES, Usage(input_uncached=1000 - 600, cache_read=600, output=50, reasoning=20)),
        ("openai", {"prompt_tokens": 12, "total_tokens": 12}, Usage(input_uncached=12)),
        (
            "openai",
            {**CHAT, "prompt_tokens_details": None},
            Usage(input_uncached=1000, output=50, reasoning=20),
        ),
        ("anthropic", MESSAGES, Usage(300, 600, 70, 30, 50, 0)),
        ("anthropic", {**MESSAGES, "cache_creation": None}, Usage(300, 600, 100, 0, 50, 0)),
        ("openai", {}, None),
        ("anthropic", {}, None),
        ("openai", None, None),
    ],
    ids=[
        "chat",
        "responses",
        "embeddings",
        "no details",
        "messages",
        "no split",
        "empty",
        "empty too",
        "null",
    ],
)
def test_a_body_s_usage_is_read(provider: str, usage: Any, expected: Usage | None) -> None:
    assert from_response(provider, {"usage": usage}) == expected


@pytest.mark.parametrize(
    ("provider", "usage", "says"),
    [
        ("openai", {**CHAT, "prompt_tokens": 500}, "input_uncached: -100 tokens"),
        ("openai", {**CHAT, "completion_tokens": 10}, "reasoning: 20 tokens is more than the output's 10"),
        ("openai", {**CHAT, "completion_tokens": 2**63}, "output: 9223372036854775808 tokens"),
        ("anthropic", {**MESSAGES, "input_tokens": "300"}, "input_tokens: '300' is not a whole number"),
        ("anthropic", {**MESSAGES, "output_tokens": True}, "output_tokens: True is not a whole number"),
        ("anthropic", {**MESSAGES, "cache_creation_input_tokens": 20}, "cache_write_5m: -10 tokens"),
    ],
)
def test_counts_that_cannot_be_are_refused_with_field_and_value(provider: str, usage: Any, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        from_response(provider, {"usage": usage})
    assert says in str(refused.value)


def test_a_provider_that_is_not_known_is_named() -> None:
    with pytest.raises(ValueError, match="'acme'; there are: anthropic, openai"):
        from_response("acme", {})


def sse(*events: Any) -> bytes:
    return (
        b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"
    )


CHAT_STREAM = sse(
    {"model": "m", "choices": [{"delta": {"content": 'a "usage" joke'}}], "usage": None},
    {"model": "m", "choices": [], "usage": CHAT},
)
RESPONSES_STREAM = sse({"type": "response.completed", "response": {"model": "m", "usage": RESPONSES}})
MESSAGES_STREAM = sse(
    {"type": "message_start", "message": {"model": "m", "usage": {**MESSAGES, "output_tokens": 1}}},
    {"type": "message_delta", "usage": {"output_tokens": 50}},
)


@pytest.mark.parametrize(
    ("provider", "stream", "usage"),
    [
        ("openai", CHAT_STREAM, CHAT),
        ("openai", RESPONSES_STREAM, RESPONSES),
        ("anthropic", MESSAGES_STREAM, MESSAGES),
    ],
    ids=["chat", "responses", "messages"],
)
@given(data=st.data())
def test_a_stream_is_read_however_it_is_cut_and_packed(
    provider: str, stream: bytes, usage: Any, data: st.DataObject
) -> None:
    packed = data.draw(st.sampled_from(["", "gzip"]))
    wire = zlib.compress(stream, wbits=31) if packed else stream
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=8)))
    meter = StreamMeter(provider, packed)
    for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        meter.feed(wire[start:end])
    assert meter.usage() == from_response(provider, {"usage": usage})
    assert meter.model == "m"


@pytest.mark.parametrize(
    ("encoding", "content"),
    [("", b"data: {broken\n\n"), ("gzip", b"not gzip"), ("br", CHAT_STREAM), ("", CHAT_STREAM[:40])],
    ids=["broken JSON", "broken gzip", "an encoding it cannot read", "cut before the usage"],
)
def test_a_stream_that_cannot_be_read_has_no_usage_and_raises_nothing(encoding: str, content: bytes) -> None:
    meter = StreamMeter("openai", encoding)
    meter.feed(content)
    assert meter.usage() is None
