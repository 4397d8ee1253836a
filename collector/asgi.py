"""ASGI: the few pieces of the protocol that the raw lane and the guard need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import orjson

from .errors import DeniedError

__all__ = [
    "PROBLEM",
    "PROBLEMS",
    "App",
    "BodyLimit",
    "Message",
    "Receive",
    "Scope",
    "Send",
    "deny",
    "header",
    "problem",
    "respond",
]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PROBLEM = "application/problem+json"
_PROBLEM_SCHEMA = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail"],
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    kind: {"description": what, "content": {PROBLEM: {"schema": _PROBLEM_SCHEMA}}}
    for kind, what in (("4XX", "What is wrong with the request"), ("5XX", "Why it cannot be answered now"))
}
"""What any route may answer instead, in the words of an OpenAPI document."""


class _TooLargeError(Exception):
    """A body went over its limit."""


class BodyLimit:
    """An ASGI application around another, which reads at most so many bytes of a request's body: 413 beyond."""

    def __init__(self, app: App, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._max_bytes:
                raise _TooLargeError
            return message

        async def unless_too_large(message: Message) -> None:
            # The framework answers 400 for whatever goes wrong while it reads a body.
            if size <= self._max_bytes:
                await send(message)

        with suppress(_TooLargeError):
            await self._app(scope, counted, unless_too_large)
        if size > self._max_bytes:
            detail = f"the body has more than the {self._max_bytes} bytes that are taken"
            await respond(send, 413, problem(413, "Content Too Large", detail), PROBLEM)


def header(scope: Scope, name: bytes) -> str:
    """The header's value ("" where it is absent); several are joined by a comma, as HTTP reads them."""
    return b", ".join([value for key, value in scope["headers"] if key == name]).decode("latin-1")


async def respond(
    send: Send,
    status: int,
    body: bytes,
    content_type: str,
    headers: Sequence[tuple[bytes, bytes]] = (),
) -> None:
    """A whole response."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", content_type.encode()),
                (b"content-length", str(len(body)).encode()),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def deny(send: Send, denied: DeniedError) -> None:
    """What a request is told that may not pass."""
    headers = []
    if denied.status == HTTPStatus.UNAUTHORIZED:
        headers.append((b"www-authenticate", b'Bearer realm="switchgear"'))
    if denied.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append((b"retry-after", b"1"))
    if denied.allow:
        headers.append((b"allow", ", ".join(denied.allow).encode()))
    body = problem(denied.status, HTTPStatus(denied.status).phrase, str(denied))
    await respond(send, denied.status, body, PROBLEM, headers)


def problem(status: int, title: str, detail: str) -> bytes:
    """An RFC 9457 problem document."""
    return orjson.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail})
