"""The report `unowned`: the workloads that have calls and nobody who answers for them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from collector.overflow import OVERFLOW

from .parameters import check_names, instant
from .queries import sql

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

__all__ = ["unowned"]

_RECENT = timedelta(days=30)


def unowned(con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """Each workload with calls without an owner, dearest first: the days without one, calls and cost of 30 days.

    These end at `as_of` (now). `cost` is NULL where none is known, or there are several currencies.
    """
    check_names(params, ("as_of",))
    at = instant(params, "as_of") if "as_of" in params else datetime.now(UTC)
    text = sql("unowned")
    return con.sql(text, params={"since": at - _RECENT, "overflow": OVERFLOW}).to_arrow_table()
