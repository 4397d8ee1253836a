"""Access: which scopes each route of the engine needs, and what of its budgets and log a key may see.

A budget or transition of one tenant is seen by keys that speak for it. One that counts several tenants is seen by keys
for every tenant alone, since what it has spent is what others have spent. A decision is different: it goes to whoever
the ceiling restrains, and says what is left of it. So does an explanation: it names each of these ceilings, and shows
what has been counted of several tenants to none but keys for all of them.

An owner sees what counts their workloads alone, in whichever tenant, by the owners that the policy file names. Of a
ceiling that counts others beside them they are told that it restrains them and how, and no amount.
"""

from __future__ import annotations

from collections.abc import Mapping

from collector.keys.key import EVERYTHING, OWNER, ROOT, Key
from collector.keys.rules import ANY_KEY, OPEN, Everywhere, Rules

from .model import PolicySet

__all__ = ["RULES", "concerns", "looks", "owns", "reaches", "sees", "signed"]

_LOOKING = ("read", "operate", "finance")

RULES = Rules(
    {
        "GET /healthz": OPEN,
        "GET /readyz": OPEN,
        "GET /openapi.json": OPEN,
        "GET /metrics": (Everywhere("read"), Everywhere("operate")),
        "GET /v1/identity": ANY_KEY,
        # For the tenants that the body names, or that the grant was made for.
        "GET /v1/decisions": ("decide",),
        "POST /v1/decisions:batch": ("decide",),
        "POST /v1/grants": ("decide",),
        "POST /v1/grants:finish": ("decide",),
        "POST /v1/grants/{id}:settle": ("decide",),
        "POST /v1/grants/{id}:extend": ("decide",),
        "POST /v1/grants/{id}:release": ("decide",),
        # What they show is within what `concerns` says.
        "GET /v1/budgets": (*_LOOKING, OWNER),
        "GET /v1/breakers": (*_LOOKING, OWNER),
        "GET /v1/grants": (*_LOOKING, OWNER),
        "GET /v1/shares": (*_LOOKING, OWNER),
        "GET /v1/policies": (*_LOOKING, OWNER),
        "GET /v1/overrides": (*_LOOKING, OWNER),
        "GET /v1/explain": (*_LOOKING, OWNER),
        "POST /v1/breakers": ("operate",),
        "POST /v1/overrides": ("operate",),
        "DELETE /v1/overrides/{id}": ("operate",),
        "POST /v1/tasks/{id}:stop": ("operate",),
    }
)


def reaches(key: Key, tenant: str | None) -> bool:
    """Whether the key speaks for whomever something concerns; None is several tenants."""
    return key.all_tenants if tenant is None else key.speaks_for(tenant)


def looks(key: Key) -> bool:
    """Whether the key may see what concerns its tenants, beside what is its owners'."""
    return any(key.allows(scope) for scope in _LOOKING)


def sees(key: Key, tenant: str | None) -> bool:
    """Whether the key may see all that concerns this tenant; None is several."""
    return looks(key) and reaches(key, tenant)


def owns(key: Key, policies: PolicySet, scope: Mapping[str, str]) -> bool:
    """Whether what counts this scope counts workloads of the key's owners alone."""
    owners = key.owners
    if not owners:
        return False
    workload = policies.workload(scope.get("tenant", ""), scope.get("workload", ""))
    return scope.get("owner") in owners or (workload is not None and workload.owner in owners)


def concerns(key: Key, policies: PolicySet, scope: Mapping[str, str]) -> bool:
    """Whether the key may see what counts this scope, as a ceiling or the log names it."""
    return sees(key, scope.get("tenant")) or owns(key, policies, scope)


def signed(by: str, key: Key) -> str:
    """Who did something by hand, for the log: what they call themselves, and the key that they came with."""
    return by if key in (EVERYTHING, ROOT) else f"{by} ({key.id})"
