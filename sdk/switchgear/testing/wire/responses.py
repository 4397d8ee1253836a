"""OpenAI's responses, whole and streamed, as pure functions: a request in, bodies and events out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...usage import Usage
from .asked import Asked, BadRequestError, Turn, Wants, answered, texts
from .openai import SAYS, event
from .reading import listed, maximum, offered, part

__all__ = ["answer", "read", "stream"]


def read(model: str, body: Mapping[str, Any]) -> Asked:
    """The request in `body`."""
    given = body.get("input")
    if not isinstance(given, str | list):
        raise BadRequestError("you must provide an input parameter")
    choice = body.get("tool_choice")
    forced = "" if choice == "required" else part(body, "tool_choice").get("name")
    format_ = part(part(body, "text"), "format")
    schemas: Mapping[Any, Mapping[str, Any]] = {
        "json_schema": part(format_, "schema"),
        "json_object": {},
    }
    wants = Wants(
        model=model,
        maximum=maximum(body, "max_output_tokens"),
        tools=offered(listed(body, "tools"), "parameters"),
        forced=forced if isinstance(forced, str) else None,
        schema=schemas.get(format_.get("type")),
        says=SAYS,
        streamed=bool(body.get("stream")),
    )
    instructions = [Turn("\n".join(texts(body.get("instructions"))))] if body.get("instructions") else []
    return answered([*instructions, *_turns(given)], wants)


def _turns(given: str | list[Any]) -> list[Turn]:
    if isinstance(given, str):
        return [Turn(given)]
    return [
        Turn("\n".join(texts(item["output"])), result=True)
        if isinstance(item, Mapping) and "output" in item
        else Turn("\n".join(texts(item)))
        for item in given
    ]


def answer(asked: Asked, response_id: str, created: int) -> dict[str, Any]:
    """The whole response body. `created` is in Unix seconds."""
    status = "incomplete" if _incomplete(asked) else "completed"
    return _response(asked, response_id, created, status, _items(asked, response_id))


def stream(asked: Asked, response_id: str, created: int) -> Iterator[bytes]:
    """The server-sent events of a streamed answer, in order; the caller spaces them in time."""
    begun = _response(asked, response_id, created, "in_progress", [])
    ended = answer(asked, response_id, created)
    events = [("created", {"response": begun}), ("in_progress", {"response": begun})]
    for index, item in enumerate(ended["output"]):
        events += _item_events(asked, index, item)
    events.append(("incomplete" if _incomplete(asked) else "completed", {"response": ended}))
    for number, (name, value) in enumerate(events):
        kind = f"response.{name}"
        yield b"event: " + kind.encode() + b"\n" + event({"type": kind, "sequence_number": number, **value})


def _item_events(asked: Asked, index: int, item: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    at = {"output_index": index}
    where = {**at, "item_id": item["id"]}
    if item["type"] == "function_call":
        begun = {**item, "status": "in_progress", "arguments": ""}
        name, written = "function_call_arguments", item["arguments"]
        parts = [(f"{name}.delta", {**where, "delta": piece}) for piece in asked.pieces(written)]
        ends = [(f"{name}.done", {**where, "name": item["name"], "arguments": written})]
        within = [*parts, *ends]
    else:
        begun = {**item, "status": "in_progress", "content": []}
        (content,) = item["content"]
        inside = {**where, "content_index": 0}
        within = [
            ("content_part.added", {**inside, "part": {**content, "text": ""}}),
            *(
                ("output_text.delta", {**inside, "delta": piece, "logprobs": []})
                for piece in asked.pieces(content["text"])
            ),
            ("output_text.done", {**inside, "text": content["text"], "logprobs": []}),
            ("content_part.done", {**inside, "part": content}),
        ]
    return [
        ("output_item.added", {**at, "item": begun}),
        *within,
        ("output_item.done", {**at, "item": dict(item)}),
    ]


def _items(asked: Asked, response_id: str) -> list[dict[str, Any]]:
    tail = response_id[-16:]
    if asked.tools:
        return [
            {
                "id": f"fc_{tail}{at}",
                "type": "function_call",
                "status": "completed",
                "call_id": f"call_{tail}{at}",
                "name": call.name,
                "arguments": call.json,
            }
            for at, call in enumerate(asked.tools)
        ]
    content = {"type": "output_text", "text": asked.text, "annotations": [], "logprobs": []}
    status = "incomplete" if _incomplete(asked) else "completed"
    return [
        {"id": f"msg_{tail}", "type": "message", "status": status, "role": "assistant", "content": [content]}
    ]


def _response(
    asked: Asked, response_id: str, created: int, status: str, output: list[dict[str, Any]]
) -> dict[str, Any]:
    over = status != "in_progress"
    return {
        "id": response_id,
        "object": "response",
        "created_at": created,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": None,
        "max_output_tokens": None,
        "model": asked.model,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": _usage(asked.usage) if over and asked.tells_usage else None,
        "user": None,
        "metadata": {},
    }


def _incomplete(asked: Asked) -> bool:
    return asked.cut_off and not asked.tools


def _usage(usage: Usage) -> dict[str, Any]:
    # As of chat: the input count includes what came from the cache, and what went into it.
    return {
        "input_tokens": usage.input_total,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write_5m,
        },
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }
