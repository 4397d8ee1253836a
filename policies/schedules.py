"""Known schedules: work that begins at the same local time each day, or on some days of the week."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

__all__ = ["Schedule"]


@dataclass(frozen=True, slots=True)
class Schedule:
    """At `at` in `zone`, on `days` (Monday = 0), runs begin that will cost `expect` in all, in the set's currency."""

    at: time
    zone: ZoneInfo
    expect: Decimal
    days: frozenset[int] = frozenset(range(7))

    def within(self, after: float, until: float) -> Iterator[float]:
        """The moments in `(after, until]` at which it begins; epoch seconds, UTC.

        A local time that a change of clocks skips is that much later, one that comes twice is its first.
        """
        day = self._day(after)
        while day <= self._day(until):
            moment = datetime.combine(day, self.at, self.zone).timestamp()
            if day.weekday() in self.days and after < moment <= until:
                yield moment
            day += timedelta(days=1)

    def _day(self, at: float) -> date:
        return datetime.fromtimestamp(at, UTC).astimezone(self.zone).date()
