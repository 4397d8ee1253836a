"""ASGI: the few pieces of the protocol that the raw lane and the guard need."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

import orjson

__all__ = ["PROBLEM", "App", "Message", "Receive", "Scope", "Send", "bearer", "header", "problem", "respond"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

PROBLEM = "application/problem+json"


def header(scope: Scope, name: bytes) -> str:
    """The header's value ("" where it is absent); several are joined by a comma, as HTTP reads them."""
    return ", ".join(value.decode("latin-1") for key, value in scope["headers"] if key == name)


def bearer(scope: Scope, api_key: str) -> bool:
    """Whether the request carries the key, compared in constant time."""
    scheme, _, given = header(scope, b"authorization").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(
        given.strip().encode("latin-1"), api_key.encode()
    )


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


def problem(status: int, title: str, detail: str) -> bytes:
    """An RFC 9457 problem document."""
    return orjson.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail})
