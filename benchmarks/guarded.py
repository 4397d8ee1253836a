"""What a guarded call costs: the SDK's share of it, by itself and beside the same call unguarded and through gateways.

Provider, engine and collector are processes of their own, as a user starts them; the calls are made by this one, with
`openai`'s own client, whose work is the same in all rows. Plain and guarded calls take turns; what is printed is by how
much a quantile of the ones is above that of the others. What the guard does in the background (settlements, records,
more holds) meets both kinds of calls then; *by blocks* it meets the guarded ones alone.

    python benchmarks/guarded.py               # everything (3 min, and the gateways' installation once)
    python benchmarks/guarded.py --quick       # fewer calls (80 s)
    python benchmarks/guarded.py --only peers  # a section: tagging, check, guarded, peers

May be quoted for what the SDK adds to a call on this machine, and beside the gateways for the ratio, with the versions
that are named. Not for a gateway under load, nor for what a call takes at a real provider: there it is the same
microseconds of seconds. A run in which the engine has not counted what was billed, to the token, ends with an error.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import openai
from apart import Unavailable
from guarded_calls import EACH, Found, by_blocks, by_turns, by_turns_async, quantile_us
from guarded_check import checks
from guarded_peers import PEERS, started
from guarded_scene import Scene, asked, provider, set_up
from result import Figure, show
from tagging import per_span_us

P50_US, P99_US = "at most 150", "at most 1,000"
AGENTS = 20
LATENCY_S = 0.1
Figures = Iterator[Figure]


def main() -> None:
    """Print a line a figure, and with --json all of them as one document at the end."""
    given = _arguments()
    shown: dict[str, list[Figure]] = {}
    print(f"{os.cpu_count()} cores, load average {_load()}")
    tasks = 8 if given.quick else 50
    if given.only in "tagging":
        shown["tagging"] = show("tagging", _tagging())
    with (
        tempfile.TemporaryDirectory(prefix="switchgear-guarded-", dir=given.folder) as folder,
        set_up(Path(folder)) as scene,
    ):
        for title, figures in _sections(scene, Path(folder), tasks).items():
            if given.only in title:
                shown[title] = show(title, figures())
                scene.check()
    print(f"load average at the end {_load()}")
    if given.json:
        print(json.dumps({title: [asdict(each) for each in figures] for title, figures in shown.items()}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="a sixth of the calls")
    parser.add_argument("--only", default="", help="the sections whose title contains this")
    parser.add_argument("--folder", type=Path, help="where the data goes; default: the temporary folder")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON at the end")
    return parser.parse_args()


def _sections(scene: Scene, folder: Path, tasks: int) -> dict[str, Callable[[], Figures]]:
    return {
        "check: the local decision and a hold, no I/O": lambda: _check(scene, tasks),
        "guarded, sync": lambda: _sync(scene, tasks),
        "guarded, streamed": lambda: _streamed(scene, tasks),
        "guarded, large bodies": lambda: _large(scene, tasks),
        "guarded, async": lambda: _async(scene, folder, tasks),
        "peers: one call after the other, each way by turns": lambda: _peers(scene, folder, tasks),
    }


def _tagging() -> Figures:
    without, with_tags = per_span_us()
    yield Figure("a span tagged with six attributes, over none", with_tags - without, "µs", "at most 5")


def _check(scene: Scene, tasks: int) -> Figures:
    checks(scene, tasks=1)
    took = checks(scene, tasks=tasks)
    yield Figure("checks", len(took.local), "")
    yield Figure("p50", quantile_us(took.local, 0.5), "µs")
    yield Figure("p99", quantile_us(took.local, 0.99), "µs", "at most 20")
    yield Figure("the first after a pause, p50", quantile_us(took.first, 0.5), "µs")
    yield Figure("while more holds are asked for beside it, p50", quantile_us(took.fetching, 0.5), "µs")


def _sync(scene: Scene, tasks: int) -> Figures:
    plain, guarded = _whole(scene.client(guarded=False), 0), _whole(scene.client(guarded=True), 0)
    by_turns(scene, plain, guarded, tasks=2)
    found = by_turns(scene, plain, guarded, tasks=tasks)
    yield from _more(found, bars=True)
    yield Figure("the first call of a task, which asks: p50 more", found.cold_us, "µs")
    found = by_turns(scene, plain, guarded, tasks=tasks, clock=time.thread_time)
    yield Figure("its thread's processor time: p50 more", found.more_us(0.5), "µs")
    found, plain_s, guarded_s = by_blocks(scene, plain, guarded, tasks=tasks)
    yield from _more(found, "by blocks, ")
    each = (guarded_s - plain_s) / len(found.plain) * 1e6
    yield Figure("by blocks, all threads' processor time more", each, "µs a call")


def _streamed(scene: Scene, tasks: int) -> Figures:
    plain, guarded = _streaming(scene.client(guarded=False)), _streaming(scene.client(guarded=True))
    found = by_turns(scene, plain, guarded, tasks=max(tasks // 2, 4))
    yield from _more(found, "the whole of it, ")


def _large(scene: Scene, tasks: int) -> Figures:
    for size in (20_000, 200_000):
        plain, guarded = scene.client(guarded=False), scene.client(guarded=True)
        found = by_turns(scene, _whole(plain, size), _whole(guarded, size), tasks=max(tasks // 2, 4))
        yield from _more(found, f"{size // 1000} KB: ")


def _async(scene: Scene, folder: Path, tasks: int) -> Figures:
    found = asyncio.run(_in_loop(scene, scene.provider.url, tasks, agents=1))
    yield from _more(found, "1 in flight: ", bars=True)
    with provider(folder, "--first-s", str(LATENCY_S)) as slow:
        found = asyncio.run(_in_loop(scene, slow.url, max(tasks, AGENTS), agents=AGENTS))
    yield from _more(found, f"{AGENTS} in flight, answers after {LATENCY_S:g} s: ")


async def _in_loop(scene: Scene, url: str, tasks: int, *, agents: int) -> Found:
    async with (
        scene.client_async(guarded=False, url=url) as plain,
        scene.client_async(guarded=True, url=url) as with_,
    ):
        return await by_turns_async(scene, _awaited(plain), _awaited(with_), tasks=tasks, agents=agents)


def _peers(scene: Scene, folder: Path, tasks: int) -> Figures:
    direct = _whole(scene.client(guarded=False), 0)
    found = by_turns(scene, direct, _whole(scene.client(guarded=True), 0), tasks=tasks)
    yield Figure(f"direct: p50 of {len(found.plain):,}", quantile_us(found.plain, 0.5), "µs")
    yield from _through("switchgear, guarded", found)
    for number, peer in enumerate(PEERS):
        try:
            with started(peer, scene.provider.url, folder / f"peer-{number}") as (url, key):
                through = _whole(scene.client(guarded=False, url=url, key=key), 0)
                found = _unguarded(direct, through, calls=tasks * EACH // 2)
                yield from _through(f"{peer.package}, {len(found.plain):,} calls", found)
        except Unavailable as reason:
            print(f"  {peer.package}: left out, {reason}")


def _unguarded(direct: Callable[[], int], through: Callable[[], int], *, calls: int) -> Found:
    """As `by_turns`, of calls through what stands before the provider."""
    found = Found()
    for number in range(-20, calls):
        for does, into in ((direct, found.plain), (through, found.guarded)):
            began = time.perf_counter()
            does()
            if number >= 0:
                into.append(time.perf_counter() - began)
    return found


def _more(found: Found, name: str = "", *, bars: bool = False) -> Figures:
    calls = len(found.plain)
    yield Figure(f"{name}unguarded: p50 of {calls:,}", quantile_us(found.plain, 0.5), "µs")
    yield Figure(f"{name}p50 more", found.more_us(0.5), "µs", P50_US if bars else "")
    yield Figure(f"{name}p99 more", found.more_us(0.99), "µs", P99_US if bars else "")
    if found.asked:
        yield Figure(f"{name}calls that found no hold at hand", found.asked, f"of {calls:,}")


def _through(name: str, found: Found) -> Figures:
    yield Figure(f"{name}: p50 more", found.more_us(0.5), "µs")
    yield Figure(f"{name}: p99 more", found.more_us(0.99), "µs")


def _whole(client: openai.OpenAI, size: int) -> Callable[[], int]:
    arguments = asked(size)
    return lambda: _tokens(client.chat.completions.create(**arguments))


def _streaming(client: openai.OpenAI) -> Callable[[], int]:
    """Reads a streamed answer to its end, as most callers do, from first chunk to last."""
    arguments: dict[str, Any] = {**asked(), "stream": True, "stream_options": {"include_usage": True}}

    def call() -> int:
        chunks = list(client.chat.completions.create(**arguments))
        return _tokens(chunks[-1])

    return call


def _awaited(client: openai.AsyncOpenAI) -> Callable[[], Any]:
    arguments = asked()

    async def call() -> int:
        return _tokens(await client.chat.completions.create(**arguments))

    return call


def _tokens(answer: Any) -> int:
    tokens: int = answer.usage.total_tokens
    return tokens


def _load() -> str:
    return ", ".join(f"{load:.1f}" for load in os.getloadavg())


if __name__ == "__main__":
    main()
