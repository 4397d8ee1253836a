"""Answers: what of a provider's response is worth keeping: a whole and good answer, and what it says.

Pure. An answer is kept where its model came to an end of its own: one that was cut, filtered, refused, or that calls a
tool, is none; nor is one of a form that is not known here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from ..request import Api, CallRequest
from .model import Answer

__all__ = ["MOST_BYTES", "answer_of"]

MOST_BYTES = 1 << 20
"""A longer answer is not kept."""

_OK = 200
_LINE_END = re.compile(rb"\r\n|\n|\r")
_EVENT_END = re.compile(rb"(?:\r\n|\n|\r)(?:\r\n|\n|\r)\Z")
_DONE = b"[DONE]"

Json: TypeAlias = Mapping[str, Any]
Events: TypeAlias = Sequence[Json | None]
"""Those of a stream, in order; None is [DONE]."""


class _NoAnswerError(Exception):
    """It is not whole, or not good."""


def answer_of(request: CallRequest, status: int, content_type: str, body: bytes) -> Answer | None:
    """The answer in a response, to be kept and replayed; None where it is not worth that.

    `body` is unpacked; of a stream it is all that the caller got. A stop sequence of the caller's is an end like the
    model's own.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if status != _OK or request.api is None or len(body) > MOST_BYTES or not content_type.isprintable():
        return None
    try:
        if kind == "application/json":
            text, model = _whole(request.api, _object(json.loads(body)))
        elif kind == "text/event-stream":
            text, model = _streamed(request.api, _events(body))
        else:
            return None
    except (_NoAnswerError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return Answer(content_type, body, text, model if isinstance(model, str) and model else None)


def _whole(api: Api, body: Json) -> tuple[str, Any]:
    """What an answer in one document says, and which model said it."""
    _need(not body.get("error"))
    if api is Api.EMBEDDINGS:
        return "", _embedded(body)
    text = _said(_WHOLE[api](body))
    return text, body.get("model", body.get("modelVersion"))


def _streamed(api: Api, events: Events) -> tuple[str, Any]:
    named = [event for event in events if event is not None]
    _need(not any(event.get("error") or event.get("type") == "error" for event in named))
    text = _said(_STREAMED[api](events))
    # Anthropic's and OpenAI's later events have what a whole answer has within.
    holders = (event.get(name) for event in named for name in ("message", "response"))
    within = [holder for holder in holders if isinstance(holder, Mapping)]
    models = (holder.get("model") or holder.get("modelVersion") for holder in [*within, *named])
    return text, next((model for model in models if model), None)


# -- OpenAI's chat and completions


def _chat(body: Json) -> str:
    choice = _only(body["choices"])
    _need(choice["finish_reason"] == "stop")
    return _message(choice["message"])


def _completion(body: Json) -> str:
    choice = _only(body["choices"])
    _need(choice["finish_reason"] == "stop")
    return str(choice["text"])


def _choices(read: Callable[[Json], str]) -> Callable[[Events], str]:
    """Reads a stream of choices, each piece of which `read` reads."""

    def streamed(events: Events) -> str:
        _need(bool(events) and events[-1] is None and None not in events[:-1])
        text, ends = [], []
        for event in events[:-1]:
            for choice in _object(event).get("choices") or ():
                # Of several answers one would be taken for all.
                _need(choice.get("index", 0) == 0)
                text.append(read(choice))
                ends.append(choice.get("finish_reason"))
        _need([end for end in ends if end is not None] == ["stop"])
        return "".join(text)

    return streamed


def _message(message: Json) -> str:
    """What a message, or a piece of one, says."""
    _need(not any(message.get(name) for name in ("tool_calls", "function_call", "refusal", "audio")))
    content = message.get("content")
    # Some say it in parts, beside whatever else they have to say.
    _need(content is None or isinstance(content, str))
    return content or ""


# -- OpenAI's responses


def _response(body: Json) -> str:
    _need(body["status"] == "completed" and not body.get("incomplete_details"))
    parts: list[str] = []
    for item in body["output"]:
        if item["type"] == "reasoning":
            continue
        _need(item["type"] == "message" and item.get("status", "completed") == "completed")
        for part in item["content"]:
            _need(part["type"] == "output_text")
            parts.append(part["text"])
    return "".join(parts)


def _response_events(events: Events) -> str:
    last = _object(events[-1])
    _need(last["type"] == "response.completed")
    return _response(last["response"])


# -- Anthropic's messages

_OWN_ENDS = ("end_turn", "stop_sequence")
_THOUGHTS = ("thinking", "redacted_thinking")


def _blocks(body: Json) -> str:
    _need(body["type"] == "message" and body["stop_reason"] in _OWN_ENDS)
    blocks = [block for block in body["content"] if block["type"] not in _THOUGHTS]
    _need(all(block["type"] == "text" for block in blocks))
    return "".join(block["text"] for block in blocks)


def _block_events(events: Events) -> str:
    _need(_object(events[0])["type"] == "message_start" and _object(events[-1])["type"] == "message_stop")
    parts, ends = [], []
    for event in map(_object, events):
        match event["type"]:
            case "content_block_start":
                block = event["content_block"]
                _need(block["type"] in ("text", *_THOUGHTS))
                parts.append(block.get("text") or "")
            case "content_block_delta":
                parts.append(event["delta"].get("text") or "")
            case "message_delta":
                ends.append(event["delta"].get("stop_reason"))
    _need(len(ends) > 0 and ends[-1] in _OWN_ENDS)
    return "".join(parts)


# -- Gemini's generateContent


def _candidate(body: Json) -> str:
    text, end = _candidate_part(body)
    _need(end == "STOP")
    return text


def _candidate_events(events: Events) -> str:
    pieces = [_candidate_part(_object(event)) for event in events]
    _need([end for _, end in pieces if end is not None] == ["STOP"])
    return "".join(text for text, _ in pieces)


def _candidate_part(body: Json) -> tuple[str, str | None]:
    """What a response, or one of the events of it, says, and why it ends there, if it does."""
    _need(not (body.get("promptFeedback") or {}).get("blockReason"))
    if not body.get("candidates"):
        return "", None
    candidate = _only(body["candidates"])
    _need(candidate.get("index", 0) == 0)
    parts = (candidate.get("content") or {}).get("parts") or []
    _need(all(set(part) <= {"text", "thought", "thoughtSignature"} for part in parts))
    return "".join(part.get("text") or "" for part in parts if not part.get("thought")), candidate.get(
        "finishReason"
    )


# -- embeddings


def _embedded(body: Json) -> Any:
    vectors: Iterable[Any] = body.get("data") or body.get("embeddings") or [body.get("embedding")]
    _need(all(vectors) and any(vectors))
    return body.get("model")


_WHOLE: Mapping[Api, Callable[[Json], str]] = {
    Api.CHAT: _chat,
    Api.COMPLETIONS: _completion,
    Api.RESPONSES: _response,
    Api.MESSAGES: _blocks,
    Api.GENERATE: _candidate,
}
_STREAMED: Mapping[Api, Callable[[Events], str]] = {
    Api.CHAT: _choices(lambda choice: _message(choice.get("delta") or {})),
    Api.COMPLETIONS: _choices(lambda choice: str(choice.get("text") or "")),
    Api.RESPONSES: _response_events,
    Api.MESSAGES: _block_events,
    Api.GENERATE: _candidate_events,
}


def _events(body: bytes) -> Events:
    """The events of a stream that has ended with one of them. Raises where it has not, or one is no JSON object."""
    _need(_EVENT_END.search(body) is not None)
    found: list[Json | None] = []
    data: list[bytes] = []
    for line in _LINE_END.split(body):
        if line.startswith(b"data:"):
            data.append(line[5:].strip())
        elif not line and data:
            said, data = b"\n".join(data), []
            found.append(None if said == _DONE else _object(json.loads(said)))
    return found


def _said(text: str) -> str:
    """The text, where there is any."""
    _need(bool(text.strip()))
    return text


def _only(values: Sequence[Json]) -> Json:
    _need(len(values) == 1)
    return values[0]


def _object(value: Any) -> Json:
    _need(isinstance(value, Mapping))
    found: Json = value
    return found


def _need(holds: bool) -> None:  # noqa: FBT001 - it is all that is said
    if not holds:
        raise _NoAnswerError
