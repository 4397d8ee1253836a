"""OpenInference: llm.token_count.*, one span kind that decides; the response id only inside the answer."""

from __future__ import annotations

from .dialect import Apart, Dialect, Kind
from .document import Inside

__all__ = ["OPENINFERENCE"]

# A decision model is asked typed questions and writes typed answers; it has names of its own.

OPENINFERENCE = Dialect(
    name="openinference",
    trust=30,
    scopes=("openinference.instrumentation.",),
    marks=frozenset({"openinference.span.kind"}),
    kinds=(Kind("openinference.span.kind", bills=frozenset({"llm", "embedding", "decision"})),),
    provider=(
        *("llm.provider", "llm.system", "decision.provider", "decision.system"),
        *("gen_ai.provider.name", "gen_ai.system"),
    ),
    request_model=("llm.request.model_name", "decision.request.model_name", "gen_ai.request.model"),
    response_model=(
        "llm.response.model_name",
        "llm.model_name",
        "embedding.model_name",
        "decision.response.model_name",
        "decision.model_name",
        "gen_ai.response.model",
    ),
    response_id=(
        "gen_ai.response.id",
        # The provider's own body, or the result that LangChain makes of it.
        Inside("output.value", "id"),
        Inside("output.value", "llm_output", "id"),
        Inside("output.value", *("generations", 0, 0, "message", "kwargs", "response_metadata", "id")),
        Inside("output.value", "response", "id"),
    ),
    input=("llm.token_count.prompt", "decision.token_count.input", "gen_ai.usage.input_tokens"),
    output=("llm.token_count.completion", "decision.token_count.output", "gen_ai.usage.output_tokens"),
    cache_read=(
        "llm.token_count.prompt_details.cache_read",
        "llm.token_count.prompt_details.cache_input",
        "gen_ai.usage.cache_read.input_tokens",
    ),
    cache_write=("llm.token_count.prompt_details.cache_write", "gen_ai.usage.cache_write.input_tokens"),
    reasoning=(
        "llm.token_count.completion_details.reasoning",
        "gen_ai.usage.reasoning.output_tokens",
    ),
    total=("llm.token_count.total",),
    parts={
        "input_audio": ("llm.token_count.prompt_details.audio",),
        "output_audio": ("llm.token_count.completion_details.audio",),
        # Of Anthropic, whose whole answer is there.
        "web_searches": (Inside("output.value", "usage", "server_tool_use", "web_search_requests"),),
        "web_fetches": (Inside("output.value", "usage", "server_tool_use", "web_fetch_requests"),),
    },
    service_tier=(Inside("output.value", "service_tier"), Inside("output.value", "usage", "service_tier")),
    # Arize-ai/openinference#2414: until then Anthropic's own count was passed on as it is.
    apart=(
        Apart(
            scope="openinference.instrumentation.langchain",
            before=(0, 1, 55),
            providers=frozenset({"anthropic"}),
        ),
    ),
)
