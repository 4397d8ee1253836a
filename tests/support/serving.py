"""Serving: an application on a real socket, behind uvicorn in a thread of this process."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import ssl
import threading
from contextlib import ExitStack, suppress
from typing import Any, Self

import httpx
import uvicorn

from cli.drain import WRITES_END_AFTER_S, Drain

__all__ = ["PLAIN", "Serving", "free_ports"]

STARTS_WITHIN_S = 20
_GIVEN_FROM = 20_000
_HANDED_OUT_FROM = 32_768

PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""What clients get that speak no TLS: one that trusts somebody takes 25 ms to make."""


class Serving:
    """An application that answers at `url` from its start-up until `stop`."""

    def __init__(self, app: Any, port: int = 0) -> None:
        """Return once it has started. Raises RuntimeError where it does not."""
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = int(self._listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._server = _Server(app)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        if not (self._server.decided.wait(STARTS_WITHIN_S) and self._server.started):
            raise RuntimeError("the application did not start")

    def _serve(self) -> None:
        try:
            self._server.run(sockets=[self._listener])
        finally:
            self._server.decided.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def client(self, **options: Any) -> httpx.Client:
        """A client of it, to be closed."""
        return httpx.Client(base_url=self.url, timeout=20, trust_env=False, verify=PLAIN, **options)

    def stop(self) -> None:
        """End the requests under way, then the application."""
        self._server.end()
        self._thread.join(STARTS_WITHIN_S)
        self._listener.close()


class _Server(uvicorn.Server):
    """uvicorn, which otherwise looks ten times a second whether it shall end, and then waits a tenth of a second more:
    a suite ends hundreds."""

    def __init__(self, app: Any) -> None:
        self._drain = Drain(app)
        super().__init__(uvicorn.Config(self._drain, log_level="warning", access_log=False))
        self.decided = threading.Event()
        """Set once it has started, or will not."""
        self._over: asyncio.Event
        self._loop: asyncio.AbstractEventLoop

    async def main_loop(self) -> None:
        self._over, self._loop = asyncio.Event(), asyncio.get_running_loop()
        # It makes the headers of every answer.
        await self.on_tick(0)
        self.decided.set()
        await self._over.wait()

    def end(self) -> None:
        """Leave the main loop; from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._over.set)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if self.server_state.tasks:
            # Whoever waits for news is told to come again, as by a service that stops.
            self._drain.begin()
            await asyncio.wait(self.server_state.tasks, timeout=WRITES_END_AFTER_S + 1)
        await self.lifespan.shutdown()


def free_ports(count: int) -> list[int]:
    """So many different ports that nobody listens on now, nor is given by chance before the caller listens there.

    They lie below those that a system hands out to whoever asks for any, and of these each worker has its own.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    own = range(_GIVEN_FROM + worker, _HANDED_OUT_FROM, workers)
    ports: list[int] = []
    with ExitStack() as probes:
        while len(ports) < count:
            port = random.choice(own)
            with suppress(OSError):
                probes.enter_context(socket.create_server(("127.0.0.1", port)))
                ports.append(port)
    return ports
