"""Sinks: where messages arrive, real servers on this machine. One takes HTTP, one takes mail; both keep what came."""

from __future__ import annotations

import asyncio
import base64
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

__all__ = ["HttpSink", "MailSink", "Posted"]


@dataclass(frozen=True, slots=True)
class Posted:
    """A request as it came; names of headers in small letters."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float
    """When it was there, by the monotonic clock."""


class HttpSink:
    """Answers each POST with the next of `answers` (a status and headers), then with 204, at `url` until closed."""

    def __init__(
        self, *answers: tuple[int, dict[str, str]], port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.posted: list[Posted] = []
        self._answers = list(answers)
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sink._take(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def _take(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["content-length"]))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        status, more = self._answers.pop(0) if self._answers else (204, {})
        self.posted.append(Posted(handler.path, headers, body, time.monotonic()))
        handler.send_response(status)
        for name, value in more.items():
            handler.send_header(name, value)
        handler.send_header("content-length", "0")
        handler.end_headers()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Answer no more; the port is free then."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@dataclass(slots=True)
class Letter:
    """What one session brought. `encrypted`: the letter itself; `login`: user and password, if there was one."""

    sender: str
    to: list[str]
    text: str
    encrypted: bool
    login: tuple[str, str] | None


@dataclass(slots=True)
class MailSink:
    """An SMTP server in this loop. With `tls` it offers STARTTLS, or speaks TLS from the first byte on (`at_once`).

    `refuse` answers a recipient with that code.
    """

    tls: ssl.SSLContext | None = None
    at_once: bool = False
    refuse: dict[str, int] = field(default_factory=dict)
    letters: list[Letter] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    port: int = 0
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        context = self.tls if self.at_once else None
        self._server = await asyncio.start_server(self._session, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._talk(reader, writer)
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sender, to, login = "", [], None
        writer.write(b"220 sink\r\n")
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            self.said.append(line)
            verb = line.split(" ")[0].upper()
            encrypted = writer.get_extra_info("ssl_object") is not None
            answer = "250 fine"
            if verb == "EHLO":
                offered = ["sink", "AUTH PLAIN", *(["STARTTLS"] if self.tls and not encrypted else [])]
                answer = "\r\n".join(f"250{' ' if each is offered[-1] else '-'}{each}" for each in offered)
            elif verb == "STARTTLS":
                writer.write(b"220 go on\r\n")
                assert self.tls is not None
                await writer.start_tls(self.tls)
                continue
            elif verb == "AUTH":
                _, user, password = base64.b64decode(line.split(" ")[2]).decode().split("\0")
                login, answer = (user, password), "235 welcome"
            elif verb == "MAIL":
                sender = line.partition("<")[2].partition(">")[0]
            elif verb == "RCPT":
                name = line.partition("<")[2].partition(">")[0]
                if code := self.refuse.get(name):
                    answer = f"{code} no such person"
                else:
                    to.append(name)
            elif verb == "DATA":
                writer.write(b"354 go on\r\n")
                text = (await reader.readuntil(b"\r\n.\r\n"))[:-5].decode()
                self.letters.append(Letter(sender, to, text, encrypted, login))
            elif verb == "QUIT":
                writer.write(b"221 farewell\r\n")
                return
            writer.write(answer.encode() + b"\r\n")
