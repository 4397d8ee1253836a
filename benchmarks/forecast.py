"""Forecasts of a month's end, judged by what came: how often the 80 % band held it, and how far the middle was off.

Recorded: the clients of ServeGen (m-mid and m-small), 14 days of rates in bins of 10 minutes, each call at the same
cost; one by one, and ten at a time, as a cost centre has several workloads. A period is those 14 days, and the forecast
is asked for at noon of some of them, with nothing known from before: the hardest case, all of it cold.

Made: five months of weekly seasons, a level that drifts, grows or falls, noise, single wild days, and in a third a new
level from one day on. The forecast is asked for at noon of four days of each month; in the first it is cold.

Beside it stands the flat run rate: what the period has cost so far, over its elapsed part.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray
from projection_streams import SHARED, rates_of

from analytics.forecast import month_end

__all__ = ["Judged", "judged", "made", "recorded", "table"]

Array = NDArray[np.float64]
DAY = timedelta(days=1)
FIRST = date(2026, 6, 1)
NOON = timedelta(hours=12)
SEED = 1
_BINS_A_DAY = 144
_MADE_DAYS = 153  # June to October
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Series:
    """The cost of each half day, two a day, from FIRST on."""

    halves: Array

    @property
    def days(self) -> Array:
        return self.halves.reshape(-1, 2).sum(axis=1)


@dataclass(frozen=True, slots=True)
class Judged:
    """Of one forecast: amounts over what the period came to; `cold` as the forecast said."""

    asked: int
    """Days of the period that were over."""
    inside: bool
    below: bool
    width: float
    error: float
    naive: float
    cold: bool


def recorded(together: int = 1) -> list[Series]:
    """ServeGen's clients that sent anything in a third of their days, so many at a time."""
    frame = pl.read_parquet(SHARED / "traces" / "servegen_mid_small.parquet")
    clients = [_halves(each.rate) for each in rates_of(frame, "servegen")]
    active = [each for each in clients if (each.reshape(-1, 2).sum(axis=1) > 0).mean() > 1 / 3]
    groups = [active[place : place + together] for place in range(0, len(active), together)]
    return [Series(np.sum(group, axis=0)) for group in groups if len(group) == together]


def _halves(rate: Array) -> Array:
    whole = np.zeros(14 * _BINS_A_DAY)
    whole[: len(rate)] = rate[: len(whole)]
    return whole.reshape(-1, _BINS_A_DAY // 2).sum(axis=1) * 600 * float(_CENT)


def made(count: int, seed: int = SEED) -> Iterator[Series]:
    """Seasonal series; the same for a seed."""
    draw = np.random.default_rng(seed)
    for _ in range(count):
        weekdays = np.r_[np.ones(5), draw.uniform(0.1, 1.0, 2)] * draw.lognormal(0, 0.1, 7)
        growth = draw.choice([0.0, 0.0, 0.005, 0.015, -0.005])
        level = np.exp(np.cumsum(draw.normal(growth, draw.choice([0.01, 0.03, 0.06]), _MADE_DAYS)))
        noise = draw.lognormal(0, draw.choice([0.1, 0.25, 0.5]), _MADE_DAYS)
        days = 100 * level * noise * weekdays[np.arange(_MADE_DAYS) % 7]
        for wild in draw.integers(0, _MADE_DAYS, draw.poisson(_MADE_DAYS / 40)):
            days[wild] *= draw.uniform(2, 8)
        if draw.random() < 1 / 3:
            days[draw.integers(20, _MADE_DAYS) :] *= draw.choice([0.4, 0.6, 1.6, 2.5])
        morning = draw.beta(20, 20, _MADE_DAYS)
        yield Series(np.column_stack([days * morning, days * (1 - morning)]).ravel())


def judged(series: Iterable[Series], start: date, end: date, asked: Sequence[int]) -> Iterator[Judged]:
    """Each series' period [start, end), asked for at noon after so many of its days."""
    for each in series:
        days = each.days
        since, until = (start - FIRST).days, (end - FIRST).days
        final = float(days[since:until].sum())
        for over in asked:
            today = since + over
            known = {FIRST + place * DAY: Decimal(float(days[place])) for place in range(today)}
            known[FIRST + today * DAY] = Decimal(float(each.halves[2 * today]))
            now = datetime.combine(FIRST + today * DAY, datetime.min.time(), UTC) + NOON
            found = month_end(known, now=now, start=start, end=end)
            if found is None or not final:
                continue
            flat = float(found.spent) * (until - since) / (over + 0.5)
            yield Judged(
                asked=over,
                inside=float(found.low) <= final <= float(found.high),
                below=final < float(found.low),
                width=float(found.high - found.low) / final,
                error=abs(float(found.expected) - final) / final,
                naive=abs(flat - final) / final,
                cold=found.method == "cold",
            )


def table(title: str, found: Sequence[Judged]) -> Iterator[str]:
    """A line for each day that was asked on, and one for all."""
    yield f"{title}: {len(found)} forecasts"
    yield "  days over    held  below  above   width   error  flat's   cold"
    for asked in sorted({each.asked for each in found}):
        yield _line(f"{asked}.5", [each for each in found if each.asked == asked])
    yield _line("all", found)


def _line(name: str, rows: Sequence[Judged]) -> str:
    held, below = (np.mean([getattr(each, what) for each in rows]) for what in ("inside", "below"))
    width, error, naive = (
        np.median([getattr(each, what) for each in rows]) for what in ("width", "error", "naive")
    )
    cold = np.mean([each.cold for each in rows])
    shares = f"{held:6.1%} {below:6.1%} {abs(1 - held - below):6.1%}"
    figures = f"{shares} {width:7.1%} {error:7.1%} {naive:7.1%} {cold:6.0%}"
    return f"  {name:>9}  {figures}"


def _months() -> list[tuple[date, date]]:
    firsts = [date(2026, month, 1) for month in range(6, 12)]
    return list(pairwise(firsts))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--series", type=int, default=200, help="how many series are made (default: 200)")
    parser.add_argument("--seed", type=int, default=SEED, help="of what is made (default: 1)")
    said = parser.parse_args()
    fortnight = (FIRST, FIRST + 14 * DAY)
    for title, together in (("recorded clients", 1), ("recorded clients, ten at a time", 10)):
        print(*table(title, list(judged(recorded(together), *fortnight, (4, 7, 10, 12)))), sep="\n")
    series = list(made(said.series, said.seed))
    first, *others = _months()
    print(*table("made, the first month", list(judged(series, *first, (3, 10, 17, 24)))), sep="\n")
    later = [each for month in others for each in judged(series, *month, (3, 10, 17, 24))]
    print(*table("made, later months", later), sep="\n")


if __name__ == "__main__":
    main()
