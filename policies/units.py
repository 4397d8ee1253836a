"""Atoms: the whole numbers in which the engine counts. Money in 1e-12 of its currency, tokens as they are.

A sum of ints is exact as a sum of Decimals is, and takes a tenth of the time. Decimals are what comes in and goes out.
"""

from __future__ import annotations

from decimal import Decimal

from .model import Unit

__all__ = ["PLACES", "atoms", "decimal"]

PLACES = 12
"""Decimal places of money that an atom keeps: as many as the ledger does."""

_ONE = 10**PLACES


def atoms(amount: Decimal, unit: Unit = Unit.MONEY) -> int:
    """The amount in atoms, rounded up where it is finer than one: a counter is never below the true sum."""
    scaled = amount * _ONE if unit is Unit.MONEY else amount
    whole = int(scaled)
    return whole + 1 if scaled > whole else whole


def decimal(amount: int, unit: Unit = Unit.MONEY) -> Decimal:
    """The amount that so many atoms are."""
    return Decimal(amount).scaleb(-PLACES).normalize() if unit is Unit.MONEY else Decimal(amount)
