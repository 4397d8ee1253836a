"""Task context: for whom and as what the code that runs now calls models.

The current task lives under its own key of the OpenTelemetry context. It follows await, create_task, gather and
to_thread by itself, and threads and executors through `threads`. It never becomes baggage, which instrumented HTTP
clients would send to providers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Token
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import ParamSpec, TypeVar

from opentelemetry import context as otel

from . import attributes, hooks
from .decision import Action, Decision
from .identity import Identity
from .money import Money
from .tier import Tier

__all__ = [
    "UNTAGGED",
    "OnWrapUp",
    "Task",
    "current_task",
    "enter",
    "inside",
    "is_volatile",
    "run_in",
    "task_in",
    "volatile",
]

# The workload of calls outside any task, in a process that has a tenant of its own.
UNTAGGED = "untagged"

_KEY = otel.create_key("switchgear-task")
_VOLATILE = otel.create_key("switchgear-volatile")
_log = logging.getLogger("switchgear")

P = ParamSpec("P")
R = TypeVar("R")
OnWrapUp = Callable[[Decision], object]


@dataclass(slots=True)
class _Part:
    """What is said of a task while this process works for it; it stays in this process."""

    failed: bool = False
    paused: bool = False
    on_wrap_up: list[OnWrapUp] = field(default_factory=list)
    """Those that were not called yet. Taking one out is atomic."""
    heard: Decision | None = None
    """The last decision that came for it, with the answer to a call perhaps."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Task:
    """One run of a workload. `root_id` is the id of the task at the top of its tree, its own for that one."""

    id: str
    root_id: str
    parent_id: str | None
    workload: str
    tenant: str
    tier: Tier
    budgets: tuple[tuple[str, Money], ...] = ()
    """(task id, amount) of this task and of each above it that set itself a budget."""
    span_attributes: dict[str, str] = field(default_factory=dict, repr=False)
    started_ns: int = field(default_factory=time.time_ns, repr=False)
    """When it began, wherever that was, in nanoseconds since 1970."""
    user: str | None = None
    """For whom of the tenant's users it runs, where that was said."""
    _part: _Part = field(default_factory=_Part, repr=False)

    @classmethod
    def of(cls, who: Identity) -> Task:
        """The task of that identity, to be worked for in this process."""
        tags = {
            attributes.TENANT: who.tenant,
            attributes.WORKLOAD: who.workload,
            attributes.TASK_ID: who.id,
            attributes.TASK_ROOT_ID: who.root_id,
            attributes.TIER: who.tier.value,
        }
        if who.parent_id is not None:
            tags[attributes.TASK_PARENT_ID] = who.parent_id
        if who.user is not None:
            tags[attributes.USER] = who.user
        return cls(
            who.id,
            who.root_id,
            who.parent_id,
            who.workload,
            who.tenant,
            who.tier,
            who.budgets,
            tags,
            who.started_ns,
            who.user,
        )

    def __reduce__(self) -> tuple[Callable[[Identity], Task], tuple[Identity]]:
        # For process pools. What was said of it in this process stays here, as does its callback.
        return Task.of, (self._identity(),)

    @property
    def decision(self) -> Decision | None:
        """What the task may do now, as last heard; None before the engine was heard."""
        return hooks.decision(self)

    @property
    def remaining(self) -> Decimal | None:
        """What the tightest ceiling still has free, in `decision.currency`; None where none applies."""
        decision = self.decision
        return decision.remaining if decision is not None else None

    @property
    def wrap_up(self) -> bool:
        """Whether it is time to answer with what is there: the next calls may be refused.

        As last heard for its scope, or with the answer to a call of its own: that comes earlier, and knows the budgets
        above it.
        """
        decision, heard = self.decision, self._part.heard
        if decision is not None and _is_time(decision):
            return True
        return heard is not None and _is_time(heard) and heard.valid_until > datetime.now(UTC)

    def failed(self) -> None:
        """Say that it does not reach what it was for, though nothing is raised: it counts as failed when it ends."""
        self._part.failed = True

    def pause(self) -> None:
        """Say that it goes on elsewhere: this part of it tells nothing of how it ended, whatever leaves it.

        To be said once what `carry` gave is kept where the next part will find it.
        """
        self._part.paused = True

    def carry(self) -> str:
        """The task as a line of printable text, for whoever goes on with it: `sg.task.resume(carried)`.

        At most 4,096 characters. Names, times and budgets stand in it, no key; it is not signed, so that it must be
        kept where only those can write who may spend for the tenant. Raises ConfigError for names that are too long.
        """
        return self._identity().to_text()

    @property
    def listens(self) -> bool:
        """Whether `hears` has anybody to call yet."""
        return bool(self._part.on_wrap_up)

    def hears(self, decision: Decision) -> None:
        """Take a decision that came for it: calls `on_wrap_up` where it is time, in the task, and once.

        From any thread, any number of times. What the callback raises is logged, never raised.
        """
        self._part.heard = decision
        if not self._part.on_wrap_up or not _is_time(decision):
            return
        try:
            callback = self._part.on_wrap_up.pop()
        except IndexError:
            return
        try:
            run_in(self, callback, decision)
        except BaseException as error:  # noqa: BLE001 - the thread that heard the decision must not end with it
            _log.warning("on_wrap_up of a task of %r raised %s", self.workload, type(error).__name__)

    def _identity(self) -> Identity:
        return Identity(
            self.id,
            self.root_id,
            self.parent_id,
            self.workload,
            self.tenant,
            self.tier,
            self.user,
            self.started_ns,
            self.budgets,
        )


def current_task() -> Task | None:
    """The task that the running code belongs to, or None."""
    found = otel.get_value(_KEY)
    return found if isinstance(found, Task) else hooks.default_task()


def task_in(context: otel.Context | None) -> Task | None:
    """The task in an OpenTelemetry context (None: the current one), or None."""
    found = otel.get_value(_KEY, context)
    return found if isinstance(found, Task) else None


def enter(task: Task | None) -> Token[otel.Context]:
    """Make it the current task (None: none is), until the token is given to OpenTelemetry's `detach`."""
    return otel.attach(otel.set_value(_KEY, task))


def run_in(task: Task | None, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call `function` as part of `task` (None: outside any), from wherever this runs."""
    token = enter(task)
    try:
        return function(*args, **kwargs)
    finally:
        otel.detach(token)


@contextmanager
def inside(task: Task) -> Iterator[Task]:
    """Run what follows as part of a task that is not this process's to end."""
    hooks.task_begins(task)
    token = enter(task)
    try:
        yield task
    finally:
        otel.detach(token)
        hooks.task_ends(task, None)


@contextmanager
def volatile() -> Iterator[None]:
    """Say that the answers to what follows are of this moment (the weather, a stock): no cache keeps or serves them.

    It holds for calls made in it, in this thread or asyncio task and those that asyncio makes of it. A single request
    says it by a header, which no provider gets: `extra_headers={"x-switchgear-volatile": "1"}`.
    """
    token = otel.attach(otel.set_value(_VOLATILE, value=True))
    try:
        yield
    finally:
        otel.detach(token)


def is_volatile() -> bool:
    """Whether the running code has said so."""
    return otel.get_value(_VOLATILE) is True


def _is_time(decision: Decision) -> bool:
    """Whether a task should answer with what it has."""
    return decision.wrap_up or decision.action in (Action.DEGRADE, Action.DENY)
