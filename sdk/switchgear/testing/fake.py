"""The fake provider: what it answers, refuses, gets wrong and remembers. See `provider` for how to start one."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from threading import Lock
from typing import Any
from uuid import uuid4

from ..usage import Usage
from .faults import Fault, Ordered
from .formats import PROVIDERS, Format, error, error_headers, format_of, id_header, limit_headers, read
from .limits import Account, Limits
from .log import TOO_MANY, Log, Refused, Served
from .server import Reply, Request
from .wire import anthropic, openai
from .wire.asked import Asked, BadRequestError

__all__ = ["Latency", "Price", "Provider"]

_log = logging.getLogger("switchgear.testing")

Price = Callable[[str, Usage], Decimal]
"""What a call of a model costs, in USD."""

_KEYS = ("x-api-key", "x-goog-api-key")
_GARBAGE = b"<html>502 Bad Gateway</html>"
_MODELS = ("gpt-4o", "gpt-4o-mini", "claude-haiku-4-5")
_COUNT = "/v1/messages/count_tokens"


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from arrival to the last byte: `first_s` and then `per_output_token_s`, at most `most_s`."""

    first_s: float = 0.0
    per_output_token_s: float = 0.0
    most_s: float = 10.0

    def of(self, output_tokens: int) -> float:
        """The service time of an answer with so many tokens."""
        return min(self.most_s, self.first_s + output_tokens * self.per_output_token_s)


@dataclass(frozen=True, slots=True)
class _Arrived:
    """A request as it came: who asks, by which format, and when."""

    spoken: Format
    tenant: str
    key: str
    at: datetime
    began: float


class Provider:
    """A model provider on this machine. Its methods may be called from any thread while it serves."""

    def __init__(
        self,
        *,
        limits: Mapping[str, Limits] | None = None,
        latency: Latency | None = None,
        price: Price | None = None,
        models: Collection[str] | None = None,
        headers: Mapping[str, str] | None = None,
        says: Callable[[str, bytes], str | None] | None = None,
    ) -> None:
        """`limits` are by provider; `models` are all there are (None: any). Every answer has these `headers`, too.

        `says` makes the text of an answer out of the tenant and the body of its request; None: words without a meaning.
        """
        self.url = ""
        self.headers = dict(headers or {})
        self._limits = defaultdict(Limits, limits or {})
        self._latency = latency or Latency()
        self._price = price
        self._models = models
        self._says = says
        self._accounts: dict[tuple[str, str], Account] = {}
        self._served: list[Served] = []
        self._refused: list[Refused] = []
        self._ordered: dict[str, deque[Ordered]] = {name: deque() for name in PROVIDERS}
        self._lock = Lock()

    @property
    def openai_url(self) -> str:
        """What `openai.OpenAI(base_url=...)` wants."""
        return f"{self.url}/v1"

    @property
    def anthropic_url(self) -> str:
        """What `anthropic.Anthropic(base_url=...)` wants."""
        return self.url

    @property
    def google_url(self) -> str:
        """What `genai.Client(http_options={"base_url": ...})` wants."""
        return self.url

    @property
    def bedrock_url(self) -> str:
        """What `boto3.client("bedrock-runtime", endpoint_url=...)` wants."""
        return self.url

    @property
    def served(self) -> Sequence[Served]:
        """Every request that was answered and billed, oldest first."""
        return tuple(self._served)

    @property
    def refused(self) -> Sequence[Refused]:
        """Every request that was not, oldest first."""
        return tuple(self._refused)

    def log(self) -> Log:
        """What was served and refused until now."""
        return Log(self.served, self.refused)

    def reset(self) -> None:
        """An empty log, full limits, and no faults on order."""
        with self._lock:
            self._accounts.clear()
            self._served.clear()
            self._refused.clear()
            for ordered in self._ordered.values():
                ordered.clear()

    def fail_next(
        self,
        provider: str,
        what: int | str,
        *,
        times: int = 1,
        retry_after_s: float | None = None,
        slow_s: float = 1.0,
    ) -> None:
        """Go wrong at the next requests to `provider`, whatever the limits say: an error status or a `Fault`.

        `retry_after_s` is what a status says in Retry-After, `slow_s` how late a slow answer begins.
        """
        fault = Ordered(what if isinstance(what, int) else Fault(what), retry_after_s, slow_s)
        self._ordered[_known(provider)].extend([fault] * times)

    def limit(self, provider: str, **limits: float) -> None:
        """Change limits of `Limits` from now on, for all accounts: `limit("openai", requests_per_minute=60)`."""
        now = time.monotonic()
        with self._lock:
            changed = self._limits[_known(provider)] = replace(self._limits[provider], **limits)
            for (name, _), account in self._accounts.items():
                if name == provider:
                    account.change(changed, now=now)

    async def __call__(self, request: Request, reply: Reply) -> None:
        """Answer a request."""
        spoken, model = format_of(request.path) if request.method == "POST" else (None, None)
        if spoken is not None:
            await self._call(spoken, model, request, reply)
        elif request.path.startswith("/admin/"):
            self._admin(request, reply)
        elif (request.method, request.path) == ("GET", "/v1/models"):
            _say(reply, 200, self._listed(request))
        elif (request.method, request.path) == ("POST", _COUNT):
            self._count(request, reply)
        else:
            reply.whole(404, error("openai", 404, f"no route {request.method} {request.path}"))

    def _listed(self, request: Request) -> Any:
        names = dict.fromkeys(self._models if self._models is not None else _MODELS, "switchgear")
        # The two providers have the same route for it.
        if "anthropic-version" in request.headers:
            return anthropic.models(names)
        return openai.models(names, int(time.time()))

    def _count(self, request: Request, reply: Reply) -> None:
        counting = Format("anthropic", "", anthropic.read_counting, anthropic.answer)
        try:
            asked = read(counting, None, request.body)
        except BadRequestError as fault:
            reply.whole(400, error("anthropic", 400, str(fault)))
        else:
            _say(reply, 200, {"input_tokens": asked.usage.input_total})

    def _admin(self, request: Request, reply: Reply) -> None:
        """What a test in another process may ask and order."""
        match request.method, request.path:
            case "GET", "/admin/log":
                _say(reply, 200, self.log().to_json())
            case "GET", "/admin/totals":
                _say(reply, 200, self.log().totals())
            case "POST", "/admin/reset" | "/admin/limit" | "/admin/fail":
                order = getattr(
                    self, {"reset": "reset", "limit": "limit", "fail": "fail_next"}[request.path[7:]]
                )
                try:
                    order(**json.loads(request.body or b"{}"))
                except (ValueError, TypeError) as fault:
                    _say(reply, 400, {"error": str(fault)})
                else:
                    _say(reply, 200, {})
            case _:
                _say(reply, 404, {"error": f"no route {request.method} {request.path}"})

    async def _call(self, spoken: Format, model: str | None, request: Request, reply: Reply) -> None:
        key = _key(request.headers)
        tenant = request.headers.get("x-demo-tenant", key)
        arrived = _Arrived(spoken, tenant, key, datetime.now(UTC), time.monotonic())
        ordered = self._ordered[spoken.provider].popleft() if self._ordered[spoken.provider] else None
        match ordered:
            case Ordered(int() as status):
                self._refuse(reply, arrived, status, "Refused as ordered", ordered.retry_after_s)
                return
            case Ordered(Fault.RESET | Fault.STALL as fault):
                self._note(arrived, None)
                if fault is Fault.STALL:
                    await reply.gone.wait()
                reply.reset()
                return
        try:
            asked = read(spoken, model, request.body)
        except BadRequestError as wrong:
            self._refuse(reply, arrived, 400, str(wrong))
            return
        if self._models is not None and asked.model not in self._models:
            self._refuse(reply, arrived, 404, f"The model `{asked.model}` does not exist")
            return
        said = None if self._says is None else self._says(tenant, request.body)
        if said is not None:
            asked = replace(asked, text=said)
        wait_s, headers = self._admit(arrived, asked)
        if wait_s > 0:
            message = f"Rate limit reached for {asked.model}. Please try again in {wait_s:.3f}s."
            self._refuse(reply, arrived, TOO_MANY, message, math.ceil(wait_s), headers)
            return
        await self._answer(arrived, asked, ordered, headers, reply)

    def _admit(self, arrived: _Arrived, asked: Asked) -> tuple[float, list[tuple[str, str]]]:
        """Seconds that the account has to wait, and what is said of its limits."""
        provider, now = arrived.spoken.provider, time.monotonic()
        with self._lock:
            account = self._accounts.get((provider, arrived.key))
            if account is None:
                account = self._accounts[provider, arrived.key] = Account(self._limits[provider], now)
            wait_s = account.admit(asked.usage.total, now=now)
            return wait_s, limit_headers(provider, *account.left(), arrived.at)

    def _refuse(
        self,
        reply: Reply,
        arrived: _Arrived,
        status: int,
        message: str,
        retry_after_s: float | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._note(arrived, status, retry_after_s)
        retry = [] if retry_after_s is None else [("retry-after", f"{retry_after_s:g}")]
        provider = arrived.spoken.provider
        own = [*self._own(provider, uuid4().hex), *error_headers(provider, status)]
        reply.whole(status, error(provider, status, message), [*own, *headers, *retry])

    def _note(self, arrived: _Arrived, status: int | None, retry_after_s: float | None = None) -> None:
        provider, now = arrived.spoken.provider, datetime.now(UTC)
        self._refused.append(Refused(provider, arrived.tenant, status, now, retry_after_s))

    def _own(self, provider: str, response_id: str) -> list[tuple[str, str]]:
        return [id_header(provider, response_id), *self.headers.items()]

    async def _answer(
        self,
        arrived: _Arrived,
        asked: Asked,
        ordered: Ordered | None,
        headers: Sequence[tuple[str, str]],
        reply: Reply,
    ) -> None:
        spoken, fault = arrived.spoken, ordered.what if ordered is not None else None
        if ordered is not None and fault is Fault.SLOW:
            await asyncio.sleep(ordered.slow_s)
        if fault is Fault.NO_USAGE:
            asked = replace(asked, tells_usage=False)
        response_id, service_s = f"{spoken.id_prefix}{uuid4().hex}", self._latency.of(asked.usage.output)
        parts = _parts(spoken, asked, response_id, int(arrived.at.timestamp()), fault)
        kind = spoken.stream_type if asked.streamed else "application/json"
        head = [("content-type", "text/html" if fault is Fault.WRONG_TYPE else kind)]
        if not asked.streamed:
            # A body that breaks off was meant to be twice as long.
            length = len(parts[0]) * (2 if fault is Fault.CUT else 1)
            head.append(("content-length", str(length)))
        await _pause(service_s / len(parts))
        reply.start(200, [*head, *self._own(spoken.provider, response_id), *headers])
        for part in parts[:-1]:
            reply.send(part)
            await _pause(service_s / len(parts))
        if fault is Fault.GARBAGE:
            self._note(arrived, 200)
        else:
            self._serve(arrived, asked, response_id)
        if fault is Fault.CUT:
            reply.send(parts[-1])
            reply.reset()
        else:
            reply.end(parts[-1])

    def _serve(self, arrived: _Arrived, asked: Asked, response_id: str) -> None:
        self._served.append(
            Served(
                id=response_id,
                provider=arrived.spoken.provider,
                model=asked.model,
                tenant=arrived.tenant,
                usage=asked.usage,
                cost=self._price(asked.model, asked.usage) if self._price is not None else None,
                arrived_at=arrived.at,
                served_at=datetime.now(UTC),
                service_s=time.monotonic() - arrived.began,
            )
        )


def _parts(
    spoken: Format, asked: Asked, response_id: str, created: int, fault: int | Fault | None
) -> list[bytes]:
    """The body, as the parts in which it is sent: a single one where it is not streamed."""
    if asked.streamed and spoken.stream is not None:
        parts = list(spoken.stream(asked, response_id, created))
        if fault is Fault.GARBAGE:
            mark = b"data: " if spoken.stream_type == "text/event-stream" else b""
            return [mark + _GARBAGE + b"\n\n"] * len(parts)
        return parts[: len(parts) // 2] if fault in (Fault.CUT, Fault.TRUNCATED) else parts
    if fault is Fault.GARBAGE:
        return [_GARBAGE]
    body = json.dumps(spoken.answer(asked, response_id, created)).encode()
    return [body[: len(body) // 2] if fault in (Fault.CUT, Fault.TRUNCATED) else body]


def _key(headers: Mapping[str, str]) -> str:
    """The account: whatever the request is signed with."""
    if (bearer := headers.get("authorization", "")).startswith("Bearer "):
        return bearer.removeprefix("Bearer ")
    if "Credential=" in bearer:
        return bearer.partition("Credential=")[2].partition("/")[0]
    return next((headers[name] for name in _KEYS if name in headers), "")


def _known(provider: str) -> str:
    if provider not in PROVIDERS:
        raise ValueError(f'"{provider}" is no provider here; there are: {", ".join(PROVIDERS)}')
    return provider


def _say(reply: Reply, status: int, value: Any) -> None:
    reply.whole(status, json.dumps(value).encode())


async def _pause(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)
