"""Lookback: the range that an audit is about, in whole hours and one currency, with the weeks before it to compare
with.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from collector.reporting import ReportError

from ..parameters import at_most, check_names, time_range
from ..queries import sql

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

__all__ = ["HOUR", "NAMES", "Lookback"]

HOUR = timedelta(hours=1)
NAMES = ("tenant", "workload", "owner")
"""What may be asked for by name; an empty value asks for what has none."""

_MAX_WEEKS = 26
# As far as weeks before and the rest of an hour after can be told.
_FIRST_YEAR, _LAST_YEAR = 1, 9998


@dataclass(frozen=True, slots=True)
class Lookback:
    """One request. The range is widened to whole hours, since sums by hour are what it is compared by."""

    since: datetime
    """Where the weeks before begin."""
    start: datetime
    stop: datetime
    currency: str
    names: Mapping[str, str]
    top: int

    @classmethod
    def of(
        cls,
        con: duckdb.DuckDBPyConnection,
        params: Mapping[str, str],
        *,
        weeks: int,
        top: int,
        more: tuple[str, ...] = (),
    ) -> Lookback:
        """The request that text parameters make: `weeks` before are looked at unless they say otherwise.

        Raises ReportError for what is unfit, and where the range holds several currencies and none is chosen.
        """
        check_names(params, ("from", "to", "currency", "weeks", "top", *NAMES, *more))
        start, stop = time_range(params)
        if not (start.year > _FIRST_YEAR and stop.year <= _LAST_YEAR):
            raise ReportError(
                f"from, to: {start.year} to {stop.year} are no years of calls; write times of this century"
            )
        start, stop = _whole_hour(start), _whole_hour(stop + HOUR - timedelta.resolution)
        back = params.get("weeks", str(weeks))
        if not (re.fullmatch("[0-9]{1,2}", back) and 1 <= int(back) <= _MAX_WEEKS):
            raise ReportError(f"weeks: {back[:64]!r} is no number from 1 to {_MAX_WEEKS}")
        names = {name: params[name] for name in NAMES if name in params}
        since = start - timedelta(weeks=int(back))
        asked = cls(since, start, stop, "", names, at_most(params, default=top))
        return cls(since, start, stop, _currency(con, asked, params.get("currency")), names, asked.top)

    @property
    def values(self) -> dict[str, Any]:
        """What the statements bind."""
        return {
            "since": self.since,
            "start": self.start,
            "stop": self.stop,
            "currency": self.currency,
            **{f"only_{name}": text for name, text in self.names.items()},
        }

    def filters(self, *, alias: str = "", owner: bool = True) -> str:
        """SQL: the condition that rows are of the names asked for. `owner=False` where rows have no owner."""
        chosen = [name for name in self.names if owner or name != "owner"]
        return "".join(f" AND coalesce({alias}{name}, '') = $only_{name}" for name in chosen)

    def table(
        self, con: duckdb.DuckDBPyConnection, statement: str, *, parts: Mapping[str, str] = {}, **more: object
    ) -> pa.Table:
        """What `analytics/sql/STATEMENT.sql` finds; `more` are further values, `parts` further texts in braces."""
        text = sql(statement).format(filters=self.filters(), **parts)
        values = {**self.values, **more}
        # DuckDB refuses values that no statement names.
        used = {name: value for name, value in values.items() if re.search(rf"\${name}\b", text)}
        return con.sql(text, params=used).to_arrow_table()


def _currency(con: duckdb.DuckDBPyConnection, asked: Lookback, chosen: str | None) -> str:
    if chosen is not None:
        return chosen
    facts = (
        f'SELECT currency, calls FROM rollup_hours WHERE "hour" >= $start AND "hour" < $stop{asked.filters()}'  # noqa: S608 - names of columns
    )
    found = asked.table(con, "currencies", parts={"facts": facts})["currency"].to_pylist()
    if len(found) > 1:
        raise ReportError(f"the range holds calls in {', '.join(found)}: choose with currency=")
    return found[0] if found else ""


def _whole_hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
