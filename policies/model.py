"""The policy set as values: who works here, what they may spend, and what to do on the way to a ceiling."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from switchgear.tier import Tier

__all__ = [
    "OWN_BUDGET",
    "Capacity",
    "Ceiling",
    "Degrade",
    "Plan",
    "PolicySet",
    "Rung",
    "Scope",
    "Step",
    "Tenant",
    "Who",
    "Workload",
]

# The name of the ceiling that an agent sets for its own task, in code.
OWN_BUDGET = "task budget"


class Step(StrEnum):
    """What a rung of a ladder does. `open` is no rung: it stands at the ceiling itself."""

    WARN = "warn"
    THROTTLE = "throttle"
    QUEUE = "queue"
    DEGRADE = "degrade"


@dataclass(frozen=True, slots=True)
class Rung:
    """From `at` (a share of the limit, compared with the projection) on, do `step`."""

    at: Decimal
    step: Step


@dataclass(frozen=True, slots=True)
class Who:
    """For whom and as what a call is made; tenant and workload are opaque names, task is the root task's id."""

    tenant: str
    workload: str
    tier: Tier
    task: str | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose calls a ceiling counts. None means any."""

    tenant: str | None = None
    workload: str | None = None
    tier: Tier | None = None

    def matches(self, who: Who) -> bool:
        """Whether a call made for `who` counts here."""
        return (
            (self.tenant is None or self.tenant == who.tenant)
            and (self.workload is None or self.workload == who.workload)
            and (self.tier is None or self.tier == who.tier)
        )

    def to_wire(self) -> dict[str, str]:
        """Only the parts that are set."""
        parts = {"tenant": self.tenant, "workload": self.workload, "tier": self.tier and self.tier.value}
        return {name: value for name, value in parts.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A limit (money, in the set's currency) for a scope, in a rolling window or for each task tree.

    `window_s` is None for a ceiling per task. `shadow` decides and records but does not act.
    """

    name: str
    scope: Scope
    limit: Decimal
    window_s: float | None
    ladder: tuple[Rung, ...] = ()
    cooldown_s: float = 10.0
    shadow: bool = False
    fail: str = "open"

    @property
    def per_task(self) -> bool:
        """Whether each task tree has an allowance of its own."""
        return self.window_s is None

    def step_at(self, share: Decimal) -> Step | None:
        """The highest rung reached when the projection is `share` of the limit."""
        reached = [rung for rung in self.ladder if share >= rung.at]
        return max(reached, key=lambda rung: rung.at).step if reached else None


@dataclass(frozen=True, slots=True)
class Degrade:
    """`to_model` may stand in for `from_model`, for requests that need no more than `supports` offers."""

    from_model: str
    to_model: str
    supports: frozenset[str] = frozenset()
    min_output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Workload:
    """A named agent of a tenant: who answers for it, who pays, how urgent it is."""

    name: str
    owner: str | None
    cost_centre: str | None
    tier: Tier
    degrade: tuple[Degrade, ...] = ()


@dataclass(frozen=True, slots=True)
class Tenant:
    """`weight` is the tenant's part of shared capacity beside the others' in the same tier."""

    name: str
    weight: float
    workloads: tuple[Workload, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a cost centre means to spend in a month ("2026-11")."""

    cost_centre: str
    month: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Capacity:
    """A provider's limits, shared by every tenant; None is unlimited."""

    provider: str
    requests_per_minute: int | None
    tokens_per_minute: int | None


@dataclass(frozen=True, slots=True)
class PolicySet:
    """Everything a policy file says. `version` is a hash of the file's bytes."""

    version: str
    currency: str
    unpriced_rate: Decimal
    tenants: tuple[Tenant, ...]
    ceilings: tuple[Ceiling, ...]
    capacity: tuple[Capacity, ...] = ()
    plans: tuple[Plan, ...] = ()

    def workload(self, tenant: str, name: str) -> Workload | None:
        """The declared workload, or None for one that nobody registered."""
        for candidate in self.tenants:
            if candidate.name == tenant:
                return next((w for w in candidate.workloads if w.name == name), None)
        return None

    def weight(self, tenant: str) -> float:
        """The tenant's weight; an undeclared tenant weighs 1."""
        return next((t.weight for t in self.tenants if t.name == tenant), 1.0)
