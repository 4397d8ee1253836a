"""Writing: a policy set as the document of a policy file, which reads back as the same set.

What is as it is without being said is left out, so that the document is as short as a file that a person writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import yaml

from collector.wire import decimal_text, rfc3339
from switchgear.cache.model import Terms

from ..caching.rules import CacheRule
from ..calendars import WEEKDAYS, Calendar, Cut, Periods
from ..model import (
    TIER_WEIGHTS,
    WRAP_UP_AT,
    Capacity,
    Ceiling,
    Degrade,
    Dimension,
    Holds,
    Override,
    Overrun,
    PolicySet,
    Rolling,
    Runaway,
    Rung,
    Tenant,
    Unit,
    Workload,
)
from ..schedules import Schedule

__all__ = ["as_document", "as_text"]

_COOLDOWN_S = 10.0
_USUAL_TERMS = Terms()
_UNITS = (("d", 86400), ("h", 3600), ("m", 60))

Document = dict[str, Any]


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Writes what files are read as, YAML 1.2: there 1e3 and 0o17 are numbers, so that such names go in quotes."""


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9][0-9_.]*[eE][-+]?[0-9]+$|0o[0-7_]+$"),
    list("-+0123456789"),
)


def as_document(policies: PolicySet) -> Document:
    """What a policy file says that has this set, in names, numbers and text alone."""
    currency = policies.currency
    whole = {
        "version": 1,
        "currency": currency,
        "unpriced_rate": _money(policies.unpriced_rate, currency),
        "tenants": {tenant.name: _tenant(tenant, currency) for tenant in policies.tenants},
        "plans": [
            {"cost_centre": plan.cost_centre, "month": plan.month, "amount": _money(plan.amount, currency)}
            for plan in policies.plans
        ],
        "tiers": {
            tier.value: _number(weight)
            for tier, weight in policies.tier_weights.items()
            if weight != TIER_WEIGHTS[tier]
        },
        "capacity": [_capacity(each) for each in policies.capacity],
        "ceilings": [_ceiling(each, currency) for each in policies.ceilings],
        "overrides": [_override(each, policies) for each in policies.overrides],
        "cache": [_cache(each) for each in policies.cache],
    }
    return _said(whole)


def as_text(document: Document) -> str:
    """The document as YAML."""
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return text


def _tenant(tenant: Tenant, currency: str) -> Document:
    workloads = {workload.name: _workload(workload, currency) for workload in tenant.workloads}
    return _said({"weight": None if tenant.weight == 1 else _number(tenant.weight), "workloads": workloads})


def _workload(workload: Workload, currency: str) -> Document:
    return _said(
        {
            "owner": workload.owner,
            "cost_centre": workload.cost_centre,
            "tier": workload.tier.value,
            "degrade": [_degrade(each) for each in workload.degrade],
            "runaway": None if workload.runaway is Runaway.WARN else workload.runaway.value,
            "schedules": [_schedule(each, currency) for each in workload.schedules],
        }
    )


def _degrade(degrade: Degrade) -> Document:
    return _said(
        {
            "from": degrade.from_model,
            "to": degrade.to_model,
            "supports": sorted(degrade.supports),
            "min_output_tokens": degrade.min_output_tokens or None,
        }
    )


def _schedule(schedule: Schedule, currency: str) -> Document:
    days = [WEEKDAYS[day] for day in sorted(schedule.days)]
    return _said(
        {
            "at": f"{schedule.at:%H:%M}",
            "zone": schedule.zone.key,
            "days": None if len(days) == len(WEEKDAYS) else days,
            "expect": _money(schedule.expect, currency),
        }
    )


def _capacity(capacity: Capacity) -> Document:
    return _said(
        {
            "provider": capacity.provider,
            "model": capacity.model,
            "account": capacity.account,
            "requests_per_minute": capacity.requests_per_minute,
            "tokens_per_minute": capacity.tokens_per_minute,
        }
    )


def _ceiling(ceiling: Ceiling, currency: str) -> Document:
    wrap_up = None if ceiling.wrap_up_at in (None, WRAP_UP_AT) else _share(ceiling.wrap_up_at)
    return _said(
        {
            "name": ceiling.name,
            "scope": ceiling.scope.to_wire(),
            "per": [dimension.value for dimension in ceiling.per],
            "limit": _amount(ceiling.limit, ceiling.unit, currency),
            "window": _window(ceiling),
            "carry_over": _share(ceiling.carry_over) if ceiling.carry_over else None,
            "holds": None if ceiling.holds is Holds.LEARNED else ceiling.holds.value,
            "overrun": None if ceiling.overrun is Overrun.EXTEND else ceiling.overrun.value,
            "wrap_up": wrap_up,
            "ladder": [_rung(each) for each in ceiling.ladder],
            "cooldown": None if ceiling.cooldown_s == _COOLDOWN_S else _length(ceiling.cooldown_s),
            "shadow": ceiling.shadow or None,
            "fail": None if ceiling.fail == "open" else ceiling.fail,
        }
    )


def _window(ceiling: Ceiling) -> str | Document | None:
    window = ceiling.window
    if isinstance(window, Rolling):
        return _length(window.length_s)
    return _calendar(window) if isinstance(window, Calendar) else None


def _calendar(calendar: Calendar) -> Document:
    usual = Calendar(calendar.cut, calendar.zone)
    month, day = calendar.year_starts
    fiscal = calendar.cut is Cut.FISCAL
    of_weeks = calendar.cut is Cut.WEEK or (fiscal and calendar.periods.of_weeks)
    starts = WEEKDAYS[calendar.week_starts] if calendar.week_starts != usual.week_starts else None
    return _said(
        {
            "calendar": calendar.cut.value,
            "zone": calendar.zone.key,
            "day_begins": None if calendar.day_begins == usual.day_begins else f"{calendar.day_begins:%H:%M}",
            "week_starts": starts if of_weeks else None,
            "year_starts": f"{month:02}-{day:02}" if fiscal else None,
            "periods": Periods(calendar.periods).value if fiscal else None,
        }
    )


def _rung(rung: Rung) -> Document:
    tiers = None if rung.tiers is None else sorted(tier.value for tier in rung.tiers)
    return _said({"at": _share(rung.at), "do": rung.step.value, "tiers": tiers})


def _override(override: Override, policies: PolicySet) -> Document:
    units = {ceiling.name: ceiling.unit for ceiling in policies.ceilings}
    return _said(
        {
            "ceiling": override.ceiling,
            "scope": _names(override.scope),
            "limit": _amount(override.limit, units[override.ceiling], policies.currency),
            "until": rfc3339(datetime.fromtimestamp(override.until, UTC)),
            "author": override.author,
            "reason": override.reason,
        }
    )


def _cache(rule: CacheRule) -> Document:
    terms, usual = rule.terms, _USUAL_TERMS
    return _said(
        {
            "tenant": rule.tenant,
            "workload": rule.workload,
            "mode": terms.mode.value,
            "bound": None if terms.bound == usual.bound else _share(terms.bound),
            "confidence": None if terms.confidence == usual.confidence else _share(terms.confidence),
            "keep": None if terms.keep == usual.keep else _length(terms.keep.total_seconds()),
            "audits": None if terms.audits == usual.audits else _share(terms.audits),
            "allow": sorted(terms.allow),
            "share_with": sorted(rule.share_with),
            "tags": list(terms.tags),
        }
    )


def _names(scope: Iterable[tuple[Dimension, str]]) -> dict[str, str]:
    return {dimension.value: value for dimension, value in scope}


def _said(document: Document) -> Document:
    """Without what says nothing."""
    return {name: value for name, value in document.items() if value not in (None, [], {}, ())}


def _amount(amount: Decimal, unit: Unit, currency: str) -> str:
    return f"{decimal_text(amount)} tokens" if unit is Unit.TOKENS else _money(amount, currency)


def _money(amount: Decimal, currency: str) -> str:
    return f"{decimal_text(amount)} {currency}"


def _share(share: Decimal) -> str:
    return f"{decimal_text(100 * share)}%"


def _number(weight: float) -> float | int:
    return int(weight) if weight == int(weight) else weight


def _length(seconds: float) -> str:
    for unit, size in _UNITS:
        if seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{decimal_text(Decimal(repr(seconds)))}s"
