"""Wording: how amounts, shares and times are written for people. Pure; programs read the document."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

__all__ = [
    "MINUS",
    "NOT_KNOWN",
    "amount",
    "day",
    "digits",
    "instant",
    "money",
    "percent",
    "short_money",
    "signed",
]

MINUS = "\u2212"
NOT_KNOWN = "—"
_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}
_SMALL = Decimal(10)
_STEPS = ((Decimal(1_000_000_000), "bn"), (Decimal(1_000_000), "m"), (Decimal(1_000), "k"))


def digits(largest: Decimal | None) -> int:
    """How many decimals a review is read with: cents, or more where all of it is less than ten."""
    return 4 if largest and abs(largest) < _SMALL else 2


def amount(value: Decimal | None, places: int) -> str:
    """A number of a currency that is named elsewhere: "1,234.50"; a dash where it is not known."""
    if value is None:
        return NOT_KNOWN
    return f"{MINUS if value < 0 else ''}{abs(value):,.{places}f}"


def signed(value: Decimal | None, places: int) -> str:
    """The same with a sign where it is above 0: for differences."""
    return f"+{amount(value, places)}" if value is not None and value > 0 else amount(value, places)


def money(value: Decimal | None, currency: str, places: int = 2) -> str:
    """An amount with its currency: "$1,234.50", "12.00 CHF". What would read as 0 has more places: "$0.000400"."""
    if value is None:
        return NOT_KNOWN
    if value and not round(value, places):
        places += 4
    sign, number = (MINUS if value < 0 else ""), f"{abs(value):,.{places}f}"
    symbol = _SYMBOLS.get(currency)
    return f"{sign}{symbol}{number}" if symbol else f"{sign}{number} {currency}"


def short_money(value: Decimal, currency: str) -> str:
    """An amount for an axis: "$1.2k", "$350", "0.40 CHF"."""
    for size, name in _STEPS:
        if abs(value) >= size:
            scaled = value / size
            text = f"{abs(scaled):.1f}".removesuffix(".0") + name
            break
    else:
        text = f"{abs(value):.2f}".removesuffix(".00")
    symbol = _SYMBOLS.get(currency)
    sign = MINUS if value < 0 else ""
    return f"{sign}{symbol}{text}" if symbol else f"{sign}{text} {currency}"


def percent(part: Decimal | None, whole: Decimal | None = Decimal(1), *, sign: bool = False) -> str:
    """A share: "12.4 %"; a dash where it is not known or of nothing."""
    if part is None or not whole:
        return NOT_KNOWN
    value = 100 * part / whole
    before = MINUS if value < 0 else "+" if sign and value > 0 else ""
    return f"{before}{abs(value):,.1f} %"


def day(value: date) -> str:
    """A day: "Mon 16 Nov"."""
    return f"{value:%a} {value.day} {value:%b}"


def instant(value: datetime | None) -> str:
    """A moment in UTC: "2026-11-16 02:04 UTC"."""
    return NOT_KNOWN if value is None else f"{value:%Y-%m-%d %H:%M} UTC"
