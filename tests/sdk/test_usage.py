"""What a call used as disjoint counts, and how providers' bodies turn into it."""

from __future__ import annotations

import contextlib
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.streams import StreamMeter
from switchgear.usage import APART, COUNTS, Usage, UsageError, from_response

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
CONVERSE = {
    "inputTokens": 300,
    "cacheReadInputTokens": 600,
    "cacheWriteInputTokens": 100,
    "cacheDetails": [{"ttl": "1h", "inputTokens": 30}, {"ttl": "5m", "inputTokens": 70}],
    "outputTokens": 50,
    "totalTokens": 1050,
}
GEMINI = {
    "promptTokenCount": 1000,
    "cachedContentTokenCount": 600,
    "candidatesTokenCount": 30,
    "thoughtsTokenCount": 20,
    "toolUsePromptTokenCount": 7,
    "totalTokenCount": 1057,
}
HEARD = {
    "input_tokens": 1000,
    "input_token_details": {
        "text_tokens": 280,
        "audio_tokens": 700,
        "image_tokens": 20,
        "cached_tokens": 600,
        "cached_tokens_details": {"text_tokens": 200, "audio_tokens": 390, "image_tokens": 10},
    },
    "output_tokens": 50,
    "output_token_details": {"text_tokens": 10, "audio_tokens": 40},
}
SEEN = {
    "promptTokenCount": 1000,
    "promptTokensDetails": [
        {"modality": "TEXT", "tokenCount": 100},
        {"modality": "IMAGE", "tokenCount": 300},
        {"modality": "DOCUMENT", "tokenCount": 200},
        {"modality": "VIDEO", "tokenCount": 400},
    ],
    "cachedContentTokenCount": 600,
    "cacheTokensDetails": [
        {"modality": "TEXT", "tokenCount": 100},
        {"modality": "DOCUMENT", "tokenCount": 200},
        {"modality": "VIDEO", "tokenCount": 300},
    ],
    "candidatesTokenCount": 50,
    "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 40}],
}
# (provider, body, usage)
BODIES: dict[str, tuple[str, Any, Usage | None]] = {
    "chat": ("openai", {"usage": CHAT}, Usage(1000 - 600, 600, output=50, reasoning=20)),
    "responses": ("openai", {"usage": RESPONSES}, Usage(1000 - 600, 600, output=50, reasoning=20)),
    "embeddings": ("openai", {"usage": {"prompt_tokens": 12, "total_tokens": 12}}, Usage(12)),
    "no details": (
        "openai",
        {"usage": {**CHAT, "prompt_tokens_details": None}},
        Usage(1000, output=50, reasoning=20),
    ),
    "OpenAI, written to the cache": (
        "azure",
        {"usage": {**CHAT, "prompt_tokens_details": {"cached_tokens": 600, "cache_write_tokens": 90}}},
        Usage(1000 - 600 - 90, 600, 90, output=50, reasoning=20),
    ),
    "numbers as floats": ("openai", {"usage": {"prompt_tokens": 12.0}}, Usage(12)),
    "a voice that is answered": (
        "openai",
        {"response": {"usage": HEARD}},
        Usage(
            1000 - 600,
            600,
            output=50,
            apart=(
                *(("input_audio", 700 - 390), ("input_image", 20 - 10)),
                *(("cache_read_audio", 390), ("cache_read_image", 10), ("output_audio", 40)),
            ),
        ),
    ),
    "audio, and nobody says how much of it was cached": (
        "openai",
        {"usage": {**CHAT, "prompt_tokens_details": {"cached_tokens": 600, "audio_tokens": 700}}},
        # All 400 that are not cached may be audio: 300 of it are cached at the least.
        Usage(400, 600, output=50, reasoning=20, apart=(("input_audio", 400), ("cache_read_audio", 300))),
    ),
    "a transcription by tokens": (
        "openai",
        {"usage": {"type": "tokens", "input_tokens": 14, "input_token_details": {"audio_tokens": 14}}},
        Usage(14, apart=(("input_audio", 14),)),
    ),
    "a transcription by the second": (
        "openai",
        {"usage": {"type": "duration", "seconds": 8.2}},
        Usage(apart=(("audio_seconds", 9),)),
    ),
    "a picture by tokens": (
        "openai",
        {
            "data": [{"b64_json": ""}],
            "usage": {
                "input_tokens": 90,
                "input_tokens_details": {"image_tokens": 40, "text_tokens": 50},
                "output_tokens": 70,
                "output_tokens_details": {"image_tokens": 60, "text_tokens": 10},
            },
        },
        Usage(90, output=70, apart=(("input_image", 40), ("output_image", 60))),
    ),
    "pictures by the piece": (
        "azure",
        {"created": 1, "data": [{"url": "http://a"}, {"url": "http://b"}]},
        Usage(apart=(("images", 2),)),
    ),
    "searches as listed": (
        "openai",
        {
            "usage": RESPONSES,
            "output": [
                {"type": "web_search_call", "action": {"type": "search"}},
                {"type": "web_search_call", "action": {"type": "open_page"}},
                {"type": "web_search_call"},
                {"type": "file_search_call"},
                {"type": "message"},
            ],
        },
        Usage(400, 600, output=50, reasoning=20, apart=(("file_searches", 1), ("web_searches", 2))),
    ),
    "searches as billed": (
        "openai",
        {
            "usage": RESPONSES,
            "output": [{"type": "web_search_call"}, {"type": "web_search_call"}],
            "tool_usage": {"web_search": {"num_requests": 1}},
        },
        Usage(400, 600, output=50, reasoning=20, apart=(("web_searches", 1),)),
    ),
    "searches without details": (
        "xai",
        {
            "usage": {
                "input_tokens": 9,
                "output_tokens": 4,
                "server_side_tool_usage_details": {"web_search_calls": 1},
            }
        },
        Usage(9, output=4, apart=(("web_searches", 1),)),
    ),
    "tools of which nothing is known": (
        "openai",
        {
            "usage": {**RESPONSES, "server_tool_use": None},
            "tool_usage": None,
            "output": [{"type": "web_search_call"}],
        },
        Usage(400, 600, output=50, reasoning=20, apart=(("web_searches", 1),)),
    ),
    "messages": ("anthropic", {"usage": MESSAGES}, Usage(300, 600, 70, 30, 50)),
    "messages at Bedrock": ("aws.bedrock", {"usage": MESSAGES}, Usage(300, 600, 70, 30, 50)),
    "messages at Vertex": ("gcp.vertex_ai", {"usage": MESSAGES}, Usage(300, 600, 70, 30, 50)),
    "messages at Azure": ("azure.ai.inference", {"usage": MESSAGES}, Usage(300, 600, 70, 30, 50)),
    "no split": (
        "anthropic",
        {"usage": {**MESSAGES, "cache_creation": None}},
        Usage(300, 600, 100, 0, 50),
    ),
    "only the split": (
        "anthropic",
        {"usage": {**MESSAGES, "cache_creation_input_tokens": None}},
        Usage(300, 600, 70, 30, 50),
    ),
    "Anthropic's tools, and its thinking": (
        "anthropic",
        {
            "usage": {
                **MESSAGES,
                "output_tokens_details": {"thinking_tokens": 20},
                "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
            }
        },
        Usage(300, 600, 70, 30, 50, 20, (("web_fetches", 1), ("web_searches", 2))),
    ),
    "a compaction is billed beside, an advisor is another model": (
        "anthropic",
        {
            "usage": {
                **MESSAGES,
                "iterations": [
                    {"type": "compaction", "input_tokens": 9000, "output_tokens": 800},
                    {"type": "advisor_message", "input_tokens": 5, "output_tokens": 5, "model": "another"},
                    {"type": "message", "input_tokens": 300, "output_tokens": 50},
                ],
            }
        },
        Usage(300 + 9000, 600, 70, 30, 50 + 800),
    ),
    "Anthropic in OpenAI's format": ("anthropic", {"usage": CHAT}, Usage(400, 600, output=50, reasoning=20)),
    "Converse": ("amazon-bedrock", {"usage": CONVERSE}, Usage(300, 600, 70, 30, 50)),
    "Converse, the end of its stream": (
        "aws",
        {"metadata": {"usage": {"inputTokens": 5, "cacheWriteInputTokenCount": 3, "outputTokens": 1}}},
        Usage(5, cache_write_5m=3, output=1),
    ),
    "Gemini": ("google", {"usageMetadata": GEMINI}, Usage(1000 - 600 + 7, 600, output=30 + 20, reasoning=20)),
    "Gemini, seeing": (
        "gcp.gemini",
        {"usageMetadata": SEEN},
        Usage(
            1000 - 600,
            600,
            output=50,
            apart=(
                *(("input_image", 300), ("input_video", 400 - 300)),
                *(("cache_read_image", 200), ("cache_read_video", 300), ("output_image", 40)),
            ),
        ),
    ),
    "Gemini, an embedding": ("google", {"usageMetadata": {"promptTokenCount": 7}}, Usage(7)),
    "Gemini in OpenAI's format, whose total alone counts thoughts": (
        "google",
        {"usage": {"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109}},
        Usage(35, output=109 - 35, reasoning=109 - 35 - 12),
    ),
    "Groq, the end of its stream": (
        "groq",
        {"choices": [], "x_groq": {"id": "req", "usage": {**CHAT, "queue_time": 0.02}}},
        Usage(400, 600, output=50, reasoning=20),
    ),
    "Mistral, heard": (
        "mistral_ai",
        {"usage": {"prompt_tokens": 4, "completion_tokens": 50, "prompt_audio_seconds": 15}},
        Usage(4, output=50, apart=(("audio_seconds", 15),)),
    ),
    "Mistral, cached and billed so": (
        "mistral",
        {"usage": {"prompt_tokens": 801, "prompt_tokens_details": {"cached_tokens": 768}}},
        Usage(801 - 768, 768),
    ),
    "Mistral, held and not billed so": (
        "mistral",
        {"usage": {"prompt_tokens": 254, "completion_tokens": 99, "num_cached_tokens": 48}},
        Usage(254, output=99),
    ),
    "Mistral, read": (
        "mistral",
        {"usage_info": {"pages_processed": 3, "doc_size_bytes": 9}},
        Usage(apart=(("pages", 3),)),
    ),
    "Cohere's chat": (
        "cohere",
        {
            "usage": {
                "billed_units": {"input_tokens": 51.0, "output_tokens": 13},
                "tokens": {"input_tokens": 1533, "output_tokens": 36},
                "cached_tokens": 1440,
            }
        },
        Usage(51, output=13),
    ),
    "Cohere's embedding of images": (
        "cohere",
        {"meta": {"billed_units": {"input_tokens": 4, "image_tokens": 30}}},
        Usage(34, apart=(("input_image", 30),)),
    ),
    "Cohere's ranking": (
        "cohere",
        {"meta": {"billed_units": {"search_units": 1}}},
        Usage(apart=(("search_units", 1),)),
    ),
    "xAI's chat thinks beside its completion": (
        "x_ai",
        {
            "usage": {
                "prompt_tokens": 32,
                "completion_tokens": 9,
                "total_tokens": 135,
                "completion_tokens_details": {"reasoning_tokens": 94},
            }
        },
        Usage(32, output=9 + 94, reasoning=94),
    ),
    "xAI's chat without a total": (
        "xai",
        {"usage": {"prompt_tokens": 32, "completion_tokens": 9, "reasoning_tokens": 94}},
        Usage(32, output=9 + 94, reasoning=94),
    ),
    "xAI's models elsewhere think within": (
        "x-ai",
        {"usage": {**CHAT, "total_tokens": 1050}},
        Usage(400, 600, output=50, reasoning=20),
    ),
    "xAI's responses think within, and say what was searched": (
        "xai.responses",
        {
            "usage": {
                **RESPONSES,
                "server_side_tool_usage_details": {
                    "web_search_calls": 2,
                    "x_search_calls": 3,
                    "code_interpreter_calls": 1,
                    "file_search_calls": 4,
                    "mcp_calls": 9,
                },
            }
        },
        Usage(
            400,
            600,
            output=50,
            reasoning=20,
            apart=(("code_executions", 1), ("file_searches", 4), ("web_searches", 2 + 3)),
        ),
    ),
    "another's model thinks beside, as the total shows": (
        "openrouter",
        {"usage": {**CHAT, "total_tokens": 1070}},
        Usage(400, 600, output=50 + 20, reasoning=20),
    ),
    "DeepSeek": (
        "deepseek",
        {"usage": {"prompt_tokens": 875, "prompt_cache_hit_tokens": 800, "prompt_cache_miss_tokens": 75}},
        Usage(75, 800),
    ),
    "OpenRouter; what it says of costs is not read": (
        "openrouter",
        {"usage": {**CHAT, "cost": 0.01, "server_tool_use": {"web_search_requests": 2}}},
        Usage(400, 600, output=50, reasoning=20, apart=(("web_searches", 2),)),
    ),
    "Moonshot": ("moonshot", {"usage": {"prompt_tokens": 100, "cached_tokens": 60}}, Usage(40, 60)),
    "no usage": ("openai", {"usage": None}, None),
    "usage without counts": ("openai", {"usage": {}}, None),
    "usage without counts, of a message": ("anthropic", {"usage": {"input_tokens": None}}, None),
    "an answer of nothing": ("google", {"usageMetadata": {"trafficType": "ON_DEMAND"}}, None),
    "embeddings without usage": ("openai", {"data": [{"embedding": [0.1]}]}, None),
    "an empty body": ("cohere", {}, None),
}


@pytest.mark.parametrize(("provider", "body", "usage"), BODIES.values(), ids=BODIES)
def test_a_body_s_usage_is_read(provider: str, body: Any, usage: Usage | None) -> None:
    assert from_response(provider, body) == usage


def usage(counts: Any) -> Any:
    return {"usage": counts}


@pytest.mark.parametrize(
    ("provider", "body", "says"),
    [
        (
            "openai",
            usage({**CHAT, "prompt_tokens": 500}),
            "cached_tokens 600: more than prompt_tokens, 500, which holds them",
        ),
        (
            "openai",
            usage({**CHAT, "prompt_tokens_details": {"audio_tokens": 900, "image_tokens": 101}}),
            "audio_tokens 900 + image_tokens 101: more than prompt_tokens, 1000, which holds them",
        ),
        (
            "openai",
            usage({**CHAT, "completion_tokens": 10}),
            "reasoning: 20 tokens is more than the output's 10",
        ),
        ("openai", usage({**CHAT, "completion_tokens": 2**63}), "output: 9223372036854775808 tokens"),
        ("openai", usage({**CHAT, "completion_tokens": -5}), "completion_tokens: -5 is less than nothing"),
        ("openai", usage({**CHAT, "prompt_tokens": 0.5}), "prompt_tokens: 0.5 is not a whole number"),
        (
            "openai",
            usage({**CHAT, "prompt_tokens": float("nan")}),
            "prompt_tokens: nan is not a whole number",
        ),
        ("openai", usage({**CHAT, "prompt_tokens_details": 7}), "prompt_tokens_details: 7 holds no counts"),
        ("openai", usage({"seconds": "9"}), "seconds: '9' is not a whole number"),
        (
            "deepseek",
            usage({"prompt_tokens": 10, "prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 3}),
            "prompt_cache_hit_tokens 8 + prompt_cache_miss_tokens 3: more than prompt_tokens, 10",
        ),
        (
            "anthropic",
            usage({**MESSAGES, "input_tokens": "300"}),
            "input_tokens: '300' is not a whole number",
        ),
        (
            "anthropic",
            usage({**MESSAGES, "output_tokens": True}),
            "output_tokens: True is not a whole number",
        ),
        (
            "anthropic",
            usage({**MESSAGES, "cache_creation_input_tokens": 20}),
            "ephemeral_5m_input_tokens 70 + ephemeral_1h_input_tokens 30: more than cache_creation_input_tokens, 20",
        ),
        ("anthropic", usage({**MESSAGES, "iterations": 3}), "iterations: 3 is no list"),
        (
            "aws",
            usage({**CONVERSE, "cacheWriteInputTokens": 99}),
            "cacheDetails 5m 70 + cacheDetails 1h 30: more than cacheWriteInputTokens, 99",
        ),
        ("aws", usage({**CONVERSE, "cacheDetails": [{"ttl": "1d"}]}), "a ttl of '1d' is none of 5m, 1h"),
        ("aws", usage({**CONVERSE, "cacheDetails": [{"ttl": []}]}), "a ttl of [] is none of 5m, 1h"),
        ("google", [{"usageMetadata": GEMINI}], "body: a list is no response, nor an event of one"),
        ("openai", None, "body: a NoneType is no response"),
        (
            "google",
            {"usageMetadata": {**GEMINI, "promptTokenCount": 599}},
            "cachedContentTokenCount 600: more than promptTokenCount, 599, which holds them",
        ),
        (
            "google",
            {"usageMetadata": {**SEEN, "candidatesTokenCount": 39}},
            "candidatesTokensDetails image 40: more than candidatesTokenCount, 39, which holds them",
        ),
    ],
)
def test_counts_that_cannot_be_are_refused_with_field_and_value(provider: str, body: Any, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        from_response(provider, body)
    assert says in str(refused.value)


@pytest.mark.parametrize("name", ["acme", "", "langchain"])
def test_a_provider_that_is_not_known_is_named_beside_those_that_are(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name!r}; there are: anthropic, aws, azure, cerebras, cohere"):
        from_response(name, {})


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(data=st.data())
def test_whatever_stands_in_a_body_it_is_usage_or_none_or_refused(data: st.DataObject) -> None:
    provider, body, _ = data.draw(st.sampled_from(list(BODIES.values())))

    def spoilt(value: Any) -> Any:
        if data.draw(st.integers(0, 5)) == 0:
            return data.draw(JUNK)
        if isinstance(value, dict):
            return {name: spoilt(each) for name, each in value.items()}
        return [spoilt(each) for each in value] if isinstance(value, list) else value

    whole = spoilt(body)
    if isinstance(whole, dict):
        with contextlib.suppress(UsageError):
            read = from_response(provider, whole)
            assert read is None or read.total == sum(getattr(read, name) for name in COUNTS[:-1])


@pytest.mark.parametrize(
    ("usage", "says"),
    [
        ({"apart": (("input_audio", 3),)}, "input_audio 3: more than input_uncached, 0 tokens"),
        (
            {"output": 9, "apart": (("output_audio", 5), ("output_image", 5))},
            "output_audio 5 + output_image 5: more than output, 9 tokens",
        ),
        ({"apart": (("pages", -1),)}, "pages: -1; a call has between 0 and"),
        ({"apart": (("pages", 1), ("pages", 2))}, "names something twice"),
        ({"apart": (("hugs", 1),)}, "'hugs' is nothing that is billed apart; there are: input_audio,"),
    ],
)
def test_what_cannot_be_apart_is_refused(usage: Any, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        Usage(**usage)
    assert says in str(refused.value)


def test_what_is_apart_is_kept_in_one_order_and_without_zeros() -> None:
    one = Usage(5, apart=(("web_searches", 2), ("pages", 0), ("input_audio", 3)))
    other = Usage(5, apart=(("input_audio", 3), ("web_searches", 2)))
    assert one == other
    assert hash(one) == hash(other)
    assert one.apart == (("input_audio", 3), ("web_searches", 2))
    assert one.total == 5


def test_every_part_is_of_a_count() -> None:
    assert {whole for whole in APART.values() if whole is not None} <= set(COUNTS)


def sse(*events: Any) -> bytes:
    return (
        b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"
    )


CHAT_STREAM = sse(
    {"model": "m", "choices": [{"delta": {"content": 'a "usage" joke'}}], "usage": None},
    {"model": "m", "choices": [], "usage": CHAT},
)
RESPONSES_STREAM = sse({"type": "response.completed", "response": {"model": "m", "usage": RESPONSES}})
SEARCHED = {"usage": RESPONSES, "tool_usage": {"web_search": {"num_requests": 2}}}
SEARCHED_STREAM = sse({"type": "response.completed", "response": {"model": "m", **SEARCHED}})
GROQ_STREAM = sse({"model": "m", "x_groq": {"id": "req"}}, {"model": "m", "x_groq": {"usage": CHAT}})
MESSAGES_STREAM = sse(
    {"type": "message_start", "message": {"model": "m", "usage": {**MESSAGES, "output_tokens": 1}}},
    {"type": "message_delta", "usage": {"output_tokens": 50}},
)


@pytest.mark.parametrize(
    ("provider", "stream", "body"),
    [
        ("openai", CHAT_STREAM, usage(CHAT)),
        ("openai", RESPONSES_STREAM, usage(RESPONSES)),
        ("openai", SEARCHED_STREAM, SEARCHED),
        ("groq", GROQ_STREAM, usage(CHAT)),
        ("anthropic", MESSAGES_STREAM, usage(MESSAGES)),
    ],
    ids=["chat", "responses", "responses with a search", "Groq", "messages"],
)
@given(data=st.data())
def test_a_stream_is_read_however_it_is_cut_and_packed(
    provider: str, stream: bytes, body: Any, data: st.DataObject
) -> None:
    packed = data.draw(st.sampled_from(["", "gzip"]))
    wire = zlib.compress(stream, wbits=31) if packed else stream
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=8)))
    meter = StreamMeter(provider, packed)
    for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        meter.feed(wire[start:end])
    assert meter.usage() == from_response(provider, body)
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
