"""OpenLLMetry: the current names (gen_ai.* with its own additions) and the older llm.* ones."""

from __future__ import annotations

from dataclasses import replace

from .dialect import Apart, Kind
from .genai import BILLED_OPERATIONS, GENAI

__all__ = ["OPENLLMETRY"]

_PACKAGES = (
    *("agno", "alephalpha", "anthropic", "bedrock", "cohere", "crewai", "google_generativeai", "groq"),
    *("haystack", "langchain", "llamaindex", "mistralai", "ollama", "openai", "openai.v0", "openai.v1"),
    *("openai_agents", "replicate", "sagemaker", "together", "transformers", "vertexai", "voyageai"),
    *("watsonx", "writer"),
)

OPENLLMETRY = replace(
    GENAI,
    name="openllmetry",
    # Its streamed Anthropic output was seen one token high, its streamed reasoning lost: others know better.
    trust=20,
    scopes=tuple(f"opentelemetry.instrumentation.{package}" for package in _PACKAGES),
    marks=frozenset(
        {
            "traceloop.span.kind",
            "traceloop.entity.path",
            "traceloop.workflow.name",
            "llm.request.type",
            "llm.usage.total_tokens",
            "llm.usage.prompt_tokens",
            "llm.usage.completion_tokens",
            "gen_ai.is_streaming",
        }
    ),
    kinds=(
        Kind("traceloop.span.kind", never=frozenset({"workflow", "task", "agent", "tool"}), passes=True),
        Kind(
            "gen_ai.operation.name",
            bills=BILLED_OPERATIONS | {"completion", "embedding", "response", "responses", "realtime"},
        ),
        Kind(
            "llm.request.type", bills=frozenset({"chat", "completion", "embedding", "embeddings", "response"})
        ),
    ),
    provider=("gen_ai.provider.name", "gen_ai.system", "llm.vendor"),
    request_model=("gen_ai.request.model", "llm.request.model"),
    response_model=("gen_ai.response.model", "llm.response.model"),
    response_id=("gen_ai.response.id", "llm.response.id"),
    input=(*GENAI.input, "llm.usage.prompt_tokens"),
    output=(*GENAI.output, "llm.usage.completion_tokens"),
    cache_read=(*GENAI.cache_read, "llm.usage.cache_read_input_tokens"),
    cache_write=(*GENAI.cache_write, "llm.usage.cache_creation_input_tokens"),
    reasoning=(*GENAI.reasoning, "llm.usage.reasoning_tokens"),
    total=(*GENAI.total, "llm.usage.total_tokens"),
    # traceloop/openllmetry#4449: Bedrock's own count, which leaves the cached tokens out, is passed on as it is.
    apart=(Apart(scope="opentelemetry.instrumentation.bedrock"),),
)
