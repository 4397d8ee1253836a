"""Arithmetic of contracts: exact until an amount is stored, and then at 12 places."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal

__all__ = ["EXACT", "QUANTUM", "stored"]

# Products and sums of prices, shares and counts fit in it whole; only what is divided is cut, far below a quantum.
EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
# What a stored amount can hold: DECIMAL(38,12).
QUANTUM = Decimal("0.000000000001")


def stored(amount: Decimal) -> Decimal:
    """The amount as it is stored."""
    return amount.quantize(QUANTUM, context=EXACT)
