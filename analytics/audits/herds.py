"""Herds: when tasks that should know nothing of each other retried together; who they were and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from collector.reporting import Report

from .asked import Asked
from .herds_scan import CHANCE, LOOKS_A_CALL, Herd, binomial_tail, herds
from .retries_advice import of_herd

if TYPE_CHECKING:
    import duckdb

__all__ = ["HERDS", "MONEY", "Members", "audit_herds", "members"]

MONEY = pa.decimal128(38, 12)
_TIME = pa.timestamp("us", "UTC")
_NAMES = pa.list_(pa.string())
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MODEL = ("provider", "model")
# A burst of calls with the usual share of retries is a burst. In a herd at least half of the calls are retried; or
# twice the usual share of them, and so many that it is not by chance.
_MOST, _TIMES_USUAL = 0.5, 2

_SCHEMA = pa.schema(
    [
        ("at", _TIME),
        ("until", _TIME),
        ("provider", pa.string()),
        ("model", pa.string()),
        ("moment", pa.string()),
        ("waves", pa.int64()),
        ("tasks", pa.int64()),
        ("expected", pa.float64()),
        ("p_value", pa.float64()),
        ("tenants", _NAMES),
        ("workloads", _NAMES),
        ("task_ids", _NAMES),
        ("calls", pa.int64()),
        ("attempts", pa.int64()),
        ("guarded_calls", pa.int64()),
        ("calls_at_that_time", pa.int64()),
        ("lasted_s", pa.float64()),
        ("cost", MONEY),
        ("currency", pa.string()),
        ("finding", pa.string()),
        ("advice", pa.string()),
    ]
)

Members = Sequence[tuple[Herd, Sequence[Mapping[str, Any]]]]
"""Each herd with its rows: one a tenant and workload."""


def audit_herds(con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """The herds of the range, the `top` (100) with the most tasks, in order of time.

    `tenant`, `workload`, `owner`, `provider` and `model` keep the herds with a member of that name; the others of their
    members are told all the same, as far as the key sees them. `cost` is NULL where it is not known or in several
    currencies.
    """
    asked = Asked.of(params, default=100)
    rows = [_row(herd, of) for herd, of in members(con, asked) if any(asked.fits(member) for member in of)]
    largest = sorted(rows, key=lambda row: (-row["tasks"], row["at"]))[: asked.top]
    return pa.Table.from_pylist(sorted(largest, key=lambda row: row["at"]), schema=_SCHEMA)


HERDS: Mapping[str, Report] = {"audit_herds": audit_herds}


def members(con: duckdb.DuckDBPyConnection, asked: Asked) -> Members:
    """The herds of the range, whatever names were asked for: who is in one does not hang on who asks for whom."""
    retried = asked.table(con, "audit_herds_retried")
    models = retried.select(_MODEL).unique().sort(_MODEL).with_row_index("group")
    found = herds(retried.join(models, on=_MODEL, nulls_equal=True))
    if not found:
        return []
    named = {row["group"]: row for row in models.iter_rows(named=True)}
    waves = [(place, herd, wave) for place, herd in enumerate(found) for wave in herd.waves]
    rows = asked.table(
        con,
        "audit_herds_members",
        herds=[place for place, _, _ in waves],
        providers=[named[herd.group]["provider"] for _, herd, _ in waves],
        models=[named[herd.group]["model"] for _, herd, _ in waves],
        by_start=[wave.by_start for _, _, wave in waves],
        starts=[wave.start_us for _, _, wave in waves],
        untils=[wave.until_us for _, _, wave in waves],
    )
    of: dict[int, list[dict[str, Any]]] = {}
    for row in rows.iter_rows(named=True):
        of.setdefault(row["herd"], []).append(row)
    looks = LOOKS_A_CALL * len(retried)
    return [
        (herd, of[place]) for place, herd in enumerate(found) if place in of and _is_unusual(of[place], looks)
    ]


def _is_unusual(rows: Sequence[Mapping[str, Any]], looks: int) -> bool:
    """Whether more of the calls of that time were retried than such calls are at other times."""
    calls, retried = _sum(rows, "calls"), _sum(rows, "retried_calls")
    usual = rows[0]["usual_retried_calls"] / rows[0]["usual_calls"]
    if retried >= _MOST * calls:
        return True
    return retried >= _TIMES_USUAL * usual * calls and binomial_tail(calls, usual, retried) * looks <= CHANCE


def _row(herd: Herd, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    currencies = {row[name] for row in rows for name in ("currency", "last_currency")} - {None}
    costs = [row["cost"] for row in rows if row["cost"] is not None]
    is_sum = bool(costs) and len(currencies) == 1
    backs = [row["last_back"] for row in rows if row["last_back"] is not None]
    row = asdict(herd) | {
        "at": _EPOCH + timedelta(microseconds=herd.waves[0].start_us),
        "until": _EPOCH + timedelta(microseconds=max([herd.waves[-1].until_us, *backs])),
        "waves": len(herd.waves),
        "moment": herd.moment.value,
        "provider": rows[0]["provider"],
        "model": rows[0]["model"],
        "tenants": _names(rows, "tenant"),
        "workloads": _names(rows, "workload"),
        "task_ids": sorted({task for row in rows for task in row["tasks"]}),
        "calls": _sum(rows, "retried_calls"),
        "attempts": _sum(rows, "attempts"),
        "guarded_calls": _sum(rows, "guarded_calls"),
        "calls_at_that_time": _sum(rows, "calls"),
        "lasted_s": max(wave.until_us - wave.start_us for wave in herd.waves) / 1e6,
        "cost": sum(costs, Decimal(0)) if is_sum else None,
        "currency": currencies.pop() if is_sum else None,
    }
    advice = of_herd(row)
    row |= {"finding": advice.finding, "advice": advice.advice}
    return {name: row[name] for name in _SCHEMA.names}


def _sum(rows: Sequence[Mapping[str, Any]], name: str) -> int:
    return sum(row[name] for row in rows)


def _names(rows: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    return sorted({row[name] for row in rows} - {None})
