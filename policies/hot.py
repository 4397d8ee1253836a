"""The hot routes, as plain ASGI in front of the FastAPI app: decisions, grants, settlements. And who may ask.

Measured on one core with one key: 13 k requests a second through FastAPI, 47 k through plain ASGI.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import orjson

from collector.asgi import PROBLEM, App, Receive, Scope, Send, deny, header, problem, respond
from collector.errors import DeniedError
from collector.keys.access import Access
from collector.keys.key import Key, with_key

from .answers import Answers, Asked
from .bodies import (
    BadBodyError,
    ExtendBody,
    GrantBody,
    NotJsonError,
    ReleaseBody,
    ReleaseOne,
    ScopesBody,
    SettleBody,
    SettleOne,
    Unreadable,
    read,
    read_finished,
)
from .book import grant_of, lease_of
from .runtime import Runtime
from .wire import granted

__all__ = ["MAX_BODY_BYTES", "HotRoutes"]

Finished = dict[str, Any]
_UNKNOWN: Finished = {"held": False}
_GRANT = re.compile(
    r"^/v1/grants/(?P<id>[^/:]+)(?::(?P<hold>[1-9][0-9]{0,3}))?:(?P<verb>settle|extend|release)$"
)
MAX_BODY_BYTES = 4 << 20


class _Refused(Exception):  # noqa: N818 - a reply, not an error of ours
    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail = status, title, detail


class HotRoutes:
    """Answers the hot routes itself and hands everything else on to `app`, both as far as the key allows."""

    def __init__(self, app: App, runtime: Runtime, access: Access) -> None:
        self._app = app
        self.runtime = runtime
        self.access = access
        self._answers = Answers(runtime.engine)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path, method = scope["path"], scope["method"]
        try:
            key = await self.access.admitted(method, path, header(scope, b"authorization"))
            if path == "/v1/decisions" and method == "GET":
                await self._decision(key, scope, receive, send)
            elif path == "/v1/decisions:batch" and method == "POST":
                await self._decisions(key, receive, send)
            elif path == "/v1/grants" and method == "POST":
                await self._grant(key, receive, send)
            elif path == "/v1/grants:finish" and method == "POST":
                await self._finish_all(key, receive, send)
            elif method == "POST" and (match := _GRANT.match(path)):
                await self._finish(key, match["id"], match["hold"] or "1", match["verb"], receive, send)
            else:
                await self._app(with_key(scope, key), receive, send)
        except DeniedError as denied:
            await deny(send, denied)
        except BadBodyError as error:
            await _refuse(send, 422, "Invalid request", str(error))
        except NotJsonError as error:
            await _refuse(send, 400, "Not JSON", str(error))
        except _Refused as refused:
            await _refuse(send, refused.status, refused.title, refused.detail)

    async def _decision(self, key: Key, scope: Scope, receive: Receive, send: Send) -> None:
        asked = self._answers.asked(scope["query_string"])
        _check_tenant(key, asked.query.tenant)
        etag = header(scope, b"if-none-match").strip('"')
        if etag and asked.query.wait:
            async with _listening(receive) as gone:
                await self.runtime.decisions([asked.who], etag, asked.query.wait, gone)
            self.access.check(key)
        now = self.runtime.clock()
        if self.runtime.lags and self._answers.holds(asked):
            await _send(send, asked, etag, [(b"age", b"%d" % (now - asked.at))])
            return
        self._answers.answer(asked, now)
        await _send(send, asked, etag, ())

    async def _decisions(self, key: Key, receive: Receive, send: Send) -> None:
        body = read(ScopesBody, await _body(receive))
        for tenant in {one.tenant for one in body.scopes}:
            _check_tenant(key, tenant)
        who = [one.who(self.runtime.engine.policies) for one in body.scopes]
        async with _listening(receive) as gone:
            tag, decisions = await self.runtime.decisions(who, body.etag, body.wait, gone)
        self.access.check(key)
        await _reply(send, {"etag": tag, "decisions": [decision.to_wire() for decision in decisions]})

    async def _grant(self, key: Key, receive: Receive, send: Send) -> None:
        body = read(GrantBody, await _body(receive))
        _check_tenant(key, body.tenant)
        try:
            request = body.request(self.runtime.engine.policies)
        except ValueError as error:
            raise _Refused(422, "Invalid request", str(error)) from None
        if self.runtime.engine.asked(request.id) not in (None, request):
            raise _Refused(422, "Invalid request", f"id: {request.id} was asked with another body before")
        decision, grant = await self.runtime.grant(request, body.wait, partial(_listening, receive))
        try:
            self.access.check(key)
        except DeniedError:
            if grant is not None:
                self.runtime.release(grant.lease)
                self.runtime.ended()
            raise
        await _reply(send, granted(decision, grant))

    async def _finish(
        self, key: Key, grant_id: str, hold: str, verb: str, receive: Receive, send: Send
    ) -> None:
        lease, content = f"{grant_id}:{hold}", await _body(receive)
        if verb == "settle":
            said = self._settled(key, lease, read(SettleBody, content))
        elif verb == "release":
            said = self._released(key, lease, read(ReleaseBody, content))
        else:
            extending = read(ExtendBody, content)
            may = self._is_of(key, lease)
            said = {"held": may and self.runtime.extend(lease, extending.max_output_tokens)}
        self.runtime.ended()
        await _reply(send, {"lease": lease, **said})

    async def _finish_all(self, key: Key, receive: Receive, send: Send) -> None:
        said = [self._finished(key, one) for one in read_finished(await _body(receive))]
        self.runtime.ended()
        await _reply(send, {"finished": said})

    def _finished(self, key: Key, one: SettleOne | ReleaseOne | Unreadable) -> Finished:
        if isinstance(one, Unreadable):
            return {"lease": one.lease, "held": False, "error": one.error}
        if isinstance(one, ReleaseOne):
            return {"lease": one.lease, **self._released(key, one.lease, one)}
        try:
            lease = one.lease if ":" in one.lease else lease_of(one.lease, 1)
            return {"lease": one.lease, **self._settled(key, lease, one)}
        except _Refused as refused:
            return {"lease": one.lease, "held": False, "error": refused.detail}

    def _is_of(self, key: Key, lease: str) -> bool:
        """Whether the key may end this call: another tenant's grant is answered as one that never was."""
        tenant = self.runtime.engine.leases.tenant_of(grant_of(lease)[0])
        return tenant is None or key.speaks_for(tenant)

    def _settled(self, key: Key, lease: str, body: SettleBody) -> Finished:
        """Settling again, or after the call's span was booked, changes nothing and is no error."""
        try:
            usage = body.usage.usage() if body.usage is not None else None
        except ValueError as error:
            raise _Refused(422, "Invalid usage", f"usage: {error}") from None
        if not self._is_of(key, lease):
            return _UNKNOWN
        if body.headers:
            self.runtime.reported(lease, body.headers)
        return {"held": self.runtime.settle(lease, body.model, usage, body.response_id)}

    def _released(self, key: Key, lease: str, body: ReleaseBody) -> Finished:
        if not self._is_of(key, lease):
            return _UNKNOWN
        if body.throttled_for_s is None:
            return {"held": self.runtime.release(lease, body.calls)}
        retry = self.runtime.throttled(lease, body.throttled_for_s, body.headers, body.calls)
        return {"held": retry is not None, "retry": None if retry is None else retry._asdict()}


def _check_tenant(key: Key, tenant: str) -> None:
    """Refuse to decide for a tenant that the key does not speak for, whether or not there is any such."""
    if not key.speaks_for(tenant):
        raise DeniedError(f"key {key.id} does not speak for tenant {tenant[:64]!r}", 403)


async def _body(receive: Receive) -> bytearray:
    content, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Refused(400, "Disconnected", "the request's body did not come to its end")
        content += message.get("body", b"")
        if len(content) > MAX_BODY_BYTES:
            raise _Refused(413, "Too large", f"a body has at most {MAX_BODY_BYTES} bytes")
        more = message.get("more_body", False)
    return content


@asynccontextmanager
async def _listening(receive: Receive) -> AsyncIterator[asyncio.Future[None]]:
    """A future that completes when the asker hangs up."""
    gone = asyncio.ensure_future(_hung_up(receive))
    try:
        yield gone
    finally:
        gone.cancel()


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(send: Send, asked: Asked, etag: str, more: Sequence[tuple[bytes, bytes]]) -> None:
    """The answer as it was prepared, or that it is still the one which the asker has."""
    start, body = asked.start, asked.body
    if asked.tag == etag:
        start = {
            "type": "http.response.start",
            "status": 304,
            "headers": [(b"etag", b'"%b"' % etag.encode())],
        }
        body = {"type": "http.response.body"}
    if more:
        start = {**start, "headers": [*start["headers"], *more]}
    await send(start)
    await send(body)


async def _refuse(send: Send, status: int, title: str, detail: str) -> None:
    await respond(send, status, problem(status, title, detail), PROBLEM)


async def _reply(send: Send, body: Any) -> None:
    await respond(send, 200, orjson.dumps(body), "application/json")
