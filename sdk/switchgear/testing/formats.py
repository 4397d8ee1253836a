"""Which route speaks which format, how each provider says no, and what it says of its limits in its headers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from .limits import Left
from .wire import anthropic, bedrock, google, openai, responses
from .wire.asked import Asked, BadRequestError

__all__ = [
    "PROVIDERS",
    "Format",
    "error",
    "error_headers",
    "format_of",
    "id_header",
    "limit_headers",
    "read",
]


@dataclass(frozen=True, slots=True)
class Format:
    """One of a provider's ways to ask a model and to be answered."""

    provider: str
    id_prefix: str
    read: Callable[[str, Mapping[str, Any]], Asked]
    answer: Callable[[Asked, str, int], Mapping[str, Any]]
    stream: Callable[[Asked, str, int], Iterator[bytes]] | None = None
    stream_type: str = "text/event-stream"
    streamed: bool | None = None
    """Whether the route streams; None where the body says so."""


_CHAT = Format("openai", "chatcmpl-", openai.read, openai.answer, openai.stream)
_RESPONSES = Format("openai", "resp_", responses.read, responses.answer, responses.stream)
_EMBEDDINGS = Format("openai", "embd-", openai.read_embedding, openai.embedded)
_MESSAGES = Format("anthropic", "msg_", anthropic.read, anthropic.answer, anthropic.stream)

_BY_PATH = {
    "/v1/chat/completions": _CHAT,
    "/v1/responses": _RESPONSES,
    "/v1/embeddings": _EMBEDDINGS,
    "/v1/messages": _MESSAGES,
}

# Where the route names the model.
_GOOGLE = re.compile(r".*/models/(?P<model>[^/:]+):(?P<verb>\w+)")
_BEDROCK = re.compile(r"/model/(?P<model>.+)/(?P<verb>[\w-]+)")
_FRAMES = "application/vnd.amazon.eventstream"
_GENERATE = Format("google", "", google.read, google.answer, google.stream, streamed=False)
_CONVERSE = Format("bedrock", "", bedrock.read, bedrock.answer, bedrock.stream, _FRAMES, streamed=False)
_INVOKE = Format(
    "bedrock",
    "msg_bdrk_",
    bedrock.read_invocation,
    bedrock.invoked,
    bedrock.stream_invoked,
    _FRAMES,
    streamed=False,
)
_BY_VERB = {
    "generateContent": _GENERATE,
    "streamGenerateContent": replace(_GENERATE, streamed=True),
    "converse": _CONVERSE,
    "converse-stream": replace(_CONVERSE, streamed=True),
    "invoke": _INVOKE,
    "invoke-with-response-stream": replace(_INVOKE, streamed=True),
}

_ERRORS: Mapping[str, Callable[[int, str], Mapping[str, Any]]] = {
    "openai": openai.error,
    "anthropic": anthropic.error,
    "google": google.error,
    "bedrock": bedrock.error,
}
PROVIDERS = tuple(_ERRORS)


def format_of(path: str) -> tuple[Format | None, str | None]:
    """The format that a route speaks, None where there is none; and the model, where the route names it."""
    if (found := _BY_PATH.get(path)) is not None:
        return found, None
    named = _BEDROCK.fullmatch(path) or _GOOGLE.fullmatch(path)
    return (_BY_VERB.get(named["verb"]), named["model"]) if named is not None else (None, None)


def read(spoken: Format, model: str | None, content: bytes) -> Asked:
    """The request in a body. Raises BadRequestError where the provider would refuse it with 400."""
    try:
        body = json.loads(content)
    except ValueError as fault:
        raise BadRequestError(f"the body is no JSON: {fault}") from None
    if not isinstance(body, dict):
        raise BadRequestError("the body is not a JSON object")
    model = model or body.get("model")
    if not isinstance(model, str) or not model:
        raise BadRequestError("you must provide a model parameter")
    asked = spoken.read(model, body)
    return asked if spoken.streamed is None else replace(asked, streamed=spoken.streamed)


def error(provider: str, status: int, message: str) -> bytes:
    """The body with which the provider says no."""
    return json.dumps(_ERRORS[provider](status, message)).encode()


def id_header(provider: str, response_id: str) -> tuple[str, str]:
    """The header in which the provider names a request. Converse has no other id for its answers."""
    match provider:
        case "bedrock":
            return "x-amzn-requestid", response_id
        case "anthropic":
            return "request-id", f"req_{uuid4().hex}"
    return "x-request-id", f"req_{uuid4().hex}"


def error_headers(provider: str, status: int) -> list[tuple[str, str]]:
    """What the headers of a refusal say of it, beside its body."""
    return [("x-amzn-errortype", bedrock.error_name(status))] if provider == "bedrock" else []


def limit_headers(
    provider: str, requests: Left | None, tokens: Left | None, now: datetime
) -> list[tuple[str, str]]:
    """What the answers say of an account's limits: nothing where there are none, or where the provider never does."""
    named = [("requests", requests), ("tokens", tokens)]
    told = [(name, left) for name, left in named if left is not None]
    match provider:
        case "openai":
            return [
                (f"x-ratelimit-{what}-{name}", value)
                for name, left in told
                for what, value in (
                    ("limit", str(left.limit)),
                    ("remaining", str(left.remaining)),
                    ("reset", _duration(left.reset_s)),
                )
            ]
        case "anthropic":
            return [
                (f"anthropic-ratelimit-{name}-{what}", value)
                for name, left in told
                for what, value in (
                    ("limit", str(left.limit)),
                    ("remaining", str(left.remaining)),
                    ("reset", _instant(now + timedelta(seconds=left.reset_s))),
                )
            ]
    return []


def _duration(seconds: float) -> str:
    """As OpenAI writes it: 820ms, 1.25s, 6m0s."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f}m{rest:.0f}s" if minutes else f"{rest:.3g}s"


def _instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
