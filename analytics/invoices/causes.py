"""Causes: what the difference of one kind of token on one day is made of.

Each cause takes its part of the difference, and the last takes what is left, so that the parts add up exactly:

    late        what was booked after the close
    then of the rest, where quantities are known:
      unpriced    (tokens of ours without a price that they bill) x their price
      unseen      (their tokens above ours) x their price
      unbilled    - (our priced tokens above theirs) x our price
      rounding or price difference: what is left, (tokens that both have) x (their price - ours)

Tokens that they bill are taken to be first those that have a price here. `time zone` stands in place of unseen and
unbilled on days that `zones` found. Every input is a sum, so neither the order of lines nor how they are split matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from .figures import EXACT
from .results import Cause

__all__ = ["Sums", "explained", "rounding"]

_PLACES = Decimal("1e-12")
_HALF_CENT, _LEAST = Decimal("0.005"), Decimal("1e-9")


@dataclass(frozen=True, slots=True)
class Sums:
    """Both sides of one cell. A quantity is None where any part of it is unknown; 0 where a side has nothing."""

    ours: Decimal
    late: Decimal
    theirs: Decimal
    priced: Decimal | None
    """Our tokens with a price, late ones too."""
    unpriced: Decimal | None
    """Our tokens without a price."""
    billed: Decimal | None
    """Their tokens."""
    has_priced: bool
    has_unpriced: bool
    has_theirs: bool

    @property
    def booked(self) -> Decimal:
        """What the ledger has by now."""
        return EXACT.add(self.ours, self.late)

    @property
    def seen(self) -> Decimal | None:
        """All tokens of ours."""
        if self.priced is None or self.unpriced is None:
            return None
        return EXACT.add(self.priced, self.unpriced)

    @property
    def measured(self) -> bool:
        """Whether quantities tell what the money is for."""
        if self.priced is None or self.unpriced is None or self.billed is None:
            return False
        whole = min(self.priced, self.unpriced, self.billed) >= 0
        return whole and bool(self.billed or not self.theirs) and bool(self.priced or not self.booked)


def explained(sums: Sums, *, comparable: bool, shifted: bool) -> tuple[tuple[Cause, Decimal], ...]:
    """The parts of `theirs` - `ours` that are not 0, one for each cause, in the order of `Cause`."""
    rest = EXACT.subtract(sums.theirs, sums.booked)
    parts = {Cause.LATE: sums.late}
    if not comparable:
        parts[Cause.NOT_COMPARABLE] = rest
    elif sums.measured:
        parts |= _by_quantity(sums, rest, shifted=shifted)
    else:
        parts[_whole(sums, rest, shifted=shifted)] = rest
    return tuple((cause, parts[cause]) for cause in Cause if parts.get(cause))


def rounding(theirs: Decimal) -> Decimal:
    """How much rounding can explain: half of the last digit of theirs, at most half a cent, at least a billionth.

    0.005 for 12.34 and for 12; 0.00005 for 0.1238.
    """
    exponent = theirs.normalize(EXACT).as_tuple().exponent
    half = Decimal((0, (5,), exponent - 1)) if isinstance(exponent, int) else _HALF_CENT
    return max(min(half, _HALF_CENT), _LEAST)


def _by_quantity(sums: Sums, rest: Decimal, *, shifted: bool) -> dict[Cause, Decimal]:
    priced, unpriced, billed = (
        sums.priced or Decimal(0),
        sums.unpriced or Decimal(0),
        sums.billed or Decimal(0),
    )
    of_priced = min(priced, billed)
    of_unpriced = min(unpriced, EXACT.subtract(billed, of_priced))
    unseen = EXACT.subtract(EXACT.subtract(billed, of_priced), of_unpriced)
    missing = EXACT.subtract(priced, of_priced)
    parts = {
        Cause.UNPRICED: _share(sums.theirs, of_unpriced, billed),
        Cause.UNSEEN: _share(sums.theirs, unseen, billed),
        Cause.UNBILLED: -_share(sums.booked, missing, priced),
    }
    if shifted:
        parts[Cause.TIME_ZONE] = EXACT.add(parts.pop(Cause.UNSEEN), parts.pop(Cause.UNBILLED))
    left = rest
    for amount in parts.values():
        left = EXACT.subtract(left, amount)
    parts[Cause.ROUNDING if abs(left) <= rounding(sums.theirs) else Cause.PRICE] = left
    return parts


def _whole(sums: Sums, rest: Decimal, *, shifted: bool) -> Cause:
    """The one cause of a difference that no quantity divides."""
    if shifted:
        return Cause.TIME_ZONE
    if not sums.has_priced:
        return Cause.UNPRICED if sums.has_unpriced else Cause.UNSEEN
    if not sums.has_theirs:
        return Cause.UNBILLED
    return Cause.ROUNDING if abs(rest) <= rounding(sums.theirs) else Cause.NOT_COMPARABLE


def _share(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """The part of an amount that falls to a part of its tokens, to twelve places; all of it is exact."""
    if not part:
        return Decimal(0)
    if part == whole:
        return amount
    return EXACT.divide(EXACT.multiply(amount, part), whole).quantize(_PLACES, context=EXACT)
