"""Zones: days whose differences cancel with the next day's, since the two sides cut days at another hour."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal

from .figures import EXACT
from .results import total

__all__ = ["shifted"]

_BACK = Decimal("0.1")


def shifted(days: Mapping[date, tuple[Decimal, Decimal]], relative: Decimal) -> frozenset[date]:
    """The days, in pairs of neighbours, of which ours and theirs differ on each and agree on both together.

    `days` has ours and theirs by day, in tokens or in money. Each day must differ by more than `relative`, the
    second in the other direction, and the sums of both days by no more than that; and nine tenths of what moved must
    come back, so that a small difference on a large day pairs with nothing. Days are paired from the first on,
    each once.
    """
    found: set[date] = set()
    for day in sorted(days):
        after = day + timedelta(days=1)
        if day not in found and after in days and _cancel(days[day], days[after], relative):
            found |= {day, after}
    return frozenset(found)


def _cancel(one: tuple[Decimal, Decimal], other: tuple[Decimal, Decimal], relative: Decimal) -> bool:
    both = (total((one[0], other[0])), total((one[1], other[1])))
    first, second = _gap(one), _gap(other)
    return (
        (first < 0) is not (second < 0)
        and _differ(one, relative)
        and _differ(other, relative)
        and not _differ(both, relative)
        and abs(_gap(both)) <= EXACT.multiply(_BACK, min(abs(first), abs(second)))
    )


def _gap(sides: tuple[Decimal, Decimal]) -> Decimal:
    return EXACT.subtract(sides[1], sides[0])


def _differ(sides: tuple[Decimal, Decimal], relative: Decimal) -> bool:
    return abs(_gap(sides)) > EXACT.multiply(relative, max(abs(sides[0]), abs(sides[1])))
