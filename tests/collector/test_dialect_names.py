"""Names of other versions and other emitters: each is read, and means what its emitter meant by it."""

from __future__ import annotations

from typing import Any

import pytest
from by_hand import booked, refused

from switchgear.usage import Usage

GENAI = {
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "anthropic",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "gen_ai.usage.input_tokens": 900,
    "gen_ai.usage.output_tokens": 40,
}
OPENLLMETRY = {
    "llm.vendor": "OpenAI",
    "llm.request.model": "gpt-4",
    "llm.response.model": "gpt-4-0613",
    "llm.usage.prompt_tokens": 900,
    "llm.usage.completion_tokens": 40,
}
LITELLM = {
    "llm.request.type": "acompletion",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.prompt_tokens": 900,
    "gen_ai.usage.completion_tokens": 40,
    "llm.usage.total_tokens": 940,
}
DECISION = {
    "openinference.span.kind": "DECISION",
    "decision.system": "typesafe",
    "decision.request.model_name": "jev-latest",
    "decision.response.model_name": "jev-1",
    "decision.token_count.input": 900,
    "decision.token_count.output": 4,
}
OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "gpt-4o",
    "llm.token_count.prompt": 900,
    "llm.token_count.completion": 40,
    "llm.token_count.prompt_details.cache_input": 500,
}


def cached(read: str, write: str) -> dict[str, Any]:
    return {**GENAI, f"gen_ai.usage.{read}": 500, f"gen_ai.usage.{write}": 100}


@pytest.mark.parametrize(
    ("attributes", "scope", "dialect", "usage"),
    [
        *(
            (cached(read, write), "by-hand", "otel-genai", Usage(900 - 500 - 100, 500, 100, output=40))
            for read, write in (
                ("cache_read.input_tokens", "cache_write.input_tokens"),
                ("cache_read.input_tokens", "cache_creation.input_tokens"),
                ("cache_read_input_tokens", "cache_creation_input_tokens"),
                ("cache_read_input_tokens", "cache_write_input_tokens"),
                ("cache_read_tokens", "cache_write_tokens"),
                ("cache_read_tokens", "cache_creation_tokens"),
                ("details.cache_read_tokens", "details.cache_write_tokens"),
                ("details.cache_read_input_tokens", "details.cache_creation_input_tokens"),
                ("input_tokens.cached", "input_tokens.cache_write"),
            )
        ),
        *(
            (
                {**GENAI, f"gen_ai.usage.{name}": 30},
                "pydantic-ai",
                "otel-genai",
                Usage(900, output=40, reasoning=30),
            )
            for name in (
                "reasoning.output_tokens",
                "output_tokens.reasoning",
                "reasoning_tokens",
                "details.reasoning_tokens",
                "details.thoughts_tokens",
                "details.thinking_tokens",
            )
        ),
        ({**GENAI, "gen_ai.operation.name": "realtime_inference"}, "", "otel-genai", Usage(900, output=40)),
        (OPENLLMETRY, "opentelemetry.instrumentation.openai", "openllmetry", Usage(900, output=40)),
        (OPENLLMETRY, "by-hand", "openllmetry", Usage(900, output=40)),
        (
            {**OPENLLMETRY, "llm.usage.cache_read_input_tokens": 500, "llm.usage.reasoning_tokens": 30},
            "by-hand",
            "openllmetry",
            Usage(900 - 500, 500, output=40, reasoning=30),
        ),
        (LITELLM, "litellm", "litellm", Usage(900, output=40)),
        (DECISION, "openinference.instrumentation.typesafe", "openinference", Usage(900, output=4)),
        (OPENINFERENCE, "by-hand", "openinference", Usage(900 - 500, 500, output=40)),
    ],
)
def test_the_usage_of_other_names_is_read(
    attributes: dict[str, Any], scope: str, dialect: str, usage: Usage
) -> None:
    found = booked(attributes, scope)
    assert (found.dialect, found.usage) == (dialect, usage)


def test_the_model_that_answered_is_read_under_other_names() -> None:
    for attributes, model, asked in ((DECISION, "jev-1", "jev-latest"), (OPENLLMETRY, "gpt-4-0613", "gpt-4")):
        found = booked(attributes)
        assert (found.model, found.request_model) == (model, asked)


@pytest.mark.parametrize("kind", ["agent", "tool", "Received Proxy Server Request"])
def test_a_litellm_span_of_another_function_is_no_call(kind: str) -> None:
    assert refused({**LITELLM, "llm.request.type": kind}, "litellm").code == "wrong_kind"
