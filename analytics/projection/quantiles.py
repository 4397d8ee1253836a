"""Quantiles of forecast errors, by situation, that follow a stream: shipped ones first, then the stream's own.

An error is `z = ln((actual + floor) / (point + floor))`. When one comes due, each quantile q of its
situation moves:

    q_tau += a s (tau - 1{z <= q_tau})        a = max(step, 0.5 (10 + n)^-0.6)

with n forecasts seen there before and s half the shipped distance between the outer quantiles. As the step does not
vanish, the share of errors below q_tau goes to tau in the long run whatever the stream does (quantile tracking, as in
Angelopoulos, Candes and Tibshirani, Conformal PID Control for Time Series Prediction, arXiv 2307.16895).
"""

from __future__ import annotations

from collections.abc import Sequence

from .band import TAUS

__all__ = ["COLD_BELOW", "Row", "Tracker"]

Row = tuple[float, float, float, float, float]
"""One value of z for each of TAUS, ascending."""

# A two-sided 90 % band needs 19 observations before its ends can come from them: 2 / (19 + 1) = 0.1.
COLD_BELOW = 19

_LEAST_SPREAD = 0.02


class Tracker:
    """The rows of quantiles of all situations of one stream. Memory: five floats and a count for each."""

    __slots__ = ("_spread", "_step", "rows", "seen")

    def __init__(self, shipped: Sequence[Row], step: float) -> None:
        self.rows = [list(row) for row in shipped]
        self.seen = [0] * len(shipped)
        self._spread = [max(_LEAST_SPREAD, (row[-1] - row[0]) / 2) for row in shipped]
        self._step = step

    def saw(self, situation: int, z: float) -> None:
        """A forecast made in `situation` came due, and its error was z."""
        seen = self.seen[situation]
        self.seen[situation] = seen + 1
        step = max(self._step, 0.5 * (10 + seen) ** -0.6) * self._spread[situation]
        row = self.rows[situation]
        for place, tau in enumerate(TAUS):
            row[place] += step * (tau - 1.0) if z <= row[place] else step * tau
        row.sort()

    def state(self) -> dict[str, list[object]]:
        """What was learned, as plain values."""
        return {"rows": [list(row) for row in self.rows], "seen": list(self.seen)}

    def restore(self, state: dict[str, list[object]]) -> None:
        """Take up what `state` gave. Raises ValueError where it is of other situations."""
        rows, seen = state["rows"], state["seen"]
        if len(rows) != len(self.rows) or len(seen) != len(self.rows):
            raise ValueError(f"a state of {len(rows)} situations cannot be restored into {len(self.rows)}")
        self.rows = [[float(value) for value in row] for row in rows]  # type: ignore[attr-defined]
        self.seen = [int(count) for count in seen]  # type: ignore[call-overload]
