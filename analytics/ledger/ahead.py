"""Ahead: what each cost centre will have been charged when a period ends, and whether that keeps to its plan.

What is charged so far is that of the lines. What is to come is forecast from what its calls have cost by day; what
rules will share of the days to come, and what contracts will charge, is in no forecast.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import polars as pl

from .. import forecast as forecasting
from ..queries import sql
from .calendar import Period
from .live import LiveLines

if TYPE_CHECKING:
    import duckdb

__all__ = ["with_forecast"]

_DAY = timedelta(days=1)
_HISTORY = timedelta(days=120)
_MONEY = pl.Decimal(38, 12)
_ADDED: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "forecast": _MONEY,
    "forecast_low": _MONEY,
    "forecast_high": _MONEY,
    "forecast_by": pl.String,
    "status": pl.String,
    "used_up": pl.Date,
}
_Key = tuple[str | None, str | None]


def with_forecast(
    rows: pl.DataFrame, con: duckdb.DuckDBPyConnection, live: LiveLines, period: Period
) -> pl.DataFrame:
    """The rows of a plan (`cost_centre`, `currency`, `plan`, `cost`) with what is forecast of each for the period.

    `forecast_by` is the method, `status` how the plan stands, `used_up` the day on which it is spent. NULL where there
    is no cost, or no whole day to learn from; of a period that is over the forecast is its cost.
    """
    now = live.now
    history = {} if now >= period.stop else _history(con, live, now)
    found = [_ahead(row, history, live, period, now) for row in rows.iter_rows(named=True)]
    return rows.hstack(pl.DataFrame(found, schema=_ADDED, orient="row"))


def _ahead(
    row: Mapping[str, Any],
    history: Mapping[_Key, Mapping[date, Decimal]],
    live: LiveLines,
    period: Period,
    now: datetime,
) -> dict[str, Any]:
    nothing = dict.fromkeys(_ADDED)
    cost: Decimal | None = row["cost"]
    if cost is None:
        return nothing
    by_day = history.get((row["cost_centre"], row["currency"]), {})
    zone = ZoneInfo(live.chargeback.calendar.zone)
    ahead = forecasting.month_end(
        by_day, now=now, start=period.first_day, end=period.last_day + _DAY, zone=zone
    )
    if ahead is None:
        return nothing
    beside = cost - ahead.spent
    ahead = replace(
        ahead,
        spent=cost,
        expected=ahead.expected + beside,
        low=ahead.low + beside,
        high=ahead.high + beside,
    )
    pace = forecasting.pacing(ahead, row["plan"], today=live.today) if row["plan"] is not None else None
    return {
        "forecast": ahead.expected,
        "forecast_low": ahead.low,
        "forecast_high": ahead.high,
        "forecast_by": ahead.method.value,
        "status": pace.status.value if pace is not None else None,
        "used_up": pace.used_up if pace is not None else None,
    }


def _history(
    con: duckdb.DuckDBPyConnection, live: LiveLines, now: datetime
) -> Mapping[_Key, Mapping[date, Decimal]]:
    # Hours are the same for all cost centres, and to tell the day of one takes a while.
    day_of = cache(live.chargeback.calendar.day_of)
    found: defaultdict[_Key, defaultdict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    params = {"start": now - _HISTORY, "stop": now}
    for centre, currency, hour, cost in con.execute(sql("plan_history"), params).fetchall():
        found[centre, currency][day_of(hour)] += cost
    return found
