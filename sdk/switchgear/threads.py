"""Carries the current task into threads and executors, which start with an empty context of their own.

Only switchgear's task is carried; a thread started outside a task is left exactly as it is.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from .context import current_task, run_in

__all__ = ["carry", "stop"]

_start = threading.Thread.start
_submit = ThreadPoolExecutor.submit


def carry() -> None:
    """From now on threads and thread pools run what they are given in the task that gave it."""
    threading.Thread.start = _start_in_task  # type: ignore[method-assign,assignment]
    ThreadPoolExecutor.submit = _submit_in_task  # type: ignore[method-assign,assignment]


def stop() -> None:
    """Back to how Python does it."""
    threading.Thread.start = _start  # type: ignore[method-assign]
    ThreadPoolExecutor.submit = _submit  # type: ignore[method-assign]


def _start_in_task(thread: threading.Thread) -> None:
    task = current_task()
    if task is not None:
        thread.run = partial(run_in, task, thread.run)  # type: ignore[method-assign]
    _start(thread)


def _submit_in_task(pool: ThreadPoolExecutor, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
    task = current_task()
    if task is None:
        return _submit(pool, function, *args, **kwargs)
    # Outside any task, since submitting may start a worker thread, which outlives this one.
    return run_in(None, _submit, pool, partial(run_in, task, function), *args, **kwargs)
