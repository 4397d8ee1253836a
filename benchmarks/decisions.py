"""What asking costs: decisions and grants over HTTP, and how soon a decision follows from what was spent.

Collector and engine in processes of their own, as a user starts them, with keys; 10,000 scopes, and calls that move
their counters all the time. The clients are processes of their own too, on the same two cores: what each took is
printed. Decisions are asked for by 64 connections that wait for their answer, grants by the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from random import Random

import decisions_ledger as ledger
import decisions_visible as visible
from decisions_client import asking
from decisions_load import SPANS_PER_S, spans
from decisions_pairs import Load, Made, Pair, pairs
from decisions_scene import Scene, asked, scopes, set_up
from result import Figure, show

CORES = os.cpu_count() or 1
CONNECTIONS = 64
CLIENTS, PAIRS_PER_S, FEW_CLIENTS, FEW_PER_S = 200, 2_000, 20, 100
SECONDS, QUICK_SECONDS = 20.0, 2.0
QUICK_AGENTS = 20


def main() -> None:
    """Print a line a figure, and with --json all of them as one document at the end."""
    given = _arguments()
    shown: dict[str, list[Figure]] = {}
    with tempfile.TemporaryDirectory(prefix="switchgear-decisions-", dir=given.folder) as folder:
        for title, figures in _sections(Path(folder), given):
            shown[title] = show(title, figures)
    if given.json:
        print(json.dumps({title: [asdict(each) for each in figures] for title, figures in shown.items()}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SECONDS:.0f} s a load, fewer agents")
    parser.add_argument("--seconds", type=float, help=f"of each load; default: {SECONDS:.0f}")
    parser.add_argument("--only", default="", help="the sections whose title contains this")
    parser.add_argument("--rate", type=float, default=PAIRS_PER_S, help="pairs a second")
    parser.add_argument("--folder", type=Path, help="where the data goes; default: the temporary folder")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON at the end")
    return parser.parse_args()


def _sections(folder: Path, given: argparse.Namespace) -> Iterator[tuple[str, Iterator[Figure]]]:
    seconds = given.seconds or (QUICK_SECONDS if given.quick else SECONDS)
    agents = QUICK_AGENTS if given.quick else visible.AGENTS
    sections = {
        "decisions": lambda scene: _decisions(scene, seconds, under_load=False),
        f"decisions while the collector takes {SPANS_PER_S:,} spans/s": lambda scene: _decisions(
            scene, seconds, under_load=True
        ),
        f"grant and settle, {given.rate:,.0f} pairs/s by the clock": lambda scene: _pairs(
            scene, given.rate, seconds
        ),
        "from a call's end to the denial, for an agent that waits": lambda scene: _visible(scene, agents),
    }
    for number, (title, figures) in enumerate(sections.items()):
        if given.only in title:
            with set_up(folder / str(number)) as scene:
                yield title, figures(scene)


def _decisions(scene: Scene, seconds: float, *, under_load: bool) -> Iterator[Figure]:
    requests = [asked(scope, scene.key) for scope in scopes()]
    Random(4).shuffle(requests)
    moving = pairs(_load(scene, FEW_CLIENTS, FEW_PER_S, seconds))
    sending = spans(scene, seconds) if under_load else None
    before, began = (scene.policies.cpu_s, scene.collector.cpu_s), time.perf_counter()
    found = asking(scene.policies.url, requests, connections=CONNECTIONS, seconds=seconds)
    engine_s, collector_s = scene.policies.cpu_s - before[0], scene.collector.cpu_s - before[1]
    elapsed_s = time.perf_counter() - began
    made = moving.value()
    yield Figure("decisions", found.rate, "/s", "" if under_load else "at least 20,000")
    yield Figure("median", found.quantile_ms(0.5), "ms")
    yield Figure("p99", found.quantile_ms(0.99), "ms", f"at most {10 if under_load else 5}")
    yield Figure("calls that move the counters meanwhile", len(made.pairs) / made.seconds, "/s")
    yield from _shares(elapsed_s, engine=engine_s, collector=collector_s, client=found.cpu_s)
    if sending is not None:
        yield Figure("spans acknowledged meanwhile", sending.value(), "/s", f"{SPANS_PER_S:,}")


def _pairs(scene: Scene, rate: float, seconds: float) -> Iterator[Figure]:
    before = scene.policies.cpu_s
    made = pairs(_load(scene, CLIENTS, rate, seconds)).value()
    engine_s = scene.policies.cpu_s - before
    yield Figure("pairs", len(made.pairs) / made.seconds, "/s", f"{rate:,.0f}")
    yield from _waits(made)
    yield Figure("refused", made.refused, "pairs", "0")
    yield from _shares(made.seconds, engine=engine_s, client=made.cpu_s)
    yield from _booked(scene, made.pairs)


def _waits(made: Made) -> Iterator[Figure]:
    yield Figure("grant and settle, median", made.quantile_ms(0.5), "ms")
    yield Figure("grant and settle, p99", made.quantile_ms(0.99), "ms", "at most 15")
    yield Figure("grant, p99", made.quantile_ms(0.99, "granted_s"), "ms")
    yield Figure("settle, p99", made.quantile_ms(0.99, "settled_s"), "ms")


def _booked(scene: Scene, calls: list[Pair]) -> Iterator[Figure]:
    settled = ledger.mismatches(scene, calls, booked=False)
    ledger.book(scene, calls)
    wrong = ledger.mismatches(scene, calls, booked=True)
    for each in [*settled, *wrong]:
        print(f"  {each}")
    yield Figure("tenants counted otherwise than billed", len(settled), "tenants", "0")
    yield Figure("the same against the ledger, once all is booked", len(wrong), "tenants", "0")


def _visible(scene: Scene, agents: int) -> Iterator[Figure]:
    for name, seconds, wanted in (
        ("guarded", visible.guarded(scene, agents), 250),
        ("by spans alone", visible.by_spans(scene, agents), 1_000),
    ):
        times = sorted(1000 * each for each in seconds)
        yield Figure(f"{name}, median of {len(times)}", times[len(times) // 2], "ms")
        yield Figure(f"{name}, p99", times[int(0.99 * len(times))], "ms", f"at most {wanted:,}")
        yield Figure(f"{name}, slowest", times[-1], "ms")


def _load(scene: Scene, clients: int, rate: float, seconds: float) -> Load:
    return Load(scene.policies.url, scene.key, f"pairs-{clients}", scopes(), clients, rate, seconds)


def _shares(seconds: float, **cpu_s: float) -> Iterator[Figure]:
    """Of one core: the engine's limit is a whole one, and all share what the machine has."""
    for name, used_s in cpu_s.items():
        yield Figure(f"{name}: of one core", 100 * used_s / seconds, "%")


if __name__ == "__main__":
    main()
