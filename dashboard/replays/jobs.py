"""Jobs: replays that a page starts, looks at and may cancel, a few at a time for all viewers in rotation.

A job reads the calls with its viewer's own key and hands them to a process that has no key. Nothing is kept on disk,
and its answer is held by whoever holds the job. A job that nobody looks at any more ends by itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa

from analytics.calls import booked
from collector.queries.sandbox.channel import Channel, packed
from collector.turns import Turns

from .question import Question

__all__ = ["Job", "Jobs", "Limits", "ReplayError"]

State = Literal["waiting", "reading", "replaying", "done", "failed", "cancelled"]
_ENDED = ("done", "failed", "cancelled")
_COMMAND = (sys.executable, "-I", "-m", "dashboard.replays.worker")
# None of ours, which may hold keys; what an installation may need to find its libraries is passed on.
_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "OPENBLAS_NUM_THREADS": "1",
    **{name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
}


class ReplayError(Exception):
    """Why a job cannot go on, in words for its viewer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one job may take. `forgotten_s` is how long nobody may look at it before it ends."""

    calls: int = 200_000
    within_s: float = 1800.0
    memory_bytes: int = 3 * 1024**3
    forgotten_s: float = 240.0
    at_once: int = 2


@dataclass(slots=True)
class Job:
    """One replay. Any thread may look at it; its own thread writes."""

    question: Question
    start: datetime
    stop: datetime
    state: State = "waiting"
    what: str = ""
    """What is being done, in words."""
    done: int = 0
    total: int = 0
    answer: dict[str, Any] | None = None
    error: str | None = None
    began_at: float = 0.0
    _looked_at: float = field(default_factory=time.monotonic)
    _end: Callable[[], None] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state in _ENDED

    @property
    def lasts_s(self) -> float:
        """How long it has been at work."""
        return time.monotonic() - self.began_at if self.began_at else 0.0

    def look(self) -> Job:
        """The job, which now knows that somebody looks at it."""
        self._looked_at = time.monotonic()
        return self

    def cancel(self) -> None:
        """End it at once, whatever it does."""
        self._over("cancelled")

    def _over(self, state: State, *, error: str | None = None, answer: dict[str, Any] | None = None) -> None:
        """It has ended so; the first end counts."""
        with self._lock:
            if not self.is_over:
                self.error, self.answer, self.state = error, answer, state
            end, self._end = self._end, None
        if end is not None:
            end()

    def _reach(self, end: Callable[[], None]) -> bool:
        """Let an end of the job call this; false where it has ended already."""
        with self._lock:
            if self.is_over:
                return False
            self._end = end
            return True


class Jobs:
    """Runs jobs. `close` ends all of them."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._turns = Turns(self.limits.at_once, name="replay", of_one_key=1)
        self._closed = threading.Event()

    def begin(self, job: Job, viewer: str, ask: Callable[[str], pa.Table]) -> Future[None]:
        """Run the job when it is the turn of `viewer`; `ask` has SQL answered, or raises ReplayError."""
        return self._turns.submit(viewer, lambda: self._run(job, ask))

    def close(self) -> None:
        """Begin nothing more, and end what runs."""
        self._closed.set()
        self._turns.close()

    def _run(self, job: Job, ask: Callable[[str], pa.Table]) -> None:
        if self._is_unwanted(job):
            return
        job.began_at = time.monotonic()
        try:
            pages = self._read(job, ask)
            job._over("done", answer=self._replay(job, pages))
        except ReplayError as problem:
            job._over("failed", error=str(problem))
        except Exception:
            job._over("failed", error="the replay ended with a fault of the dashboard's own")
            raise

    def _read(self, job: Job, ask: Callable[[str], pa.Table]) -> list[pa.Table]:
        job.state, job.what = "reading", "reading the calls"

        def progress(read: int, total: int) -> None:
            self._go_on(job)
            job.done, job.total = read, total
            if not total:
                raise ReplayError("There are no calls in this range.")
            if total > self.limits.calls:
                raise ReplayError(
                    f"There are {total:,} calls in this range, and {self.limits.calls:,} are replayed at most. "
                    "Choose a shorter range, or use: switchgear policies backtest"
                )

        return list(booked(ask, job.start, job.stop, progress))

    def _replay(self, job: Job, pages: list[pa.Table]) -> dict[str, Any]:
        job.state, job.what, job.done, job.total = "replaying", "the replay starts", 0, 0
        process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd="/",
            env=_ENVIRONMENT,
        )
        watch = threading.Thread(target=self._watch, args=(job, process), daemon=True)
        try:
            if not job._reach(process.kill):
                raise ReplayError("cancelled")
            watch.start()
            return self._converse(job, process, pages)
        except (OSError, EOFError) as problem:
            raise ReplayError(self._why(job)) from problem
        finally:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def _converse(self, job: Job, process: subprocess.Popen[bytes], pages: list[pa.Table]) -> dict[str, Any]:
        assert process.stdin and process.stdout  # noqa: PT018, S101 - as was asked for
        channel = Channel(process.stdout.fileno(), process.stdin.fileno())
        limits = self.limits
        asked = {"memory_bytes": limits.memory_bytes, "cpu_s": int(limits.within_s) + 1}
        channel.send(asked | {"question": job.question.document()})
        for page in pages:
            if page.num_rows:
                channel.send({}, packed(page.to_batches()))
        channel.send({})
        while True:
            said, _ = channel.receive()
            if "answer" in said:
                return dict(said["answer"])
            if "error" in said:
                raise ReplayError(said["error"])
            job.what, job.done, job.total = said["what"], said["done"], said["total"]

    def _watch(self, job: Job, process: subprocess.Popen[bytes]) -> None:
        """End the process where it is late, or where nobody waits for it any more."""
        while process.poll() is None:
            try:
                self._go_on(job)
            except ReplayError as problem:
                job._over("failed", error=str(problem))
                process.kill()
            self._closed.wait(0.5)

    def _go_on(self, job: Job) -> None:
        """Raises ReplayError where the job is over, late, forgotten, or the dashboard ends."""
        if job.is_over or self._closed.is_set():
            raise ReplayError("cancelled")
        if job.lasts_s > self.limits.within_s:
            raise ReplayError(
                f"It did not finish within {self.limits.within_s / 60:.0f} minutes: choose a shorter range."
            )
        if self._is_unwanted(job):
            raise ReplayError("cancelled")

    def _is_unwanted(self, job: Job) -> bool:
        """Whether it is over before it is done; one that nobody looks at is cancelled here."""
        if time.monotonic() - job._looked_at > self.limits.forgotten_s:
            job.cancel()
        return job.is_over

    def _why(self, job: Job) -> str:
        return job.error or "The process of the replay ended: it may need more memory than there is for one."
