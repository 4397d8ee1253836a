"""Truth: what a race came to, by what the provider billed. No gate is asked.

What is settled and in flight at a moment is what was let through until then, whatever it turned out to cost: it only
grows. A refusal is false where that was still below the ceiling.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

from overspend_agents import Found

__all__ = ["Outcome", "judged"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One race. Money in millionths of a dollar; times in seconds from the first request."""

    ceiling: int
    billed: int
    largest: int
    """The largest call that was let through."""
    calls: int
    refused: int
    refused_falsely: int
    """While what was settled and in flight was below the ceiling."""
    refused_though_it_fits: int
    """While this very call would have fitted, too."""
    spent_s: float
    """Until the ceiling was billed and settled; where it never was, until the last call was."""
    cut: int
    broken: int
    agents_cpu_s: float

    @property
    def over(self) -> float:
        """What was billed above the ceiling, in largest calls; below zero where the ceiling was not reached."""
        return (self.billed - self.ceiling) / self.largest if self.largest else 0.0

    @property
    def used(self) -> float:
        """The share of the ceiling that was billed."""
        return self.billed / self.ceiling


def judged(found: Found, ceiling: int) -> Outcome:
    """What was found, held against the ceiling."""
    granted = sorted(found.billed, key=lambda call: call.granted_at)
    moments = [call.granted_at for call in granted]
    through = [0, *accumulate(call.micro for call in granted)]
    falsely = fits = 0
    for refusal in found.denied:
        until_then = through[bisect_right(moments, refusal.at)]
        falsely += until_then < ceiling
        fits += until_then + refusal.micro <= ceiling
    settled = sorted(found.billed, key=lambda call: call.settled_at)
    sums = accumulate(call.micro for call in settled)
    reached = (call.settled_at for call, total in zip(settled, sums, strict=True) if total >= ceiling)
    last = settled[-1].settled_at if settled else found.began
    return Outcome(
        ceiling=ceiling,
        billed=through[-1],
        largest=max((call.micro for call in granted), default=0),
        calls=len(granted),
        refused=len(found.denied),
        refused_falsely=falsely,
        refused_though_it_fits=fits,
        spent_s=next(reached, last) - found.began,
        cut=found.cut,
        broken=found.broken,
        agents_cpu_s=found.cpu_s,
    )
