"""The configured process: tracer provider, exporter, policy line and guard, wired once by `configure`."""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from . import attributes, hooks
from . import threads as task_threads
from .context import Task, run_in
from .control import Control, Scope
from .decision import Decision
from .errors import ConfigError
from .export import Counts, Outbox, Recorder
from .guard import Guard
from .guard import install as install_guard
from .hosts import Hosts
from .names import parsed
from .outcome import Outcome
from .processor import CostSpanProcessor
from .propagation import inherited
from .settings import Options, Settings
from .tier import Tier

if TYPE_CHECKING:
    from .cache.model import Cache
    from .guard.caching import Caching

__all__ = ["configure", "exported", "flush", "shutdown"]

# Of the time to end, what settlements may take; the rest is the spans'.
_SETTLING = 0.4
# Of that, what the cache may take to learn the last answers, after which their calls are settled.
_LEARNING = 0.25


class Runtime:
    """What one `configure` set up."""

    def __init__(self, settings: Settings, provider: TracerProvider, cache: Cache | None) -> None:
        self.settings = settings
        self._hosts = parsed("SWITCHGEAR_PROPAGATE_TO", Hosts.parse, settings.propagate_to)
        self._task = inherited(os.environ)
        # First, as it may refuse its settings.
        self.caching = _caching(settings, cache) if settings.guard else None
        self.outbox = Outbox(settings)
        self.recorder = Recorder(self.outbox, provider.resource)
        self.control = Control(settings) if settings.guard else None
        self.guard = (
            Guard(self.control, settings, self.recorder, self.caching) if self.control is not None else None
        )

        # How tasks end is told through the process's own tracer provider.
        self._tracer = provider.get_tracer("switchgear", version("switchgear"))

    def attach(self, provider: TracerProvider) -> None:
        """Tag and export the spans of a tracer provider, and follow what the process itself may do."""
        provider.add_span_processor(CostSpanProcessor())
        provider.add_span_processor(self.outbox)
        if self._task is not None:
            self.task_begins(self._task)
        if self.control is not None and self.settings.tenant is not None:
            self.control.follow(Scope.outside(self.settings.tenant, self.settings.tier))

    def close(self, timeout_s: float) -> None:
        """Send what waits, as far as the time allows, give back the holds at hand, keep the rest for the next process,
        and stop.
        """
        begun = time.monotonic()
        deadline, settled = begun + timeout_s, begun + timeout_s * _SETTLING
        if self.caching is not None:
            self.caching.drain(timeout_s * _SETTLING * _LEARNING)
            self.caching.close()
        if self.guard is not None:
            self.guard.give_back(timeout_s * _SETTLING)
        if self.control is not None:
            self.control.close(max(0.0, settled - time.monotonic()))
        self.outbox.close(max(0.0, deadline - time.monotonic()))

    def task_begins(self, task: Task) -> None:
        if self.control is not None:
            self.control.watch(task)

    def task_ends(self, task: Task, outcome: Outcome | None) -> None:
        if self.control is not None:
            self.control.unwatch(task)
        if self.guard is not None:
            self.guard.task_ends(task)
        if outcome is not None and task.parent_id is None and self._tracer is not None:
            # As a span of the task, which has just been left: else it would be tagged as one outside any.
            told = run_in(
                task,
                self._tracer.start_span,
                f"task {task.workload}",
                attributes={attributes.TASK_OUTCOME: outcome.value},
                start_time=task.started_ns,
            )
            told.end()
            if not told.get_span_context().trace_flags.sampled:
                self.recorder.task_ended(task.span_attributes, outcome.value, task.started_ns, time.time_ns())

    def decision(self, task: Task) -> Decision | None:
        return self.control.decision(Scope.of(task)) if self.control is not None else None

    def default_task(self) -> Task | None:
        return self._task

    def default_tenant(self) -> str | None:
        return self.settings.tenant

    def default_tier(self) -> Tier:
        return self.settings.tier

    def propagate_to(self) -> Hosts:
        return self._hosts


_runtime: Runtime | None = None


def configure(
    *,
    collector: str | None = None,
    policies: str | None = None,
    api_key: str | None = None,
    tenant: str | None = None,
    tier: str | None = None,
    guard: bool | None = None,
    cache: str | Path | Cache | None = None,
    tracer_provider: TracerProvider | None = None,
    **settings: Unpack[Options],
) -> None:
    """Set this process up, once: spans are tagged and exported, tasks follow decisions, wrapped clients are guarded.

    What is not given comes from SWITCHGEAR_COLLECTOR, _POLICIES, _API_KEY, _TENANT, _TIER and the variables of the
    other `settings` (docs/settings.md names them all). Spans go to `tracer_provider`, or to the global one, which is
    made where there is none. `guard=False` tags and meters only. `cache` is where answers are kept, for clients that
    ask for it: a folder, the URL of a service, or an object that is a cache. Raises ConfigError for a setting that
    cannot be used, or when called twice without `shutdown` between.
    """
    global _runtime
    if _runtime is not None:
        raise ConfigError(
            "configure was called before in this process; call shutdown() first to configure it anew"
        )
    read = Settings.read(
        collector=collector,
        policies=policies,
        api_key=api_key,
        tenant=tenant,
        tier=tier,
        guard=guard,
        cache=cache if isinstance(cache, str | Path) else None,
        **settings,
    )
    provider = tracer_provider or _global_provider()
    _runtime = Runtime(read, provider, None if isinstance(cache, str | Path) else cache)
    _runtime.attach(provider)
    hooks.install(_runtime)
    install_guard(_runtime.guard, off=_runtime.guard is None)
    task_threads.carry()
    atexit.register(shutdown)


def flush(timeout_s: float = 5.0) -> bool:
    """Send what waits: spans and settlements. False where that took longer than `timeout_s`."""
    if _runtime is None:
        return True
    deadline = time.monotonic() + timeout_s
    learned = _runtime.caching is None or _runtime.caching.drain(timeout_s)
    control, left_s = _runtime.control, max(0.0, deadline - time.monotonic())
    settled = control is None or control.flush(left_s)
    return _runtime.outbox.flush(max(0.0, deadline - time.monotonic())) and settled and learned


def exported() -> Counts | None:
    """What became of the spans of this process so far; None where nothing is configured."""
    return _runtime.outbox.counts() if _runtime is not None else None


def shutdown(timeout_s: float = 5.0) -> None:
    """Send what waits and undo `configure`; harmless when nothing is configured."""
    global _runtime
    runtime, _runtime = _runtime, None
    if runtime is None:
        return
    hooks.install(None)
    install_guard(None)
    task_threads.stop()
    runtime.close(timeout_s)
    atexit.unregister(shutdown)


def _caching(settings: Settings, cache: Cache | None) -> Caching | None:
    """The cache of this process, if it has one: imported only then. Raises ConfigError where it cannot be opened."""
    place, opened = settings.cache, None
    if cache is None:
        if place is None:
            return None
        opened = _opening(place, settings.api_key)
        cache = opened()
    from .guard.caching import Caching

    return Caching(cache, opened, closed_by_forks=isinstance(place, Path) and opened is not None)


def _opening(place: str | Path, api_key: str | None) -> Callable[[], Cache]:
    """Opens the cache at a place: the endpoint of a service, or a folder."""
    if isinstance(place, str):
        from .cache.remote import RemoteCache

        return lambda: RemoteCache(place, api_key)
    from .cache.cache import open_cache

    return lambda: open_cache(place)


def _global_provider() -> TracerProvider:
    current = trace.get_tracer_provider()
    if isinstance(current, TracerProvider):
        return current
    made = TracerProvider(resource=Resource.create())
    trace.set_tracer_provider(made)
    return made
