"""Replaying recorded calls through the real engine: which it would have let, refused, delayed or degraded.

Each call asks when it began, and ends as long after its grant as it took. What is assumed of the agents:

- A refused call vanishes, with its cost. The calls after it come as they did, also those of the same task.
- A call that must wait asks again as the SDK does, until its tier's patience is over; then it vanishes. Those after it
  come as they did, not later.
- A degraded call uses as many tokens of the other model, at that model's price.
- A call told its engine no output limit, and four bytes for each input token.

The engine knows nothing of how large such calls are when the replay begins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from switchgear.decision import Action
from switchgear.tier import Tier

from ..admission import GrantRequest, Ticket
from ..engine import BookedCall, Price
from ..model import PolicySet, Who
from ..sizing import Request
from ..transitions import Transition
from .recorded import RecordedCall, who_of
from .truth import Truth
from .world import World, finest_step

__all__ = ["PATIENCE_S", "Became", "Outcome", "Replay", "in_shadow", "replay"]

PATIENCE_S = {Tier.INTERACTIVE: 30.0, Tier.BATCH: 120.0, Tier.BACKGROUND: 600.0}
"""How long a call waits for its grant: as long as in the SDK."""

_BYTES_A_TOKEN = 4
_MOST_TICKS = 50_000
# Calls of each workload to each model that the engine has seen before: more than it takes to believe their limits.
_SEEN_BEFORE = 50
_TOLD_EVERY = 100
# Long enough for what began last to end, and for who waits to lose patience.
_AFTERWARDS_S = 900.0


class Became(StrEnum):
    """What a call that did not go as it was recorded has become."""

    REFUSED = "refused"
    GAVE_UP = "gave_up"
    WAITED = "waited"
    DEGRADED = "degraded"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A call that the policies would have changed. `policy` is whose; None where only capacity was in the way.

    `cost` is what it would have cost then, None where that is not known: nothing for a call that was not made.
    """

    call: RecordedCall
    who: Who
    became: Became
    policy: str | None
    asked_at: float
    waited_s: float
    cost: Decimal | None

    @property
    def saved(self) -> Decimal | None:
        """What it would have cost less; None where one of the two costs is not known."""
        return None if self.call.cost is None or self.cost is None else self.call.cost - self.cost


@dataclass(frozen=True, slots=True)
class Replay:
    """What became of the calls, what the breakers did, and what was spent in the end."""

    calls: int
    outcomes: Sequence[Outcome]
    transitions: Sequence[Transition]
    truth: Truth
    ended_at: float


def in_shadow(policies: PolicySet) -> PolicySet:
    """The same policies, of which none acts: the calls then go as they did."""
    ceilings = tuple(replace(ceiling, shadow=True) for ceiling in policies.ceilings)
    return replace(policies, ceilings=ceilings, capacity=())


def replay(
    policies: PolicySet,
    calls: Sequence[RecordedCall],
    price: Price,
    progress: Callable[[int], None] = lambda done: None,
) -> Replay:
    """Make `calls`, in the order of their begin, again under `policies`; `progress` is told how many were made."""
    begin, end = calls[0].started_at, max(call.ended_at for call in calls)
    step = finest_step(policies, end - begin, _MOST_TICKS)
    running = _Running(World(policies, price, begin, step), Truth(policies.ceilings), _output_limits(calls))
    running.teach(calls)
    for number, call in enumerate(calls):
        running.world.pass_to(call.started_at)
        running.make(number, call)
        if (number + 1) % _TOLD_EVERY == 0:
            progress(number + 1)
    running.world.pass_to(end + _AFTERWARDS_S)
    return Replay(len(calls), running.outcomes, running.world.transitions, running.truth, end)


@dataclass(slots=True)
class _Asked:
    """A call on its way through the engine."""

    number: int
    call: RecordedCall
    who: Who
    ticket: Ticket
    because: str | None = None


@dataclass(slots=True)
class _Running:
    world: World
    truth: Truth
    limits: Mapping[_Agent, int]
    outcomes: list[Outcome] = field(default_factory=list)

    def teach(self, calls: Sequence[RecordedCall]) -> None:
        """Let the engine know the first calls of each workload to each model."""
        seen: Counter[_Agent] = Counter()
        costs, now = self.world.engine.costs, self.world.now
        for call in calls:
            if call.usage is not None and seen[_agent(call)] < _SEEN_BEFORE:
                seen[_agent(call)] += 1
                who, size = who_of(call, self.world.policies), self._size(call)
                costs.settled(who, size, costs.sized(who, size, now), call.model, call.usage, now)

    def make(self, number: int, call: RecordedCall) -> None:
        world, who = self.world, who_of(call, self.world.policies)
        request = GrantRequest(f"c{number}", who, self._size(call), task_id=call.task)
        ticket = world.engine.request(request, world.now)
        asked = _Asked(number, call, who, ticket)
        if ticket.decision is not None:
            self._answered(asked)
        else:
            asked.because = world.engine.waiting(ticket.request.id, world.now).policy
            # The engine answers in the middle of something else; what follows from it is done at the same moment.
            ticket.on_answer = lambda: world.later(world.now, lambda: self._answered(asked))
            world.later(world.now + PATIENCE_S[who.tier], lambda: self._lost_patience(asked))
        world.note()

    def _answered(self, asked: _Asked) -> None:
        decision, grant, call = asked.ticket.decision, asked.ticket.grant, asked.call
        waited = self.world.now - call.started_at
        if decision is None or grant is None:
            self._tell(asked, Became.REFUSED, decision.policy if decision else None, Decimal(0))
            return
        model = (decision.caps.model if decision.action is Action.DEGRADE else None) or call.model
        cost = call.cost
        if model != call.model:
            cost = self._degraded(call, model)
            self._tell(asked, Became.DEGRADED, decision.policy, cost)
        elif waited > 0:
            self._tell(asked, Became.WAITED, asked.because, cost)
        took = max(0.0, call.ended_at - call.started_at)
        self.world.later(self.world.now + took, lambda: self._ended(asked, grant.lease, model, cost))

    def _lost_patience(self, asked: _Asked) -> None:
        if asked.ticket.decision is None:
            asked.ticket.on_answer = None
            self.world.engine.leave(asked.ticket.request.id, self.world.now)
            self._tell(asked, Became.GAVE_UP, asked.because, Decimal(0))

    def _ended(self, asked: _Asked, lease: str, model: str, cost: Decimal | None) -> None:
        engine, now, usage = self.world.engine, self.world.now, asked.call.usage
        engine.settle(lease, model, usage, now)
        who = asked.who if model == asked.call.model else replace(asked.who, model=model)
        engine.booked([BookedCall(f"c{asked.number}", who, usage, cost, now, lease)], now)
        self.truth.add(who, cost, None if usage is None else usage.total, now)

    def _degraded(self, call: RecordedCall, model: str) -> Decimal | None:
        if call.usage is None:
            return None
        at = datetime.fromtimestamp(self.world.now, UTC)
        return self.world.price(call.provider, model, call.usage, at)

    def _tell(self, asked: _Asked, became: Became, policy: str | None, cost: Decimal | None) -> None:
        waited = self.world.now - asked.call.started_at
        self.outcomes.append(
            Outcome(asked.call, asked.who, became, policy, asked.call.started_at, waited, cost)
        )

    def _size(self, call: RecordedCall) -> Request:
        """What the call told of itself before it was made."""
        tokens = call.usage.input_total if call.usage is not None else 0
        return Request(call.provider, call.model, tokens * _BYTES_A_TOKEN, self.limits.get(_agent(call)))


_Agent = tuple[str, str, str, str]


def _agent(call: RecordedCall) -> _Agent:
    """Whose calls are alike: those of one workload to one model."""
    return call.tenant, call.workload, call.provider, call.model


def _output_limits(calls: Sequence[RecordedCall]) -> dict[_Agent, int]:
    limits: dict[_Agent, int] = {}
    for call in calls:
        if call.usage is not None:
            limits[_agent(call)] = max(limits.get(_agent(call), 1), call.usage.output)
    return limits
