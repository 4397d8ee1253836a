"""The shapes of the engine's API: bodies in as pydantic models, answers out as plain objects."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from switchgear.decision import Decision
from switchgear.money import Money, short
from switchgear.tier import Tier
from switchgear.usage import MAX_TOKENS_PER_CALL, Usage

from .accounts import Account
from .admission import Granted, GrantRequest
from .breaker import State
from .ladder import Stand, action, step_for
from .model import PolicySet, Unit, Who
from .sizing import Request
from .units import decimal

__all__ = [
    "ExtendBody",
    "ForceBody",
    "GrantBody",
    "ReleaseBody",
    "ScopeBody",
    "ScopesBody",
    "SettleBody",
    "budget",
    "granted",
    "registry",
]


def _above_zero(value: Any) -> Any:
    money = Money.parse(value) if isinstance(value, str) else value
    if isinstance(money, Money) and money.amount <= 0:
        raise ValueError(f'"{money}" is not above zero')
    return money


Name = Annotated[str, Field(min_length=1, max_length=128, pattern="^[^\\x00]+$")]
Wait = Annotated[float, Field(ge=0, le=30)]
Count = Annotated[int, Field(ge=0, le=MAX_TOKENS_PER_CALL)]
Budget = Annotated[Money, BeforeValidator(_above_zero)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


class ScopeBody(_Body):
    """Whose decision is asked for; `task` is the root task's id. Rules for a model apply where it is named."""

    tenant: Name
    workload: Name
    tier: Tier | None = None
    task: Name | None = None
    provider: Name | None = None
    model: Name | None = None

    def who(self, policies: PolicySet) -> Who:
        """The scope as the engine sees it: the workload's declared tier where none is named."""
        declared = policies.workload(self.tenant, self.workload)
        tier = self.tier or (declared.tier if declared else Tier.BATCH)
        owner = declared.owner if declared else None
        return Who(self.tenant, self.workload, tier, self.task, self.provider, self.model, owner)


class ScopesBody(_Body):
    """Several scopes at once; waits up to `wait` seconds for a change against `etag`."""

    scopes: list[ScopeBody] = Field(max_length=10_000)
    etag: str | None = None
    wait: Wait = 0


class BudgetBody(_Body):
    """What a task allows itself and those inside it."""

    task: Name
    limit: Budget


class GrantBody(ScopeBody):
    """A call that wants to be made, or `calls` like it. `input_bytes` is the request body's size.

    `task` is the root of `task_id`. `worst_case` holds the most that a call can cost, not what such calls have cost.
    """

    id: Annotated[str, Field(min_length=8, max_length=64)]
    provider: Name
    model: Name
    input_bytes: Annotated[int, Field(ge=0, le=1 << 30)]
    max_output_tokens: Count | None = None
    writes_cache: bool = False
    needs: list[Literal["tools", "schema", "thinking"]] = []
    budgets: Annotated[list[BudgetBody], Field(max_length=32)] = []
    task_id: Name | None = None
    parent_task_id: Name | None = None
    attempt: Annotated[int, Field(ge=1, le=10_000)] = 1
    calls: Annotated[int, Field(ge=1, le=1000)] = 1
    worst_case: bool = False
    wait: Wait = 0

    def request(self, policies: PolicySet) -> GrantRequest:
        """The request as the engine sees it. Raises ValueError for a budget in another currency."""
        for own in self.budgets:
            if own.limit.currency != policies.currency:
                raise ValueError(
                    f'budget "{own.limit}" is not in the policies\' currency {policies.currency}'
                )
        call = Request(self.provider, self.model, self.input_bytes, self.max_output_tokens, self.writes_cache)
        budgets = tuple((own.task, own.limit.amount) for own in self.budgets)
        return GrantRequest(
            self.id,
            self.who(policies),
            call,
            frozenset(self.needs),
            budgets,
            self.task_id,
            self.parent_task_id,
            self.attempt,
            self.calls,
            self.worst_case,
        )


class UsageBody(_Body):
    input_uncached: Count = 0
    cache_read: Count = 0
    cache_write_5m: Count = 0
    cache_write_1h: Count = 0
    output: Count = 0
    reasoning: Count = 0

    def usage(self) -> Usage:
        return Usage(**self.model_dump())


class SettleBody(_Body):
    """A granted call ended; `usage` is null where the provider's counts did not come (an aborted stream)."""

    model: Name | None = None
    usage: UsageBody | None = None
    response_id: Annotated[str, Field(min_length=1, max_length=256, pattern="^[^\\x00]+$")] | None = None


class ExtendBody(_Body):
    """A granted call runs longer than was held for: what its answer may yet come to in all."""

    max_output_tokens: Count


class ReleaseBody(_Body):
    """Granted calls were not billed (null: all that are left); `throttled_for_s` is Retry-After on a 429."""

    calls: Annotated[int, Field(ge=1, le=1000)] | None = None
    throttled_for_s: Annotated[float, Field(ge=0, le=3600)] | None = None


class ForceBody(_Body):
    """A breaker moved by hand. `ceiling` "*" means all; `for_s` null holds until it is restored."""

    ceiling: Name
    do: Literal["open", "disable", "restore"]
    by: Name
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    for_s: Annotated[float, Field(gt=0, le=30 * 86400)] | None = None


def granted(decision: Decision, grant: Granted | None) -> dict[str, Any]:
    """The answer to a request for a grant; `grant` is null where the decision does not allow the call (yet)."""
    body: dict[str, Any] = {"decision": decision.to_wire(), "grant": None}
    if grant is not None:
        body["grant"] = {
            "id": grant.id,
            "lease": grant.lease,
            "amount": f"{grant.amount:f}",
            "currency": grant.currency,
            "calls": grant.calls,
            "each": f"{grant.each:f}",
            "most": f"{grant.most:f}",
            "expires_at": _time(grant.expires_at),
        }
    return body


def budget(
    account: Account, at: Stand, policies: PolicySet, forced_until: float | None, now: float
) -> dict[str, Any]:
    """How a ceiling stands for a scope, for people and pages."""
    unit, band, scope = account.ceiling.unit, at.band, account.scope()
    tier = Tier(scope["tier"]) if "tier" in scope else _declared_tier(policies, scope)
    step = step_for(account, tier)

    def amount(atoms: float) -> str:
        return f"{decimal(round(atoms), unit):f}"

    comes_back = account.state is State.OPEN and not account.ceiling.per_task
    reopens = account.since + account.ceiling.cooldown_s - now if comes_back else None
    return {
        "ceiling": account.ceiling.name,
        "scope": scope,
        "window_s": account.ceiling.window_s,
        "limit": amount(at.limit),
        "currency": policies.currency if unit is Unit.MONEY else unit.value,
        "spent": amount(at.spent),
        "held": amount(at.held),
        "projected": amount(band.q50),
        "band": {
            "q05": amount(band.q05),
            "q20": amount(band.q20),
            "q80": amount(band.q80),
            "q95": amount(band.q95),
        },
        "horizon_s": band.horizon_s,
        "kept": amount(band.kept),
        "arriving": amount(band.arriving),
        "expected": amount(band.expected),
        "scheduled": amount(band.scheduled),
        "in_flight": amount(band.in_flight),
        "method": band.method,
        "situation": band.bucket,
        "cold": band.cold,
        "calls_in_flight": account.meter.holds,
        "state": account.state.value,
        "shadow": account.ceiling.shadow,
        "action": "warn" if step == "warn" else action(account, step, tier).value,
        "reason": _reason(account, at),
        "since": _time(account.since),
        "until": None if forced_until is None else _time(forced_until),
        "retry_after_s": None if reopens is None else round(max(0.0, reopens), 1),
    }


def registry(policies: PolicySet) -> dict[str, Any]:
    """Who owns and pays for what, as the collector's registry takes it."""
    return {
        "workloads": [
            {"tenant": tenant.name, "workload": w.name, "owner": w.owner, "cost_centre": w.cost_centre}
            for tenant in policies.tenants
            for w in tenant.workloads
        ],
        "plans": [
            {
                "cost_centre": p.cost_centre,
                "month": p.month,
                "amount": f"{p.amount:f}",
                "currency": policies.currency,
            }
            for p in policies.plans
        ],
    }


def _reason(account: Account, at: Stand) -> str:
    """Why the breaker is where it is; of a closed one, how far from its ceiling it stands."""
    if account.state is not State.CLOSED:
        return account.reason
    spent, limit, projected = (
        short(decimal(round(atoms), account.ceiling.unit)) for atoms in (at.spent, at.limit, at.band.q50)
    )
    return f"{spent} of {limit} spent, {projected} projected"


def _declared_tier(policies: PolicySet, scope: dict[str, str]) -> Tier:
    """The tier that most such calls have: their workload's, where it is declared."""
    named = [w.tier for t in policies.tenants for w in t.workloads if w.name == scope.get("workload")]
    return named[0] if named else Tier.BATCH


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
