"""Key: who asks, which tenants they may speak for, and what they may do. A value; `access` finds it by its secret."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import lru_cache
from math import inf
from typing import Any

__all__ = [
    "ANYONE",
    "EVERYTHING",
    "OPTIONS",
    "OWNER",
    "ROOT",
    "SCOPES",
    "Holder",
    "Key",
    "key_of",
    "unfit",
    "with_key",
]

SCOPES = frozenset({"ingest", "decide", "read", "operate", "finance", "internal", "admin"})
"""What a key may be for, beside `owner:NAME`: reading the workloads of one owner, in whichever tenant."""
OPTIONS = frozenset({"cost_spans"})
OWNER = "owner"
"""What a route asks for that any key with some `owner:NAME` may use; it sees its own workloads there."""

MAX_NAME = 128
_PLACE = "switchgear.key"
_OWNER = f"{OWNER}:"


@dataclass(frozen=True, slots=True)
class Key:
    """A key as a request carries it, without its secret."""

    id: str
    """What may be shown of it: its prefix."""
    tenants: tuple[str, ...]
    """Names, or patterns in which `*` stands for any characters; `("*",)` is every tenant."""
    scopes: frozenset[str]
    options: frozenset[str] = frozenset()
    """What it was given beside its scopes: `cost_spans` lets it book costs that are no calls to a model."""

    def allows(self, scope: str) -> bool:
        """Whether it has the scope; `admin` has every one. "owner" is met by any `owner:NAME`."""
        return scope in self.scopes or "admin" in self.scopes or (scope == OWNER and bool(self.owners))

    def speaks_for(self, tenant: str) -> bool:
        """Whether `tenant` is in its set."""
        return _within(tenant, self.tenants)

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


@dataclass(frozen=True, slots=True)
class Holder:
    """Who comes with a key, and until when."""

    key: Key
    name: str = ""
    """Who or what it is for, in words; "" where nobody said."""
    ends_at: float = inf
    """Seconds since the epoch."""


@lru_cache(maxsize=4096)
def _within(tenant: str, tenants: tuple[str, ...]) -> bool:
    # Remembered, since it is asked for every span.
    return any(tenant == each or ("*" in each and _matches(tenant, each)) for each in tenants)


EVERYTHING = Key("keyless", ("*",), frozenset({"admin"}), OPTIONS)
"""Who asks where no key is needed: the embedded mode, on loopback only."""

ROOT = Key("root", ("*",), frozenset({"admin"}), OPTIONS)
"""Who asks with the installation's own key, SWITCHGEAR_API_KEY."""

ANYONE = Key("anyone", (), frozenset())
"""Who asks on a route that is open to all."""


def unfit(tenants: Iterable[str], scopes: Iterable[str], options: Iterable[str]) -> list[str]:
    """What is wrong with the rights of a key that is to be made: a line for each finding, with what to write."""
    tenants, scopes = list(tenants), list(scopes)
    findings = [_unknown("option", each, OPTIONS) for each in options if each not in OPTIONS]
    findings += [
        _unknown("scope", each, SCOPES | {f"{_OWNER}NAME"}) for each in scopes if not _is_scope(each)
    ]
    findings += [
        f"tenant {each[:64]!r} is no name: write 1 to {MAX_NAME} characters, or a pattern such as 'acme-*'"
        for each in tenants
        if not (0 < len(each) <= MAX_NAME and min(each) >= " ")
    ]
    if not scopes:
        findings.append("a key needs a scope: an agent's has ingest and decide, a reader's has read")
    if not tenants and any(not each.startswith(_OWNER) for each in scopes):
        findings.append("a key speaks for tenants: name each, a pattern such as 'acme-*', or '*' for all")
    if "internal" in scopes and "*" not in tenants:
        findings.append(
            "scope 'internal' is for the services, which work for every tenant: give it tenant '*'"
        )
    return findings


def key_of(scope: MutableMapping[str, Any]) -> Key:
    """The key of a request, as the guard left it in the ASGI scope."""
    key: Key = scope[_PLACE]
    return key


def with_key(scope: MutableMapping[str, Any], key: Key) -> MutableMapping[str, Any]:
    """The scope with the key in it."""
    scope[_PLACE] = key
    return scope


def _matches(tenant: str, pattern: str) -> bool:
    # Only the asterisk means something; a name may hold the other characters of a file pattern.
    return fnmatchcase(tenant, pattern.replace("[", "[[]").replace("?", "[?]"))


def _is_scope(text: str) -> bool:
    return text in SCOPES or (text.startswith(_OWNER) and text != _OWNER)


def _unknown(what: str, given: str, known: Iterable[str]) -> str:
    near = get_close_matches(given, sorted(known), n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(sorted(known))}"
    return f"{what} {given[:64]!r} is unknown; {hint}"
