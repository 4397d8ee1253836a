"""Facts: what of a span may lie on a disk. Pure: spans in, smaller spans out.

Billing reads names, numbers and ids; prompts, outputs and tool arguments are none of these. So that nothing private
slips through, what is kept is listed here, and everything else is dropped: the span's own name, its events, links,
resource and the text of its status too.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace.status import Status

from .. import attributes

__all__ = ["kept"]

_LONGEST_TEXT = 256
_LONGEST_DOCUMENT = 4 * 1024 * 1024
_LONGEST_REPR = 64 * 1024

_PREFIXES = (
    *("gen_ai.usage.", "llm.usage.", "llm.token_count.", "decision.token_count.", "anthropic.usage."),
    "switchgear.",
)
_NAMES = frozenset(
    {
        # Which kind of span it is.
        *("gen_ai.operation.name", "openinference.span.kind", "llm.request.type", "langsmith.span.kind"),
        *("langfuse.observation.type", "traceloop.span.kind", "traceloop.entity.path"),
        *("traceloop.workflow.name", "sdk_span_type", "logfire.span_type", "logfire.msg_template"),
        *("litellm.call_id", "litellm.cache_hit", "litellm.request.streaming"),
        *("gen_ai.is_streaming", "gen_ai.request.stream", "llm.is_streaming"),
        # Who answered, with what.
        *("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "llm.vendor"),
        *("decision.provider", "decision.system", "langsmith.metadata.ls_provider"),
        *("gen_ai.request.model", "gen_ai.response.model", "llm.request.model", "llm.response.model"),
        *("llm.request.model_name", "llm.response.model_name", "llm.model_name", "embedding.model_name"),
        *("decision.request.model_name", "decision.response.model_name", "decision.model_name"),
        *("langfuse.observation.model.name", "langsmith.metadata.ls_model_name"),
        *("gen_ai.response.id", "llm.response.id"),
        *("openai.request.service_tier", "openai.response.service_tier", "llm.openai.service_tier"),
        *("gen_ai.openai.request.service_tier", "gen_ai.openai.response.service_tier"),
        "anthropic.response.service_tier",
        # How it went.
        *("error.type", "http.response.status_code", "http.request.resend_count"),
        "langfuse.observation.level",
    }
)
# Attributes whose text holds counts beside other things: as JSON, or as what Python prints of a dict.
_DOCUMENTS = frozenset(
    {
        *("output.value", "gen_ai.completion", "response_data", "request_data", "usage", "gen_ai.usage.raw"),
        *("langfuse.observation.usage_details", "langsmith.metadata.usage_metadata"),
    }
)
_PRINTED = frozenset(
    {"metadata.usage_object", "gen_ai.usage.input_token_details", "gen_ai.usage.output_token_details"}
)
# The keys that lead to a count, an id or a model in such a document. None of them leads to what somebody wrote.
_KEYS = frozenset(
    {
        *("usage", "usage_metadata", "llm_output", "response", "response_metadata", "generations"),
        *("message", "kwargs", "stream", "service_tier", "id", "model", "model_name"),
        *("input", "output", "total", "input_tokens", "output_tokens", "total_tokens"),
        *("prompt_tokens", "completion_tokens", "prompt_details", "completion_details"),
        *("prompt_tokens_details", "completion_tokens_details", "input_tokens_details"),
        *("output_tokens_details", "input_token_details", "output_token_details"),
        *("cache_creation", "cache_creation_token_details", "cache_read", "cache_write", "cached_tokens"),
        *("cache_creation_tokens", "cache_write_tokens", "cache_creation_input_tokens"),
        *("cache_read_input_tokens", "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"),
        *("cache_creation_ephemeral_5m_input_tokens", "cache_creation_ephemeral_1h_input_tokens"),
        *("input_cache_creation", "input_cache_read", "input_cached_tokens", "input_audio"),
        *("input_ephemeral_5m_input_tokens", "input_ephemeral_1h_input_tokens"),
        *("output_audio", "output_reasoning", "output_reasoning_tokens", "reasoning", "reasoning_tokens"),
        *("audio", "audio_tokens", "image_tokens", "video_tokens"),
        *("server_tool_use", "web_search_requests", "web_fetch_requests"),
    }
)
_TEXTS = frozenset({"id", "model", "model_name", "service_tier"})
# What every span of a task has: it alone makes none worth keeping.
_SAYS_NOTHING = frozenset(
    {
        *(attributes.TENANT, attributes.WORKLOAD, attributes.TASK_ID, attributes.TASK_PARENT_ID),
        *(attributes.TASK_ROOT_ID, attributes.TIER, attributes.USER),
        *("error.type", "http.response.status_code", "http.request.resend_count"),
    }
)
_NOWHERE = Resource({})


def kept(span: ReadableSpan) -> ReadableSpan | None:
    """`span` with what billing needs of it, and nothing else; None where that tells of no call and no task's end."""
    context = span.context
    told = span.attributes or {}
    if context is None or not any(_kept(name) and name not in _SAYS_NOTHING for name in told):
        return None
    return ReadableSpan(
        name="",
        context=context,
        parent=span.parent,
        resource=_NOWHERE,
        attributes=_facts(told),
        kind=span.kind,
        instrumentation_scope=span.instrumentation_scope,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
    )


def _kept(name: str) -> bool:
    return name in _NAMES or name in _DOCUMENTS or name in _PRINTED or name.startswith(_PREFIXES)


def _facts(told: Mapping[str, Any]) -> dict[str, Any]:
    small = {name: _small(name, value) for name, value in told.items() if _kept(name)}
    return {name: value for name, value in small.items() if value is not None}


def _small(name: str, value: Any) -> str | int | float | None:
    match value:
        case str() if name in _DOCUMENTS or name in _PRINTED:
            return _counts_in(name, value)
        case str():
            return value[:_LONGEST_TEXT]
        case bool() | int() | float():
            return value
    return None


def _counts_in(name: str, text: str) -> str | None:
    """What the document holds of counts and ids, in its own notation; None where it cannot be read."""
    try:
        if name in _PRINTED:
            return repr(_counts(ast.literal_eval(text))) if len(text) <= _LONGEST_REPR else None
        return json.dumps(_counts(json.loads(text))) if len(text) <= _LONGEST_DOCUMENT else None
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _counts(value: Any, key: str = "") -> Any:
    match value:
        case dict():
            small = {name: _counts(each, name) for name, each in value.items() if name in _KEYS}
            return {name: each for name, each in small.items() if each is not None}
        case list():
            return [_counts(each) for each in value[:1]]
        case str() if key in _TEXTS and len(value) <= _LONGEST_TEXT:
            return value
        case bool() | int() | float():
            return value
    return None
