"""Workers: a look is work for a processor, so that a few threads do it, and few wait for them.

Whoever asks waits for an answer that is worth less than asking the model: where too many wait, the next is told so at
once, and one tenant's many leave room for another's few.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["BusyError", "Workers"]

T = TypeVar("T")


class BusyError(Exception):
    """Too many wait already, or it was waited too long for a thread."""


class Workers:
    """`threads` of them; at most `waiting` pieces of work are under way, of one tenant half of those."""

    def __init__(self, *, threads: int = 2, waiting: int = 32) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="switchgear-cache")
        self._waiting = waiting
        self._of: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.refused = 0

    @property
    def under_way(self) -> int:
        """How many pieces of work wait or are being done."""
        with self._lock:
            return self._of.total()

    @property
    def full(self) -> bool:
        """Whether whoever comes next is refused, whoever it is."""
        return self.under_way >= self._waiting

    async def run(self, tenant: str, work: Callable[[], T], *, start_within_s: float | None = None) -> T:
        """What the work comes to. Raises BusyError where it is not begun, or not within that time."""
        with self._lock:
            if self._of.total() >= self._waiting or self._of[tenant] >= max(1, self._waiting // 2):
                self.refused += 1
                raise BusyError
            self._of[tenant] += 1
        asked_at = time.monotonic()

        def begun() -> T:
            if start_within_s is not None and time.monotonic() - asked_at > start_within_s:
                with self._lock:
                    self.refused += 1
                raise BusyError
            return work()

        # Counted until the thread is done with it, also where nobody waits for it any more.
        done: Future[T] = self._pool.submit(begun)
        done.add_done_callback(lambda _: self._ended(tenant))
        return await asyncio.wrap_future(done)

    def close(self) -> None:
        """Finish what is begun, and nothing else."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _ended(self, tenant: str) -> None:
        with self._lock:
            self._of[tenant] -= 1
            if not self._of[tenant]:
                del self._of[tenant]
