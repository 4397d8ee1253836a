"""The file about the issuer whose tokens are taken beside keys: YAML in, an Issuer or each error with its place out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal
from unicodedata import normalize

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from analytics import documents
from analytics.documents import DocumentError, Location
from analytics.live import Followed
from collector.keys.claims import GRANTABLE, Issuer, Rule, person
from collector.keys.jwks import is_safe
from collector.keys.key import OWNER, SCOPES, unfit
from collector.keys.tokens import Tokens

from .console import fail, misuse, note, plain, say
from .paths import oidc_path

__all__ = ["OidcFileError", "check", "load", "tokens"]

_MOST_RULES = 1_000


class OidcFileError(DocumentError):
    """A file about an issuer that cannot be used; its text is one line per error: file:line:column: where: why."""


def _listed(value: Any) -> Any:
    """One name may stand without a list around it."""
    return [value] if isinstance(value, str) else value


def _address(value: Any) -> Any:
    if isinstance(value, str) and not is_safe(value):
        raise ValueError(f'"{value}" is no https address; plain http is for an issuer on this machine')
    return value


Name = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f]+$")]
Address = Annotated[str, BeforeValidator(_address)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RuleDocument(_Strict):
    claim: Name
    equals: Name | None = None
    has: Name | None = None
    scopes: list[Name] = []
    tenants: list[Name] = []
    tenants_from: Name | None = None
    owner_from: Name | None = None

    @model_validator(mode="after")
    def _one_condition(self) -> RuleDocument:
        if self.equals is not None and self.has is not None:
            raise ValueError('a claim "equals" one value or "has" it among several; leave one out')
        return self


class OidcDocument(_Strict):
    version: Literal[1]
    issuer: Address
    audience: Annotated[list[Name], BeforeValidator(_listed), Field(min_length=1, max_length=20)]
    algorithms: list[Literal["RS256", "ES256"]] = Field(default=["RS256", "ES256"], min_length=1)
    jwks_url: Address | None = None
    leeway_s: float = Field(default=10.0, ge=0, le=300)
    unverified_email: bool = False
    rights: list[RuleDocument] = Field(min_length=1, max_length=_MOST_RULES)


def load(path: Path) -> Issuer:
    """The issuer and the rules of a file. Raises OidcFileError."""
    try:
        tree = documents.tree_of(documents.read(path), str(path))
        document = documents.validated(OidcDocument, tree, str(path))
        if problems := list(_problems(document)):
            raise documents.refused(tree, str(path), problems)
    except DocumentError as error:
        raise OidcFileError(str(error)) from None
    return Issuer(
        document.issuer,
        tuple(document.audience),
        tuple(_rule(each) for each in document.rights),
        tuple(document.algorithms),
        document.jwks_url,
        document.leeway_s,
        document.unverified_email,
    )


def tokens(path: Path) -> Tokens:
    """What a service takes by the file, which it follows. Without the file nobody's token is taken any more.

    Raises OidcFileError for a file that cannot be used from the start.
    """
    load(path)
    return Tokens(Followed("oidc", path, lambda _: load(path) if path.exists() else None))


def check(given: Path | None, claims: str | None, *, as_json: bool) -> int:
    """Say whether the file can be used, and what somebody with these claims may by it; the exit code.

    1 is a file that cannot be used, and somebody who may do nothing.
    """
    path = oidc_path(given)
    if path is None:
        return misuse("keys oidc: there is no oidc.yaml here; name the file with --oidc")
    try:
        issuer = load(path)
    except OidcFileError as problem:
        return fail(str(problem))
    if claims is None:
        said = {"issuer": issuer.url, "rules": len(issuer.rules)}
        say(json.dumps(said) if as_json else f"{path} is fine: {len(issuer.rules)} rules for {issuer.url}")
        return 0
    try:
        found = person(issuer, {"sub": "nobody", **json.loads(claims)})
    except (ValueError, TypeError):
        return misuse("keys oidc: --claims takes a JSON object, as a token holds it")
    rights = {
        "id": found.key.id,
        "name": found.name,
        "tenants": found.key.tenants,
        "scopes": sorted(found.key.scopes),
    }
    say(json.dumps({**rights, "left_out": found.left_out}) if as_json else _told(rights))
    for rule in found.left_out:
        note(f"rule {rule} matches and is left out: with the others it would give more than any rule says")
    return 0 if found.key.scopes else 1


def _told(rights: dict[str, Any]) -> str:
    lines = {what: each if isinstance(each, str) else " ".join(each) for what, each in rights.items()}
    return "\n".join(f"{what:8} {plain(each) or '-'}" for what, each in lines.items())


def _rule(document: RuleDocument) -> Rule:
    return Rule(
        document.claim,
        document.equals,
        document.has,
        tuple(document.scopes),
        tuple(normalize("NFC", tenant) for tenant in document.tenants),
        document.tenants_from,
        document.owner_from,
    )


def _problems(document: OidcDocument) -> Iterator[tuple[Location, str]]:
    """What no single field shows: rights that cannot be, or that a token does not carry."""
    for number, rule in enumerate(document.rights):
        place: Location = ("rights", number)
        for index, scope in enumerate(rule.scopes):
            if scope in SCOPES - GRANTABLE:
                yield (
                    (*place, "scopes", index),
                    f"scope '{scope}' is for keys of the file alone; a token may have: "
                    f"{', '.join(sorted(GRANTABLE))}, owner:NAME",
                )
        if rule.owner_from is not None and not rule.scopes:
            if rule.tenants or rule.tenants_from:
                yield place, "a rule with tenants needs scopes for them"
            continue
        # The tenants that a claim names are names, whichever they are.
        named = [*rule.tenants, *(["acme"] if rule.tenants_from else [])]
        for finding in unfit(named, rule.scopes, ()):
            yield place, finding.replace("a key", "a rule")
        if named and rule.scopes and all(each.startswith(f"{OWNER}:") for each in rule.scopes):
            yield place, "owner:NAME goes by no tenant; leave the tenants out, or give a scope for them"
