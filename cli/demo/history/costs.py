"""Costs: what the calls of a tally cost by the price book, kind by kind of token. Pure but for the book's files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache

from analytics.prices import PriceBook
from switchgear.usage import Usage

from .tally import Line

__all__ = ["KINDS", "NOTHING", "Cost", "Pricing", "costs", "total"]

KINDS = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output")
"""What is charged; reasoning is output, and charged as such."""
NOTHING = Decimal(0)
_MILLION = 1_000_000

Rates = Mapping[str, Decimal]
"""For a million tokens of each kind."""


@dataclass(frozen=True, slots=True)
class Cost:
    """A line of the tally with its rates; None where the book has none."""

    line: Line
    rates: Rates | None

    @property
    def booked(self) -> Decimal | None:
        """What the calls cost that said their usage, which is what is booked of them; None without a price."""
        return None if self.rates is None else _charged(self.rates, self.line.told)

    @property
    def untold(self) -> Decimal:
        """What the others cost, which only the provider knows; 0 without a price."""
        return NOTHING if self.rates is None else _charged(self.rates, self.line.hidden)


class Pricing:
    """Rates by the price book: the one that the collector books by."""

    def __init__(self, book: PriceBook) -> None:
        self.version = book.version
        self.rates: Callable[[str, str, str | None, datetime], Rates | None] = cache(self._rates)
        self._book = book

    def _rates(self, provider: str, model: str, service_tier: str | None, day: datetime) -> Rates | None:
        """On that day; no model of a history has rates that depend on the hour or on how much is asked."""
        once = Usage(1, 1, 1, 1, 1)
        quote = self._book.quote(provider, model, once, day, service_tier)
        return {line.kind: line.rate_per_million for line in quote.lines} if quote.cost is not None else None


def costs(lines: Iterator[Line], pricing: Pricing) -> Iterator[Cost]:
    """Each line with its rates."""
    for line in lines:
        model = line.model
        yield Cost(line, pricing.rates(model.provider, model.answers, line.service_tier, line.day))


def total(amounts: Iterator[Decimal | None]) -> Decimal:
    """The sum of those that are known."""
    return sum((amount for amount in amounts if amount is not None), NOTHING)


def _charged(rates: Rates, tokens: tuple[int, ...]) -> Decimal:
    return sum((rates[kind] * count / _MILLION for kind, count in zip(KINDS, tokens, strict=False)), NOTHING)
