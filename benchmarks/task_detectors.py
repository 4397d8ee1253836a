"""Detectors of runaways: the engine's, and those that it is compared with, at one share of past tasks above each."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from task_runs import LIMIT, PAST, Kind, Run, Step, branching, runaway

from analytics.projection.runaways import PastTrees, TaskTree

__all__ = ["RUNAWAYS", "Results", "runaways", "tree_of"]

TEST, LOOPS, FAN_OUTS = 202, 303, 404
"""Seeds of the tasks that are judged; those of the past are `PAST`."""
RUNAWAYS: tuple[Kind, Kind] = ("loop", "fan-out")
SHARE_OF_RUNAWAYS = 0.01
SHARE_ABOVE = 0.013


@dataclass(frozen=True, slots=True)
class Found:
    """Where a detector's value first passed its threshold."""

    calls: int
    cost: float


class Detectors:
    """The value of each detector over a run, as its running maximum; and what passes which threshold first."""

    def __init__(self, history: Sequence[Run]) -> None:
        costs = [run.cost for run in history]
        agents = [sum(step.born for step in run.steps) + 1 for run in history]
        # What one agent usually costs from its first call to its last.
        self._remainder = statistics.median(cost / born for cost, born in zip(costs, agents, strict=True))
        self.names = (
            "cap on calls", "cap on cost", "calls by one agent", "agents alive at once",
            "births - deaths, CUSUM", "spent + open agents x remainder",
        )  # fmt: skip
        maxima = [self._maxima(run) for run in history]
        above = int(SHARE_ABOVE * len(history))
        self.thresholds = [sorted(each)[len(history) - 1 - above] for each in zip(*maxima, strict=True)]
        past = PastTrees()
        for run in history:
            past.finished(tree_of(run))
        self.learned = past.thresholds()

    def first(self, run: Run) -> dict[str, Found]:
        """Where each detector finds the run to be a runaway; those that do not are missing."""
        found: dict[str, Found] = {}
        for calls, (values, cost, tree) in enumerate(self._values(run), start=1):
            for name, value, threshold in zip(self.names, values, self.thresholds, strict=True):
                if value > threshold and name not in found:
                    found[name] = Found(calls, cost)
            if "ours" not in found and tree.runaway(self.learned):
                found["ours"] = Found(calls, cost)
            if len(found) > len(self.names):
                break
        return found

    def _maxima(self, run: Run) -> list[float]:
        return [max(column) for column in zip(*(values for values, _, _ in self._values(run)), strict=True)]

    def _values(self, run: Run) -> Iterator[tuple[tuple[float, ...], float, TaskTree]]:
        tree, cost, alive, cusum = TaskTree(), 0.0, 1, 0.0
        for calls, step in enumerate(run.steps, start=1):
            _step(tree, step)
            cost += step.cost
            alive += step.born - step.ended
            cusum = max(0.0, cusum + step.born - step.ended - 0.05)
            ahead = cost + alive * self._remainder
            yield (calls, cost, tree.most_calls, tree.most_alive, cusum, ahead), cost, tree


def _step(tree: TaskTree, step: Step) -> None:
    tree.called(str(step.agent), 0.0)
    if step.ended:
        tree.ended(str(step.agent))


def tree_of(run: Run) -> TaskTree:
    """The engine's record of a run's agents."""
    tree = TaskTree()
    for step in run.steps:
        _step(tree, step)
    return tree


def _mixed(seed: int, count: int) -> list[Run]:
    """Tasks of which one in a hundred runs away; which does, nobody is told."""
    random = Random(seed)
    return [
        runaway(random, random.choice(RUNAWAYS)) if random.random() < SHARE_OF_RUNAWAYS else branching(random)
        for _ in range(count)
    ]


@dataclass(frozen=True, slots=True)
class Caught:
    """A detector on one kind of runaway: share found, and the median calls and cost (in median tasks) until then."""

    share: float
    calls: float
    cost: float

    def __str__(self) -> str:
        if self.share < 0.5:
            return f"{self.share:4.0%} found" + " " * 11
        return f"{self.share:4.0%} {self.calls:6,.0f} {self.cost:7.1f} x"


@dataclass(frozen=True, slots=True)
class Results:
    """What the detectors did."""

    alarms: dict[str, float]
    """By detector, the share of normal tasks that it takes for runaways."""
    caught: dict[tuple[str, Kind], Caught]
    as_dear: float
    """At which cost, in median tasks, a cap raises as many false alarms as the engine does."""
    words: str


def runaways(past: int, test: int, each: int) -> Results:
    """Learn from `past` unlabelled tasks; judge on `test` others, and on `each` runaways of both kinds."""
    detectors = Detectors(_mixed(PAST, past))
    normal = [run for run in _mixed(TEST, test) if len(run.steps) < LIMIT]
    median = statistics.median(run.cost for run in normal)
    alarms: dict[str, int] = defaultdict(int)
    for run in normal:
        for name in detectors.first(run):
            alarms[name] += 1
    names = (*detectors.names, "ours")
    caught = {}
    for kind, seed in zip(RUNAWAYS, (LOOPS, FAN_OUTS), strict=True):
        random = Random(seed)
        firsts = [detectors.first(runaway(random, kind)) for _ in range(each)]
        for name in names:
            found = [first[name] for first in firsts if name in first]
            never = [float("inf")] * (each - len(found))
            caught[name, kind] = Caught(
                len(found) / each,
                statistics.median([one.calls for one in found] + never),
                statistics.median([one.cost / median for one in found] + never),
            )
    learned = detectors.learned
    words = (
        f"{len(normal)} normal tasks; learned: more than {learned.calls} calls and {learned.lives:.1f} lives, "
        f"or {learned.agents} agents"
    )
    as_many = sorted(run.cost for run in normal)[-1 - alarms["ours"]]
    return Results({name: alarms[name] / len(normal) for name in names}, caught, as_many / median, words)
