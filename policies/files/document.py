"""The shape of a policy file: which settings there are, and what each may hold.

What one setting demands of another is in `checks`, where an error can name the setting that it is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from switchgear.cache.model import Mode
from switchgear.money import Money
from switchgear.tier import Tier

from ..calendars import WEEKDAYS, Cut, Periods
from ..model import Holds, Overrun, Runaway, Step
from .fields import (
    Amount,
    Audits,
    Bound,
    Confidence,
    Count,
    Currency,
    Dimensions,
    Limit,
    Name,
    PositiveAmount,
    Reason,
    Share,
    Tiers,
    Weekday,
    Weight,
    Whole,
)
from .times import Clock, Instant, Month, Seconds, WindowLength, YearDay, Zone

__all__ = [
    "CacheDocument",
    "CalendarDocument",
    "CeilingDocument",
    "OverrideDocument",
    "OverrideScopeDocument",
    "PolicyDocument",
    "ScopeDocument",
    "WorkloadDocument",
]


class _Strict(BaseModel):
    # What stands below a field is shown by editors beside it.
    model_config = ConfigDict(
        extra="forbid", arbitrary_types_allowed=True, populate_by_name=True, use_attribute_docstrings=True
    )


class DegradeDocument(_Strict):
    """A cheaper model that may stand in for another, for requests that need no more than it supports."""

    from_model: Name = Field(alias="from", examples=["gpt-4o"])
    to_model: Name = Field(alias="to", examples=["gpt-4o-mini"])
    supports: list[Literal["tools", "schema", "thinking"]] = []
    min_output_tokens: Count = 0


class ScheduleDocument(_Strict):
    """When work of this kind begins every day, and what all of it will cost: a projection sees it coming."""

    at: Clock = Field(examples=["02:00"])
    zone: Zone = Field(examples=["Europe/Berlin"])
    days: list[Weekday] = Field(default=list(WEEKDAYS), min_length=1)
    expect: PositiveAmount = Field(examples=["40 USD"])


class WorkloadDocument(_Strict):
    """A named agent: who answers for it, who pays, how urgent it is."""

    owner: Name | None = None
    cost_centre: Name | None = None
    tier: Tier = Tier.BATCH
    degrade: list[DegradeDocument] = []
    runaway: Runaway = Runaway.WARN
    """What becomes of a task that has run away: one agent that does not stop, or ever more agents."""
    schedules: list[ScheduleDocument] = []


class TenantDocument(_Strict):
    """For whom work runs. The weight is its part of shared capacity beside the others' in the same tier."""

    weight: Weight = 1.0
    workloads: dict[Name, WorkloadDocument] = {}


class PlanDocument(_Strict):
    """What a cost centre means to spend in a month."""

    cost_centre: Name = Field(examples=["CC-410"])
    month: Month = Field(examples=["2026-11"])
    amount: Amount = Field(examples=["1200 USD"])


class CapacityDocument(_Strict):
    """The limits of a provider, or of one model or account of it; shared by every tenant."""

    provider: Name = Field(examples=["openai"])
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

    at: Share = Field(examples=["80%"])
    do: Step = Field(examples=["warn"])
    tiers: Tiers | None = None


class CalendarDocument(_Strict):
    """A window that begins anew with each day, week, month or fiscal period of a time zone."""

    calendar: Cut = Field(examples=["month"])
    zone: Zone = Field(examples=["Europe/Berlin"])
    day_begins: Clock | None = None
    """When a day, and with it every period, begins; midnight unless said."""
    week_starts: Weekday | None = None
    """On which day weeks begin; Monday unless said."""
    year_starts: YearDay | None = None
    """Month and day on which a fiscal year starts; a year of weeks on the weekday that is nearest to it."""
    periods: Periods | None = None
    """Into what a fiscal year is cut. 4-4-5 is 13 weeks a quarter; the last period takes a 53rd week."""


def _kind_of_window(value: Any) -> str:
    return "[calendar]" if isinstance(value, Mapping | CalendarDocument) else "[length]"


Window = Annotated[
    Annotated[WindowLength, Tag("[length]")] | Annotated[CalendarDocument, Tag("[calendar]")],
    Discriminator(_kind_of_window),
]


class CeilingDocument(_Strict):
    """What a scope may spend: in a rolling window, in each period of a calendar, or in each task's life."""

    name: Name = Field(examples=["acme-hour"])
    scope: ScopeDocument = ScopeDocument()
    """Whose calls count; everybody's unless said."""
    per: Dimensions = Field(default=(), json_schema_extra={"default": []})
    """Each distinct value has a limit of its own. With task and no window it is over each task tree's life."""
    limit: Limit = Field(examples=["40 USD", "2M tokens"])
    """What may be spent: money in the file's currency, or tokens."""
    window: Window | None = None
    """A length that is always the last such time (1h), or a calendar's periods."""
    carry_over: Share | None = None
    """How much of a calendar's limit may be taken along, unspent, into the next period."""
    holds: Holds = Holds.LEARNED
    """What a call in flight holds: what such calls have cost, with a margin; or the most that it can cost."""
    overrun: Overrun = Overrun.EXTEND
    """How a streamed answer that outgrows its hold ends where no more room is left: it runs on, or is cut short."""
    wrap_up: Share | None = None
    """From which share of a task's limit on its agent is told to answer with what it has; 85% unless said."""
    ladder: list[RungDocument] = []
    """The soft steps on the way to the limit. Without one, only the limit itself acts."""
    cooldown: Seconds = Field(default=10.0, json_schema_extra={"default": "10s"})
    """How long a breaker stays open before it lets a probe through."""
    shadow: bool = False
    """Decide and record, and do not act."""
    fail: Literal["open", "closed"] = "open"
    """What agents do where they know no decision that is fresh enough."""


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

    ceiling: Name = Field(examples=["acme-hour"])
    scope: OverrideScopeDocument = OverrideScopeDocument()
    limit: Limit = Field(examples=["80 USD"])
    until: Instant = Field(examples=["2026-12-01T18:00:00Z"])
    """When it ends by itself: date, time and offset (RFC 3339)."""
    author: Name = Field(examples=["kim"])
    reason: Reason = Field(examples=["launch week"])


class CacheDocument(_Strict):
    """On which terms answers that were given before are served again: for a workload, a tenant, both, or everybody.

    One entry holds for a call: that of its tenant and workload, else its tenant's, else its workload's, else the one
    for everybody. Agents whose code asks for more get what the entry allows.
    """

    tenant: Name | None = None
    """Whose calls; everybody's unless said."""
    workload: Name | None = None
    """Of which agent; every one's unless said."""
    mode: Mode = Field(examples=["shadow"])
    """off; shadow: measure and serve nothing; exact: serve the very same request; on: one of the same meaning, too."""
    bound: Bound = Field(default=Decimal("0.02"), json_schema_extra={"default": "2%"})
    """How many of the answers that are served for their meaning may be wrong."""
    confidence: Confidence = Field(default=Decimal("0.9"), json_schema_extra={"default": "90%"})
    """How sure that has to be before any is served."""
    keep: Seconds = Field(default=86400.0, json_schema_extra={"default": "1d"})
    """How long an answer is served."""
    audits: Audits = Field(default=Decimal("0.05"), json_schema_extra={"default": "5%"})
    """Which part of what could be served is asked all the same, to know how often it would have been wrong."""
    allow: list[Literal["tools", "temperature", "volatile"]] = []
    """Requests that are left alone unless named here, and in code too."""
    share_with: list[Name] = []
    """Tenants to share answers with; only where each of them has an entry that names the same tenants."""
    tags: list[Name] = []
    """Put on each answer kept, to be forgotten by."""


class TiersDocument(_Strict):
    """What each tier weighs where capacity is short."""

    interactive: Weight | None = None
    batch: Weight | None = None
    background: Weight | None = None


class PolicyDocument(_Strict):
    """A policy file of switchgear: who works here, what they may spend, and what happens on the way to a ceiling."""

    version: Literal[1] = Field(examples=[1])
    currency: Currency = "USD"
    """Of every amount of money in the file."""
    unpriced_rate: PositiveAmount = Field(
        default_factory=lambda: Money(Decimal(60), "USD"), json_schema_extra={"default": "60 USD"}
    )
    """Per million tokens: what a call of unknown price is worth to a ceiling."""
    tenants: dict[Name, TenantDocument] = {}
    plans: list[PlanDocument] = []
    tiers: TiersDocument = TiersDocument()
    capacity: list[CapacityDocument] = []
    ceilings: list[CeilingDocument] = []
    overrides: list[OverrideDocument] = []
    cache: list[CacheDocument] = []
