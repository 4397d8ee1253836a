"""What the fake provider bills: its own rates, written by hand, independent of our price book.

The demo compares the two, so nothing here may come from `analytics` or from the price library.
List prices in USD per million tokens, as the two providers published them on 2026-11-01.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from decimal import Decimal

from switchgear.usage import Usage

__all__ = ["RATES", "Rates", "bill", "marked_up"]

_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Rates:
    """USD per million tokens of each kind. A kind that the provider does not sell for a model costs 0."""

    input: Decimal
    cache_read: Decimal
    output: Decimal
    cache_write_5m: Decimal = Decimal(0)
    cache_write_1h: Decimal = Decimal(0)


RATES: Mapping[str, Rates] = {
    # OpenAI: writing to its prompt cache is free of charge, so there is no write rate.
    "gpt-4o": Rates(input=Decimal("2.50"), cache_read=Decimal("1.25"), output=Decimal("10.00")),
    "gpt-4o-mini": Rates(input=Decimal("0.15"), cache_read=Decimal("0.075"), output=Decimal("0.60")),
    "gpt-4.1": Rates(input=Decimal("2.00"), cache_read=Decimal("0.50"), output=Decimal("8.00")),
    "gpt-4.1-mini": Rates(input=Decimal("0.40"), cache_read=Decimal("0.10"), output=Decimal("1.60")),
    # Anthropic: a write costs 1.25 x the input for five minutes and 2 x for an hour.
    "claude-haiku-4-5": Rates(
        input=Decimal("1.00"),
        cache_read=Decimal("0.10"),
        output=Decimal("5.00"),
        cache_write_5m=Decimal("1.25"),
        cache_write_1h=Decimal("2.00"),
    ),
}


def bill(model: str, usage: Usage, rates: Mapping[str, Rates] = RATES) -> Decimal:
    """What one call costs, exactly, in USD. `gpt-4o` with 1,000 input and 100 output tokens: 0.0035.

    Raises KeyError for a model that the provider does not sell.
    """
    rate = rates[model]
    return (
        usage.input_uncached * rate.input
        + usage.cache_read * rate.cache_read
        + usage.cache_write_5m * rate.cache_write_5m
        + usage.cache_write_1h * rate.cache_write_1h
        + usage.output * rate.output
    ) / _MILLION


def marked_up(rates: Mapping[str, Rates], factor: Decimal) -> Mapping[str, Rates]:
    """The same models, every rate times `factor`."""
    return {model: Rates(*(each * factor for each in astuple(rate))) for model, rate in rates.items()}
