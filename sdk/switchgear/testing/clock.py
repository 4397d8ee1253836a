"""A clock that tests move by hand, and an event loop that sleeps in its time: an hour of waiting takes no time."""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

__all__ = ["VirtualClock"]

T = TypeVar("T")

_BEGINS = datetime(2026, 1, 1, tzinfo=UTC)


class VirtualClock:
    """Monotonic and wall time that pass only by `advance`. May be read and moved from any thread.

    clock = VirtualClock()
    clock.advance(90)
    clock.monotonic(), clock.now()   # 90.0, 2026-01-01 00:01:30 UTC
    """

    def __init__(self, begins: datetime = _BEGINS) -> None:
        """`begins` is the wall time at the start, with a time zone; monotonic time starts at 0."""
        if begins.tzinfo is None:
            raise ValueError(f"{begins}: names no time zone")
        self._begins = begins
        self._passed_s = 0.0
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        """Seconds since the start, as `time.monotonic` has them."""
        return self._passed_s

    def time(self) -> float:
        """Seconds since 1970, as `time.time` has them."""
        return self._begins.timestamp() + self._passed_s

    def now(self) -> datetime:
        """The wall time, in the zone of the start."""
        return self._begins + timedelta(seconds=self._passed_s)

    def advance(self, seconds: float) -> None:
        """Let so much time pass; never backwards."""
        if seconds < 0:
            raise ValueError(f"{seconds} s: time does not go backwards")
        with self._lock:
            self._passed_s += seconds

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine, as `asyncio.run` does, in an event loop that has this clock's time.

        Whenever all of its tasks sleep, time jumps to where the first of them wakes. What other threads and sockets do
        passes in no time, so that a time-out on them comes at once: this is for programs that only sleep and wait for
        one another.
        """
        with asyncio.Runner(loop_factory=lambda: _VirtualLoop(self)) as runner:
            return runner.run(main)


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        super().__init__(_Jumping(clock))

    def time(self) -> float:
        return self._clock.monotonic()


class _Jumping(selectors.DefaultSelector):
    """Lets the clock jump instead of waiting for time to pass."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            # Nobody sleeps: only another thread can wake somebody.
            return super().select(None)
        ready = super().select(0)
        if not ready and timeout > 0:
            self._clock.advance(timeout)
        return ready
