"""What a policy file says of a scope's answers, in a sentence for people."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from collector.wire import decimal_text
from switchgear.cache.model import Mode, Terms

from ..model import PolicySet

__all__ = ["length", "percent", "told_of"]

_DOES = {
    Mode.OFF: "off: nothing is looked up or kept",
    Mode.SHADOW: "shadow: nothing is served, and what would have been wrong is measured",
    Mode.EXACT: "exact: answers to the very same request are served",
    Mode.ON: "on: answers to requests of the same meaning are served, too",
}


def told_of(policies: PolicySet, tenant: str, workload: str) -> str | None:
    """Which entry holds, what it allows and with whom answers are shared; None where no entry is for the scope."""
    caching = policies.caching.of(tenant, workload)
    if caching is None:
        return None
    rule, terms = caching.rule, caching.rule.terms
    parts = [f"cache[{policies.cache.index(rule)}] is {_DOES[terms.mode]}"]
    if terms.mode in (Mode.SHADOW, Mode.ON):
        parts.append(
            f"at most {percent(terms.bound)} wrong of what is served for its meaning, "
            f"{percent(terms.confidence)} sure, {percent(terms.audits)} asked all the same"
        )
    if terms.mode is not Mode.OFF:
        parts.append(_kept(terms))
    if rule.tenant is not None and rule.share_with:
        parts.append(_shared(policies, tenant, workload))
    return "; ".join(parts)


def percent(share: Decimal) -> str:
    """0.02 as "2 %"."""
    return f"{decimal_text(100 * share)} %"


def length(time: timedelta) -> str:
    """A length of time in the largest unit that divides it: "1d"."""
    seconds = time.total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s"


def _kept(terms: Terms) -> str:
    kept = f"kept {length(terms.keep)}"
    if terms.allow:
        kept += f", requests with {', '.join(sorted(terms.allow))} as well"
    return kept


def _shared(policies: PolicySet, tenant: str, workload: str) -> str:
    caching = policies.caching.of(tenant, workload)
    others = sorted((caching.rule.share_with if caching else frozenset()) - {tenant})
    refusing = [each for each in policies.caching.refusing(tenant, workload) if each != tenant]
    if not refusing:
        return f"shared with {', '.join(others)}"
    verb = "has no entry that names" if len(refusing) == 1 else "have no entry that names"
    return f"shared with nobody: {', '.join(refusing)} {verb} the same tenants"
