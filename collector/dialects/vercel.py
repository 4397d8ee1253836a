"""Vercel AI SDK: ai.* on the whole operation and on each request; only a request is a call.

Versions 4 to 6, and 7 with its legacy telemetry, write `ai.operationId`; 7 writes the GenAI convention under a
scope of its own. That of 7 was read in the source of @ai-sdk/otel 1.0.173, not recorded.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from .dialect import Apart, Dialect, Kind
from .document import Inside
from .genai import BILLED_OPERATIONS, GENAI

__all__ = ["VERCEL", "VERCEL_7"]

_metadata = partial(Inside, "ai.response.providerMetadata")

VERCEL = Dialect(
    name="vercel-ai",
    trust=35,
    scopes=("ai",),
    marks=frozenset({"ai.operationId"}),
    kinds=(Kind("ai.operationId", endings=(".dogenerate", ".dostream", ".doembed")),),
    provider=("gen_ai.system", "ai.model.provider"),
    request_model=("gen_ai.request.model", "ai.model.id"),
    response_model=("gen_ai.response.model", "ai.response.model"),
    response_id=("gen_ai.response.id", "ai.response.id"),
    input=(
        *("ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens"),
        "gen_ai.usage.input_tokens",
    ),
    output=("ai.usage.outputTokens", "ai.usage.completionTokens", "gen_ai.usage.output_tokens"),
    cache_read=(
        *("ai.usage.inputTokenDetails.cacheReadTokens", "ai.usage.cachedInputTokens"),
        _metadata("anthropic", "cacheReadInputTokens"),
        _metadata("openai", "cachedPromptTokens"),
    ),
    cache_write=(
        "ai.usage.inputTokenDetails.cacheWriteTokens",
        _metadata("anthropic", "cacheCreationInputTokens"),
        _metadata("bedrock", "usage", "cacheWriteInputTokens"),
    ),
    reasoning=(
        *("ai.usage.outputTokenDetails.reasoningTokens", "ai.usage.reasoningTokens"),
        _metadata("openai", "reasoningTokens"),
    ),
    total=("ai.usage.totalTokens",),
    # Until version 6 the provider's own count was passed on as it is; 6 also says what is not cached.
    apart=(
        Apart(
            providers=frozenset({"anthropic", "amazon-bedrock"}),
            lacks=frozenset({"ai.usage.inputTokenDetails.noCacheTokens"}),
        ),
    ),
)

VERCEL_7 = replace(
    GENAI,
    name="vercel-ai-7",
    trust=35,
    scopes=("gen_ai",),
    marks=frozenset(),
    kinds=(Kind("gen_ai.operation.name", bills=BILLED_OPERATIONS | {"decide"}),),
    reasoning=(*GENAI.reasoning, "ai.usage.outputTokenDetails.reasoningTokens"),
)
