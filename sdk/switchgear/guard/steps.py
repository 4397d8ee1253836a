"""A call in steps: what it does is written once, and driven by synchronous and asynchronous callers alike.

A script is a generator. It yields what is to be done (wait for an answer, pause, take a slot, make an attempt) and is
sent what came of it; only how one waits differs between the two drivers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from inspect import isawaitable
from typing import Any, TypeVar

from ..scheduler import Scheduler

__all__ = ["Ask", "Attempt", "Drop", "Pause", "Script", "Step", "Take", "drive", "drive_async"]


@dataclass(frozen=True, slots=True)
class Ask:
    """Wait for an answer of the policy engine, or of the cache; None where it does not come within a given time."""

    answer: Future[Any]
    within_s: float | None = None


@dataclass(frozen=True, slots=True)
class Take:
    """Wait for a slot of the scheduler: `asked` are the arguments of its `acquire`."""

    scheduler: Scheduler
    asked: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pause:
    """Do nothing for a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Drop:
    """Close a response that nobody will read; what `close` returns is awaited where it can be."""

    close: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Attempt:
    """Send the request, with another body where one is given."""

    body: bytes | None


Step = Ask | Take | Pause | Drop | Attempt
R = TypeVar("R")
Script = Generator[Step, Any, R]


def drive(script: Script[R], attempt: Callable[[bytes | None], Any]) -> R:
    """Run a script in this thread; `attempt` makes one request. Raises what the script raises."""
    resume: Callable[[Any], Step] = script.send
    with_: Any = None
    while True:
        try:
            step = resume(with_)
        except StopIteration as done:
            result: R = done.value
            return result
        try:
            match step:
                case Attempt():
                    with_ = attempt(step.body)
                case Ask():
                    with_ = _result(step)
                case Take():
                    with_ = step.scheduler.acquire(**step.asked)
                case Pause():
                    with_ = None
                    time.sleep(step.seconds)
                case Drop():
                    with_ = step.close()
        except BaseException as error:  # noqa: BLE001 - it is the script's to say what follows
            resume, with_ = script.throw, error
        else:
            resume = script.send


async def drive_async(script: Script[R], attempt: Callable[[bytes | None], Awaitable[Any]]) -> R:
    """Run a script in this event loop, asyncio's or whichever else anyio knows, as `drive` does."""
    resume: Callable[[Any], Step] = script.send
    with_: Any = None
    while True:
        try:
            step = resume(with_)
        except StopIteration as done:
            result: R = done.value
            return result
        try:
            match step:
                case Attempt():
                    with_ = await attempt(step.body)
                case Ask():
                    with_ = await _answer(step)
                case Take():
                    with_ = await _slot(step)
                case Pause():
                    with_ = None
                    await _sleep(step.seconds)
                case Drop():
                    closing = step.close()
                    with_ = await closing if isawaitable(closing) else closing
        except BaseException as error:  # noqa: BLE001 - as above
            resume, with_ = script.throw, error
        else:
            resume = script.send


def _result(of: Ask) -> Any:
    try:
        return of.answer.result(of.within_s)
    except TimeoutError:
        if of.answer.done():
            raise
        return None


async def _answer(of: Ask) -> Any:
    """A caller who is cancelled leaves it to the script what becomes of the question."""
    if not _in_asyncio():
        from anyio import to_thread

        return await to_thread.run_sync(partial(_result, of), abandon_on_cancel=True)
    if of.within_s is None:
        return await asyncio.shield(asyncio.wrap_future(of.answer))
    loop, told = asyncio.get_running_loop(), asyncio.Event()

    def tell(_: Future[Any]) -> None:
        with suppress(RuntimeError):  # the loop has ended, and whoever waited there has, too
            loop.call_soon_threadsafe(told.set)

    of.answer.add_done_callback(tell)
    with suppress(TimeoutError):
        await asyncio.wait_for(told.wait(), of.within_s)
    return of.answer.result() if of.answer.done() else None


async def _slot(step: Take) -> Any:
    if _in_asyncio():
        return await step.scheduler.acquire_async(**step.asked)
    from anyio import to_thread

    # Not abandoned: a slot that came later would be nobody's.
    return await to_thread.run_sync(partial(step.scheduler.acquire, **step.asked))


async def _sleep(seconds: float) -> None:
    if _in_asyncio():
        await asyncio.sleep(seconds)
        return
    from anyio import sleep

    await sleep(seconds)


def _in_asyncio() -> bool:
    """Not so under trio, where providers' SDKs work as well."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
