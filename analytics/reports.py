"""Named reports over the `calls`, `transitions` and `plans` views: each takes text parameters, returns a table.

Those on what is not billed or not known are in `gaps`, those on task trees in `task_trees` and `task_outliers`, and the
audits in `audits/`. For all others:

Ranges are half-open: `from` <= started_at < `to`. Sums are DECIMAL(38,12), and the cost column of every report
adds up to `sum(cost)` of the calls in its range: what is unowned, unpriced, incomplete or outside a top N is a
row of its own. A row without any known cost has cost NULL, never 0. One report holds one currency: where a
range holds several, `currency` chooses (calls without a cost belong to every currency).

What the rollups know is read from them, the rest from the calls; both ways give the same rows. Where the calls of an
hour were deleted its sums remain, without tasks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from collector.overflow import OVERFLOW
from collector.reporting import Report, ReportError

from .audits.named import AUDITS
from .caching.savings import ANSWER_CACHE
from .gaps import GAPS
from .parameters import at_most, check_names, instant, only, time_range
from .queries import sql
from .task_outliers import task_outliers
from .task_trees import TASK_TREES
from .transitions import TRANSITIONS
from .unowned import unowned

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

__all__ = ["BUCKETS", "DIMENSIONS", "REPORTS", "iso_week"]

NOBODY = "unattributed"

# What a user may group and filter by, and the SQL that it stands for: nothing else reaches a statement.
DIMENSIONS: Mapping[str, str] = {
    name: name
    for name in (
        *("tenant", "workload", "task", "tier", "user", "owner", "cost_centre", "provider", "model", "state"),
    )
} | {"task": "task_id", "user": "end_user"}

# Name of a bucket -> its length in seconds. Buckets start at whole multiples since 1970 in UTC.
BUCKETS: Mapping[str, int] = {
    "10s": 10,
    "minute": 60,
    "5m": 300,
    "15m": 900,
    "hour": 3600,
    "6h": 21600,
    "day": 86400,
}

_HOUR = timedelta(hours=1)
# What a task is filtered by as a whole, what is known of its end, and what no sum by hour knows.
_OF_TASKS = frozenset({"tenant", "workload", "task", "owner", "cost_centre"})
_OF_ENDS = _OF_TASKS | {"tier", "user"} | BUCKETS.keys()
_OF_CALLS = frozenset({"task", "user"})
_OPEN_FOR = timedelta(hours=24)
_DEAREST_FIRST = (
    "cost DESC NULLS LAST, calls DESC, tenant, workload NULLS FIRST, task_id NULLS FIRST, details"
)
_DEAREST_CALL_FIRST = "cost DESC NULLS LAST, started_at, tenant, trace_id, span_id"


@dataclass(frozen=True, slots=True)
class _Scope:
    """The range and the filters of one request: SQL conditions and the values bound to them."""

    values: dict[str, Any]
    """`start` and `stop`, and `first` and `last`: between these the rollup is read; and what conditions name."""
    currency: str = ""
    filters: str = ""
    names: frozenset[str] = frozenset()
    """The dimensions that are filtered by."""

    @property
    def has_whole_tasks(self) -> bool:
        """Whether a task is in it as a whole, but for its time."""
        return self.names <= _OF_TASKS

    @property
    def facts(self) -> str:
        """SQL: what there is in the range, whole hours from the rollup and the rest call by call."""
        ends = [("start", "first"), ("last", "stop")]
        parts = [self.calls(low, high) for low, high in ends if self.values[low] < self.values[high]]
        return " UNION ALL ".join([self.hours(), *parts])

    def hours(self) -> str:
        """SQL: the part of the facts that the rollup has."""
        return sql("facts_by_hour")

    def calls(self, low: str, high: str) -> str:
        """SQL: the calls from one of the values to another."""
        return sql("facts_by_call").format(low=f"${low}", high=f"${high}")

    def by_hour(self, *names: str) -> _Scope:
        """With its whole hours from the rollup, where that has what is grouped (by `names`) and filtered by."""
        start, stop = self.values["start"], self.values["stop"]
        has_all = _OF_CALLS.isdisjoint(self.names.union(names)) and not any(
            BUCKETS.get(name, 0) % BUCKETS["hour"] for name in names
        )
        if not has_all or stop - start < _HOUR:
            return self
        first = _whole_hour(start + _HOUR - timedelta.resolution)
        return replace(self, values={**self.values, "first": first, "last": max(first, _whole_hour(stop))})


def spend(con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """Calls, attempts, tokens and cost, grouped `by` a comma-separated list of dimensions and one bucket.

    `by=tenant,model,hour` has one row for each tenant, model and hour that had calls, most expensive first
    (in the order of time where there is a bucket). Without `by`: one row, the total.
    """
    _known(params, "by")
    scope = _scope(con, params)
    groups = _groups(params)
    return _table(
        con,
        "spend",
        scope.by_hour(*groups.names),
        keys=groups.keys,
        grouping="GROUP BY ALL HAVING sum(calls) > 0" if groups.names else "",
        order=groups.order,
    )


def unit_costs(con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """What a task, a success, 1,000 calls and a user cost, grouped `by` as in `spend`; docs/unit-costs.md defines it.

    A row for each group and `part` of it: its `tasks`, its calls of no task, and those whose task cannot be told. A
    task is the whole tree under its root. Without an end it is open while its last call is younger than 24 h at
    `as_of` (now), else unknown.

    `by` may be several groupings with semicolons between them, such as ";day;tenant": their rows come one grouping
    after the other, and `grouped_by` says of which each is. Together they take little longer than one.
    """
    _known(params, "by", "as_of")
    scope = _scope(con, params)
    groupings = [_groups({"by": by}) for by in params.get("by", "").split(";")]
    whole = _groups({"by": ",".join(dict.fromkeys(name for each in groupings for name in each.names))})
    at = instant(params, "as_of") if "as_of" in params else datetime.now(UTC)
    scope.values.update(open_since=at - _OPEN_FOR, overflow=OVERFLOW)
    has_ends = [scope.names.union(each.names) <= _OF_ENDS for each in groupings]
    facts = f"FROM ({scope.facts})"
    if any(has_ends):
        facts += f" UNION ALL BY NAME {sql('facts_of_ends')}"
    parts = [
        _unit_costs_of(groups, number, rows="true" if ends else "NOT only_ended")
        for number, (groups, ends) in enumerate(zip(groupings, has_ends, strict=True))
    ]
    return _table(
        con,
        "unit_costs",
        scope,
        facts=facts,
        keys=whole.keys,
        groupings=" UNION ALL BY NAME ".join(f"({part})" for part in parts),
        left_out="grouping_number, place" if len(groupings) > 1 else "grouping_number, place, grouped_by",
    )


def _unit_costs_of(groups: _Groups, number: int, *, rows: str) -> str:
    """SQL: the rows of one grouping; `rows` is the condition on what it counts."""
    return sql("unit_costs_grouped").format(
        number=number,
        name=",".join(groups.names),
        names=groups.columns,
        order=groups.order,
        rows=rows,
        per_task=_quotient("cost", "tasks"),
        per_success=_quotient("cost", "succeeded"),
        per_1000_calls=_quotient("cost * 1000", "priced_calls"),
        per_user=_quotient("users_cost", "users"),
    )


def coverage(con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """One row: cost, the part of it with a tenant and an owner, and the calls that are not fully known.

    `covered_cost / cost` is the coverage; it is not computed here because a share of nothing is no number.
    """
    _known(params)
    scope = _scope(con, params)
    scope.values.update(nobody=NOBODY, overflow=OVERFLOW)
    return _table(con, "coverage", scope.by_hour())


def timeline(con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """Cost, calls and tokens per `bucket` and key: the `top` (8) keys `by` one dimension (tenant), and the rest.

    A key that is NULL with `rest` false is a group of its own: calls without that dimension.
    """
    _known(params, "by", "bucket", "top")
    scope = _scope(con, params)
    scope.values["top"] = at_most(params, default=8)
    by, bucket = params.get("by", "tenant"), params.get("bucket", "minute")
    if by not in DIMENSIONS:
        raise ReportError(f"by: {by!r} is no dimension; there are: {', '.join(DIMENSIONS)}")
    if bucket not in BUCKETS:
        raise ReportError(f"bucket: {bucket!r} is no bucket; there are: {', '.join(BUCKETS)}")
    return _table(con, "timeline", scope.by_hour(by, bucket), key=DIMENSIONS[by], bucket=_group_key(bucket))


def tasks(con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """The `top` (20) tasks by cost with their calls and first and last start; one row (`rest`) for all others.

    Calls without a task id are one line a workload, with task_id NULL and a place like any other.
    """
    _known(params, "top")
    scope = _scope(con, params)
    scope.values["top"] = at_most(params, default=20)
    return _table(con, "tasks", scope, lines=_task_lines(scope), order=_DEAREST_FIRST)


def calls(con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """The `top` (20) calls by cost with all that is known of them; one row (`rest`) for all others.

    Calls whose details were deleted are in neither: of them only sums are left.
    """
    _known(params, "top")
    scope = _scope(con, params)
    scope.values["top"] = at_most(params, default=20)
    # Nothing of it is in a rollup, so these two stand nowhere in it.
    values = {name: value for name, value in scope.values.items() if name not in ("first", "last")}
    return con.sql(_sql("calls", scope, order=_DEAREST_CALL_FIRST), params=values).to_arrow_table()


def iso_week(text: str) -> tuple[date, date]:
    """The Monday of an ISO week and the Monday after: "2026-W47" is 2026-11-16 to 2026-11-23 (exclusive).

    Raises ValueError that says how a week is written, or that the year has no such week.
    """
    year, dash, week = text.partition("-W")
    # The years before 1000 have a first week without a week before it.
    if not (dash and re.fullmatch("[1-9][0-9]{3}", year) and re.fullmatch("[0-9]{2}", week)):
        raise ValueError(f'{text!r} is no ISO week; write the year and the week, such as "2026-W47"')
    try:
        monday = date.fromisocalendar(int(year), int(week), 1)
        return monday, monday + timedelta(days=7)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r}: the year {year} has no week {week}") from None


REPORTS: Mapping[str, Report] = {
    **ANSWER_CACHE,
    **AUDITS,
    **GAPS,
    **TASK_TREES,
    **TRANSITIONS,
    "calls": calls,
    "coverage": coverage,
    "spend": spend,
    "task_outliers": task_outliers,
    "tasks": tasks,
    "timeline": timeline,
    "unit_costs": unit_costs,
    "unowned": unowned,
}


def _known(params: Mapping[str, str], *extra: str) -> None:
    check_names(params, ("from", "to", "currency", *extra, *DIMENSIONS))


def _scope(con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> _Scope:
    start, stop = time_range(params)
    names = frozenset(DIMENSIONS.keys() & params.keys())
    filters, named = only(params, DIMENSIONS)
    scope = _in_currency(con, params, _range(start, stop))
    scope.values.update(named)
    return replace(scope, filters=filters, names=names)


def _range(start: datetime, stop: datetime) -> _Scope:
    """All that is from `start` to `stop`, call by call."""
    return _Scope({"start": start, "stop": stop, "first": start, "last": start})


def _in_currency(con: duckdb.DuckDBPyConnection, params: Mapping[str, str], scope: _Scope) -> _Scope:
    """The scope in the chosen currency. Raises ReportError where its range holds several and none is chosen."""
    chosen = params.get("currency")
    if chosen is None:
        found = _table(con, "currencies", scope.by_hour())["currency"].to_pylist()
        if len(found) > 1:
            raise ReportError(f"the range holds calls in {', '.join(found)}: choose with currency=")
        chosen = found[0] if found else ""
    condition = " AND (currency IS NULL OR currency = $currency)"
    return replace(scope, values={**scope.values, "currency": chosen}, currency=condition)


def _group_key(name: str) -> str:
    if name in DIMENSIONS:
        return DIMENSIONS[name]
    if name in BUCKETS:
        # As time_bucket and date_trunc would have it, which take four to eight times as long over 10 M calls.
        length = BUCKETS[name] * 1_000_000
        return f"make_timestamptz(epoch_us(started_at) - (epoch_us(started_at) % {length} + {length}) % {length})"
    raise ReportError(f"by: {name!r} is unknown; there are: {', '.join((*DIMENSIONS, *BUCKETS))}")


@dataclass(frozen=True, slots=True)
class _Groups:
    """What a report is grouped by: dimensions and at most one bucket, as SQL."""

    names: tuple[str, ...]
    keys: str
    """What to select, each with a comma after it."""
    columns: str
    """The same, once it is selected."""
    order: str


def _groups(params: Mapping[str, str]) -> _Groups:
    names = tuple(name.strip() for name in params.get("by", "").split(",") if name.strip())
    keys = {name: _group_key(name) for name in names}
    if len(keys) < len(names):
        raise ReportError(f"by: {params['by']!r} names something twice")
    buckets = [name for name in keys if name in BUCKETS]
    if len(buckets) > 1:
        raise ReportError(f"by: one bucket at most, not {' and '.join(buckets)}")
    columns = {name: "bucket" if name in BUCKETS else f'"{name}"' for name in names}
    order = [*(["bucket"] if buckets else []), "cost DESC NULLS LAST", "calls DESC"]
    order += [f"{columns[name]} NULLS FIRST" for name in names if name not in BUCKETS]
    return _Groups(
        names,
        keys=" ".join(f"{sql} AS {columns[name]}," for name, sql in keys.items()),
        columns=" ".join(f"{column}," for column in columns.values()),
        order=", ".join(order),
    )


def _quotient(amount: str, count: str) -> str:
    """SQL: an amount over a count, exact to 12 decimals and rounded half to even; NULL over 0.

    It is divided in whole millionths of a millionth: a division of decimals is one of floats.
    """
    units = f"(({amount}) * 1_000_000_000_000)::HUGEINT"
    whole, twice_rest = f"({units} // {count})", f"({units} % {count} * 2)"
    up = f"{twice_rest} > {count} OR ({twice_rest} = {count} AND {whole} % 2 = 1)"
    rounded = f"({whole} + CASE WHEN {up} THEN 1 ELSE 0 END)::DECIMAL(26, 0) * 0.000000000001"
    return f"CASE WHEN {count} > 0 THEN ({rounded})::DECIMAL(38, 12) END"


def _whole_hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _task_lines(scope: _Scope) -> str:
    """SQL: a line a task, from the rollup where that can tell, else from the calls."""
    if not scope.has_whole_tasks:
        return _sql("task_lines", scope, facts=scope.facts)
    parts = {
        "whole": f"exact AND NOT moved AND first_at >= $start AND last_at < $stop {scope.currency}",
        "task_filters": scope.filters,
        "owned": sql("owned_tasks"),
    }
    others = _sql("facts_of_other_tasks", scope, calls=scope.calls("start", "stop"), **parts)
    facts = f"{scope.hours()} UNION ALL {others}"
    return f"{_sql('task_lines_rolled', scope, **parts)} UNION ALL BY NAME {_sql('task_lines', scope, facts=facts)}"


def _table(con: duckdb.DuckDBPyConnection, statement: str, scope: _Scope, **parts: str) -> pa.Table:
    return con.sql(
        _sql(statement, scope, **{"facts": scope.facts, **parts}), params=scope.values
    ).to_arrow_table()


def _sql(statement: str, scope: _Scope, **parts: str) -> str:
    return sql(statement).format(filters=scope.currency + scope.filters, **parts)
