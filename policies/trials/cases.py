"""Running a case: its steps, one after the other, against an engine of its own in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from switchgear.decision import Decision
from switchgear.usage import Usage

from ..admission import Granted, GrantRequest
from ..engine import BookedCall
from ..model import PolicySet
from ..sizing import CallSizes, Request
from ..units import decimal
from .steps import Agent, Ask, Call, Case, Force, Rates, Spend, Step
from .world import World, finest_step

__all__ = ["Failure", "Result", "run"]

_MOST_TICKS = 20_000
_AUTHOR = "the case"
# After so many calls that cost what they said, the engine takes such calls at their word.
_TAUGHT = 50


@dataclass(frozen=True, slots=True)
class Failure:
    """What was not as it was expected: in which line's step, at which moment (epoch seconds)."""

    line: int
    at: float
    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.what} is {self.found}, expected {self.expected}"


@dataclass(frozen=True, slots=True)
class Result:
    """How a case went: well, where nothing failed."""

    case: Case
    failures: tuple[Failure, ...]


def run(case: Case, policies: PolicySet) -> Result:
    """Take the steps of a case; each failure is told, and the steps after it are taken all the same."""
    playing = _Playing(case, policies)
    return Result(case, tuple(failure for step in case.steps for failure in playing.take(step)))


@dataclass(slots=True)
class _Playing:
    case: Case
    policies: PolicySet
    world: World = field(init=False)
    calls: int = 0
    taught: set[tuple[str, str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        span = max((step.at or 0.0 for step in self.case.steps), default=0.0) - self.case.start
        span = max(span, sum(step.after_s for step in self.case.steps))
        step_s = finest_step(self.policies, span, _MOST_TICKS)
        self.world = World(self.policies, _prices(self.case.rates), self.case.start, step_s)

    def take(self, step: Step) -> Iterable[Failure]:
        self.world.pass_to(step.at if step.at is not None else self.world.now + step.after_s)
        self.world.tick()
        decision = self._do(step)
        self.world.note()
        yield from self._differences(step, decision)

    def _do(self, step: Step) -> Decision | None:
        world, agent = self.world, step.agent
        match step.does:
            case Force(ceiling, state, for_s):
                until = None if for_s is None else world.now + for_s
                world.engine.by_hand.force({ceiling}, state, _AUTHOR, f"line {step.line}", until, world.now)
            case Ask() if agent is not None:
                return world.engine.decide(agent.who(self.policies), world.now)
            case Spend() as spend if agent is not None:
                self._repeat(spend, lambda: self._book(agent, agent.model, spend.tokens, None))
            case Call() as call if agent is not None:
                return self._repeat(call, lambda: self._call(agent, call))
        return None

    def _repeat(self, does: Call | Spend, once: Callable[[], Decision | None]) -> Decision | None:
        begin = self.world.now
        for number in range(does.times):
            self.world.pass_to(max(self.world.now, begin + number * does.every_s))
            last = once()
        return last

    def _call(self, agent: Agent, call: Call) -> Decision:
        world, who = self.world, agent.who(self.policies)
        self.calls += 1
        size = Request(agent.provider, agent.model, 0, max(0, call.tokens - _slack(agent)))
        self._teach(agent)
        request = GrantRequest(
            f"call-{self.calls}", who, size, call.needs, task_id=agent.task, worst_case=True
        )
        ticket = world.engine.request(request, world.now)
        over = world.now + call.waits_s
        while ticket.decision is None and world.now < over:
            world.pass_to(min(world.now + world.step_s, over))
        if ticket.decision is None:
            decision = world.engine.waiting(request.id, world.now)
            world.engine.leave(request.id, world.now)
            return decision
        if (grant := ticket.grant) is not None:
            model = ticket.decision.caps.model or agent.model
            world.later(world.now + call.takes_s, lambda: self._end(agent, model, call.tokens, grant))
            world.pass_to(world.now)
        return ticket.decision

    def _teach(self, agent: Agent) -> None:
        """Let the engine know the agent's calls, to whichever model: they cost their bounds, and hold just that."""
        workload = (agent.tenant, agent.workload)
        declared = self.policies.workload(*workload)
        for model in (
            {agent.model, *(each.to_model for each in declared.degrade)} if declared else {agent.model}
        ):
            if (*workload, model) not in self.taught:
                self.taught.add((*workload, model))
                call = Request(agent.provider, model, 0, 1)
                for _ in range(_TAUGHT):
                    self.world.engine.costs.seen.learn(
                        workload, call, Usage(output=1), cost=(1, 1), tokens=(1, 1)
                    )

    def _end(self, agent: Agent, model: str, tokens: int, grant: Granted) -> None:
        usage = _usage(agent, tokens)
        self.world.engine.settle(grant.lease, model, usage, self.world.now)
        self._book(agent, model, tokens, grant.lease)

    def _book(self, agent: Agent, model: str, tokens: int, lease: str | None) -> None:
        self.calls += lease is None
        now, who = self.world.now, agent.who(self.policies)
        cost = self.case.rates.cost(model, tokens)
        key = lease or f"call-{self.calls}"
        self.world.engine.booked([BookedCall(key, who, _usage(agent, tokens), cost, now, lease)], now)

    def _differences(self, step: Step, decision: Decision | None) -> Iterable[Failure]:
        expected = step.expected
        for name, value in expected.decision.items():
            found = _told(decision, name)
            same = value in (found or "") if name == "reason" else value == found
            if not same:
                because = f" ({decision.reason})" if decision and name != "reason" else ""
                yield self._failure(step, name, value, f"{_text(found)}{because}")
        for ceiling, stands in expected.ceilings.items():
            found_here = self._stand(step, ceiling)
            for name, value in stands.items():
                if found_here[name] != value:
                    yield self._failure(step, f"{ceiling}: {name}", value, _text(found_here[name]))

    def _failure(self, step: Step, what: str, expected: Any, found: str) -> Failure:
        return Failure(step.line, self.world.now, what, _text(expected), found)

    def _stand(self, step: Step, ceiling: str) -> dict[str, Any]:
        """How the ceiling stands for the step's agent; all None where it does not count them."""
        who = step.agent.who(self.policies) if step.agent is not None else None
        for said in self.world.engine.explain(who, self.world.now) if who is not None else ():
            if said.account.ceiling.name == ceiling:
                unit, at = said.account.ceiling.unit, said.stand
                left = at.limit - at.spent - at.held
                amounts = {"spent": at.spent, "held": at.held, "remaining": left}
                told = {name: decimal(amount, unit) for name, amount in amounts.items()}
                return {"state": said.account.state, **told}
        return dict.fromkeys(("state", "spent", "held", "remaining"))


def _prices(rates: Rates) -> Callable[[str | None, str | None, Usage, datetime], Decimal]:
    return lambda _, model, usage, at: rates.cost(model, usage.total)


def _slack(agent: Agent) -> int:
    """The tokens that a bound has for a request of no bytes: so that a call's bound is just what it says."""
    return CallSizes().bound((agent.tenant, agent.workload), Request(agent.provider, agent.model, 0, 0)).total


def _usage(agent: Agent, tokens: int) -> Usage:
    slack = min(tokens, _slack(agent))
    return Usage(input_uncached=slack, output=tokens - slack)


def _told(decision: Decision | None, name: str) -> Any:
    if decision is None:
        return None
    return decision.caps.model if name == "model" else getattr(decision, name)


def _text(value: Any) -> str:
    """A value of a case as its file would have it."""
    if value is None:
        return "nothing"
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)
