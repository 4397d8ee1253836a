"""How good a band is: coverage pooled, by tenant and near the ceiling, its width, and its pinball loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from projection_drive import Truth, Window

__all__ = ["TAUS", "Errors", "Score", "errors", "pooled_band", "score", "summary"]

Array = NDArray[np.float64]
TAUS = np.array([0.05, 0.5, 0.95])
# Near: more than half of a ceiling of 0.9 times the first half's 99th percentile.
_NEAR = 0.5 * 0.9


@dataclass(frozen=True, slots=True)
class Score:
    """One tenant's figures of one method: counts of scored ticks, and sums over them."""

    scored: int
    inside: int
    near: int
    near_inside: int
    near_above: int
    width: float
    pinball: float
    coming: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Shares of 1; width and pinball are the median tenant's, in units of its mean X_h."""

    coverage: float
    near: float
    near_above: float
    tenants: float
    width: float
    pinball: float

    def __str__(self) -> str:
        return (
            f"{self.coverage:.3f} / {self.near:.3f} / {self.near_above:.3f} / {self.tenants:4.0%} / {self.width:.2f} / "
            f"{self.pinball:.4f}"
        )


def score(truth: Truth, low: Array, middle: Array, high: Array, window: Window) -> Score:
    """One tenant's band over the ticks that count: every third of the horizon, where the window is not empty."""
    chosen = np.arange(0, len(truth.at_s), window.scored_every)
    chosen = chosen[truth.spent[chosen] > 0]
    x = truth.coming[chosen]
    bands = np.stack([low[chosen], middle[chosen], high[chosen]])
    above = x > bands[2] + 1e-12
    inside = (x >= bands[0] - 1e-12) & ~above
    near = truth.spent[chosen] > _NEAR * truth.p99
    over = np.maximum(0.0, x - bands)
    under = np.maximum(0.0, bands - x)
    pinball = (TAUS[:, None] * over + (1 - TAUS[:, None]) * under).mean(axis=0)
    return Score(
        len(chosen),
        int(inside.sum()),
        int(near.sum()),
        int((inside & near).sum()),
        int((above & near).sum()),
        float((bands[2] - bands[0]).sum()),
        float(pinball.sum()),
        float(x.sum()),
    )


def summary(scores: list[Score]) -> Summary:
    """All tenants that were ever active."""
    active = [each for each in scores if each.scored and each.coming > 0]
    shares = np.array([each.inside / each.scored for each in active])
    near = max(1, sum(each.near for each in active))
    return Summary(
        sum(each.inside for each in active) / sum(each.scored for each in active),
        sum(each.near_inside for each in active) / near,
        sum(each.near_above for each in active) / near,
        float(((shares >= 0.85) & (shares <= 0.95)).mean()),
        float(np.median([each.width / each.coming for each in active])),
        float(np.median([each.pinball / each.coming for each in active])),
    )


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors of a point over the first half, where the window is not empty."""

    z: Array


def errors(learned: Truth, point: Array, window: Window) -> Array:
    """z of one tenant's point over its first half, where the window is not empty."""
    chosen = np.arange(0, len(learned.at_s), window.scored_every)
    chosen = chosen[learned.spent[chosen] > 0]
    if not len(chosen) or learned.floor <= 0:
        return np.empty(0)
    return np.log((learned.coming[chosen] + learned.floor) / (point[chosen] + learned.floor))


def pooled_band(point: Array, floor: float, z: Array) -> tuple[Array, Array, Array]:
    """The point times fixed quantiles of z, for the three TAUS."""
    low, middle, high = (np.maximum(0.0, (point + floor) * np.exp(each) - floor) for each in z)
    return low, middle, high
