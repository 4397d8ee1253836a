"""Calendar periods: the band of a period's final spend at shares of it that have passed, and the middle's error."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from projection_streams import STEP_S, Stream

from analytics.projection import CalendarForecast
from analytics.projection.shipped import CHECKPOINTS

__all__ = ["CALENDARS", "FED_S", "Calendar", "lines_of", "parts"]

Array = NDArray[np.float64]
CALENDARS = {"1 h": 3_600, "24 h": 86_400}
FED_S = {3_600: 30, 86_400: 600}


@dataclass(frozen=True, slots=True)
class Calendar:
    """By share of the period that has passed: shares of 1."""

    shares: tuple[float, ...]
    coverage: list[float]
    error: list[float]
    """The middle's median absolute error, of the final spend."""
    naive: list[float]
    """That of spend / elapsed x length."""
    tenants: list[float]

    @property
    def lines(self) -> list[str]:
        """A line for each share."""
        columns = zip(self.shares, self.coverage, self.tenants, self.error, self.naive, strict=True)
        return ["  elapsed: coverage / tenants in [.85, .95] / median error / spend / elapsed's"] + [
            f"    {share:4.0%}: {coverage:.3f} / {tenants:4.0%} / {error:5.1%} / {naive:5.1%}"
            for share, coverage, tenants, error, naive in columns
        ]


@dataclass(frozen=True, slots=True)
class Judged:
    """Of each period and checkpoint (periods x 5): final spend, spent then, the band of the final spend."""

    final: Array
    spent: Array
    active: NDArray[np.bool_]
    low: Array
    middle: Array
    high: Array
    first: int
    """The first period of the judged half."""


def parts(stream: Stream, length_s: int) -> Array:
    """Spend in pieces (periods x pieces of FED_S)."""
    steps = FED_S[length_s] // STEP_S
    pieces = stream.cost[: len(stream.cost) // steps * steps].reshape(-1, steps).sum(axis=1)
    per = length_s // FED_S[length_s]
    return pieces[: len(pieces) // per * per].reshape(-1, per)


def judged(job: tuple[Stream, int]) -> Judged:
    """The whole stream through one CalendarForecast; asked at each checkpoint of each period."""
    stream, length_s = job
    forecast = CalendarForecast(float(length_s))
    periods = parts(stream, length_s)
    count, per = periods.shape
    piece_s = FED_S[length_s]
    asked = {round(share * per): place for place, share in enumerate(CHECKPOINTS)}
    spent, bands = np.zeros((count, 5)), np.zeros((count, 5, 3))
    for number in range(count):
        begin = float(number * length_s)
        forecast.begin(begin, begin + length_s)
        so_far = 0.0
        for place, amount in enumerate(periods[number].tolist()):
            if place in asked:
                band = forecast.band(begin + place * piece_s, so_far, 0.0)
                spent[number, asked[place]] = so_far
                bands[number, asked[place]] = (band.q05, band.q50, band.q95)
            if amount:
                forecast.arrived(amount, begin + (place + 0.5) * piece_s)
                so_far += amount
    total = periods.sum(axis=1)
    before = np.concatenate([[0.0], total[:-1]])
    active = spent + (before[:, None] - np.vstack([np.zeros(5), spent[:-1]])) > 0
    first = -(-stream.half * STEP_S // length_s)
    return Judged(total, spent, active, bands[..., 0], bands[..., 1], bands[..., 2], first)


def lines_of(streams: list[Stream], length_s: int, pool: Executor) -> Calendar:
    """All tenants' judged periods in which they spent, where the last period's length held spend when it was asked."""
    found = list(pool.map(judged, [(each, length_s) for each in streams], chunksize=4))
    result = Calendar(CHECKPOINTS, [], [], [], [])
    for place, share in enumerate(CHECKPOINTS):
        inside, errors, naive, own = [], [], [], []
        for each in found:
            final = each.final[each.first :]
            chosen = each.active[each.first :, place] & (final > 0)
            final = final[chosen]
            if not len(final):
                continue
            low, middle, high, spent = (
                values[each.first :, place][chosen]
                for values in (each.low, each.middle, each.high, each.spent)
            )
            covered = (low - 1e-9 * final <= final) & (final <= high + 1e-9 * final)
            inside.append(covered)
            own.append(float(covered.mean()))
            errors.append(np.abs(middle - final) / final)
            naive.append(np.abs(spent / share - final) / final)
        result.coverage.append(float(np.concatenate(inside).mean()))
        result.error.append(float(np.median(np.concatenate(errors))))
        result.naive.append(float(np.median(np.concatenate(naive))))
        shares = np.array(own)
        result.tenants.append(float(((shares >= 0.85) & (shares <= 0.95)).mean()))
    return result
