"""Beside: work in a process of its own, and its value once it is done.

It is forked, so that it knows what its parent knew; a parent with threads must not use it.
"""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Callable
from typing import Any, Generic, TypeVar

__all__ = ["FORK", "Beside", "cpu_s"]

T = TypeVar("T")

FORK = multiprocessing.get_context("fork")


class Beside(Generic[T]):
    """`work(*arguments)` under way."""

    def __init__(self, work: Callable[..., T], *arguments: Any) -> None:
        """Start it."""
        self._pipe, theirs = FORK.Pipe(duplex=False)
        self._process = FORK.Process(target=_run, args=(theirs, work, arguments), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def done(self) -> bool:
        """Whether `value` is there, or will not come."""
        return self._pipe.poll() or not self._process.is_alive()

    def value(self) -> T:
        """Wait for it. Raises RuntimeError where the work failed."""
        try:
            value, problem = self._pipe.recv()
        except EOFError:
            value, problem = None, "it was killed"
        self._process.join()
        if problem is not None:
            raise RuntimeError(problem)
        return value  # type: ignore[no-any-return]


def cpu_s() -> float:
    """Processor time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _run(pipe: Any, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        pipe.send((work(*arguments), None))
    except Exception as problem:  # noqa: BLE001 - raised again where the value is awaited
        pipe.send((None, repr(problem)))
