"""Carries the current task into threads, processes and their pools, which start with a context of their own.

Only switchgear's task is carried; what is started outside a task is left exactly as it is. What a process is given then
names `switchgear`, which the new process imports to run it. A `multiprocessing.Pool` stays in the task in which it was
made.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing.process import BaseProcess
from typing import Any

from .context import current_task, run_in

__all__ = ["carry", "stop"]

_start = threading.Thread.start
_start_process = BaseProcess.start
_submit = ThreadPoolExecutor.submit
_submit_to_process = ProcessPoolExecutor.submit


def carry() -> None:
    """From now on threads, processes and pools run what they are given in the task that gave it."""
    threading.Thread.start = _start_in_task  # type: ignore[method-assign,assignment]
    BaseProcess.start = _start_process_in_task  # type: ignore[method-assign,assignment]
    ThreadPoolExecutor.submit = _submit_in_task  # type: ignore[method-assign,assignment]
    ProcessPoolExecutor.submit = _submit_to_process_in_task  # type: ignore[method-assign,assignment]


def stop() -> None:
    """Back to how Python does it."""
    threading.Thread.start = _start  # type: ignore[method-assign]
    BaseProcess.start = _start_process  # type: ignore[method-assign]
    ThreadPoolExecutor.submit = _submit  # type: ignore[method-assign]
    ProcessPoolExecutor.submit = _submit_to_process  # type: ignore[method-assign]


def _start_in_task(thread: threading.Thread) -> None:
    task = current_task()
    if task is not None:
        thread.run = partial(run_in, task, thread.run)  # type: ignore[method-assign]
    _start(thread)


def _start_process_in_task(process: BaseProcess) -> None:
    task = current_task()
    if task is not None:
        process.run = partial(run_in, task, process.run)  # type: ignore[method-assign]
    _start_process(process)


def _submit_in_task(pool: ThreadPoolExecutor, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
    task = current_task()
    if task is None:
        return _submit(pool, function, *args, **kwargs)
    # Outside any task, since submitting may start a worker thread, which outlives this one.
    return run_in(None, _submit, pool, partial(run_in, task, function), *args, **kwargs)


def _submit_to_process_in_task(
    pool: ProcessPoolExecutor, function: Any, /, *args: Any, **kwargs: Any
) -> Future[Any]:
    task = current_task()
    if task is None:
        return _submit_to_process(pool, function, *args, **kwargs)
    return run_in(None, _submit_to_process, pool, partial(run_in, task, function), *args, **kwargs)
