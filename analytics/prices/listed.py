"""Listed: the published list prices of genai-prices, as rates by kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version

from genai_prices.data_snapshot import find_provider_by_id, get_snapshot
from genai_prices.types import (
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from .rates import MILLION, REQUEST, Rate, Rates

__all__ = ["CURRENCY", "STANDARD", "VERSION", "Listed", "Place", "bare", "names_of"]

CURRENCY = "USD"
VERSION = f"genai-prices {version('genai-prices')}"
STANDARD = frozenset({"default", "standard", "on_demand"})
"""What providers call the service tier that has no rates of its own."""

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

# Each kind: the names of its rate in the book in order of preference, and of how many units the price there is.
_PRICES: Mapping[str, tuple[tuple[str, ...], int]] = {
    "input_uncached": (("input_mtok",), MILLION),
    "cache_read": (("cache_read_mtok",), MILLION),
    "cache_write_5m": (("cache_write_5m_mtok", "cache_write_mtok"), MILLION),
    "cache_write_1h": (("cache_write_1h_mtok",), MILLION),
    "output": (("output_mtok",), MILLION),
    "reasoning": (("output_reasoning_mtok",), MILLION),
    "input_audio": (("input_audio_mtok",), MILLION),
    "input_image": (("input_image_mtok",), MILLION),
    "input_video": (("input_video_mtok",), MILLION),
    "cache_read_audio": (("cache_audio_read_mtok",), MILLION),
    "cache_read_image": (("cache_image_read_mtok",), MILLION),
    "cache_read_video": (("cache_video_read_mtok",), MILLION),
    "output_audio": (("output_audio_mtok",), MILLION),
    "output_image": (("output_image_mtok",), MILLION),
    "output_video": (("output_video_mtok",), MILLION),
    "web_searches": (("web_searches_kcount",), 1000),
    "file_searches": (("storage_searches_kcount",), 1000),
    "pages": (("input_document_kpages",), 1000),
    "audio_seconds": (("input_audio_hours", "audio_hours"), 3600),
    REQUEST: (("requests_kcount",), 1000),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model stands in the book: whose it is, and its name there."""

    provider: str
    model: str
    info: ModelInfo

    def moments(self) -> Iterator[datetime]:
        """When its prices change."""
        constraints = [each.constraint for each in self.info.price_variants or ()]
        if not isinstance(self.info.prices, ModelPrice):
            constraints += [each.constraint for each in self.info.prices]
        for constraint in constraints:
            if isinstance(constraint, StartDateConstraint):
                yield _midnight(constraint.start_date)

    def seconds(self) -> Iterator[int]:
        """When they change within a day, in seconds of the UTC day."""
        if isinstance(self.info.prices, ModelPrice):
            return
        for each in self.info.prices:
            if isinstance(each.constraint, TimeOfDateConstraint):
                yield _second(each.constraint.start_time)
                yield _second(each.constraint.end_time)

    def standard(self, at: datetime) -> Rates:
        return _rates(self.info.get_prices(at))

    def special(self, at: datetime, service_tier: str) -> Rates:
        """What of the rates is another in a service tier; empty where the book knows of no such tier.

        The book dates a tier by when it learned of it. Before that day the tier's first rates hold as well, as long as
        the standard rates were those of that day: what the provider sold then is what the book came to know.
        """
        standard = self.standard(at)
        learned = min(map(_midnight, self._learned(service_tier)), default=at)
        if at < learned and standard == self.standard(learned):
            at = learned
        rates = _rates(self.info.get_prices(at, _context(service_tier)))
        return {kind: rate for kind, rate in rates.items() if rate != standard.get(kind)}

    def _learned(self, service_tier: str) -> Iterator[date]:
        """When the book learned what the tier costs."""
        for each in self.info.price_variants or ():
            if each.when.items() <= _context(service_tier).items() and isinstance(
                each.constraint, StartDateConstraint
            ):
                yield each.constraint.start_date


class Listed:
    """The providers and models of genai-prices."""

    def __init__(self) -> None:
        self._providers: list[Provider] = get_snapshot().providers

    def provider(self, name: str) -> str | None:
        """The name in the book of the provider that a span calls `name`."""
        found = self._by_name(name)
        return found.id if found else None

    def find(self, provider: str | None, model: str) -> Place | None:
        """The model where it stands; without a provider, at the one whose models are called so."""
        chosen = self._by_name(provider) if provider is not None else self._by_model(model)
        info = (
            chosen.find_model(model, all_providers=self._providers) if chosen is not None and model else None
        )
        if info is None:
            return None
        # A model may come from a provider that the chosen one falls back to.
        owner = next(each.id for each in self._providers if any(info is known for known in each.models))
        return Place(owner, info.id, info)

    def models(self, provider: str | None) -> Iterator[tuple[str, str]]:
        """Each model of a provider, or of all, as (provider, model); none of a provider that is not in the book."""
        chosen = self._by_name(provider) if provider is not None else None
        for each in self._providers if provider is None else [chosen] if chosen else []:
            for info in each.models:
                yield each.id, info.id

    def _by_name(self, name: str) -> Provider | None:
        for candidate in names_of(name):
            if found := find_provider_by_id(self._providers, candidate):
                return found
        return None

    def _by_model(self, model: str) -> Provider | None:
        for provider in self._providers:
            if provider.model_match is not None and provider.model_match.is_match(model.lower()):
                return provider
        return None


def names_of(provider: str | None) -> tuple[str, ...]:
    """What the book may call the provider that a span names; empty where the span names none.

    "openai.chat", "anthropic.messages": the provider's name and the interface that was called.
    """
    name = (provider or "").strip().lower()[:64]
    if name in _NO_PROVIDER:
        return ()
    candidates = (name, name.partition(".")[0], name.replace("_", "-"))
    return tuple(dict.fromkeys(_ALIASES.get(each, each) for each in candidates))


def bare(provider: tuple[str, ...], model: str) -> str:
    """The model's name without the path of the interface that has it, or the provider itself, before it.

    "models/gemini-2.5-pro", "publishers/google/models/gemini-2.5-pro"; "openai/gpt-4o" of OpenAI, not of OpenRouter.
    """
    _, path, name = model.rpartition("models/")
    if path:
        return name
    owner, _, name = model.partition("/")
    return name if name and owner.lower() in provider else model


def _context(service_tier: str) -> dict[str, str]:
    return {"processing": service_tier, "service_tier": service_tier, "speed": service_tier}


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _second(clock: time) -> int:
    utc = datetime.combine(date(1970, 1, 2), clock, tzinfo=clock.tzinfo or UTC).astimezone(UTC)
    return (utc.hour * 60 + utc.minute) * 60 + utc.second


def _rates(prices: ModelPrice) -> Rates:
    named = {key: value for key, value in prices.__dict__.items() if value is not None}
    found: dict[str, Rate] = {}
    for kind, (keys, units) in _PRICES.items():
        price = _first(named, keys)
        if price is not None:
            found[kind] = _rate(price, Decimal(MILLION) / units)
    return found


def _first(named: Mapping[str, object], keys: Iterable[str]) -> object | None:
    return next((named[key] for key in keys if key in named), None)


def _rate(price: object, factor: Decimal) -> Rate:
    if isinstance(price, TieredPrices):
        return Rate.of(price.base * factor, {tier.start: tier.price * factor for tier in price.tiers})
    if isinstance(price, Decimal):
        return Rate.of(price * factor)
    raise TypeError(f"the price book holds {price!r} where a rate is expected")
