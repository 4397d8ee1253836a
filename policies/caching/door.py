"""The door: what every request passes first: the key, and whether there is room for another look."""

from __future__ import annotations

from collector.asgi import PROBLEM, App, BodyLimit, Receive, Scope, Send, deny, header, problem, respond
from collector.errors import DeniedError
from collector.keys.access import Access
from collector.keys.key import with_key

from .following import Followed
from .workers import Workers

__all__ = ["BUSY", "MAX_BODY_BYTES", "Door"]

MAX_BODY_BYTES = 8 << 20
BUSY = "too many look-ups wait already; ask the model"
_WORK = frozenset({"/v1/cache:look", "/v1/cache:learn"})


class Door:
    """The application. A look that has no room is refused before its body is read."""

    def __init__(self, app: App, access: Access, followed: Followed, workers: Workers) -> None:
        self.access = access
        self.followed = followed
        self._app = BodyLimit(app, MAX_BODY_BYTES)
        self.workers = workers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            key = await self.access.admitted(scope["method"], scope["path"], header(scope, b"authorization"))
        except DeniedError as denied:
            await deny(send, denied)
            return
        if scope["path"] in _WORK and self.workers.full:
            self.workers.refused += 1
            body = problem(503, "Busy", BUSY)
            await respond(send, 503, body, PROBLEM, [(b"retry-after", b"1")])
            return
        await self._app(with_key(scope, key), receive, send)
