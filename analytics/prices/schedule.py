"""Schedule: the sheets of one model, one after the other in time, and by the hour where its prices go by the hour."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from .rates import Sheet

__all__ = ["BEGINNING", "DAY_S", "Day", "Schedule", "scheduled"]

BEGINNING = datetime.min.replace(tzinfo=UTC)
DAY_S = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Day:
    """What holds through a day: each sheet from its second of the UTC day on; None where there are no prices."""

    seconds: tuple[int, ...]
    sheets: tuple[Sheet | None, ...]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Each day's sheets from its moment on; the first moment is before all calls."""

    moments: tuple[datetime, ...]
    days: tuple[Day, ...]

    def at(self, instant: datetime) -> Sheet | None:
        """The sheet at an instant that has a time zone; None where the model has no prices then."""
        day = self.days[bisect_right(self.moments, instant) - 1]
        if len(day.sheets) == 1:
            return day.sheets[0]
        utc = instant.astimezone(UTC)
        second = (utc.hour * 60 + utc.minute) * 60 + utc.second
        return day.sheets[bisect_right(day.seconds, second) - 1]


def scheduled(
    moments: Iterable[datetime],
    seconds: Iterable[int],
    sheet: Callable[[datetime, int], Sheet | None],
) -> Schedule:
    """The schedule of a model whose prices change at `moments`, and within days at `seconds`.

    `sheet` says what holds from a moment on, at a second of the day.
    """
    starts = sorted({BEGINNING, *moments})
    within = sorted({0, *(second % DAY_S for second in seconds)})
    days = [_joined(within, [sheet(start, second) for second in within]) for start in starts]
    return Schedule(tuple(starts), tuple(days))


def _joined(seconds: list[int], sheets: list[Sheet | None]) -> Day:
    """The day, with what does not change at a second left out."""
    kept = [
        (second, each)
        for place, (second, each) in enumerate(zip(seconds, sheets, strict=True))
        if place == 0 or each != sheets[place - 1]
    ]
    return Day(tuple(second for second, _ in kept), tuple(each for _, each in kept))
