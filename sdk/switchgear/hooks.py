"""What a task asks of the configured process: one slot, empty until `configure` fills it.

It keeps `context` free of the runtime: tasks work, and tag spans, in a process that configures nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .tier import Tier

if TYPE_CHECKING:
    from .context import Task
    from .decision import Decision
    from .hosts import Hosts
    from .outcome import Outcome

__all__ = [
    "Host",
    "decision",
    "default_task",
    "default_tenant",
    "default_tier",
    "install",
    "propagate_to",
    "task_begins",
    "task_ends",
]


class Host(Protocol):
    """What the configured runtime offers to tasks."""

    def task_begins(self, task: Task) -> None:
        """This process begins to work for the task: at its beginning, or because it goes on here."""

    def task_ends(self, task: Task, outcome: Outcome | None) -> None:
        """Once for each `task_begins`. None: only this process's part ends, and how the task does is not known here."""

    def decision(self, task: Task) -> Decision | None: ...
    def default_task(self) -> Task | None:
        """The task that the whole process is part of, as its environment says."""

    def default_tenant(self) -> str | None: ...
    def default_tier(self) -> Tier: ...
    def propagate_to(self) -> Hosts | None:
        """The hosts that may be told the task of a request."""


_host: Host | None = None


def install(host: Host | None) -> None:
    """Put the runtime in place, or take it away."""
    global _host
    _host = host


def task_begins(task: Task) -> None:
    if _host is not None:
        _host.task_begins(task)


def task_ends(task: Task, outcome: Outcome | None) -> None:
    if _host is not None:
        _host.task_ends(task, outcome)


def decision(task: Task) -> Decision | None:
    return _host.decision(task) if _host is not None else None


def default_task() -> Task | None:
    return _host.default_task() if _host is not None else None


def default_tenant() -> str | None:
    return _host.default_tenant() if _host is not None else None


def default_tier() -> Tier:
    return _host.default_tier() if _host is not None else Tier.BATCH


def propagate_to() -> Hosts | None:
    return _host.propagate_to() if _host is not None else None
