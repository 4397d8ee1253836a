"""On which terms a scope's answers are served again, and with whom they are shared: what a policy file says of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from switchgear.cache.model import Terms
from switchgear.cache.terms import document_of

__all__ = ["CacheRule", "CacheRules", "Caching", "suffix_of"]

# Scopes are named by whoever asks, in any number.
_MOST_REMEMBERED = 50_000


@dataclass(frozen=True, slots=True)
class CacheRule:
    """One entry: its terms, and for whom; None is for any. `share_with` are tenants, its own left out or not."""

    terms: Terms
    tenant: str | None = None
    workload: str | None = None
    share_with: frozenset[str] = frozenset()


class Caching(NamedTuple):
    """What holds for a scope: its rule, the group that it shares answers with, and both as a decision tells them."""

    rule: CacheRule
    group: str | None
    document: Mapping[str, Any]
    mark: str
    """Differs where the document does."""


class CacheRules:
    """The rules of one policy set. What was found is remembered, as scopes ask again and again."""

    def __init__(self, rules: Sequence[CacheRule]) -> None:
        self._rules = {(rule.tenant, rule.workload): rule for rule in rules}
        self._found: dict[tuple[str, str], Caching | None] = {}

    def of(self, tenant: str, workload: str) -> Caching | None:
        """What holds for a scope; None where the policies say nothing of it."""
        if not self._rules:
            return None
        scope = (tenant, workload)
        try:
            return self._found[scope]
        except KeyError:
            pass
        if len(self._found) >= _MOST_REMEMBERED:
            self._found.clear()
        found = self._found[scope] = self._look(tenant, workload)
        return found

    def rule(self, tenant: str, workload: str) -> CacheRule | None:
        """The one entry that holds: a tenant's own stands before one for every tenant."""
        for scope in ((tenant, workload), (tenant, None), (None, workload), (None, None)):
            if (found := self._rules.get(scope)) is not None:
                return found
        return None

    def refusing(self, tenant: str, workload: str) -> list[str]:
        """Those of the tenants it would share with whose own entry does not name the same tenants, sorted."""
        members = _members(self.rule(tenant, workload))
        return sorted(each for each in members if _members(self.rule(each, workload)) != members)

    def _look(self, tenant: str, workload: str) -> Caching | None:
        rule = self.rule(tenant, workload)
        if rule is None:
            return None
        members = _members(rule)
        shares = bool(members) and not self.refusing(tenant, workload)
        # A name that no other set of tenants has.
        group = json.dumps(sorted(members), ensure_ascii=False) if shares else None
        document = document_of(rule.terms, group)
        return Caching(rule, group, document, _digest(json.dumps(document, sort_keys=True)))


def suffix_of(found: Sequence[Caching | None]) -> str:
    """What an ETag of decisions for these scopes ends with, so that it changes where their terms do."""
    if not any(found):
        return ""
    return "." + _digest("\n".join("" if each is None else each.mark for each in found))


def _members(rule: CacheRule | None) -> frozenset[str]:
    """All who share by a tenant's own entry, itself included. One for every tenant is nobody's own word."""
    if rule is None or rule.tenant is None or not rule.share_with:
        return frozenset()
    return rule.share_with | {rule.tenant}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
