"""Running task trees: what each will have cost at its end, and which has run away.

A tree is all calls under one root task, its agents are the tasks inside it. What a tree will cost is told from what
finished trees of its workload went on to cost (`analytics.projection.tasks`), so that it is there at the moment a task
begins to fan out; a runaway shows by one agent's calls or by the agents alive (`analytics.projection.runaways`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from analytics.projection.runaways import PastTrees, Runaway, TaskTree
from analytics.projection.tasks import TaskBand, TaskCurve, TaskHistory

from .model import PolicySet, Who
from .schedules import Schedule
from .units import atoms

__all__ = ["Outlook", "Trees"]

# A task that is silent for so long has ended, as far as its history goes; should it go on, it is counted as before.
_OVER_AFTER_S = 600.0
# Some 60 MB. Beyond, those longest silent are taken to have ended.
_MOST_RUNNING = 20_000
_OUTLOOK_FRESH_S = 1.0


@dataclass(slots=True)
class _Tree:
    who: Who
    began_at: float
    at: float
    curve: TaskCurve = field(default_factory=TaskCurve)
    tree: TaskTree = field(default_factory=TaskTree)
    spent: int = 0
    in_flight: int = 0
    calls_in_flight: int = 0
    runaway: Runaway | None = None


@dataclass(slots=True)
class _Workload:
    history: TaskHistory = field(default_factory=TaskHistory)
    past: PastTrees = field(default_factory=PastTrees)


@dataclass(frozen=True, slots=True)
class _Ahead:
    """What the open trees of one workload will go on to cost, and how fast they have been so far, in atoms."""

    who: Who
    remaining: float
    per_s: float


@dataclass(slots=True)
class Outlook:
    """What is known of the spend ahead in some scope: its open trees, and its schedules.

    `counts` says whose are of the scope, `policies` gives the set in force.
    """

    trees: Trees
    counts: Callable[[Who], bool]
    policies: Callable[[], PolicySet]
    _read: PolicySet | None = None
    _scheduled: tuple[Schedule, ...] = ()

    def due(self, after: float, until: float) -> list[tuple[float, float]]:
        """What begins in `(after, until]` by schedule: when, and what it is expected to cost, in atoms."""
        policies = self.policies()
        if policies is not self._read:
            self._read, self._scheduled = policies, tuple(self._schedules(policies))
        return sorted(
            (moment, float(atoms(schedule.expect)))
            for schedule in self._scheduled
            for moment in schedule.within(after, until)
        )

    def expected(self, horizon_s: float, now: float) -> float:
        """Further spend in atoms within `horizon_s`; 0 where no workload of the scope is known well enough."""
        return sum(
            min(ahead.remaining, ahead.per_s * horizon_s)
            for ahead in self.trees.ahead(now)
            if self.counts(ahead.who)
        )

    def _schedules(self, policies: PolicySet) -> Iterator[Schedule]:
        for tenant in policies.tenants:
            for workload in tenant.workloads:
                if self.counts(Who(tenant.name, workload.name, workload.tier, owner=workload.owner)):
                    yield from workload.schedules


@dataclass(slots=True)
class Trees:
    """All running trees, by tenant and root task, and what is known of their workloads. Amounts in atoms of money."""

    _running: OrderedDict[tuple[str, str], _Tree] = field(default_factory=OrderedDict)
    _workloads: dict[tuple[str, str], _Workload] = field(default_factory=dict)
    _ahead: list[_Ahead] = field(default_factory=list)
    _ahead_at: float = float("-inf")

    def called(self, who: Who, agent: str | None, expected: int, now: float) -> Runaway | None:
        """A call of a tree begins, made by the task `agent`; returns why the tree ran away, the first time it has."""
        tree = self._tree(who, now)
        if tree is None:
            return None
        tree.calls_in_flight += 1
        tree.in_flight += expected
        tree.tree.called(agent or tree.who.task or "", now)
        if tree.runaway is None:
            tree.runaway = tree.tree.runaway(self._workload(who).past.thresholds())
            return tree.runaway
        return None

    def ended(self, who: Who, agent: str | None, cost: int | None, expected: int, now: float) -> None:
        """A call of a tree ended at `cost`; None where it was not billed. `expected` is what `called` was told."""
        tree = self._tree(who, now)
        if tree is None:
            return
        tree.calls_in_flight = max(0, tree.calls_in_flight - 1)
        tree.in_flight = max(0, tree.in_flight - expected)
        tree.tree.seen(agent or tree.who.task or "", now)
        if cost is not None:
            tree.spent += cost
            tree.curve.settled(float(cost), tree.tree.alive(now))

    def project(self, tenant: str, task: str, now: float) -> TaskBand | None:
        """The final cost of a tree; None where it has made no call, or nothing is known of any."""
        tree = self._running.get((tenant, task))
        if tree is None:
            return None
        return self._workload(tree.who).history.project(
            float(tree.spent),
            tree.curve.calls,
            in_flight=float(tree.in_flight),
            calls_in_flight=tree.calls_in_flight,
            agents=tree.tree.alive(now),
        )

    def runaway(self, tenant: str, task: str | None) -> Runaway | None:
        """Why the tree has run away; None where it has not."""
        tree = self._running.get((tenant, task or ""))
        return None if tree is None else tree.runaway

    def running(self) -> int:
        """How many trees are open."""
        return len(self._running)

    def ahead(self, now: float) -> list[_Ahead]:
        """What open trees will go on to cost, by workload, as of a second ago at most."""
        if now - self._ahead_at >= _OUTLOOK_FRESH_S:
            self._ahead_at = now
            sums: dict[tuple[str, str], tuple[Who, float, float]] = {}
            for (tenant, task), tree in self._running.items():
                band = self.project(tenant, task, now)
                if band is None or band.cold:
                    continue
                remaining = max(0.0, band.q50 - tree.spent - tree.in_flight)
                per_s = tree.spent / max(now - tree.began_at, 1.0)
                key = (tenant, tree.who.workload)
                _, before, pace = sums.get(key, (tree.who, 0.0, 0.0))
                sums[key] = (tree.who, before + remaining, pace + per_s)
            self._ahead = [_Ahead(*each) for each in sums.values()]
        return self._ahead

    def tidy(self, now: float) -> None:
        """Let trees end that have been silent; their workloads are known better by them."""
        while self._running:
            key, first = next(iter(self._running.items()))
            silent = first.at < now - _OVER_AFTER_S and not first.calls_in_flight
            if not silent and len(self._running) <= _MOST_RUNNING:
                break
            del self._running[key]
            workload = self._workload(first.who)
            workload.history.finished(first.curve)
            workload.past.finished(first.tree)

    def state(self) -> dict[str, Any]:
        """What is known of workloads, as plain values; running trees are told again by the journal."""
        return {
            "\x1f".join(key): {"history": each.history.state(), "past": each.past.state()}
            for key, each in self._workloads.items()
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        for key, each in state.items():
            tenant, name = key.split("\x1f")
            workload = self._workloads[tenant, name] = _Workload()
            workload.history.restore(each["history"])
            workload.past.restore(each["past"])

    def _tree(self, who: Who, now: float) -> _Tree | None:
        if who.task is None:
            return None
        key = (who.tenant, who.task)
        tree = self._running.get(key)
        if tree is None:
            tree = self._running[key] = _Tree(who, now, now)
        tree.at = now
        # In the order of silence.
        self._running.move_to_end(key)
        return tree

    def _workload(self, who: Who) -> _Workload:
        return self._workloads.setdefault((who.tenant, who.workload), _Workload())
