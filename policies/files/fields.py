"""The fields of a policy file: how each is written, what it becomes, and what to write instead.

Each reader takes what the file holds and raises ValueError with the reason and a hint. The patterns beside them are
for editors, which check a file as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from typing import Annotated, Any, TypeAlias
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, Field, WithJsonSchema

from analytics.documents import nearest, quoted
from switchgear.money import Money
from switchgear.tier import Tier

from ..calendars import WEEKDAYS
from ..model import Dimension

__all__ = [
    "Amount",
    "Clock",
    "Dimensions",
    "Instant",
    "Limit",
    "Name",
    "PositiveAmount",
    "Seconds",
    "Share",
    "Tiers",
    "Tokens",
    "Weekday",
    "Weight",
    "Whole",
    "WindowLength",
    "YearDay",
    "Zone",
]

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST_S = 366 * 86400.0
_THOUSANDS = {"": 1, "k": 10**3, "M": 10**6, "B": 10**9}
# Far above what any provider serves in a year.
_MOST_TOKENS = 10**15
# The least that a counter of money holds is 1e-12.
_DECIMALS = 12
_LONGEST_NAME = 128
# Control characters, and those that end a line or turn its direction: a name is shown in logs.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_DAYS_OF_MONTH = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_LENGTH = r"^[0-9]+(\.[0-9]+)?\s*[smhd]$"
_SHARE = r"^[0-9]+(\.[0-9]+)?\s*%$"
_MONEY = r"^\s*\S+\s+[A-Z]{3}\s*$"
_TOKENS = r"^[0-9][0-9_]*(\.[0-9]+)?\s*[kMB]?\s+tokens$"
_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
_YEAR_DAY = r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"


@dataclass(frozen=True, slots=True)
class Tokens:
    """A number of tokens; written "2M tokens", "500000 tokens"."""

    count: int

    def __str__(self) -> str:
        return f"{self.count} tokens"


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f'{quoted(value)} is no name; write it in quotes: "{_written(value)}"')  # noqa: TRY004 - pydantic wants ValueError
    if not value.strip():
        raise ValueError("a name is empty; write at least one letter")
    if value != value.strip():
        raise ValueError(f"{quoted(value)} begins or ends with a blank; write {quoted(value.strip())}")
    if len(value) > _LONGEST_NAME:
        raise ValueError(f"{quoted(value)} has {len(value)} characters; a name has at most {_LONGEST_NAME}")
    if unprintable := _UNPRINTABLE.search(value):
        raise ValueError(
            f"{quoted(value)} has the character U+{ord(unprintable[0]):04X}, which cannot be shown; leave it out"
        )
    return value


def _written(value: Any) -> str:
    """A value that is no text as its file has it."""
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)[:40]


def _money(value: Any) -> Money:
    if isinstance(value, Money):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{quoted(value)} has no currency; write {_as_money(value)}")  # noqa: TRY004
    try:
        money = Money.parse(value)
    except ValueError as problem:
        if re.search(r"\s[A-Z]{3}\s*$", value):
            raise
        raise ValueError(f"{quoted(value)} has no currency; write {_as_money(value)}") from problem
    if _decimals(money.amount) > _DECIMALS:
        raise ValueError(
            f"{quoted(value)} is finer than any price; an amount has at most {_DECIMALS} decimals"
        )
    return money


def _as_money(value: Any) -> str:
    """What was perhaps meant: "$40", "40usd" and 40 are "40 USD"."""
    found = re.fullmatch(r"\s*\$?([0-9][0-9,_]*(?:\.[0-9]+)?)\s*([A-Za-z]{3})?\s*", str(value))
    if found is None:
        return '"40 USD"'
    return f'"{found[1].replace(",", "")} {(found[2] or "USD").upper()}"'


def _decimals(amount: Decimal) -> int:
    return max(0, len(amount.as_tuple().digits) - 1 - amount.adjusted()) if amount else 0


def _positive_money(value: Any) -> Money:
    money = _money(value)
    if money.amount <= 0:
        raise ValueError(f'"{money}" is not above zero; write what may be spent, such as "40 USD"')
    return money


def _limit(value: Any) -> Money | Tokens:
    if isinstance(value, Tokens):
        return value
    if isinstance(value, str) and re.search(r"tokens?\s*$", value, re.IGNORECASE):
        return _tokens(value)
    return _positive_money(value)


def _tokens(text: str) -> Tokens:
    found = re.fullmatch(r"\s*([0-9][0-9_]*(?:\.[0-9]+)?)\s*([kMB]?)\s+tokens\s*", text)
    if found is None:
        raise ValueError(
            f'{quoted(text)} is no number of tokens; write "500000 tokens", "500k tokens" or "2M tokens"'
        )
    count = Decimal(found[1].replace("_", "")) * _THOUSANDS[found[2]]
    if not 0 < count <= _MOST_TOKENS or count != int(count):
        raise ValueError(f'{quoted(text)} is no whole number from 1 to {_MOST_TOKENS}; write "500000 tokens"')
    return Tokens(int(count))


def _share(value: Any) -> Decimal:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*%", str(value))
    if match is None or not 0 < Decimal(match[1]) <= 100:
        raise ValueError(f"{quoted(value)} is not a share of the limit; write {_as_share(value)}")
    return Decimal(match[1]) / 100


def _as_share(value: Any) -> str:
    """What was perhaps meant: 0.8 and 80 are "80%"."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 100:
        return '"80%"'
    return f'"{100 * value:.12g}%"' if value <= 1 else f'"{value}%"'


def _seconds(value: Any) -> float:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([smhd])", str(value))
    if match is None or float(match[1]) <= 0:
        raise ValueError(f'{quoted(value)} is not a length of time; write "30s", "5m", "1h" or "7d"')
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds > _LONGEST_S:
        raise ValueError(f"{quoted(value)} is longer than a year; write at most 366d")
    return seconds


def _window_length(value: Any) -> float:
    if isinstance(value, str) and value.strip().lower() in {"day", "week", "month", "fiscal"}:
        unit = value.strip().lower()
        raise ValueError(f"{quoted(value)} is a calendar; write {{calendar: {unit}, zone: Europe/Berlin}}")
    seconds = _seconds(value)
    if seconds < 1.0:
        raise ValueError(f"{quoted(value)} is too short for a window; write at least 1s")
    return seconds


def _one_of(names: Sequence[str]) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value in names:
            return str(value)
        raise ValueError(f"{quoted(value)} is none of: {', '.join(names)}{nearest(value, names)}")

    return read


def _several_of(names: Sequence[str]) -> Callable[[Any], tuple[str, ...]]:
    one = _one_of(names)

    def read(value: Any) -> tuple[str, ...]:
        values = value if isinstance(value, list) else [value]
        found = [one(each) for each in values]
        if not found:
            raise ValueError(f"the list is empty; leave it out, or write some of: {', '.join(names)}")
        for each in found:
            if found.count(each) > 1:
                raise ValueError(f"{quoted(each)} stands twice in the list; write it once")
        return tuple(found)

    return read


_DIMENSIONS = _several_of(list(Dimension))
_TIERS = _several_of(list(Tier))


def _dimensions(value: Any) -> tuple[Dimension, ...]:
    return tuple(Dimension(each) for each in _DIMENSIONS(value))


def _tiers(value: Any) -> frozenset[Tier]:
    return frozenset(Tier(each) for each in _TIERS(value))


def _zone(value: Any) -> ZoneInfo:
    if isinstance(value, ZoneInfo):
        return value
    # The names alone: a path, or a folder of zones, is none.
    if not isinstance(value, str) or value not in available_timezones():
        close = nearest(value, sorted(available_timezones()))
        raise ValueError(
            f"{quoted(value)} is no time zone{close or '; write a name such as Europe/Berlin, or UTC'}"
        )
    return ZoneInfo(value)


def _clock(value: Any) -> time:
    if not isinstance(value, str) or re.fullmatch(_CLOCK, value) is None:
        raise ValueError(f'{quoted(value)} is no time of day; write "06:00"')
    return time.fromisoformat(value)


def _year_day(value: Any) -> tuple[int, int]:
    if not isinstance(value, str) or re.fullmatch(_YEAR_DAY, value) is None:
        raise ValueError(f'{quoted(value)} is no day of a year; write month and day, such as "04-01"')
    month, day = int(value[:2]), int(value[3:])
    if day > _DAYS_OF_MONTH[month - 1]:
        raise ValueError(f'{quoted(value)} is no day of every year; write month and day, such as "04-01"')
    return month, day


def _instant(value: Any) -> datetime:
    try:
        instant = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f'{quoted(value)} is no moment; write "2026-12-01T18:00:00Z"') from None
    if instant.tzinfo is None:
        raise ValueError(
            f'{quoted(value)} has no offset; write "{instant.isoformat()}Z", or +01:00 at its end'
        )
    return instant


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{quoted(value)} is no number")  # noqa: TRY004
    return value


def _text(pattern: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": list(examples)})


def _several(names: Sequence[str]) -> WithJsonSchema:
    one = {"type": "string", "enum": list(names)}
    return WithJsonSchema(
        {"anyOf": [one, {"type": "array", "items": one, "minItems": 1, "uniqueItems": True}]}
    )


Name: TypeAlias = Annotated[
    str,
    BeforeValidator(_name),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": _LONGEST_NAME}),
]
Amount: TypeAlias = Annotated[Money, BeforeValidator(_money), _text(_MONEY, "1200 USD")]
PositiveAmount: TypeAlias = Annotated[Money, BeforeValidator(_positive_money), _text(_MONEY, "40 USD")]
Limit: TypeAlias = Annotated[
    Money | Tokens,
    BeforeValidator(_limit),
    _text(f"{_MONEY}|{_TOKENS}", "40 USD", "2M tokens", "500000 tokens"),
]
Share: TypeAlias = Annotated[Decimal, BeforeValidator(_share), _text(_SHARE, "80%")]
Seconds: TypeAlias = Annotated[float, BeforeValidator(_seconds), _text(_LENGTH, "30s", "5m", "1h", "7d")]
WindowLength: TypeAlias = Annotated[float, BeforeValidator(_window_length), _text(_LENGTH, "60s", "1h", "7d")]
Whole: TypeAlias = Annotated[int, BeforeValidator(_number), Field(gt=0, le=_MOST_TOKENS)]
Weight: TypeAlias = Annotated[float, BeforeValidator(_number), Field(gt=0, le=1000, allow_inf_nan=False)]
Dimensions: TypeAlias = Annotated[
    tuple[Dimension, ...], BeforeValidator(_dimensions), _several(list(Dimension))
]
Tiers: TypeAlias = Annotated[frozenset[Tier], BeforeValidator(_tiers), _several(list(Tier))]
Zone: TypeAlias = Annotated[
    ZoneInfo, BeforeValidator(_zone), WithJsonSchema({"type": "string", "examples": ["Europe/Berlin", "UTC"]})
]
Clock: TypeAlias = Annotated[time, BeforeValidator(_clock), _text(_CLOCK, "06:00")]
Weekday: TypeAlias = Annotated[
    str, BeforeValidator(_one_of(WEEKDAYS)), WithJsonSchema({"type": "string", "enum": list(WEEKDAYS)})
]
YearDay: TypeAlias = Annotated[tuple[int, int], BeforeValidator(_year_day), _text(_YEAR_DAY, "04-01")]
Instant: TypeAlias = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-12-01T18:00:00Z"]}),
]
