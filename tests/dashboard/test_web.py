"""The sign-in route, asked as a browser and as an attacker would, before services that answer alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import httpx
import pytest
from answering import answering
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from dashboard.identity import COOKIE, SESSIONS
from dashboard.web import OwnPages, sign_in

HOST = "board.example"
KEY = "sg_a_key"


@pytest.fixture
def knowing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Services that know every key."""
    with answering(b"{}") as url:
        monkeypatch.setenv("SWITCHGEAR_COLLECTOR", url)
        monkeypatch.setenv("SWITCHGEAR_POLICIES", url)
        yield


def board(cookies: dict[str, str] | None = None) -> httpx.AsyncClient:
    """A browser in front of a proxy: whatever it came by, this process is asked over HTTP."""
    app = Starlette(routes=[Route("/signin", sign_in, methods=["POST"])])
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url=f"http://{HOST}", cookies=cookies or {}
    )


@pytest.mark.parametrize(
    ("scheme", "secure"), [("https", True), ("http", False)], ids=["behind a proxy with TLS", "on a machine"]
)
async def test_the_cookie_goes_the_way_that_the_browser_came(
    knowing: None, *, scheme: str, secure: bool
) -> None:
    async with board() as browser:
        answer = await browser.post("/signin", data={"key": KEY}, headers={"origin": f"{scheme}://{HOST}"})
    told = answer.headers["set-cookie"]
    assert answer.status_code == 303
    assert ("; Secure" in told, "; HttpOnly" in told, "; SameSite=strict" in told) == (secure, True, True)
    SESSIONS.end(answer.cookies.get(COOKIE))


async def test_who_signs_in_again_leaves_no_session_behind(knowing: None) -> None:
    now = datetime.now(UTC)
    before = SESSIONS.start("sg_another", now)
    async with board({COOKIE: before}) as browser:
        answer = await browser.post("/signin", data={"key": KEY}, headers={"origin": f"http://{HOST}"})
    after = answer.cookies.get(COOKIE)
    assert (SESSIONS.find(before, now), SESSIONS.find(after, now)) == (None, KEY)
    SESSIONS.end(after)


@pytest.mark.parametrize("says", [{}, {"content-length": "10"}], ids=["no length", "a false one"])
async def test_a_body_without_end_is_not_kept(says: dict[str, str]) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for sent in range(1_000_000):  # noqa: B007 - counted for below
            yield b"x" * 4096

    async with board() as browser:
        answer = await browser.post("/signin", content=endless(), headers={"origin": f"http://{HOST}"} | says)
    assert (answer.status_code, sent < 10) == (413, True)


@pytest.mark.parametrize(
    ("origin", "taken"),
    [
        (f"http://{HOST}:8501", True),
        (None, True),
        (f"http://{HOST}:3000", False),
        ("http://localhost:8501", False),
        ("https://evil.example", False),
        ("null", False),
    ],
    ids=["its own page", "no browser", "another port", "another name", "the web", "a sandbox"],
)
async def test_a_socket_is_taken_from_its_own_pages(*, origin: str | None, taken: bool) -> None:
    opened, sent = [], []

    async def board_itself(scope: Scope, receive: Receive, send: Send) -> None:
        opened.append(scope)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    said = {"host": f"{HOST}:8501"} | ({} if origin is None else {"origin": origin})
    headers = [(name.encode(), value.encode()) for name, value in said.items()]
    await OwnPages(board_itself)({"type": "websocket", "headers": headers}, receive, send)
    assert (len(opened), [message["type"] for message in sent]) == (
        (1, []) if taken else (0, ["websocket.close"])
    )
