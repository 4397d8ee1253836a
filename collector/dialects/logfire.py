"""Logfire's own instrumentations: of the OpenAI and Anthropic clients, and of the OpenAI Agents SDK.

A stream has two spans: one for the request, which ends before the first token, and one (a log) that knows how it
ended. Only the second is a call. The provider's usage body stands beside the counts and says more than they do. In
a run of agents the turns and the task carry sums of usage; the requests alone are calls.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from .dialect import Apart, Kind
from .document import Inside
from .genai import GENAI

__all__ = ["LOGFIRE", "LOGFIRE_AGENTS"]

_raw = partial(Inside, "gen_ai.usage.raw")
_body = partial(Inside, "response_data", "usage")
_agents = partial(Inside, "usage")
_ANTHROPIC_CACHE = ("cache_read_input_tokens", "cache_creation_input_tokens")

LOGFIRE = replace(
    GENAI,
    name="logfire",
    trust=35,
    scopes=("logfire.openai", "logfire.anthropic"),
    marks=frozenset(),
    kinds=(
        Kind(
            Inside("request_data", "stream"),
            never=frozenset({"true"}),
            passes=True,
            given=("logfire.span_type", "span"),
        ),
        *GENAI.kinds,
    ),
    input=(
        *(_raw("prompt_tokens"), _raw("input_tokens"), *GENAI.input),
        *(_body("prompt_tokens"), _body("input_tokens")),
    ),
    output=(
        *(*GENAI.output, _raw("completion_tokens"), _raw("output_tokens")),
        *(_body("completion_tokens"), _body("output_tokens")),
    ),
    cache_read=(
        _raw("prompt_tokens_details", "cached_tokens"),
        _raw("input_tokens_details", "cached_tokens"),
        _raw("cache_read_input_tokens"),
        *GENAI.cache_read,
        _body("prompt_tokens_details", "cached_tokens"),
        _body("input_tokens_details", "cached_tokens"),
        _body("cache_read_input_tokens"),
    ),
    cache_write=(
        _raw("prompt_tokens_details", "cache_write_tokens"),
        _raw("input_tokens_details", "cache_write_tokens"),
        _raw("cache_creation_input_tokens"),
        *GENAI.cache_write,
        _body("cache_creation_input_tokens"),
    ),
    cache_write_5m=(
        _raw("cache_creation", "ephemeral_5m_input_tokens"),
        _body("cache_creation", "ephemeral_5m_input_tokens"),
    ),
    cache_write_1h=(
        _raw("cache_creation", "ephemeral_1h_input_tokens"),
        _body("cache_creation", "ephemeral_1h_input_tokens"),
    ),
    reasoning=(
        _raw("completion_tokens_details", "reasoning_tokens"),
        _raw("output_tokens_details", "reasoning_tokens"),
        *GENAI.reasoning,
        _body("completion_tokens_details", "reasoning_tokens"),
        _body("output_tokens_details", "reasoning_tokens"),
    ),
    parts={
        "input_audio": tuple(of("prompt_tokens_details", "audio_tokens") for of in (_raw, _body)),
        "output_audio": tuple(of("completion_tokens_details", "audio_tokens") for of in (_raw, _body)),
        "web_searches": tuple(of("server_tool_use", "web_search_requests") for of in (_raw, _body)),
        "web_fetches": tuple(of("server_tool_use", "web_fetch_requests") for of in (_raw, _body)),
    },
    # Anthropic's body leaves the cached tokens out, and versions without `raw` pass on its count.
    apart=(
        Apart(
            counted=frozenset({_raw("input_tokens")}),
            named=frozenset(_raw(name) for name in _ANTHROPIC_CACHE),
        ),
        Apart(
            counted=frozenset({*GENAI.input, _body("input_tokens")}),
            named=frozenset(_body(name) for name in _ANTHROPIC_CACHE),
        ),
    ),
)

LOGFIRE_AGENTS = replace(
    GENAI,
    name="logfire-agents",
    trust=35,
    scopes=("logfire.openai_agents",),
    marks=frozenset(),
    kinds=(
        Kind("sdk_span_type", never=frozenset({"turn", "task"}), passes=True),
        Kind("gen_ai.operation.name", bills=GENAI.kinds[0].bills),
        Kind(
            "logfire.msg_template",
            bills=frozenset(
                {
                    "chat completion with {gen_ai.request.model!r}",
                    "responses api with {gen_ai.request.model!r}",
                    "responses api",
                }
            ),
            passes=True,
        ),
    ),
    input=(*GENAI.input, _agents("input_tokens")),
    output=(*GENAI.output, _agents("output_tokens")),
    cache_read=(*GENAI.cache_read, _agents("input_tokens_details", "cached_tokens")),
    cache_write=(*GENAI.cache_write, _agents("input_tokens_details", "cache_write_tokens")),
    reasoning=(*GENAI.reasoning, _agents("output_tokens_details", "reasoning_tokens")),
)
