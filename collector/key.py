"""Key: who asks, which tenants they may speak for, and what they may do. A value; `keyring` finds it by its secret."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

__all__ = ["EVERYTHING", "SCOPES", "Key", "key_of", "with_key"]

SCOPES = frozenset({"ingest", "decide", "read", "operate", "finance", "internal", "admin"})
"""What a key may be for, beside `owner:NAME`: reading the workloads of one owner, in whichever tenant."""

_PLACE = "switchgear.key"
_OWNER = "owner:"


@dataclass(frozen=True, slots=True)
class Key:
    """A key as a request carries it, without its secret."""

    id: str
    """What may be shown of it: its prefix."""
    tenants: tuple[str, ...]
    """Names, or patterns with `*`; `("*",)` is every tenant."""
    scopes: frozenset[str]
    options: frozenset[str] = frozenset()
    """What it was given beside its scopes: `cost_spans` lets it book costs that are no calls to a model."""

    def allows(self, scope: str) -> bool:
        """Whether it has the scope; `admin` has every one."""
        return scope in self.scopes or "admin" in self.scopes

    def speaks_for(self, tenant: str) -> bool:
        """Whether `tenant` is in its set."""
        return any(tenant == each or ("*" in each and fnmatchcase(tenant, each)) for each in self.tenants)

    @property
    def all_tenants(self) -> bool:
        """Whether its set holds every tenant."""
        return "*" in self.tenants

    @property
    def sole_tenant(self) -> str | None:
        """The tenant of a key that speaks for exactly one: it supplies what a span leaves out."""
        return self.tenants[0] if len(self.tenants) == 1 and "*" not in self.tenants[0] else None

    @property
    def owners(self) -> frozenset[str]:
        """The owners whose workloads it may read."""
        return frozenset(each.removeprefix(_OWNER) for each in self.scopes if each.startswith(_OWNER))


EVERYTHING = Key("keyless", ("*",), frozenset({"admin"}), frozenset({"cost_spans"}))
"""Who asks where no key is needed: the embedded mode, on loopback only."""


def key_of(scope: MutableMapping[str, Any]) -> Key:
    """The key of a request, as the guard left it in the ASGI scope."""
    key: Key = scope[_PLACE]
    return key


def with_key(scope: MutableMapping[str, Any], key: Key) -> MutableMapping[str, Any]:
    """The scope with the key in it."""
    scope[_PLACE] = key
    return scope
