"""What is spent past a ceiling, and what of it is left unspent, when 200 agents in four processes meet it at once.

Each agent wants 80 calls of log-normal cost (p99 ten times the median); the ceiling is a tenth of what all want. Every
gate is asked for the same calls over HTTP in the same run: the engine as a user starts it, three rules that one could
write instead, and two packages that do. The truth is the provider's bill, not what a gate counted.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from apart import Unavailable
from overspend_agents import Plan, Race
from overspend_calls import MODEL, PROVIDER, Estimate, demand_micro, price_micro
from overspend_field import BREAKERBOX, HARDCAP, Engine, Gate, breakerbox, engine, hardcap, rule
from overspend_truth import Outcome, judged
from result import Figure, show
from server import Server

from analytics.prices import PriceBook
from switchgear.usage import Usage

AGENTS, FEWER, CALLS, SHARE = 200, (1, 10, 50), 80, 10
QUICK_AGENTS, QUICK_CALLS = 40, 30
SEEDS, CAP_S = 3, 180.0
SPARE = 8
MEAN_S, ONE_LOCK_MEAN_S = 0.25, 0.02
"""How long a call lasts. A twelfth of it for one lock, which makes one call after the other."""
WARM_AGENTS, WARM_CALLS = 8, 50
KILLED_AT = 0.5
LOOK_S = 0.01
CORES = os.cpu_count() or 1
EXACT, LOW, HIGH, NOTHING = Estimate(1.0), Estimate(0.2), Estimate(5.0), Estimate(None)
HEAD = ("over", "used %", "false", "fitted", "s", "x check", "gate", "agents")
CHECK = "check-then-charge"


@dataclass(frozen=True, slots=True)
class Row:
    """A gate and how it is met. `warm`: it has seen 400 such calls before; `kill`: it is killed halfway.

    `spare`: so many holds more agents ask for with a call, from which they then draw.
    """

    name: str
    gate: Gate
    estimate: Estimate = EXACT
    agents: int = AGENTS
    mean_s: float = MEAN_S
    warm: bool = False
    kill: bool = False
    spare: int = 0
    seeds: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One race of one row."""

    outcome: Outcome
    mean_s: float
    gate_cpu_s: float
    away_s: float
    """How long a killed gate was away; not part of its time."""
    counted_off: Decimal | None
    """What the engine counted less what was billed, in millionths of a dollar."""

    @property
    def durations(self) -> float:
        """Until the ceiling was spent, in mean durations of a call."""
        return (self.outcome.spent_s - self.away_s) / self.mean_s


def main() -> None:
    """Print a line a row, the worst of its seeds, then the engine's figures; with --json all races at the end."""
    given = _arguments()
    _check_prices()
    runs: dict[str, list[Run]] = {}
    with tempfile.TemporaryDirectory(prefix="switchgear-overspend-", dir=given.folder) as folder:
        print(f"{'worst of its seeds':<44}" + "".join(f"{name:>9}" for name in HEAD), flush=True)
        for row in _rows(given):
            reference = runs.get(_check(row.agents).name)
            runs[row.name] = [
                _race(row, f"seed-{seed}", Path(folder) / f"{len(runs)}-{seed}", given)
                for seed in range(min(given.seeds, row.seeds or given.seeds))
            ]
            print(_line(row.name, runs[row.name], reference or runs[row.name]), flush=True)
    ours = {name: found for name, found in runs.items() if name.startswith("engine")}
    if ours:
        show("the engine, the worst of its rows", _figures(ours, runs))
    if given.json:
        print(json.dumps({name: [asdict(one) for one in found] for name, found in runs.items()}, default=str))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="one seed, fewer agents, the engine and three rules"
    )
    parser.add_argument("--no-peer", action="store_true", help=f"leave {BREAKERBOX} and {HARDCAP} out")
    parser.add_argument(
        "--only", default="", help="the rows whose name contains this, and the check they need"
    )
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many")
    parser.add_argument("--folder", type=Path, help="where the data goes; default: the temporary folder")
    parser.add_argument("--json", action="store_true", help="print all races as JSON at the end")
    given = parser.parse_args()
    given.calls = QUICK_CALLS if given.quick else CALLS
    given.seeds = 1 if given.quick else given.seeds
    return given


def _check_prices() -> None:
    """Raise AssertionError unless the engine prices the calls as the provider of this race does."""
    quote = PriceBook().quote(PROVIDER, MODEL, Usage(input_uncached=4_000, output=700), datetime.now(UTC))
    assert quote.cost == Decimal(price_micro(4_000, 700)) / 1_000_000, quote


def _rows(given: argparse.Namespace) -> Iterator[Row]:
    rows = _quick() if given.quick else _whole(peers=not given.no_peer)
    chosen = [row for row in rows if given.only in row.name]
    sizes = {row.agents for row in chosen}
    for row in rows:
        if row in chosen or (row.name.startswith(CHECK) and row.agents in sizes):
            yield row


def _check(agents: int) -> Row:
    return Row(f"{CHECK}, {_several(agents)}", rule(lambda _: 0.0), agents=agents)


def _several(agents: int) -> str:
    return "1 agent" if agents == 1 else f"{agents} agents"


def _quick() -> list[Row]:
    few = QUICK_AGENTS
    return [
        _check(few),
        Row("worst-case holds", rule(float), agents=few, mean_s=MEAN_S / 10),
        Row("engine", engine, agents=few, warm=True),
        Row("engine, estimates 5 x too low", engine, LOW, agents=few, warm=True),
        Row("engine, spare holds", engine, agents=few, warm=True, spare=SPARE),
        Row("engine, kill -9 halfway", engine, agents=few, warm=True, kill=True, spare=SPARE),
    ]


def _whole(*, peers: bool) -> list[Row]:
    rows = [
        _check(AGENTS),
        Row("one lock (calls last a twelfth)", rule(lambda _: math.inf), mean_s=ONE_LOCK_MEAN_S, seeds=1),
        Row("worst-case holds, the worst known", rule(float), seeds=1),
        Row("engine", engine, warm=True),
        Row("engine, estimates 5 x too low", engine, LOW, warm=True),
        Row("engine, estimates 5 x too high", engine, HIGH, warm=True),
        Row("engine, callers say nothing of output", engine, NOTHING, warm=True),
        Row("engine, cold start", engine),
        Row("engine, spare holds", engine, warm=True, spare=SPARE),
        Row("engine, spare holds, estimates 5 x too low", engine, LOW, warm=True, spare=SPARE),
        Row("engine, kill -9 halfway", engine, warm=True, kill=True, spare=SPARE),
    ]
    for agents in FEWER:
        rows += [_check(agents), Row(f"engine, {_several(agents)}", engine, agents=agents, warm=True)]
    for package, gate in ((BREAKERBOX, breakerbox), (HARDCAP, hardcap)) if peers else ():
        rows += _peer(package, gate)
    return rows


def _peer(package: str, gate: Callable[[], Gate]) -> list[Row]:
    try:
        entered = gate()
    except Unavailable as reason:
        print(f"  {package} is left out: {reason}", file=sys.stderr)
        return []
    return [
        Row(package, entered, warm=True),
        Row(f"{package}, estimates 5 x too low", entered, LOW, warm=True),
        Row(f"{package}, estimates 5 x too high", entered, HIGH, warm=True),
    ]


def _race(row: Row, seed: str, folder: Path, given: argparse.Namespace) -> Run:
    """Start the gate, let the agents at it, and hold what they were billed against the ceiling."""
    demand, largest = demand_micro(seed, row.agents, given.calls)
    ceiling = demand // SHARE
    before = demand_micro(f"{seed}-warm", WARM_AGENTS, WARM_CALLS)[0] if row.warm else 0
    gate = row.gate(folder, ceiling + before, largest)
    try:
        gate.wait_ready()
        if row.warm:
            _warm(gate.url, f"{seed}-warm", row.estimate)
        began_cpu_s, away_s = gate.cpu_s, 0.0
        plan = Plan(gate.url, seed, row.agents, given.calls, row.estimate, row.mean_s, CAP_S, row.spare)
        race = Race(plan)
        if row.kill and isinstance(gate, Engine):
            while race.micro < ceiling * KILLED_AT and not race.over:
                time.sleep(LOOK_S)
            began_cpu_s -= gate.cpu_s
            gate = gate.again()
            away_s = gate.wait_ready()
        outcome = judged(race.found(), ceiling)
        counted_off = gate.counted_micro - before - outcome.billed if isinstance(gate, Engine) else None
        return Run(outcome, row.mean_s, gate.cpu_s - began_cpu_s, away_s, counted_off)
    finally:
        _end(gate)


def _warm(url: str, seed: str, estimate: Estimate) -> None:
    found = Race(Plan(url, seed, WARM_AGENTS, WARM_CALLS, estimate, 0.0, CAP_S)).found()
    assert len(found.billed) == WARM_AGENTS * WARM_CALLS, (
        "not every call far from the ceiling was let through"
    )


def _end(gate: Server) -> None:
    if isinstance(gate, Engine):
        gate.kill()
        return
    with suppress(OSError):
        gate.stop()


def _line(name: str, runs: list[Run], reference: list[Run]) -> str:
    """The worst of several seeds in each respect; processor time of all."""
    outcomes = [run.outcome for run in runs]
    cut = sum(one.cut for one in outcomes)
    values = (
        f"{max(one.over for one in outcomes):.2f}",
        f"{100 * min(one.used for one in outcomes):.1f}",
        f"{max(one.refused_falsely for one in outcomes)}",
        f"{max(one.refused_though_it_fits for one in outcomes)}",
        f"{max(one.spent_s for one in outcomes):.1f}",
        f"{_slowest(runs, reference):.1f}",
        f"{sum(run.gate_cpu_s for run in runs):.1f}",
        f"{sum(one.agents_cpu_s for one in outcomes):.1f}",
    )
    more = f"  {cut} agents still waited when time was up" if cut else ""
    return f"  {name:<42}" + "".join(f"{value:>9}" for value in values) + more


def _slowest(runs: list[Run], reference: list[Run]) -> float:
    return max(run.durations / check.durations for run, check in zip(runs, reference, strict=False))


def _figures(ours: dict[str, list[Run]], runs: dict[str, list[Run]]) -> Iterator[Figure]:
    every = [run for found in ours.values() for run in found]
    outcomes = [run.outcome for run in every]
    checks = {found[0].outcome.ceiling: found for name, found in runs.items() if name.startswith(CHECK)}
    slowest = max(_slowest(found, checks[found[0].outcome.ceiling]) for found in ours.values())
    off = [abs(run.counted_off) for run in every if run.counted_off is not None]
    away = max(run.away_s for run in every)
    over = max(one.over for one in outcomes)
    yield Figure("spent over the ceiling, of the largest call", 100 * over, "%", "at most 100")
    yield Figure("of the ceiling that was spent", 100 * min(one.used for one in outcomes), "%", "at least 98")
    yield Figure("refused falsely", max(one.refused_falsely for one in outcomes), "calls", "0")
    yield Figure("time to spend it, to check-then-charge", slowest, "times", "at most 5")
    yield Figure("counted beside what was billed", float(max(off)), "millionths of a dollar", "0")
    if away:
        yield Figure("killed, then ready again after", away, "s")
    busy = max(one.agents_cpu_s / one.spent_s / CORES for one in outcomes)
    yield Figure("agents: share of the machine, at most", 100 * busy, "%")


if __name__ == "__main__":
    main()
