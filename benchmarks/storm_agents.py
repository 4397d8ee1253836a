"""Agents in a retry storm: each makes its calls one after the other as they are due, with OpenAI's own SDK.

When a call is due is drawn beforehand and depends on nothing that happens: an agent that was held up makes what it is
behind with at once, call by call, and so comes back to its pace. Ways differ in one thing only: what is done about 429.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.sharedctypes import Synchronized
from random import Random
from typing import Any

import openai
import uvloop
from beside import FORK, Beside, cpu_s

import switchgear as sg

__all__ = ["Call", "Found", "Plan", "Storm", "due_times"]

PROCESSES, TENANTS = 2, 10
# As examples of exponential backoff have them.
_BASE_S, _CAP_S = 0.5, 8.0
_MODEL = "gpt-4o-mini"
# About 150 tokens in, and 100 out.
_QUESTION = "What is known of the tides of this coast? " * 14 + "[[demo output=100]]"
_MOST_OUTPUT = 200
# For its whole run an SDK that is told to try again gets no end of it.
_NO_END = 100_000
_STARTS_AFTER_S = 2.5
_TICK_S = 0.05


@dataclass(frozen=True, slots=True)
class Plan:
    """Who asks, how often, and by which way: "blind", "jitter", "sdk" or "switchgear"."""

    way: str
    provider: str
    engine: str
    collector: str
    agents: int
    per_s: float
    """Calls of all of them together."""
    longest_s: float
    seed: int
    says_limits: bool = True
    """Whether the provider's answers name its limits; else nothing is told but 429 and Retry-After."""
    tier: str = "batch"


@dataclass(frozen=True, slots=True)
class Call:
    """A call that ended: moments in epoch seconds."""

    agent: int
    due: float
    ended: float
    served: bool


@dataclass(slots=True)
class Found:
    """What came of a plan."""

    began: float = 0.0
    calls: list[Call] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    """Processor time of each process of agents."""
    latest_s: float = 0.0
    """By how much a loop was late at the most: the agents, too, have to come to their turn."""


def due_times(plan: Plan, agent: int) -> list[float]:
    """When the calls of an agent are due, in seconds since the start."""
    random, mean = Random(f"{plan.seed} {agent}"), plan.agents / plan.per_s
    # Evenly from the first on: without a surge that would pass for a backlog.
    times, at = [], mean * (agent + random.random()) / plan.agents
    while at < plan.longest_s:
        times.append(at)
        at += mean * random.uniform(0.75, 1.25)
    return times


class Storm:
    """A plan under way in processes of its own."""

    def __init__(self, plan: Plan) -> None:
        """Start it."""
        self.began = time.time() + _STARTS_AFTER_S
        self._ended: Synchronized[int] = FORK.Value("q", 0)
        self._over: Synchronized[int] = FORK.Value("b", 0)
        self._due = sorted(at for agent in range(plan.agents) for at in due_times(plan, agent))
        self._parts = [
            Beside(_run, plan, range(place, plan.agents, PROCESSES), self.began, self._ended, self._over)
            for place in range(PROCESSES)
        ]

    def behind(self, now: float) -> int:
        """How many calls are due and have not ended."""
        return sum(at <= now - self.began for at in self._due) - self._ended.value

    def end(self) -> Found:
        """Stop; calls on their way are left. Raises RuntimeError where an agent met what no way expects."""
        self._over.value = 1
        whole = Found(self.began)
        for part in self._parts:
            calls, used_s, latest_s = part.value()
            whole.calls += calls
            whole.cpu_s.append(used_s)
            whole.latest_s = max(whole.latest_s, latest_s)
        return whole


def _run(
    plan: Plan, agents: Sequence[int], begins: float, ended: Synchronized[int], over: Synchronized[int]
) -> tuple[list[Call], float, float]:
    before_s = cpu_s()
    calls, latest_s = uvloop.run(_all(plan, agents, begins, ended, over))
    return calls, cpu_s() - before_s, latest_s


async def _all(
    plan: Plan, agents: Sequence[int], begins: float, ended: Synchronized[int], over: Synchronized[int]
) -> tuple[list[Call], float]:
    hooks = {} if plan.says_limits else {"response": [_unsaid]}
    http = openai.DefaultAsyncHttpxClient(event_hooks=hooks)
    client = openai.AsyncOpenAI(base_url=plan.provider, api_key="storm", http_client=http)
    way: Callable[[openai.AsyncOpenAI], Awaitable[bool]]
    match plan.way:
        case "blind" | "jitter":
            client.max_retries = 0
            way = partial(_by_hand, pause=_blind if plan.way == "blind" else _jitter)
        case "sdk":
            client.max_retries = _NO_END
            way = _once
        case _:
            # It says when it gives a call up, and those are counted.
            logging.getLogger("switchgear").setLevel(logging.ERROR)
            sg.configure(policies=plan.engine, collector=plan.collector)
            client, way = sg.wrap(client), _once
    calls: list[Call] = []

    async def agent(number: int) -> None:
        with sg.task("agent", tenant=f"tenant-{number % TENANTS}", tier=plan.tier):
            for at in due_times(plan, number):
                due = begins + at
                await asyncio.sleep(max(0.0, due - time.time()))
                served = await way(client)
                calls.append(Call(number, due, time.time(), served))
                with ended.get_lock():
                    ended.value += 1

    await asyncio.sleep(begins - time.time() - 1.0)
    running = [asyncio.create_task(agent(number)) for number in agents]
    latest_s = 0.0
    while not over.value:
        asked = time.monotonic()
        await asyncio.sleep(_TICK_S)
        latest_s = max(latest_s, time.monotonic() - asked - _TICK_S)
        for each in running:
            if each.done() and (problem := each.exception()) is not None:
                raise problem
    # What is on its way when all is over is nobody's.
    for each in running:
        each.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await client.close()
    sg.shutdown()
    return calls, latest_s


async def _unsaid(response: Any) -> None:
    for name in [name for name in response.headers if name.startswith("x-ratelimit-")]:
        del response.headers[name]


async def _ask(client: openai.AsyncOpenAI) -> None:
    asked: Any = [{"role": "user", "content": _QUESTION}]
    await client.chat.completions.create(model=_MODEL, messages=asked, max_tokens=_MOST_OUTPUT)


async def _once(client: openai.AsyncOpenAI) -> bool:
    """Whether it was served; whatever tries again is within."""
    try:
        await _ask(client)
    except (openai.RateLimitError, sg.BudgetExceeded):
        return False
    return True


async def _by_hand(client: openai.AsyncOpenAI, pause: Callable[[int, float], float]) -> bool:
    """Tried again without end; `pause` says when, of the number of attempts before and Retry-After."""
    attempts = 0
    while True:
        try:
            await _ask(client)
        except openai.RateLimitError as refused:
            asked_s = float(refused.response.headers.get("retry-after", "0"))
            await asyncio.sleep(pause(attempts, asked_s))
            attempts += 1
        else:
            return True


def _blind(attempts: int, _: float) -> float:
    return min(_CAP_S, _BASE_S * 2.0 ** min(attempts, 10))


_random = Random()


def _jitter(attempts: int, asked_s: float) -> float:
    return asked_s + _random.uniform(0.0, _blind(attempts, asked_s))
