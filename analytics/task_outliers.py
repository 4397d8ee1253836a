"""Task outliers: trees that cost many times what half of their workload's do, and what each has spent lately."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from collector.overflow import OVERFLOW
from collector.reporting import ReportError

from .parameters import at_most, check_names, instant, only, time_range
from .queries import sql

if TYPE_CHECKING:
    import duckdb

__all__ = ["task_outliers"]

_NAMES = ("tenant", "workload", "owner", "tier")
_TIMES = "5"
# Fewer others say nothing of what is usual.
_ENOUGH = 5
_DEAREST = "cost - usual_cost DESC NULLS LAST, tenant, root_task_id"
_GROWING = "recent_cost DESC NULLS LAST, recent_calls DESC, tenant, root_task_id"


def task_outliers(con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """The `top` (100) task trees that cost at least `times` (5) the `usual_cost` of their workload.

    Usual is the median of all trees of the workload in the range whose cost is known, where there are five others at
    the least; `excess_cost` is what a tree cost beyond it. `usual_calls` likewise. With `since` the trees with a call
    since then instead, whatever they cost, by what they have spent from that moment on (`recent_cost`).
    """
    check_names(params, ("from", "to", "times", "since", "top", *_NAMES))
    start, stop = time_range(params)
    filters, named = only(params, {name: name for name in _NAMES})
    growing = "since" in params
    values: dict[str, Any] = {
        **named,
        "start": start,
        "stop": stop,
        "since": instant(params, "since") if growing else stop,
        "top": at_most(params, default=100),
        "overflow": OVERFLOW,
    }
    condition = "recent_calls > 0"
    if not growing:
        condition = "others >= $enough AND usual_cost > 0 AND cost >= usual_cost * $times"
        values |= {"enough": _ENOUGH, "times": _times(params)}
    statement = sql("task_outliers").format(
        filters=filters, condition=condition, order=_GROWING if growing else _DEAREST
    )
    return _compared(con.sql(statement, params=values).to_arrow_table())


def _times(params: Mapping[str, str]) -> Decimal:
    text = params.get("times", _TIMES)
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,2})?", text) or Decimal(text) < 1:
        raise ReportError(f"times: {text[:64]!r} is no number from 1 on, with two decimals at most")
    return Decimal(text)


def _compared(found: pa.Table) -> pa.Table:
    """With how many times the usual cost, and how much more; not known where nothing is usual."""
    times, excess, usual = [], [], []
    for row in found.select(["cost", "usual_cost", "others"]).to_pylist():
        known = row["cost"] is not None and row["others"] >= _ENOUGH and bool(row["usual_cost"])
        usual.append(row["usual_cost"] if row["others"] >= _ENOUGH else None)
        times.append(float(row["cost"] / row["usual_cost"]) if known else None)
        excess.append(row["cost"] - row["usual_cost"] if known else None)
    place = found.schema.get_field_index("usual_cost")
    money = pa.decimal128(38, 12)
    return (
        found.set_column(place, "usual_cost", pa.array(usual, money))
        .append_column("times_usual", pa.array(times, pa.float64()))
        .append_column("excess_cost", pa.array(excess, money))
    )
