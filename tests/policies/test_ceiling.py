"""A ceiling under a hundred agents at once, in virtual time."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from engines import MICRO, Caller, bound, engine

from switchgear.usage import Usage


@dataclass
class World:
    """100 agents of 80 calls each against a ceiling of a tenth of what they want, in virtual time."""

    seed: int
    caller: Caller = field(init=False)
    spent: Decimal = Decimal(0)
    largest: Decimal = Decimal(0)
    refused_with_room: int = 0

    def run(self, limit: Decimal) -> None:
        draw = random.Random(self.seed)
        self.caller = Caller(engine(f"  - {{name: hour, limit: {limit} USD, window: 24h}}\n"))
        events: list[tuple[float, int, Callable[[float], None]]] = []
        number = iter(range(10**9))

        def later(at: float, act: Callable[[float], None]) -> None:
            heapq.heappush(events, (at, next(number), act))

        def call(now: float, left: int) -> None:
            # Log-normal with p99/p50 = 10; 4,000 tokens at most, as the request says.
            tokens = min(4000, max(1, round(draw.lognormvariate(5.3, 0.99))))
            ticket = self.caller.ask(now, output=4000)

            def answered() -> None:
                if ticket.grant is None:
                    if limit - self.spent > bound(4000) * 2:
                        self.refused_with_room += 1
                    return
                later(now + draw.uniform(0.5, 3.0), lambda at: done(at, left, tokens))

            def done(at: float, left: int, tokens: int) -> None:
                cost = tokens * MICRO
                self.spent += cost
                self.largest = max(self.largest, cost)
                assert ticket.grant is not None
                self.caller.engine.settle(ticket.grant.lease, "m", Usage(output=tokens), at)
                if left > 1:
                    call(at, left - 1)

            if ticket.decision is not None:
                answered()
            else:
                ticket.on_answer = answered

        for _ in range(100):
            later(draw.uniform(0, 1), lambda now: call(now, 80))
        while events:
            at, _, act = heapq.heappop(events)
            act(at)


@pytest.mark.parametrize("seed", [0])
def test_a_hundred_agents_pass_a_ceiling_by_no_more_than_one_call_and_use_nearly_all_of_it(seed: int) -> None:
    # 100 x 80 calls at a mean of about 330 tokens want about 2.6 dollars.
    world = World(seed)
    world.run(Decimal("0.25"))
    assert world.spent <= Decimal("0.25") + world.largest
    assert world.spent >= Decimal("0.98") * Decimal("0.25")
    assert world.refused_with_room == 0
