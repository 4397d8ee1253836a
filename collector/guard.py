"""Guard: what every request passes first: the key, where one is set, and a limit on the body's size."""

from __future__ import annotations

from contextlib import suppress

from .answers import Refusal
from .asgi import PROBLEM, App, Message, Receive, Scope, Send, bearer, header, problem, respond
from .key import EVERYTHING, with_key
from .lane import PATHS, Lane, refuse

__all__ = ["Guard"]

MAX_DOCUMENT_BYTES = 8 * 1024 * 1024
_OPEN = frozenset({"/healthz", "/readyz"})
_REALM = [(b"www-authenticate", b'Bearer realm="switchgear"')]


class _TooLargeError(Exception):
    """The body of a document route went over its limit."""


class Guard:
    """The application: traces go down their own lane, everything else to the API."""

    def __init__(self, lane: Lane, api: App, *, api_key: str | None) -> None:
        self._lane = lane
        self._api = api
        self._api_key = api_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._api(scope, receive, send)
        elif not self._allowed(scope):
            await _unauthorized(scope, send)
        elif scope["path"] in PATHS:
            await self._lane(with_key(scope, EVERYTHING), receive, send)
        else:
            await self._document(with_key(scope, EVERYTHING), receive, send)

    def _allowed(self, scope: Scope) -> bool:
        return self._api_key is None or scope["path"] in _OPEN or bearer(scope, self._api_key)

    async def _document(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > MAX_DOCUMENT_BYTES:
                raise _TooLargeError
            return message

        async def unless_too_large(message: Message) -> None:
            # The framework answers 400 for whatever goes wrong while it reads a body.
            if size <= MAX_DOCUMENT_BYTES:
                await send(message)

        with suppress(_TooLargeError):
            await self._api(scope, counted, unless_too_large)
        if size > MAX_DOCUMENT_BYTES:
            detail = f"the body has more than the {MAX_DOCUMENT_BYTES} bytes that are taken"
            await respond(send, 413, problem(413, "Content Too Large", detail), PROBLEM)


async def _unauthorized(scope: Scope, send: Send) -> None:
    detail = "send the key as: Authorization: Bearer KEY"
    if scope["path"] in PATHS:
        await refuse(send, Refusal(401, detail), header(scope, b"content-type"))
    else:
        await respond(send, 401, problem(401, "Unauthorized", detail), PROBLEM, _REALM)
