"""Carries the current task into threads, processes and their pools, which start with a context of their own.

Only switchgear's task is carried; what is started outside a task is left exactly as it is. What a process is given then
names `switchgear`, which the new process imports to run it. A `multiprocessing.Pool` stays in the task in which it was
made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial, wraps
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

from .context import current_task, run_in

__all__ = ["carry", "stop"]


class _Patch(NamedTuple):
    """A method that was put in another's place, which is restored only where nobody has put in one since."""

    owner: type[Any]
    name: str
    before: Any
    ours: Any


_patches: list[_Patch] = []


def carry() -> None:
    """From now on threads, processes and pools run what they are given in the task that gave it."""
    for owner, name, carrying in (
        (threading.Thread, "start", _starting),
        (BaseProcess, "start", _starting),
        (ThreadPoolExecutor, "submit", _submitting),
        (ProcessPoolExecutor, "submit", _submitting),
    ):
        # What is there now: others patch them, too, and may have done so since this was imported.
        ours = carrying(getattr(owner, name))
        _patches.append(_Patch(owner, name, vars(owner)[name], ours))
        setattr(owner, name, ours)


def stop() -> None:
    """Back to how it was; what others have put around it since stays, and carries nothing any more."""
    while _patches:
        patch = _patches.pop()
        if vars(patch.owner)[patch.name] is patch.ours:
            setattr(patch.owner, patch.name, patch.before)


def _carried(method: Any) -> Any:
    """The task to carry; None outside any, and where what carries has been stopped but others still call it."""
    return current_task() if any(patch.ours is method for patch in _patches) else None


def _starting(start: Callable[[Any], None]) -> Callable[[Any], None]:
    @wraps(start)
    def start_in_task(thread: Any) -> None:
        task = _carried(start_in_task)
        if task is not None:
            thread.run = partial(run_in, task, thread.run)
        start(thread)

    return start_in_task


def _submitting(submit: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(submit)
    def submit_in_task(pool: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        task = _carried(submit_in_task)
        if task is None:
            return submit(pool, function, *args, **kwargs)
        # Outside any task, since submitting may start a worker thread, which outlives this one.
        return run_in(None, submit, pool, partial(run_in, task, function), *args, **kwargs)

    return submit_in_task
