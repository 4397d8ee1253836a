"""Money: an exact amount and its currency. Never a float."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

__all__ = ["Money", "short"]

# Far above any budget, and far below where a sum of such amounts would be rounded.
_MOST = Decimal(10) ** 15
_TEXT = re.compile(r"^\s*(?P<amount>[^\s]+)\s+(?P<currency>[A-Z]{3})\s*$")


@dataclass(frozen=True, slots=True)
class Money:
    """`Money(Decimal("0.50"), "USD")`; written "0.50 USD" in files and in code."""

    amount: Decimal
    currency: str

    @classmethod
    def parse(cls, text: str) -> Money:
        """The money that "0.50 USD" names. Raises ValueError that says what is missing."""
        match = _TEXT.match(text)
        if match is None:
            raise ValueError(f'"{text}" has no currency; write "{text.strip() or 500} USD"')
        try:
            amount = Decimal(match["amount"])
        except InvalidOperation:
            raise ValueError(
                f'"{match["amount"]}" is not an amount; write a number such as "0.50 USD"'
            ) from None
        if not amount.is_finite():
            raise ValueError(f'"{match["amount"]}" is not a finite amount')
        if abs(amount) > _MOST:
            raise ValueError(f'"{match["amount"]}" is more than any budget; at most {_MOST}')
        return cls(amount, match["currency"])

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


def short(amount: Decimal) -> str:
    """An amount for people to read in a sentence: at most six decimals, no trailing zeros, never an exponent.

    `short(Decimal("3.487200000"))` is "3.4872". What programs read is always the whole amount.
    """
    return f"{round(amount, 6).normalize():f}"
