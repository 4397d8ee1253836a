"""Apportion: split an amount so that the parts are round and still add up to it, by largest remainder."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal, localcontext

__all__ = ["evenly", "rounded"]

# Exact for any DECIMAL(38,12): the default context would round after 28 digits.
_EXACT = Context(prec=60)


def evenly(amount: Decimal, parts: int, quantum: Decimal) -> list[Decimal]:
    """`amount` in `parts` equal parts, each a multiple of `quantum`; the first ones take what is left over.

    `evenly(Decimal("100.00"), 3, Decimal("0.01"))` is 33.34, 33.33, 33.33. The amount must itself be a multiple
    of the quantum, else no such parts exist: ValueError.
    """
    with localcontext(_EXACT):
        units = amount / quantum
        if units != units.to_integral_value():
            raise ValueError(f"{amount} is no multiple of {quantum}")
        each, left = divmod(int(units), parts)
        return [(each + (1 if place < left else 0)) * quantum for place in range(parts)]


def rounded(values: Sequence[Decimal], quantum: Decimal) -> list[Decimal]:
    """Each value to a multiple of `quantum`, such that they add up to the rounded sum of the exact values.

    `rounded([0.333, 0.333, 0.334], 0.01)` is 0.33, 0.33, 0.34. Values move by less than one quantum; the largest
    remainders go up, of equal ones the first.
    """
    with localcontext(_EXACT):
        floors = [(value / quantum).to_integral_value(ROUND_FLOOR) for value in values]
        total = (sum(values, Decimal(0)) / quantum).to_integral_value(ROUND_HALF_EVEN)
        left = int(total - sum(floors, Decimal(0)))
        by_remainder = sorted(
            range(len(values)), key=lambda place: (floors[place] - values[place] / quantum, place)
        )
        up = set(by_remainder[:left])
        return [(floor + (1 if place in up else 0)) * quantum for place, floor in enumerate(floors)]
