"""Names: how many distinct workloads and tasks a tenant may have, and what the rest are booked as.

A name over the cap becomes `__overflow__`; its money is counted all the same. What is remembered is a hash and a
time for each name, at most `MAX_NAMES` in all: beyond that the tenant that was quiet for longest is forgotten, and
may then name as many again. A restart forgets everything that `remember` does not bring back.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ..call import Call
from ..overflow import overflowed
from .limits import Limits

__all__ = ["WORKLOAD_LIVES", "Names"]

MAX_NAMES = 500_000
WORKLOAD_LIVES = timedelta(days=31)
_TASK_LIVES = timedelta(hours=24)


@dataclass(slots=True)
class _Seen:
    """Names and when each was last used, longest ago first."""

    limit: int
    lives: timedelta
    last: dict[int, datetime] = field(default_factory=dict)

    def takes(self, names: Iterable[str], now: datetime) -> bool:
        """Whether all the names have a place, which they then keep for as long as they are used."""
        new: list[int] = []
        for each in {hash(name) for name in names}:
            if self.last.pop(each, None) is None:
                new.append(each)
            else:
                self.last[each] = now
        while len(self.last) + len(new) > self.limit:
            oldest = next(iter(self.last), None)
            if oldest is None or now - self.last[oldest] < self.lives:
                return False
            del self.last[oldest]
        self.last.update(dict.fromkeys(new, now))
        return True


@dataclass(slots=True)
class _Tenant:
    workloads: _Seen
    tasks: _Seen

    @property
    def size(self) -> int:
        return len(self.workloads.last) + len(self.tasks.last)


class Names:
    """The names of every tenant. Safe to use from any thread; constant time for a call."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._tenants: dict[str, _Tenant] = {}
        self._size = 0
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """How many names are remembered."""
        return self._size

    def capped(self, call: Call, now: datetime) -> Call:
        """`call` as it is, or with the names that are over a cap replaced by `__overflow__`."""
        tasks = [each for each in (call.task_id, call.parent_task_id, call.root_task_id) if each is not None]
        if call.workload is None and not tasks:
            return call
        with self._lock:
            tenant = self._tenant(call.tenant)
            before = tenant.size
            workload_fits = call.workload is None or tenant.workloads.takes([call.workload], now)
            tasks_fit = tenant.tasks.takes(tasks, now)
            self._size += tenant.size - before
            self._forget_the_quietest()
        if workload_fits and tasks_fit:
            return call
        return overflowed(call, workload=not workload_fits, tasks=not tasks_fit)

    def remember(self, tenant: str, workload: str, now: datetime) -> None:
        """Count a name that was in use before this process began."""
        with self._lock:
            known = self._tenant(tenant)
            before = known.size
            known.workloads.takes([workload], now)
            self._size += known.size - before

    def _tenant(self, name: str) -> _Tenant:
        """The tenant's names, as the one that was used last."""
        tenant = self._tenants.pop(name, None)
        if tenant is None:
            tenant = _Tenant(
                _Seen(self._limits.workloads, WORKLOAD_LIVES), _Seen(self._limits.tasks, _TASK_LIVES)
            )
        self._tenants[name] = tenant
        return tenant

    def _forget_the_quietest(self) -> None:
        while self._size > MAX_NAMES and len(self._tenants) > 1:
            self._size -= self._tenants.pop(next(iter(self._tenants))).size
