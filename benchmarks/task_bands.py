"""How bands of a task's final cost do: the engine's and simpler ones, on recorded agents and on trees of agents."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from task_runs import PAST, Run, Step, branching

from analytics.projection.tasks import TaskCurve, TaskHistory

__all__ = ["AT_CALLS", "Verdict", "curve_of", "fan_out_bands", "recorded_bands"]

AT_CALLS = (1, 3, 5, 10)
HISTORIES = (5, 20, 100)
TAUS = (0.05, 0.5, 0.95)
DRAWN = 11
"""The seed of histories of recorded tasks."""

Quantiles = Sequence[float]
Band = Callable[[float, int], Quantiles]
"""From what is spent and calls made; each method makes one of a history."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How bands did: width and pinball as shares of the mean final cost."""

    coverage: float
    missed_above: float
    width: float
    pinball: float
    count: int

    def __str__(self) -> str:
        return f"{self.coverage:.2f} /{self.missed_above:.2f} /{self.width:4.1f} /{self.pinball:.3f}"


def verdict(bands: Sequence[tuple[Quantiles, float]]) -> Verdict:
    """Of bands of TAUS, each with the final cost that it was for."""
    mean = statistics.fmean(cost for _, cost in bands)
    loss = sum(
        max(tau * (cost - value), (tau - 1) * (cost - value))
        for band, cost in bands
        for tau, value in zip(TAUS, band, strict=True)
    )
    count = len(bands)
    return Verdict(
        sum(low <= cost <= high for (low, _, high), cost in bands) / count,
        sum(cost > high for (_, _, high), cost in bands) / count,
        statistics.fmean(high - low for (low, _, high), _ in bands) / mean,
        loss / len(TAUS) / count / mean,
        count,
    )


def _of(values: Iterable[float]) -> Quantiles:
    ordered = sorted(values)
    return [ordered[min(len(ordered) - 1, int(tau * len(ordered)))] for tau in TAUS]


def constant(history: Sequence[Run]) -> Band:
    """Quantiles of what past tasks cost, at least what is spent."""
    quantiles = _of(run.cost for run in history)
    return lambda spent, _: [max(spent, value) for value in quantiles]


def conditional(history: Sequence[Run]) -> Band:
    """Spent, and what past tasks that came as far went on to cost."""
    curves = [_cumulated(run) for run in history]

    def band(spent: float, calls: int) -> Quantiles:
        left = [curve[-1] - curve[calls - 1] for curve in curves if len(curve) >= calls]
        return _of(spent + value for value in left or [0.0])

    return band


def linear(history: Sequence[Run]) -> Band:
    """Cost per call so far, times the calls that past tasks made."""
    calls_made = [len(run.steps) for run in history]
    return lambda spent, calls: _of(spent / calls * max(calls, made) for made in calls_made)


def ours(history: Sequence[Run]) -> Band:
    """The engine's."""
    learned = TaskHistory()
    for run in history:
        learned.finished(curve_of(run.steps))

    def band(spent: float, calls: int) -> Quantiles:
        found = learned.project(spent, calls)
        assert found is not None
        assert found.cold == (len(history) < 19)
        return found.q05, found.q50, found.q95

    return band


def _cumulated(run: Run) -> list[float]:
    total, found = 0.0, []
    for step in run.steps:
        total += step.cost
        found.append(total)
    return found


def curve_of(steps: Sequence[Step]) -> TaskCurve:
    """The engine's record of a run's costs."""
    curve, alive = TaskCurve(), 1
    for step in steps:
        alive += step.born - step.ended
        curve.settled(step.cost, alive)
    return curve


def _draws(runs: Sequence[Run], size: int, draws: int) -> Iterator[tuple[list[Run], list[Run]]]:
    """Histories, each with the runs to judge: those of tasks that are not in it."""
    if size >= 100:
        tasks = {run.task for run in runs}
        for task in sorted(tasks, key=str) if len(tasks) > 1 else ():
            yield [run for run in runs if run.task != task], [run for run in runs if run.task == task]
        return
    random = Random(f"{DRAWN} {size}")
    for _ in range(draws):
        history = random.sample(runs, size)
        tasks = {run.task for run in history}
        yield history, [run for run in runs if run.task not in tasks]


def recorded_bands(runs: Sequence[Run], draws: int) -> dict[tuple[str, int, int], Verdict]:
    """By method, size of history and calls made. Histories that leave nothing to judge are left out."""
    bands = defaultdict(list)
    curves = {id(run): _cumulated(run) for run in runs}
    methods = {"constant": constant, "conditional": conditional, "linear": linear, "ours": ours}
    plans: list[tuple[str, int]] = [
        (name, size) for size in HISTORIES if size <= len(runs) for name in methods
    ]
    for name, size in [("ours", 0), *plans]:
        drawn = [([], list(runs))] if not size else _draws(runs, size, draws)
        for history, judged in drawn:
            band = methods[name](history)
            for run in judged:
                curve = curves[id(run)]
                for calls in AT_CALLS:
                    if len(curve) >= calls:
                        bands[name, size, calls].append((band(curve[calls - 1], calls), curve[-1]))
    return {key: verdict(found) for key, found in bands.items()}


def fan_out_bands(size: int, draws: int) -> dict[tuple[str, str], Verdict]:
    """Bands at two moments of trees, told of agents alive and calls in flight, and not told: after the root's first
    call, when its three agents begin, and when agents alive first are eight."""
    random = Random(f"{PAST} {size}")
    bands = defaultdict(list)
    for _ in range(draws):
        told, blind = TaskHistory(), TaskHistory()
        for _ in range(size):
            run = branching(random)
            told.finished(curve_of(run.steps))
            blind.finished(curve_of([Step(0, step.cost) for step in run.steps]))
        for _ in range(60):
            run = branching(random)
            cost = run.cost
            for moment, spent, calls, born, agents in _moments(run):
                expected = born * spent / calls
                seen = told.project(spent, calls, in_flight=expected, calls_in_flight=born, agents=agents)
                unseen = blind.project(spent, calls)
                for name, found in (("told of agents", seen), ("not told", unseen)):
                    assert found is not None
                    bands[moment, name].append(((found.q05, found.q50, found.q95), cost))
    return {key: verdict(found) for key, found in bands.items()}


def _moments(run: Run) -> Iterator[tuple[str, float, int, int, int]]:
    """When the tree fans out: which, spent, calls, agents just born and agents alive."""
    spent, alive = 0.0, 1
    for calls, step in enumerate(run.steps, start=1):
        spent += step.cost
        alive += step.born - step.ended
        if calls == 1:
            yield "first agents", spent, calls, step.born, alive
        if step.born and alive >= 8:
            yield "eight agents", spent, calls, step.born, alive
            return
