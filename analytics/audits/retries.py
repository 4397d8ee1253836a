"""Retries: attempts by tenant, workload and model, what they may have cost, and how many fell together in herds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from collector.reporting import Report

from .asked import Asked
from .herds import MONEY, Members, members
from .retries_advice import of_line

if TYPE_CHECKING:
    import duckdb

__all__ = ["RETRIES", "audit_retries"]

_SCHEMA = pa.schema(
    [
        ("tenant", pa.string()),
        ("workload", pa.string()),
        ("owner", pa.string()),
        ("provider", pa.string()),
        ("model", pa.string()),
        ("calls", pa.int64()),
        ("retried_calls", pa.int64()),
        ("attempts", pa.int64()),
        ("attempts_per_call", pa.float64()),
        ("most_attempts", pa.int64()),
        ("longest_s", pa.float64()),
        ("guarded_calls", pa.int64()),
        ("cost", MONEY),
        ("retry_cost", MONEY),
        ("retry_cost_at_most", MONEY),
        ("currency", pa.string()),
        ("incomplete_calls", pa.int64()),
        ("herds", pa.int64()),
        ("synchronous_calls", pa.int64()),
        ("synchrony", pa.float64()),
        ("p_value", pa.float64()),
        ("finding", pa.string()),
        ("advice", pa.string()),
    ]
)

_Key = tuple[str, str | None, str | None, str | None, str | None]


def audit_retries(con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """A row for each tenant, workload, owner, provider, model and currency: the `top` (100), with findings first.

    `retry_cost` is the part of the booked cost that falls to further attempts if all attempts of a call cost the same:
    cost x (attempts - 1) / attempts. `retry_cost_at_most` is what they cost if each was billed as the one that
    answered, beside what is booked: cost x (attempts - 1), as `unit_costs` has it. `synchrony` is the share of the
    retried calls that are in herds, NULL without retried calls; `p_value` the least of those herds', NULL without one.
    """
    asked = Asked.of(params, default=100)
    lines = [line for line in asked.table(con, "audit_retries").iter_rows(named=True) if asked.fits(line)]
    together = _together(members(con, asked)) if any(line["retried_calls"] for line in lines) else {}
    apart = (0, 0, None)
    rows = [_row(line, together.get(_key(line), apart) if line["retried_calls"] else apart) for line in lines]
    rows.sort(key=lambda row: row["finding"] is None)  # otherwise as the statement orders them
    return pa.Table.from_pylist(rows[: asked.top], schema=_SCHEMA)


RETRIES: Mapping[str, Report] = {"audit_retries": audit_retries}


def _together(found: Members) -> dict[_Key, tuple[int, int, float | None]]:
    """For each line: its herds, its retried calls in them, and the least chance of one."""
    sums: dict[_Key, tuple[int, int, float | None]] = {}
    for herd, rows in found:
        for row in rows:
            number, calls, least = sums.get(_key(row), (0, 0, None))
            sums[_key(row)] = (
                number + 1,
                calls + row["retried_calls"],
                herd.p_value if least is None else min(least, herd.p_value),
            )
    return sums


def _key(row: Mapping[str, Any]) -> _Key:
    return row["tenant"], row["workload"], row["owner"], row["provider"], row["model"]


def _row(line: Mapping[str, Any], together: tuple[int, int, float | None]) -> dict[str, Any]:
    number, calls, p_value = together
    retried = line["retried_calls"]
    row = dict(line) | {
        "attempts_per_call": line["attempts"] / line["calls"],
        "herds": number,
        "synchronous_calls": calls,
        "synchrony": calls / retried if retried else None,
        "p_value": p_value,
    }
    advice = of_line(row)
    row |= {"finding": advice and advice.finding, "advice": advice and advice.advice}
    return {name: row[name] for name in _SCHEMA.names}
