"""Tasks: how one begins, goes on elsewhere and ends."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from contextvars import Context, Token, copy_context
from copy import copy
from dataclasses import replace
from functools import partial, wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from types import TracebackType
from typing import Any, ParamSpec, TypeVar
from weakref import WeakValueDictionary

from opentelemetry import context as otel

from . import hooks
from .context import OnWrapUp, Task, current_task, enter
from .errors import ConfigError
from .generators import async_generator, generator
from .identity import Identity
from .names import MOST_BUDGETS, budget_of, name, parsed
from .outcome import outcome_of
from .tier import Tier

__all__ = ["task"]

_log = logging.getLogger("switchgear")

P = ParamSpec("P")
R = TypeVar("R")

# Tasks of this process whose id was given to them, by tenant and id; no task lives on for standing here.
_running: WeakValueDictionary[tuple[str, str], Task] = WeakValueDictionary()
_warned: set[str] = set()


class task:  # noqa: N801 - used like a function: with task(...), @task(...)
    """Run what follows as a task: `with`, `async with`, or a decorator on a function of any kind.

    A task inside another one is a sub-agent of it: it inherits tenant and tier, and shares the root's ceiling.
    `budget` ("0.50 USD", for the task and those inside it) may lower what policies allow, never raise it.
    `id` names a task that is known elsewhere, and `resume=True` says that it began before, here or in another process;
    without anything else known of it, it is a root as any other (`resume` knows it all). `user` names for whom of the
    tenant's users it runs, by whatever name may be kept: a pseudonym will do. `on_wrap_up` is called once, with the
    decision and from any thread, when it is time to answer with what is there. How the task ends is told to the
    collector, as one span.

    A decorated generator begins its task when it is first asked for an item. Its body runs in the task, and in a copy
    of the context of that moment; its consumer does not. Left early, it is abandoned.

        with sg.task("summarize-sales", tenant="acme", tier="interactive", budget="0.50 USD") as t: ...
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
        resume: bool = False,
        on_wrap_up: OnWrapUp | None = None,
    ) -> None:
        self._workload = name("workload", workload)
        self._tenant = None if tenant is None else name("tenant", tenant)
        self._tier = None if tier is None else parsed("tier", Tier.parse, tier)
        self._budget = None if budget is None else parsed("budget", budget_of, budget)
        self._id = None if id is None else name("id", id)
        self._user = None if user is None else name("user", user)
        if resume and id is None:
            raise ConfigError(
                f'task("{workload}", resume=True) does not say which; pass id="...", or use task.resume'
            )
        self._goes_on = resume
        self._carried: Identity | None = None
        self._on_wrap_up = _callback(on_wrap_up)
        self._entered: list[tuple[Task, Token[otel.Context]]] = []

    @classmethod
    def resume(cls, carried: str, *, on_wrap_up: OnWrapUp | None = None) -> task:
        """Go on with a task that began elsewhere, as its `carry` told it: the same ids, names, tier, budgets and user.

        It is not inside the task that runs around it here, if any. The part that ends it tells how it ended, with the
        time since it began. Raises ConfigError for a text that no task carried.
        """
        who = Identity.from_text(carried, "resume")
        scope = cls(who.workload, tenant=who.tenant, id=who.id, resume=True, on_wrap_up=on_wrap_up)
        scope._carried = who
        return scope

    def __enter__(self) -> Task:
        begun = self._begin()
        self._entered.append((begun, enter(begun)))
        return begun

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ended, token = self._entered.pop()
        otel.detach(token)
        _end(ended, error)

    async def __aenter__(self) -> Task:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        decorated: Any
        if isgeneratorfunction(function):
            decorated = generator(function, self._begin_apart)
        elif isasyncgenfunction(function):
            decorated = async_generator(function, self._begin_apart)
        elif iscoroutinefunction(function):

            @wraps(function)
            async def decorated(*args: P.args, **kwargs: P.kwargs) -> Any:
                with self._again():
                    return await function(*args, **kwargs)

        else:

            @wraps(function)
            def decorated(*args: P.args, **kwargs: P.kwargs) -> R:
                with self._again():
                    return function(*args, **kwargs)

        return decorated  # type: ignore[no-any-return]

    def _again(self) -> task:
        """A scope of its own for one call of a decorated function, which may run many times at once."""
        fresh = copy(self)
        fresh._entered = []
        return fresh

    def _begin_apart(self) -> tuple[Context, Callable[[BaseException | None], None]]:
        """Begin a task in a context of its own: that, and what to tell when it ends."""
        begun = self._begin()
        context = copy_context()
        context.run(enter, begun)
        return context, partial(_end, begun)

    def _begin(self) -> Task:
        begun = Task.of(self._carried_here() or self._made_here())
        if self._on_wrap_up is not None:
            begun._part.on_wrap_up.append(self._on_wrap_up)
        if self._id is not None:
            _running.setdefault((begun.tenant, begun.id), begun)
        hooks.task_begins(begun)
        return begun

    def _carried_here(self) -> Identity | None:
        who = self._carried
        # By this machine's clock it may not have begun yet, and would end before it began.
        return replace(who, started_ns=min(who.started_ns, time.time_ns())) if who is not None else None

    def _made_here(self) -> Identity:
        parent = current_task()
        tenant = self._tenant_in(parent)
        own = self._own_id(tenant, parent)
        above = parent.budgets if parent else ()
        if self._budget is not None and len(above) == MOST_BUDGETS:
            raise ConfigError(
                f'task("{self._workload}", budget=...) has {MOST_BUDGETS} budgets above it, the most'
            )
        return Identity(
            own,
            parent.root_id if parent else own,
            parent.id if parent else None,
            self._workload,
            tenant,
            self._tier or (parent.tier if parent else hooks.default_tier()),
            self._user or (parent.user if parent else None),
            time.time_ns(),
            above if self._budget is None else (*above, (own, self._budget)),
        )

    def _tenant_in(self, parent: Task | None) -> str:
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
        return tenant

    def _own_id(self, tenant: str, parent: Task | None) -> str:
        if self._id is None:
            return uuid.uuid4().hex
        if parent is not None and self._id in (parent.id, parent.parent_id, parent.root_id):
            raise ConfigError(
                f'task("{self._workload}", id="{self._id}") stands inside the task of that very id'
            )
        if not self._goes_on and (tenant, self._id) in _running and self._workload not in _warned:
            _warned.add(self._workload)
            _log.warning(
                "two tasks of %r run at once under one id and are booked as one; say resume=True if that is meant",
                self._workload,
            )
        return self._id


def _end(task: Task, error: BaseException | None) -> None:
    if _running.get((task.tenant, task.id)) is task:
        del _running[task.tenant, task.id]
    part = task._part
    hooks.task_ends(task, None if part.paused else outcome_of(error, failed=part.failed))


def _callback(on_wrap_up: OnWrapUp | None) -> OnWrapUp | None:
    if on_wrap_up is not None and not callable(on_wrap_up):
        raise ConfigError(f"on_wrap_up: {on_wrap_up!r} cannot be called")
    if iscoroutinefunction(on_wrap_up):
        raise ConfigError("on_wrap_up: a coroutine function would not be awaited; write a plain function")
    return on_wrap_up
