"""What a task will have cost at its end: what is spent, and what past tasks of its workload went on to cost from there.

    curve = TaskCurve()                                   # one for each root task that runs
    curve.settled(cost, agents=tree.alive(now))           # each settled call of its whole tree: O(1)
    band = history.project(spent, curve.calls, in_flight=..., calls_in_flight=..., agents=...)
    history.finished(curve)                               # at its end; a TaskHistory for each workload

`state()` and `restore()` of both carry them over a restart, as plain JSON values. Amounts are floats in any one unit,
and doubling all of them doubles the band.

Method: two hundred equally likely ends, whose quantiles are the band. Calls in flight are taken as made, at their
expected cost, so that a fan-out counts when it begins and not when it is billed.

- *Conditional on survival*: of each past task that had made as many calls, what it went on to cost, for each agent
  then alive, times the agents alive now. A task that has spent more so far than those did goes on to cost somewhat
  more: `(spent / theirs)^0.15`, with the quotient within a factor of 16.
- *Prior*: `max(1, 5 - n/5)` made-up tasks beside n such past ones, so that a new workload has a band and an old one
  has ends beyond those that were seen. A made-up task makes N calls in all, with P(N > n) = 0.85 (m / n)^1.5 for n from
  m = max(calls, 6 for each agent) to 10 m, evenly spread between calls and m otherwise, and what it costs
  grows with `calls^1.3`: contexts grow.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .quantiles import COLD_BELOW

__all__ = ["TaskBand", "TaskCurve", "TaskHistory"]

KEPT = 200

_ENDS = 200
# Half-way between two ends: the ends below it are this share of all.
_Q05, _Q50, _Q80, _Q95 = 10, 100, 160, 190

# How far a task that is dearer so far is dearer from there on. Recorded agents want 0 to 0.1, trees of agents with a
# scale of their own 0.25 to 0.5.
_CARRIED = 0.15
_MOST_CARRIED = 16.0

_PRIOR_OF, _PRIOR_LEAST = 5.0, 1.0
_TAIL, _CUT, _GROWTH = 1.5, 10.0, 1.3
_EARLY, _CALLS_OF_AN_AGENT = 0.15, 6
_VERSION = 1


def _checkpoints() -> tuple[int, ...]:
    """Every call up to 16, then every eighth more: 91 of them up to a hundred thousand calls."""
    found, at = [], 1
    while at < 100_000:
        found.append(at)
        at += max(1, at // 8)
    return tuple(found)


_CHECKPOINTS = _checkpoints()


class TaskCurve:
    """What one task has cost after so many calls, with the agents alive then. Memory: 91 checkpoints at most."""

    __slots__ = ("_next", "agents", "calls", "costs", "spent")

    def __init__(self) -> None:
        self.calls = 0
        self.spent = 0.0
        self.costs = array("d")
        self.agents = array("L")
        self._next = _CHECKPOINTS[0]

    def settled(self, cost: float, agents: int = 1) -> None:
        """A call of the task's tree is settled at `cost`, and `agents` are alive after it (none counts as one)."""
        self.calls += 1
        self.spent += cost
        if self.calls == self._next:
            self.costs.append(self.spent)
            self.agents.append(max(1, agents))
            self._next = _after(self.costs)

    def state(self) -> dict[str, Any]:
        """The curve, as plain JSON values."""
        return {
            "version": _VERSION,
            "calls": self.calls,
            "spent": self.spent,
            "costs": list(self.costs),
            "agents": list(self.agents),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave. Raises ValueError where it is of another version."""
        _check(state)
        self.calls, self.spent = int(state["calls"]), float(state["spent"])
        self.costs, self.agents = array("d", state["costs"]), array("L", state["agents"])
        self._next = _after(self.costs)


@dataclass(frozen=True, slots=True)
class TaskBand:
    """Quantiles of a task's final cost, what is spent and in flight included, and what they were made from."""

    q05: float
    q50: float
    q80: float
    q95: float
    spent: float
    in_flight: float
    """What the calls in flight are expected to cost; all of it is below every quantile."""
    calls: int
    """Calls made and in flight."""
    agents: int
    """Agents alive, at least one."""
    comparable: int
    """Finished tasks that had made as many calls: what they went on to cost is the body of the band."""
    finished: int
    """Finished tasks of the workload that are remembered."""
    prior: float
    """The share of the made-up tasks in the band, 0 to 1."""
    cold: bool
    """True below 19 finished tasks: a band of 90 % cannot come from fewer."""

    def explain(self) -> str:
        """Inputs and method in a sentence."""
        return (
            f"{self.calls} calls made or in flight, {self.agents} agents alive, {self.spent:.6g} spent and "
            f"{self.in_flight:.6g} in flight; from what {self.comparable} of {self.finished} finished tasks went on to "
            f"cost from there for each agent, and for {self.prior:.0%} from the prior of any task"
        )


@dataclass(frozen=True, slots=True)
class _Stage:
    """Past tasks at one checkpoint."""

    comparable: int
    usual: float
    """Their mean cost so far."""
    remainders: tuple[float, ...]
    """What they went on to cost, for each agent alive and as if they had spent the usual so far; ascending, as many as
    there are ends that the prior leaves."""


class TaskHistory:
    """The finished tasks of one workload, the last `kept` of them. Not thread-safe.

    Memory: about 100 KB for 200 tasks of a dozen calls, and 5 KB for each checkpoint that was asked for since the last
    one finished, of which there are 91.
    """

    __slots__ = ("_stages", "_tasks")

    def __init__(self, kept: int = KEPT) -> None:
        self._tasks: deque[TaskCurve] = deque(maxlen=kept)
        self._stages: dict[int, _Stage] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def finished(self, curve: TaskCurve) -> None:
        """A task has ended. Its curve is the history's from now on; one without a call teaches nothing."""
        if curve.calls:
            self._tasks.append(curve)
            self._stages.clear()

    def project(
        self, spent: float, calls: int, *, in_flight: float = 0.0, calls_in_flight: int = 0, agents: int = 1
    ) -> TaskBand | None:
        """The final cost of a task that has spent `spent` in `calls` calls.

        `in_flight` is what its `calls_in_flight` running calls are expected to cost, `agents` how many agents of its
        tree are alive. A task without any call is taken to make its first, at the usual cost of one; where no task has
        finished either, nothing is known and None is returned. No quantile is below `spent + in_flight`, and more spent
        is never a lower band.
        """
        made, agents = calls + calls_in_flight, max(1, agents)
        if not made:
            if not self._tasks:
                return None
            made, in_flight = 1, max(in_flight, self._stage(1).usual)
        stage = self._stage(made)
        base = spent + in_flight
        scale = agents * _carried(base, stage.usual)
        ends = [base + scale * remainder for remainder in stage.remainders]
        prior = _ENDS - len(ends)
        ends += _prior_ends(prior, base, made, agents)
        ends.sort()
        return TaskBand(
            _between(ends, _Q05), _between(ends, _Q50), _between(ends, _Q80), _between(ends, _Q95),
            spent, in_flight, made, agents, stage.comparable, len(self._tasks), prior / _ENDS,
            len(self._tasks) < COLD_BELOW,
        )  # fmt: skip

    def state(self) -> dict[str, Any]:
        """What is remembered, as plain JSON values."""
        return {"version": _VERSION, "tasks": [task.state() for task in self._tasks]}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave. Raises ValueError where it is of another version."""
        _check(state)
        self._tasks.clear()
        self._stages.clear()
        for each in state["tasks"]:
            curve = TaskCurve()
            curve.restore(each)
            self._tasks.append(curve)

    def _stage(self, calls: int) -> _Stage:
        place = bisect_right(_CHECKPOINTS, calls) - 1
        stage = self._stages.get(place)
        if stage is None:
            stage = self._stages[place] = _stage(
                [task for task in self._tasks if len(task.costs) > place], place
            )
        return stage


def _stage(tasks: Sequence[TaskCurve], place: int) -> _Stage:
    count = len(tasks)
    if not count:
        return _Stage(0, 0.0, ())
    usual = sum(task.costs[place] for task in tasks) / count
    remainders = sorted(
        (task.spent - task.costs[place]) / (task.agents[place] * _carried(task.costs[place], usual))
        for task in tasks
    )
    weight = max(_PRIOR_LEAST, _PRIOR_OF - count / _PRIOR_OF)
    prior = max(1, round(_ENDS * weight / (count + weight)))
    return _Stage(count, usual, tuple(_spread(remainders, _ENDS - prior)))


def _carried(spent: float, usual: float) -> float:
    """How much dearer than usual a task goes on that has spent `spent` where `usual` is usual."""
    if usual <= 0.0:
        return 1.0
    quotient = min(_MOST_CARRIED, max(1.0 / _MOST_CARRIED, spent / usual))
    return float(quotient**_CARRIED)


def _spread(values: Sequence[float], count: int) -> list[float]:
    """`count` equally likely values in the place of the ascending `values`, linear between their ranks."""
    last = len(values) - 1
    found = []
    for each in range(count):
        rank = min(float(last), max(0.0, (each + 0.5) / count * len(values) - 0.5))
        low = int(rank)
        found.append(values[low] + (rank - low) * (values[min(low + 1, last)] - values[low]))
    return found


@lru_cache(maxsize=_ENDS + 1)
def _prior(count: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Of `count` made-up tasks: how far between `calls` and m those end that end early, and what the others cost as a
    multiple of what m calls cost."""
    chances = [(each + 0.5) / count for each in range(count)]
    early = tuple(chance / _EARLY for chance in chances if chance < _EARLY)
    late = (min(_CUT, ((1 - chance) / (1 - _EARLY)) ** (-1 / _TAIL)) for chance in chances[len(early) :])
    return early, tuple(float(times**_GROWTH) for times in late)


def _prior_ends(count: int, base: float, made: int, agents: int) -> list[float]:
    early, late = _prior(count)
    grown = max(1.0, _CALLS_OF_AN_AGENT * agents / made)
    whole = base * grown**_GROWTH
    ends = [base * (1.0 + (grown - 1.0) * share) ** _GROWTH for share in early]
    ends += [whole * times for times in late]
    return ends


def _between(ends: Sequence[float], rank: int) -> float:
    return (ends[rank - 1] + ends[rank]) / 2


def _after(costs: Sequence[float]) -> int:
    """The calls at which the next checkpoint is due; 0, which never comes, after the last."""
    return _CHECKPOINTS[len(costs)] if len(costs) < len(_CHECKPOINTS) else 0


def _check(state: dict[str, Any]) -> None:
    if state.get("version") != _VERSION:
        raise ValueError(
            f"a state of version {state.get('version')!r} cannot be restored; this is version {_VERSION}"
        )
