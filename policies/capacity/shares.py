"""Shares: a capacity divided among tenants and tiers by weight, and no part of it left idle while somebody wants it.

Weighted max-min: who wants less than its part gets what it wants, and what it leaves is divided among the others by
weight again. First among the tiers, then within each tier among its tenants. What a party could claim alone is its
*entitlement*; what it gets beyond that is *borrowed* from parties that want less, and goes back to them as soon as
they want more: nothing is lent for a time, each division starts anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from switchgear.tier import Tier

__all__ = ["Claim", "Share", "divide", "offer", "share_out"]


@dataclass(frozen=True, slots=True)
class Claim:
    """What a tenant would use in a tier, in tokens a minute, and its weight beside the tier's other tenants."""

    tenant: str
    tier: Tier
    weight: float
    demand: float


@dataclass(frozen=True, slots=True)
class Share:
    """What a claim comes to, in tokens a minute; None for entitlement and allotment where nothing limits."""

    tenant: str
    tier: Tier
    weight: float
    demand: float
    entitlement: float | None
    allotted: float | None

    @property
    def borrowed(self) -> float:
        """What it has beyond its entitlement, on the call of its owners."""
        if self.allotted is None or self.entitlement is None:
            return 0.0
        return max(0.0, self.allotted - self.entitlement)


def divide(amount: float, wants: Sequence[tuple[float, float]]) -> list[float]:
    """`amount` divided among (weight, demand) pairs, weighted max-min: 90 among (1, 10), (1, 100), (2, 100) is
    10, 26.7, 53.3.

    The parts sum to `amount` or to all demand, whichever is less; nobody gets more than it wants, or less than the
    lesser of that and amount x weight / all weights. Weights are positive. O(n log n).
    """
    parts = [0.0] * len(wants)
    weight_left = sum(weight for weight, _ in wants)
    # By demand over weight: once one is left wanting, so are all that come after it.
    for i in sorted(range(len(wants)), key=lambda i: wants[i][1] / wants[i][0]):
        weight, demand = wants[i]
        parts[i] = min(demand, amount * min(1.0, weight / weight_left)) if amount > 0 else 0.0
        amount -= parts[i]
        weight_left -= weight
    return parts


def share_out(
    capacity: float | None, claims: Iterable[Claim], tier_weights: Mapping[Tier, float]
) -> tuple[Share, ...]:
    """The claims' shares of `capacity` tokens a minute (None: unlimited, everybody gets what it wants)."""
    tiers: dict[Tier, list[Claim]] = defaultdict(list)
    for claim in claims:
        tiers[claim.tier].append(claim)
    if capacity is None:
        return tuple(
            Share(c.tenant, c.tier, c.weight, c.demand, None, None) for tier in tiers for c in tiers[tier]
        )
    wants = [(tier_weights[tier], sum(claim.demand for claim in tiers[tier])) for tier in tiers]
    all_weights = sum(weight for weight, _ in wants)
    shares: list[Share] = []
    for tier, (tier_weight, _), part in zip(tiers, wants, divide(capacity, wants), strict=True):
        claims_here = tiers[tier]
        weights = sum(claim.weight for claim in claims_here)
        parts = divide(part, [(claim.weight, claim.demand) for claim in claims_here])
        for claim, allotted in zip(claims_here, parts, strict=True):
            entitlement = capacity * tier_weight / all_weights * claim.weight / weights
            shares.append(Share(claim.tenant, tier, claim.weight, claim.demand, entitlement, allotted))
    return tuple(shares)


def offer(
    capacity: float, claims: Iterable[Claim], wanted: Claim, tier_weights: Mapping[Tier, float]
) -> float:
    """What one claim would be allotted beside the others, if its demand were `wanted.demand`."""
    party = (wanted.tenant, wanted.tier)
    others = [claim for claim in claims if (claim.tenant, claim.tier) != party]
    # First of its tier, and so at a known place: tiers keep the order in which they come.
    return share_out(capacity, [wanted, *others], tier_weights)[0].allotted or 0.0
