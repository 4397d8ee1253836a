"""Buckets: one limit a minute, refilled steadily and kept apart by tier, so that no tier meets what another drew.

A tier's bucket holds a second's worth for interactive work and a quarter of one for the others: what is let through
never bunches into a burst that the provider, which enforces its minutes in short slices, would answer with 429. What
flows in is divided among the buckets that are not full, weighted max-min: while an interactive bucket is full, all of
the flow goes to the others (nothing is lost while anybody waits), and while it is not, it comes first, but for the
trickle by weight that keeps background alive. A tier that had more than its part has it counted: up to two minutes'
worth of its part it does without, so that a burst of interactive work does not even pay the trickle. A flood of
background work so leaves interactive waits as they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from switchgear.tier import Tier

from .shares import divide

__all__ = ["Buckets"]

# Grants reach the provider a little later and less evenly than they are given out.
_HEADROOM = 0.95
_COUNTED_S = 120.0
_BURST_S = {Tier.INTERACTIVE: 1.0, Tier.BATCH: 0.25, Tier.BACKGROUND: 0.25}
_TIGHT_BURST_S = 0.25


@dataclass(slots=True)
class Buckets:
    """What each tier may draw now. A level may fall below zero and is then waited for; `now` is epoch seconds."""

    weights: Mapping[Tier, float]
    rate: float | None = None
    """Per second; None: unlimited."""
    _levels: dict[Tier, float] = field(default_factory=dict)
    _ahead: dict[Tier, float] = field(default_factory=lambda: dict.fromkeys(Tier, 0.0))
    """What a tier had beyond its part of late (negative: lacked)."""
    _at: float = 0.0
    _tight: bool = False

    def refill(self, per_minute: float | None, now: float, *, tight: bool = False) -> None:
        """Let flow in what has come since the last time, at a limit of `per_minute` from now on.

        `tight`: the limit is only guessed, and no tier's bucket holds a whole second's worth.
        """
        elapsed, self._at, self._tight = max(0.0, now - self._at), now, tight
        if per_minute is None:
            self.rate = None
            self._levels.clear()
            return
        self.rate = per_minute / 60.0 * _HEADROOM
        if not self._levels:
            self._levels = {tier: self._most(tier) for tier in Tier}
            return
        wants = {}
        for tier, level in self._levels.items():
            most = self._most(tier)
            if level < most:
                wants[tier] = most - level
            elif self._tight:
                # It was filled when a second's worth could be had.
                self._levels[tier] = most
        if wants and elapsed:
            self._pour(self.rate * elapsed, wants)

    def _pour(self, amount: float, wants: Mapping[Tier, float]) -> None:
        """Divide what flows in: first among interactive work and who had no more than its part, then the rest."""
        first = [tier for tier in wants if tier is Tier.INTERACTIVE or self._ahead[tier] <= 0.0]
        poured = dict.fromkeys(wants, 0.0)
        left = amount
        for tiers in (first, [tier for tier in wants if tier not in first]):
            if tiers and left > 0.0:
                parts = divide(left, [(self.weights[tier], wants[tier]) for tier in tiers])
                left -= sum(parts)
                poured.update(zip(tiers, parts, strict=True))
        weights = sum(self.weights[tier] for tier in wants)
        for tier, part in poured.items():
            self._levels[tier] += part
            own = amount * self.weights[tier] / weights if len(wants) > 1 else 0.0
            most = _COUNTED_S * (self.rate or 0.0) * self.weights[tier] / sum(self.weights.values())
            self._ahead[tier] = min(most, max(-most, self._ahead[tier] + part - own))

    def holds(self, tier: Tier, amount: float) -> bool:
        """Whether the tier's bucket holds so much."""
        return self.rate is None or self._levels[tier] >= amount

    def level(self, tier: Tier) -> float:
        """What the tier's bucket holds; endless where nothing limits it."""
        return math.inf if self.rate is None else self._levels[tier]

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
        rate = self.rate or 0.0
        if self._tight:
            # And one more: at a slow rate what flows in would be lost between one look and the next.
            return 1.0 + rate * _TIGHT_BURST_S
        return max(1.0, rate * _BURST_S[tier])
