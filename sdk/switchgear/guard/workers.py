"""Workers: a few threads of this process for what may take some 10 ms, so that no event loop waits for it.

They are daemons: nothing that hangs in one of them keeps a process from ending. What is given to them is queued without
taking a lock, since it may come from the garbage collector, in a thread that is in the middle of anything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import Any

from ..context import run_in

__all__ = ["Workers"]

_THREADS = 4
_MOST_WAITING = 64

Job = tuple["Future[Any]", Callable[[], Any]]


class Workers:
    """Does what it is given, as soon as a thread is free."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._waiting: set[Future[Any]] = set()

    def begin(self) -> None:
        """Have the threads run, if they do not yet."""
        if self._threads:
            return
        with self._lock:
            while len(self._threads) < _THREADS:
                thread = threading.Thread(target=self._run, name=self._name, args=(self._jobs,), daemon=True)
                # It outlives the task in which the first job happened to be given.
                run_in(None, thread.start)
                self._threads.append(thread)

    def submit(self, function: Callable[[], Any]) -> Future[Any] | None:
        """What comes of `function`, which raises nothing; None, and nothing is done, where no thread runs or too many
        wait already. Without a lock.
        """
        if not self._threads or len(self._waiting) >= _MOST_WAITING:
            return None
        done: Future[Any] = Future()
        self._waiting.add(done)
        self._jobs.put((done, function))
        return done

    def drain(self, timeout_s: float) -> bool:
        """Wait for what was given; False where that takes longer."""
        return not wait(tuple(self._waiting), timeout_s).not_done

    def close(self) -> None:
        """Let the threads end once they have done what waits."""
        with self._lock:
            for _ in self._threads:
                self._jobs.put(None)
            self._threads = []

    def forked(self) -> None:
        """None of the threads, and nothing of what waits, is this process's."""
        self._lock = threading.Lock()
        self._threads, self._jobs, self._waiting = [], SimpleQueue(), set()

    def _run(self, jobs: SimpleQueue[Job | None]) -> None:
        while (job := jobs.get()) is not None:
            done, function = job
            try:
                done.set_result(function())
            except BaseException as error:  # noqa: BLE001 - it is the asker's, and the thread goes on
                done.set_exception(error)
            self._waiting.discard(done)
            # Not kept until the next job comes.
            del job, done, function
