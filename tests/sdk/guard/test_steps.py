"""A script is driven alike by synchronous and asynchronous callers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future
from typing import Any

import pytest

from switchgear.guard.steps import Ask, Attempt, Drop, Pause, Script, Step, drive, drive_async

Attempts = Callable[[bytes | None], Any]
Driver = Callable[[Script[Any], Attempts], Any]


def synchronous(script: Script[Any], attempt: Attempts) -> Any:
    return drive(script, attempt)


def asynchronous(script: Script[Any], attempt: Attempts) -> Any:
    async def awaited(body: bytes | None) -> Any:
        return attempt(body)

    def awaiting(body: bytes | None) -> Awaitable[Any]:
        return awaited(body)

    return asyncio.run(drive_async(script, awaiting))


def under_trio(script: Script[Any], attempt: Attempts) -> Any:
    trio = pytest.importorskip("trio")

    async def awaited(body: bytes | None) -> Any:
        return attempt(body)

    async def run() -> Any:
        return await drive_async(script, awaited)

    return trio.run(run)


DRIVERS = pytest.mark.parametrize(
    "driver",
    [
        pytest.param(synchronous, id="sync"),
        pytest.param(asynchronous, id="async"),
        pytest.param(under_trio, id="trio"),
    ],
)


def answered(value: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future


@DRIVERS
def test_each_step_is_done_and_answered(driver: Driver) -> None:
    closed: list[str] = []

    def script() -> Generator[Step, Any, list[Any]]:
        asked = yield Ask(answered("granted"))
        yield Pause(0.0)
        yield Drop(lambda: closed.append("first"))
        sent = yield Attempt(b"body")
        return [asked, sent]

    assert driver(script(), lambda body: body) == ["granted", b"body"]
    assert closed == ["first"]


@DRIVERS
def test_what_an_attempt_raises_is_raised_where_the_script_waits(driver: Driver) -> None:
    def script() -> Generator[Step, Any, str]:
        try:
            yield Attempt(None)
        except ValueError as error:
            return f"seen: {error}"
        return "unseen"

    def attempt(_body: bytes | None) -> None:
        raise ValueError("reset")

    assert driver(script(), attempt) == "seen: reset"


@DRIVERS
def test_what_a_script_raises_reaches_the_caller(driver: Driver) -> None:
    def script() -> Generator[Step, Any, None]:
        yield Pause(0.0)
        raise LookupError("denied")

    with pytest.raises(LookupError, match="denied"):
        driver(script(), lambda body: body)


async def test_a_cancelled_caller_is_told_to_the_script() -> None:
    seen: list[type[BaseException]] = []

    def script() -> Generator[Step, Any, None]:
        try:
            yield Ask(Future())
        except BaseException as error:
            seen.append(type(error))
            raise

    async def attempt(_body: bytes | None) -> None: ...

    waiting = asyncio.ensure_future(drive_async(script(), attempt))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert seen == [asyncio.CancelledError]
