"""Price files: YAML in, entries and exchange rates out, or every error with its line. The format: docs/prices.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from .. import documents
from ..documents import DocumentError, Location
from ..patterns import is_pattern, may_share
from .document import FIELDS, UNITS, EntryDocument, ExchangeDocument, PriceDocument, window_of
from .entries import Overrides, Window
from .exchange import ExchangeRate
from .listed import CURRENCY, STANDARD, names_of

__all__ = ["PriceFile", "load", "parse"]


@dataclass(frozen=True, slots=True)
class PriceFile:
    """What one file says."""

    overrides: Overrides
    exchange: tuple[ExchangeRate, ...]


def load(path: Path) -> PriceFile:
    """What a file says. Raises DocumentError, also where it cannot be read."""
    return parse(documents.read(path), name=str(path))


def parse(text: str, *, name: str) -> PriceFile:
    """What the text of the file `name` says. Raises DocumentError with every error, each with its line."""
    tree = documents.tree_of(text, name)
    sound = _Sound.of(tree)
    errors = [*_unlike_each_other(sound), *_overlapping(sound), *_rows(sound)]
    told = [documents.refused(tree, name, errors)] if errors else []
    try:
        document = documents.validated(PriceDocument, tree, name)
    except DocumentError as problem:
        told.insert(0, problem)
    if told:
        raise DocumentError("\n".join(str(each) for each in told))
    return PriceFile(
        Overrides(
            tuple(each.entry() for each in document.prices),
            tuple(each.entry() for each in document.corrections),
        ),
        tuple(ExchangeRate(each.from_, each.to, each.since, each.rate) for each in document.exchange),
    )


Errors = Iterator[tuple[Location, str]]
_Item = TypeVar("_Item", bound=BaseModel)
_Placed = tuple[int, EntryDocument]


@dataclass(frozen=True, slots=True)
class _Sound:
    """What of a file is right by itself, by its place: with each other it may still be wrong."""

    entries: Mapping[str, Mapping[int, EntryDocument]]
    exchange: Mapping[int, ExchangeDocument]

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> _Sound:
        kinds = ("prices", "corrections")
        return cls(
            {kind: _right(EntryDocument, tree.get(kind)) for kind in kinds},
            _right(ExchangeDocument, tree.get("exchange")),
        )


def _right(model: type[_Item], items: object) -> dict[int, _Item]:
    found: dict[int, _Item] = {}
    for place, item in enumerate(items if isinstance(items, list) else ()):
        with suppress(ValidationError):
            found[place] = model.model_validate(item)
    return found


def _unlike_each_other(sound: _Sound) -> Errors:
    """What no single field of an entry shows."""
    for kind, entries in sound.entries.items():
        for index, each in entries.items():
            where = (kind, index)
            if not names_of(each.provider):
                yield (*where, "provider"), f'"{each.provider}" says nothing of who bills; name the provider'
            if each.from_ is not None and each.to is not None and each.to <= each.from_:
                yield (
                    (*where, "to"),
                    f"it ends at {each.to:%Y-%m-%d}, not after it begins; `to` is the first day without",
                )
            for unit in each.per:
                if unit not in UNITS:
                    yield (*where, "per", unit), f"nothing is counted by that; there are: {', '.join(UNITS)}"
            yield from _tiers(where, each)
            for hours in each.hours:
                if window_of(hours).start == window_of(hours).end:
                    yield (
                        (*where, "hours", hours),
                        "it ends where it begins; leave hours out for the whole day",
                    )
            for first, second in combinations(each.hours, 2):
                if _meet(window_of(first), window_of(second)):
                    yield (*where, "hours", second), f'it overlaps "{first}"'
            has_rates = bool(each.rates() or each.per or each.per_request is not None)
            if kind == "prices":
                yield from _whole(where, each, has_rates=has_rates)
            elif not (has_rates or each.above or each.named_tiers() or each.hours):
                yield where, "it corrects nothing; name the rates that are to be other"
            if kind == "corrections" and each.currency != CURRENCY:
                yield (
                    (*where, "currency"),
                    f"list prices are in {CURRENCY}; what is billed in {each.currency} is a price, not a correction",
                )


def _tiers(where: Location, each: EntryDocument) -> Errors:
    seen = set(each.common_tiers())
    for name in each.tiers:
        if name.lower() in STANDARD:
            yield (*where, "tiers", name), "that is no tier of its own; its rates are those of the entry"
        if name.lower() in seen:
            yield (*where, "tiers", name), f'the tier "{name.lower()}" stands here twice'
        seen.add(name.lower())


def _whole(where: Location, each: EntryDocument, *, has_rates: bool) -> Errors:
    """What a price is missing to be whole."""
    if not has_rates:
        yield where, "it has no rate; write input: and output:, per million tokens"
    if each.output is not None and each.input is None:
        yield where, "input is missing; write 0 where it costs nothing"
    if each.input is not None and each.output is None and each.reasoning is not None:
        yield where, "output is missing; reasoning is a part of it"
    for start, named in each.above.items():
        for kind in named.rates():
            if kind not in each.rates():
                yield (*where, "above", start, FIELDS[kind]), f"there is no {FIELDS[kind]} below {start}"


def _overlapping(sound: _Sound) -> Errors:
    """Entries of which two would hold for one model at one time; and a model in two currencies."""
    for kind, entries in sound.entries.items():
        for (first, one), (second, other), named in _alike(entries):
            if _while(one, other):
                yield (
                    (kind, second, "models"),
                    f'"{named}" has another entry for that time: {kind}[{first}]; end it there with `to`',
                )
            if one.currency != other.currency:
                yield (
                    (kind, second, "currency"),
                    f'"{named}" is in {one.currency} in {kind}[{first}]; a model has one currency in a file',
                )


def _alike(entries: Mapping[int, EntryDocument]) -> Iterator[tuple[_Placed, _Placed, str]]:
    """Two entries of a provider, and a model that both name alike: by name, or by patterns, of which none is closer.

    Entries are met by what they name, since a file may have thousands.
    """
    named: dict[tuple[str, str], list[_Placed]] = {}
    patterned: dict[str, list[tuple[str, _Placed]]] = {}
    told: set[tuple[int, int]] = set()
    for place, each in entries.items():
        provider = next(iter(names_of(each.provider)), "")
        for model in dict.fromkeys(each.models):
            if is_pattern(model):
                before = [p for pattern, p in patterned.get(provider, ()) if may_share(pattern, model)]
                patterned.setdefault(provider, []).append((model, (place, each)))
            else:
                before = list(named.get((provider, model), ()))
                named.setdefault((provider, model), []).append((place, each))
            for earlier in before:
                if earlier[0] != place and (earlier[0], place) not in told:
                    told.add((earlier[0], place))
                    yield earlier, (place, each), model


def _while(one: EntryDocument, other: EntryDocument) -> bool:
    begins = max((each for each in (one.from_, other.from_) if each is not None), default=None)
    ends = min((each for each in (one.to, other.to) if each is not None), default=None)
    return begins is None or ends is None or begins < ends


def _rows(sound: _Sound) -> Errors:
    seen: dict[tuple[frozenset[str], date], int] = {}
    for index, row in sound.exchange.items():
        pair = frozenset((row.from_, row.to))
        if len(pair) == 1:
            yield ("exchange", index), f"{row.from_} is worth itself"
        if (pair, row.since) in seen:
            earlier = seen[pair, row.since]
            yield (
                ("exchange", index, "since"),
                f"{row.from_} and {row.to} have a rate of that day: exchange[{earlier}]",
            )
        seen.setdefault((pair, row.since), index)


def _meet(one: Window, other: Window) -> bool:
    return one.holds(other.start) or other.holds(one.start)
