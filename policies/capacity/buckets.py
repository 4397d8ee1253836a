"""Buckets: one limit a minute, refilled steadily and kept apart by tier, so that no tier meets what another drew.

A tier's bucket holds a second's worth for interactive work and a quarter of one for the others: what is let through
never bunches into a burst that the provider, which enforces its minutes in short slices, would answer with 429. What
flows in is divided among the buckets that are not full, weighted max-min: while an interactive bucket is full, all of
the flow goes to the others (nothing is lost while anybody waits), and while it is not, it comes first, but for the
trickle by weight that keeps background alive. A flood of background work so leaves interactive waits as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from switchgear.tier import Tier

from .shares import divide

__all__ = ["Buckets"]

# Grants reach the provider a little later and less evenly than they are given out.
_HEADROOM = 0.95
_BURST_S = {Tier.INTERACTIVE: 1.0, Tier.BATCH: 0.25, Tier.BACKGROUND: 0.25}


@dataclass(slots=True)
class Buckets:
    """What each tier may draw now. A level may fall below zero and is then waited for; `now` is epoch seconds."""

    weights: Mapping[Tier, float]
    rate: float | None = None
    """Per second; None: unlimited."""
    _levels: dict[Tier, float] = field(default_factory=dict)
    _at: float = 0.0

    def refill(self, per_minute: float | None, now: float) -> None:
        """Let flow in what has come since the last time, at a limit of `per_minute` from now on."""
        elapsed, self._at = max(0.0, now - self._at), now
        if per_minute is None:
            self.rate = None
            self._levels.clear()
            return
        self.rate = per_minute / 60.0 * _HEADROOM
        if not self._levels:
            self._levels = {tier: self._most(tier) for tier in Tier}
            return
        short = [(tier, self._most(tier) - level) for tier, level in self._levels.items()]
        wants = [(tier, lacks) for tier, lacks in short if lacks > 0.0]
        if wants and elapsed:
            parts = divide(self.rate * elapsed, [(self.weights[tier], lacks) for tier, lacks in wants])
            for (tier, _), part in zip(wants, parts, strict=True):
                self._levels[tier] += part

    def holds(self, tier: Tier, amount: float) -> bool:
        """Whether the tier's bucket holds so much."""
        return self.rate is None or self._levels[tier] >= amount

    def draw(self, tier: Tier, amount: float) -> None:
        """Take it out (negative: put it back)."""
        if self.rate is not None:
            self._levels[tier] -= amount

    def wait_s(self, tier: Tier, amount: float) -> float:
        """How long until it holds so much at the earliest: if no other tier wants anything."""
        if self.rate is None or not self.rate:
            return 0.0
        return max(0.0, amount - self._levels[tier]) / self.rate

    def _most(self, tier: Tier) -> float:
        return max(1.0, (self.rate or 0.0) * _BURST_S[tier])
