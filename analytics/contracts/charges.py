"""Charges: the lines of a contract's month, and what they add up to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from .exact import EXACT

__all__ = ["Charge", "Kind", "Statement"]


class Kind(StrEnum):
    """What a charge is for, and which of a statement's three sums it is part of."""

    USAGE = "usage"
    """What was used, at list price. In all three sums."""
    DISCOUNT = "discount"
    """A discount of some models; negative. In contracted and effective, as are the next two."""
    TIER = "tier"
    """The discount of a volume tier; negative."""
    OVERAGE = "overage"
    """What a burst costs on top of the base price."""
    COVERED = "covered"
    """What provisioned units carried, and so is not billed on demand; negative. In effective, as are the next."""
    PROVISIONED = "provisioned"
    """The part of the units' price that was used."""
    IDLE = "idle"
    """The part of the units' price that was not."""
    SHORTFALL = "shortfall"
    """What is missing to the commitment, and is billed all the same."""
    COMMITMENT = "commitment"
    """How much of the commitment was drawn. A memo, in no sum: the other charges have it already."""


@dataclass(frozen=True, slots=True)
class Charge:
    """One line: `quantity` at `rate` makes `amount`, rounded to 12 places (half to even).

    The price of provisioned units is one amount in two lines: there the last place follows the larger remainder.
    """

    kind: Kind
    start: datetime
    end: datetime
    """Exclusive. A minute for overage by the minute, else the contract's part of the month."""
    item: str
    """The model, the patterns of models, or the name of the term that it comes from."""
    quantity: Decimal
    unit: str
    """What the quantity is of: a currency, or "unit-hours"."""
    rate: Decimal
    amount: Decimal
    currency: str
    contract: str
    """The contract's version."""
    why: str
    """One sentence on how it came about."""
    tokens: Decimal | None = None
    """Where it is about tokens: how many, as the term counts them."""


_CONTRACTED = frozenset({Kind.USAGE, Kind.DISCOUNT, Kind.TIER, Kind.OVERAGE})
_EFFECTIVE = frozenset(Kind) - {Kind.COMMITMENT}


@dataclass(frozen=True, slots=True)
class Statement:
    """A contract's month: its charges, and three sums in the sense of FOCUS 1.4, all in `currency`.

    Where `unpriced_tokens` is not 0 there was usage whose list cost is not known: the sums are without it.
    """

    contract: str
    start: datetime
    end: datetime
    currency: str
    charges: tuple[Charge, ...]
    unpriced_tokens: int = 0

    @property
    def list_cost(self) -> Decimal:
        """ListCost: list unit price times quantity; what the usage costs anyone without a contract."""
        return _sum(self.charges, frozenset({Kind.USAGE}))

    @property
    def contracted_cost(self) -> Decimal:
        """ContractedCost: contracted unit price times quantity; with every negotiated unit price (discounts,
        tiers, the multipliers of bursts), and without the effect of commitments and provisioned units."""
        return _sum(self.charges, _CONTRACTED)

    @property
    def effective_cost(self) -> Decimal:
        """EffectiveCost: after all reduced rates and discounts, with what was bought to cover the usage:
        provisioned units, used and idle, and the shortfall of a commitment. What the month really costs."""
        return _sum(self.charges, _EFFECTIVE)

    def by_kind(self) -> Mapping[Kind, Decimal]:
        """The amount of each kind that there are charges of."""
        return {
            kind: _sum(self.charges, frozenset({kind}))
            for kind in Kind
            if any(charge.kind is kind for charge in self.charges)
        }


def _sum(charges: tuple[Charge, ...], kinds: frozenset[Kind]) -> Decimal:
    total = Decimal(0)
    for charge in charges:
        if charge.kind in kinds:
            total = EXACT.add(total, charge.amount)
    return total
