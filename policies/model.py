"""The policy set as values: who works here, what they may spend, and what to do on the way to a ceiling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from switchgear.tier import Tier

from .caching.rules import CacheRule, CacheRules
from .schedules import Schedule

__all__ = [
    "OWN_BUDGET",
    "TIER_WEIGHTS",
    "WRAP_UP_AT",
    "Capacity",
    "Ceiling",
    "Degrade",
    "Dimension",
    "Holds",
    "Override",
    "Overrun",
    "Plan",
    "PolicySet",
    "Rolling",
    "Runaway",
    "Rung",
    "Scope",
    "Step",
    "Tenant",
    "Unit",
    "Who",
    "Window",
    "Workload",
]

# The name of the ceiling that an agent sets for its own task, in code.
OWN_BUDGET = "task budget"
# From this share of a task's limit on its agent is told to answer with what it has, where nothing else is said: about
# one more call of a usual task fits.
WRAP_UP_AT = Decimal("0.85")

# What a tier weighs in the sharing of capacity where a file says nothing: background is never starved for ever.
TIER_WEIGHTS = {Tier.INTERACTIVE: 100.0, Tier.BATCH: 10.0, Tier.BACKGROUND: 1.0}


class Dimension(StrEnum):
    """What a scope can be cut by. A task is a whole tree: the id of its root."""

    TENANT = "tenant"
    WORKLOAD = "workload"
    TASK = "task"
    TIER = "tier"
    OWNER = "owner"
    MODEL = "model"
    PROVIDER = "provider"


class Unit(StrEnum):
    """What a ceiling counts."""

    MONEY = "money"
    TOKENS = "tokens"


class Holds(StrEnum):
    """How much a call in flight holds: what such calls have cost, with a margin; or the most that it can cost."""

    LEARNED = "learned"
    WORST_CASE = "worst_case"


class Overrun(StrEnum):
    """How a streamed answer that outgrows its hold ends where no more room is left: it runs on, or is cut short."""

    EXTEND = "extend"
    CUT = "cut"


class Runaway(StrEnum):
    """What becomes of a task that has run away: it is told of, told to wrap up, or refused every further call."""

    WARN = "warn"
    WRAP_UP = "wrap_up"
    STOP = "stop"


class Step(StrEnum):
    """What a rung of a ladder does. At the ceiling itself the gate refuses, whether or not there is a rung `open`."""

    WARN = "warn"
    THROTTLE = "throttle"
    QUEUE = "queue"
    DEGRADE = "degrade"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Rung:
    """From `at` (a share of the limit, compared with the projection) on, do `step`; None means for every tier."""

    at: Decimal
    step: Step
    tiers: frozenset[Tier] | None = None

    def serves(self, tier: Tier | None) -> bool:
        """Whether it acts on calls of `tier`; where that is not known, only a rung for every tier does."""
        return self.tiers is None or tier in self.tiers


@dataclass(frozen=True, slots=True)
class Who:
    """For whom and as what a call is made; all but the tier are opaque names, task is the root task's id.

    `owner` is whom the policy set names for the workload. Provider and model are None where only a scope is asked
    about, and a rule that names one does not apply then.
    """

    tenant: str
    workload: str
    tier: Tier
    task: str | None = None
    provider: str | None = None
    model: str | None = None
    owner: str | None = None

    def value(self, dimension: Dimension) -> str | None:
        """What `dimension` is for this call; None where it is not known."""
        found: str | None = getattr(self, dimension.value)
        return found


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose calls a ceiling counts. None means any."""

    tenant: str | None = None
    workload: str | None = None
    tier: Tier | None = None
    owner: str | None = None
    model: str | None = None
    provider: str | None = None

    def matches(self, who: Who) -> bool:
        """Whether a call made for `who` counts here."""
        return (
            (self.tenant is None or self.tenant == who.tenant)
            and (self.workload is None or self.workload == who.workload)
            and (self.tier is None or self.tier == who.tier)
            and (self.owner is None or self.owner == who.owner)
            and (self.model is None or self.model == who.model)
            and (self.provider is None or self.provider == who.provider)
        )

    def to_wire(self) -> dict[str, str]:
        """Only the parts that are set."""
        parts = {
            "tenant": self.tenant,
            "workload": self.workload,
            "tier": self.tier and self.tier.value,
            "owner": self.owner,
            "model": self.model,
            "provider": self.provider,
        }
        return {name: value for name, value in parts.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Rolling:
    """The last `length_s` seconds, at any moment."""

    length_s: float


class Window(Protocol):
    """A window that begins anew at certain moments: a calendar's periods."""

    @property
    def length_s(self) -> float:
        """The usual length, in seconds: what a horizon is measured by."""

    def bounds(self, at: float) -> tuple[float, float]:
        """Begin (included) and end (excluded) of the period that holds `at`; epoch seconds, UTC."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A limit (money in the set's currency, or tokens) for a scope, over a window or over each task's life.

    `window` is None where nothing ever leaves: the ceiling then counts each task tree, and `per` names the task.
    `per` gives each distinct value of these dimensions an allowance of its own. `carry_over` is the share of the
    limit that may be taken along unspent from the last period of a calendar. `wrap_up_at` is the share of a task's
    limit from which its agent is told to answer with what it has; None is never. `overrun` is for streamed answers
    that outgrow their hold. `shadow` decides and records but does not act.
    """

    name: str
    scope: Scope
    limit: Decimal
    window: Rolling | Window | None
    per: tuple[Dimension, ...] = ()
    unit: Unit = Unit.MONEY
    holds: Holds = Holds.LEARNED
    carry_over: Decimal = Decimal(0)
    ladder: tuple[Rung, ...] = ()
    cooldown_s: float = 10.0
    shadow: bool = False
    fail: str = "open"
    wrap_up_at: Decimal | None = None
    overrun: Overrun = Overrun.EXTEND

    @property
    def window_s(self) -> float | None:
        """The window's (usual) length in seconds; None for a ceiling over a task's life."""
        return None if self.window is None else self.window.length_s

    @property
    def per_task(self) -> bool:
        """Whether it counts a task tree from its begin to its end."""
        return self.window is None


@dataclass(frozen=True, slots=True)
class Override:
    """For a time, `limit` in place of a ceiling's own: for one `scope` inside it, or (empty) for all of it.

    `scope` has values of the ceiling's `per` dimensions. `until` is in epoch seconds, UTC.
    """

    ceiling: str
    limit: Decimal
    until: float
    author: str
    reason: str
    scope: tuple[tuple[Dimension, str], ...] = ()


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
    runaway: Runaway = Runaway.WARN
    schedules: tuple[Schedule, ...] = ()


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
    """The limits of a provider (of one model or account of it, where named), shared by every tenant.

    None is unlimited, until the provider's own answers teach better.
    """

    provider: str
    requests_per_minute: int | None
    tokens_per_minute: int | None
    model: str | None = None
    account: str | None = None


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
    overrides: tuple[Override, ...] = ()
    cache: tuple[CacheRule, ...] = ()
    tier_weights: Mapping[Tier, float] = field(default_factory=lambda: dict(TIER_WEIGHTS))

    caching: CacheRules = field(init=False, repr=False, compare=False)
    """What `cache` says, by tenant and workload."""
    _workloads: dict[tuple[str, str], Workload] = field(init=False, repr=False, compare=False)
    _weights: dict[str, float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        declared = {(tenant.name, w.name): w for tenant in self.tenants for w in tenant.workloads}
        object.__setattr__(self, "caching", CacheRules(self.cache))
        object.__setattr__(self, "_workloads", declared)
        object.__setattr__(self, "_weights", {tenant.name: tenant.weight for tenant in self.tenants})

    def workload(self, tenant: str, name: str) -> Workload | None:
        """The declared workload, or None for one that nobody registered."""
        return self._workloads.get((tenant, name))

    def weight(self, tenant: str) -> float:
        """The tenant's weight; an undeclared tenant weighs 1."""
        return self._weights.get(tenant, 1.0)
