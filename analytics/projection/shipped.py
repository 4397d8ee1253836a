"""What a new scope's forecasts begin with, until they have learned from its own: tables by the length of a window."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from .fitted import CALENDAR_ROWS, GUESS_ERRORS, RATE_ERRORS, ROLLING_ROWS
from .quantiles import Row

__all__ = ["CHECKPOINTS", "CalendarTable", "RollingTable", "calendar_table", "rolling_table"]

T = TypeVar("T")

CHECKPOINTS = (0.10, 0.25, 0.50, 0.75, 0.90)
"""Shares of a calendar period that have passed when a forecast of its end is logged."""


@dataclass(frozen=True, slots=True)
class RollingTable:
    """What a rolling window's forecast begins with.

    `errors` are the mean relative errors of its five rates (`rolling.Rates`), `rows` quantiles of z for each of
    `rolling.SITUATIONS`; `step` and `shared_step` are the least paces of its quantiles (`quantiles`).
    """

    errors: Row
    rows: tuple[Row, ...]
    step: float = 0.01
    shared_step: float = 0.005


@dataclass(frozen=True, slots=True)
class CalendarTable:
    """What a calendar period's forecast begins with, at each of `CHECKPOINTS`.

    `errors` are the mean relative errors of its four guesses (`periods.Guesses`), `rows` quantiles of z; the paces are
    as a `RollingTable`'s.
    """

    errors: tuple[tuple[float, float, float, float], ...]
    rows: tuple[Row, ...]
    step: float = 0.02
    shared_step: float = 0.02


def rolling_table(window_s: float) -> RollingTable:
    """The shipped table of the nearest length, nearest as a ratio."""
    nearest = _nearest(ROLLING_ROWS, window_s)
    return RollingTable(RATE_ERRORS[nearest], ROLLING_ROWS[nearest])


def calendar_table(length_s: float) -> CalendarTable:
    """The shipped table of the nearest length, nearest as a ratio: months are forecast as days are."""
    nearest = _nearest(CALENDAR_ROWS, length_s)
    return CalendarTable(GUESS_ERRORS[nearest], CALENDAR_ROWS[nearest])


def _nearest(tables: Mapping[float, object], length_s: float) -> float:
    return min(tables, key=lambda each: abs(math.log(each / length_s)))
