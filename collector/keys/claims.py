"""Claims: what a person may whom an issuer has signed in, by what their token says of them.

An installation's rules each look at one claim and give rights. The rights of all rules that match add up, so long as
nobody is given what no rule gives: a key holds one set of scopes and one of tenants, and of `read` everywhere beside
`operate` for acme it would make `operate` everywhere. Where that came of it, the earlier rules hold and the later one
is left out; what a person owns is added in any case, since it goes by no tenant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from re import ASCII, fullmatch
from typing import Any
from unicodedata import normalize

from .key import MAX_NAME, OWNER, SCOPES, Key

__all__ = ["ALGORITHMS", "GRANTABLE", "SUBJECT", "Issuer", "Person", "Rule", "person"]

ALGORITHMS = ("RS256", "ES256")
"""What tokens may be signed with: with a key of which the services know the public half alone."""
GRANTABLE = SCOPES - {"internal", "admin"}
"""What a rule may give beside `owner:NAME`. `internal` is for services, and `admin` holds it."""
SUBJECT = "oidc:"
"""What the ids begin with of those who come with a token."""

_OWNER = f"{OWNER}:"
_PLAIN = r"[\w.@|:+=/-]{1,64}"


@dataclass(frozen=True, slots=True)
class Rule:
    """Whoever's `claim` is, or holds, a value has these rights; without a value, whoever has the claim at all."""

    claim: str
    equals: str | None = None
    has: str | None = None
    """Among several values, or the one that there is."""
    scopes: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    tenants_from: str | None = None
    """The claim that names further tenants; they are taken as they stand, never as patterns."""
    owner_from: str | None = None
    """The claim that names the owner, or the owners, whose workloads the person may read."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens are taken, and for what."""

    url: str
    audience: tuple[str, ...]
    """Whom a token must be meant for: one of these."""
    rules: tuple[Rule, ...]
    algorithms: tuple[str, ...] = ALGORITHMS
    jwks_url: str | None = None
    """Where its public keys are; None where it says so itself, in its discovery document."""
    leeway_s: float = 10.0
    """How far its clock may be ahead."""
    unverified_email: bool = False
    """Whether a rule may go by an email address that the issuer does not say it has verified."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who came with a token, and what they may."""

    key: Key
    """Without scopes where no rule gives any right."""
    name: str
    left_out: tuple[int, ...] = ()
    """The rules, counted from 1, that match and are left out."""


def person(issuer: Issuer, claims: Mapping[str, Any]) -> Person:
    """Whom these claims, of a token that was found good, are of."""
    if not issuer.unverified_email and claims.get("email_verified") not in (True, "true"):
        claims = {name: value for name, value in claims.items() if name != "email"}
    given = [
        (number, *_rights(rule, claims))
        for number, rule in enumerate(issuer.rules, 1)
        if _matches(rule, claims)
    ]
    taken: list[Key] = []
    left_out = []
    for number, rights, _ in given:
        if _adds_up([*taken, rights], [each for _, each, _ in given]):
            taken.append(rights)
        else:
            left_out.append(number)
    tenants = tuple(dict.fromkeys(tenant for each in taken for tenant in each.tenants))
    scopes = frozenset[str]().union(*(each.scopes for each in taken), *(owners for _, _, owners in given))
    name = next((found for each in _NAMES for found in _names(claims.get(each))), "")
    return Person(Key(_id(str(claims["sub"])), tenants, scopes), name, tuple(left_out))


_NAMES = ("name", "email", "preferred_username")


def _matches(rule: Rule, claims: Mapping[str, Any]) -> bool:
    value = _claim(claims, rule.claim)
    if rule.equals is not None:
        return bool(value == rule.equals)
    return rule.has in _texts(value) if rule.has is not None else value not in (None, "", [], False)


def _rights(rule: Rule, claims: Mapping[str, Any]) -> tuple[Key, frozenset[str]]:
    """What a rule gives for tenants, and which owners' workloads."""
    named = [] if rule.tenants_from is None else _names(_claim(claims, rule.tenants_from))
    # A claim that says "*" names nobody: only the installation's own file speaks of every tenant.
    tenants = tuple(dict.fromkeys([*rule.tenants, *(each for each in named if "*" not in each)]))
    owned = [] if rule.owner_from is None else _names(_claim(claims, rule.owner_from))
    owners = {scope for scope in rule.scopes if scope.startswith(_OWNER)} | {
        f"{_OWNER}{each}" for each in owned
    }
    return Key("", tenants, frozenset(rule.scopes) - owners if tenants else frozenset()), frozenset(owners)


def _adds_up(together: list[Key], given: list[Key]) -> bool:
    """Whether every scope that comes of these keys is given for every tenant by one of what was given."""
    return all(
        any(scope in each.scopes and each.speaks_for(tenant) for each in given)
        for tenant in {tenant for each in together for tenant in each.tenants if each.scopes}
        for scope in {scope for each in together for scope in each.scopes}
    )


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, or by the way to it: `realm_access.roles`."""
    if name in claims or "." not in name:
        return claims.get(name)
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str)]


def _names(value: Any) -> list[str]:
    """What can be the name of a tenant, an owner or a person."""
    fit: Iterable[str] = (normalize("NFC", each.strip()) for each in _texts(value))
    return [each for each in fit if 0 < len(each) <= MAX_NAME and each.isprintable()]


def _id(subject: str) -> str:
    """What stands in logs and audits: the issuer's own name for the person where it can be read, of one length else."""
    if fullmatch(_PLAIN, subject, ASCII):
        return SUBJECT + subject
    return f"{SUBJECT}sha256:{sha256(subject.encode()).hexdigest()[:32]}"
