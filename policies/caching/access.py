"""Access: which scopes each route of the cache service needs, and whose answers a key may look at and end."""

from __future__ import annotations

from collector.keys.key import OWNER, Key
from collector.keys.rules import ANY_KEY, OPEN, Everywhere, Rules

__all__ = ["RULES", "may_forget"]

RULES = Rules(
    {
        "GET /healthz": OPEN,
        "GET /readyz": OPEN,
        "GET /openapi.json": OPEN,
        "GET /metrics": (Everywhere("read"), Everywhere("operate")),
        "GET /v1/identity": ANY_KEY,
        # For the tenant that the body names, or that the ticket was made for.
        "POST /v1/cache:look": ("decide",),
        "POST /v1/cache:learn": ("decide",),
        # What it shows is within what `policies.access.concerns` says.
        "GET /v1/cache": ("read", "operate", "finance", OWNER),
        # An agent's own key ends what is its own tenant's: `may_forget`.
        "POST /v1/cache:forget": ("operate", "decide"),
        "POST /v1/cache:label": ("operate",),
    }
)


def may_forget(key: Key, tenant: str | None) -> bool:
    """Whether the key may end a tenant's answers; None is every tenant's, or one by its number.

    Operators may, for their tenants. A key that decides may where it speaks for that tenant alone.
    """
    if tenant is None:
        return key.allows("operate") and key.all_tenants
    if key.allows("operate"):
        return key.speaks_for(tenant)
    return key.allows("decide") and key.sole_tenant == tenant
