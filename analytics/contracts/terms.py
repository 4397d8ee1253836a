"""Terms: what a contract with a provider says, as frozen values. The YAML they come from is read in `files`.

Money is Decimal in the contract's currency, shares are Decimal (0.15 is 15 %), instants are UTC, ends exclusive.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from enum import StrEnum

from .matching import matches

__all__ = [
    "Band",
    "Basis",
    "Burst",
    "Contract",
    "Discount",
    "Measure",
    "Method",
    "Overflow",
    "Provisioned",
    "Span",
    "VolumeTiers",
    "Weights",
]


class Measure(StrEnum):
    """What a burst is measured by."""

    MINUTE = "minute"
    P95 = "p95"


class Overflow(StrEnum):
    """What becomes of tokens above what provisioned units carry."""

    ON_DEMAND = "on_demand"
    REFUSED = "refused"


class Basis(StrEnum):
    """What a month's volume is counted in."""

    TOKENS = "tokens"
    LIST_COST = "list_cost"


class Method(StrEnum):
    """Graduated: each part of the volume has its own band's discount. Cliff: all of it has the highest reached."""

    GRADUATED = "graduated"
    CLIFF = "cliff"


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` until `end`, which is not in it; without an end, for ever."""

    start: datetime
    end: datetime | None = None

    def holds(self, at: datetime) -> bool:
        return self.start <= at and (self.end is None or at < self.end)

    def within(self, start: datetime, end: datetime) -> tuple[datetime, datetime] | None:
        """The part of [start, end) that lies in the span; None where there is none."""
        first, last = max(start, self.start), end if self.end is None else min(end, self.end)
        return (first, last) if first < last else None


@dataclass(frozen=True, slots=True)
class Weights:
    """What a token of each count is worth in tokens per minute.

    By default all count once, except for cache reads, which do not count: so it is with Azure's provisioned
    units ("cached tokens are deducted 100% from the utilization") and Anthropic's input tokens per minute.
    Where output counts more, the contract says so: with Azure a gpt-4.1 output token is worth four of input.
    """

    input_uncached: Decimal = Decimal(1)
    cache_read: Decimal = Decimal(0)
    cache_write_5m: Decimal = Decimal(1)
    cache_write_1h: Decimal = Decimal(1)
    output: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Band:
    """From `start` on, up to the next band's start."""

    start: Decimal
    rate: Decimal
    """A volume tier's discount (0.05 is 5 % off), or what a burst costs on top (0.5 is 1.5 times the base)."""


@dataclass(frozen=True, slots=True)
class Discount:
    """So much off the list price of some models while `span` lasts."""

    models: tuple[str, ...]
    share: Decimal
    span: Span


@dataclass(frozen=True, slots=True)
class VolumeTiers:
    """So much off the month's on-demand cost of some models, by their volume in the month."""

    models: tuple[str, ...]
    by: Basis
    method: Method
    bands: tuple[Band, ...]
    """Ascending; the first starts at 0."""


@dataclass(frozen=True, slots=True)
class Provisioned:
    """Units that are paid by the hour, used or not, and carry so many tokens a minute of some models."""

    name: str
    models: tuple[str, ...]
    units: int
    hourly_price: Decimal
    """Of one unit."""
    tokens_per_minute: int
    """What one unit carries."""
    overflow: Overflow
    span: Span
    weights: Weights = Weights()


@dataclass(frozen=True, slots=True)
class Burst:
    """Tokens per minute above the committed cost more, in bands; the first band starts at what is committed."""

    name: str
    models: tuple[str, ...]
    measure: Measure
    bands: tuple[Band, ...]
    weights: Weights = Weights()


@dataclass(frozen=True, slots=True)
class Contract:
    """What was negotiated with one provider: for some tenants, or for all that no other contract names."""

    name: str
    version: str
    """By content: "openai-2026 1a2b3c4d" names what the file said."""
    provider: str
    """As the price book or a span names it."""
    tenants: tuple[str, ...]
    """Empty: for all."""
    currency: str
    zone: tzinfo
    """Whose months and days these are."""
    span: Span
    discounts: tuple[Discount, ...] = ()
    """The first that is for a model at a date is the one that counts."""
    volume_tiers: VolumeTiers | None = None
    provisioned: tuple[Provisioned, ...] = ()
    bursts: tuple[Burst, ...] = ()
    """No model is in two of these pools at a time; `files` sees to that."""
    monthly_commitment: Decimal | None = None

    def discount(self, model: str, at: datetime) -> Discount | None:
        """The discount that a call of `model` at `at` has."""
        for each in self.discounts:
            if each.span.holds(at) and matches(each.models, model):
                return each
        return None
