"""What is billed apart, in the names of each dialect: audio and images within the counts, searches beside them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from by_hand import booked, refused

from collector.call import Flag
from switchgear.usage import Usage

GENAI = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-realtime",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 50,
}
CACHED = {"gen_ai.usage.cache_read.input_tokens": 600}
OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "gpt-4o-audio",
    "llm.token_count.prompt": 1000,
    "llm.token_count.completion": 50,
}
ANTHROPIC_SDK = {**GENAI, "gen_ai.request.model": "claude-sonnet-5"}
SEARCHED = {"server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1}}
LITELLM = {
    "gen_ai.operation.name": "completion",
    "gen_ai.request.model": "gpt-4o-audio",
    "litellm.call_id": "0b5c",
    "llm.is_streaming": "False",
}


def langfuse(**counts: Any) -> dict[str, Any]:
    return {
        "langfuse.observation.type": "generation",
        "langfuse.observation.model.name": "gpt-4o-audio",
        "langfuse.observation.usage_details": json.dumps(counts),
    }


CASES: dict[str, tuple[dict[str, Any], str, Usage]] = {
    "otel": (
        {
            **GENAI,
            **CACHED,
            "gen_ai.usage.audio.input_tokens": 700,
            "gen_ai.usage.image.input_tokens": 20,
            "gen_ai.usage.audio.cache_read.input_tokens": 390,
            "gen_ai.usage.image.cache_read.input_tokens": 20,
            "gen_ai.usage.audio.output_tokens": 40,
        },
        "opentelemetry.instrumentation.genai.openai",
        Usage(
            1000 - 600,
            600,
            output=50,
            apart=(
                *(("input_audio", 700 - 390), ("output_audio", 40)),
                *(("cache_read_audio", 390), ("cache_read_image", 20)),
            ),
        ),
    ),
    "otel, and nobody says how much audio was cached": (
        {**GENAI, **CACHED, "gen_ai.usage.audio.input_tokens": 700},
        "opentelemetry.instrumentation.genai.openai",
        Usage(400, 600, output=50, apart=(("input_audio", 400), ("cache_read_audio", 300))),
    ),
    "pydantic-ai": (
        {
            **GENAI,
            **CACHED,
            "gen_ai.usage.details.input_audio_tokens": 700,
            "gen_ai.usage.details.cache_audio_read_tokens": 600,
            "gen_ai.usage.details.output_audio_tokens": 40,
        },
        "pydantic-ai",
        Usage(
            400,
            600,
            output=50,
            apart=(("input_audio", 100), ("cache_read_audio", 600), ("output_audio", 40)),
        ),
    ),
    "a compaction, which stands beside": (
        {
            **ANTHROPIC_SDK,
            "anthropic.usage.compaction.input_tokens": 9000,
            "anthropic.usage.compaction.output_tokens": 800,
        },
        "com.anthropic.sdk.python",
        Usage(1000 + 9000, output=50 + 800),
    ),
    "openinference": (
        {
            **OPENINFERENCE,
            "llm.token_count.prompt_details.audio": 700,
            "llm.token_count.completion_details.audio": 40,
        },
        "openinference.instrumentation.openai",
        Usage(1000, output=50, apart=(("input_audio", 700), ("output_audio", 40))),
    ),
    "openinference, a message that was searched for": (
        {**OPENINFERENCE, "output.value": json.dumps({"id": "msg_1", "usage": SEARCHED})},
        "openinference.instrumentation.anthropic",
        Usage(1000, output=50, apart=(("web_fetches", 1), ("web_searches", 2))),
    ),
    "langsmith": (
        {
            **GENAI,
            "langsmith.span.kind": "llm",
            "langsmith.metadata.usage_metadata": json.dumps(
                {"input_token_details": {"audio": 700}, "output_token_details": {"audio": 40}}
            ),
        },
        "langsmith",
        Usage(1000, output=50, apart=(("input_audio", 700), ("output_audio", 40))),
    ),
    "langfuse, OpenAI's names": (
        langfuse(
            prompt_tokens=1000,
            completion_tokens=50,
            prompt_tokens_details={"audio_tokens": 700},
            completion_tokens_details={"audio_tokens": 40},
        ),
        "langfuse-sdk",
        Usage(1000, output=50, apart=(("input_audio", 700), ("output_audio", 40))),
    ),
    "langfuse, its own names, which split the whole": (
        langfuse(input=300, input_audio=700, output=10, output_audio=40, total=1050),
        "langfuse-sdk",
        Usage(300 + 700, output=10 + 40, apart=(("input_audio", 700), ("output_audio", 40))),
    ),
    "langfuse, Anthropic's names": (
        langfuse(input_tokens=1000, output_tokens=50, **SEARCHED),
        "langfuse-sdk",
        Usage(1000, output=50, apart=(("web_fetches", 1), ("web_searches", 2))),
    ),
    "litellm": (
        {
            **LITELLM,
            "metadata.usage_object": str(
                {
                    "prompt_tokens": 1000,
                    "completion_tokens": 50,
                    "prompt_tokens_details": {
                        "audio_tokens": 700,
                        "image_tokens": 20,
                        "video_tokens": None,
                        "web_search_requests": 3,
                    },
                    "completion_tokens_details": {"audio_tokens": 40},
                }
            ),
        },
        "litellm",
        Usage(
            1000,
            output=50,
            apart=(("input_audio", 700), ("input_image", 20), ("output_audio", 40), ("web_searches", 3)),
        ),
    ),
    "logfire": (
        {
            **GENAI,
            "gen_ai.usage.raw": json.dumps(
                {
                    "prompt_tokens": 1000,
                    "completion_tokens": 50,
                    "prompt_tokens_details": {"audio_tokens": 700},
                }
            ),
        },
        "logfire.openai",
        Usage(1000, output=50, apart=(("input_audio", 700),)),
    ),
    "logfire, a message": (
        {**GENAI, "gen_ai.usage.raw": json.dumps({"input_tokens": 1000, "output_tokens": 50, **SEARCHED})},
        "logfire.anthropic",
        Usage(1000, output=50, apart=(("web_fetches", 1), ("web_searches", 2))),
    ),
}


@pytest.mark.parametrize(("attributes", "scope", "usage"), CASES.values(), ids=CASES)
def test_what_is_billed_apart_is_read_in_each_dialect(
    attributes: dict[str, Any], scope: str, usage: Usage
) -> None:
    call = booked(attributes, scope)
    assert call.usage == usage
    assert call.flags == ()


@pytest.mark.parametrize(
    "parts",
    [
        {"gen_ai.usage.audio.input_tokens": 900, "gen_ai.usage.image.input_tokens": 101},
        {"gen_ai.usage.audio.output_tokens": 51},
        {**CACHED, "gen_ai.usage.image.cache_read.input_tokens": 601},
    ],
    ids=["input", "output", "cache read"],
)
def test_parts_that_are_more_than_their_whole_are_not_believed(parts: dict[str, Any]) -> None:
    call = booked({**GENAI, **parts})
    assert call.usage is not None
    assert call.usage.apart == ()
    assert call.usage.total == 1050
    assert call.flags == (Flag.INCONSISTENT,)


def test_a_part_that_is_no_count_refuses_its_span() -> None:
    spoilt = refused({**GENAI, "gen_ai.usage.audio.input_tokens": -1})
    assert (spoilt.code, spoilt.rejected) == ("bad_value", True)
    assert "gen_ai.usage.audio.input_tokens = -1" in spoilt.reason
