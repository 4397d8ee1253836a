"""A write that is sent again under its key is done once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from collector.asgi import Receive, Scope, Send, respond
from collector.keys import idempotency
from collector.keys.idempotency import Idempotent
from collector.keys.key import Key, with_key

KEY = {"idempotency-key": "k1"}


class Writes:
    """An application that counts what it is asked to write, and waits where it is told to."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.status = 200
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.began = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.bodies.append((await receive())["body"])
        self.began.set()
        await self.go_on.wait()
        await respond(send, self.status, b"write %d" % len(self.bodies), "text/plain")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def writes() -> Writes:
    return Writes()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(writes: Writes, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    guarded = Idempotent(writes, {("POST", "/write")}, clock)

    async def with_sender(scope: Scope, receive: Receive, send: Send) -> None:
        sender = dict(scope["headers"]).get(b"sender", b"ann").decode()
        await guarded(with_key(scope, Key(sender, ("*",), frozenset())), receive, send)

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(with_sender),  # type: ignore[arg-type]
        base_url="http://writes",
    ) as client:
        yield client


async def post(client: httpx.AsyncClient, body: str, **headers: str) -> httpx.Response:
    return await client.post("/write", content=body, headers={**KEY, **headers})


async def test_the_same_again_is_one_effect_and_one_answer(client: httpx.AsyncClient, writes: Writes) -> None:
    first, again = await post(client, "a"), await post(client, "a")
    assert (first.text, again.text, writes.bodies) == ("write 1", "write 1", [b"a"])
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"


async def test_another_body_under_the_key_is_422_and_no_effect(
    client: httpx.AsyncClient, writes: Writes
) -> None:
    await post(client, "a")
    refused = await post(client, "b")
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    assert writes.bodies == [b"a"]


async def test_the_same_while_the_first_is_under_way_is_409_and_one_effect(
    client: httpx.AsyncClient, writes: Writes
) -> None:
    writes.go_on.clear()
    first = asyncio.create_task(post(client, "a"))
    await writes.began.wait()
    assert (await post(client, "a")).status_code == 409
    writes.go_on.set()
    assert (await first).text == (await post(client, "a")).text == "write 1"
    assert writes.bodies == [b"a"]


@pytest.mark.parametrize(
    ("headers", "path"),
    [({"idempotency-key": "k2"}, "/write"), ({"sender": "bob"}, "/write"), ({}, "/elsewhere")],
    ids=["another key", "another sender", "a route that takes no key"],
)
async def test_what_is_another_write_is_done(
    client: httpx.AsyncClient, writes: Writes, headers: dict[str, str], path: str
) -> None:
    await post(client, "a")
    await client.post(path, content="a", headers={**KEY, **headers})
    assert writes.bodies == [b"a", b"a"]


async def test_what_failed_may_be_tried_again_and_what_was_refused_stays_so(
    client: httpx.AsyncClient, writes: Writes
) -> None:
    for status, text in ((503, "write 1"), (404, "write 2"), (200, "write 2")):
        writes.status = status
        assert (await post(client, "a")).text == text


async def test_a_sender_who_hangs_up_may_try_again(client: httpx.AsyncClient, writes: Writes) -> None:
    writes.go_on.clear()
    first = asyncio.create_task(post(client, "a"))
    await writes.began.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    writes.go_on.set()
    assert (await post(client, "a")).text == "write 2"


async def test_a_key_is_forgotten_after_a_day(
    client: httpx.AsyncClient, writes: Writes, clock: Clock
) -> None:
    await post(client, "a")
    clock.now = idempotency.KEPT_S - 1
    assert (await post(client, "a")).text == "write 1"
    clock.now = idempotency.KEPT_S
    assert (await post(client, "a")).text == "write 2"


@pytest.mark.parametrize("bound", ["MAX_KEPT", "MAX_KEPT_BYTES"])
async def test_what_is_kept_is_bounded_and_the_oldest_goes_first(
    client: httpx.AsyncClient, writes: Writes, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(idempotency, bound, {"MAX_KEPT": 2, "MAX_KEPT_BYTES": 2 * len("write 1")}[bound])
    for name in "abcd":
        await post(client, name, **{"idempotency-key": name})
    answers: Any = [(await post(client, name, **{"idempotency-key": name})).text for name in "dc"]
    assert answers == ["write 4", "write 3"]
    assert (await post(client, "a", **{"idempotency-key": "a"})).text == "write 5"


async def test_a_key_of_more_than_255_characters_is_refused(
    client: httpx.AsyncClient, writes: Writes
) -> None:
    assert (await post(client, "a", **{"idempotency-key": "k" * 256})).status_code == 422
    assert writes.bodies == []
