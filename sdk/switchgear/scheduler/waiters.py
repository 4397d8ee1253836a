"""Those who wait: a thread, or a coroutine in its event loop; and what wakes them when only time has to pass.

There is no thread for that. Of the threads that wait for a lane one keeps the time, its wait ends when somebody may go;
where none waits, each event loop in which somebody does has one timer.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from math import inf
from typing import Protocol

__all__ = ["Alarm", "InLoop", "InThread", "Waiter"]


class Waiter(Protocol):
    """Somebody to wake, from any thread."""

    def wake(self) -> None:
        """Its call may go, or it is to look. Raises RuntimeError where its event loop is closed."""


class InThread:
    """A thread that waits. It is woken and cleared under its gate's lock alone, so that no wake-up is lost."""

    __slots__ = ("_event", "until")

    def __init__(self, until: float) -> None:
        self.until = until
        """When it looks by itself."""
        self._event = threading.Event()

    def wake(self) -> None:
        self._event.set()

    def clear(self) -> None:
        """What it was woken for it has seen."""
        self._event.clear()

    def wait(self, now: float) -> None:
        """Until it is woken, or `until`."""
        self._event.wait(
            None if self.until == inf else min(max(0.0, self.until - now), threading.TIMEOUT_MAX)
        )


class InLoop:
    """A coroutine that waits in its event loop."""

    __slots__ = ("_future", "_loop", "_thread")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread = threading.get_ident()
        self._future: asyncio.Future[None] = loop.create_future()

    def wake(self) -> None:
        if threading.get_ident() == self._thread:
            if self._loop.is_closed():
                raise RuntimeError("Event loop is closed")
            self._done()
        else:
            self._loop.call_soon_threadsafe(self._done)

    async def wait(self) -> None:
        """Until it is woken."""
        await self._future

    def _done(self) -> None:
        if not self._future.done():
            self._future.set_result(None)


class Alarm:
    """An event loop's timer for one lane. Made in the loop's own thread; `waiters` is for its owner to count."""

    __slots__ = ("_clock", "_handle", "_loop", "_ring", "_thread", "_until", "waiters")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None], clock: Callable[[], float]
    ) -> None:
        self.waiters = 0
        self._clock = clock
        self._loop = loop
        self._ring = ring
        self._thread = threading.get_ident()
        self._until = inf
        self._handle: asyncio.TimerHandle | None = None

    def set(self, until: float) -> None:
        """Ring then, or earlier. Raises RuntimeError where the event loop is closed."""
        if until >= self._until:
            return
        self._until = until
        if threading.get_ident() == self._thread:
            self._start()
        else:
            self._loop.call_soon_threadsafe(self._start)

    def stop(self) -> None:
        """Ring no more; called in the loop's own thread."""
        self._until = inf
        self._start()

    def _start(self) -> None:
        # As things are now: between being asked to and doing it, it may have rung, or been stopped.
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._until < inf:
            self._handle = self._loop.call_later(max(0.0, self._until - self._clock()), self._rings)

    def _rings(self) -> None:
        self._until = inf
        self._ring()
