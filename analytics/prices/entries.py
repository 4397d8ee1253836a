"""Entries: prices and corrections that are laid over the list prices, each for some models and some time.

A price is the whole price of its models. A correction replaces, of a list price, the rates that it names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fnmatch import fnmatchcase

from ..patterns import is_pattern
from .rates import Rate, Rates, scaled
from .schedule import DAY_S

__all__ = ["Change", "Entry", "Overrides", "Terms", "Window", "best", "changed"]


@dataclass(frozen=True, slots=True)
class Terms:
    """Rates by kind, per million units, and those of larger contexts: (start in input tokens, rates), ascending."""

    rates: Mapping[str, Decimal] = field(default_factory=dict)
    above: tuple[tuple[int, Mapping[str, Decimal]], ...] = ()

    def over(self, rates: Rates) -> Rates:
        """`rates` with those named here in their place. A rate named only above a start keeps its base."""
        found = dict(rates)
        for kind in dict.fromkeys((*self.rates, *(kind for _, named in self.above for kind in named))):
            base = self.rates.get(kind)
            if base is None:
                if kind not in found:
                    continue
                base = found[kind].base.per_million
            found[kind] = Rate.of(base, {start: named[kind] for start, named in self.above if kind in named})
        return found


Change = Decimal | Terms
"""A factor on every rate of tokens, or rates in place of some."""


def changed(rates: Rates, change: Change) -> Rates:
    return change.over(rates) if isinstance(change, Terms) else scaled(rates, change)


@dataclass(frozen=True, slots=True)
class Window:
    """A part of each UTC day, from `start` until before `end` in seconds, over midnight where `end` is less."""

    start: int
    end: int

    def holds(self, second: int) -> bool:
        return (second - self.start) % DAY_S < (self.end - self.start) % DAY_S


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a file, from `start` until before `end`; None is for ever."""

    provider: str
    models: tuple[str, ...]
    """Names, or patterns with * and ?, in lower case."""
    currency: str
    terms: Terms
    start: datetime | None = None
    end: datetime | None = None
    tiers: Mapping[str, Change] = field(default_factory=dict)
    hours: tuple[tuple[Window, Change], ...] = ()

    def holds(self, at: datetime) -> bool:
        return (self.start is None or self.start <= at) and (self.end is None or at < self.end)

    def rank(self, names: Iterable[str]) -> int | None:
        """How closely it names a model that is called by `names`, 0 closest; None where it does not.

        A name is closer than a pattern, and the first of `names` than the second.
        """
        called = tuple(names)
        ranks = [place for place, name in enumerate(called) if name in self.models]
        ranks += [
            place + len(called)
            for place, name in enumerate(called)
            if any(is_pattern(each) and fnmatchcase(name, each) for each in self.models)
        ]
        return min(ranks, default=None)

    def standard(self, rates: Rates, second: int) -> Rates:
        """`rates` with its own at a second of the day."""
        found = self.terms.over(rates)
        for window, change in self.hours:
            if window.holds(second):
                found = changed(found, change)
        return found

    def special(self, standard: Rates, special: Rates, service_tier: str) -> Rates:
        """What of the rates is another in the tier: `special` before this entry, `standard` with it."""
        change = self.tiers.get(service_tier)
        if change is None:
            return special
        return (
            scaled(standard, change) if isinstance(change, Decimal) else change.over({**standard, **special})
        )

    def moments(self) -> Iterator[datetime]:
        yield from (moment for moment in (self.start, self.end) if moment is not None)

    def seconds(self) -> Iterator[int]:
        for window, _ in self.hours:
            yield from (window.start, window.end)


@dataclass(frozen=True, slots=True)
class Overrides:
    """What one file lays over the list prices."""

    prices: tuple[Entry, ...] = ()
    corrections: tuple[Entry, ...] = ()


def best(entries: Iterable[Entry], names: tuple[str, ...], at: datetime) -> Entry | None:
    """The entry that names the model most closely, of those that hold at `at`."""
    ranked = [(rank, each) for each in entries if each.holds(at) and (rank := each.rank(names)) is not None]
    return min(ranked, key=lambda pair: pair[0])[1] if ranked else None
