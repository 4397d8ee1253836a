"""Figures: amounts, quantities, currencies and days as statements write them, read exactly or refused."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Context, Decimal

from .problems import Problems, shown

__all__ = ["EXACT", "amount_of", "currency_of", "day_of", "figure_of", "moment_of", "text_of"]

EXACT = Context(prec=120)
"""Exact for sums and products of everything that is read here; the default context rounds after 28 digits."""

# ISO 4217, those of countries; units of accounts and metals bill nobody.
_CODES = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY "
    "COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR "
    "ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK "
    "MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF "
    "SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU "
    "UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG"
)
_CURRENCIES = frozenset(_CODES.split())
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
# Above any bill, and below what a text of a few characters could make of a sum.
_MOST_DIGITS, _MOST_PLACES = 16, 40


def amount_of(value: object, place: str, problems: Problems) -> Decimal | None:
    """The amount, exactly as it is written: 0.1 is 0.1, and 0.30000000000000004 is that. None after a problem."""
    return _read(value, place, problems, "amount", "12.34")


def figure_of(value: object, place: str, problems: Problems) -> Decimal | None:
    """A quantity, as `amount_of`."""
    return _read(value, place, problems, "quantity", "1200")


def currency_of(value: object, place: str, problems: Problems) -> str | None:
    """The currency in capitals: "usd" is USD. None after a problem."""
    code = value.strip().upper() if isinstance(value, str) else ""
    if code in _CURRENCIES:
        return code
    problems.add(place, f'{shown(value)} is no currency; write a code of ISO 4217 such as "USD"')
    return None


def text_of(value: object, place: str, problems: Problems) -> str | None:
    """A name, or None where there is none; None after a problem."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value.strip() or None
    problems.add(place, f"{shown(value)} is no text; write a name in quotes")
    return None


def day_of(value: object, place: str, problems: Problems) -> date | None:
    """The day that "2026-10-03" names. None after a problem."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value.strip(), re.ASCII):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            pass
    problems.add(place, f"{shown(value)} is no day; write it as 2026-10-03")
    return None


def moment_of(value: object, place: str, problems: Problems) -> datetime | None:
    """The time, in UTC, of a text such as "2026-10-03T00:00:00Z" or of Unix seconds. None after a problem.

    A text without a zone is taken to be UTC, as FOCUS and both providers mean it.
    """
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        problems.add(place, f'{shown(value)} is no time; write it as "2026-10-03T00:00:00Z"')
        return None


def _read(value: object, place: str, problems: Problems, what: str, example: str) -> Decimal | None:
    number = _decimal(value)
    if number is None:
        problems.add(place, f"{shown(value)} is no {what}; write a number such as {example}")
    elif number.adjusted() >= _MOST_DIGITS or _places(number) > _MOST_PLACES:
        problems.add(
            place,
            f"{shown(value)} does not fit: at most {_MOST_DIGITS} digits before the point and {_MOST_PLACES} after",
        )
    else:
        return number
    return None


def _places(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, str):
        return Decimal(value.strip()) if _NUMBER.fullmatch(value.strip()) else None
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        # The shortest text that means this float is what whoever wrote it saw.
        value = Decimal(repr(value))
    if isinstance(value, int | Decimal):
        number = Decimal(value)
        return number if number.is_finite() else None
    return None
