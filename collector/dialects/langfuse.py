"""Langfuse's SDK: usage_details in the names of whoever counted, and no response id anywhere.

Its own names (`input`, `input_cache_read`, `output_reasoning`) split the whole into parts; Anthropic's leave the
cached tokens out; OpenAI's count them in. A span made by hand may carry its type beside the convention's names.
"""

from __future__ import annotations

from functools import partial

from .dialect import Apart, Dialect, Kind
from .document import Inside
from .genai import GENAI

__all__ = ["LANGFUSE"]

_usage = partial(Inside, "langfuse.observation.usage_details")

LANGFUSE = Dialect(
    name="langfuse",
    trust=30,
    scopes=("langfuse-sdk",),
    marks=frozenset({"langfuse.observation.type"}),
    kinds=(Kind("langfuse.observation.type", bills=frozenset({"generation", "embedding"})),),
    provider=GENAI.provider,
    request_model=GENAI.request_model,
    response_model=("langfuse.observation.model.name", *GENAI.response_model),
    response_id=GENAI.response_id,
    input=(_usage("prompt_tokens"), _usage("input_tokens"), _usage("input"), *GENAI.input),
    output=(_usage("completion_tokens"), _usage("output_tokens"), _usage("output"), *GENAI.output),
    cache_read=(
        _usage("prompt_tokens_details", "cached_tokens"),
        _usage("input_tokens_details", "cached_tokens"),
        _usage("cache_read_input_tokens"),
        _usage("input_cache_read"),
        _usage("input_cached_tokens"),
        _usage("prompt_details.cache_read"),
        *GENAI.cache_read,
    ),
    cache_write=(
        _usage("prompt_tokens_details", "cache_write_tokens"),
        _usage("input_tokens_details", "cache_write_tokens"),
        _usage("cache_creation_input_tokens"),
        _usage("input_cache_creation"),
        _usage("prompt_details.cache_write"),
        *GENAI.cache_write,
    ),
    cache_write_5m=(
        _usage("cache_creation", "ephemeral_5m_input_tokens"),
        _usage("cache_creation_ephemeral_5m_input_tokens"),
        _usage("input_ephemeral_5m_input_tokens"),
    ),
    cache_write_1h=(
        _usage("cache_creation", "ephemeral_1h_input_tokens"),
        _usage("cache_creation_ephemeral_1h_input_tokens"),
        _usage("input_ephemeral_1h_input_tokens"),
    ),
    reasoning=(
        _usage("completion_tokens_details", "reasoning_tokens"),
        _usage("output_tokens_details", "reasoning_tokens"),
        _usage("output_reasoning"),
        _usage("output_reasoning_tokens"),
        _usage("completion_details.reasoning"),
        *GENAI.reasoning,
    ),
    total=(_usage("total_tokens"), _usage("total"), *GENAI.total),
    apart=(
        Apart(
            counted=frozenset({_usage("input_tokens"), _usage("input")}),
            named=frozenset(
                {
                    _usage("cache_read_input_tokens"),
                    _usage("cache_creation_input_tokens"),
                    _usage("input_cache_read"),
                    _usage("input_cache_creation"),
                    _usage("input_cached_tokens"),
                }
            ),
        ),
    ),
    parts={
        **GENAI.parts,
        "input_audio": (
            *(_usage("prompt_tokens_details", "audio_tokens"), _usage("input_audio")),
            *GENAI.parts["input_audio"],
        ),
        "output_audio": (
            *(_usage("completion_tokens_details", "audio_tokens"), _usage("output_audio")),
            *GENAI.parts["output_audio"],
        ),
        "web_searches": (_usage("server_tool_use", "web_search_requests"),),
        "web_fetches": (_usage("server_tool_use", "web_fetch_requests"),),
    },
    parts_beside=frozenset({_usage("input_audio"), _usage("output_audio")}),
    reasoning_apart=frozenset({_usage("output_reasoning"), _usage("output_reasoning_tokens")}),
    failures=(("langfuse.observation.level", "error"),),
)
