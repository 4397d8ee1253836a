"""Booking: what would have to be booked so that the ledger is what the statement says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from ..apportion import rounded
from .results import Cause, ProviderResult, Reconciliation

__all__ = ["TRUE_UP", "Proposed", "booking"]

TRUE_UP = "true_up"
"""The kind of the ledger's line."""

_PLACES = Decimal("1e-12")
_WHY = {
    Cause.TIME_ZONE: "left over of days that the two sides cut at another hour",
    Cause.UNPRICED: "calls without a price here, at theirs",
    Cause.UNSEEN: "billed above what was seen",
    Cause.UNBILLED: "seen and not billed",
    Cause.ROUNDING: "rounding of the statement",
    Cause.PRICE: "the same tokens at their price",
    Cause.NOT_COMPARABLE: "a difference that nothing explains further",
}


@dataclass(frozen=True, slots=True)
class Proposed:
    """One adjustment: `amount` above 0 raises the cost. `day` is the last one that was compared."""

    kind: str
    provider: str
    cause: Cause
    amount: Decimal
    currency: str
    day: date
    text: str


def booking(reconciliation: Reconciliation) -> list[Proposed]:
    """One adjustment for each provider, cause and currency, to twelve places; together they are the gap.

    What was booked late is no part of it: the ledger has that already. With it, ours + late + these = theirs.
    """
    return [proposed for result in reconciliation.providers for proposed in _of(result)]


def _of(result: ProviderResult) -> list[Proposed]:
    parts = [
        (cause, result.causes[cause]) for cause in Cause if cause in result.causes and cause is not Cause.LATE
    ]
    amounts = rounded([amount for _, amount in parts], _PLACES)
    first, last = result.days
    return [
        Proposed(
            TRUE_UP,
            result.provider,
            cause,
            amount,
            result.currency,
            last,
            f"{result.provider} {first} to {last}, {cause}: {_WHY[cause]}",
        )
        for (cause, _), amount in zip(parts, amounts, strict=True)
        if amount
    ]
