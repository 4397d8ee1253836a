"""The 2 a.m. scene: three legitimate workloads meet at one account's limit, each with its own retries, or with us.

The provider is a bucket that holds ten seconds of its limit and answers 429 with Retry-After in whole seconds. Without
us every client retries as provider SDKs do by default: twice, after Retry-After. With us calls wait their turn,
and what is refused nevertheless (the declared limit may be wrong) comes back in a slot of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random

from fairness_load import Call

from policies.capacity import Charge, FairOrder, Lane, RetryBudgets, Taken
from policies.model import Capacity
from switchgear.tier import Tier

__all__ = ["Night", "alone", "scene", "together"]

REQUESTS_PER_MINUTE = 600
_HOLDS_S = 10.0
_ATTEMPTS = 3


@dataclass(slots=True)
class _Provider:
    rate: float = REQUESTS_PER_MINUTE / 60.0
    refused: int = 0
    _level: float = _HOLDS_S * REQUESTS_PER_MINUTE / 60.0
    _at: float = 0.0

    def answers(self, now: float) -> float | None:
        """None where it serves; else Retry-After."""
        self._level = min(self.rate * _HOLDS_S, self._level + (now - self._at) * self.rate)
        self._at = now
        if self._level >= 1.0:
            self._level -= 1.0
            return None
        self.refused += 1
        return float(math.ceil((1.0 - self._level) / self.rate))


@dataclass(slots=True)
class Night:
    """How it went."""

    asked: int = 0
    refused: int = 0
    """Answers 429."""
    failed: int = 0
    """Calls that were given up."""
    waits: dict[Tier, list[float]] = field(default_factory=lambda: {tier: [] for tier in Tier})
    """From asking to being served, in seconds."""

    def p99(self, tier: Tier) -> float:
        waits = sorted(self.waits[tier])
        return waits[int(0.99 * (len(waits) - 1))]


def scene(seconds: int, random: Random) -> list[Call]:
    """Support agents all night; at two a batch of reports and the index of the night begin, each within its rights."""
    calls: list[Call] = []
    for tenant, tier, rate, begins, ends in (
        ("support", Tier.INTERACTIVE, 4.0, 0.0, 1.0),
        ("reports", Tier.BATCH, 5.0, 0.2, 0.6),
        ("index", Tier.BACKGROUND, 6.0, 0.2, 0.7),
    ):
        at = begins * seconds
        while (at := at + random.expovariate(rate)) < ends * seconds:
            calls.append(Call(at, tenant, tier, 800, 200))
    return sorted(calls, key=lambda call: call.at)


def alone(calls: Sequence[Call]) -> Night:
    """Every client for itself."""
    provider, night = _Provider(), Night(len(calls))
    events = [(call.at, number, 1) for number, call in enumerate(calls)]
    while events:
        now, number, attempt = heappop(events)
        call, retry_after = calls[number], provider.answers(now)
        if retry_after is None:
            night.waits[call.tier].append(now - call.at)
        elif attempt < _ATTEMPTS:
            heappush(events, (now + retry_after, number, attempt + 1))
        else:
            night.failed += 1
    night.refused = provider.refused
    return night


def together(calls: Sequence[Call], declared: int | None, random: Random) -> Night:
    """Through the fair order and one lane, with `declared` requests a minute (None: nothing is declared)."""
    provider, night = _Provider(), Night(len(calls))
    lane, order, budgets = Lane(Capacity("p", declared, None)), FairOrder[int](), RetryBudgets()
    attempts: dict[int, int] = dict.fromkeys(range(len(calls)), 1)
    running: dict[int, tuple[Taken, Charge]] = {}
    # (at, kind, number): a call asks (0), or the lane may have room (1).
    events = [(call.at, 0, number) for number, call in enumerate(calls)]
    looks_at = math.inf
    while events:
        now, kind, number = heappop(events)
        if kind == 0:
            call = calls[number]
            order.add(str(number), number, lane="p", tier=call.tier, tenant=call.tenant, at=call.at)
        elif now == looks_at:
            looks_at = math.inf
        else:
            continue
        for turn in order.turns(now):
            if not lane.admits(now, turn.tier):
                continue
            number, call = turn.item, calls[turn.item]
            verdict = budgets.ask(call.tenant, attempts[number], now)
            if not verdict.allowed:
                turn.drop()
                night.failed += 1
                continue
            running[number] = lane.take(call.tokens, now, turn.tier, turn.tenant), turn.serve(call.tokens)
            retry_after = provider.answers(now)
            if retry_after is None:
                night.waits[call.tier].append(now - call.at)
                continue
            taken, charge = running.pop(number)
            lane.throttled(now, retry_after)
            lane.settle(taken, 0, now)
            charge.settle(0)
            attempts[number] += 1
            comes = lane.retry_at(number, now, tokens=call.tokens, jitter=random.random())
            heappush(events, (comes, 0, number))
        if len(order):
            look = max(now + 0.001, min(lane.next_at(now, waits.tier) for waits in order.backlog()))
            if look < looks_at:
                looks_at = look
                heappush(events, (look, 1, 0))
    night.refused = provider.refused
    return night
