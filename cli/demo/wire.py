"""The two wire formats that the fake provider speaks, as pure functions: a request in, bodies and events out.

The text of a request may carry a marker that fixes what the model "answers":

    [[demo output=300 cached=640 reasoning=20 write_5m=100 write_1h=50]]

All keys are optional counts of tokens. Without `output` the length is drawn from a generator seeded by the
text itself, so that the same request always gets the same answer. Input is counted from the text's size.
"""

from __future__ import annotations

import json
import random
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from switchgear.usage import Usage

__all__ = ["BadRequestError", "Request", "answer", "error_body", "read", "stream"]

_CHARACTERS_PER_TOKEN = 4
_MARKER = re.compile(r"\[\[demo(?P<pairs>[^\]]*)\]\]")
_MARKER_KEYS = ("output", "cached", "reasoning", "write_5m", "write_1h")
_STREAM_CHUNKS = 4


class BadRequestError(ValueError):
    """A body that the provider's API would refuse with 400."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the provider needs of one request. `usage` is what serving it will cost in tokens."""

    provider: str
    model: str
    streamed: bool
    include_usage: bool
    cut_off: bool
    """The answer would have been longer than the caller's maximum."""
    usage: Usage


def read(provider: str, body: Any) -> Request:
    """The request in `body`. The output never exceeds the caller's `max_tokens`."""
    if not isinstance(body, Mapping):
        raise BadRequestError("the body is not a JSON object")
    if not isinstance(body.get("model"), str):
        raise BadRequestError("you must provide a model parameter")
    if not isinstance(body.get("messages"), list):
        raise BadRequestError("you must provide a messages parameter")
    maximum = body.get("max_completion_tokens") or body.get("max_tokens")
    if provider == "anthropic" and maximum is None:
        raise BadRequestError("max_tokens: Field required")
    text = "\n".join(_texts([body.get("system"), body["messages"]]))
    wanted, usage = _usage(text, maximum)
    return Request(
        provider=provider,
        model=body["model"],
        streamed=bool(body.get("stream")),
        include_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        cut_off=wanted > usage.output,
        usage=usage,
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts(value.get("text") or value.get("content"))
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _usage(text: str, maximum: Any) -> tuple[int, Usage]:
    """How many tokens the model would like to write, and the usage once `maximum` has cut it."""
    marks = dict.fromkeys(_MARKER_KEYS, 0)
    found = _MARKER.search(text)
    for pair in found["pairs"].split() if found else ():
        name, _, value = pair.partition("=")
        if name not in marks or not value.isdigit():
            raise BadRequestError(f"marker: {pair!r} is no count of {', '.join(_MARKER_KEYS)}")
        marks[name] = int(value)
    draw = random.Random(zlib.crc32(text.encode()))  # noqa: S311 - a workload, not a secret
    wanted = marks["output"] or min(2_000, max(1, round(draw.lognormvariate(5.0, 0.6))))
    output = min(wanted, maximum) if isinstance(maximum, int) else wanted
    tokens_in = max(1, len(text) // _CHARACTERS_PER_TOKEN)
    cached = min(marks["cached"], tokens_in)
    write_5m = min(marks["write_5m"], tokens_in - cached)
    write_1h = min(marks["write_1h"], tokens_in - cached - write_5m)
    return wanted, Usage(
        input_uncached=tokens_in - cached - write_5m - write_1h,
        cache_read=cached,
        cache_write_5m=write_5m,
        cache_write_1h=write_1h,
        output=output,
        reasoning=min(marks["reasoning"], output),
    )


def answer(request: Request, response_id: str, created: int) -> dict[str, Any]:
    """The whole response body. `created` is in Unix seconds."""
    text = _prose(request.usage.output)
    if request.provider == "openai":
        return {
            "id": response_id,
            "object": "chat.completion",
            "created": created,
            "model": request.model,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text, "refusal": None},
                    "logprobs": None,
                    "finish_reason": _finish(request),
                }
            ],
            "usage": _openai_usage(request.usage),
        }
    return {
        "id": response_id,
        "type": "message",
        "role": "assistant",
        "model": request.model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": _finish(request),
        "stop_sequence": None,
        "usage": _anthropic_usage(request.usage, output=request.usage.output),
    }


def stream(request: Request, response_id: str, created: int) -> list[bytes]:
    """The server-sent events of a streamed answer, in order; the caller spaces them in time."""
    events = _openai_events if request.provider == "openai" else _anthropic_events
    return list(events(request, response_id, created))


def _openai_events(request: Request, response_id: str, created: int) -> Iterator[bytes]:
    head = {"id": response_id, "object": "chat.completion.chunk", "created": created, "model": request.model}
    # With include_usage every chunk but the last says `usage: null`, and the last has no choices.
    tail: dict[str, Any] = {"usage": None} if request.include_usage else {}

    def chunk(delta: Mapping[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _data({**head, "choices": [choice], **tail})

    yield chunk({"role": "assistant", "content": ""})
    for piece in _pieces(_prose(request.usage.output)):
        yield chunk({"content": piece})
    yield chunk({}, _finish(request))
    if request.include_usage:
        yield _data({**head, "choices": [], "usage": _openai_usage(request.usage)})
    yield b"data: [DONE]\n\n"


def _anthropic_events(request: Request, response_id: str, created: int) -> Iterator[bytes]:
    message = answer(request, response_id, created)
    message |= {"content": [], "stop_reason": None, "usage": _anthropic_usage(request.usage, output=1)}
    yield _event({"type": "message_start", "message": message})
    yield _event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    for piece in _pieces(_prose(request.usage.output)):
        delta = {"type": "text_delta", "text": piece}
        yield _event({"type": "content_block_delta", "index": 0, "delta": delta})
    yield _event({"type": "content_block_stop", "index": 0})
    # The output count here is the running total, not an increment over message_start's.
    end = {"stop_reason": _finish(request), "stop_sequence": None}
    yield _event({"type": "message_delta", "delta": end, "usage": {"output_tokens": request.usage.output}})
    yield _event({"type": "message_stop"})


def error_body(provider: str, status: int, message: str) -> dict[str, Any]:
    """The error body that the provider's API gives with this status."""
    if provider == "openai":
        kind, code = _OPENAI_ERRORS.get(status, ("server_error", None))
        return {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return {
        "type": "error",
        "error": {"type": _ANTHROPIC_ERRORS.get(status, "api_error"), "message": message},
    }


_OPENAI_ERRORS = {
    400: ("invalid_request_error", None),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}
_ANTHROPIC_ERRORS = {400: "invalid_request_error", 404: "not_found_error", 429: "rate_limit_error"}


def _finish(request: Request) -> str:
    if request.provider == "openai":
        return "length" if request.cut_off else "stop"
    return "max_tokens" if request.cut_off else "end_turn"


def _openai_usage(usage: Usage) -> dict[str, Any]:
    # OpenAI's prompt count includes what came from its cache.
    return {
        "prompt_tokens": usage.input_total,
        "completion_tokens": usage.output,
        "total_tokens": usage.total,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _anthropic_usage(usage: Usage, *, output: int) -> dict[str, Any]:
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


def _prose(tokens: int) -> str:
    # Short on purpose: the count in `usage` is what is billed, the words only have to be there.
    return " ".join(["word"] * min(tokens, 12))


def _pieces(text: str) -> list[str]:
    size = max(1, -(-len(text) // _STREAM_CHUNKS))
    return [text[at : at + size] for at in range(0, len(text), size)]


def _data(value: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


def _event(value: Mapping[str, Any]) -> bytes:
    return b"event: " + str(value["type"]).encode() + b"\n" + _data(value)
