"""Calendar: which instants a day and a period hold, in the zone in which cost is closed, and the fiscal period's name.

A day is the half-open range from its first instant to the next day's: 23 to 25 hours where clocks change. A period is a
calendar month. `Calendar("Europe/Berlin").period("2026-10")` holds 2026-09-30T22:00Z to 2026-10-31T23:00Z.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

__all__ = ["Calendar", "CalendarError", "Period"]

_DAY = timedelta(days=1)
_MONTH = re.compile("([0-9]{4})-(0[1-9]|1[0-2])")
# A day needs one before it and one after it.
_FIRST_YEAR, _LAST_YEAR = 1970, 9998


class CalendarError(ValueError):
    """A zone, month or range that is none; says which, and what to write."""


@dataclass(frozen=True, slots=True)
class Period:
    """A month, for which cost is closed at once."""

    name: str
    """Such as "2026-10"."""
    start: datetime
    """Its first instant, in UTC."""
    stop: datetime
    """The next period's first instant, in UTC."""
    first_day: date
    last_day: date
    """The last that is in it."""

    @property
    def days(self) -> tuple[date, ...]:
        """Its days, in order."""
        count = (self.last_day - self.first_day).days + 1
        return tuple(self.first_day + place * _DAY for place in range(count))


@dataclass(frozen=True, slots=True)
class Calendar:
    """The zone of days and periods, and when the fiscal year starts. Raises CalendarError for what is none."""

    zone: str = "UTC"
    """A name of the IANA time zone database."""
    fiscal_year_starts: int = 1
    """The month, 1 to 12, with which a fiscal year begins."""
    fiscal_year_named: Literal["end", "start"] = "end"
    """Whether a fiscal year has the name of the calendar year in which it ends, or of that in which it starts."""
    _info: ZoneInfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_info", _zone(self.zone))
        if self.fiscal_year_starts not in range(1, 13):
            raise CalendarError(f"{self.fiscal_year_starts} is no month; write 1 to 12, such as 7 for July")

    def period(self, name: str) -> Period:
        """The period of that name."""
        found = _MONTH.fullmatch(name)
        if found is None or not _FIRST_YEAR <= int(found[1]) <= _LAST_YEAR:
            raise CalendarError(
                f'"{name[:40]}" is no period; write the year and the month, such as "2026-10"'
            )
        first = date(int(found[1]), int(found[2]), 1)
        last = (first + 31 * _DAY).replace(day=1) - _DAY
        start, stop = self.bounds(first, last)
        return Period(name, start, stop, first, last)

    def period_of(self, day: date) -> Period:
        """The period that the day is in."""
        return self.period(f"{day.year:04}-{day.month:02}")

    def after(self, period: Period) -> Period:
        """The next period."""
        return self.period_of(period.last_day + _DAY)

    def day_of(self, at: datetime) -> date:
        """The day that an instant is in."""
        if at.tzinfo is None:
            raise CalendarError(f"{at} has no zone; give an aware time, such as one in UTC")
        day = at.astimezone(self._info).date()
        # Where clocks are put back over midnight, the date of the wall goes back too; a day does not.
        while at >= self._start(day + _DAY):
            day += _DAY
        while at < self._start(day):
            day -= _DAY
        return day

    def bounds(self, first_day: date, last_day: date) -> tuple[datetime, datetime]:
        """The half-open range of instants, in UTC, of the days from the first to the last, both within."""
        if last_day < first_day:
            raise CalendarError(f"the last day {last_day} is before the first, {first_day}")
        return self._start(first_day), self._start(last_day + _DAY)

    def fiscal(self, period: Period) -> str:
        """The fiscal year and the number of the period in it: "FY2027 P04" for 2026-10 where years start in July."""
        months = (period.first_day.month - self.fiscal_year_starts) % 12
        year = period.first_day.year - (period.first_day.month < self.fiscal_year_starts)
        if self.fiscal_year_named == "end" and self.fiscal_year_starts > 1:
            year += 1
        return f"FY{year:04} P{months + 1:02}"

    def _start(self, day: date) -> datetime:
        # A midnight that clocks leave out is the instant at which they do, and of two the first.
        return datetime.combine(day, time(), self._info).astimezone(UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (LookupError, OSError, ValueError):
        raise CalendarError(
            f'"{name[:60]}" is no time zone; write a name of the IANA database, such as "UTC" or "Europe/Berlin"'
        ) from None
