"""Workers: the processes of the sandbox, as the collector starts, lends and kills them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ...errors import BusyError
from .channel import Channel

__all__ = ["Worker", "Workers"]

_STARTS_WITHIN_S = 20.0
_COMMAND = (sys.executable, "-I", "-m", "collector.queries.sandbox")
# None of ours, which hold the API key; what an installation may need to find its libraries is passed on.
_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "OPENBLAS_NUM_THREADS": "1",
    **{name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
}


class Worker:
    """One process. One thread at a time speaks to it; `kill` may come from any."""

    def __init__(self) -> None:
        """Start it. Nothing of this process reaches it: no open files, no folder, no variables."""
        self.is_worn_out = False
        self.is_ready = False
        self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd="/",
            env=_ENVIRONMENT,
        )
        assert self._process.stdout and self._process.stdin  # noqa: PT018, S101 - as was asked for
        self._pipes = self._process.stdout, self._process.stdin
        self.channel = Channel(*(pipe.fileno() for pipe in self._pipes))

    @property
    def is_alive(self) -> bool:
        """Whether it can still be spoken to."""
        return self._process.poll() is None

    def await_ready(self) -> None:
        """Return when it can be asked. Raises EOFError where it ends instead, or does not start in time."""
        if self.is_ready:
            return
        timer = threading.Timer(_STARTS_WITHIN_S, self.kill)
        timer.start()
        try:
            self.channel.receive()
            self.is_ready = True
        finally:
            timer.cancel()

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def kill(self) -> None:
        """End it, whatever it does at the moment."""
        self._process.kill()

    def bury(self) -> None:
        """End it, and let go of everything that it holds in this process."""
        self.kill()
        self._process.wait()
        for pipe in self._pipes:
            pipe.close()


class Workers:
    """Processes that are started when they are needed, lent to one question at a time, and kept for the next."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._lent: set[Worker] = set()
        self._closed = False

    @property
    def pids(self) -> set[int]:
        """The ids of all its processes."""
        with self._lock:
            return {worker.pid for worker in (*self._idle, *self._lent)}

    @contextmanager
    def lend(self) -> Iterator[Worker]:
        """A process that can be asked. Where this ends with an exception, nobody is lent it again."""
        worker = self._take()
        fit = False
        try:
            yield worker
            fit = not worker.is_worn_out
        finally:
            self._give_back(worker, fit=fit)

    def close(self) -> None:
        """End all of them, the lent ones too."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for worker in self._lent:
                worker.kill()
        for worker in idle:
            worker.bury()

    def _take(self) -> Worker:
        with self._lock:
            if self._closed:
                raise BusyError("the service stops; ask again shortly")
            while self._idle and not self._idle[-1].is_alive:
                self._idle.pop().bury()
            worker = self._idle.pop() if self._idle else Worker()
            self._lent.add(worker)
        try:
            worker.await_ready()
        except (EOFError, OSError) as problem:
            self._give_back(worker, fit=False)
            raise BusyError("the process for queries does not start; ask again later") from problem
        return worker

    def _give_back(self, worker: Worker, *, fit: bool) -> None:
        with self._lock:
            self._lent.discard(worker)
            fit = fit and not self._closed
            if fit:
                self._idle.append(worker)
            elif worker.is_ready and not self._closed:
                # The one in its place starts while nobody waits for it; one that did not even start has none.
                self._idle.insert(0, Worker())
        if not fit:
            worker.bury()
