"""The price book: what a usage costs as of a date, exactly, by list prices and what is laid over them.

The base is genai-prices. Over it come files of entries, those of this package first and then the user's: of the files
that have a price for the model, the last one's is taken, whole; else the list price is taken, corrected by each file in
turn. The rates are resolved once for each (provider, model, service tier), for all dates, and kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

from collector.pricing import Quote
from switchgear.usage import Usage

from .. import documents
from ..patterns import is_pattern
from .entries import Entry, Overrides, best
from .exchange import Exchange
from .files import parse
from .listed import CURRENCY, STANDARD, VERSION, Listed, Place, bare, names_of
from .rates import Rates, Sheet, filled
from .schedule import Schedule, scheduled

__all__ = ["PriceBook"]

_NOTHING = Decimal(0)
_PACKAGED = Path(__file__).parent / "overrides"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A model that was asked for: what it and its provider are called, and where the list prices have it."""

    billers: frozenset[str]
    """The providers whose prices it has."""
    makers: frozenset[str]
    """Those whose list prices it has, which are another's where the biller falls back to them."""
    names: tuple[str, ...]
    place: Place | None


class PriceBook:
    """List prices under overrides. `PriceBook().quote` is what the collector takes as its price function.

    `overrides` are price files, each over the ones before. Raises DocumentError for one that cannot be used.
    Memory is bounded: whatever model names arrive, only the most recent few thousand are remembered.
    """

    def __init__(self, overrides: Iterable[Path] = ()) -> None:
        texts = [(str(path), documents.read(path)) for path in (*_packaged(), *overrides)]
        files = [parse(text, name=name) for name, text in texts]
        digest = hashlib.sha256("\0".join(text for _, text in texts).encode()).hexdigest()
        self.version = f"{VERSION} + {digest[:8]}" if texts else VERSION
        self._listed = Listed()
        self._overrides: tuple[Overrides, ...] = tuple(file.overrides for file in files)
        self._exchange = Exchange(row for file in files for row in file.exchange)
        self.schedule = lru_cache(maxsize=8192)(self._resolve)
        self._near = lru_cache(maxsize=1024)(self._similar)

    def quote(
        self,
        provider: str | None,
        model: str | None,
        usage: Usage,
        at: datetime,
        service_tier: str | None = None,
        tenant: str | None = None,
        *,
        suggest: bool = False,
    ) -> Quote:
        """What `usage` of `model` costs at `at`, line by line; unpriced (cost None) where that is not known.

        `suggest` looks for near names of an unknown model: for a person, too slow for every call that is booked.

        1,000 uncached input tokens at 2.50 and 500 output tokens at 10.00 a million: 0.0025 + 0.005 = 0.0075.
        """
        schedule = self.schedule(provider, model, service_tier)
        sheet = schedule.at(at) if schedule is not None else None
        lines = sheet.lines(usage) if sheet is not None else None
        if sheet is None or lines is None:
            near = self._near(provider, model or "") if suggest and schedule is None else ()
            return Quote(None, None, self.version, near=near)
        return Quote(sum([line.amount for line in lines], _NOTHING), sheet.currency, self.version, lines)

    def convert(self, amount: Decimal, base: str, quote: str, at: datetime) -> Decimal | None:
        """`amount` of the currency `base` in the currency `quote` as of `at`; None where the book has no rate."""
        return self._exchange.convert(amount, base, quote, at)

    def models(self, provider: str | None = None) -> Iterator[tuple[str, str]]:
        """Each (provider, model) that has a price, models of overrides by their name or pattern."""
        seen: set[tuple[str, str]] = set()
        own = ((e.provider, model) for file in self._overrides for e in file.prices for model in e.models)
        wanted = names_of(provider)
        for each in (*self._listed.models(provider), *(e for e in own if not wanted or e[0] in wanted)):
            if each not in seen:
                seen.add(each)
                yield each

    def _resolve(self, provider: str | None, model: str | None, service_tier: str | None) -> Schedule | None:
        """All rates of a model in a service tier; None where nobody knows the model."""
        asked = self._asked(provider, (model or "")[:256])
        tier = service_tier.lower() if service_tier else None
        tier = None if tier in STANDARD else tier
        whole, parts = self._prices(asked), self._corrections(asked)
        entries = [each for group in (*whole, *parts) for each in group]
        if asked.place is None and not any(whole):
            return None

        def sheet(at: datetime, second: int) -> Sheet | None:
            price = next((found for each in reversed(whole) if (found := best(each, asked.names, at))), None)
            if price is not None:
                return _sheet(price.currency, (price,), {}, {}, second, tier)
            if asked.place is None:
                return None
            hour, rest = divmod(second, 3600)
            moment = at.replace(hour=hour, minute=rest // 60, second=rest % 60)
            standard = asked.place.standard(moment)
            special = asked.place.special(moment, tier) if tier else {}
            applied = [found for each in parts if (found := best(each, asked.names, at))]
            return _sheet(CURRENCY, applied, standard, special, second, tier)

        place = asked.place
        return scheduled(
            [*(place.moments() if place else ()), *(m for each in entries for m in each.moments())],
            [*(place.seconds() if place else ()), *(s for each in entries for s in each.seconds())],
            sheet,
        )

    def _asked(self, provider: str | None, model: str) -> _Asked:
        names = names_of(provider)
        written = dict.fromkeys((model, bare(names, model)))
        places = (self._listed.find(names[0] if names else None, each) for each in written)
        place = next((found for found in places if found is not None), None)
        known_as = [place.model] if place else []
        called = tuple(dict.fromkeys((*(each.lower() for each in written), *known_as)))
        if names:
            known = self._listed.provider(names[0])
            billers = frozenset({*names, *([known] if known else ())})
        elif place is not None:
            billers = frozenset({place.provider})
        else:
            own = {e.provider for file in self._overrides for e in file.prices if e.rank(called) is not None}
            billers = frozenset(own if len(own) == 1 else ())
        return _Asked(billers, billers | {place.provider} if place else billers, called, place)

    def _prices(self, asked: _Asked) -> list[list[Entry]]:
        return [
            [
                each
                for each in file.prices
                if each.provider in asked.billers and each.rank(asked.names) is not None
            ]
            for file in self._overrides
        ]

    def _corrections(self, asked: _Asked) -> list[list[Entry]]:
        return [
            [e for e in file.corrections if e.provider in asked.makers and e.rank(asked.names) is not None]
            for file in self._overrides
        ]

    def _similar(self, provider: str | None, model: str) -> tuple[str, ...]:
        """Names close to that of the model; where nobody knows the provider, those close to its own."""
        names = names_of(provider)
        known = {name for _, name in self.models(provider if names else None)}
        if names and not known:
            return _close(names[0], {name for name, _ in self.models()})
        return _close(model, known)


def _close(name: str, known: Iterable[str]) -> tuple[str, ...]:
    named = sorted(each for each in known if not is_pattern(each))
    return tuple(get_close_matches(name[:64].lower(), named, n=3, cutoff=0.6))


def _sheet(
    currency: str,
    entries: Iterable[Entry],
    standard: Rates,
    special: Rates,
    second: int,
    tier: str | None,
) -> Sheet | None:
    """The rates with the entries laid over them; None where there are none, or none of that tier."""
    for entry in entries:
        standard = entry.standard(standard, second)
        if tier is not None:
            special = entry.special(standard, special, tier)
    rates = {**standard, **special}
    return None if not rates or (tier is not None and not special) else Sheet(currency, filled(rates))


def _packaged() -> list[Path]:
    return sorted(_PACKAGED.glob("*.yaml"))
