"""Access: which scopes each route of the engine needs, and what of its budgets and log a key may see.

A budget or transition of one tenant is seen by keys that speak for it. One that counts several tenants is seen by keys
for every tenant alone, since what it has spent is what others have spent. A decision is different: it goes to whoever
the ceiling restrains, and says what is left of it. So does an explanation: it names each of these ceilings, and shows
what has been counted of several tenants to none but keys for all of them.
"""

from __future__ import annotations

from collector.keys.key import EVERYTHING, ROOT, Key
from collector.keys.rules import OPEN, Everywhere, Rules

__all__ = ["RULES", "reaches", "signed"]

RULES = Rules(
    {
        "GET /healthz": OPEN,
        "GET /readyz": OPEN,
        "GET /openapi.json": OPEN,
        "GET /metrics": (Everywhere("read"), Everywhere("operate")),
        # For the tenants that the body names, or that the grant was made for.
        "GET /v1/decisions": ("decide",),
        "POST /v1/decisions:batch": ("decide",),
        "POST /v1/grants": ("decide",),
        "POST /v1/grants:finish": ("decide",),
        "POST /v1/grants/{id}:settle": ("decide",),
        "POST /v1/grants/{id}:extend": ("decide",),
        "POST /v1/grants/{id}:release": ("decide",),
        # What they show is within what `reaches` says.
        "GET /v1/budgets": ("read", "operate"),
        "GET /v1/breakers": ("read", "operate"),
        "GET /v1/shares": ("read", "operate"),
        "GET /v1/policies": ("read", "operate"),
        "GET /v1/overrides": ("read", "operate"),
        "GET /v1/explain": ("read", "operate"),
        "POST /v1/breakers": ("operate",),
        "POST /v1/overrides": ("operate",),
        "DELETE /v1/overrides/{id}": ("operate",),
        "POST /v1/tasks/{id}:stop": ("operate",),
    }
)


def reaches(key: Key, tenant: str | None) -> bool:
    """Whether the key may see, or move by hand, what concerns this tenant; None is several."""
    return key.all_tenants if tenant is None else key.speaks_for(tenant)


def signed(by: str, key: Key) -> str:
    """Who did something by hand, for the log: what they call themselves, and the key that they came with."""
    return by if key in (EVERYTHING, ROOT) else f"{by} ({key.id})"
