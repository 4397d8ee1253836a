"""Rhythm: at which hours of a week work comes. Pure."""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import NDArray

__all__ = ["HOURS", "Rhythm", "shape"]

HOURS = 7 * 24


class Rhythm(Enum):
    """When an agent is busy, in UTC."""

    OFFICE = "office"
    """Working hours of working days."""
    EVENING = "evening"
    """All day, most in the evening, at weekends too."""
    NIGHT = "night"
    """Jobs after midnight, every night."""
    MONDAY = "monday"
    """Working hours, by far the most on Mondays."""


# The share of each hour of a day, from midnight.
_DAYS = {
    Rhythm.OFFICE: (
        *(0.06, 0.05, 0.05, 0.05, 0.07, 0.15, 0.4, 0.9, 1.5, 1.8, 1.9, 1.7),
        *(1.4, 1.7, 1.8, 1.7, 1.4, 1.0, 0.6, 0.4, 0.3, 0.2, 0.12, 0.08),
    ),
    Rhythm.EVENING: (
        *(0.35, 0.2, 0.15, 0.12, 0.15, 0.25, 0.5, 0.8, 1.0, 1.2, 1.3, 1.3),
        *(1.3, 1.2, 1.2, 1.2, 1.3, 1.5, 1.8, 2.0, 1.9, 1.5, 1.0, 0.6),
    ),
    Rhythm.NIGHT: (
        *(2.0, 4.0, 5.0, 4.5, 3.0, 1.5, 0.4, 0.1, 0.05, 0.05, 0.05, 0.05),
        *(0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.1, 0.3, 0.8),
    ),
}
_DAYS[Rhythm.MONDAY] = _DAYS[Rhythm.OFFICE]
# The share of each day of a week, from Monday.
_WEEKS = {
    Rhythm.OFFICE: (1.0, 1.08, 1.1, 1.05, 0.85, 0.15, 0.12),
    Rhythm.EVENING: (1.05, 1.0, 1.0, 1.0, 1.05, 0.85, 0.8),
    Rhythm.NIGHT: (1.0, 1.0, 1.0, 1.0, 1.0, 0.7, 0.7),
    Rhythm.MONDAY: (3.5, 0.8, 0.5, 0.5, 0.8, 0.05, 0.05),
}


def shape(rhythm: Rhythm) -> NDArray[np.float64]:
    """The `HOURS` of a week from Monday 00:00 UTC, 1 on average."""
    hours = np.outer(np.array(_WEEKS[rhythm]), np.array(_DAYS[rhythm])).ravel()
    weights: NDArray[np.float64] = hours / hours.mean()
    return weights
