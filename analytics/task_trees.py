"""Task trees: which there are, one of them branch by branch, and its calls.

A tree is a tenant's root task and all below it. `root_task_id` of a call says of which tree it is; a call that names
none is of its task's own. The cost of a tree is the sum of what is known of its calls, as booked; where
`unpriced_calls` or `incomplete_calls` is not 0, it is a part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from collector.overflow import OVERFLOW
from collector.reporting import Report, ReportError

from .branches import Branches
from .parameters import MAX_TOP, at_most, check_names, instant, only, time_range
from .queries import sql

if TYPE_CHECKING:
    import duckdb

__all__ = ["FILTERS", "TASK_TREES", "task_calls", "task_tree", "task_trees"]

FILTERS = ("tenant", "workload", "owner", "tier", "provider", "model")
_TIES = "last_us DESC, calls DESC, tree"
_ORDERS = {
    "cost": f"cost DESC NULLS LAST, {_TIES}",
    "calls": f"calls DESC, {_TIES}",
    "recent": "last_us DESC, calls DESC, tree",
}
_OPEN_FOR = timedelta(hours=24)
_TOKENS = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output")
_SUMS = ("calls", "attempts", *_TOKENS, "unpriced_calls", "incomplete_calls")
_NOTHING = Decimal(0)
# Of a task that made no call itself.
_IDLE: Mapping[str, Any] = {**dict.fromkeys(_SUMS, 0), "cost": None}
_TIME = pa.timestamp("us", "UTC")
_TREE = pa.schema(
    [
        ("rest", pa.bool_()),
        ("tasks", pa.int64()),
        ("level", pa.int64()),
        ("task_id", pa.string()),
        ("parent_task_id", pa.string()),
        *((name, pa.string()) for name in ("workload", "owner", "tier", "provider", "model", "sku")),
        *((name, pa.int64()) for name in ("calls", "attempts", *_TOKENS)),
        ("cost", pa.decimal128(38, 12)),
        ("currency", pa.string()),
        ("unpriced_calls", pa.int64()),
        ("incomplete_calls", pa.int64()),
        ("first_at", _TIME),
        ("last_at", _TIME),
    ]
)


def task_trees(con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """The `top` (50) task trees of the calls in the range, and one row (`rest`) for all others.

    `order` is `cost`, `calls` or `recent` (the last call first). `find` keeps those in which a task's id begins so.
    Filters choose calls: figures are of the calls in the range that meet them. `fate` is how the root ended, as in
    `unit_costs`, at `as_of` (now).
    """
    check_names(params, ("from", "to", "top", "order", "find", "as_of", *FILTERS))
    start, stop = time_range(params)
    order = params.get("order", "cost")
    if order not in _ORDERS:
        raise ReportError(f"order: {order[:64]!r} is unknown; there are: {', '.join(_ORDERS)}")
    at = instant(params, "as_of") if "as_of" in params else datetime.now(UTC)
    filters, values = only(params, {name: name for name in FILTERS})
    bound: dict[str, Any] = {
        **values,
        "start": start,
        "stop": stop,
        "top": at_most(params, default=50),
        "open_since": at - _OPEN_FOR,
        "overflow": OVERFLOW,
    }
    is_found = "true"
    if find := params.get("find"):
        is_found = "starts_with(task_id, $find) OR coalesce(starts_with(root_task_id, $find), false)"
        bound["find"] = find
    statement = sql("task_trees").format(filters=filters, is_found=is_found, order=_ORDERS[order])
    return con.sql(statement, params=bound).to_arrow_table()


def task_tree(con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """The tree of `tenant` under the root `task`: a row for each task and model that it called, parents first.

    Of more than `top` (1000) tasks those are kept whose branches cost most. What is left out is a row (`rest`) of so
    many `tasks` below the `parent_task_id` that is kept. So the rows add up to the tree. `under` shows the branch of
    one task alone.
    """
    check_names(params, ("from", "to", "tenant", "task", "under", "top"))
    found = con.sql(sql("task_tree"), params=_of_tree(params)).to_arrow_table().to_pylist()
    most = at_most(params, default=MAX_TOP)
    rows = _branches(params["task"], params.get("under"), found, most) if found else []
    return pa.Table.from_pylist(rows, schema=_TREE)


def task_calls(con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """The calls of the tree of `tenant` under the root `task`, or of one task (`of`) in it, in the order of time.

    Of more than `top` (1000) those without a known cost and the dearest, and a row (`rest`) a currency for all others.
    What a cache answered is a row of state `served` that counts as no call.
    """
    check_names(params, ("from", "to", "tenant", "task", "of", "top"))
    values = _of_tree(params) | {"top": at_most(params, default=MAX_TOP)}
    of_task = ""
    if "of" in params:
        of_task = "AND task_id = $of"
        values["of"] = params["of"]
    return con.sql(sql("task_calls").format(of_task=of_task), params=values).to_arrow_table()


TASK_TREES: Mapping[str, Report] = {
    "task_calls": task_calls,
    "task_tree": task_tree,
    "task_trees": task_trees,
}


def _of_tree(params: Mapping[str, str]) -> dict[str, Any]:
    start, stop = time_range(params)
    for name in ("tenant", "task"):
        if not params.get(name):
            raise ReportError(f"{name}: which tree? Give the tenant and its root's id; task_trees finds them")
    return {"start": start, "stop": stop, "tenant": params["tenant"], "task": params["task"]}


def _branches(
    root: str, under: str | None, found: Sequence[Mapping[str, Any]], most: int
) -> list[dict[str, Any]]:
    """The report's rows, of the statement's: kept tasks, each with its calls by model, and what is left out."""
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for row in found:
        rows.setdefault(row["task_id"], []).append(row)
    tree = _tree(root, {task: _parent(own) for task, own in rows.items()}, rows)
    if under is not None:
        if under not in tree:
            return []
        tree = _tree(under, {task: tree.parent(task) for task in tree.below(under)}, rows)
    kept = tree.kept(most)
    among = frozenset(kept)
    left: dict[str, list[str]] = {}
    for task in tree:
        if task not in among:
            left.setdefault(tree.above(task, among), []).append(task)
    made: list[dict[str, Any]] = []
    for task in kept:
        level, parent = tree.level(task), tree.parent(task)
        place = {"rest": False, "tasks": 1, "level": level, "task_id": task, "parent_task_id": parent}
        made += [{**row, **place} for row in rows.get(task) or [_IDLE]]
    for task, others in left.items():
        place = {"rest": True, "level": tree.level(task) + 1, "parent_task_id": task}
        made += [{**row, **place} for row in _added_up(rows, others)]
    return made


def _tree(
    root: str, parents: Mapping[str, str | None], rows: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Branches:
    own = {task: rows.get(task, ()) for task in parents}
    costs = {task: sum((row["cost"] or _NOTHING for row in each), _NOTHING) for task, each in own.items()}
    return Branches(
        root, parents, costs, {task: sum(row["calls"] for row in each) for task, each in own.items()}
    )


def _parent(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """The first by name, should a task name several."""
    return min((row["parent_task_id"] for row in rows if row["parent_task_id"] is not None), default=None)


def _added_up(rows: Mapping[str, Sequence[Mapping[str, Any]]], tasks: Sequence[str]) -> list[dict[str, Any]]:
    """What these tasks come to: a row for each currency, the first of which says how many they are."""
    by_currency: dict[str | None, list[Mapping[str, Any]]] = {}
    for task in tasks:
        for row in rows.get(task, ()):
            by_currency.setdefault(row["currency"] if row["cost"] is not None else None, []).append(row)
    made = [
        _sum(each, currency) for currency, each in sorted(by_currency.items(), key=lambda item: item[0] or "")
    ]
    return [{**row, "tasks": 0 if place else len(tasks)} for place, row in enumerate(made or [dict(_IDLE)])]


def _sum(rows: Sequence[Mapping[str, Any]], currency: str | None) -> dict[str, Any]:
    known = [row["cost"] for row in rows if row["cost"] is not None]
    return {
        **{name: sum(row[name] or 0 for row in rows) for name in _SUMS},
        "cost": sum(known, _NOTHING) if known else None,
        "currency": currency,
        "first_at": min(row["first_at"] for row in rows),
        "last_at": max(row["last_at"] for row in rows),
    }
