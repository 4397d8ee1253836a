"""Anthropic's messages, as pure functions: a request in, bodies and events out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...usage import Usage
from .asked import Asked, BadRequestError, Turn, Wants, answered, compact, texts
from .reading import listed, maximum, needed, offered, part

__all__ = ["answer", "error", "events", "models", "read", "read_counting", "stream"]


def read(model: str, body: Mapping[str, Any]) -> Asked:
    """The request in `body`. Whether the model shall think makes no difference."""
    most = maximum(body, "max_tokens")
    if most is None:
        raise BadRequestError("max_tokens: Field required")
    return answered(_turns(body), _wants(model, body, most))


def read_counting(model: str, body: Mapping[str, Any]) -> Asked:
    """A request whose input is only to be counted."""
    return answered(_turns(body), _wants(model, body, None))


def _wants(model: str, body: Mapping[str, Any], most: int | None) -> Wants:
    choice = part(body, "tool_choice")
    forced = (
        choice.get("name") if choice.get("type") == "tool" else "" if choice.get("type") == "any" else None
    )
    format_ = part(part(body, "output_config"), "format") or part(body, "output_format")
    return Wants(
        model=model,
        maximum=most,
        tools=offered(listed(body, "tools"), "input_schema"),
        forced=forced if isinstance(forced, str) else None,
        schema=part(format_, "schema") if format_.get("type") == "json_schema" else None,
        says=("output", "cached", "write_5m", "write_1h"),
        streamed=bool(body.get("stream")),
    )


def _turns(body: Mapping[str, Any]) -> list[Turn]:
    messages = needed(body, "messages", list)
    system = [Turn("\n".join(texts(body["system"])))] if body.get("system") else []
    return [*system, *(Turn("\n".join(texts(message)), _tells(message)) for message in messages)]


def _tells(message: Any) -> bool:
    return any(block.get("type") == "tool_result" for block in listed(message, "content"))


def answer(asked: Asked, response_id: str, created: int) -> dict[str, Any]:
    """The whole response body."""
    usage = {"usage": _usage(asked.usage, output=asked.usage.output)} if asked.tells_usage else {}
    return {
        "id": response_id,
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": _blocks(asked, response_id),
        "stop_reason": _stop(asked),
        "stop_sequence": None,
        **usage,
    }


def stream(asked: Asked, response_id: str, created: int) -> Iterator[bytes]:
    """The server-sent events of a streamed answer, in order; the caller spaces them in time."""
    for value in events(asked, response_id, created):
        yield b"event: " + value["type"].encode() + b"\ndata: " + compact(value).encode() + b"\n\n"


def events(asked: Asked, response_id: str, created: int) -> Iterator[dict[str, Any]]:
    """The events of a streamed answer, in order, as values."""
    message = answer(asked, response_id, created)
    blocks = message["content"]
    message |= {"content": [], "stop_reason": None}
    if asked.tells_usage:
        message["usage"] = _usage(asked.usage, output=1)
    yield {"type": "message_start", "message": message}
    for index, block in enumerate(blocks):
        if block["type"] == "tool_use":
            empty, written, name = {**block, "input": {}}, compact(block["input"]), "partial_json"
        else:
            empty, written, name = {**block, "text": ""}, block["text"], "text"
        kind = "input_json_delta" if name == "partial_json" else "text_delta"
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        for piece in asked.pieces(written):
            yield {"type": "content_block_delta", "index": index, "delta": {"type": kind, name: piece}}
        yield {"type": "content_block_stop", "index": index}
    end = {"stop_reason": _stop(asked), "stop_sequence": None}
    # The output count here is the running total, not an increment over message_start's.
    told = {"usage": {"output_tokens": asked.usage.output}} if asked.tells_usage else {}
    yield {"type": "message_delta", "delta": end, **told}
    yield {"type": "message_stop"}


def error(status: int, message: str) -> dict[str, Any]:
    """The error body that the API gives with this status."""
    return {"type": "error", "error": {"type": _ERRORS.get(status, "api_error"), "message": message}}


_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def models(names: Mapping[str, str]) -> dict[str, Any]:
    """The list of models, by name."""
    data = [
        {"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"}
        for name in names
    ]
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {}
    return {"data": data, "has_more": False, "first_id": None, "last_id": None, **ends}


def _blocks(asked: Asked, response_id: str) -> list[dict[str, Any]]:
    if asked.tools:
        return [
            {
                "type": "tool_use",
                "id": f"toolu_{response_id[-16:]}{at}",
                "name": call.name,
                "input": call.arguments,
            }
            for at, call in enumerate(asked.tools)
        ]
    return [{"type": "text", "text": asked.text}]


def _stop(asked: Asked) -> str:
    if asked.tools:
        return "tool_use"
    return "max_tokens" if asked.cut_off else "end_turn"


def _usage(usage: Usage, *, output: int) -> dict[str, Any]:
    # Anthropic's input count leaves out what was read from or written to its cache.
    return {
        "input_tokens": usage.input_uncached,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation_input_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
        "output_tokens": output,
        "service_tier": "standard",
    }
