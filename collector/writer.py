"""Writer: one thread that books what requests hand in, as much at a time as has gathered.

A request's future is done when its calls are on disk. The queue is bounded: when it is full, or when the store
cannot be written, requests are refused and their senders come again; nothing else has to be done to recover.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime

import duckdb

from .call import Call, State
from .errors import BusyError, StoreError
from .merge import Outcome
from .metrics import Metrics
from .pricing import PriceCall
from .store import Booked, Store

__all__ = ["Writer"]

MAX_WAITING_CALLS = 65_536
MAX_BATCH_CALLS = 8_192

_COUNTED = {
    Outcome.NEW: "booked_calls",
    Outcome.TWIN: "merged_spans",
    Outcome.DUPLICATE: "duplicate_spans",
    Outcome.CONFLICT: "conflict_spans",
}


@dataclass(slots=True)
class _Request:
    calls: Sequence[Call]
    done: Future[None]


class Writer:
    """Takes calls from any thread. `start` it once; `close` books everything that is waiting."""

    def __init__(
        self,
        store: Store,
        price: PriceCall,
        metrics: Metrics,
        *,
        now: Callable[[], datetime],
        committed: Callable[[], None],
    ) -> None:
        """`committed` is called after each batch that changed something, from the writer's thread."""
        self._store = store
        self._price = price
        self._metrics = metrics
        self._now = now
        self._committed = committed
        self._waiting: deque[_Request] = deque()
        self._waiting_calls = 0
        self._changed = threading.Condition()
        self._closing = False
        self._broken = False
        self._thread = threading.Thread(target=self._run, name="collector-writer", daemon=True)

    @property
    def healthy(self) -> bool:
        """Whether the last batch could be written."""
        return not self._broken

    @property
    def waiting_calls(self) -> int:
        """Calls that are not on disk yet."""
        return self._waiting_calls

    def start(self) -> None:
        self._thread.start()

    def submit(self, calls: Sequence[Call]) -> Future[None]:
        """Book `calls`; the future is done when they are on disk, or holds the StoreError why they are not.

        Raises BusyError when too much is waiting already or the writer is closing.
        """
        request = _Request(calls, Future())
        with self._changed:
            if self._closing:
                raise BusyError("the collector is stopping; send this again to the next one")
            if self._waiting and self._waiting_calls + len(calls) > MAX_WAITING_CALLS:
                raise BusyError(f"{self._waiting_calls} calls wait to be written; send this again later")
            self._waiting.append(request)
            self._waiting_calls += len(calls)
            self._changed.notify()
        return request.done

    def close(self, timeout_s: float = 30.0) -> None:
        """Take nothing new, book what waits, and stop."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while batch := self._take():
            try:
                self._commit(batch)
            finally:
                with self._changed:
                    self._waiting_calls -= sum(len(request.calls) for request in batch)

    def _take(self) -> list[_Request]:
        """What has gathered, up to a batch's limit; waits for something; empty when closed and done."""
        with self._changed:
            while not self._waiting and not self._closing:
                self._changed.wait()
            batch: list[_Request] = []
            size = 0
            while self._waiting and (not batch or size + len(self._waiting[0].calls) <= MAX_BATCH_CALLS):
                batch.append(self._waiting.popleft())
                size += len(batch[-1].calls)
            return batch

    def _commit(self, batch: Sequence[_Request]) -> None:
        """Book the batch as one; where that fails, each request by itself, so that one cannot fail the rest."""
        problem = self._book(batch)
        if problem is not None and len(batch) > 1:
            for request in batch:
                self._resolve([request], self._book([request]))
        else:
            self._resolve(batch, problem)

    def _book(self, batch: Sequence[_Request]) -> StoreError | None:
        calls = [call for request in batch for call in request.calls]
        began = time.perf_counter()
        try:
            if self._broken:
                self._store.reopen()
            booked = self._store.book(calls, self._price, self._now())
        except StoreError as problem:
            self._broken = True
            return problem
        except duckdb.Error as problem:
            # A full disk leaves the connection usable, a fatal error does not: opening anew heals both.
            self._broken = True
            return StoreError(f"the store cannot be written: {str(problem).strip().splitlines()[0]}")
        except Exception as problem:  # noqa: BLE001 - the thread must outlive whatever one request brings
            return StoreError(f"these calls cannot be booked: {type(problem).__name__}: {problem}")
        self._broken = False
        self._note(booked, time.perf_counter() - began)
        return None

    def _note(self, booked: Booked, seconds: float) -> None:
        self._metrics.observe("commit_seconds", seconds)
        for outcome, count in booked.outcomes.items():
            self._metrics.count(_COUNTED[outcome], count)
        self._metrics.count("unpriced_calls", booked.states[State.UNPRICED])
        self._metrics.count("incomplete_calls", booked.states[State.INCOMPLETE])
        if booked.states:
            self._committed()

    def _resolve(self, batch: Sequence[_Request], problem: StoreError | None) -> None:
        for request in batch:
            if not request.done.set_running_or_notify_cancel():
                continue
            if problem is None:
                request.done.set_result(None)
            else:
                request.done.set_exception(problem)
