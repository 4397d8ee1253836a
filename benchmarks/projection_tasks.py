"""What a task will have cost, and which task has run away: judged on recorded agents and on trees of agents.

The classes judged are the engine's own, `TaskHistory`, `TaskTree` and `PastTrees`; the others are what they are
compared with.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

from task_bands import AT_CALLS, Verdict, curve_of, fan_out_bands, recorded_bands
from task_detectors import RUNAWAYS, Results, runaways, tree_of
from task_runs import PAST, RECORDED, branching, recorded

from analytics.projection.runaways import PastTrees, TaskTree
from analytics.projection.tasks import TaskCurve, TaskHistory

Target = tuple[str, str, str, bool]
"""What, asked, figure, and whether it is met."""


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
        history.finished(curve_of(run.steps))
        for _ in range(10):
            past.finished(tree_of(run))
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

    extra = curve_of(runs[0].steps)

    def finish() -> object:
        history.finished(extra)
        return project()

    one = tree_of(runs[0])

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


def _print_recorded(title: str, verdicts: dict[tuple[str, int, int], Verdict]) -> None:
    print(f"\n{title}\n90 % band: coverage / above it / width / pinball, by calls made")
    print(f"  {'method':<12}{'history':>8}  " + "  ".join(f"{f'k = {calls}':<25}" for calls in AT_CALLS))
    for name, size in sorted({(name, size) for name, size, _ in verdicts}, key=lambda key: (key[1], key[0])):
        cells = (
            str(verdicts[name, size, calls]) if (name, size, calls) in verdicts else "-" for calls in AT_CALLS
        )
        print(f"  {name:<12}{size:>8}  " + "  ".join(f"{cell:<25}" for cell in cells))


def _band_targets(name: str, verdicts: dict[tuple[str, int, int], Verdict]) -> Iterator[Target]:
    for size, least, most, above in ((100, 0.85, 0.96, 0.08), (20, 0.80, 1.0, 0.08), (5, 0.75, 1.0, 0.12)):
        at = [calls for calls in AT_CALLS if ("ours", size, calls) in verdicts]
        if not at:
            continue
        of = [verdicts["ours", size, calls] for calls in at]
        low, high = min(one.coverage for one in of), max(one.coverage for one in of)
        asked = f"{least:.0%} to {most:.0%}" if most < 1 else f">= {least:.0%}"
        yield (
            f"{name}: coverage, {size} finished",
            asked,
            f"{low:.1%} to {high:.1%}",
            least <= low <= high <= most,
        )
        worst = max(one.missed_above for one in of)
        yield f"{name}: above it, {size} finished", f"<= {above:.0%}", f"{worst:.1%}", worst <= above
        if size >= 20:
            ratio = max(
                verdicts["ours", size, calls].pinball / verdicts["constant", size, calls].pinball
                for calls in at
            )
            yield (
                f"{name}: pinball over the constant's, {size} finished",
                "<= 102 %",
                f"{ratio:.1%}",
                ratio <= 1.02,
            )


def _runaway_targets(results: Results) -> Iterator[Target]:
    share = min(results.caught["ours", kind].share for kind in RUNAWAYS)
    yield "runaways found", "all", f"{share:.1%}", share == 1
    alarms = results.alarms["ours"]
    yield "false alarms", "<= 1 %", f"{alarms:.2%}", alarms <= 0.01
    for kind, most in zip(RUNAWAYS, (15, 6), strict=True):
        cost, cap = results.caught["ours", kind].cost, results.as_dear
        yield f"{kind}: cost at detection / median task", f"<= {most} x", f"{cost:.1f} x", cost <= most
        asked = f"<= half of {cap:.1f} x"
        yield (
            f"{kind}: over a cap on cost with as many alarms",
            asked,
            f"{cost / cap:.2f} of it",
            cost <= cap / 2,
        )


def _print_targets(targets: Sequence[Target]) -> None:
    rows = [("target", "asked", "figure"), *((name, asked, figure) for name, asked, figure, _ in targets)]
    widths = [max(map(len, column)) + 2 for column in zip(*rows, strict=True)]
    verdicts = ["", *("met" if met else "MISSED" for *_, met in targets)]
    print()
    for row, word in zip(rows, verdicts, strict=True):
        print("  " + "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + word)


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
        except (OSError, ValueError) as reason:
            print(f"left out: {reason}")
            continue
        verdicts = recorded_bands(runs, draws)
        _print_recorded(f"{file.name}: {len(runs)} runs of {len({run.task for run in runs})} tasks", verdicts)
        targets += _band_targets(file.stem, verdicts)
    print("\ntrees of agents, the moment of a fan-out: coverage / above it / width / pinball")
    for size in (20, 100):
        for (moment, name), one in fan_out_bands(size, 4 if arguments.quick else 20).items():
            print(f"  {size:>4} finished, {moment}, {name:<14}  {one}  ({one.count} runs)")
    results = runaways(2_000, *((1_000, 40) if arguments.quick else (4_000, 200)))
    print(f"\nrunaways ({results.words}): found, calls and cost in median tasks until then")
    print(f"  {'detector':<34}{'false alarms':>12}   {'loop':<22}{'fan-out':<22}")
    for name, share in results.alarms.items():
        loop, fan_out = (str(results.caught[name, kind]) for kind in RUNAWAYS)
        print(f"  {name:<34}{share:>12.2%}   {loop:<22}{fan_out:<22}")
    targets += _runaway_targets(results)
    spent = costs()
    print("\ncost, one core")
    for name, each in spent.items():
        print(f"  {name:<50}{each:>8.1f} µs")
    update = next(iter(spent.values()))
    targets.append(("an update", "<= 10 µs", f"{update:.1f} µs", update <= 10))
    _print_targets(targets)


if __name__ == "__main__":
    main()
