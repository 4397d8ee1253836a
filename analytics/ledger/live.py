"""Live: the lines of a running collector, by the prices, contracts and settings that hold at the moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from . import lines
from .calendar import Period
from .days import Days
from .lines import Terms

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from ..live import Followed, LivePrices
    from .settings import Chargeback

__all__ = ["LiveLines"]


class LiveLines:
    """Computes the lines of one store; a day in which nothing has changed once. Safe to ask from any thread."""

    def __init__(
        self,
        prices: LivePrices,
        chargeback: Followed[Chargeback],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._prices = prices
        self._chargeback = chargeback
        self._now = now
        self._days = Days()

    @property
    def chargeback(self) -> Chargeback:
        """The settings that hold now."""
        return self._chargeback.value

    @property
    def now(self) -> datetime:
        """The time, in UTC."""
        return self._now()

    @property
    def today(self) -> date:
        """The day that it is in the calendar's zone."""
        return self.chargeback.calendar.day_of(self._now())

    def of_period(self, con: duckdb.DuckDBPyConnection, period: Period) -> pa.Table:
        """The lines of a period: what `ledger.corrections` asks for. `con` sees everything."""
        return self.of_range(con, period.first_day, period.last_day)

    def of_range(self, con: duckdb.DuckDBPyConnection, first_day: date, last_day: date) -> pa.Table:
        """The lines of the days from the first to the last. `con` sees everything."""
        return lines.of_range(con, first_day, last_day, self._terms(), today=self.today, days=self._days)

    def of_calls(self, con: duckdb.DuckDBPyConnection, first_day: date, last_day: date) -> pa.Table:
        """The lines of calls and rerates alone, of those that `con` sees."""
        return lines.of_calls(con, first_day, last_day, self._terms())

    def _terms(self) -> Terms:
        chargeback = self.chargeback
        return Terms(chargeback.calendar, self._prices.book, self._prices.contracts, chargeback.rules)
