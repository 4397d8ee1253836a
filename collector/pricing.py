"""Pricing: what the collector needs of a price book; an implementation is passed in by the wiring."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from switchgear.usage import Usage

__all__ = ["Line", "PriceCall", "Quote"]


@dataclass(frozen=True, slots=True)
class Line:
    """One product of a quote: `quantity` tokens, or other units, at `rate_per_million` of them make `amount`."""

    kind: str
    """What it prices: a count of `Usage` such as "cache_read", what is billed apart, or "request"."""
    quantity: int
    rate_per_million: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Quote:
    """What a usage costs at a date, or None where no price is known; the lines sum to `cost` exactly."""

    cost: Decimal | None
    currency: str | None
    version: str
    """The price book that was asked, such as "genai-prices 0.2.3"."""
    lines: tuple[Line, ...] = ()
    near: tuple[str, ...] = ()
    """Where unpriced, and asked for: names of priced models close to this one, best first."""
    list_cost: Decimal | None = None
    """Where a contract priced it: what it costs by list price, in the same currency."""
    contract: str | None = None
    """The version of that contract."""


class PriceCall(Protocol):
    """Price `usage` of a model as of `at`. Provider and model are as the span names them.

    `service_tier` is "batch", "flex", "priority" or what else a book has rates for; None is the standard one. `tenant`
    is whose call it is: a contract may be for some tenants only, a list price is the same for all.
    """

    def __call__(
        self,
        provider: str | None,
        model: str | None,
        usage: Usage,
        at: datetime,
        service_tier: str | None = None,
        tenant: str | None = None,
    ) -> Quote: ...
