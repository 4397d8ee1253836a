"""Prices: what a usage costs by the published list prices, as of a date, exactly.

The rates are those of genai-prices, resolved once for each (provider, model, day). Rules for what a model has
no rate of its own for: a cache read is priced as input; a 5-minute cache write as input, too, where the model
has no write rate; a 1-hour write as a 5-minute one; reasoning as output. Input or output without any rate
makes the call unpriced, as does a model that the book does not know: unknown is never 0. A context tier
applies to every token of a call whose whole input is above its start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from difflib import get_close_matches
from enum import Enum
from functools import lru_cache
from importlib.metadata import version

from genai_prices.data_snapshot import find_provider_by_id, get_snapshot
from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices, TimeOfDateConstraint

from collector.pricing import Line, Quote
from switchgear.usage import Usage

__all__ = ["CURRENCY", "PriceBook"]

CURRENCY = "USD"
# What a stored cost can hold; a rate with more decimals is rounded here, so that lines and sum agree.
_SMALLEST = Decimal("0.000000000001")
_MILLION = 1_000_000
_NOTHING = Decimal(0)

# What spans call a provider, where the book does not find it by itself.
_ALIASES: Mapping[str, str] = {
    "azure.ai.openai": "azure",
    "az.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "az.ai.inference": "azure",
    "azure_openai": "azure",
    "aws.bedrock": "aws",
    "amazon-bedrock": "aws",
    "gcp.gemini": "google",
    "gcp.vertex_ai": "google",
    "gcp.gen_ai": "google",
    "x_ai": "x-ai",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
    "moonshot_ai": "moonshotai",
}
# Frameworks that name themselves where the provider belongs: they say nothing of who bills.
_NO_PROVIDER = frozenset({"", "langchain", "langgraph", "llamaindex", "litellm", "pydantic-ai", "unknown"})

# Each priced count: the names of its rate in the book, in order of preference.
_RATES: Mapping[str, tuple[str, ...]] = {
    "input_uncached": ("input_mtok",),
    "cache_read": ("cache_read_mtok", "input_mtok"),
    "cache_write_5m": ("cache_write_5m_mtok", "cache_write_mtok", "input_mtok"),
    "cache_write_1h": ("cache_write_1h_mtok", "cache_write_5m_mtok", "cache_write_mtok", "input_mtok"),
    "output": ("output_mtok",),
    "reasoning": ("output_reasoning_mtok",),
}
_CONTEXT = {
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
}


@dataclass(frozen=True, slots=True)
class _Amount:
    """A rate, and what it makes of one token: worked out once, since a call is priced in some microseconds."""

    per_million: Decimal
    per_token: Decimal
    is_exact: bool
    """Whether any number of tokens costs an amount that a stored cost can hold."""

    def line(self, kind: str, quantity: int) -> Line:
        amount = self.per_token * quantity
        return Line(kind, quantity, self.per_million, amount if self.is_exact else amount.quantize(_SMALLEST))


@dataclass(frozen=True, slots=True)
class _Rate:
    """USD per million tokens: `base`, or that of the highest step whose start the whole input is above."""

    base: _Amount
    steps: tuple[tuple[int, _Amount], ...] = ()

    def at(self, input_total: int) -> _Amount:
        if not self.steps:
            return self.base
        return next((amount for start, amount in reversed(self.steps) if input_total > start), self.base)


@dataclass(frozen=True, slots=True)
class _Rates:
    """The rates of one model on one day, by count, and what each request costs by itself."""

    by_count: Mapping[str, _Rate]
    request: _Amount | None


class _Missing(Enum):
    """Why there are no rates of a day."""

    UNKNOWN = "the book does not know the model"
    BY_MINUTE = "they change within the day"


_UNKNOWN = _Missing.UNKNOWN
_BY_MINUTE = _Missing.BY_MINUTE


class PriceBook:
    """The list prices. `PriceBook().quote` is what the collector takes as its price function.

    Memory is bounded: whatever model names arrive, only the most recent few thousand are remembered.
    """

    def __init__(self) -> None:
        self._providers: list[Provider] = get_snapshot().providers
        self.version = f"genai-prices {version('genai-prices')}"
        self._model = lru_cache(maxsize=4096)(self._find)
        self._rates = lru_cache(maxsize=8192)(self._resolve)
        self._day = lru_cache(maxsize=8192)(self._of_day)
        self._near = lru_cache(maxsize=1024)(self._similar)

    def quote(
        self,
        provider: str | None,
        model: str | None,
        usage: Usage,
        at: datetime,
        service_tier: str | None = None,
        *,
        suggest: bool = False,
    ) -> Quote:
        """What `usage` of `model` costs at `at`, line by line; unpriced (cost None) where that is not known.

        `suggest` looks for near names of an unknown model: for a person, too slow for every call that is booked.

        1,000 uncached input tokens at 2.50 and 500 output tokens at 10.00 a million: 0.0025 + 0.005 = 0.0075.
        """
        instant = at if at.tzinfo is UTC else at.astimezone(UTC)
        rates = self._day(provider, model, instant.date(), service_tier)
        if rates is _BY_MINUTE:
            rates = self._of_minute(provider, model, instant, service_tier)
        lines = _lines(rates, usage) if isinstance(rates, _Rates) else None
        if lines is None:
            near = self._near(*_names(provider, model)) if suggest and rates is _UNKNOWN else ()
            return Quote(None, None, self.version, near=near)
        return Quote(sum((line.amount for line in lines), _NOTHING), CURRENCY, self.version, lines)

    def _of_day(
        self, provider: str | None, model: str | None, day: date, service_tier: str | None
    ) -> _Rates | _Missing | None:
        """The rates of that day; None where the book has none, or says why they are not of a day."""
        found = self._model(*_names(provider, model))
        if found is None:
            return _UNKNOWN
        if _changes_within_a_day(self._info(found)):
            return _BY_MINUTE
        return self._rates(found, datetime(day.year, day.month, day.day, tzinfo=UTC), service_tier)

    def _of_minute(
        self, provider: str | None, model: str | None, at: datetime, service_tier: str | None
    ) -> _Rates | None:
        found = self._model(*_names(provider, model))
        return (
            None if found is None else self._rates(found, at.replace(second=0, microsecond=0), service_tier)
        )

    def _info(self, found: tuple[int, int]) -> ModelInfo:
        provider, model = found
        return self._providers[provider].models[model]

    def _find(self, provider: str | None, model: str) -> tuple[int, int] | None:
        """Where the model stands in the book, as (provider, model); None where it does not."""
        if not model:
            return None
        chosen = (
            _by_model(self._providers, model) if provider is None else _by_name(self._providers, provider)
        )
        if chosen is None:
            return None
        info = chosen.find_model(model, all_providers=self._providers)
        if info is None:
            return None
        # A model may come from a provider that the chosen one falls back to.
        return next(
            (place, each.models.index(info))
            for place, each in enumerate(self._providers)
            if any(info is known for known in each.models)
        )

    def _resolve(self, found: tuple[int, int], moment: datetime, service_tier: str | None) -> _Rates | None:
        info = self._info(found)
        standard = info.get_prices(moment)
        if service_tier is None:
            return _rates_of(standard)
        context = _CONTEXT.get(service_tier, {"service_tier": service_tier})
        special = info.get_prices(moment, context)
        # Without rates of its own for the tier, the book does not know what it costs.
        return _rates_of(special) if special != standard else None

    def _similar(self, provider: str | None, model: str) -> tuple[str, ...]:
        chosen = _by_name(self._providers, provider) if provider else None
        names = (info.id for each in ([chosen] if chosen else self._providers) for info in each.models)
        return tuple(get_close_matches(model[:64].lower(), sorted(set(names)), n=3, cutoff=0.6))


def _provider_name(provider: str | None) -> str | None:
    """The provider under the name that the book may know; None where the span names none."""
    name = (provider or "").strip().lower()[:64]
    return None if name in _NO_PROVIDER else name


def _by_name(providers: list[Provider], name: str) -> Provider | None:
    # "openai.chat", "anthropic.messages": the provider's name and the interface that was called.
    for candidate in (_ALIASES.get(name, name), name.partition(".")[0], name.replace("_", "-")):
        if found := find_provider_by_id(providers, _ALIASES.get(candidate, candidate)):
            return found
    return None


def _by_model(providers: Iterable[Provider], model: str) -> Provider | None:
    for provider in providers:
        if provider.model_match is not None and provider.model_match.is_match(model.lower()):
            return provider
    return None


def _names(provider: str | None, model: str | None) -> tuple[str | None, str]:
    """The names that are looked up."""
    return _provider_name(provider), (model or "")[:256]


def _changes_within_a_day(info: ModelInfo) -> bool:
    return not isinstance(info.prices, ModelPrice) and any(
        isinstance(price.constraint, TimeOfDateConstraint) for price in info.prices
    )


def _rates_of(prices: ModelPrice) -> _Rates:
    named = {key: value for key, value in prices.__dict__.items() if value is not None}
    by_count = {
        count: _rate(named[key])
        for count, keys in _RATES.items()
        for key in [next((key for key in keys if key in named), None)]
        if key is not None
    }
    request = named.get("requests_kcount")
    return _Rates(by_count, _amount(request * 1000) if isinstance(request, Decimal) else None)


def _amount(per_million: Decimal) -> _Amount:
    per_token = per_million / _MILLION
    return _Amount(per_million, per_token, is_exact=per_token == per_token.quantize(_SMALLEST))


def _rate(price: object) -> _Rate:
    if isinstance(price, TieredPrices):
        return _Rate(_amount(price.base), tuple((tier.start, _amount(tier.price)) for tier in price.tiers))
    if isinstance(price, Decimal):
        return _Rate(_amount(price))
    raise TypeError(f"the price book holds {price!r} where a rate is expected")


def _lines(rates: _Rates, usage: Usage) -> tuple[Line, ...] | None:
    """One line for each count that is not zero, or None where one of them has no rate."""
    thought = usage.reasoning if "reasoning" in rates.by_count else 0
    input_total = usage.input_total
    lines: list[Line] = []
    for kind, quantity in (
        ("input_uncached", usage.input_uncached),
        ("cache_read", usage.cache_read),
        ("cache_write_5m", usage.cache_write_5m),
        ("cache_write_1h", usage.cache_write_1h),
        ("output", usage.output - thought),
        ("reasoning", thought),
    ):
        if not quantity:
            continue
        rate = rates.by_count.get(kind)
        if rate is None:
            return None
        lines.append(rate.at(input_total).line(kind, quantity))
    if rates.request is not None:
        lines.append(rates.request.line("request", 1))
    return tuple(lines) if lines or rates.by_count else None
