"""Names, amounts and choices of a policy file: how each is written, what it becomes, and what to write instead.

Each reader takes what the file holds and raises ValueError with the reason and a hint. The patterns beside them are
for editors, which check a file as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, WithJsonSchema

from analytics.documents import nearest, quoted
from switchgear.money import Money
from switchgear.tier import Tier

from ..calendars import WEEKDAYS
from ..model import Dimension

__all__ = [
    "Amount",
    "Audits",
    "Bound",
    "Confidence",
    "Count",
    "Currency",
    "Dimensions",
    "Limit",
    "Name",
    "PositiveAmount",
    "Reason",
    "Share",
    "Tiers",
    "Tokens",
    "Weekday",
    "Weight",
    "Whole",
]

_THOUSANDS = {"": 1, "k": 10**3, "M": 10**6, "B": 10**9}
# Far above what any provider serves in a year.
_MOST = 10**15
_MOST_WEIGHT = 1000
# The least that a counter of money holds is 1e-12.
_DECIMALS = 12
_LONGEST_NAME = 128
_LONGEST_REASON = 500
# Control characters, and those that end a line or turn its direction: names and reasons are shown in logs.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_SHARE = r"^[0-9]+(\.[0-9]+)?\s*%$"
_MONEY = r"^\s*\S+\s+[A-Z]{3}\s*$"
_TOKENS = r"^\s*([0-9][0-9_]*(\.[0-9]+)?)\s*([kMB]?)\s+tokens\s*$"


@dataclass(frozen=True, slots=True)
class Tokens:
    """A number of tokens; written "2M tokens", "500000 tokens"."""

    count: int

    def __str__(self) -> str:
        return f"{self.count} tokens"


def _text_up_to(most: int) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str):
            kind = "no text" if isinstance(value, list | dict) or value is None else "no text as it stands"
            raise ValueError(f"{quoted(value)} is {kind}; write a text, in quotes")  # noqa: TRY004 - pydantic wants ValueError
        if not value.strip():
            raise ValueError("the text is empty; write at least one letter")
        if value != value.strip():
            raise ValueError(f"{quoted(value)} begins or ends with a blank; write {quoted(value.strip())}")
        if len(value) > most:
            raise ValueError(f"{quoted(value)} has {len(value)} characters; write at most {most}")
        if sign := _UNPRINTABLE.search(value):
            raise ValueError(
                f"{quoted(value)} has the unprintable character U+{ord(sign[0]):04X}; leave it out"
            )
        return value

    return read


def _money(value: Any) -> Money:
    try:
        money = Money.parse(value) if isinstance(value, str) else None
    except ValueError as problem:
        # The amount is wrong, where there is a currency.
        if re.search(r"\S\s+[A-Z]{3}\s*$", str(value)):
            why, _, hint = str(problem).partition("; ")
            raise ValueError(
                f"{why}; {hint if hint.startswith('at most') else f'write {_as_money(value)}'}"
            ) from None
        money = None
    if money is None:
        raise ValueError(f"{quoted(value)} has no currency; write {_as_money(value)}")
    if _decimals(money.amount) > _DECIMALS:
        raise ValueError(f"{quoted(value)} is finer than any price; write at most {_DECIMALS} decimals")
    return money


def _as_money(value: Any) -> str:
    """What was perhaps meant: "$40", "40usd" and 40 are "40 USD"."""
    found = re.fullmatch(r"\s*\$?([0-9][0-9,_]*(?:\.[0-9]+)?)\s*([A-Za-z]{3})?\s*", str(value))
    if found is None or len(found[1]) > _DECIMALS:
        return '"40 USD"'
    return f'"{found[1].replace(",", "")} {(found[2] or "USD").upper()}"'


def _decimals(amount: Decimal) -> int:
    """How many an amount has; with an exponent beyond all bounds, that of the last digit."""
    return max(0, len(amount.as_tuple().digits) - 1 - amount.adjusted()) if amount else 0


def _positive_money(value: Any) -> Money:
    money = _money(value)
    if money.amount <= 0:
        raise ValueError(f'"{money}" is not above zero; write what may be spent, such as "40 USD"')
    return money


def _limit(value: Any) -> Money | Tokens:
    if isinstance(value, str) and re.search(r"tokens?\s*$", value, re.IGNORECASE):
        return _tokens(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MOST:
        raise ValueError(f'{value} has no currency; write "{value} USD", or "{value} tokens"')
    return _positive_money(value)


def _tokens(text: str) -> Tokens:
    found = re.fullmatch(_TOKENS, text)
    if found is None:
        raise ValueError(
            f'{quoted(text)} is no number of tokens; write "500000 tokens", "500k tokens" or "2M tokens"'
        )
    count = Decimal(found[1].replace("_", "")) * _THOUSANDS[found[3]]
    if not 0 < count <= _MOST or count != int(count):
        raise ValueError(f'{quoted(text)} is no whole number up to {_MOST}; write "500000 tokens"')
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


def _part(least: str, most: str, example: str) -> Callable[[Any], Decimal]:
    def read(value: Any) -> Decimal:
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*%", str(value))
        if match is None or not Decimal(least) <= Decimal(match[1]) <= Decimal(most):
            raise ValueError(
                f'{quoted(value)} is no share from {least}% to {most}%; write one, such as "{example}"'
            )
        return Decimal(match[1]) / 100

    return read


def _whole_from(least: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        text = str(value).replace("_", "")
        # True is an int of Python's, and no number of anything.
        if (
            isinstance(value, bool)
            or not re.fullmatch(r"[0-9]{1,16}", text)
            or not least <= int(text) <= _MOST
        ):
            raise ValueError(
                f"{quoted(value)} is no whole number from {least} to {_MOST}; write one, such as 600"
            )
        return int(text)

    return read


def _weight(value: Any) -> float:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else 0
    if not 0 < number <= _MOST_WEIGHT:
        raise ValueError(f"{quoted(value)} is no weight; write a number above 0 and up to {_MOST_WEIGHT}")
    return float(number)


def _currency(value: Any) -> str:
    if not isinstance(value, str) or re.fullmatch(r"[A-Z]{3}", value) is None:
        raise ValueError(f"{quoted(value)} is no currency; write its code, such as USD")
    return value


def _one_of(names: Sequence[str]) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if isinstance(value, str) and value in names:
            return value
        raise ValueError(f"{quoted(value)} is none of: {', '.join(names)}{nearest(value, names)}")

    return read


def _several_of(names: Sequence[str]) -> Callable[[Any], tuple[str, ...]]:
    one = _one_of(names)

    def read(value: Any) -> tuple[str, ...]:
        found = [one(each) for each in (value if isinstance(value, list) else [value])]
        if not found:
            raise ValueError(f"the list is empty; leave it out, or write some of: {', '.join(names)}")
        for each in found:
            if found.count(each) > 1:
                raise ValueError(f"{quoted(each)} stands twice in the list; write it once")
        return tuple(found)

    return read


_DIMENSIONS, _TIERS = _several_of(tuple(Dimension)), _several_of(tuple(Tier))


def _dimensions(value: Any) -> tuple[Dimension, ...]:
    return tuple(Dimension(each) for each in _DIMENSIONS(value))


def _tiers(value: Any) -> frozenset[Tier]:
    return frozenset(Tier(each) for each in _TIERS(value))


def _text(most: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "minLength": 1, "maxLength": most})


def _pattern(pattern: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": list(examples)})


def _several(names: Sequence[str]) -> WithJsonSchema:
    one = {"type": "string", "enum": list(names)}
    return WithJsonSchema(
        {"anyOf": [one, {"type": "array", "items": one, "minItems": 1, "uniqueItems": True}]}
    )


def _integer(least: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "integer", "minimum": least, "maximum": _MOST})


Name: TypeAlias = Annotated[str, BeforeValidator(_text_up_to(_LONGEST_NAME)), _text(_LONGEST_NAME)]
Reason: TypeAlias = Annotated[str, BeforeValidator(_text_up_to(_LONGEST_REASON)), _text(_LONGEST_REASON)]
Currency: TypeAlias = Annotated[str, BeforeValidator(_currency), _pattern("^[A-Z]{3}$", "USD")]
Amount: TypeAlias = Annotated[Money, BeforeValidator(_money), _pattern(_MONEY, "1200 USD")]
PositiveAmount: TypeAlias = Annotated[Money, BeforeValidator(_positive_money), _pattern(_MONEY, "40 USD")]
Limit: TypeAlias = Annotated[
    Money | Tokens,
    BeforeValidator(_limit),
    _pattern(f"{_MONEY}|{_TOKENS}", "40 USD", "2M tokens", "500000 tokens"),
]
Share: TypeAlias = Annotated[Decimal, BeforeValidator(_share), _pattern(_SHARE, "80%")]
# How many of the answers that a cache serves may be wrong; below a tenth of a percent no traffic is enough to tell.
Bound: TypeAlias = Annotated[
    Decimal, BeforeValidator(_part("0.1", "50", "2%")), _pattern(_SHARE, "2%", "0.5%")
]
Confidence: TypeAlias = Annotated[
    Decimal, BeforeValidator(_part("50", "99.99", "90%")), _pattern(_SHARE, "90%", "95%")
]
Audits: TypeAlias = Annotated[Decimal, BeforeValidator(_part("0.1", "100", "5%")), _pattern(_SHARE, "5%")]
Whole: TypeAlias = Annotated[int, BeforeValidator(_whole_from(1)), _integer(1)]
Count: TypeAlias = Annotated[int, BeforeValidator(_whole_from(0)), _integer(0)]
Weight: TypeAlias = Annotated[
    float,
    BeforeValidator(_weight),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": _MOST_WEIGHT}),
]
Dimensions: TypeAlias = Annotated[
    tuple[Dimension, ...], BeforeValidator(_dimensions), _several(tuple(Dimension))
]
Tiers: TypeAlias = Annotated[frozenset[Tier], BeforeValidator(_tiers), _several(tuple(Tier))]
Weekday: TypeAlias = Annotated[
    str, BeforeValidator(_one_of(WEEKDAYS)), WithJsonSchema({"type": "string", "enum": list(WEEKDAYS)})
]
