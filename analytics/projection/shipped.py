"""What a new scope's forecasts begin with: weights of its rates, and quantiles of errors by situation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

from .quantiles import Row

__all__ = ["CALENDAR", "CHECKPOINTS", "ROLLING", "CalendarTable", "Table", "calendar_table", "rolling_table"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Table:
    """How a rolling window is forecast.

    `weights` are of the spend per horizon at the rate of the last twelfth, quarter and whole of the window, of the same
    time one window ago, and of the scope's long mean. `rows` are quantiles of z for each of `SITUATIONS`.
    """

    weights: Row
    rows: tuple[Row, ...]
    step: float = 0.01


@dataclass(frozen=True, slots=True)
class CalendarTable:
    """How a calendar period is forecast, at each of `CHECKPOINTS`.

    `weights` are of the remainder at the recent rate, the last period's, the usual period's, and that of the mean rate
    so far; `rows` are quantiles of z.
    """

    weights: tuple[tuple[float, float, float, float], ...]
    rows: tuple[Row, ...]
    step: float = 0.02


CHECKPOINTS = (0.10, 0.25, 0.50, 0.75, 0.90)
"""Shares of a period that have passed when a forecast of its end is logged."""

_ROW = (-1.0, -0.5, 0.0, 0.4, 0.9)
ROLLING = {
    300.0: Table((0.01, 0.05, 0.68, 0.0, 0.0), (_ROW,) * 11),
    3_600.0: Table((0.40, 0.33, 0.22, 0.0, 0.0), (_ROW,) * 11),
    86_400.0: Table((0.61, 0.0, 0.01, 0.31, 0.01), (_ROW,) * 11),
}
"""By length of the window in seconds."""

CALENDAR = {
    3_600.0: CalendarTable(((0.8, 0.0, 0.0, 0.2),) * 5, (_ROW,) * 5),
    86_400.0: CalendarTable(((0.4, 0.2, 0.4, 0.0),) * 5, (_ROW,) * 5),
}
"""By length of the period in seconds; months are forecast as days are."""


def rolling_table(window_s: float) -> Table:
    """The shipped table of the nearest length, nearest as a ratio."""
    return _nearest(ROLLING, window_s)


def calendar_table(length_s: float) -> CalendarTable:
    """The shipped table of the nearest length, nearest as a ratio."""
    return _nearest(CALENDAR, length_s)


def _nearest(tables: dict[float, T], length_s: float) -> T:
    return tables[min(tables, key=lambda each: abs(math.log(each / length_s)))]
