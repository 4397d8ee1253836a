"""A stopping service tells those who wait to come again, and lets a write finish."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cli.drain import Drain


class Asked:
    """One request to a Drain around an application that answers when it is let."""

    def __init__(self, method: str, *, begun: bool = False) -> None:
        self.entered, self.let = asyncio.Event(), asyncio.Event()
        self.sent: list[Any] = []
        self._begun = begun
        self.drain = Drain(self._app)
        self.task = asyncio.create_task(
            self.drain({"type": "http", "method": method, "path": "/"}, self._receive, self._send)
        )

    async def _app(self, _scope: Any, _receive: Any, send: Any) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": []}
        if self._begun:
            await send(start)
        self.entered.set()
        await self.let.wait()
        if not self._begun:
            await send(start)
        await send({"type": "http.response.body", "body": b"done"})

    async def _receive(self) -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])


async def test_a_read_that_waits_is_answered_503_with_retry_after() -> None:
    asked = Asked("GET")
    await asked.entered.wait()
    asked.drain.begin()
    await asyncio.wait_for(asked.task, 2)
    assert asked.status == 503
    assert (b"retry-after", b"1") in asked.sent[0]["headers"]


async def test_a_write_that_finishes_is_answered_as_ever() -> None:
    write, read = Asked("POST"), Asked("GET")
    for asked in (write, read):
        await asked.entered.wait()
        asked.drain.begin()
    await asyncio.wait_for(read.task, 2)
    write.let.set()
    await asyncio.wait_for(write.task, 2)
    assert (read.status, write.status) == (503, 200)


async def test_an_answer_that_has_begun_is_not_cut() -> None:
    begun, read = Asked("GET", begun=True), Asked("GET")
    for asked in (begun, read):
        await asked.entered.wait()
        asked.drain.begin()
    await asyncio.wait_for(read.task, 2)
    begun.let.set()
    await asyncio.wait_for(begun.task, 2)
    assert begun.sent[-1]["body"] == b"done"


async def test_a_request_that_its_client_cancels_is_not_answered() -> None:
    asked = Asked("GET")
    await asked.entered.wait()
    asked.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked.task
    assert asked.sent == []
