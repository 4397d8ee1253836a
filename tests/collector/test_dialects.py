"""What each dialect's table says beyond the recordings: shapes of other versions, and documents inside text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from by_hand import booked as call
from by_hand import refused

from collector.dialects import DIALECTS
from collector.dialects.document import MAX_CHARS, MAX_PARTS, Inside, Notation, opened, within
from switchgear.usage import Usage

LANGSMITH = {
    "langsmith.span.kind": "llm",
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "gen_ai.usage.input_tokens": 900,
    "gen_ai.usage.output_tokens": 40,
}
LANGFUSE = {"langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-5-mini"}
VERCEL = {
    "ai.operationId": "ai.streamText.doStream",
    "ai.model.provider": "anthropic.messages",
    "ai.model.id": "claude-sonnet-4-5",
    "ai.usage.inputTokens": 300,
    "ai.usage.outputTokens": 40,
}
LITELLM = {
    "gen_ai.operation.name": "acompletion",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.response.id": "chatcmpl-7",
    "gen_ai.usage.input_tokens": 900,
    "gen_ai.usage.output_tokens": 40,
    "llm.is_streaming": "True",
    "litellm.call_id": "0b5c",
}
LOGFIRE = {
    "logfire.span_type": "span",
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "request_data": json.dumps({"model": "gpt-4o-mini", "messages": [], "stream": True}),
}


def usage_details(**counts: Any) -> dict[str, Any]:
    return {**LANGFUSE, "langfuse.observation.usage_details": json.dumps(counts)}


@pytest.mark.parametrize(
    ("attributes", "scope", "usage"),
    [
        (
            {
                **LANGSMITH,
                "langsmith.metadata.usage_metadata": json.dumps(
                    {
                        "input_tokens": 900,
                        "input_token_details": {
                            "cache_read": 500,
                            "cache_creation": 0,
                            "ephemeral_5m_input_tokens": 80,
                            "ephemeral_1h_input_tokens": 20,
                        },
                    }
                ),
            },
            "langsmith",
            Usage(900 - 500 - 80 - 20, 500, 80, 20, output=40),
        ),
        (
            {
                **LANGSMITH,
                "gen_ai.usage.input_token_details": "{'audio': 0, 'cache_read': 500}",
                "gen_ai.usage.output_token_details": "{'reasoning': 30}",
            },
            "langsmith",
            Usage(900 - 500, 500, output=40, reasoning=30),
        ),
        (
            usage_details(input=179, output=35, total=278, input_cache_read=21, output_reasoning=64),
            "langfuse-sdk",
            Usage(179, 21, output=35 + 64, reasoning=64),
        ),
        (
            usage_details(input_tokens=300, output_tokens=40, cache_read_input_tokens=200),
            "langfuse-sdk",
            Usage(300, 200, output=40),
        ),
        (
            # A proxy repeats Anthropic's name beside OpenAI's, whose count is of everything.
            usage_details(
                prompt_tokens=900,
                completion_tokens=40,
                prompt_tokens_details={"cached_tokens": 200},
                cache_read_input_tokens=200,
            ),
            "langfuse-sdk",
            Usage(900 - 200, 200, output=40),
        ),
        (
            usage_details(
                input_tokens=900,
                output_tokens=40,
                input_tokens_details={"cached_tokens": 200},
                output_tokens_details={"reasoning_tokens": 30},
            ),
            "langfuse-sdk",
            Usage(900 - 200, 200, output=40, reasoning=30),
        ),
        (
            {
                **LANGFUSE,
                "gen_ai.usage.input_tokens": 900,
                "gen_ai.usage.cache_read.input_tokens": 200,
                "gen_ai.usage.output_tokens": 40,
            },
            "by-hand",
            Usage(900 - 200, 200, output=40),
        ),
        (
            {
                **VERCEL,
                "ai.usage.cachedInputTokens": 200,
                "ai.response.providerMetadata": json.dumps({"anthropic": {"cacheCreationInputTokens": 60}}),
            },
            "ai",
            Usage(300, 200, 60, output=40),
        ),
        (
            {
                **VERCEL,
                "ai.usage.inputTokens": 900,
                "ai.usage.inputTokenDetails.noCacheTokens": 700,
                "ai.usage.inputTokenDetails.cacheReadTokens": 200,
            },
            "ai",
            Usage(900 - 200, 200, output=40),
        ),
        (
            {
                "ai.operationId": "ai.embedMany.doEmbed",
                "ai.model.id": "text-embedding-3-small",
                "ai.usage.tokens": 12,
            },
            "ai",
            Usage(12),
        ),
        (
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "gpt-5-mini",
                "gen_ai.usage.input_tokens": 900,
                "gen_ai.usage.cache_creation.input_tokens": 100,
                "gen_ai.usage.output_tokens": 40,
                "ai.usage.outputTokenDetails.reasoningTokens": 30,
            },
            "gen_ai",
            Usage(900 - 100, cache_write_5m=100, output=40, reasoning=30),
        ),
        (
            {
                **LOGFIRE,
                "request_data": "{}",
                "gen_ai.usage.input_tokens": 900,
                "gen_ai.usage.output_tokens": 40,
                "gen_ai.usage.raw": json.dumps(
                    {"input_tokens": 300, "cache_read_input_tokens": 600, "output_tokens": 40}
                ),
            },
            "logfire.anthropic",
            Usage(300, 600, output=40),
        ),
        (
            {
                **LOGFIRE,
                "request_data": "{}",
                "gen_ai.usage.input_tokens": 300,
                "gen_ai.usage.output_tokens": 40,
                "response_data": json.dumps({"usage": {"input_tokens": 300, "cache_read_input_tokens": 200}}),
            },
            "logfire.anthropic",
            Usage(300, 200, output=40),
        ),
    ],
    ids=[
        *(
            "langsmith, lifetimes",
            "langsmith, a client",
            "langfuse's own names",
            "langfuse, anthropic's names",
        ),
        *(
            "langfuse, a proxy's names",
            "langfuse, responses",
            "langfuse, by hand",
            "vercel 5",
            "vercel 6",
            "vercel embeddings",
        ),
        *("vercel 7", "logfire, raw", "logfire, before raw"),
    ],
)
def test_cached_and_reasoned_tokens_are_counted_once(
    attributes: dict[str, Any], scope: str, usage: Usage
) -> None:
    assert call(attributes, scope).usage == usage


@pytest.mark.parametrize(("version", "uncached"), [("0.1.54", 300), ("0.1.55", 300 - 200), ("", 300 - 200)])
def test_whether_cached_tokens_are_inside_depends_on_the_version(version: str, uncached: int) -> None:
    attributes = {
        "openinference.span.kind": "LLM",
        "llm.provider": "anthropic",
        "llm.model_name": "claude-sonnet-4-5",
        "llm.token_count.prompt": 300,
        "llm.token_count.completion": 40,
        "llm.token_count.prompt_details.cache_read": 200,
    }
    found = call(attributes, "openinference.instrumentation.langchain", version)
    assert found.usage == Usage(uncached, 200, output=40)


@pytest.mark.parametrize(
    ("attributes", "scope"),
    [
        ({**LANGSMITH, "langsmith.span.kind": "chain"}, "langsmith"),
        ({**LANGSMITH, "langsmith.span.kind": "prompt"}, "langsmith"),
        ({**usage_details(input=5, output=5), "langfuse.observation.type": "agent"}, "langfuse-sdk"),
        ({**VERCEL, "ai.operationId": "ai.streamText"}, "ai"),
        ({**VERCEL, "ai.operationId": "ai.toolCall"}, "ai"),
        ({**LITELLM, "litellm.cache_hit": True}, "litellm"),
        (LOGFIRE, "logfire.openai"),
        (
            {
                "sdk_span_type": "task",
                "gen_ai.system": "openai",
                "gen_ai.request.model": "gpt-4o",
                "usage": '{"input_tokens":5,"output_tokens":5}',
            },
            "logfire.openai_agents",
        ),
        (
            {
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.request.model": "gpt-4o",
                "gen_ai.usage.input_tokens": 5,
            },
            "gen_ai",
        ),
    ],
    ids=[
        *("langsmith chain", "langsmith prompt", "langfuse agent", "vercel outer", "vercel tool"),
        *("litellm cache hit", "logfire opening of a stream", "logfire task", "vercel 7 agent"),
    ],
)
def test_sums_wrappers_and_what_asked_no_model_are_not_billed(attributes: dict[str, Any], scope: str) -> None:
    assert refused(attributes, scope).code == "wrong_kind"


def test_the_second_span_of_a_logfire_stream_is_the_call_with_and_without_usage() -> None:
    ended = {**LOGFIRE, "logfire.span_type": "log"}
    assert call(ended, "logfire.openai").usage is None
    usage = {"usage": {"prompt_tokens": 900, "completion_tokens": 40}}
    assert call({**ended, "response_data": json.dumps(usage)}, "logfire.openai").usage == Usage(
        900, output=40
    )


@pytest.mark.parametrize(
    ("usage_object", "streaming", "usage"),
    [
        ("{'prompt_tokens': 900, 'prompt_tokens_details': None}", "True", None),
        ("{'prompt_tokens': 900}", "True", None),
        (None, "True", None),
        ("{'prompt_tokens': 900}", "False", Usage(900, output=40)),
        (
            "{'prompt_tokens': 900, 'prompt_tokens_details': {'cached_tokens': 200, 'audio_tokens': None}}",
            "True",
            Usage(900 - 200, 200, output=40),
        ),
    ],
    ids=["details none", "no details", "no object", "no stream", "the provider's"],
)
def test_litellms_own_count_of_a_stream_is_no_usage(
    usage_object: str | None, streaming: str, usage: Usage | None
) -> None:
    attributes = {**LITELLM, "llm.is_streaming": streaming}
    if usage_object is not None:
        attributes["metadata.usage_object"] = usage_object
    assert call(attributes, "litellm").usage == usage


def test_litellms_own_id_of_a_failed_call_is_no_answer() -> None:
    failed = {**LITELLM, "gen_ai.response.id": "0b5c", "error.type": "Timeout"}
    failed = {name: value for name, value in failed.items() if "usage" not in name}
    assert refused(failed, "litellm", error=True).code == "failed"


def test_a_failed_langfuse_generation_is_not_charged() -> None:
    assert refused({**LANGFUSE, "langfuse.observation.level": "ERROR"}, "langfuse-sdk").code == "failed"


@pytest.mark.parametrize(
    "text",
    [
        "{'a': __import__('os').getpid()}",
        "{'a': 1 + 1}",
        "{'a': '\\d'}",
        "{'a': \"it's\"}",
        "{'a': " + "[" * 5000 + "]" * 5000 + "}",
        "{" + "-" * 5000 + "1: 1}",
        "{'a': nan}",
        "{'a': 1}" + " " * MAX_CHARS,
        "{'a': [" + "{}, " * MAX_PARTS + "{}]}",
        "{[]: 1}",
        "",
        "None",
        "{",
    ],
    ids=[
        *("a call", "a sum", "an escape", "a quote", "nested", "signs", "no number", "too long", "too many"),
        *("no key", "empty", "no dict", "broken off"),
    ],
)
def test_python_text_that_is_no_plain_dict_is_not_read(text: str) -> None:
    assert opened(text, Notation.PYTHON) is None


def test_python_text_of_a_plain_dict_is_read() -> None:
    plain = {"a": {"b": 12, "c": None}, "d": [True, False, 1.5, "NoneType", "x y"], "": {}, "e": -3}
    assert opened(repr(plain), Notation.PYTHON) == plain


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[1]", '"x"', "", "{'a': 1}", 5, None),
        '{"a": 1}' + " " * MAX_CHARS,
        '{"a": [' + "[]," * MAX_PARTS + "[]]}",
    ],
    ids=["broken off", "a list", "a text", "empty", "python", "a number", "nothing", "too long", "too many"],
)
def test_text_that_holds_no_json_object_is_not_read(text: Any) -> None:
    assert opened(text, Notation.JSON) is None


@pytest.mark.parametrize(
    ("path", "value"),
    [(("a", "b"), 1), (("a",), ()), (("c", 0), "x"), (("c", 9), None), (("c", "b"), None), (("n",), None)],
)
def test_a_place_inside_leads_to_a_scalar_or_says_that_there_is_none(
    path: tuple[Any, ...], value: Any
) -> None:
    assert within({"a": {"b": 1}, "c": ["x"], "n": None}, path) == value


@pytest.mark.parametrize("dialect", DIALECTS, ids=[dialect.name for dialect in DIALECTS])
def test_a_table_reads_every_attribute_that_it_names(dialect: Any) -> None:
    assert not any(isinstance(name, Inside) or "#" in name for name in dialect.attributes)
    assert dialect.scopes
    assert len({each.name for each in DIALECTS}) == len(DIALECTS)


def test_an_embedding_needs_no_output_to_be_complete() -> None:
    found = call(
        {
            **LANGFUSE,
            "langfuse.observation.model.name": "text-embedding-3-small",
            "langfuse.observation.usage_details": '{"prompt_tokens": 12, "total_tokens": 12}',
        },
        "langfuse-sdk",
    )
    assert found.usage == Usage(12)
    assert found.reported.complete
