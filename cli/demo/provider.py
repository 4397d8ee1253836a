"""A fake model provider on this machine: two wire formats, real limits, its own bill.

    with running(limits={"openai": Limits(requests_per_minute=600)}) as provider:
        client = openai.OpenAI(base_url=provider.base_url_openai, api_key="sk-demo")
        ...
        provider.log().served

It answers `POST /v1/chat/completions` as OpenAI and `POST /v1/messages` as Anthropic, streamed or whole.
An account is an API key; the tenant in its log is the header `x-demo-tenant`, else the key.
`GET /admin/log` returns the log, `GET /admin/totals` its sums, `POST /admin/reset` empties it and fills the limits.
What it "answers" is fixed by the request: see `wire`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import socket
import threading
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import uvicorn

from . import wire
from .account import Log, Refused, Served
from .limits import Account, Limits
from .parent import stop_with_parent
from .rates import RATES, Rates, bill, marked_up

__all__ = ["Latency", "Limits", "Provider", "Running", "running"]

_ROUTES = {"/v1/chat/completions": "openai", "/v1/messages": "anthropic"}
_ID_PREFIX = {"openai": "chatcmpl-", "anthropic": "msg_"}

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from arrival to the last byte: `first_s` and then `per_output_token_s`, at most `most_s`."""

    first_s: float = 0.0
    per_output_token_s: float = 0.0
    most_s: float = 10.0

    def of(self, output_tokens: int) -> float:
        """The service time of an answer with so many tokens."""
        return min(self.most_s, self.first_s + output_tokens * self.per_output_token_s)


@dataclass(slots=True)
class Provider:
    """The ASGI application. One instance holds the accounts' limits and the log."""

    limits: Mapping[str, Limits] = field(default_factory=dict)
    latency: Latency = field(default_factory=Latency)
    rates: Mapping[str, Rates] = field(default_factory=lambda: RATES)
    _accounts: dict[tuple[str, str], Account] = field(default_factory=dict, init=False)
    _served: list[Served] = field(default_factory=list, init=False)
    _refused: list[Refused] = field(default_factory=list, init=False)
    _ordered_refusals: dict[str, deque[tuple[int, float | None]]] = field(
        default_factory=lambda: defaultdict(deque), init=False
    )

    def log(self) -> Log:
        """What was served and refused until now."""
        return Log(tuple(self._served), tuple(self._refused))

    def reset(self) -> None:
        """An empty log and full limits."""
        self._accounts.clear()
        self._served.clear()
        self._refused.clear()

    def refuse_next(
        self, provider: str, times: int = 1, *, status: int = 429, retry_after_s: float | None = 0.01
    ) -> None:
        """Answer the next requests to `provider` with an error, whatever the limits say. For tests."""
        self._ordered_refusals[provider].extend([(status, retry_after_s)] * times)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        route = (scope.get("method"), scope.get("path"))
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']}: the fake provider speaks HTTP only")
        if route == ("GET", "/admin/log"):
            await _send_json(send, 200, self.log().to_json())
        elif route == ("GET", "/admin/totals"):
            await _send_json(send, 200, self.log().totals())
        elif route == ("POST", "/admin/reset"):
            self.reset()
            await _send_json(send, 200, {})
        elif scope["method"] == "POST" and scope["path"] in _ROUTES:
            await self._serve(_ROUTES[scope["path"]], scope, receive, send)
        else:
            await _send_json(send, 404, wire.error_body("openai", 404, f"no route {scope['path']}"))

    async def _serve(self, provider: str, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        arrived_at, began = datetime.now(UTC), time.monotonic()
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        key = headers.get("authorization", "").removeprefix("Bearer ") or headers.get("x-api-key", "")
        tenant = headers.get("x-demo-tenant", key)
        try:
            request = wire.read(provider, json.loads(await _body(receive)))
        except ValueError as error:
            await self._refuse(send, provider, tenant, 400, str(error))
            return
        if request.model not in self.rates:
            await self._refuse(send, provider, tenant, 404, f"The model `{request.model}` does not exist")
            return
        if self._ordered_refusals[provider]:
            status, retry_after_s = self._ordered_refusals[provider].popleft()
            await self._refuse(send, provider, tenant, status, "Refused as ordered", retry_after_s)
            return
        account = self._accounts.setdefault((provider, key), Account(self.limits.get(provider, Limits())))
        wait_s = account.admit(request.usage.total, now=time.monotonic())
        if wait_s > 0:
            await self._refuse(
                send, provider, tenant, 429, _limit_message(request, wait_s), math.ceil(wait_s)
            )
            return
        await self._answer(request, tenant, arrived_at, began, send)

    async def _refuse(
        self,
        send: Send,
        provider: str,
        tenant: str,
        status: int,
        message: str,
        retry_after_s: float | None = None,
    ) -> None:
        self._refused.append(Refused(provider, tenant, status, datetime.now(UTC), retry_after_s))
        headers = [] if retry_after_s is None else [(b"retry-after", f"{retry_after_s:g}".encode())]
        await _send_json(send, status, wire.error_body(provider, status, message), headers)

    async def _answer(
        self, request: wire.Request, tenant: str, arrived_at: datetime, began: float, send: Send
    ) -> None:
        response_id = f"{_ID_PREFIX[request.provider]}{uuid4().hex}"
        created, service_s = int(arrived_at.timestamp()), self.latency.of(request.usage.output)
        if request.streamed:
            chunks = wire.stream(request, response_id, created)
            headers = [(b"content-type", b"text/event-stream")]
        else:
            chunks = [json.dumps(wire.answer(request, response_id, created)).encode()]
            headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(chunks[0]))]
        await _pause(service_s / len(chunks))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for chunk in chunks[:-1]:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await _pause(service_s / len(chunks))
        self._served.append(
            Served(
                id=response_id,
                provider=request.provider,
                model=request.model,
                tenant=tenant,
                usage=request.usage,
                cost=bill(request.model, request.usage, self.rates),
                arrived_at=arrived_at,
                served_at=datetime.now(UTC),
                service_s=time.monotonic() - began,
            )
        )
        await send({"type": "http.response.body", "body": chunks[-1]})


@dataclass(frozen=True, slots=True)
class Running:
    """A provider that serves in a thread of this process."""

    provider: Provider
    port: int

    @property
    def base_url_openai(self) -> str:
        """What `openai.OpenAI(base_url=...)` wants."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def base_url_anthropic(self) -> str:
        """What `anthropic.Anthropic(base_url=...)` wants."""
        return f"http://127.0.0.1:{self.port}"

    def log(self) -> Log:
        """What was served and refused until now."""
        return self.provider.log()

    def reset(self) -> None:
        """An empty log and full limits."""
        self.provider.reset()

    def refuse_next(
        self, provider: str, times: int = 1, *, status: int = 429, retry_after_s: float | None = 0.01
    ) -> None:
        """Answer the next requests with an error: see `Provider.refuse_next`."""
        self.provider.refuse_next(provider, times, status=status, retry_after_s=retry_after_s)


@contextmanager
def running(
    *,
    limits: Mapping[str, Limits] | None = None,
    latency: Latency | None = None,
    rates: Mapping[str, Rates] = RATES,
) -> Iterator[Running]:
    """A provider on a free port for the length of the block; by default no limits and no latency."""
    provider = Provider(limits=limits or {}, latency=latency or Latency(), rates=rates)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = _server(provider)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="fake-provider")
        thread.start()
        try:
            # The socket listens already: a request sent before the server is up waits in its backlog.
            yield Running(provider, listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


def _server(provider: Provider) -> uvicorn.Server:
    # A stopped provider does not wait for clients that still hold a request open.
    return uvicorn.Server(
        uvicorn.Config(
            provider, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
    )


def _limit_message(request: wire.Request, wait_s: float) -> str:
    return f"Rate limit reached for {request.model}. Please try again in {wait_s:.3f}s."


async def _pause(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise wire.BadRequestError("the client went away before its body was there")
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _send_json(
    send: Send, status: int, value: Any, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    body = json.dumps(value).encode()
    start = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": start + (headers or [])})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    """`python -m cli.demo.provider`: serve until standard input closes; the limits are the openai account's."""
    parser = argparse.ArgumentParser(description="A fake model provider with real limits.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--requests-per-minute", type=float, default=math.inf)
    parser.add_argument("--tokens-per-minute", type=float, default=math.inf)
    parser.add_argument("--first-s", type=float, default=0.0, help="latency before the first token")
    parser.add_argument("--per-output-token-s", type=float, default=0.0, help="latency of each token")
    parser.add_argument("--markup", type=Decimal, default=Decimal(1), help="multiplies every rate")
    given = parser.parse_args()
    stop_with_parent()
    provider = Provider(
        limits={"openai": Limits(given.requests_per_minute, given.tokens_per_minute)},
        latency=Latency(given.first_s, given.per_output_token_s),
        rates=marked_up(RATES, given.markup),
    )
    with socket.create_server(("127.0.0.1", given.port)) as listener:
        _server(provider).run(sockets=[listener])


if __name__ == "__main__":
    main()
