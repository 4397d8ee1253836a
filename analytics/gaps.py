"""Gaps: reports on what is not billed, not known, or told in two ways. None of it is in any sum of money."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from collector.reporting import Report, ReportError

from .parameters import MAX_TOP, at_most, check_names, only, time_range
from .queries import sql

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

__all__ = ["GAPS", "conflicts", "incomplete", "spans_not_billed"]


def incomplete(con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """Calls whose usage is not wholly known: by tenant, workload and model, what is known of their cost and what it
    may be, with the method of the estimate and the number of calls that it goes by.

    `estimated_cost` is NULL, and so is `method`, where there are no such calls to go by.
    """
    return _report(con, "incomplete", params, ("tenant", "workload", "model", "owner", "cost_centre"))


def spans_not_billed(con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """Spans that were taken in and are no call of their own, and why.

    `by=code`, the default: how many of each tenant, dialect and code, in whole hours, with the last of them.
    `by=span`: the last `top` (1000) of them, one row each; those that no dialect knows are only counted.
    """
    by = params.get("by", "code")
    if by not in ("code", "span"):
        raise ReportError(f"by: {by[:64]!r} is unknown; there are: code, span")
    others = {name: text for name, text in params.items() if name != "by"}
    return _report(con, f"spans_not_billed_by_{by}", others, ("tenant", "dialect", "code"))


def conflicts(con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """The last `top` (1000) spans that came again with other content, or count a response otherwise than their twin."""
    return _report(con, "conflicts", params, ("tenant",))


GAPS: Mapping[str, Report] = {
    "conflicts": conflicts,
    "incomplete": incomplete,
    "spans_not_billed": spans_not_billed,
}


def _report(
    con: duckdb.DuckDBPyConnection, statement: str, params: Mapping[str, str], filters: tuple[str, ...]
) -> pa.Table:
    check_names(params, ("from", "to", "top", *filters))
    start, stop = time_range(params)
    text = sql(statement)
    values: dict[str, Any] = {"start": start, "stop": stop}
    conditions, named = only(params, {name: name for name in filters})
    values |= named
    values["top"] = at_most(params, default=MAX_TOP)
    return con.sql(text.format(filters=conditions), params=values).to_arrow_table()
