"""Task context: for whom and as what the code that runs now calls models.

The current task lives under its own key of the OpenTelemetry context. It follows await, create_task, gather and
to_thread by itself, and threads and executors through `threads`. It never becomes baggage, which instrumented HTTP
clients would send to providers.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from contextvars import Token
from copy import copy
from dataclasses import dataclass, field
from decimal import Decimal
from functools import wraps
from inspect import iscoroutinefunction
from threading import Event
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from opentelemetry import context as otel

from . import attributes, hooks
from .decision import Action, Decision
from .errors import ConfigError
from .money import Money
from .outcome import outcome_of
from .tier import Tier

__all__ = ["UNTAGGED", "Task", "current_task", "run_in", "task"]

# The workload of calls outside any task, in a process that has a tenant of its own.
UNTAGGED = "untagged"

_KEY = otel.create_key("switchgear-task")
_NAME_LIMIT = 128

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, eq=False)
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
    """When it began, in nanoseconds since 1970."""
    _failed: Event = field(default_factory=Event, repr=False)

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
        """Whether it is time to answer with what is there: the next calls may be refused."""
        decision = self.decision
        return decision is not None and (decision.wrap_up or decision.action in (Action.DEGRADE, Action.DENY))

    def failed(self) -> None:
        """Say that it does not reach what it was for, though nothing is raised: it counts as failed when it ends."""
        self._failed.set()


def current_task() -> Task | None:
    """The task that the running code belongs to, or None."""
    return task_in(None)


def task_in(context: otel.Context | None) -> Task | None:
    """The task in an OpenTelemetry context (None: the current one)."""
    found = otel.get_value(_KEY, context)
    return found if isinstance(found, Task) else None


def run_in(task: Task | None, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call `function` as part of `task` (None: outside any), from wherever this runs."""
    token = otel.attach(otel.set_value(_KEY, task))
    try:
        return function(*args, **kwargs)
    finally:
        otel.detach(token)


class task:  # noqa: N801 - used like a function: with task(...), @task(...)
    """Run what follows as a task: `with`, `async with`, or a decorator on a function or coroutine function.

    A task inside another one is a sub-agent of it: it inherits tenant and tier, and shares the root's ceiling.
    `budget` ("0.50 USD", for the task and those inside it) may lower what policies allow, never raise it.
    `id` names a task that is known elsewhere. `user` names for whom of the tenant's users it runs, by whatever name may
    be kept: a pseudonym will do. How it ends is told to the collector, as one span.

        with task("summarize-sales", tenant="acme", tier="interactive", budget="0.50 USD") as t: ...
    """

    def __init__(
        self,
        workload: str,
        *,
        tenant: str | None = None,
        tier: str | None = None,
        budget: str | None = None,
        id: str | None = None,  # noqa: A002 - the public name, fixed by the design
        user: str | None = None,
    ) -> None:
        self._workload = _name("workload", workload)
        self._tenant = None if tenant is None else _name("tenant", tenant)
        self._tier = None if tier is None else _parsed("tier", Tier.parse, tier)
        self._budget = None if budget is None else _parsed("budget", _budget, budget)
        self._id = None if id is None else _name("id", id)
        self._user = None if user is None else _name("user", user)
        self._entered: list[tuple[Task, Token[otel.Context]]] = []

    def __enter__(self) -> Task:
        begun = self._begin()
        self._entered.append((begun, otel.attach(otel.set_value(_KEY, begun))))
        hooks.task_begins(begun)
        return begun

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ended, token = self._entered.pop()
        otel.detach(token)
        hooks.task_ends(ended, outcome_of(error, failed=ended._failed.is_set()))

    async def __aenter__(self) -> Task:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        if iscoroutinefunction(function):

            @wraps(function)
            async def run_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                with self._again():
                    return await function(*args, **kwargs)

            return run_async  # type: ignore[return-value]

        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            with self._again():
                return function(*args, **kwargs)

        return run

    def _again(self) -> task:
        """A scope of its own for one call of a decorated function, which may run many times at once."""
        fresh = copy(self)
        fresh._entered = []
        return fresh

    def _begin(self) -> Task:
        parent = current_task()
        tenant = self._tenant or (parent.tenant if parent else hooks.default_tenant())
        if tenant is None:
            raise ConfigError(
                f'task("{self._workload}") has no tenant; pass tenant="...", or set SWITCHGEAR_TENANT for the process'
            )
        if parent is not None and tenant != parent.tenant:
            raise ConfigError(
                f'task("{self._workload}", tenant="{tenant}") stands inside a task of tenant "{parent.tenant}"; '
                "a task tree belongs to one tenant"
            )
        tier = self._tier or (parent.tier if parent else hooks.default_tier())
        own = self._id or uuid.uuid4().hex
        root = parent.root_id if parent else own
        tags = {
            attributes.TENANT: tenant,
            attributes.WORKLOAD: self._workload,
            attributes.TASK_ID: own,
            attributes.TASK_ROOT_ID: root,
            attributes.TIER: tier.value,
        }
        if parent is not None:
            tags[attributes.TASK_PARENT_ID] = parent.id
        user = self._user or (parent.span_attributes.get(attributes.USER) if parent else None)
        if user is not None:
            tags[attributes.USER] = user
        above = parent.budgets if parent else ()
        budgets = above if self._budget is None else (*above, (own, self._budget))
        return Task(own, root, parent.id if parent else None, self._workload, tenant, tier, budgets, tags)


def _name(what: str, value: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{what}: {value!r} is no name; write a non-empty string")
    if len(value) > _NAME_LIMIT or not value.isprintable():
        raise ConfigError(f"{what}: {value[:40]!r} has over {_NAME_LIMIT} or unprintable characters")
    return value


def _budget(text: str) -> Money:
    budget = Money.parse(text)
    if budget.amount <= 0:
        raise ValueError(f'"{text}" is not above zero')
    return budget


def _parsed(what: str, parse: Callable[[str], R], value: str) -> R:
    try:
        return parse(value)
    except ValueError as error:
        raise ConfigError(f"{what}: {error}") from None
