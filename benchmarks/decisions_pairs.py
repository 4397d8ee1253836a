"""Pairs: a grant and its settlement, asked for by the clock and not by the last answer. A process of its own.

Every client has a connection and a rhythm. What is late because an answer was late counts as late: each time is taken
from the moment at which the request was due. The clock of the event loop has milliseconds; what that costs counts too.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import uvloop
from beside import Beside, cpu_s
from connection import Connection, post
from decisions_scene import Scope

from switchgear.usage import Usage

__all__ = ["Load", "Made", "Pair", "pairs"]

PROVIDER, MODEL = "openai", "gpt-4o-mini"
CALL_S = 0.03
USAGES = tuple(
    Usage(input_uncached=4 * size, output=size) for size in (20, 50, 90, 140, 210, 300, 450, 700, 1_100)
)
_STARTS_AFTER_S = 0.5
_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Load:
    """`rate` pairs a second by `clients`, about `scopes`; `name` is what the ids of its grants begin with."""

    url: str
    key: str
    name: str
    scopes: Sequence[Scope]
    clients: int
    rate: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Pair:
    """One call that was let through and settled. Times in seconds from when each request was due."""

    scope: Scope
    lease: str
    usage: Usage
    ended_at: float
    """By the machine's clock, since 1970."""
    granted_s: float
    settled_s: float


@dataclass(slots=True)
class Made:
    """What became of a load."""

    pairs: list[Pair] = field(default_factory=list)
    refused: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0

    def quantile_ms(self, share: float, part: str = "") -> float:
        """What `share` of the pairs (or `granted_s`, `settled_s` of them) did not exceed."""
        times = sorted(
            getattr(pair, part) if part else pair.granted_s + pair.settled_s for pair in self.pairs
        )
        return times[min(int(share * len(times)), len(times) - 1)] * 1000 if times else float("nan")


def pairs(load: Load) -> Beside[Made]:
    """The load under way. Its value raises RuntimeError for an answer that is not 200."""
    return Beside(_run, load)


def _run(load: Load) -> Made:
    made = Made()
    uvloop.run(_all(load, made))
    made.cpu_s = cpu_s()
    return made


async def _all(load: Load, made: Made) -> None:
    connections = [Connection(load.url) for _ in range(load.clients)]
    for each in connections:
        await each.open()
    began = time.perf_counter() + _STARTS_AFTER_S
    async with asyncio.TaskGroup() as group:
        for number, connection in enumerate(connections):
            group.create_task(_client(load, number, connection, began, made))
    made.seconds = time.perf_counter() - began


async def _client(load: Load, number: int, connection: Connection, began: float, made: Made) -> None:
    random = Random(f"{load.name}:{number}")
    period = load.clients / load.rate
    due = began + random.uniform(0, period)
    place = 0
    while due < began + load.seconds:
        await asyncio.sleep(due - time.perf_counter())
        scope, usage = random.choice(load.scopes), random.choice(USAGES)
        status, body = await connection.ask(_grant(load, f"{load.name}-{number}-{place}", scope, usage))
        granted_at = time.perf_counter()
        _check(status, body)
        grant = json.loads(body)["grant"]
        if grant is None:
            made.refused += 1
        else:
            await asyncio.sleep(granted_at + CALL_S - time.perf_counter())
            ended_at = time.time()
            settle = {
                "model": MODEL,
                "usage": {"input_uncached": usage.input_uncached, "output": usage.output},
            }
            settle["response_id"] = f"resp-{grant['id']}"
            status, body = await connection.ask(
                post(f"/v1/grants/{grant['id']}:settle", settle, key=load.key)
            )
            _check(status, body)
            settled_s = time.perf_counter() - granted_at - CALL_S
            made.pairs.append(Pair(scope, grant["lease"], usage, ended_at, granted_at - due, settled_s))
        place, due = place + 1, due + period
    connection.close()


def _grant(load: Load, name: str, scope: Scope, usage: Usage) -> bytes:
    body = {
        "id": name,
        "tenant": scope.tenant,
        "workload": scope.workload,
        "task": scope.task,
        "tier": "interactive",
        "provider": PROVIDER,
        "model": MODEL,
        "input_bytes": 4 * usage.input_uncached,
        "max_output_tokens": 2 * usage.output,
        "wait": _WAIT_S,
    }
    return post("/v1/grants", body, key=load.key)


def _check(status: int, body: bytes) -> None:
    if status != 200:
        raise RuntimeError(f"answered {status}: {body[:300]!r}")
