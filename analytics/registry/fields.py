"""Fields: what one field of a registry line may hold. Each function returns the value, or raises ValueError.

Its text starts with the value and says what to write; who reads the line puts the place before it.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

__all__ = ["MAX_NAME", "amount", "currency", "day", "month", "name", "plain"]

MAX_NAME = 200
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
_CURRENCY = re.compile(r"[A-Z]{3}")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_GROUPED = re.compile(
    r"[+-]?\d{1,3}([,.' \u00a0\u202f]\d{3})*[,.]\d{1,2}|[+-]?\d{1,3}([, '\u00a0\u202f]\d{3})+"
)
# As far as every time zone has whole days.
_YEARS = range(1970, 2200)


def name(value: object) -> str:
    """A name of at most MAX_NAME characters, as it is."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{value!r} is no name; write a text that is not empty")
    if len(value) > MAX_NAME:
        raise ValueError(f"{len(value)} characters; a name has at most {MAX_NAME}")
    return value


def day(value: object) -> date:
    """A date of the years 1970 to 2199, written 2026-11-16."""
    try:
        found = date.fromisoformat(value) if isinstance(value, str) and _DAY.fullmatch(value) else None
    except ValueError:
        found = None
    if found is None or found.year not in _YEARS:
        raise ValueError(f'{value!r} is no date; write year, month and day such as "2026-11-16"')
    return found


def month(value: object) -> date:
    """The first day of a month that is written 2026-11."""
    found = _MONTH.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found[1]) not in _YEARS:
        raise ValueError(f'{value!r} is no month; write "2026-11"')
    return date(int(found[1]), int(found[2]), 1)


def currency(value: object) -> str:
    """Three capitals, as ISO 4217 has them."""
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise ValueError(f'{value!r} is no currency; write three capitals such as "USD"')
    return value


def amount(value: object) -> Decimal:
    """An amount of at least 0, from a text with a point before the cents and nothing between thousands."""
    text = value.strip() if isinstance(value, str) else ""
    if not _NUMBER.fullmatch(text):
        raise ValueError(_no_amount(value, text))
    found = Decimal(text)
    if found < 0:
        raise ValueError(f"{value} is below 0; write what is planned, or came in, as 0 or more")
    if found >= 10**12 or found != found.quantize(Decimal("0.000001")):
        raise ValueError(f"{value} does not fit 12 digits before the point and 6 after it")
    return found


def plain(amount: Decimal) -> str:
    """The amount without trailing zeros and never with an exponent: 1200.500000 is "1200.5"."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _no_amount(value: object, text: str) -> str:
    if not _GROUPED.fullmatch(text):
        return f'{value!r} is no amount; write a text such as "1200" or "1200.50"'
    # A last group of one or two digits are cents, whatever mark stands before it.
    last = max(text.rfind(","), text.rfind("."))
    has_cents = last >= 0 and len(text) - last <= len(",50")
    whole, cents = (text[:last], f".{text[last + 1 :]}") if has_cents else (text, "")
    plainly = re.sub(r"[^\d+-]", "", whole) + cents
    return f'{value!r} has marks between its digits; write "{plainly}": a point before the cents and nothing else'
