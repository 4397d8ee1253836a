"""The shape of a policy file: which settings there are, and what each may hold.

What one setting demands of another is in `checks`, where an error can name the setting that it is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from switchgear.money import Money
from switchgear.tier import Tier

from ..calendars import Cut, Periods
from ..model import Holds, Step
from .fields import (
    Amount,
    Clock,
    Dimensions,
    Instant,
    Limit,
    Name,
    PositiveAmount,
    Seconds,
    Share,
    Tiers,
    Weekday,
    Weight,
    Whole,
    WindowLength,
    YearDay,
    Zone,
)

__all__ = [
    "CalendarDocument",
    "CeilingDocument",
    "OverrideDocument",
    "PolicyDocument",
    "ScopeDocument",
    "WorkloadDocument",
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, populate_by_name=True)


class DegradeDocument(_Strict):
    """A cheaper model that may stand in for another, for requests that need no more than it supports."""

    from_model: Name = Field(alias="from")
    to_model: Name = Field(alias="to")
    supports: list[Literal["tools", "schema", "thinking"]] = []
    min_output_tokens: int = Field(default=0, ge=0)


class WorkloadDocument(_Strict):
    """A named agent: who answers for it, who pays, how urgent it is."""

    owner: Name | None = None
    cost_centre: Name | None = None
    tier: Tier = Tier.BATCH
    degrade: list[DegradeDocument] = []


class TenantDocument(_Strict):
    """For whom work runs. The weight is its part of shared capacity beside the others' in the same tier."""

    weight: Weight = 1.0
    workloads: dict[Name, WorkloadDocument] = {}


class PlanDocument(_Strict):
    """What a cost centre means to spend in a month."""

    cost_centre: Name
    month: str = Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")
    amount: Amount


class CapacityDocument(_Strict):
    """The limits of a provider, or of one model or account of it; shared by every tenant."""

    provider: Name
    model: Name | None = None
    account: Name | None = None
    requests_per_minute: Whole | None = None
    tokens_per_minute: Whole | None = None


class ScopeDocument(_Strict):
    """Whose calls count: those that fit everything named here."""

    tenant: Name | None = None
    workload: Name | None = None
    tier: Tier | None = None
    owner: Name | None = None
    model: Name | None = None
    provider: Name | None = None


class RungDocument(_Strict):
    """From this share of the limit on (compared with the projection), do this; to these tiers alone, where named."""

    at: Share
    do: Step
    tiers: Tiers | None = None


class CalendarDocument(_Strict):
    """A window that begins anew with each day, week, month or fiscal period of a time zone."""

    calendar: Cut
    zone: Zone
    day_begins: Clock | None = None
    week_starts: Weekday | None = None
    year_starts: YearDay | None = None
    periods: Periods | None = None


def _kind_of_window(value: Any) -> str:
    return "[calendar]" if isinstance(value, Mapping | CalendarDocument) else "[length]"


Window = Annotated[
    Annotated[WindowLength, Tag("[length]")] | Annotated[CalendarDocument, Tag("[calendar]")],
    Discriminator(_kind_of_window),
]


class CeilingDocument(_Strict):
    """What a scope may spend: in a rolling window, in each period of a calendar, or in each task's life."""

    name: Name
    scope: ScopeDocument = ScopeDocument()
    per: Dimensions = ()
    limit: Limit
    window: Window | None = None
    carry_over: Share | None = None
    holds: Holds = Holds.LEARNED
    wrap_up: Share | None = None
    ladder: list[RungDocument] = []
    cooldown: Seconds = 10.0
    shadow: bool = False
    fail: Literal["open", "closed"] = "open"


class OverrideScopeDocument(_Strict):
    """The one value of each dimension of the ceiling's `per` that the override is for."""

    tenant: Name | None = None
    workload: Name | None = None
    task: Name | None = None
    tier: Tier | None = None
    owner: Name | None = None
    model: Name | None = None
    provider: Name | None = None


class OverrideDocument(_Strict):
    """For a time another limit in place of a ceiling's own: who wanted it and why is kept with it."""

    ceiling: Name
    scope: OverrideScopeDocument = OverrideScopeDocument()
    limit: Limit
    until: Instant
    author: Name
    reason: Name


class TiersDocument(_Strict):
    """What each tier weighs where capacity is short."""

    interactive: Weight | None = None
    batch: Weight | None = None
    background: Weight | None = None


class PolicyDocument(_Strict):
    """A policy file of switchgear: who works here, what they may spend, and what happens on the way to a ceiling."""

    version: Literal[1]
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")
    unpriced_rate: PositiveAmount = Money(Decimal(60), "USD")
    tenants: dict[Name, TenantDocument] = {}
    plans: list[PlanDocument] = []
    tiers: TiersDocument = TiersDocument()
    capacity: list[CapacityDocument] = []
    ceilings: list[CeilingDocument] = []
    overrides: list[OverrideDocument] = []
