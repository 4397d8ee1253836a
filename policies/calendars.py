"""Calendars: windows that begin anew at local midnight of a day, a week, a month or a fiscal period.

A period is found by its first local day, and its moment by the zone's rules: a day of 23 or 25 hours is one day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import accumulate
from zoneinfo import ZoneInfo

__all__ = ["WEEKDAYS", "Calendar", "Cut", "Periods"]

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_DAY_S = 86_400.0
# The mean of the Gregorian calendar: 146,097 days in 400 years.
_YEAR_S = 365.2425 * _DAY_S


class Cut(StrEnum):
    """Into what a calendar cuts time."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    FISCAL = "fiscal"


class Periods(StrEnum):
    """Into what a fiscal year is cut: 12 months, 4 quarters, or quarters of 13 weeks in three periods.

    In a year of weeks the last period takes the 53rd week, where the year has one.
    """

    MONTHS = "months"
    QUARTERS = "quarters"
    WEEKS_4_4_5 = "4-4-5"
    WEEKS_4_5_4 = "4-5-4"
    WEEKS_5_4_4 = "5-4-4"

    @property
    def of_weeks(self) -> bool:
        """Whether its periods are whole weeks, and its year begins on a day of the week."""
        return self not in (Periods.MONTHS, Periods.QUARTERS)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The periods of `cut` in `zone`: a `Window` of the model.

    A period begins at `day_begins` of its first day, local time. `week_starts` counts from Monday = 0. A fiscal year
    starts on `year_starts`, (month, day); a year of weeks on that weekday which is nearest to it, so that
    `year_starts=(2, 1)` with weeks from Sunday is the retail calendar: February 2026 begins on 1 February 2026.
    """

    cut: Cut
    zone: ZoneInfo
    day_begins: time = time(0)
    week_starts: int = 0
    year_starts: tuple[int, int] = (1, 1)
    periods: Periods = Periods.MONTHS

    @property
    def length_s(self) -> float:
        """The usual length in seconds; for months and fiscal periods the mean."""
        if self.cut is Cut.DAY:
            return _DAY_S
        if self.cut is Cut.WEEK:
            return 7 * _DAY_S
        quarters = self.cut is Cut.FISCAL and self.periods is Periods.QUARTERS
        return _YEAR_S / (4 if quarters else 12)

    def bounds(self, at: float) -> tuple[float, float]:
        """Begin (included) and end (excluded) of the period that holds `at`; epoch seconds, UTC."""
        day = datetime.fromtimestamp(at, self.zone).date()
        # A clock that goes back over midnight shows a date twice, and one that begins late the date of tomorrow:
        # the period is then a neighbour of the date's own.
        first = self._first_day(day)
        while at < self._moment(first):
            first = self._first_day(first - timedelta(days=1))
        while at >= self._moment(following := self._next_first_day(first)):
            first = following
        return self._moment(first), self._moment(following)

    def _moment(self, day: date) -> float:
        """When `day` begins. A time that the clock skips is told by the offset before; of two alike, the first."""
        return datetime.combine(day, self.day_begins, self.zone).astimezone(UTC).timestamp()

    def _first_day(self, day: date) -> date:
        """The first day of the period that holds `day`."""
        if self.cut is Cut.DAY:
            return day
        if self.cut is Cut.WEEK:
            return day - timedelta(days=(day.weekday() - self.week_starts) % 7)
        return max(first for first in self._firsts_about(day) if first <= day)

    def _next_first_day(self, first: date) -> date:
        """The first day of the period after the one that begins on `first`."""
        if self.cut is Cut.DAY:
            return first + timedelta(days=1)
        if self.cut is Cut.WEEK:
            return first + timedelta(days=7)
        return min(day for day in self._firsts_about(first) if day > first)

    def _firsts_about(self, day: date) -> list[date]:
        """The first days of all periods of the years about `day`."""
        return [first for year in (day.year - 1, day.year, day.year + 1) for first in self._firsts_of(year)]

    def _firsts_of(self, year: int) -> list[date]:
        """The first days of the periods of the (fiscal) year that starts in the calendar year `year`."""
        if self.cut is Cut.FISCAL and self.periods.of_weeks:
            start = _nearest(date(year, *self.year_starts), self.week_starts)
            quarter = [int(weeks) for weeks in self.periods.value.split("-")]
            return [start + timedelta(weeks=weeks) for weeks in accumulate([0, *(quarter * 4)[:-1]])]
        month, day = self.year_starts if self.cut is Cut.FISCAL else (1, 1)
        step = 3 if self.cut is Cut.FISCAL and self.periods is Periods.QUARTERS else 1
        months = range(month - 1, month + 11, step)
        return [date(year + number // 12, number % 12 + 1, day) for number in months]


def _nearest(day: date, weekday: int) -> date:
    """The day of that weekday which is nearest to `day`: at most three days before or after."""
    return day + timedelta(days=(weekday - day.weekday() + 3) % 7 - 3)
