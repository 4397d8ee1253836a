"""The shapes of the engine's API beside its hot routes' bodies (`bodies`): what is forced by hand, and answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from switchgear.decision import Decision
from switchgear.money import short
from switchgear.tier import Tier

from .accounts import Account
from .admission import Granted
from .breaker import State
from .grants import Grant
from .ladder import Stand, action, step_for
from .model import PolicySet, Unit
from .units import decimal

__all__ = [
    "ForceBody",
    "budget",
    "granted",
    "held_by_workload",
    "registry",
]


Name = Annotated[str, Field(min_length=1, max_length=128, pattern="^[^\\x00]+$")]


class ForceBody(BaseModel):
    """A breaker moved by hand. `ceiling` "*" means all; `for_s` null holds until it is restored."""

    model_config = ConfigDict(extra="forbid")

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
            "output_tokens": grant.output_tokens,
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
        "rate_per_s": amount(band.arriving / band.horizon_s if band.horizon_s else 0.0),
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


def held_by_workload(grants: Iterable[Grant]) -> list[dict[str, Any]]:
    """What is held for calls that have not ended, by workload and tier; where most is held first."""
    groups: dict[tuple[str, str, str | None, Tier], list[Grant]] = defaultdict(list)
    for grant in grants:
        groups[grant.who.tenant, grant.who.workload, grant.who.owner, grant.who.tier].append(grant)
    sums = [
        (who, of, *(sum(each) for each in zip(*(g.held for g in of), strict=True)))
        for who, of in groups.items()
    ]
    return [
        {
            "tenant": tenant,
            "workload": workload,
            "owner": owner,
            "tier": tier.value,
            "grants": len(of),
            "calls": sum(grant.left for grant in of),
            "held": f"{decimal(money):f}",
            "held_tokens": tokens,
            "expires_at": _time(min(grant.expires_at for grant in of)),
        }
        for (tenant, workload, owner, tier), of, money, tokens in sorted(sums, key=lambda each: -each[2])
    ]


def registry(policies: PolicySet) -> dict[str, Any]:
    """Who owns and pays for what, as the collector's registry takes it: in place of what the file said before."""
    return {
        "source": "policies",
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
