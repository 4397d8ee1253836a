"""The shape of a price file: what each field may hold, and the entry that its fields make."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from switchgear.usage import APART, COUNTS, MAX_TOKENS_PER_CALL

from .entries import Change, Entry, Terms, Window
from .listed import names_of
from .rates import MILLION, REQUEST

__all__ = [
    "FIELDS",
    "UNITS",
    "EntryDocument",
    "ExchangeDocument",
    "PriceDocument",
    "RatesDocument",
    "said",
    "window_of",
]

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_MONEY = re.compile(r"(?P<amount>\S+)\s+(?P<currency>\S+)")
# As many digits as a float of a YAML file holds faithfully.
_FAITHFUL_DIGITS = 15
# Of a rate per million a millionth is for one token, and 1e-12 the least that a stored cost holds.
_MOST_DECIMALS = 18
_MOST_EXCHANGED = 10**9


def said(value: Any) -> str:
    """A value as an error repeats it. Lists and mappings by their kind alone: aliases nest them without end."""
    if isinstance(value, list | Mapping):
        return "a list" if isinstance(value, list) else "a mapping"
    return repr(value)


def _number(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{said(value)} is not a number")  # noqa: TRY004 - pydantic wants ValueError
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f'"{value}" is not a number') from None
    if not number.is_finite():
        raise ValueError(f'"{value}" is not a finite number')
    if isinstance(value, float) and len(number.as_tuple().digits) > _FAITHFUL_DIGITS:
        raise ValueError(f"{value} has more digits than a plain number keeps; write it in quotes")
    if len(number.as_tuple().digits) - 1 - number.adjusted() > _MOST_DECIMALS:
        raise ValueError(f"a number has at most {_MOST_DECIMALS} decimals")
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
            raise ValueError(f"{said(value)} is not a date; write 2026-01-01")  # noqa: TRY004 - as above
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if value.utcoffset() != timedelta(0):
        raise ValueError(f"{value.isoformat()} is not UTC; write its UTC time and a Z: 2026-01-01T16:00:00Z")
    return datetime.combine(value.date(), value.time(), tzinfo=UTC)


def _day(value: Any) -> date:
    if isinstance(value, datetime) or not isinstance(value, date | str):
        raise ValueError(f"{said(value)} is not a day; write 2026-01-01")  # noqa: TRY004 - as above
    return _instant(value).date()


def _pattern(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 128 or "[" in value:
        raise ValueError(f"{said(value)} is no name of a model, nor a pattern with * and ?")
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
Start = Annotated[int, Field(gt=0, le=4 * MAX_TOKENS_PER_CALL)]
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
        named = {kind: getattr(self, FIELDS[kind]) for kind in FIELDS}
        return {kind: rate for kind, rate in named.items() if rate is not None}


FIELDS: Mapping[str, str] = {
    kind: "input" if kind == "input_uncached" else kind
    for kind in (*COUNTS, *(name for name, whole in APART.items() if whole is not None))
}
UNITS = tuple(name for name, whole in APART.items() if whole is None)


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

    def common_tiers(self) -> dict[str, ChangeDocument]:
        """Those with a field of their own."""
        common = {"batch": self.batch, "flex": self.flex, "priority": self.priority}
        return {name: each for name, each in common.items() if each is not None}

    def named_tiers(self) -> dict[str, ChangeDocument]:
        """All by their names, in lower case as calls are looked up."""
        return self.common_tiers() | {name.lower(): each for name, each in self.tiers.items()}

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
            hours=tuple((window_of(hours), each.change()) for hours, each in self.hours.items()),
        )


class ExchangeDocument(_Strict):
    from_: Currency = Field(alias="from")
    to: Currency
    since: Day
    rate: Annotated[Decimal, BeforeValidator(_number), Field(gt=0, le=_MOST_EXCHANGED)]


class PriceDocument(_Strict):
    """The file's shape."""

    version: Literal[1]
    prices: list[EntryDocument] = []
    corrections: list[EntryDocument] = []
    exchange: list[ExchangeDocument] = []


def window_of(hours: str) -> Window:
    match = _HOURS.fullmatch(hours)
    assert match is not None  # noqa: S101 - the model took no other
    start, begun, end, ended = (int(part) for part in match.groups())
    return Window((start * 60 + begun) * 60, (end * 60 + ended) * 60)
