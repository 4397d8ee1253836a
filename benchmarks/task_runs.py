"""Task runs to judge by: recorded agents, and trees of agents as a branching process."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

__all__ = ["LIMIT", "PAST", "RECORDED", "Kind", "Run", "Step", "branching", "recorded", "runaway"]

SHARED = Path(os.environ.get("SWITCHGEAR_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
RECORDED = SHARED / "agent_traces"

# Dollars a token, in and out.
_INPUT, _OUTPUT = 2.50e-6, 10.00e-6
_CHARACTERS_A_TOKEN = 4

PAST = 101
"""The seed of past branching tasks."""
LIMIT = 4_000
"""Calls at which a run that does not end is left."""

Kind = Literal["normal", "loop", "fan-out"]


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a run: whose, at what cost, how many agents it started, whether it was its agent's last."""

    agent: int
    cost: float
    born: int = 0
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """A task from its first call to its last. Runs of one `task` are repetitions of it."""

    task: object
    steps: list[Step]

    @property
    def cost(self) -> float:
        """What it cost in the end."""
        return sum(step.cost for step in self.steps)


def recorded(file: Path) -> list[Run]:
    """The runs of a file of tau-bench. Raises ValueError where it is none.

    Call k costs the characters of its context / 4 at the price of input, and those of its answer / 4 at that of output.
    """
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        rows = None
    if not (isinstance(rows, list) and rows and isinstance(rows[0], dict) and "traj" in rows[0]):
        raise ValueError(f"{file} holds no recorded task runs")
    return [Run(row["task_id"], list(_calls(row["traj"]))) for row in rows]


def _calls(messages: list[dict[str, Any]]) -> Iterator[Step]:
    context = 0
    for message in messages:
        size = len(message.get("content") or "")
        for call in message.get("tool_calls") or ():
            size += len(call["function"]["name"]) + len(call["function"]["arguments"])
        if message["role"] == "assistant":
            yield Step(0, (context * _INPUT + size * _OUTPUT) / _CHARACTERS_A_TOKEN)
        context += size


def branching(random: Random, kind: Kind = "normal") -> Run:
    """A tree of agents that take turns.

    The root starts three agents with its first call. Then each call ends its agent with a chance of Beta(8, 72), drawn
    for each task, or starts one to three more with a chance of 0.045, halved for each depth, times a lognormal (0.4)
    for each task. Calls of 2,000 normal tasks: p50 57, p75 119, p90 235, p99 838. In a *loop* the root never ends; in a
    *fan-out* agents of all depths start twice as many as end. A context grows by 150 tokens a call of its agent, from
    1,650 up to 22,500.
    """
    ends = random.betavariate(8, 72)
    starts = 0.045 * math.exp(random.gauss(0, 0.4))
    price = math.exp(random.gauss(0, 0.2))
    agents = [(0, 0)]
    made = [0]
    steps: list[Step] = []
    turn = 0
    while agents and len(steps) < LIMIT:
        turn %= len(agents)
        agent, depth = agents[turn]
        made[agent] += 1
        cost = price * ((1_500 + 150 * min(made[agent], 140)) * _INPUT + 150 * _OUTPUT)
        born, ended = 0, False
        if not steps:
            born = 3
        elif random.random() < ends and not (kind == "loop" and agent == 0):
            ended = True
        elif random.random() < (ends / (1 - ends) if kind == "fan-out" else starts * 0.5**depth):
            born = random.randint(1, 3)
        agents += [(len(made) + each, depth + 1) for each in range(born)]
        made += [0] * born
        if ended:
            del agents[turn]
        else:
            turn += 1
        steps.append(Step(agent, cost, born, ended))
    return Run(None, steps)


def runaway(random: Random, kind: Kind) -> Run:
    """A run that does not end. A fan-out may die out while it is small, and is then none."""
    while len((run := branching(random, kind)).steps) < LIMIT:
        pass
    return run
