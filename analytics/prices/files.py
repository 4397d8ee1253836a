"""Price files: YAML in, entries and exchange rates out, or every error with its line. The format: docs/prices.md."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from switchgear.usage import APART, COUNTS

from .. import documents
from ..documents import DocumentError, Location
from .entries import Change, Entry, Overrides, Terms, Window, is_pattern, may_share
from .exchange import ExchangeRate
from .listed import CURRENCY, names_of
from .rates import MILLION, REQUEST

__all__ = ["PriceDocument", "PriceFile", "load", "parse"]

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_MONEY = re.compile(r"(?P<amount>\S+)\s+(?P<currency>\S+)")
# As many digits as a float of a YAML file holds faithfully.
_FAITHFUL_DIGITS = 15


def _number(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{value!r} is not a number")  # noqa: TRY004 - pydantic wants ValueError
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f'"{value}" is not a number') from None
    if not number.is_finite():
        raise ValueError(f'"{value}" is not a finite number')
    if isinstance(value, float) and len(number.as_tuple().digits) > _FAITHFUL_DIGITS:
        raise ValueError(f"{value} has more digits than a plain number keeps; write it in quotes")
    return number


def _rate(value: Any) -> Decimal:
    if isinstance(value, str) and (money := _MONEY.fullmatch(value.strip())):
        raise ValueError(
            f'"{value}" names a currency of its own; write {money["amount"]}, '
            f"and one currency for the whole entry: currency: {money['currency']}"
        )
    number = _number(value)
    if number < 0:
        raise ValueError(f"{number} is negative")
    if number > MILLION:
        raise ValueError(f"{number} is more than any rate; rates of tokens are per million")
    return number


def _factor(value: Any) -> Decimal:
    number = _number(value)
    if not 0 < number <= 100:
        raise ValueError(f"{number} is not a factor; write 0.5 for half of every rate")
    return number


def _instant(value: Any) -> datetime:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value) if len(value) > 10 else date.fromisoformat(value)
        except ValueError:
            raise ValueError(f'"{value}" is not a date; write 2026-01-01, or 2026-01-01T16:00:00Z') from None
    if not isinstance(value, datetime):
        if not isinstance(value, date):
            raise ValueError(f"{value!r} is not a date; write 2026-01-01")  # noqa: TRY004 - as above
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if value.utcoffset() != timedelta(0):
        raise ValueError(f"{value.isoformat()} is not UTC; write its UTC time and a Z: 2026-01-01T16:00:00Z")
    return datetime.combine(value.date(), value.time(), tzinfo=UTC)


def _day(value: Any) -> date:
    if isinstance(value, datetime) or not isinstance(value, date | str):
        raise ValueError(f"{value} is not a day; write 2026-01-01")  # noqa: TRY004 - as above
    return _instant(value).date()


def _pattern(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 128 or "[" in value:
        raise ValueError(f"{value!r} is no name of a model, nor a pattern with * and ?")
    return value.lower()


def _several(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _change(value: Any) -> Any:
    return value if isinstance(value, Mapping) else {"factor": value}


Number = Annotated[Decimal, BeforeValidator(_rate)]
Factor = Annotated[Decimal, BeforeValidator(_factor)]
Instant = Annotated[datetime, BeforeValidator(_instant)]
Day = Annotated[date, BeforeValidator(_day)]
Pattern = Annotated[str, BeforeValidator(_pattern)]
Patterns = Annotated[list[Pattern], BeforeValidator(_several), Field(min_length=1)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Start = Annotated[int, Field(gt=0)]
Name = Annotated[str, Field(min_length=1, max_length=64)]
Hours = Annotated[str, Field(pattern=f"^{_HOURS.pattern}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=False)


class RatesDocument(_Strict):
    """Rates per million tokens; `per_request` each, and `per` a unit of what is no token."""

    input: Number | None = None
    output: Number | None = None
    cache_read: Number | None = None
    cache_write_5m: Number | None = None
    cache_write_1h: Number | None = None
    reasoning: Number | None = None
    input_audio: Number | None = None
    input_image: Number | None = None
    input_video: Number | None = None
    cache_read_audio: Number | None = None
    cache_read_image: Number | None = None
    cache_read_video: Number | None = None
    output_audio: Number | None = None
    output_image: Number | None = None
    output_video: Number | None = None

    def rates(self) -> dict[str, Decimal]:
        """Those that are named, by kind."""
        named = {kind: getattr(self, _FIELDS[kind]) for kind in _FIELDS}
        return {kind: rate for kind, rate in named.items() if rate is not None}


_FIELDS: Mapping[str, str] = {
    kind: "input" if kind == "input_uncached" else kind
    for kind in (*COUNTS, *(name for name, whole in APART.items() if whole is not None))
}
_UNITS = tuple(name for name, whole in APART.items() if whole is None)


class SteppedDocument(RatesDocument):
    above: dict[Start, RatesDocument] = {}

    def terms(self) -> Terms:
        return Terms(self.rates(), tuple(sorted((start, each.rates()) for start, each in self.above.items())))


class ChangeDocument(SteppedDocument):
    """A factor on every rate of tokens, written as a number alone, or rates in place of some."""

    factor: Factor | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> ChangeDocument:
        named = bool(self.rates() or self.above)
        if (self.factor is None) != named:
            raise ValueError("write either a factor, such as 0.5, or rates, such as {input: 1.25}")
        return self

    def change(self) -> Change:
        return self.factor if self.factor is not None else self.terms()


Changed = Annotated[ChangeDocument, BeforeValidator(_change)]


class EntryDocument(SteppedDocument):
    provider: Name
    models: Patterns
    from_: Instant | None = Field(default=None, alias="from")
    to: Instant | None = None
    currency: Currency
    per_request: Number | None = None
    per: dict[str, Number] = {}
    batch: Changed | None = None
    flex: Changed | None = None
    priority: Changed | None = None
    tiers: dict[Name, Changed] = {}
    hours: dict[Hours, Changed] = {}
    source: str | None = None
    reason: str | None = None

    def named_tiers(self) -> dict[str, ChangeDocument]:
        common = {"batch": self.batch, "flex": self.flex, "priority": self.priority}
        return {name: each for name, each in (common | self.tiers).items() if each is not None}

    def entry(self) -> Entry:
        terms = self.terms()
        fees = {name: rate * MILLION for name, rate in self.per.items()}
        if self.per_request is not None:
            fees[REQUEST] = self.per_request * MILLION
        return Entry(
            provider=names_of(self.provider)[0],
            models=tuple(self.models),
            currency=self.currency,
            terms=Terms({**terms.rates, **fees}, terms.above),
            start=self.from_,
            end=self.to,
            tiers={name: each.change() for name, each in self.named_tiers().items()},
            hours=tuple((_window(hours), each.change()) for hours, each in self.hours.items()),
        )


class ExchangeDocument(_Strict):
    from_: Currency = Field(alias="from")
    to: Currency
    since: Day
    rate: Annotated[Decimal, BeforeValidator(_number), Field(gt=0)]


class PriceDocument(_Strict):
    """The file's shape."""

    version: Literal[1]
    prices: list[EntryDocument] = []
    corrections: list[EntryDocument] = []
    exchange: list[ExchangeDocument] = []


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
                if unit not in _UNITS:
                    yield (*where, "per", unit), f"nothing is counted by that; there are: {', '.join(_UNITS)}"
            for hours in each.hours:
                if _window(hours).start == _window(hours).end:
                    yield (
                        (*where, "hours", hours),
                        "it ends where it begins; leave hours out for the whole day",
                    )
            for first, second in combinations(each.hours, 2):
                if _meet(_window(first), _window(second)):
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
                yield (*where, "above", start, _FIELDS[kind]), f"there is no {_FIELDS[kind]} below {start}"


def _overlapping(sound: _Sound) -> Errors:
    """Entries of which two would hold for one model at one time; and a model in two currencies."""
    for kind, entries in sound.entries.items():
        for (first, one), (second, other) in combinations(entries.items(), 2):
            if names_of(one.provider)[:1] != names_of(other.provider)[:1]:
                continue
            named = _both_name(one, other)
            if named is None:
                continue
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


def _both_name(one: EntryDocument, other: EntryDocument) -> str | None:
    """A model that both name alike: by its name, or by patterns of which neither is closer."""
    for first in one.models:
        for second in other.models:
            alike = may_share(first, second) if is_pattern(first) and is_pattern(second) else first == second
            if alike:
                return second
    return None


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


def _window(hours: str) -> Window:
    match = _HOURS.fullmatch(hours)
    assert match is not None  # noqa: S101 - the model took no other
    start, begun, end, ended = (int(part) for part in match.groups())
    return Window((start * 60 + begun) * 60, (end * 60 + ended) * 60)


def _meet(one: Window, other: Window) -> bool:
    return one.holds(other.start) or other.holds(one.start)
