"""LiteLLM's OpenTelemetry callback: the convention's names, and a usage object as Python prints it.

Asynchronous and other calls are named by LiteLLM's own function. A stream whose provider sent no usage carries
LiteLLM's own count without a flag; what shows that is that the details of the input are missing. An answer from
LiteLLM's cache was never asked of a provider.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from switchgear.usage.modalities import MODALITIES

from .dialect import Estimate, Kind
from .document import Inside, Notation
from .genai import BILLED_OPERATIONS, GENAI

__all__ = ["LITELLM"]

_usage = partial(Inside, "metadata.usage_object", notation=Notation.PYTHON)
_lifetimes = partial(_usage, "prompt_tokens_details", "cache_creation_token_details")

_FUNCTIONS = (
    "completion",
    "text_completion",
    "embedding",
    "responses",
    "generate_content",
    "anthropic_messages",
)
_BILLED = BILLED_OPERATIONS.union(_FUNCTIONS, (f"a{name}" for name in _FUNCTIONS))

LITELLM = replace(
    GENAI,
    name="litellm",
    trust=30,
    scopes=("litellm",),
    marks=frozenset({"litellm.call_id"}),
    kinds=(
        Kind("litellm.cache_hit", never=frozenset({"true"}), passes=True),
        Kind("gen_ai.operation.name", bills=_BILLED, endings=("generate_content_stream",)),
        # Before it followed the convention: the same functions under this name.
        Kind("llm.request.type", bills=_BILLED, endings=("generate_content_stream",)),
    ),
    bills_unnamed=False,
    input=(*GENAI.input, _usage("prompt_tokens")),
    output=(*GENAI.output, _usage("completion_tokens")),
    cache_read=(
        _usage("prompt_tokens_details", "cached_tokens"),
        _usage("cache_read_input_tokens"),
        *GENAI.cache_read,
    ),
    cache_write=(
        _usage("prompt_tokens_details", "cache_creation_tokens"),
        _usage("cache_creation_input_tokens"),
        _usage("prompt_tokens_details", "cache_write_tokens"),
        *GENAI.cache_write,
    ),
    cache_write_5m=(_lifetimes("ephemeral_5m_input_tokens"),),
    cache_write_1h=(_lifetimes("ephemeral_1h_input_tokens"),),
    reasoning=(_usage("completion_tokens_details", "reasoning_tokens"), *GENAI.reasoning),
    total=(*GENAI.total, "llm.usage.total_tokens"),
    parts={
        **{f"input_{name}": (_usage("prompt_tokens_details", f"{name}_tokens"),) for name in MODALITIES},
        **{f"output_{name}": (_usage("completion_tokens_details", f"{name}_tokens"),) for name in MODALITIES},
        "web_searches": (
            _usage("server_tool_use", "web_search_requests"),
            _usage("prompt_tokens_details", "web_search_requests"),
        ),
    },
    estimate=Estimate(
        streams=(
            ("llm.is_streaming", "true"),
            ("gen_ai.request.stream", "true"),
            ("litellm.request.streaming", "true"),
        ),
        proofs=(_usage("prompt_tokens_details"), _usage("cache_read_input_tokens"), *GENAI.cache_read),
    ),
    own_ids=("litellm.call_id",),
)
