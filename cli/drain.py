"""Lets a service stop while clients wait on it: whoever still waits is told to come again.

Long polls wait for news that a stopping service will not have. Without this they hold it up until the server cancels
them with a traceback each.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import Any

import uvicorn

from collector.asgi import App, Message, Receive, Scope, Send

__all__ = ["Drain", "Server"]

# A read may go at once. A write is let finish: what it does is on its way to the disk.
READS_END_AFTER_S = 0.1
WRITES_END_AFTER_S = 3.0
_BODY = (
    b'{"type":"about:blank","title":"Stopping","status":503,"detail":"the service stops; try again shortly"}'
)


@dataclass(slots=True)
class _Open:
    """A request under way, and whether its answer has begun."""

    is_read: bool
    answering: bool = False


class Drain:
    """An ASGI application around another; once `begin` was called it answers 503 for those who still wait."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._open: dict[asyncio.Task[Any], _Open] = {}
        self._ending = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        task = asyncio.current_task()
        if scope["type"] != "http" or task is None:
            await self._app(scope, receive, send)
            return
        request = self._open[task] = _Open(scope["method"] == "GET")

        async def sending(message: Message) -> None:
            request.answering = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except asyncio.CancelledError:
            if not self._ending or request.answering:
                raise
            task.uncancel()
            await _come_again(send)
        finally:
            del self._open[task]

    def begin(self) -> None:
        """Start to end what waits: reads first, writes later."""
        self._ending = True
        loop = asyncio.get_running_loop()
        loop.call_later(READS_END_AFTER_S, self._end, {True})
        loop.call_later(WRITES_END_AFTER_S, self._end, {True, False})

    def _end(self, is_read: set[bool]) -> None:
        for task, request in self._open.items():
            if request.is_read in is_read and not request.answering:
                task.cancel()


class Server(uvicorn.Server):
    """uvicorn, which drains its application before it waits for open requests."""

    def __init__(self, app: App, *, tls: ssl.SSLContext | None = None) -> None:
        self._drain = Drain(app)
        super().__init__(
            uvicorn.Config(
                self._drain,
                ssl_context_factory=(lambda *_: tls) if tls else None,
                lifespan="on",
                log_config=None,
                log_level="warning",
                access_log=False,
                # Nobody asks from where a request came, and every one would pay for it.
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=int(WRITES_END_AFTER_S) + 1,
            )
        )

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        """Stop taking requests, end those that wait, then close the application."""
        self._drain.begin()
        await super().shutdown(sockets)


async def _come_again(send: Send) -> None:
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(_BODY)),
        (b"retry-after", b"1"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": _BODY})
