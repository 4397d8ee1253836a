"""Turns: a few threads that work for many keys in rotation, so that no key waits for the backlog of another."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from math import inf
from typing import Any, TypeVar

__all__ = ["Turns"]

T = TypeVar("T")


class Turns:
    """Each key has a line of its own; a free thread takes one piece of work from the next line.

    What a key waits for is thus one piece of work of each other key, however much they have handed in.
    """

    def __init__(self, threads: int, *, name: str, of_one_key: float = inf) -> None:
        """`of_one_key` is how many threads may work for one key at a time, so that others find some free."""
        self._of_one_key = of_one_key
        self._at_work: Counter[str] = Counter()
        self._lines: OrderedDict[str, deque[tuple[Future[Any], Callable[[], Any]]]] = OrderedDict()
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, key: str, work: Callable[[], T]) -> Future[T]:
        """Do `work` when it is the turn of `key`; the future holds what it returns or raises."""
        done: Future[T] = Future()
        with self._changed:
            if self._closed:
                raise RuntimeError("no work is taken any more")
            self._lines.setdefault(key, deque()).append((done, work))
            self._changed.notify()
        return done

    def close(self) -> None:
        """Finish what has begun, cancel what waits."""
        with self._changed:
            self._closed = True
            for line in self._lines.values():
                for done, _ in line:
                    done.cancel()
            self._lines.clear()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (taken := self._next()) is not None:
            key, done, work = taken
            try:
                if done.set_running_or_notify_cancel():
                    done.set_result(work())
            except BaseException as problem:  # noqa: BLE001 - it is raised where the result is awaited
                done.set_exception(problem)
            finally:
                self._finished(key)

    def _next(self) -> tuple[str, Future[Any], Callable[[], Any]] | None:
        """The first of the line whose turn it is, which then stands last; None when closed."""
        with self._changed:
            while (key := self._whose_turn()) is None:
                if self._closed:
                    return None
                self._changed.wait()
            line = self._lines.pop(key)
            taken = line.popleft()
            if line:
                self._lines[key] = line
            self._at_work[key] += 1
            return key, *taken

    def _whose_turn(self) -> str | None:
        return next((key for key in self._lines if self._at_work[key] < self._of_one_key), None)

    def _finished(self, key: str) -> None:
        with self._changed:
            self._at_work[key] -= 1
            if not self._at_work[key]:
                del self._at_work[key]
            self._changed.notify()
