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
    """One product of a quote: `quantity` tokens at `rate_per_million` make `amount`."""

    kind: str
    """The count of `Usage` that it prices, such as "cache_read"."""
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


class PriceCall(Protocol):
    """Price `usage` of a model as of `at`. Provider and model are as the span names them."""

    def __call__(self, provider: str | None, model: str | None, usage: Usage, at: datetime) -> Quote: ...
