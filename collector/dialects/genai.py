"""OpenTelemetry GenAI: the current names and every deprecated one; also pydantic-ai, Sentry and hand-made spans.

The convention counts cached tokens inside the input and reasoning inside the output. An agent span may carry
the sum of what its calls used (`invoke_agent`, `gen_ai.aggregated_usage.*`): it is never a call.
"""

from __future__ import annotations

from dataclasses import replace

from .dialect import Dialect, Kind

__all__ = ["ANTHROPIC_SDK", "BILLED_OPERATIONS", "GENAI"]

BILLED_OPERATIONS = frozenset(
    {"chat", "generate_content", "text_completion", "embeddings", "realtime_inference"}
)

GENAI = Dialect(
    name="otel-genai",
    trust=40,
    scopes=("opentelemetry.instrumentation.genai.",),
    marks=frozenset(
        {
            "gen_ai.operation.name",
            "gen_ai.provider.name",
            "gen_ai.system",
            "gen_ai.request.model",
            "gen_ai.response.model",
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.prompt_tokens",
            "gen_ai.usage.completion_tokens",
        }
    ),
    kinds=(Kind("gen_ai.operation.name", bills=BILLED_OPERATIONS),),
    bills_unnamed=True,
    provider=("gen_ai.provider.name", "gen_ai.system"),
    request_model=("gen_ai.request.model",),
    response_model=("gen_ai.response.model",),
    response_id=("gen_ai.response.id",),
    input=("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    output=("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    cache_read=(
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.details.cache_read_tokens",
        "gen_ai.usage.details.cache_read_input_tokens",
        "gen_ai.usage.details.cached_tokens",
        "gen_ai.usage.input_tokens.cached",
        "gen_ai.usage.cache_read_tokens",
    ),
    cache_write=(
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write_input_tokens",
        "gen_ai.usage.details.cache_write_tokens",
        "gen_ai.usage.details.cache_creation_input_tokens",
        "gen_ai.usage.input_tokens.cache_write",
        "gen_ai.usage.cache_write_tokens",
        "gen_ai.usage.cache_creation_tokens",
    ),
    reasoning=(
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.output_tokens.reasoning",
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens",
        "gen_ai.usage.details.thoughts_tokens",
        "gen_ai.usage.details.thinking_tokens",
    ),
    total=("gen_ai.usage.total_tokens",),
    # OpenTelemetry's instrumentations, then pydantic-ai's.
    parts={
        "input_audio": ("gen_ai.usage.audio.input_tokens", "gen_ai.usage.details.input_audio_tokens"),
        "input_image": ("gen_ai.usage.image.input_tokens",),
        "cache_read_audio": (
            "gen_ai.usage.audio.cache_read.input_tokens",
            "gen_ai.usage.details.cache_audio_read_tokens",
        ),
        "cache_read_image": ("gen_ai.usage.image.cache_read.input_tokens",),
        "output_audio": ("gen_ai.usage.audio.output_tokens", "gen_ai.usage.details.output_audio_tokens"),
        "output_image": ("gen_ai.usage.image.output_tokens",),
    },
    service_tier=(
        *("openai.response.service_tier", "gen_ai.openai.response.service_tier"),
        *("anthropic.response.service_tier", "llm.openai.service_tier"),
        *("openai.request.service_tier", "gen_ai.openai.request.service_tier"),
    ),
)

# The Anthropic SDK traces itself, in the same names; it alone tells how long a cache write lives. It stands
# nearest to the wire, so its counts win over those of any wrapper.
ANTHROPIC_SDK = replace(
    GENAI,
    name="anthropic-sdk",
    trust=50,
    scopes=("com.anthropic.sdk.python",),
    marks=frozenset(),
    cache_write_5m=("anthropic.usage.cache_creation.ephemeral_5m_input_tokens",),
    cache_write_1h=("anthropic.usage.cache_creation.ephemeral_1h_input_tokens",),
    input_beside=("anthropic.usage.compaction.input_tokens",),
    output_beside=("anthropic.usage.compaction.output_tokens",),
)
