"""Rollups: sums of the calls by hour and by task, kept in the transaction that books them.

A batch appends what it adds and, for a call that is written anew or is none any more, what it takes back: small tables
of their own, so that its cost does not grow with the store. Now and then these are folded into one row for each key.
At any time the views `rollup_hours` and `rollup_tasks` hold what GROUP BY over the calls would give; `check` says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from switchgear.usage import COUNTS

from ..call import Kind, State
from .statements import registered, statement

__all__ = ["Changes", "check", "fold", "unfolded"]

_BY_HOUR = ("hour", "tenant", "workload", "tier", "provider", "model", "state", "currency", "kind", "cache")
_BY_TASK = ("tenant", "workload", "task_id")
_SUMS = ("attempts", *COUNTS, "cost")
_MOST_DIFFERENCES = 20

_ZERO_OF_NONE = pc.ScalarAggregateOptions(min_count=0)
_Aggregate = tuple[str, str, pc.FunctionOptions | None, str]
"""Column, function, its options, and the name of the result."""
_TOTALS: tuple[_Aggregate, ...] = (
    ("started_at", "count", None, "calls"),
    *((name, "sum", _ZERO_OF_NONE, name) for name in _SUMS),
    ("cost", "count", None, "priced_calls"),
)
_OF_HOUR: tuple[_Aggregate, ...] = (
    *_TOTALS,
    ("saved", "count", None, "saved_calls"),
    ("saved", "sum", _ZERO_OF_NONE, "saved"),
)
_OF_TASK: tuple[_Aggregate, ...] = (
    *_TOTALS,
    ("is_unpriced", "sum", _ZERO_OF_NONE, "unpriced_calls"),
    ("is_incomplete", "sum", _ZERO_OF_NONE, "incomplete_calls"),
    ("root_task_id", "min", None, "root_task_id"),
    ("tier", "min", None, "tier"),
    ("currency", "min", None, "currency"),
    ("currency", "max", None, "last_currency"),
    ("started_at", "min", None, "first_at"),
    ("started_at", "max", None, "last_at"),
)


@dataclass(slots=True)
class Changes:
    """What one batch does to the rows of `booked`, for the rollups."""

    _by_hour: list[pa.Table] = field(default_factory=list)
    _by_task: list[pa.Table] = field(default_factory=list)

    def added(self, rows: pa.Table) -> None:
        """These rows were put in."""
        self._note(rows, taken_back=False)

    def removed(self, rows: pa.Table) -> None:
        """These rows were there and are no more."""
        self._note(rows, taken_back=True)

    def write(self, con: duckdb.DuckDBPyConnection) -> int:
        """Append them to the rollups, inside the caller's transaction; how many rows that took."""
        written = 0
        for name, parts in (("rollup_hours_recent", self._by_hour), ("rollup_tasks_recent", self._by_task)):
            if parts:
                rows = pa.concat_tables(parts)
                with registered(con, rows=rows):
                    con.execute(f"INSERT INTO {name} BY NAME SELECT * FROM rows")  # noqa: S608 - our own names
                written += rows.num_rows
        return written

    def _note(self, rows: pa.Table, *, taken_back: bool) -> None:
        if not rows.num_rows:
            return
        hours = pc.floor_temporal(rows["started_at"], unit="hour")
        by_hour = _added_up(rows.append_column("hour", hours), _BY_HOUR, _OF_HOUR)
        # What a cache served is no call of its task.
        rows = rows.filter(pc.not_equal(rows["kind"], Kind.SERVED.value))
        for state in (State.UNPRICED, State.INCOMPLETE):
            is_in_it = pc.equal(rows["state"], state.value).cast(pa.int64())
            rows = rows.append_column(f"is_{state.value}", is_in_it)
        by_task = _added_up(rows, _BY_TASK, _OF_TASK)
        if taken_back:
            by_hour, by_task = _negative(by_hour, _BY_HOUR), _negative(by_task, _BY_TASK)
        self._by_hour.append(by_hour)
        loose = pa.repeat(pa.scalar(taken_back), by_task.num_rows)
        self._by_task.append(by_task.append_column("loose", loose))


def fold(con: duckdb.DuckDBPyConnection) -> None:
    """Bring what the batches appended into the base, inside the caller's transaction."""
    con.execute(statement("rollup_fold"))
    bounds = "SELECT min(first_at), max(last_at) FROM rollup_tasks_base WHERE loose"
    ((low, high),) = con.execute(bounds).fetchall()
    if low is not None:
        con.execute("SET VARIABLE low = $1", [low])
        con.execute("SET VARIABLE high = $1", [high])
        con.execute(statement("rollup_tighten"))


def unfolded(con: duckdb.DuckDBPyConnection) -> int:
    """How many rows were appended since they were folded last."""
    ((count,),) = con.execute(
        "SELECT (SELECT count(*) FROM rollup_hours_recent) + (SELECT count(*) FROM rollup_tasks_recent)"
    ).fetchall()
    return int(count)


def check(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Where the rollups differ from the calls, a line for each row, the first of them; none where all is well."""
    found = con.execute(statement("rollup_check"), {"most": _MOST_DIFFERENCES}).fetchall()
    return [f"{which} {row}" for which, row in found]


def _added_up(rows: pa.Table, keys: Sequence[str], wanted: Sequence[_Aggregate]) -> pa.Table:
    """One row for each key; in this thread, since a batch is small."""
    aggregates = [(column, function, options) for column, function, options, _ in wanted]
    sums = rows.group_by(list(keys), use_threads=False).aggregate(aggregates)
    return sums.rename_columns([*keys, *(name for *_, name in wanted)])


def _negative(sums: pa.Table, keys: Sequence[str]) -> pa.Table:
    for place, name in enumerate(sums.column_names):
        kind = sums.schema.field(name).type
        if name not in keys and (pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
            sums = sums.set_column(place, name, pc.negate(sums[name]))
    return sums
