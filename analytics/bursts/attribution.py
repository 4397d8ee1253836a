"""Attribution: which tenant pays how much of a charge that arose from what all of them used together.

Two charges, one rule. An *overage* arises because the use of all is above what was committed; *underuse* (the idle cost
of provisioned capacity, the shortfall of a commitment) because it is below. Each tenant holds a share of what was
committed. In an overage a tenant is looked at for its use and allowed its share; in underuse it is looked at for its
share and allowed its use. What it is looked at for, beyond what it is allowed, is its excess:

- `PROPORTIONAL`: by excess. Within its share a tenant pays nothing of an overage; one that uses its share pays nothing
  of underuse. This is the integral of the marginal cost along the path from min(use, share) to the use.
- `MARGINAL`: by the whole of what it is looked at for. It is Aumann-Shapley: the integral of the marginal cost along
  the ray from nothing to the use, s q max(0, 1 - K/Q) for one surcharge s above K.
- `EVEN`: the same for every tenant that is looked at for anything.
- `FIXED`: by the weights, whatever was used.

With one measure both integrals are independent of the form of the cost: each tenant's part of every step along a
straight path is the same, so that any number of bands, and a cliff that the path meets once, give the same parts.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from decimal import Decimal, localcontext
from enum import StrEnum
from fractions import Fraction
from typing import TypeVar

from analytics.apportion import rounded
from analytics.contracts.bands import percentile_95
from analytics.contracts.exact import EXACT, QUANTUM
from collector.call import UNATTRIBUTED

__all__ = ["Method", "at_percentile_95", "overage", "shares", "split", "underuse"]

Number = int | Decimal | Fraction
Key = TypeVar("Key", bound=Hashable)


class Method(StrEnum):
    """By what a charge is divided."""

    PROPORTIONAL = "proportional"
    EVEN = "even"
    FIXED = "fixed"
    MARGINAL = "marginal"


def shares(committed: Number, holders: Iterable[str], weights: Mapping[str, Number]) -> dict[str, Fraction]:
    """What each holder is entitled to of what was committed: by weight, 1 for whom `weights` does not name.

    The shares add up to what was committed, so that whenever the use of all is above it somebody is above their
    share. A weight of 0 is no share; where nobody has a weight, nobody has a share, and all use is above it.
    """
    held = {name: Fraction(weights.get(name, 1)) for name in holders}
    if least := min(held.items(), key=lambda item: item[1], default=None):
        _not_negative("weight", *least)
    total = sum(held.values(), Fraction(0))
    return {name: Fraction(committed) * weight / total if total else weight for name, weight in held.items()}


def overage(
    charge: Decimal,
    used: Mapping[str, Number],
    *,
    committed: Number,
    weights: Mapping[str, Number],
    method: Method = Method.PROPORTIONAL,
) -> dict[str, Decimal]:
    """The charge of one minute that went above `committed`, by tenant; the amounts add up to it exactly.

    Shares are those of the tenants that used anything in it. Only who pays is in the answer. With 100 committed and
    weights 50, 30 and 20, uses of 80, 40 and 10 are 30, 10 and 0 above: of a charge of 30 they pay 22.5, 7.5 and 0.

    Raises ValueError where the use is not above what was committed: such a charge arose from something else.
    """
    active = {name: Fraction(use) for name, use in sorted(used.items()) if use}
    total = sum(active.values(), Fraction(0))
    if total <= committed:
        raise ValueError(f"{total} used is not above the {committed} committed: no overage to attribute")
    return _divided(charge, active, shares(committed, active, weights), weights, method)


def underuse(
    charge: Decimal,
    used: Mapping[str, Number],
    *,
    committed: Number,
    weights: Mapping[str, Number],
    method: Method = Method.PROPORTIONAL,
) -> dict[str, Decimal]:
    """The cost of what was committed and not used, by tenant; the amounts add up to the charge exactly.

    `used` names everyone for whom it was committed, with 0 for who used nothing: they hold shares all the same. In
    tokens for provisioned capacity, in money for a commitment. Where nobody holds a share, the charge is
    `unattributed`.

    Raises ValueError where all that was committed was used.
    """
    total = sum((Fraction(use) for use in used.values()), Fraction(0))
    if total >= committed:
        raise ValueError(
            f"{total} used leaves nothing of the {committed} committed: no underuse to attribute"
        )
    held = shares(committed, sorted(used), weights)
    if method is not Method.FIXED and not any(held.values()):
        return {UNATTRIBUTED: charge} if charge else {}
    return _divided(charge, held, {name: Fraction(use) for name, use in used.items()}, weights, method)


def split(charge: Decimal, claims: Mapping[Key, Number]) -> dict[Key, Decimal]:
    """The charge in proportion to the claims, in units of 1e-12, by largest remainder; of equal ones the first.

    Raises ValueError for a charge below zero or finer than 1e-12, a claim below zero, and where there is no claim.
    """
    for key, claim in claims.items():
        _not_negative("claim", key, claim)
    charged = {key: claim for key, claim in claims.items() if claim}
    if charge < 0 or charge != charge.quantize(QUANTUM, context=EXACT):
        raise ValueError(
            f"a charge of {charge} cannot be divided; it must be a multiple of {QUANTUM}, not below 0"
        )
    if not charged:
        raise ValueError(f"nobody has a claim by which a charge of {charge} could be divided")
    wholes = _wholes(list(charged.values()))
    with localcontext(EXACT):
        total = sum(wholes)
        parts = rounded([charge * whole / total for whole in wholes], QUANTUM)
    return {key: part for key, part in zip(charged, parts, strict=True) if part}


def at_percentile_95(minutes: Mapping[int, Decimal], samples: int) -> list[int]:
    """The minutes that set the bill where a period of so many minutes is charged at their 95th percentile.

    The charge changes only with the minute at the percentile, so that it is the overage of that minute, to be paid
    by those who were active in it; minutes that tie with it share it evenly. `minutes` holds the tokens of each
    minute that had any; without use at the percentile there is no charge, and no minute.
    """
    level = percentile_95(minutes.values(), samples)
    return [start for start, tokens in sorted(minutes.items()) if tokens == level]


def _divided(
    charge: Decimal,
    looked_at: Mapping[str, Fraction],
    allowed: Mapping[str, Fraction],
    weights: Mapping[str, Number],
    method: Method,
) -> dict[str, Decimal]:
    nothing = Fraction(0)
    match method:
        case Method.PROPORTIONAL:
            above = {
                name: max(nothing, size - allowed.get(name, nothing)) for name, size in looked_at.items()
            }
            return split(charge, above)
        case Method.MARGINAL:
            return split(charge, looked_at)
        case Method.EVEN:
            return split(charge, {name: 1 for name, size in looked_at.items() if size})
        case Method.FIXED:
            return split(charge, dict(sorted(weights.items())))


def _wholes(claims: Sequence[Number]) -> list[int]:
    """The claims as whole numbers in the same proportions, so that equal parts are equal to the last digit."""
    if all(isinstance(claim, int) for claim in claims):
        return [int(claim) for claim in claims]
    exact = [Fraction(claim) for claim in claims]
    unit = math.lcm(*(claim.denominator for claim in exact))
    return [int(claim * unit) for claim in exact]


def _not_negative(what: str, key: object, value: Number) -> None:
    if value < 0:
        raise ValueError(f"{what} of {key!r} is {value}; it must not be below 0")
