"""A retry storm: 500 agents, and a provider that for 30 s serves a tenth of what it did.

Agents of ten tenants want seven tenths of a limit of 3,000 requests a minute, with OpenAI's own SDK, from a provider
that is a process of its own: token buckets, 429 with Retry-After, rate-limit headers. Once all is calm its limits are
cut to a tenth, restored 30 s later, and the run goes on until what was held up is worked off. Every way meets the same
due times, and differs in what is done about a 429.

    python benchmarks/storm.py            # six storms (12 min)
    python benchmarks/storm.py --quick    # 60 agents and a cut of 3 s (1 min), no result

May be quoted for what clients that wait by themselves make of a provider's bad half minute, beside clients that are
told when to come. A refused request costs nothing here: where a provider counts it, who asks again fares worse.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
from result import Figure, show
from server import Collector, Policies, Server, free_port
from storm_agents import Plan, Storm, due_times
from storm_truth import Outcome, judged

TOKENS_EACH = 250
FIRST_S = 0.4
LOOK_S, CALM_S = 0.1, 1.0
HEAD = (
    "att/ok",
    "in cut",
    "given up",
    "429",
    "peak cut",
    "peak",
    "backlog",
    "recover",
    "minimum",
    "x",
    "longest",
)


@dataclass(frozen=True, slots=True)
class Scene:
    """How large it is: a limit of `per_s` requests a second."""

    agents: int
    per_s: float
    demand: float
    settled_s: float
    cut_s: float
    longest_s: float
    """From the restoring of the limit."""

    @property
    def tokens_per_minute(self) -> float:
        """The other limit: twice what so many requests take, so that it is requests that are short."""
        return self.per_s * 60 * TOKENS_EACH * 2


@dataclass(frozen=True, slots=True)
class Row:
    """A way, whether answers name limits, and whether the policy file does."""

    name: str
    way: str
    says_limits: bool = True
    declared: bool = True


WHOLE = Scene(500, 50.0, 0.7, 20.0, 30.0, 120.0)
QUICK = Scene(60, 20.0, 0.6, 2.0, 3.0, 12.0)
ROWS = (
    Row("blind exponential", "blind"),
    Row("full jitter after Retry-After", "jitter"),
    Row("OpenAI's SDK by itself", "sdk"),
    Row("switchgear, limit declared", "switchgear"),
    Row("switchgear, limit not declared", "switchgear", declared=False),
    Row("switchgear, no headers", "switchgear", says_limits=False),
)


@dataclass(frozen=True, slots=True)
class Run:
    """One storm, and what of a core its parts took meanwhile."""

    outcome: Outcome
    provider: float
    engine: float
    agents: float
    """The busiest process of them."""
    latest_s: float


def main() -> None:
    """Print two lines a storm, then what is wanted of ours; with --json all of it at the end."""
    given = _arguments()
    scene = QUICK if given.quick else WHOLE
    runs: dict[str, list[Run]] = {}
    with tempfile.TemporaryDirectory(prefix="switchgear-storm-") as folder:
        print(f"{'':<34}" + "".join(f"{name:>9}" for name in HEAD), flush=True)
        for row in (row for row in ROWS if given.only in row.name):
            for seed in range(1, given.seeds + 1):
                run = _run(row, scene, seed, Path(folder) / f"{row.way}-{len(runs)}-{seed}")
                runs.setdefault(row.name, []).append(run)
                print(_line(row.name, run), flush=True)
    if figures := list(_figures(runs)):
        show("the worst of its seeds", figures)
    if given.json:
        print(json.dumps({name: [asdict(one) for one in found] for name, found in runs.items()}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="60 agents, and a cut of 3 s")
    parser.add_argument("--only", default="", help="the rows whose name contains this")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--json", action="store_true", help="print all of it as JSON at the end")
    return parser.parse_args()


def _run(row: Row, scene: Scene, seed: int, folder: Path) -> Run:
    """Start provider, collector and engine as a user would, and play."""
    folder.mkdir(parents=True)
    servers = [provider := _provider(scene, folder)]
    engine: Policies | None = None
    collector: Collector | None = None
    try:
        if row.way == "switchgear":
            servers.append(collector := Collector(folder / "data"))
            file = folder / "policies.yaml"
            file.write_text(_policies(scene) if row.declared else "version: 1\n")
            servers.append(engine := Policies(folder / "data", file, collector=collector.url))
        for server in servers:
            server.wait_ready()
        plan = Plan(
            way=row.way,
            provider=f"{provider.url}/v1",
            engine=engine.url if engine else "",
            collector=collector.url if collector else "",
            agents=scene.agents,
            per_s=scene.per_s * scene.demand,
            longest_s=scene.settled_s + scene.cut_s + scene.longest_s,
            seed=seed,
            says_limits=row.says_limits,
        )
        return _played(plan, scene, provider, engine)
    finally:
        for server in servers:
            server.kill()


def _policies(scene: Scene) -> str:
    limits = (
        f"requests_per_minute: {int(scene.per_s * 60)}, tokens_per_minute: {int(scene.tokens_per_minute)}"
    )
    return f"version: 1\ncapacity: [{{provider: openai, {limits}}}]\n"


def _provider(scene: Scene, folder: Path) -> Server:
    port = free_port()
    command = [
        sys.executable, "-m", "switchgear.testing.provider", "--port", str(port),
        "--requests-per-minute", str(scene.per_s * 60),
        "--tokens-per-minute", str(scene.tokens_per_minute),
        "--first-s", str(FIRST_S),
    ]  # fmt: skip
    return Server(command, f"http://127.0.0.1:{port}", ready="/v1/models", log=folder / "provider.log")


def _played(plan: Plan, scene: Scene, provider: Server, engine: Server | None) -> Run:
    storm = Storm(plan)
    _sleep_until(storm.began)
    before = provider.cpu_s, engine.cpu_s if engine else 0.0
    _sleep_until(storm.began + scene.settled_s)
    usual = storm.behind(time.time())
    cut = _limit(provider, scene, 0.1)
    _sleep_until(cut + scene.cut_s)
    restored = _limit(provider, scene, 1.0)
    calm_since = None
    while time.time() < restored + scene.longest_s:
        time.sleep(LOOK_S)
        now = time.time()
        calm_since = (calm_since or now) if storm.behind(now) <= usual else None
        if calm_since is not None and now - calm_since > CALM_S:
            break
    ended = time.time()
    used = provider.cpu_s - before[0], (engine.cpu_s if engine else 0.0) - before[1]
    log = provider.http.get("/admin/log").raise_for_status().json()
    found = storm.end()
    due = sorted(found.began + at for agent in range(plan.agents) for at in due_times(plan, agent))
    outcome = judged(found, due, log, cut, restored, scene.per_s, ended)
    lasted_s = ended - storm.began
    return Run(outcome, used[0] / lasted_s, used[1] / lasted_s, max(found.cpu_s) / lasted_s, found.latest_s)


def _limit(provider: Server, scene: Scene, part: float) -> float:
    """Allow a part of what is usual from now on; the moment, in epoch seconds."""
    limits = {
        "requests_per_minute": scene.per_s * 60 * part,
        "tokens_per_minute": scene.tokens_per_minute * part,
    }
    answer = provider.http.post("/admin/limit", json={"provider": "openai", **limits})
    assert answer.status_code == httpx.codes.OK, answer.text
    return time.time()


def _sleep_until(at: float) -> None:
    time.sleep(max(0.0, at - time.time()))


def _line(name: str, run: Run) -> str:
    of = run.outcome
    recovery = "not" if of.recovery_s is None else f"{of.recovery_s:.1f}"
    times = "" if of.times_minimum is None else f"{of.times_minimum:.2f}"
    values = (
        f"{of.attempts:.2f}", f"{of.cut_attempts:.2f}", f"{of.given_up}", f"{of.refused}", f"{of.peak_cut}",
        f"{of.peak}", f"{of.backlog}", recovery, f"{of.minimum_s:.1f}", times, f"{of.longest_wait_s:.1f}",
    )  # fmt: skip
    cores = f"provider {run.provider:.0%}, engine {run.engine:.0%}, agents {run.agents:.0%}"
    line = f"  {name:<32}" + "".join(f"{value:>9}" for value in values)
    return f"{line}\n{'':<8}of a core: {cores}; late by {run.latest_s:.2f} s at the most"


def _figures(runs: dict[str, list[Run]]) -> Iterator[Figure]:
    for name, found in runs.items():
        if name.startswith("switchgear"):
            outcomes = [run.outcome for run in found]
            yield Figure(f"{name}: attempts a success", max(of.attempts for of in outcomes), "", "<= 1.2")
            times = [of.times_minimum or float("inf") for of in outcomes]
            yield Figure("  recovery", max(times), "x minimum", "<= 1.3")
            yield Figure("  calls given up", max(of.given_up for of in outcomes), "", "0")


if __name__ == "__main__":
    main()
