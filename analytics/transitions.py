"""What breakers did over a time: the report `transitions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from collector.reporting import Report

from .parameters import MAX_TOP, at_most, check_names, time_range
from .queries import sql

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

__all__ = ["TRANSITIONS", "transitions"]


def transitions(con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """The last `top` (1000) transitions of the range, newest first, a line each."""
    check_names(params, ("from", "to", "top"))
    start, stop = time_range(params)
    values = {"start": start, "stop": stop, "top": at_most(params, default=MAX_TOP)}
    return con.sql(sql("transitions"), params=values).to_arrow_table()


TRANSITIONS: Mapping[str, Report] = {"transitions": transitions}
