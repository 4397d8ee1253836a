"""Running task trees: what each will have cost at its end, and which has run away.

A tree is all calls under one root task, its agents are the tasks inside it. What a tree will cost is told from what
finished trees of its workload went on to cost (`analytics.projection.tasks`), so that it is there at the moment a task
begins to fan out; a runaway shows by one agent's calls or by the agents alive (`analytics.projection.runaways`).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from analytics.projection.quantiles import COLD_BELOW
from analytics.projection.runaways import PastTrees, Runaway, TaskTree
from analytics.projection.tasks import TaskBand, TaskCurve, TaskHistory
from switchgear.tier import Tier

from .model import PolicySet, Who
from .schedules import Schedule
from .units import atoms

__all__ = ["Outlook", "Trees"]

# A task that is silent for so long has ended, as far as its history goes; should it go on, it is counted as before.
_OVER_AFTER_S = 600.0
# Some 60 MB. Beyond, those longest silent are taken to have ended.
_MOST_RUNNING = 20_000
# A projection takes some 20 us. So few of the trees are looked at in a turn that nobody waits for it, and so often that
# of five hundred each is seen once a second.
_LOOKED_AT = 25
_LOOKS_EVERY_S = 0.05


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
    ahead: int = 0
    per_s: int = 0
    """What of its workload's sums is its own."""


@dataclass(slots=True)
class _Workload:
    """What its finished trees have taught; what its open ones will go on to cost, and how fast they are, in atoms."""

    who: Who
    history: TaskHistory = field(default_factory=TaskHistory)
    past: PastTrees = field(default_factory=PastTrees)
    ahead: int = 0
    per_s: int = 0


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
    _counted: dict[tuple[str, str], bool] = field(default_factory=dict)

    def due(self, after: float, until: float) -> list[tuple[float, float]]:
        """What begins in `(after, until]` by schedule: when, and what it is expected to cost, in atoms."""
        self._take_over()
        return sorted(
            (moment, float(atoms(schedule.expect)))
            for schedule in self._scheduled
            for moment in schedule.within(after, until)
        )

    def expected(self, horizon_s: float, now: float) -> float:
        """Further spend in atoms within `horizon_s`; 0 where no workload of the scope is known well enough."""
        self._take_over()
        return sum(
            min(float(workload.ahead), workload.per_s * horizon_s)
            for key, workload in self.trees.ahead(now)
            if self._counts(key, workload.who)
        )

    def _take_over(self) -> None:
        policies = self.policies()
        if policies is not self._read:
            self._read, self._scheduled = policies, tuple(self._schedules(policies))
            self._counted.clear()

    def _counts(self, key: tuple[str, str], who: Who) -> bool:
        found = self._counted.get(key)
        if found is None:
            found = self._counted[key] = self.counts(who)
        return found

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
    _round: deque[_Tree] = field(default_factory=deque)
    """The running trees in the order in which they are looked at."""
    _looked_at: float = float("-inf")

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
        return None if tree is None else self._project(tree, now)

    def _project(self, tree: _Tree, now: float) -> TaskBand | None:
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

    def ahead(self, now: float) -> Iterator[tuple[tuple[str, str], _Workload]]:
        """The workloads whose open trees will go on to cost something, as far as they were looked at."""
        if now - self._looked_at >= _LOOKS_EVERY_S:
            self._looked_at = now
            for _ in range(min(_LOOKED_AT, len(self._round))):
                tree = self._round.popleft()
                if self._running.get((tree.who.tenant, tree.who.task or "")) is tree:
                    self._look(tree, now)
                    self._round.append(tree)
        return ((key, each) for key, each in self._workloads.items() if each.ahead)

    def _look(self, tree: _Tree, now: float) -> None:
        band = None
        if len(self._workload(tree.who).history) >= COLD_BELOW:
            band = self._project(tree, now)
        if band is None:
            self._expect(tree, 0, 0)
        else:
            remaining = max(0, round(band.q50) - tree.spent - tree.in_flight)
            self._expect(tree, remaining, int(tree.spent / max(now - tree.began_at, 1.0)))

    def _expect(self, tree: _Tree, ahead: int, per_s: int) -> None:
        workload = self._workload(tree.who)
        workload.ahead += ahead - tree.ahead
        workload.per_s += per_s - tree.per_s
        tree.ahead, tree.per_s = ahead, per_s

    def tidy(self, now: float) -> None:
        """Let trees end that have been silent; their workloads are known better by them."""
        while self._running:
            key, first = next(iter(self._running.items()))
            silent = first.at < now - _OVER_AFTER_S and not first.calls_in_flight
            if not silent and len(self._running) <= _MOST_RUNNING:
                break
            del self._running[key]
            self._expect(first, 0, 0)
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
            workload = self._workload(Who(tenant, name, Tier.BATCH))
            workload.history.restore(each["history"])
            workload.past.restore(each["past"])

    def _tree(self, who: Who, now: float) -> _Tree | None:
        if who.task is None:
            return None
        key = (who.tenant, who.task)
        tree = self._running.get(key)
        if tree is None:
            tree = self._running[key] = _Tree(who, now, now)
            self._round.append(tree)
            self._workload(who).who = who
        tree.at = now
        # In the order of silence.
        self._running.move_to_end(key)
        return tree

    def _workload(self, who: Who) -> _Workload:
        key = (who.tenant, who.workload)
        workload = self._workloads.get(key)
        if workload is None:
            workload = self._workloads[key] = _Workload(who)
        return workload
