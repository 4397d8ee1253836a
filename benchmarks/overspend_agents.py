"""Agents: they ask a gate for a grant, make their call at a provider that bills it, and settle; in four processes.

An agent makes its calls one after the other. A denial ends it, as `BudgetExceeded` ends a task; anything else without
a grant is asked again, under the same id. What the provider bills is kept here and is the truth of a run: no gate is
asked for it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.sharedctypes import Synchronized
from typing import Any

import uvloop
from beside import FORK, Beside, cpu_s
from connection import Connection, post
from overspend_calls import MODEL, PROVIDER, Call, Estimate, calls, price_micro
from overspend_warm import Warm

__all__ = ["TENANT", "Billed", "Denied", "Found", "Plan", "Race"]

TENANT, WORKLOAD = "race", "agents"
PROCESSES = 4
_WAIT_S = 5.0
_LONGEST_PAUSE_S = 1.0
_COME_AGAIN_S = 0.05
_STARTS_AFTER_S = 0.5


@dataclass(frozen=True, slots=True)
class Plan:
    """Who asks whom for what. `mean_s` is how long a call lasts on average; after `cap_s` nobody asks any more."""

    url: str
    seed: str
    agents: int
    calls: int
    estimate: Estimate
    mean_s: float
    cap_s: float
    spare: int = 0
    """So many holds more like it an agent asks for with a call, to make calls without asking."""


@dataclass(frozen=True, slots=True)
class Billed:
    """A call that was let through; times by the machine's monotonic clock, which all processes share."""

    granted_at: float
    settled_at: float
    micro: int


@dataclass(frozen=True, slots=True)
class Denied:
    """A call that was denied, and what it would have cost."""

    at: float
    micro: int


@dataclass(slots=True)
class Found:
    """What became of a race."""

    began: float = 0.0
    billed: list[Billed] = field(default_factory=list)
    denied: list[Denied] = field(default_factory=list)
    broken: int = 0
    """Connections that broke under a request, which was then sent again."""
    cut: int = 0
    """Agents that neither made all their calls nor were denied when time was up."""
    drawn: int = 0
    """Calls that were made with a spare hold, without asking."""
    cpu_s: float = 0.0

    def add(self, other: Found) -> None:
        """Take in what another process found."""
        self.billed += other.billed
        self.denied += other.denied
        self.broken += other.broken
        self.cut += other.cut
        self.drawn += other.drawn
        self.cpu_s += other.cpu_s


class Race:
    """A plan under way in processes of its own."""

    def __init__(self, plan: Plan, *, processes: int = PROCESSES) -> None:
        """Start it: every agent asks first at the same moment, its connection open."""
        self._billed: Synchronized[int] = FORK.Value("q", 0)
        self._began = time.monotonic() + _STARTS_AFTER_S
        self._parts = [
            Beside(_run, plan, range(place, plan.agents, processes), self._began, self._billed)
            for place in range(min(processes, plan.agents))
        ]

    @property
    def micro(self) -> int:
        """What was billed so far, in millionths of a dollar."""
        return self._billed.value

    @property
    def over(self) -> bool:
        """Whether all agents have ended."""
        return all(part.done for part in self._parts)

    def found(self) -> Found:
        """Wait for the end. Raises RuntimeError where an agent met what no retry mends."""
        whole = Found(began=self._began)
        for part in self._parts:
            whole.add(part.value())
        return whole


def _run(plan: Plan, agents: Sequence[int], begins: float, billed: Synchronized[int]) -> Found:
    found = Found()
    uvloop.run(_all(plan, agents, begins, billed, found))
    found.cpu_s = cpu_s()
    return found


async def _all(
    plan: Plan, agents: Sequence[int], begins: float, billed: Synchronized[int], found: Found
) -> None:
    made = [_Agent(plan, number, billed, found) for number in agents]
    for each in made:
        await each.open()
    await asyncio.sleep(begins - time.monotonic())
    async with asyncio.TaskGroup() as group:
        for each in made:
            group.create_task(each.run(begins + plan.cap_s))


class _Agent:
    def __init__(self, plan: Plan, number: int, billed: Synchronized[int], found: Found) -> None:
        self.gate = Connection(plan.url)
        self._plan, self._number, self._billed, self._found = plan, number, billed, found
        self._warm = Warm(Connection(plan.url)) if plan.spare else None

    async def open(self) -> None:
        await self.gate.open()
        if self._warm is not None:
            await self._warm.gate.open()

    async def run(self, until: float) -> None:
        try:
            await self._run(until)
        finally:
            if self._warm is not None:
                await self._warm.close()
            self.gate.close()

    async def _run(self, until: float) -> None:
        plan = self._plan
        for place, call in enumerate(calls(plan.seed, self._number, plan.calls)):
            granted = await self._granted(f"{plan.seed}-{self._number}-{place}", call, until)
            if granted is None:
                break
            grant, cap = granted
            granted_at = time.monotonic()
            # The provider: it keeps a cap that the gate asked for, and bills what it gave.
            if plan.mean_s:
                await asyncio.sleep(call.lasts * plan.mean_s)
            output = call.output_tokens if cap is None else min(call.output_tokens, cap)
            micro = price_micro(call.input_tokens, output)
            with self._billed.get_lock():
                self._billed.value += micro
            usage = {"input_uncached": call.input_tokens, "output": output}
            await self._answer(post(f"/v1/grants/{grant}:settle", {"model": MODEL, "usage": usage}))
            self._found.billed.append(Billed(granted_at, time.monotonic(), micro))

    async def _granted(self, name: str, call: Call, until: float) -> tuple[str, int | None] | None:
        """A grant's id, and the cap on output tokens that comes with it; None where there is none to be had."""
        body = {
            "id": name,
            "tenant": TENANT,
            "workload": WORKLOAD,
            "tier": "batch",
            "task": f"{self._plan.seed}-{self._number}",
            "provider": PROVIDER,
            "model": MODEL,
            **self._plan.estimate.of(call),
            "wait": _WAIT_S,
        }
        if self._warm is not None:
            body["spare"] = self._plan.spare
            lease = self._warm.draw(body)
            if lease is not None:
                self._found.drawn += 1
                return lease, None
        while time.monotonic() < until:
            if self._warm is not None:
                # Who would wait must not keep from others what it has itself.
                body["wait"] = 0.0 if self._warm.has_any else _WAIT_S
            answer = await self._answer(post("/v1/grants", body))
            decision = answer["decision"]
            if self._warm is not None:
                await self._warm.told(body, answer["grant"])
            if answer["grant"] is not None:
                return answer["grant"]["id"], decision["caps"]["max_output_tokens"]
            if decision["action"] == "deny":
                self._found.denied.append(Denied(time.monotonic(), call.micro))
                return None
            await asyncio.sleep(min(decision["retry_after_s"] or 0.0, _LONGEST_PAUSE_S))
        self._found.cut += 1
        return None

    async def _answer(self, request: bytes) -> Any:
        """The answer; asked again while the gate is away. Raises RuntimeError for one that no retry mends."""
        while True:
            with suppress(OSError):
                status, body = await self.gate.ask(request)
                if status == 200:
                    return json.loads(body)
                if status < 500:
                    raise RuntimeError(f"{request[:60]!r} was answered {status}: {body[:300]!r}")
            self._found.broken += 1
            await asyncio.sleep(_COME_AGAIN_S)
