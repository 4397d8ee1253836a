"""What a task will have cost, and which task has run away: judged on recorded agents and on trees of agents.

The classes judged are the engine's own, `TaskHistory`, `TaskTree` and `PastTrees`; the others are what they are
compared with.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from task_runs import RECORDED, Run, branching, recorded, runaway

from analytics.projection.runaways import PastTrees, TaskTree
from analytics.projection.tasks import TaskCurve, TaskHistory

if TYPE_CHECKING:
    from task_runs import Step

AT_CALLS = (1, 3, 5, 10)
HISTORIES = (5, 20, 100)
TAUS = (0.05, 0.5, 0.95)
# Seeds of the protocol: histories of recorded tasks; branching history, test, loops and fan-outs.
DRAWN, PAST, TEST, LOOPS, FAN_OUTS = 11, 101, 202, 303, 404
SHARE_OF_RUNAWAYS = 0.01
SHARE_ABOVE = 0.013

Quantiles = Sequence[float]
Method = Callable[[Sequence[Run], float, int], Quantiles]


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


# --- methods: each makes a function of (spent, calls) from a history


def _of(values: Iterable[float]) -> Quantiles:
    ordered = sorted(values)
    return [ordered[min(len(ordered) - 1, int(tau * len(ordered)))] for tau in TAUS]


def constant(history: Sequence[Run]) -> Callable[[float, int], Quantiles]:
    """Quantiles of what past tasks cost, at least what is spent."""
    quantiles = _of(run.cost for run in history)
    return lambda spent, _: [max(spent, value) for value in quantiles]


def conditional(history: Sequence[Run]) -> Callable[[float, int], Quantiles]:
    """Spent, and what past tasks that came as far went on to cost."""
    curves = [_cumulated(run) for run in history]

    def band(spent: float, calls: int) -> Quantiles:
        left = [curve[-1] - curve[calls - 1] for curve in curves if len(curve) >= calls]
        return _of(spent + value for value in left or [0.0])

    return band


def linear(history: Sequence[Run]) -> Callable[[float, int], Quantiles]:
    """Cost per call so far, times the calls that past tasks made."""
    calls_made = [len(run.steps) for run in history]
    return lambda spent, calls: _of(spent / calls * max(calls, made) for made in calls_made)


def ours(history: Sequence[Run]) -> Callable[[float, int], Quantiles]:
    """The engine's."""
    learned = TaskHistory()
    for run in history:
        learned.finished(_curve(run.steps))

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


def _curve(steps: Sequence[Step]) -> TaskCurve:
    curve, alive = TaskCurve(), 1
    for step in steps:
        alive += step.born - step.ended
        curve.settled(step.cost, alive)
    return curve


# --- recorded agents


def _draws(runs: Sequence[Run], size: int, draws: int) -> Iterator[tuple[list[Run], list[Run]]]:
    """Histories, each with the runs to judge: those of tasks that are not in it."""
    if size >= 100:
        for task in sorted({run.task for run in runs}, key=str):
            yield [run for run in runs if run.task != task], [run for run in runs if run.task == task]
        return
    random = Random(f"{DRAWN} {size}")
    for _ in range(draws):
        history = random.sample(runs, size)
        tasks = {run.task for run in history}
        yield history, [run for run in runs if run.task not in tasks]


def recorded_bands(runs: Sequence[Run], draws: int) -> dict[tuple[str, int, int], Verdict]:
    """By method, size of history and calls made."""
    bands = defaultdict(list)
    curves = {id(run): _cumulated(run) for run in runs}
    methods = {"constant": constant, "conditional": conditional, "linear": linear, "ours": ours}
    plans: list[tuple[str, int]] = [(name, size) for size in HISTORIES for name in methods]
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


# --- trees of agents


def fan_out_bands(size: int, draws: int) -> dict[tuple[str, str], Verdict]:
    """Bands of trees told of their agents, and not told: after the root's first call, while its three agents make
    theirs; and when agents alive first are eight."""
    random = Random(f"{PAST} {size}")
    bands = defaultdict(list)
    for _ in range(draws):
        told, blind = TaskHistory(), TaskHistory()
        for _ in range(size):
            run = branching(random)
            told.finished(_curve(run.steps))
            blind.finished(_curve([type(step)(0, step.cost) for step in run.steps]))
        for _ in range(60):
            run = branching(random)
            cost = run.cost
            for moment, spent, calls, agents in _moments(run):
                usual = spent / calls
                seen = told.project(spent, calls, in_flight=usual * 3, calls_in_flight=3, agents=agents)
                unseen = blind.project(spent, calls)
                for name, found in (("told of agents", seen), ("not told", unseen)):
                    assert found is not None
                    bands[moment, name].append(((found.q05, found.q50, found.q95), cost))
    return {key: verdict(found) for key, found in bands.items()}


def _moments(run: Run) -> Iterator[tuple[str, float, int, int]]:
    """When the tree fans out: which, spent, calls, agents alive. Three of them have a call in flight."""
    spent, alive = 0.0, 1
    for calls, step in enumerate(run.steps[:-3], start=1):
        spent += step.cost
        alive += step.born - step.ended
        if calls == 1:
            yield "the root starts three agents", spent, calls, alive
        if step.born and alive >= 8:
            yield "agents alive first are eight", spent, calls, alive
            return


# --- runaways


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
            past.finished(_tree(run))
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


def _tree(run: Run) -> TaskTree:
    tree = TaskTree()
    for step in run.steps:
        _step(tree, step)
    return tree


def _mixed(seed: int, count: int) -> list[Run]:
    """Tasks of which one in a hundred runs away; which does, nobody is told."""
    random = Random(seed)
    return [
        runaway(random, random.choice(("loop", "fan-out")))
        if random.random() < SHARE_OF_RUNAWAYS
        else branching(random)
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


def runaways(past: int, test: int, each: int) -> tuple[dict[str, float], dict[tuple[str, str], Caught], str]:
    """False alarms by detector, what is caught by detector and kind, and the learned thresholds in words."""
    detectors = Detectors(_mixed(PAST, past))
    normal = [run for run in _mixed(TEST, test) if len(run.steps) < 4_000]
    median = statistics.median(run.cost for run in normal)
    alarms: dict[str, int] = defaultdict(int)
    for run in normal:
        for name in detectors.first(run):
            alarms[name] += 1
    names = (*detectors.names, "ours")
    caught = {}
    for kind, seed in (("loop", LOOPS), ("fan-out", FAN_OUTS)):
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
    words = f"{len(normal)} normal tasks; learned: more than {learned.calls} calls or {learned.agents} agents"
    return {name: alarms[name] / len(normal) for name in names}, caught, words


# --- cost


def _best_us(work: Callable[[], object], times: int, rounds: int = 7) -> float:
    best = float("inf")
    for _ in range(rounds):
        begun = time.perf_counter()
        for _ in range(times):
            work()
        best = min(best, (time.perf_counter() - begun) / times)
    return best * 1e6


def costs() -> dict[str, float]:
    """Microseconds of each verb, full histories."""
    random = Random(PAST)
    runs = [branching(random) for _ in range(200)]
    history, past = TaskHistory(), PastTrees()
    for run in runs:
        history.finished(_curve(run.steps))
        for _ in range(10):
            past.finished(_tree(run))
    steps = [step for run in runs[:20] for step in run.steps]
    names = [(str(step.agent), step.ended) for step in steps]

    def one_tree() -> None:
        tree, curve = TaskTree(), TaskCurve()
        limits = past.thresholds()
        for name, ended in names:
            tree.called(name, 0.0)
            tree.seen(name, 0.0)
            curve.settled(0.01, tree.alive(0.0))
            tree.runaway(limits)
            if ended:
                tree.ended(name)

    def project() -> object:
        return history.project(0.5, 40, in_flight=0.05, calls_in_flight=4, agents=6)

    extra = _curve(runs[0].steps)

    def finish() -> object:
        history.finished(extra)
        return project()

    one = _tree(runs[0])

    def learn() -> object:
        for _ in range(40):
            past.finished(one)
        return past.thresholds()

    return {
        "a call of a tree: begun, settled, both signals": _best_us(one_tree, 3) / len(names),
        "a projection": _best_us(project, 2_000),
        "a projection after a task finished": _best_us(finish, 200),
        "thresholds of 2,000 tasks, once in 40 tasks": _best_us(learn, 20),
    }


# --- printing


def _print_recorded(title: str, verdicts: dict[tuple[str, int, int], Verdict]) -> None:
    print(f"\n{title}\n90 % band: coverage / above it / width / pinball, by calls made")
    print(f"  {'method':<12}{'history':>8}  " + "  ".join(f"{f'k = {calls}':<25}" for calls in AT_CALLS))
    for name, size in sorted({(name, size) for name, size, _ in verdicts}, key=lambda key: (key[1], key[0])):
        cells = (
            str(verdicts[name, size, calls]) if (name, size, calls) in verdicts else "-" for calls in AT_CALLS
        )
        print(f"  {name:<12}{size:>8}  " + "  ".join(f"{cell:<25}" for cell in cells))


Target = tuple[str, str, str, bool]


def _band_targets(verdicts: dict[tuple[str, int, int], Verdict]) -> Iterator[Target]:
    for size, least, most, above in ((100, 0.85, 0.96, 0.08), (20, 0.80, 1.0, 0.08), (5, 0.75, 1.0, 0.12)):
        of = [verdicts["ours", size, calls] for calls in AT_CALLS]
        low, high = min(one.coverage for one in of), max(one.coverage for one in of)
        asked = f"{least:.0%} to {most:.0%}" if most < 1 else f">= {least:.0%}"
        yield (
            f"task band, coverage, {size} finished",
            asked,
            f"{low:.1%} to {high:.1%}",
            least <= low <= high <= most,
        )
        worst = max(one.missed_above for one in of)
        yield f"task band, above it, {size} finished", f"<= {above:.0%}", f"{worst:.1%}", worst <= above
        if size >= 20:
            ratio = max(
                verdicts["ours", size, calls].pinball / verdicts["constant", size, calls].pinball
                for calls in AT_CALLS
            )
            yield f"pinball over the constant's, {size} finished", "<= 102 %", f"{ratio:.1%}", ratio <= 1.02


def _runaway_targets(alarms: dict[str, float], caught: dict[tuple[str, str], Caught]) -> Iterator[Target]:
    share = min(caught["ours", kind].share for kind in ("loop", "fan-out"))
    yield "runaways found", "all", f"{share:.1%}", share == 1
    yield "false alarms", "<= 1 %", f"{alarms['ours']:.2%}", alarms["ours"] <= 0.01
    for kind, most in (("loop", 15), ("fan-out", 6)):
        cost, cap = caught["ours", kind].cost, caught["cap on cost", kind].cost
        yield f"{kind}: cost at detection / median task", f"<= {most} x", f"{cost:.1f} x", cost <= most
        met = cost <= cap / 2 and alarms["ours"] <= alarms["cap on cost"]
        asked = f"<= half of {cap:.1f} x, alarms <= {alarms['cap on cost']:.2%}"
        yield f"{kind}: over a cap on cost", asked, f"{cost / cap:.2f} of it, {alarms['ours']:.2%}", met


def _print_targets(targets: Iterable[Target]) -> None:
    print(f"\n  {'target':<46}{'asked':<32}{'figure':<20}")
    for name, asked, figure, met in targets:
        print(f"  {name:<46}{asked:<32}{figure:<20}{'met' if met else 'MISSED'}")


def main() -> None:
    """Judge, then print tables and targets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="fewer draws and runs: seconds, and figures that move"
    )
    parser.add_argument(
        "--traces", nargs="+", type=Path, metavar="FILE", default=[], help="more recorded task runs"
    )
    arguments = parser.parse_args()
    draws = 30 if arguments.quick else 200
    targets: list[Target] = []
    for file in [*sorted(RECORDED.glob("taubench_*.json")), *arguments.traces]:
        try:
            runs = recorded(file)
        except ValueError as reason:
            print(f"left out: {reason}")
            continue
        verdicts = recorded_bands(runs, draws)
        _print_recorded(f"{file.name}: {len(runs)} runs of {len({run.task for run in runs})} tasks", verdicts)
        targets += _band_targets(verdicts)
    print("\ntrees of agents, the moment of a fan-out: coverage / above it / width / pinball")
    for size in (20, 100):
        for (moment, name), one in fan_out_bands(size, 4 if arguments.quick else 20).items():
            print(f"  {size:>4} finished, {moment}, {name:<16}{one}  ({one.count} runs)")
    alarms, caught, words = runaways(
        2_000, 1_000 if arguments.quick else 4_000, 40 if arguments.quick else 200
    )
    print(f"\nrunaways ({words}): found, calls and cost in median tasks until then")
    print(f"  {'detector':<34}{'false alarms':>12}   {'loop':<22}{'fan-out':<22}")
    for name, share in alarms.items():
        print(f"  {name:<34}{share:>12.2%}   {caught[name, 'loop']!s:<22}{caught[name, 'fan-out']!s:<22}")
    targets += _runaway_targets(alarms, caught)
    spent = costs()
    print("\ncost, one core")
    for name, each in spent.items():
        print(f"  {name:<50}{each:>8.1f} µs")
    update = next(iter(spent.values()))
    targets.append(("an update", "<= 10 µs", f"{update:.1f} µs", update <= 10))
    _print_targets(targets)


if __name__ == "__main__":
    main()
