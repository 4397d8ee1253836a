"""A checked document as the frozen values that the engine works with."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from switchgear.cache.model import Terms

from ..caching.rules import CacheRule
from ..calendars import WEEKDAYS, Calendar, Periods
from ..model import (
    TIER_WEIGHTS,
    WRAP_UP_AT,
    Capacity,
    Ceiling,
    Degrade,
    Dimension,
    Override,
    Plan,
    PolicySet,
    Rolling,
    Rung,
    Scope,
    Tenant,
    Unit,
    Workload,
)
from ..schedules import Schedule
from .document import (
    CacheDocument,
    CalendarDocument,
    CeilingDocument,
    OverrideDocument,
    PolicyDocument,
    WorkloadDocument,
)
from .fields import Tokens

__all__ = ["policy_set"]


def policy_set(document: PolicyDocument, version: str) -> PolicySet:
    """What `document` says; `version` names its text."""
    weights = document.tiers.model_dump(exclude_none=True)
    return PolicySet(
        version=version,
        currency=document.currency,
        unpriced_rate=document.unpriced_rate.amount,
        tenants=tuple(
            Tenant(name, body.weight, tuple(_workload(*item) for item in body.workloads.items()))
            for name, body in document.tenants.items()
        ),
        ceilings=tuple(_ceiling(body) for body in document.ceilings),
        capacity=tuple(
            Capacity(c.provider, c.requests_per_minute, c.tokens_per_minute, c.model, c.account)
            for c in document.capacity
        ),
        plans=tuple(Plan(p.cost_centre, p.month, p.amount.amount) for p in document.plans),
        overrides=tuple(_override(body) for body in document.overrides),
        cache=tuple(_cache(body) for body in document.cache),
        tier_weights={tier: weights.get(tier.value, usual) for tier, usual in TIER_WEIGHTS.items()},
    )


def _workload(name: str, body: WorkloadDocument) -> Workload:
    degrade = tuple(
        Degrade(d.from_model, d.to_model, frozenset(d.supports), d.min_output_tokens) for d in body.degrade
    )
    schedules = tuple(
        Schedule(s.at, s.zone, s.expect.amount, frozenset(map(WEEKDAYS.index, s.days)))
        for s in body.schedules
    )
    return Workload(name, body.owner, body.cost_centre, body.tier, degrade, body.runaway, schedules)


def _ceiling(body: CeilingDocument) -> Ceiling:
    scope = body.scope
    return Ceiling(
        name=body.name,
        scope=Scope(scope.tenant, scope.workload, scope.tier, scope.owner, scope.model, scope.provider),
        limit=_amount(body),
        window=_calendar(body.window) if isinstance(body.window, CalendarDocument) else _rolling(body.window),
        per=body.per,
        unit=Unit.TOKENS if isinstance(body.limit, Tokens) else Unit.MONEY,
        holds=body.holds,
        carry_over=body.carry_over or Decimal(0),
        ladder=tuple(Rung(rung.at, rung.do, rung.tiers) for rung in body.ladder),
        cooldown_s=body.cooldown,
        shadow=body.shadow,
        fail=body.fail,
        overrun=body.overrun,
        wrap_up_at=(body.wrap_up or WRAP_UP_AT) if body.window is None else None,
    )


def _amount(body: CeilingDocument | OverrideDocument) -> Decimal:
    return Decimal(body.limit.count) if isinstance(body.limit, Tokens) else body.limit.amount


def _rolling(length_s: float | None) -> Rolling | None:
    return None if length_s is None else Rolling(length_s)


def _calendar(body: CalendarDocument) -> Calendar:
    usual = Calendar(body.calendar, body.zone)
    return Calendar(
        body.calendar,
        body.zone,
        body.day_begins or usual.day_begins,
        usual.week_starts if body.week_starts is None else WEEKDAYS.index(body.week_starts),
        body.year_starts or usual.year_starts,
        body.periods or Periods.MONTHS,
    )


def _override(body: OverrideDocument) -> Override:
    scope = body.scope.model_dump(exclude_none=True)
    return Override(
        ceiling=body.ceiling,
        limit=_amount(body),
        until=body.until.timestamp(),
        author=body.author,
        reason=body.reason,
        scope=tuple((Dimension(name), str(value)) for name, value in scope.items()),
    )


def _cache(body: CacheDocument) -> CacheRule:
    terms = Terms(
        body.mode,
        body.bound,
        body.confidence,
        timedelta(seconds=body.keep),
        body.audits,
        frozenset(body.allow),
        tuple(body.tags),
    )
    return CacheRule(terms, body.tenant, body.workload, frozenset(body.share_with))
