"""How long a person's calls wait while background work floods one process, with and without `switchgear.Scheduler`.

Real coroutines call a simulated service through the scheduler, in an event loop whose time is virtual: it jumps to
whatever is due next, so that nothing here but the last figure depends on the machine. Fifty background agents come on
each interactive call that is on its way on average, each with one call after the other, four times as long. *Wait* is
from asking to the answer, as the person has it; *queued* is the part of it before the call was sent. Background's part
is that of the slots (or tokens) that interactive calls leave. Beside it: the same without any order (a semaphore).

    python benchmarks/priority.py            # an hour of virtual time a scene (1 min)
    python benchmarks/priority.py --quick    # ten minutes of it

May be quoted for who waits how long, whatever the machine; not for a provider's own behaviour under load. The last
table has every figure and its bar; exit code 1 where one is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import selectors
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from switchgear.scheduler import Scheduler
from switchgear.tier import Tier

_AGENTS_EACH = 50
_INTERACTIVE_S, _BACKGROUND_S = 2.0, 8.0
_SPREAD = 0.8  # of the logarithm: p99 is 6.4 times the median
_TOKENS = 1000.0


@dataclass(slots=True)
class Played:
    """What came of a scene: seconds, slot-seconds and tokens."""

    waits: dict[Tier, list[float]] = field(default_factory=lambda: {tier: [] for tier in Tier})
    queued: dict[Tier, list[float]] = field(default_factory=lambda: {tier: [] for tier in Tier})
    busy: dict[Tier, float] = field(default_factory=lambda: dict.fromkeys(Tier, 0.0))
    tokens: dict[Tier, int] = field(default_factory=lambda: dict.fromkeys(Tier, 0))
    largest: float = 1.0
    """Of the background calls that were sent, in average ones."""

    def p99(self, of: dict[Tier, list[float]]) -> float:
        """Of the interactive calls."""
        return sorted(of[Tier.INTERACTIVE])[int(0.99 * (len(of[Tier.INTERACTIVE]) - 1))]


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure, and the most (or least) that it may be."""

    what: str
    figure: float
    bar: float
    unit: str
    least: bool = False

    @property
    def met(self) -> bool:
        return self.figure >= self.bar if self.least else self.figure <= self.bar

    def __str__(self) -> str:
        sign, verdict = ">=" if self.least else "<=", "met" if self.met else "MISSED"
        return f"  {self.what:<72}{self.figure:>10,.3f} {sign} {self.bar:>8,.3f} {self.unit:<3} {verdict}"


class _Jumping(selectors.SelectSelector):
    """Instead of waiting, it is later."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        return ready


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


Enter = Callable[[str, Tier, int], AbstractAsyncContextManager[Any]]


class Scene:
    """Calls of one process in a loop of virtual time, for `seconds`; each goes in by `enter`."""

    def __init__(self, seconds: float, seed: int, enter: Callable[[Callable[[], float]], Enter]) -> None:
        self.loop = _VirtualLoop()
        self.seconds = seconds
        # Of their own: people come with the same calls, whoever else is there.
        self._people, self._agents = Random(seed), Random(seed + 1)
        self.played = Played()
        self._enter = enter(self.loop.time)

    def play(self, *parts: Coroutine[Any, Any, None]) -> Played:
        """Play these until the time is over."""
        self.loop.run_until_complete(self._until_over(parts))
        self.loop.close()
        return self.played

    async def people(self, per_s: float) -> None:
        """Interactive calls of three tenants, whenever they come."""
        while True:
            await asyncio.sleep(self._people.expovariate(per_s))
            tenant = self._people.choice(("acme", "globex", "initech"))
            length = _length(self._people)
            self._tasks.create_task(self._call(tenant, Tier.INTERACTIVE, length, _INTERACTIVE_S))

    async def agents(self, count: int, tier: Tier = Tier.BACKGROUND, mean_s: float = _BACKGROUND_S) -> None:
        """So many, each with one call after the other."""

        async def agent(number: int) -> None:
            while True:
                await self._call(f"tenant-{number % 5}", tier, _length(self._agents), mean_s)

        for number in range(count):
            self._tasks.create_task(agent(number))

    async def _until_over(self, parts: tuple[Coroutine[Any, Any, None], ...]) -> None:
        try:
            async with asyncio.timeout(self.seconds), asyncio.TaskGroup() as self._tasks:
                for part in parts:
                    self._tasks.create_task(part)
        except TimeoutError:
            pass

    async def _call(self, tenant: str, tier: Tier, length: float, mean_s: float) -> None:
        """One call; who still waits or runs at the end counts with what it has waited or run."""
        asked, sent = self.loop.time(), None
        try:
            async with self._enter(tenant, tier, int(length * _TOKENS)):
                sent = self.loop.time()
                self.played.tokens[tier] += int(length * _TOKENS)
                if tier is Tier.BACKGROUND:
                    self.played.largest = max(self.played.largest, length)
                await asyncio.sleep(length * mean_s)
        finally:
            now = self.loop.time()
            self.played.queued[tier].append((now if sent is None else sent) - asked)
            self.played.waits[tier].append(now - asked)
            self.played.busy[tier] += 0.0 if sent is None else now - sent


def _length(random: Random) -> float:
    """Of a call, where 1 is the average."""
    return random.lognormvariate(-_SPREAD * _SPREAD / 2, _SPREAD)


def scheduled(**limits: Any) -> Callable[[Callable[[], float]], Enter]:
    """Through a scheduler of these limits."""

    def made(clock: Callable[[], float]) -> Enter:
        scheduler = Scheduler(**limits, clock=clock)
        return lambda tenant, tier, tokens: scheduler.slot(tenant=tenant, tier=tier, tokens=tokens)

    return made


def unordered(concurrency: int) -> Callable[[Callable[[], float]], Enter]:
    """Through a semaphore: who came first."""

    def made(_: Callable[[], float]) -> Enter:
        slots = asyncio.Semaphore(concurrency)

        @asynccontextmanager
        async def enter(tenant: str, tier: Tier, tokens: int) -> AsyncIterator[None]:
            async with slots:
                yield

        return enter

    return made


def main() -> int:
    """Print every scene and the table of bars; 0 where all are met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="ten minutes of virtual time rather than an hour"
    )
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    seconds = 600.0 if options.quick else 3600.0
    bars: list[Bar] = []
    for slots, part in ((20, 0.25), (50, 0.1), (50, 0.4), (100, 0.4)):
        bars += _slots(slots, part, seconds, options.seed)
    bars += _rate(seconds, options.seed)
    bars += _saturated(seconds, options.seed)
    bars += _cost()
    print("\nfigure and bar")
    for bar in bars:
        print(bar)
    return 0 if all(bar.met for bar in bars) else 1


def _slots(slots: int, part: float, seconds: float, seed: int) -> list[Bar]:
    """Interactive calls take a part of the slots on average; a flood wants all of them."""
    per_s, agents = slots * part / _INTERACTIVE_S, int(_AGENTS_EACH * slots * part)
    name = f"{slots} slots, {part:.0%} interactive"
    print(
        f"\n{name}: {per_s:g} calls/s of {_INTERACTIVE_S:g} s; the flood: {agents} agents, {_BACKGROUND_S:g} s a call"
    )
    quiet = Scene(seconds, seed, scheduled(concurrency=slots))
    unloaded = quiet.play(quiet.people(per_s))
    flooded = {}
    for how, enter in (("a semaphore", unordered(slots)), ("scheduler", scheduled(concurrency=slots))):
        scene = Scene(seconds, seed, enter)
        flooded[how] = scene.play(scene.people(per_s), scene.agents(agents))
    _told("scheduler, no flood", unloaded)
    for how, played in flooded.items():
        left = slots * seconds - played.busy[Tier.INTERACTIVE]
        _told(f"{how}, flooded", played, played.busy[Tier.BACKGROUND] / left)
    ours = flooded["scheduler"]
    left = slots * seconds - ours.busy[Tier.INTERACTIVE]
    # Its turn comes when each agent before it has had one: so long, were all calls as long as the average.
    fair = agents * _BACKGROUND_S / (slots * (1 - part))
    return [
        Bar(
            f"{name}: p99 wait, flooded beside unloaded",
            ours.p99(ours.waits) / unloaded.p99(unloaded.waits),
            1.2,
            "x",
        ),
        Bar("  background's part of what is left", ours.busy[Tier.BACKGROUND] / left, 0.9, "x", least=True),
        Bar(
            "  longest wait in the queue of anybody, in rounds of all agents", _longest(ours) / fair, 3.0, "x"
        ),
    ]


def _rate(seconds: float, seed: int) -> list[Bar]:
    """A limit in tokens a minute, of which interactive calls take 80 %: they wait for each other even alone."""
    per_s = 5.0
    rate = per_s * _TOKENS / 0.8
    name = "tokens a minute, 80 % interactive"
    print(f"\n{name}: {per_s:g} calls/s of {_TOKENS:g} tokens at {rate:,.0f} tokens/s; the flood: 500 agents")
    quiet, loud = (Scene(seconds, seed, scheduled(tokens_per_minute=rate * 60)) for _ in range(2))
    unloaded = quiet.play(quiet.people(per_s))
    flooded = loud.play(loud.people(per_s), loud.agents(500))
    left = rate * seconds - flooded.tokens[Tier.INTERACTIVE]
    got = flooded.tokens[Tier.BACKGROUND] / left
    _told("scheduler, no flood", unloaded)
    _told("scheduler, flooded", flooded, got)
    ratio = flooded.p99(flooded.queued) / unloaded.p99(unloaded.queued)
    return [
        Bar(f"{name}: p99 queued, flooded beside unloaded", ratio, 1.2, "x"),
        Bar("  background's part of what is left", got, 0.9, "x", least=True),
    ]


def _saturated(seconds: float, seed: int) -> list[Bar]:
    """Interactive calls alone want five times what there is; ten background agents wait beside them."""
    print("\n20 slots, 100 interactive agents, one call after the other; ten background agents beside them")
    scene = Scene(seconds, seed, scheduled(concurrency=20))
    played = scene.play(scene.agents(100, Tier.INTERACTIVE, _INTERACTIVE_S), scene.agents(10))
    _told("scheduler", played)
    # Ten seconds for each of the two tiers that it is raised by; a round is one such turn for each of the ten. Fair by
    # tokens, a tenant's call of so many times the average is followed by as many rounds of the others.
    rounds = _longest(played) / (10 * 20.0)
    return [
        Bar(
            "saturated by interactive calls: longest wait, in rounds x largest",
            rounds / played.largest,
            1.0,
            "x",
        )
    ]


def _cost() -> list[Bar]:
    """Acquire and release in one thread with nobody else there, best of five, on this machine."""
    figures = []
    for name, scheduler, bar in (
        ("nothing limited", Scheduler(), 3.0),
        ("limited slots", Scheduler(concurrency=20), 10.0),
        (
            "limited slots and rates",
            Scheduler(concurrency=20, tokens_per_minute=1e12, requests_per_minute=1e12),
            15.0,
        ),
    ):
        best = min(_timed(scheduler) for _ in range(5))
        figures.append(Bar(f"acquire and release, {name}", best * 1e6, bar, "µs"))
    return figures


def _timed(scheduler: Scheduler, calls: int = 20_000) -> float:
    begun = time.perf_counter()
    for _ in range(calls):
        scheduler.acquire(tenant="acme", tier=Tier.INTERACTIVE, tokens=1000).release()
    return (time.perf_counter() - begun) / calls


def _longest(played: Played) -> float:
    return max(max(queued, default=0.0) for queued in played.queued.values())


def _told(name: str, played: Played, part: float | None = None) -> None:
    waits, queued = played.p99(played.waits), played.p99(played.queued)
    told = f"  {name:<24} interactive p99: wait {waits:8.3f} s, queued {queued:8.3f} s"
    told += f"   longest queued {_longest(played):8.1f} s"
    print(told if part is None else f"{told}   background {part:.3f} of what is left", flush=True)


if __name__ == "__main__":
    sys.exit(main())
