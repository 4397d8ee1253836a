"""Quantiles of forecast errors, by situation, that follow a stream: shipped ones first, then the stream's own.

An error is `z = ln((actual + floor) / (point + floor))`. The quantile tau of a situation is a part of its own and one
that all situations of the stream share, in units of s, half the shipped distance between its outer quantiles:

    q_tau = own_tau + s shared_tau             w = half the distance between the outer ones now

When a forecast comes due, both parts of its situation move, each at its own pace:

    own_tau += a w (tau - 1{z <= q_tau})       a = max(step, 0.2 (10 + n)^-0.6)
    shared_tau += b w/s (tau - 1{z <= q_tau})  b = max(shared_step, 0.3 (10 + N)^-0.6)

with n forecasts seen in the situation before and N in all. As they move by parts of w, a narrow band is not shaken by
steps that were right for the shipped one. By the shared part a new stream learns from few forecasts
how much wilder or tamer than the shipped ones it is. As the paces do not vanish, the share of errors below q_tau goes
to tau in the long run whatever the stream does (quantile tracking, as in Angelopoulos, Candes and Tibshirani, Conformal
PID Control for Time Series Prediction, arXiv 2307.16895).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .band import TAUS

__all__ = ["COLD_BELOW", "Row", "Tracker"]

Row = tuple[float, float, float, float, float]
"""One value of z for each of TAUS, ascending."""

# A two-sided 90 % band needs 19 observations before its ends can come from them: 2 / (19 + 1) = 0.1.
COLD_BELOW = 19

_LEAST_SPREAD = 0.02


class Tracker:
    """The rows of quantiles of all situations of one stream. Memory: five floats and a count for each."""

    __slots__ = ("_own", "_shared", "_shared_step", "_spread", "_step", "_total", "seen")

    def __init__(self, shipped: Sequence[Row], step: float, shared_step: float) -> None:
        self._own = [list(row) for row in shipped]
        self._shared = [0.0] * len(TAUS)
        self._spread = [max(_LEAST_SPREAD, (row[-1] - row[0]) / 2) for row in shipped]
        self._step, self._shared_step = step, shared_step
        self._total = 0
        self.seen = [0] * len(shipped)

    def row(self, situation: int) -> list[float]:
        """The quantiles of `situation`, ascending."""
        spread = self._spread[situation]
        return sorted(
            [own + spread * shared for own, shared in zip(self._own[situation], self._shared, strict=True)]
        )

    def saw(self, situation: int, z: float) -> None:
        """A forecast made in `situation` came due, and its error was z."""
        spread, own, shared = self._spread[situation], self._own[situation], self._shared
        now = max(_LEAST_SPREAD, (own[-1] - own[0] + spread * (shared[-1] - shared[0])) / 2)
        pace = max(self._step, 0.2 * (10 + self.seen[situation]) ** -0.6) * now
        shared_pace = max(self._shared_step, 0.3 * (10 + self._total) ** -0.6) * now / spread
        self.seen[situation] += 1
        self._total += 1
        for place, tau in enumerate(TAUS):
            toward = tau if z > own[place] + spread * shared[place] else tau - 1.0
            own[place] += pace * toward
            shared[place] += shared_pace * toward

    def state(self) -> dict[str, Any]:
        """What was learned, as plain values."""
        return {
            "rows": [list(row) for row in self._own],
            "shared": list(self._shared),
            "seen": list(self.seen),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave. Raises ValueError where it is of other situations."""
        rows, seen = state["rows"], state["seen"]
        if len(rows) != len(self._own) or len(seen) != len(self._own):
            raise ValueError(f"a state of {len(rows)} situations cannot be restored into {len(self._own)}")
        self._own = [list(row) for row in rows]
        self._shared, self.seen = list(state["shared"]), list(seen)
        self._total = sum(self.seen)
