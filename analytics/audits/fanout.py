"""Fan-out: calls, agents, depth and breadth of the task trees of each workload, and how few of them cost how much."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from collector.reporting import Report

from .asked import Asked
from .herds import MONEY

if TYPE_CHECKING:
    import duckdb

__all__ = ["FANOUT", "audit_fanout"]

# Fewer tasks have no tail that could be told from chance: a tenth of a hundred is ten.
_ENOUGH = 100
# A tail with a lower index has no variance: its mean is what a few tasks make of it.
_HEAVY = 2.0

_COUNTS = (
    *("tasks", "priced_tasks", "calls", "calls_without_task", "calls_p50", "calls_p95", "calls_max"),
    *("agents_p50", "agents_p95", "agents_max", "depth_p50", "depth_max", "breadth_p50", "breadth_max"),
)
_SCHEMA = pa.schema(
    [
        ("tenant", pa.string()),
        ("workload", pa.string()),
        ("owner", pa.string()),
        *((name, pa.int64()) for name in _COUNTS),
        ("cost", MONEY),
        *((name, MONEY) for name in ("cost_p50", "cost_p95", "cost_p99", "cost_max")),
        ("currency", pa.string()),
        ("dearest_share", pa.float64()),
        ("max_over_median", pa.float64()),
        ("tail_index", pa.float64()),
        ("heavy_tail", pa.bool_()),
        ("finding", pa.string()),
        ("advice", pa.string()),
    ]
)


def audit_fanout(con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """A row for each tenant, workload and currency, the `top` (100) by cost: its task trees of the range.

    `cost` and its quantiles are of the `priced_tasks`: trees all of whose calls have a cost. `dearest_share` is the
    part of it that the dearest 1 % take (one at the least), `tail_index` Hill's estimate by the dearest tenth, from 100
    priced tasks on: a share s^-index of the tasks costs s times as much, and below 2 the tail is heavy.
    """
    asked = Asked.of(params, default=100, names=("tenant", "workload", "owner"))
    rows = [_row(row) for row in asked.table(con, "audit_fanout").iter_rows(named=True) if asked.fits(row)]
    return pa.Table.from_pylist(rows[: asked.top], schema=_SCHEMA)


FANOUT: Mapping[str, Report] = {"audit_fanout": audit_fanout}


def _row(found: Mapping[str, Any]) -> dict[str, Any]:
    enough = found["priced_tasks"] >= _ENOUGH
    index = found["tail_index"] if enough else None
    row = dict(found) | {
        "dearest_share": _over(found["dearest_cost"], found["cost"]),
        "max_over_median": _over(found["cost_max"], found["cost_p50"]),
        "tail_index": index,
        "heavy_tail": index < _HEAVY if index is not None else (False if enough else None),
        "finding": None,
        "advice": None,
    }
    if row["heavy_tail"]:
        row["finding"] = _finding(row)
        row["advice"] = (
            f"one task in a hundred costs more than {found['cost_p99']:.4f} {found['currency']}: try a ceiling with "
            "`per: task` there, in shadow first (docs/policy-file.md)"
        )
    return {name: row[name] for name in _SCHEMA.names}


def _finding(row: Mapping[str, Any]) -> str:
    times = (
        f", the dearest {row['max_over_median']:,.0f} times the median one" if row["max_over_median"] else ""
    )
    return (
        f"heavy tail: the dearest 1 % of the tasks take {100 * row['dearest_share']:.0f} % of the cost{times}"
    )


def _over(part: Decimal | None, whole: Decimal | None) -> float | None:
    return float(part / whole) if part is not None and whole else None
