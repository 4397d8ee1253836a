"""A case as values: what happens at which moment, and what is expected then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from switchgear.tier import Tier

from ..breaker import State
from ..model import PolicySet, Who

__all__ = ["Agent", "Ask", "Call", "Case", "Expected", "Force", "Rates", "Spend", "Step"]

_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Rates:
    """What a million tokens of a model cost, in and out alike; of one that is not named, `usual`."""

    of: Mapping[str, Decimal] = field(default_factory=dict)
    usual: Decimal = Decimal(1)

    def cost(self, model: str | None, tokens: int) -> Decimal:
        """What so many tokens of the model cost."""
        return self.of.get(model or "", self.usual) * tokens / _MILLION

    def tokens(self, model: str, cost: Decimal) -> Decimal:
        """How many tokens of the model cost this; not always a whole number."""
        return cost * _MILLION / self.of.get(model, self.usual)


@dataclass(frozen=True, slots=True)
class Agent:
    """Who does something, and with which model. `tier` None: the workload's own."""

    tenant: str
    workload: str
    tier: Tier | None
    task: str | None
    provider: str
    model: str

    def who(self, policies: PolicySet) -> Who:
        """By what the policies say of its workload."""
        declared = policies.workload(self.tenant, self.workload)
        tier = self.tier or (declared.tier if declared else Tier.BATCH)
        owner = declared.owner if declared else None
        return Who(self.tenant, self.workload, tier, self.task, self.provider, self.model, owner)


@dataclass(frozen=True, slots=True)
class Call:
    """Calls of `tokens` each that ask for a grant, are made if they may be, and end after `takes_s`.

    Each waits for its grant for up to `waits_s`, and time passes meanwhile. The `times` of them begin `every_s` apart;
    what is expected is expected of the last.
    """

    tokens: int
    takes_s: float = 0.0
    waits_s: float = 0.0
    needs: frozenset[str] = frozenset()
    times: int = 1
    every_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Spend:
    """Calls that nobody asked a grant for: their spans come through the collector."""

    tokens: int
    times: int = 1
    every_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Ask:
    """What the agent may do now, as it learns it by polling."""


@dataclass(frozen=True, slots=True)
class Force:
    """A ceiling's breakers moved by hand; `state` None gives them back, `for_s` None is until then."""

    ceiling: str
    state: State | None
    for_s: float | None


@dataclass(frozen=True, slots=True)
class Expected:
    """What is expected of the decision, and of ceilings as they count the step's agent: only what is named.

    A name of `decision` is action, policy, reason (a part of it) or model; of a ceiling state, spent, held or
    remaining.
    """

    decision: Mapping[str, Any]
    ceilings: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Step:
    """One step. It happens at `at` (epoch seconds), or where that is None `after_s` later than the one before.

    `agent` does it, and is whom the expectations are about; None where nobody is named.
    """

    line: int
    at: float | None
    after_s: float
    agent: Agent | None
    does: Call | Spend | Ask | Force | None
    expected: Expected


@dataclass(frozen=True, slots=True)
class Case:
    """A name, where it stands, when it begins (epoch seconds, UTC) and what happens."""

    name: str
    line: int
    start: float
    rates: Rates
    steps: tuple[Step, ...]
