"""Periods: which are closed, and what each close was made by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from .calendar import Calendar, Period
from .errors import LedgerError
from .settings import Accounts

if TYPE_CHECKING:
    import duckdb

__all__ = ["Closed", "as_closed", "closed", "following", "keep", "open_for"]


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed period."""

    period: str
    zone: str
    starts: datetime
    ends: datetime
    """The next period's first instant."""
    closed_at: datetime
    closed_by: str
    watermark: datetime | None
    booked_seq: int
    """How far the calls were booked that it counts."""
    first_seq: int
    """The first entry that its close appended,"""
    last_seq: int
    """and the last; one less than the first where it appended none."""
    totals: Sequence[Mapping[str, Any]]
    """By currency: `amount`, `entries` and `calls`."""
    root_hash: str
    terms: Mapping[str, Any]
    """`accounts`, `accrued` (providers), `accepted` (blockers with reasons), `software`, `entries`, `by_key`."""
    files: Mapping[str, str]
    """The SHA-256 of each file by its name, without the manifest."""

    @property
    def accounts(self) -> Accounts:
        """Those of the journal."""
        return Accounts(**self.terms["accounts"])

    @property
    def accrued(self) -> frozenset[str]:
        """The providers whose invoice had not come."""
        return frozenset(self.terms["accrued"])

    @property
    def last_day(self) -> date:
        """On which the journal is booked."""
        return date.fromisoformat(self.terms["last_day"])

    @property
    def reach(self) -> str:
        """The entries that are charged to it, in words."""
        return str(self.terms["reach"])

    def told(self) -> dict[str, Any]:
        """All of it, for the manifest and the API."""
        return asdict(self)


def as_closed(period: Closed, calendar: Calendar) -> Period:
    """The period, by a calendar that is still the one it was closed by. Raises LedgerError where it is another."""
    found = calendar.period(period.period)
    if (found.start, found.stop) != (period.starts, period.ends):
        raise LedgerError(
            f"{period.period} was closed in the zone {period.zone}, and days are cut in {calendar.zone} now: "
            f"nothing can be compared with it; set zone: {period.zone} in chargeback.yaml",
            409,
        )
    return found


def following(last: Closed, calendar: Calendar) -> Period:
    """The period after a closed one."""
    return calendar.period_of(calendar.period(last.period).last_day + timedelta(days=1))


def open_for(con: duckdb.DuckDBPyConnection, period: Period, calendar: Calendar) -> Period:
    """Where something of a period is charged: there, or in the first open one where it is closed."""
    known = closed(con)
    if not known or period.start >= known[-1].ends:
        return period
    return following(known[-1], calendar)


_JSON = ("totals", "terms", "files")
_TIMES = ("starts", "ends", "closed_at", "watermark")
_NAMES = tuple(each.name for each in fields(Closed))


def closed(con: duckdb.DuckDBPyConnection) -> list[Closed]:
    """Those that are closed, the first first."""
    rows = con.execute(f"SELECT {', '.join(_NAMES)} FROM ledger_periods ORDER BY starts").fetchall()  # noqa: S608
    return [_closed(dict(zip(_NAMES, row, strict=True))) for row in rows]


def keep(con: duckdb.DuckDBPyConnection, period: Closed) -> None:
    """Note a close, inside the transaction that appends its entries."""
    values = {name: getattr(period, name) for name in _NAMES}
    values |= {name: orjson.dumps(values[name]).decode() for name in _JSON}
    marks = ", ".join(f"${name}" for name in _NAMES)
    con.execute(f"INSERT INTO ledger_periods ({', '.join(_NAMES)}) VALUES ({marks})", values)  # noqa: S608


def _closed(row: dict[str, Any]) -> Closed:
    row |= {name: orjson.loads(row[name]) for name in _JSON}
    row |= {name: row[name].astimezone(UTC) for name in _TIMES if row[name] is not None}
    return Closed(**row)
