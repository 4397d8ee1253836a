"""The shapes of the engine's API: bodies in as pydantic models, answers out as plain objects."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from switchgear.decision import Decision
from switchgear.money import Money, short
from switchgear.tier import Tier
from switchgear.usage import MAX_TOKENS_PER_CALL, Usage

from .admission import Grant, GrantRequest
from .book import Account
from .breaker import State
from .ladder import Stand, action
from .model import PolicySet, Who
from .sizing import Request

__all__ = [
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
    """Whose decision is asked for; `task` is the root task's id."""

    tenant: Name
    workload: Name
    tier: Tier | None = None
    task: Name | None = None

    def who(self, policies: PolicySet) -> Who:
        """The scope as the engine sees it: the workload's declared tier where none is named."""
        declared = policies.workload(self.tenant, self.workload)
        tier = self.tier or (declared.tier if declared else Tier.BATCH)
        return Who(self.tenant, self.workload, tier, self.task)


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
    """A call that wants to be made. `input_bytes` is the request body's size; `task` is the root of `task_id`."""

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


class ReleaseBody(_Body):
    """A granted call was not billed; `throttled_for_s` is the provider's Retry-After on a 429."""

    throttled_for_s: Annotated[float, Field(ge=0, le=3600)] | None = None


class ForceBody(_Body):
    """A breaker moved by hand. `ceiling` "*" means all; `for_s` null holds until it is restored."""

    ceiling: Name
    do: Literal["open", "disable", "restore"]
    by: Name
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    for_s: Annotated[float, Field(gt=0, le=30 * 86400)] | None = None


def granted(decision: Decision, grant: Grant | None) -> dict[str, Any]:
    """The answer to a request for a grant; `grant` is null where the decision does not allow the call (yet)."""
    body: dict[str, Any] = {"decision": decision.to_wire(), "grant": None}
    if grant is not None:
        body["grant"] = {
            "id": grant.id,
            "lease": grant.lease,
            "amount": f"{grant.amount:f}",
            "currency": decision.currency,
            "expires_at": _time(grant.expires_at),
        }
    return body


def budget(
    account: Account, at: Stand, policies: PolicySet, forced_until: float | None, now: float
) -> dict[str, Any]:
    """How a ceiling stands for a scope, for people and pages."""
    scope = account.ceiling.scope.to_wire() | ({"task": account.task} if account.task else {})
    declared = [
        w.tier for t in policies.tenants for w in t.workloads if w.name == account.ceiling.scope.workload
    ]
    tier = account.ceiling.scope.tier or (declared[0] if declared else Tier.BATCH)
    comes_back = account.state is State.OPEN and not account.ceiling.per_task
    reopens = account.since + account.ceiling.cooldown_s - now if comes_back else None
    return {
        "ceiling": account.ceiling.name,
        "scope": scope,
        "window_s": account.ceiling.window_s,
        "limit": f"{account.ceiling.limit:f}",
        "currency": policies.currency,
        "spent": f"{at.spent:f}",
        "held": f"{account.held:f}",
        "projected": f"{at.projection.total:f}",
        "kept": f"{at.projection.kept:f}",
        "arriving": f"{at.projection.arriving:f}",
        "in_flight": f"{at.projection.in_flight:f}",
        "rate_per_s": f"{Decimal(round(at.projection.rate_per_s, 9)):.9f}",
        "calls_in_flight": account.holds,
        "state": account.state.value,
        "shadow": account.ceiling.shadow,
        "action": "warn" if at.step == "warn" else action(account, at.step, tier).value,
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
    limit = account.ceiling.limit
    return f"{short(at.spent)} of {short(limit)} spent, {short(at.projection.total)} projected"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
