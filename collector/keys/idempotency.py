"""Idempotency: a write that comes again under its `Idempotency-Key` is done once and answered as it was.

    same key, same body     the first answer, with `Idempotency-Replayed: true`; 409 while the first is still under way
    same key, other body    422

Answers are kept for a day in memory, the newest `MAX_KEPT` of them in `MAX_KEPT_BYTES`: a restart forgets them. One of
5xx is not kept, for what failed may be tried again. Keys of two senders have nothing to do with each other.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Header

from ..asgi import PROBLEM, App, Message, Receive, Scope, Send, header, problem, respond
from .key import key_of

__all__ = ["DOCUMENTED", "Idempotent"]

MAX_LENGTH = 255
MAX_KEPT = 1_000
MAX_KEPT_BYTES = 16 * 1024 * 1024
KEPT_S = 86_400.0
_REPLAYED = (b"idempotency-replayed", b"true")


def _documented(
    idempotency_key: Annotated[
        str | None, Header(max_length=MAX_LENGTH, description="Makes sending this again harmless for a day.")
    ] = None,
) -> None:
    """Show the header in the OpenAPI document."""


DOCUMENTED = [Depends(_documented)]
"""The `dependencies` of a route that takes the header."""


@dataclass(slots=True)
class _Written:
    """A write, and its answer once there is one."""

    body: bytes
    """Its SHA-256."""
    at: float
    answer: list[Message] = field(default_factory=list)
    done: bool = False

    @property
    def size(self) -> int:
        return sum(len(message.get("body", b"")) for message in self.answer)


class Idempotent:
    """An ASGI application around another, whose `routes`, (method, path) each, take an idempotency key."""

    def __init__(
        self, app: App, routes: Collection[tuple[str, str]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._routes = routes
        self._clock = clock
        self._written: dict[tuple[str, ...], _Written] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["method"], scope["path"]) not in self._routes:
            await self._app(scope, receive, send)
            return
        given = header(scope, b"idempotency-key")
        if not given:
            await self._app(scope, receive, send)
        elif len(given) > MAX_LENGTH:
            await _refuse(send, 422, f"an Idempotency-Key has at most {MAX_LENGTH} characters")
        elif (body := await _whole(receive)) is not None:
            place = (key_of(scope).id, scope["method"], scope["path"], given)
            await self._once(place, body, scope, receive, send)

    async def _once(
        self, place: tuple[str, ...], body: bytes, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._forget()
        digest = hashlib.sha256(body).digest()
        earlier = self._written.get(place)
        if earlier is None:
            written = self._written[place] = _Written(digest, self._clock())
            try:
                await self._app(scope, _again(body, receive), _both(send, written.answer))
                written.done = bool(written.answer) and written.answer[0]["status"] < 500
            finally:
                if not written.done:
                    del self._written[place]
        elif earlier.body != digest:
            await _refuse(send, 422, "this Idempotency-Key came with another body before; take a new one")
        elif not earlier.done:
            await _refuse(send, 409, "the same request is under way; ask again for its answer")
        else:
            start, *rest = earlier.answer
            await send({**start, "headers": [*start["headers"], _REPLAYED]})
            for message in rest:
                await send(message)

    def _forget(self) -> None:
        """What is a day old goes, then the oldest of what is too much."""
        done = [(place, each) for place, each in self._written.items() if each.done]
        size, count, now = sum(each.size for _, each in done), len(done), self._clock()
        for place, each in done:
            if now - each.at < KEPT_S and count <= MAX_KEPT and size <= MAX_KEPT_BYTES:
                break
            del self._written[place]
            size, count = size - each.size, count - 1


async def _whole(receive: Receive) -> bytes | None:
    """The request's body; None where its sender went away."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """Give the body that was read already, then whatever comes."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receiving() -> Message:
        return waiting.pop() if waiting else await receive()

    return receiving


def _both(send: Send, kept: list[Message]) -> Send:
    """Send and keep."""

    async def sending(message: Message) -> None:
        kept.append(message)
        await send(message)

    return sending


async def _refuse(send: Send, status: int, detail: str) -> None:
    title = {409: "Conflict", 422: "Unprocessable Content"}[status]
    await respond(send, status, problem(status, title, detail), PROBLEM)
