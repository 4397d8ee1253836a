"""Retention: how long details are kept. What is older goes in the booker's idle time, a day's worth at a time.

The sums by hour stay for ever, so that no amount leaves a report; what was deleted stands in the table `deletions`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb

from ..facts import rollups
from ..facts.statements import statement
from ..facts.store import Store
from ..ingest.limits import Limits
from ..settings import changed
from .deletions import DETAILS, Deletion, delete, note
from .horizon import EVER, Horizon

__all__ = ["Retention", "Sweep"]

_BY = "retention"
_A_DAY = timedelta(days=1)
_AFTER_A_FAULT = timedelta(hours=1)
_AT_MOST = dict.fromkeys(
    ("details", "not_billed", "not_billed_counts", "quarantine", "conflicts", "transitions"), 36_500
)
# What is kept -> its table, and when a row of it was noted.
_TABLES = {
    "not_billed": ("not_billed", '"at"'),
    "not_billed_counts": ("not_billed_counts", '"hour"'),
    "quarantine": ("quarantine", "booked_at"),
    "conflicts": ("conflicts", '"at"'),
    "transitions": ("audit", '"at"'),
}
# Of what is deleted together, when a row began or was over.
_DETAILS = {"booked": "started_at", "task_ends": "coalesce(ended_at, started_at)"}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Retention:
    """For how many days each kind of detail is kept; docs/retention.md says what remains."""

    details: int = 400
    """Calls, the spans that tell of them, their sums by task, and how tasks ended: since the call began, or the task
    ended."""
    not_billed: int = 7
    """Why each span was not billed."""
    not_billed_counts: int = 90
    quarantine: int = 90
    conflicts: int = 400
    transitions: int = 400

    @classmethod
    def of_everything(cls) -> Retention:
        """For as long as can be said."""
        return cls(**_AT_MOST)

    def changed(self, settings: Iterable[str]) -> Retention:
        """These days with each "name=value" put in; the last of a name wins. Raises ValueError."""
        return changed(self, settings, what="kind of detail", most=_AT_MOST)

    def check(self, limits: Limits) -> None:
        """Raise ValueError where a call could come again after its details are gone, and be booked again."""
        if self.details <= limits.past_days:
            raise ValueError(
                f"details={self.details}: a call that began {limits.past_days} days ago (the limit past_days) may "
                f"come again and must be found then; keep details for at least {limits.past_days + 1} days"
            )


class Sweep:
    """Deletes what is older than it is to be kept, once a day, and then compares the rollups with the calls.

    Call it from the booker's thread while nothing waits.
    """

    def __init__(
        self, store: Store, retention: Retention, horizon: Horizon, *, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._retention = retention
        self._horizon = horizon
        self._now = now
        self._due = EVER
        self.differences = 0
        """Rows of the rollups that were not as the calls make them, when they were compared last: once a day."""

    def __call__(self) -> None:
        """One step, of at most a day's rows of one kind; nothing when all of today's are done."""
        now = self._now()
        if now < self._due:
            return
        today = _midnight(now)
        try:
            if self._step(today, now):
                return
            if self._due is not EVER:
                self._compare()
        except duckdb.Error as problem:
            _log.warning("old details cannot be deleted: %s", str(problem).strip().splitlines()[0])
            self._due = now + _AFTER_A_FAULT
        else:
            self._due = today + _A_DAY

    def _step(self, today: datetime, now: datetime) -> bool:
        """Whether there was something to delete."""
        for table, column in _DETAILS.items():
            before = self._reached(table, column, today - timedelta(days=self._retention.details))
            if before is not None:
                self._delete_details(before, now)
                return True
        for what, (table, column) in _TABLES.items():
            before = self._reached(table, column, today - timedelta(days=getattr(self._retention, what)))
            if before is not None:
                with self._store.transaction() as con:
                    count = delete(con, table, f"{column} < $before", {"before": before})
                    reason = self._reason(what)
                    note(con, Deletion(now, _BY, reason, what, before, rows={table: count}))
                return True
        return False

    def _reached(self, table: str, column: str, kept_since: datetime) -> datetime | None:
        """The end of the oldest day in the table, where that is not to be kept."""
        with self._store.standing() as cursor:
            ((oldest,),) = cursor.execute(f"SELECT min({column}) FROM {table}").fetchall()  # noqa: S608 - our names
        if oldest is None or oldest >= kept_since:
            return None
        return min(kept_since, _midnight(oldest) + _A_DAY)

    def _delete_details(self, before: datetime, now: datetime) -> None:
        gone = {"before": before}
        with self._store.transaction() as con:
            rollups.fold(con)
            counted = con.execute(
                "SELECT count(*) FROM booked WHERE started_at < $before AND kind <> 'served'", gone
            )
            ((count,),) = counted.fetchall()
            amounts = dict(con.execute(statement("known_cost"), gone).fetchall())
            con.execute("SET VARIABLE before = $before", gone)
            con.execute(statement("retire_details"))
            reason, rows = self._reason(DETAILS), {"booked": count}
            note(con, Deletion(now, _BY, reason, DETAILS, before, rows=rows, amounts=amounts))
        self._horizon.learn()
        _log.info("deleted the details of %d calls that began before %s", count, before.date())

    def _compare(self) -> None:
        with self._store.standing() as con:
            found = rollups.check(con)
        self.differences = len(found)
        if found:
            _log.error("%d rows of the rollups are not what the calls make", len(found))

    def _reason(self, what: str) -> str:
        return f"kept for {getattr(self._retention, what)} days"


def _midnight(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
