"""Exchange: amounts in another currency, by rates that each hold from a date until the next one of their pair."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal

from .rates import SMALLEST

__all__ = ["Exchange", "ExchangeRate"]

# Exact for any stored amount times any rate; only the quotient of an inverse is cut, far below the smallest amount.
_WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class ExchangeRate:
    """One unit of `base` is worth `rate` units of `quote`, from `since` (a UTC day) on."""

    base: str
    quote: str
    since: date
    rate: Decimal


class Exchange:
    """The rates of all pairs. A later file's row takes the place of an earlier one of the same pair and day."""

    def __init__(self, rows: Iterable[ExchangeRate] = ()) -> None:
        pairs: dict[tuple[str, str], dict[date, Decimal]] = {}
        for row in rows:
            pairs.setdefault((row.base, row.quote), {})[row.since] = row.rate
        self._pairs = {pair: sorted(found.items()) for pair, found in pairs.items()}

    def convert(self, amount: Decimal, base: str, quote: str, at: datetime) -> Decimal | None:
        """`amount` of `base` in `quote` as of the UTC day of `at`, to 1e-12, half to even; None without a rate.

        A pair that is known only the other way round is divided by. Rates are never chained over a third currency.
        100 EUR at 1.0871 are 108.71 USD, and 108.71 USD are 100 EUR.
        """
        if base == quote:
            return amount
        if (rate := self._rate(base, quote, at)) is not None:
            found = _WIDE.multiply(amount, rate)
        elif (rate := self._rate(quote, base, at)) is not None:
            found = _WIDE.divide(amount, rate)
        else:
            return None
        return found.quantize(SMALLEST, context=_WIDE)

    def _rate(self, base: str, quote: str, at: datetime) -> Decimal | None:
        rows = self._pairs.get((base, quote), [])
        place = bisect_right(rows, at.astimezone(UTC).date(), key=lambda row: row[0])
        return rows[place - 1][1] if place else None
