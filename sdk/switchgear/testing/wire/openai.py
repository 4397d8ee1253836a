"""OpenAI's chat completions, embeddings and models, as pure functions: a request in, bodies and events out."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...usage import Usage
from .asked import Asked, BadRequestError, Embeds, ToolCall, Turn, Wants, answered, compact, texts
from .reading import counted, listed, maximum, needed, offered, part

__all__ = [
    "SAYS",
    "answer",
    "embedded",
    "error",
    "event",
    "models",
    "read",
    "read_embedding",
    "stream",
    "turns",
]

_MOST_CHOICES = 128
SAYS = ("output", "cached", "reasoning", "write_5m")
_DIMENSIONS = 1536
_MOST_DIMENSIONS = 4096


def read(model: str, body: Mapping[str, Any]) -> Asked:
    """The request in `body`."""
    messages = needed(body, "messages", list)
    tools = offered([part(tool, "function") for tool in listed(body, "tools")], "parameters")
    streamed = bool(body.get("stream"))
    told = not streamed or bool(part(body, "stream_options").get("include_usage"))
    wants = Wants(
        model=model,
        maximum=maximum(body, "max_completion_tokens", "max_tokens"),
        tools=tools,
        forced=_forced(body.get("tool_choice")),
        schema=_schema(part(body, "response_format")),
        choices=counted(body, "n", _MOST_CHOICES),
        says=SAYS,
        streamed=streamed,
        tells_usage=told,
    )
    return answered(turns(messages), wants)


def turns(messages: list[Any]) -> list[Turn]:
    """A conversation of messages; a tool's answer has a role of its own."""
    return [
        Turn("\n".join(texts(message)), isinstance(message, Mapping) and message.get("role") == "tool")
        for message in messages
    ]


def answer(asked: Asked, response_id: str, created: int) -> dict[str, Any]:
    """The whole response body. `created` is in Unix seconds."""
    message: dict[str, Any] = {"role": "assistant", "content": asked.text, "refusal": None, "annotations": []}
    if asked.tools:
        message["content"] = None
        message["tool_calls"] = [_call(call, response_id, at) for at, call in enumerate(asked.tools)]
    choices = [
        {"index": index, "message": message, "logprobs": None, "finish_reason": _finish(asked)}
        for index in range(asked.choices)
    ]
    head = {"id": response_id, "object": "chat.completion", "created": created, "model": asked.model}
    usage = {"usage": _usage(asked.usage)} if asked.tells_usage else {}
    return {**head, "choices": choices, **usage, "service_tier": "default", "system_fingerprint": "fp_fake"}


def stream(asked: Asked, response_id: str, created: int) -> Iterator[bytes]:
    """The server-sent events of a streamed answer, in order; the caller spaces them in time."""
    head = {"id": response_id, "object": "chat.completion.chunk", "created": created, "model": asked.model}
    # With include_usage every chunk but the last says `usage: null`, and the last has no choices.
    tail: dict[str, Any] = {"usage": None} if asked.tells_usage else {}

    def chunk(index: int, delta: Mapping[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        return event({**head, "choices": [choice], **tail})

    for index in range(asked.choices):
        yield chunk(index, {"role": "assistant", "content": None if asked.tools else "", "refusal": None})
        for at, call in enumerate(asked.tools):
            begun = _call(call, response_id, at)
            begun["function"] = {**begun["function"], "arguments": ""}
            yield chunk(index, {"tool_calls": [{"index": at, **begun}]})
            for piece in asked.pieces(call.json):
                yield chunk(index, {"tool_calls": [{"index": at, "function": {"arguments": piece}}]})
        if not asked.tools:
            for piece in asked.pieces(asked.text):
                yield chunk(index, {"content": piece})
        yield chunk(index, {}, _finish(asked))
    if asked.tells_usage:
        yield event({**head, "choices": [], "usage": _usage(asked.usage)})
    yield b"data: [DONE]\n\n"


def event(value: Mapping[str, Any]) -> bytes:
    """A server-sent event without a name."""
    return b"data: " + compact(value).encode() + b"\n\n"


def error(status: int, message: str) -> dict[str, Any]:
    """The error body that the API gives with this status."""
    kind, code = _ERRORS.get(status, ("server_error", None))
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


_ERRORS = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", None),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}


def read_embedding(model: str, body: Mapping[str, Any]) -> Asked:
    """The texts to embed in `body`; tokens stand for a text of their count."""
    given = needed(body, "input", (str, list))
    several = [given] if isinstance(given, str) or _is_tokens(given) else given
    if not all(each and (isinstance(each, str) or _is_tokens(each)) for each in several) or not several:
        raise BadRequestError(
            "input: must be a text or its tokens, or several of them, and none of them empty"
        )
    inputs = [each if isinstance(each, str) else " ".join(map(str, each)) for each in several]
    asked = answered([Turn(each) for each in inputs], Wants(model))
    size = maximum(body, "dimensions") or _DIMENSIONS
    if size > _MOST_DIMENSIONS:
        raise BadRequestError(f"dimensions: at most {_MOST_DIMENSIONS}")
    embeds = Embeds(inputs, size, body.get("encoding_format") == "base64")
    return replace(asked, usage=Usage(input_uncached=asked.usage.input_total), cut_off=False, embeds=embeds)


def embedded(asked: Asked, response_id: str, created: int) -> dict[str, Any]:
    """A vector for each text: the nearer, the more words two of them share."""
    embeds = asked.embeds or Embeds((), _DIMENSIONS, base64=False)
    usage = {"prompt_tokens": asked.usage.input_total, "total_tokens": asked.usage.input_total}
    vectors = (_vector(text, embeds.dimensions) for text in embeds.inputs)
    data = [
        {"object": "embedding", "index": index, "embedding": _base64(vector) if embeds.base64 else vector}
        for index, vector in enumerate(vectors)
    ]
    told = {"usage": usage} if asked.tells_usage else {}
    return {"object": "list", "data": data, "model": asked.model, **told}


def models(names: Mapping[str, str], created: int) -> dict[str, Any]:
    """The list of models, by name and owner."""
    return {
        "object": "list",
        "data": [
            {"id": name, "object": "model", "created": created, "owned_by": owner}
            for name, owner in names.items()
        ],
    }


def _is_tokens(given: Any) -> bool:
    return isinstance(given, list) and all(isinstance(each, int) for each in given)


def _vector(text: str, size: int) -> list[float]:
    found = [0.0] * size
    for word in text.lower().split() or [text]:
        found[zlib.crc32(word.encode(errors="replace")) % size] += 1.0
    length = math.sqrt(sum(each * each for each in found))
    return [each / length for each in found]


def _base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _forced(choice: Any) -> str | None:
    if choice == "required":
        return ""
    name = part(choice, "function").get("name")
    return name if isinstance(name, str) else None


def _schema(response_format: Mapping[str, Any]) -> Mapping[str, Any] | None:
    match response_format.get("type"):
        case "json_schema":
            return part(part(response_format, "json_schema"), "schema")
        case "json_object":
            return {}
    return None


def _call(call: ToolCall, response_id: str, at: int) -> dict[str, Any]:
    return {
        "id": f"call_{response_id[-16:]}{at}",
        "type": "function",
        "function": {"name": call.name, "arguments": call.json},
    }


def _finish(asked: Asked) -> str:
    if asked.tools:
        return "tool_calls"
    return "length" if asked.cut_off else "stop"


def _usage(usage: Usage) -> dict[str, Any]:
    # OpenAI's prompt count includes what came from its cache, and what went into it.
    return {
        "prompt_tokens": usage.input_total,
        "completion_tokens": usage.output,
        "total_tokens": usage.total,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write_5m,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
