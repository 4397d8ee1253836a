"""A small HTTP/1.1 server in a thread of this process: what the stand-ins of this package answer on.

It keeps connections alive, streams, and does what a server should not and providers sometimes do: close in the middle,
say nothing, write what is no HTTP.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self, TypeVar, cast
from urllib.parse import unquote

import h11

__all__ = ["Handler", "Reply", "Request", "Server"]

_log = logging.getLogger("switchgear.testing")
_BACKLOG = 1024
_CLOSE_WITHIN_S = 5.0
_ROUNDS_TO_LET_IN = 3
"""Of the loop: one begins, one tells the protocol of its connection, one ends."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """One request, read to its end. `path` is decoded, the headers' names are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class Reply:
    """The answer to one request: `whole`, or `start`, some `send` and an `end`; or `reset` at any time."""

    def __init__(self, http: h11.Connection, transport: asyncio.Transport, gone: asyncio.Event) -> None:
        self._http, self._transport = http, transport
        self._head: bytes | None = None
        self.gone = gone
        """Set once the connection is closed, by whomever."""

    def start(self, status: int, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Begin; without a `content-length` the body is sent in chunks. The head goes out with the first part."""
        self._head = self._http.send(h11.Response(status_code=status, headers=list(headers)))

    def send(self, part: bytes) -> None:
        """Send a part of the body."""
        head, self._head = self._head, None
        self._write(head, self._http.send(h11.Data(data=part)))

    def end(self, part: bytes) -> None:
        """Send the last part of the body."""
        head, self._head = self._head, None
        self._write(head, self._http.send(h11.Data(data=part)), self._http.send(h11.EndOfMessage()))

    def whole(
        self,
        status: int,
        body: bytes,
        headers: Iterable[tuple[str, str]] = (),
        content_type: str = "application/json",
    ) -> None:
        """Send everything at once."""
        own = (("content-type", content_type), ("content-length", str(len(body))))
        self.start(status, [*own, *headers])
        self.end(body)

    def reset(self) -> None:
        """Break the connection off, as a machine that dies does: the client sees ECONNRESET and not an end."""
        underlying = self._transport.get_extra_info("socket")
        if underlying is not None and not self._transport.is_closing():
            underlying.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _write(self, *parts: bytes | None) -> None:
        # Who went away gets nothing more; what the model does for them goes on all the same.
        if not self._transport.is_closing():
            self._transport.write(b"".join(part for part in parts if part))


Handler = Callable[[Request, Reply], Awaitable[None]]


class Server:
    """Answers at `url` from its making until `stop`. `port` 0 is any that is free."""

    def __init__(self, handler: Handler, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen at once; raises OSError where the port is taken."""
        self._listener = socket.create_server((host, port), backlog=_BACKLOG)
        self.port = int(self._listener.getsockname()[1])
        self.url = f"http://{host}:{self.port}"
        self._handler = handler
        self._connections: set[_Connection] = set()
        self.loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="switchgear-testing", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Close every connection, whatever is under way, and return once the thread has ended."""
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self._over.set)
            self._thread.join(_CLOSE_WITHIN_S)

    def join(self) -> None:
        """Wait until somebody stops it."""
        self._thread.join()

    def do(self, job: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine where requests are answered."""
        return asyncio.run_coroutine_threadsafe(job, self.loop)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._serve())
        finally:
            self.loop.close()

    async def _serve(self) -> None:
        server = await self.loop.create_server(
            lambda: _Connection(self._handler, self._connections), sock=self._listener
        )
        await self._over.wait()
        # Whoever was just let in has no connection yet. Were the server closed, asyncio would leave their sockets open.
        with suppress(NotImplementedError):
            self.loop.remove_reader(self._listener)
        for _ in range(_ROUNDS_TO_LET_IN):
            await asyncio.sleep(0)
        server.close()
        for connection in list(self._connections):
            connection.close()
        # Those too that answer somebody who has gone.
        answering = asyncio.all_tasks() - {asyncio.current_task()}
        for task in answering:
            task.cancel()
        await asyncio.gather(*answering, return_exceptions=True)
        # A transport that was aborted tells its protocol so in the loop's next round.
        await asyncio.sleep(0)


class _Connection(asyncio.Protocol):
    """One connection: a request at a time, as clients that keep connections alive send them."""

    _transport: asyncio.Transport

    def __init__(self, handler: Handler, among: set[_Connection]) -> None:
        self._handler, self._among = handler, among
        self._http = h11.Connection(h11.SERVER)
        self._gone = asyncio.Event()
        self._head: h11.Request | None = None
        self._body: list[bytes] = []
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        # asyncio does so itself, but not where the listener was made without naming the protocol.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._among.add(self)

    def data_received(self, data: bytes) -> None:
        self._http.receive_data(data)
        self._read()

    def connection_lost(self, error: Exception | None) -> None:
        self._gone.set()
        self._among.discard(self)

    def close(self) -> None:
        """End it, whatever is being answered."""
        self._transport.abort()

    def _read(self) -> None:
        while self._task is None:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError:
                self._transport.close()
                return
            match event:
                case h11.Request():
                    self._head, self._body = event, []
                    if self._http.they_are_waiting_for_100_continue:
                        going_on = h11.InformationalResponse(status_code=100, headers=[])
                        self._transport.write(self._http.send(going_on) or b"")
                case h11.Data():
                    self._body.append(bytes(event.data))
                case h11.EndOfMessage():
                    if self._head is not None:
                        self._task = asyncio.ensure_future(self._answer(self._head))
                case h11.ConnectionClosed():
                    self._transport.close()
                    return
                case _:
                    return

    async def _answer(self, head: h11.Request) -> None:
        path, _, query = head.target.decode("latin-1").partition("?")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        request = Request(head.method.decode("ascii"), unquote(path), query, headers, b"".join(self._body))
        reply = Reply(self._http, self._transport, self._gone)
        try:
            await self._handler(request, reply)
        except Exception:  # noqa: BLE001 - the client is told by the connection's end, the developer by the log
            _log.exception("%s %s could not be answered", request.method, request.path)
            reply.reset()
        self._task = None
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self._read()
        else:
            self._transport.close()
