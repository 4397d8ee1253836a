"""Savings prices: what the same tokens cost at another model, in another service tier, or from the cache. Pure.

Tokens that were added up over many calls are priced at the rates of the mean call, which is exact as long as the
calls are in one tier of size: `audit_savings_groups.sql` keeps these apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from collector.pricing import PriceCall
from switchgear.usage import Usage

__all__ = ["Models", "Shelf", "Tokens", "family"]

Models = Callable[[str | None], Iterable[tuple[str, str]]]
"""Each (provider, model) of a provider that has a price, such as `PriceBook.models`."""

_MILLION = 1_000_000
_COUNTS = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning")
_DATE = re.compile(r"[-@](\d{8}|\d{4}-\d{2}-\d{2}|\d{4}|latest|preview)$")
# Models that answer something else, or to somebody else, than the one beside them.
_APART = frozenset(
    (
        *(
            "audio",
            "banana",
            "chat",
            "codex",
            "computer",
            "cyber",
            "deep",
            "embedding",
            "extended",
            "guard",
            "image",
        ),
        *("instruct", "live", "moderation", "omni", "oss", "realtime", "research", "robotics", "rosalind"),
        *(
            "safeguard",
            "search",
            "speech",
            "streaming",
            "thinking",
            "transcribe",
            "translate",
            "tts",
            "video",
        ),
        *("vision", "whisper"),
    )
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The counts of `calls` calls, added up; output holds reasoning."""

    calls: int
    input_uncached: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    output: int
    reasoning: int

    @property
    def mean(self) -> Usage:
        """A call like these, with at least one token of each kind, so that each has a rate."""
        means = {name: max(1, round(getattr(self, name) / self.calls)) for name in _COUNTS}
        return Usage(**{**means, "reasoning": min(means["reasoning"], means["output"])})


def family(model: str) -> tuple[str, ...] | None:
    """What models of one make and generation have in common: gpt-4.1-mini is of ("gpt", "4.1"), as is gpt-4.1.

    None for models that are made for something of their own, such as speech.
    """
    name = model.lower().rsplit("/", 1)[-1]
    while (short := _DATE.sub("", name)) != name:
        name = short
    first, *rest = re.split(r"[-:]", name)
    if not _APART.isdisjoint((first, *rest)) or first.startswith("ft"):
        return None
    return (first, *(part for part in rest if part[:1].isdigit()))


class Shelf:
    """What a price function and a list of models offer, as of a time."""

    def __init__(self, price: PriceCall, models: Models, at: datetime) -> None:
        self._price = price
        self._models = models
        self._at = at
        self._listed: dict[str | None, list[str]] = {}

    def cost(
        self, tenant: str, provider: str | None, model: str, tokens: Tokens, service_tier: str | None = None
    ) -> Decimal | None:
        """What the tokens cost; None without a price."""
        rates = self.rates(tenant, provider, model, tokens, service_tier)
        if rates is None:
            return None
        counts = {name: getattr(tokens, name) for name in _COUNTS}
        if "reasoning" in rates:
            counts["output"] -= counts["reasoning"]
        counts["request"] = tokens.calls
        return sum((rate * counts.get(kind, 0) / _MILLION for kind, rate in rates.items()), Decimal(0))

    def rates(
        self, tenant: str, provider: str | None, model: str, tokens: Tokens, service_tier: str | None = None
    ) -> Mapping[str, Decimal] | None:
        """By kind the rate for a million, for calls like these; None without a price."""
        quote = self._price(provider, model, tokens.mean, self._at, service_tier, tenant)
        if quote.cost is None:
            return None
        return {line.kind: line.rate_per_million for line in quote.lines}

    def relatives(self, provider: str | None, model: str) -> list[str]:
        """Other models of the provider that are of one family with this one."""
        own = family(model)
        if own is None:
            return []
        if provider not in self._listed:
            self._listed[provider] = sorted({name for _, name in self._models(provider)})
        return [
            name
            for name in self._listed[provider]
            if family(name) == own and not model.lower().startswith(f"{name}-2") and name != model
        ]
