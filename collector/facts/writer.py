"""Writer: one thread that brings what requests hand in to the journal, as much at a time as has gathered.

A request's future is done when its facts are on disk: one fsync acknowledges all that waited for it. What may wait is
bounded, here and on the way into the database: beyond it, or while the journal or the database cannot be written,
requests are refused and their senders come again; nothing else has to be done to recover.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from ..errors import BusyError, StoreError
from ..metrics import Metrics
from .booker import Booker, Taken
from .journal import Journal
from .rows import EPOCH, Packed

__all__ = ["Writer"]

MAX_WAITING = 131_072
"""Facts and reasons that are not booked yet, on disk or not: some 100 MB."""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Request:
    packed: Packed
    done: Future[None]


class Writer:
    """Takes facts from any thread. `start` it once; `close` writes and books everything that is waiting."""

    def __init__(
        self, journal: Journal, booker: Booker, metrics: Metrics, *, now: Callable[[], datetime]
    ) -> None:
        self._journal = journal
        self._booker = booker
        self._metrics = metrics
        self._now = now
        self._waiting: deque[_Request] = deque()
        self._waiting_size = 0
        self._changed = threading.Condition()
        self._closing = False
        self._broken = False
        self.acknowledged = journal.written
        """The number of the last fact that was acknowledged, by this process or one before it."""
        self._thread = threading.Thread(target=self._run, name="collector-journal", daemon=True)

    @property
    def healthy(self) -> bool:
        """Whether the last write to the journal and the last one to the database succeeded."""
        return not self._broken and self._booker.healthy

    @property
    def waiting(self) -> int:
        """Facts, and reasons why spans are none, that are not in the database yet."""
        return self._waiting_size + self._booker.waiting

    def start(self) -> None:
        self._booker.start()
        self._thread.start()

    def submit(self, packed: Packed) -> Future[None]:
        """Keep the facts; the future is done when they are on disk, or holds the StoreError why they are not.

        Raises BusyError when too much is waiting already or the writer is closing.
        """
        request = _Request(packed, Future())
        with self._changed:
            if self._closing:
                raise BusyError("the collector is stopping; send this again to the next one")
            waiting = self.waiting
            if waiting and waiting + packed.size > MAX_WAITING:
                raise BusyError(f"{waiting} spans wait to be booked; send this again later")
            self._waiting.append(request)
            self._waiting_size += packed.size
            self._changed.notify()
        return request.done

    def hurry(self) -> None:
        """Book what is acknowledged as soon as can be: somebody asks for it."""
        self._booker.hurry()

    def close(self, timeout_s: float = 30.0) -> None:
        """Take nothing new, write and book what waits, and stop."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._booker.close(timeout_s)

    def _run(self) -> None:
        while batch := self._take():
            problem: StoreError | None
            try:
                problem = self._write(batch)
            except Exception as fault:  # noqa: BLE001 - the thread goes on: nobody else writes
                _log.exception("%d requests cannot be written", len(batch))
                problem = StoreError(f"these facts cannot be written: {type(fault).__name__}; see the log")
            with self._changed:
                self._waiting_size -= sum(request.packed.size for request in batch)
            _resolve(batch, problem)

    def _take(self) -> list[_Request]:
        """All that has gathered; waits for something; empty when closed and done."""
        with self._changed:
            while not self._waiting and not self._closing:
                self._changed.wait()
            batch = list(self._waiting)
            self._waiting.clear()
            return batch

    def _write(self, batch: Sequence[_Request]) -> StoreError | None:
        """Bring the batch to the disk and hand it on to be booked; what stands in the way."""
        taken_us = round((self._now() - EPOCH).total_seconds() * 1_000_000)
        with_facts = [each.packed for each in batch if each.packed.facts.num_rows]
        firsts: Iterator[int] = iter(())
        if with_facts:
            began = time.perf_counter()
            try:
                entries = [
                    entry
                    for kind, same in groupby(with_facts, attrgetter("kind"))
                    for entry in self._journal.append(
                        [(packed.payload, packed.facts.num_rows) for packed in same], taken_us, kind
                    )
                ]
            except StoreError as problem:
                self._broken = True
                return problem
            self._broken = False
            self.acknowledged = entries[-1].last
            self._metrics.observe("fsync_seconds", time.perf_counter() - began)
            firsts = iter([entry.first for entry in entries])
        self._booker.put(
            [
                Taken(each.packed, next(firsts) if each.packed.facts.num_rows else 0, taken_us)
                for each in batch
            ]
        )
        return None


def _resolve(batch: Sequence[_Request], problem: StoreError | None) -> None:
    for request in batch:
        if not request.done.set_running_or_notify_cancel():
            continue
        if problem is None:
            request.done.set_result(None)
        else:
            request.done.set_exception(problem)
