"""Calls: what each agent of the race will ask of the provider, what it costs, and what the caller thought it would.

A call's cost is log-normal with sigma 0.99, so that its p99 is ten times its median, one US cent. Three tenths of it
are input, which a caller knows by its bytes, and seven tenths output, which nobody knows before. Everything follows
from the seed, so that every gate is asked for the same calls. Standard library only: peers run it in their own
environments.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

__all__ = ["MODEL", "PROVIDER", "Call", "Estimate", "calls", "demand_micro", "price_micro"]

PROVIDER, MODEL = "openai", "gpt-5"
# Its list prices in millionths of a dollar: a token of output costs 10, four of input 5.
_OUTPUT_MICRO, _FOUR_INPUTS_MICRO = 10, 5
_SIGMA = 0.99
_MEDIAN_OUTPUT, _MEDIAN_FOUR_INPUTS = 700, 600
_BYTES_A_TOKEN = 4
# How far callers who mean to be right are off, as the sigma of a log-normal factor.
_NOISE = 0.2


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `lasts` is in mean durations, evenly between a half and one and a half."""

    input_tokens: int
    output_tokens: int
    lasts: float
    noise: float

    @property
    def micro(self) -> int:
        """What it costs, in millionths of a dollar."""
        return price_micro(self.input_tokens, self.output_tokens)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What callers think of a call before it is made: `factor` times the truth, or nothing of its output (None)."""

    factor: float | None

    def of(self, call: Call) -> dict[str, Any]:
        """As a request for a grant says it."""
        if self.factor is None:
            return {"input_bytes": call.input_tokens * _BYTES_A_TOKEN}
        off = self.factor * call.noise
        return {
            "input_bytes": int(call.input_tokens * _BYTES_A_TOKEN * off),
            "max_output_tokens": max(1, round(call.output_tokens * off)),
        }

    @staticmethod
    def micro(body: dict[str, Any]) -> tuple[int, int]:
        """What a request for a grant makes of its call: millionths of a dollar for input and for output."""
        four = max(1, round(body["input_bytes"] / _BYTES_A_TOKEN / 4))
        return four * _FOUR_INPUTS_MICRO, body["max_output_tokens"] * _OUTPUT_MICRO


def price_micro(input_tokens: int, output_tokens: int) -> int:
    """What a usage costs, in millionths of a dollar; input in fours, so that none is lost."""
    return input_tokens // 4 * _FOUR_INPUTS_MICRO + output_tokens * _OUTPUT_MICRO


def calls(seed: str, agent: int, count: int) -> Iterator[Call]:
    """The calls of one agent, in order."""
    random = Random(f"{seed}:{agent}")
    for _ in range(count):
        size = math.exp(random.gauss(0, _SIGMA))
        yield Call(
            input_tokens=4 * max(1, round(_MEDIAN_FOUR_INPUTS * size)),
            output_tokens=max(1, round(_MEDIAN_OUTPUT * size)),
            lasts=random.uniform(0.5, 1.5),
            noise=math.exp(random.gauss(0, _NOISE)),
        )


def demand_micro(seed: str, agents: int, count: int) -> tuple[int, int]:
    """What all calls of these agents would cost together, and the largest of them; in millionths of a dollar."""
    costs = [call.micro for agent in range(agents) for call in calls(seed, agent, count)]
    return sum(costs), max(costs)
