"""Calls: the same call again and again, plain and guarded by turns, and what the guarded one takes more.

A task makes 48 of each, since one that makes thousands of like calls is a runaway to the engine, and gets no spare
holds. Its first call asks the engine, is *cold*, and so may be the few after it: they are not counted with the others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from guarded_scene import TENANT, WORKLOAD, Scene

import switchgear as sg

__all__ = ["Clock", "Found", "by_blocks", "by_turns", "by_turns_async", "quantile_us"]

EACH, WARMING = 40, 8
_QUIET_S = 0.1

Clock = Callable[[], float]
Does = Callable[[], int]
"""Makes one call; the tokens that it was billed."""
DoesAsync = Callable[[], Awaitable[int]]


@dataclass(slots=True)
class Found:
    """Seconds of each call."""

    plain: list[float] = field(default_factory=list)
    guarded: list[float] = field(default_factory=list)
    cold: list[float] = field(default_factory=list)
    """The first of each task."""
    asked: int = 0
    """Of the guarded ones, how many found no hold at hand."""

    def more_us(self, share: float) -> float:
        """By how much a quantile of the guarded calls is above that of the plain ones."""
        return quantile_us(self.guarded, share) - quantile_us(self.plain, share)

    @property
    def cold_us(self) -> float:
        """By how much the median first call of a task is above that of the plain ones."""
        return quantile_us(self.cold, 0.5) - quantile_us(self.plain, 0.5)


def by_turns(
    scene: Scene, plain: Does, guarded: Does, *, tasks: int, clock: Clock = time.perf_counter
) -> Found:
    """One after the other, in pairs of which each begins with the other one of both."""
    found = Found()
    for _ in range(tasks):
        with sg.task(WORKLOAD, tenant=TENANT):
            found.cold.append(_timed(guarded, scene, clock))
            for place in range(WARMING + EACH):
                warm = place >= WARMING
                before = scene.holds.missed
                if place % 2:
                    without = _timed(plain, None, clock)
                    with_ = _timed(guarded, scene, clock)
                else:
                    with_ = _timed(guarded, scene, clock)
                    without = _timed(plain, None, clock)
                if warm:
                    found.plain.append(without)
                    found.guarded.append(with_)
                    found.asked += scene.holds.missed - before
    return found


async def by_turns_async(
    scene: Scene, plain: DoesAsync, guarded: DoesAsync, *, tasks: int, agents: int
) -> Found:
    """As `by_turns`, by so many agents of one event loop at once; `tasks` are of all of them together."""
    found = Found()
    left = iter(range(tasks))
    before = scene.holds.missed

    async def agent() -> None:
        for _ in left:
            with sg.task(WORKLOAD, tenant=TENANT):
                found.cold.append(await _timed_async(guarded, scene))
                for place in range(WARMING + EACH):
                    if place % 2:
                        without = await _timed_async(plain, None)
                        with_ = await _timed_async(guarded, scene)
                    else:
                        with_ = await _timed_async(guarded, scene)
                        without = await _timed_async(plain, None)
                    if place >= WARMING:
                        found.plain.append(without)
                        found.guarded.append(with_)

    async with asyncio.TaskGroup() as group:
        for _ in range(agents):
            group.create_task(agent())
    # Each task's first has to ask.
    found.asked = scene.holds.missed - before - len(found.cold)
    return found


def by_blocks(scene: Scene, plain: Does, guarded: Does, *, tasks: int) -> tuple[Found, float, float]:
    """A task's guarded calls, then as many plain ones: what the guard does in the background meets its own alone.

    Returns the calls, and the processor seconds of this process for all of the plain and of the guarded ones.
    """
    found, cpu_s = Found(), [0.0, 0.0]
    for _ in range(tasks):
        with sg.task(WORKLOAD, tenant=TENANT):
            found.cold.append(_timed(guarded, scene, time.perf_counter))
            for _ in range(WARMING):
                _timed(guarded, scene, time.perf_counter)
            began = time.process_time()
            found.guarded += [_timed(guarded, scene, time.perf_counter) for _ in range(EACH)]
        sg.flush()
        cpu_s[1] += time.process_time() - began
        # Engine and collector have their own to do with what they were told.
        time.sleep(_QUIET_S)
        for _ in range(WARMING):
            plain()
        began = time.process_time()
        found.plain += [_timed(plain, None, time.perf_counter) for _ in range(EACH)]
        cpu_s[0] += time.process_time() - began
    return found, cpu_s[0], cpu_s[1]


def quantile_us(seconds: Sequence[float], share: float) -> float:
    """A quantile in microseconds."""
    return sorted(seconds)[int(share * (len(seconds) - 1))] * 1e6


def _timed(does: Does, scene: Scene | None, clock: Clock) -> float:
    began = clock()
    tokens = does()
    took = clock() - began
    if scene is not None:
        scene.guarded_tokens += tokens
    return took


async def _timed_async(does: DoesAsync, scene: Scene | None) -> float:
    began = time.perf_counter()
    tokens = await does()
    took = time.perf_counter() - began
    if scene is not None:
        scene.guarded_tokens += tokens
    return took
