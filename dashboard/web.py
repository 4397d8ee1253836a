"""The dashboard's server: Streamlit, and the one route that it has no part for: taking a key at sign-in.

A browser posts its key here, so that the answer can set a cookie which no script can read. From elsewhere nothing is
taken: the form must come from this page's own origin.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from threading import Thread
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

import streamlit as st
from anyio import to_thread
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard.identity import COOKIE, LASTS, SESSIONS
from dashboard.services import Services

__all__ = ["OwnPages", "app", "came_from_here", "loading", "place_after"]

_MOST_BYTES = 16_384
_REFUSED = "sign_in"
# What a page with charts and tables loads beside what stands above; half a second of a core.
_OF_PAGES = ("dashboard.frame", "pandas", "plotly.graph_objects")


async def sign_in(request: Request) -> Response:
    """Start a session for a key that the services know, and lead back to where the viewer was."""
    if not came_from_here(request.headers.get("origin"), request.headers.get("host", "")):
        return PlainTextResponse("sign in on the dashboard's own page", 403)
    body = await _read(request)
    if body is None:
        return PlainTextResponse("that is no key", 413)
    fields = dict(parse_qsl(body.decode("utf-8", "replace")))
    key, where = fields.get("key", "").strip(), fields.get("next", "/")
    found = await to_thread.run_sync(_status, key)
    if found != 200:
        return RedirectResponse(place_after(where, "refused" if found in (401, 403) else "away"), 303)
    SESSIONS.end(request.cookies.get(COOKIE))
    answer = RedirectResponse(place_after(where, None), 303)
    answer.set_cookie(
        COOKIE,
        SESSIONS.start(key, datetime.now(UTC)),
        max_age=int(LASTS.total_seconds()),
        httponly=True,
        samesite="strict",
        # What the browser says: behind a proxy that ends TLS, this process is asked over HTTP.
        secure=_split(request.headers["origin"]).scheme == "https",
    )
    return answer


def came_from_here(origin: str | None, host: str) -> bool:
    """Whether a page of this host sent it. Browsers say where every posted form and every socket comes from."""
    return origin is not None and bool(host) and _split(origin).netloc == host


def place_after(where: str, refused: str | None) -> str:
    """A path of this dashboard, whatever `where` says, without or with word that the sign-in was refused."""
    parts = _split(where)
    path = "/" + parts.path.lstrip("/\\")
    query = [
        (name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != _REFUSED
    ]
    query += [(_REFUSED, refused)] if refused else []
    return f"{path}?{urlencode(query)}" if query else path


async def _read(request: Request) -> bytes | None:
    """The body; None where it is longer than any form of ours, whatever length it says that it has."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            return None
    return bytes(body)


def _split(url: str) -> SplitResult:
    """The parts of a URL; of one that cannot be read, none."""
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", "", "", "")


def _status(key: str) -> int:
    """What the services answer to the key: 0 where neither can be reached."""
    if not key.isascii() or not key.isprintable() or not key:
        return 401
    asked = Services.from_environment(key)
    try:
        for service in (asked.collector, asked.policies):
            answer = service.document("/v1/identity")
            if answer.status is not None:
                return answer.status
        return 0
    finally:
        asked.close()


class OwnPages:
    """An ASGI application around another, which takes no socket that a page of another origin opens.

    A browser sends its cookies along from every port of this host, and Streamlit takes sockets from all of them. To
    learn its own addresses beyond these it would ask a server on the web.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            headers = Headers(scope=scope)
            origin = headers.get("origin")
            # What is no browser says no origin, and has no cookies of a viewer.
            if origin is not None and not came_from_here(origin, headers.get("host", "")):
                await send({"type": "websocket.close", "code": 1008})
                return
        await self._app(scope, receive, send)


@asynccontextmanager
async def loading(_: st.App) -> AsyncIterator[None]:
    """Load what pages are made of as soon as the server stands, and not while its first viewer waits."""
    Thread(target=lambda: [import_module(name) for name in _OF_PAGES], name="loading", daemon=True).start()
    yield


app = st.App(
    Path(__file__).with_name("app.py"),
    lifespan=loading,
    routes=[Route("/signin", sign_in, methods=["POST"])],
    middleware=[Middleware(OwnPages)],
)
