"""Fits what `analytics/projection/fitted.py` holds, and writes it: on the first week of thin design tenants, no more.

    python benchmarks/projection_fit.py            print what it would write
    python benchmarks/projection_fit.py --write    write it

The product's own objects are driven over each tenant's week. Of each forecast that comes due after the first window it
takes the relative error of each rate, and z, the error of the point, by situation. Fitted are the mean of the former
and the quantiles of the latter, over all tenants; each counts by as many forecasts as it has.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from projection_calendar import CALENDARS, FED_S, parts
from projection_drive import WINDOWS, Window, fed
from projection_streams import SHARED, STEP_S, Stream, rates_of, stream

import analytics.projection
from analytics.projection import TAUS, CalendarForecast, RollingForecast
from analytics.projection.rates import relative_error
from analytics.projection.rolling import SITUATIONS
from analytics.projection.shipped import CHECKPOINTS, CalendarTable, RollingTable

Array = NDArray[np.float64]
TARGET = Path(analytics.projection.__file__).with_name("fitted.py")
# Situations with fewer forecasts than this take the quantiles of all.
_ENOUGH = 200
# What is fitted must not depend on what was fitted before: all rates begin alike. The band itself is not looked at.
_NEUTRAL = (-1.0, -0.5, 0.0, 0.5, 1.0)


class Recorded(RollingForecast):
    """A forecast that keeps what came due: relative errors of the rates, z, and the situation."""

    def __init__(self, window_s: float) -> None:
        super().__init__(window_s, RollingTable((0.4,) * 5, (_NEUTRAL,) * len(SITUATIONS)))
        self.seen: list[tuple[float, ...]] = []

    def _learn(
        self, rates: Any, point: float, floor: float, situation: int, expected: float, due: float
    ) -> None:
        actual = max(0.0, self._ring.horizon - due)
        off = (relative_error(actual, rate, floor) for rate in rates)
        self.seen.append((*off, math.log((actual + floor) / (point + floor)), situation))
        super()._learn(rates, point, floor, situation, expected, due)


def observed(job: tuple[Stream, Window]) -> Array:
    """What came due in the first half after its first window (n x 7)."""
    learned, window = job
    forecast = Recorded(float(window.length_s))
    begun = None
    for place, amount in enumerate(fed(learned, window)[: learned.half * STEP_S // window.fed_s].tolist()):
        if amount:
            forecast.arrived(amount, (place + 0.5) * window.fed_s)
        if begun is None and place * window.fed_s >= window.length_s:
            begun = len(forecast.seen)
    return np.array(forecast.seen[begun:]).reshape(-1, 7)


def rolling(tenants: list[Stream]) -> Iterator[str]:
    """The lines of `RATE_ERRORS` and `ROLLING_ROWS`."""
    errors, rows = ["RATE_ERRORS: dict[float, Row] = {"], ["ROLLING_ROWS: dict[float, tuple[Row, ...]] = {"]
    with ProcessPoolExecutor() as pool:
        for window in WINDOWS:
            seen = np.concatenate(list(pool.map(observed, [(each, window) for each in tenants])))
            errors.append(f"    {float(window.length_s)}: {_tuple(seen[:, :5].mean(axis=0))},")
            rows.append(f"    {float(window.length_s)}: (")
            for place, name in enumerate(SITUATIONS):
                z = seen[seen[:, 6] == place, 5]
                enough = z if len(z) >= _ENOUGH else seen[:, 5]
                rows.append(f"        {_tuple(np.quantile(enough, TAUS))},  # {name}: {len(z)} forecasts")
            rows.append("    ),")
    yield from (*errors, "}", "", *rows, "}")


class RecordedPeriods(CalendarForecast):
    """A forecast that keeps what came due: relative errors of the guesses, z, and the checkpoint."""

    def __init__(self, length_s: float) -> None:
        super().__init__(
            length_s, CalendarTable(((0.4,) * 4,) * len(CHECKPOINTS), (_NEUTRAL,) * len(CHECKPOINTS))
        )
        self.seen: list[tuple[float, ...]] = []

    def _learn(self, place: int, guesses: Any, point: float, floor: float, actual: float) -> None:
        off = (relative_error(actual, guess, floor) for guess in guesses)
        self.seen.append((*off, math.log((actual + floor) / (point + floor)), place))
        super()._learn(place, guesses, point, floor, actual)


def observed_periods(job: tuple[Stream, int]) -> Array:
    """What came due in the periods of the first half but the first (n x 6)."""
    learned, length_s = job
    forecast = RecordedPeriods(float(length_s))
    periods = parts(learned, length_s)[: learned.half * STEP_S // length_s]
    for number, pieces in enumerate(periods.tolist()):
        forecast.begin(float(number * length_s), float((number + 1) * length_s))
        for place, amount in enumerate(pieces):
            if amount:
                forecast.arrived(amount, number * length_s + (place + 0.5) * FED_S[length_s])
    return np.array(forecast.seen[len(CHECKPOINTS) :]).reshape(-1, 6)


def calendar(tenants: list[Stream]) -> Iterator[str]:
    """The lines of `GUESS_ERRORS` and `CALENDAR_ROWS`."""
    errors = ["GUESS_ERRORS: dict[float, tuple[tuple[float, float, float, float], ...]] = {"]
    rows = ["CALENDAR_ROWS: dict[float, tuple[Row, ...]] = {"]
    with ProcessPoolExecutor() as pool:
        for length_s in CALENDARS.values():
            seen = np.concatenate(list(pool.map(observed_periods, [(each, length_s) for each in tenants])))
            errors.append(f"    {float(length_s)}: (")
            rows.append(f"    {float(length_s)}: (")
            for place, share in enumerate(CHECKPOINTS):
                here = seen[seen[:, 5] == place]
                errors.append(f"        {_tuple(here[:, :4].mean(axis=0))},")
                rows.append(
                    f"        {_tuple(np.quantile(here[:, 4], TAUS))},  # {share:.0%}: {len(here)} periods"
                )
            errors.append("    ),")
            rows.append("    ),")
    yield from (*errors, "}", "", *rows, "}")


def _tuple(values: Array) -> str:
    return "(" + ", ".join(f"{value:.3f}" for value in values) + ")"


HEADER = '''"""Written by `benchmarks/projection_fit.py`: do not edit, run it with `--write`.

From the first week of {count} thin tenants made from ServeGen's m-mid and m-small clients (`projection_streams`), by
the forecasts' own errors there. Keys are lengths in seconds. Rows are quantiles .05, .2, .5, .8, .95 of z.
"""

from __future__ import annotations

from .quantiles import Row

__all__ = ["CALENDAR_ROWS", "GUESS_ERRORS", "RATE_ERRORS", "ROLLING_ROWS"]
'''


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"write {TARGET.name} instead of printing it")
    arguments = parser.parse_args()
    clients = rates_of(pl.read_parquet(SHARED / "traces" / "servegen_mid_small.parquet"), "design")
    tenants = [each for each in (stream(rates, "thin") for rates in clients) if each.eligible]
    lines = [HEADER.format(count=len(tenants)), *rolling(tenants), "", *calendar(tenants), ""]
    if arguments.write:
        TARGET.write_text("\n".join(lines), encoding="utf-8")
    else:
        print("\n".join(lines))


if __name__ == "__main__":
    main()
