"""What a window may hold at its horizon: four quantiles, and the parts that they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["HORIZON_SHARE", "TAUS", "Band", "Schedule", "scheduled"]

# The horizon of a rolling window, as a share of the window.
HORIZON_SHARE = 0.1

# The quantiles of which all tables and trackers hold one value each.
TAUS = (0.05, 0.2, 0.5, 0.8, 0.95)

Schedule = tuple[float, float]
"""A known future spend: when (seconds since the epoch), and how much is expected."""


@dataclass(frozen=True, slots=True)
class Band:
    """Quantiles of what a window will hold, booked and held together, `horizon_s` from now.

    All amounts are in the unit of what arrived. The parts explain the middle:
    `q50 = kept + in_flight + expected + scheduled + arriving`.
    """

    q05: float
    q20: float
    q50: float
    q80: float
    q95: float
    horizon_s: float
    kept: float
    """Booked already, and still inside the window then."""
    in_flight: float
    """Held for calls that run now."""
    expected: float
    """What the caller expects of open task trees until then."""
    scheduled: float
    """What known schedules will spend until then."""
    arriving: float
    """The middle of all other spend until then, the only part that is forecast."""
    method: str
    bucket: str
    """The situation whose past errors make the width."""
    seen: int
    """How many forecasts in this situation have come due and been learned from."""
    cold: bool
    """True where the width is the shipped one, because too few have come due."""


def scheduled(schedules: Sequence[Schedule], after: float, until: float) -> float:
    """What `schedules` spend in `(after, until]`."""
    return sum(amount for at, amount in schedules if after < at <= until)
