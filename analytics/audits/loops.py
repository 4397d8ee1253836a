"""Loops: tasks that make the same call over and over, beside what such tasks usually do.

Prompts are not stored, so the same call is one to the same model whose input is as long as the time before, or longer
by as much as the time before was (within two tokens or a twentieth of that): what a loop sends that appends the same
failure each time. An agent that gets anywhere has an input that grows by what it learns, seldom twice the same. A
round of two or three calls that take turns counts as one. `analytics.projection.runaways` judges tasks that run, by
their number of calls; a number alone accuses nobody here, since the tasks of many workloads have a heavy tail.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from collector.reporting import Report

from .asked import Asked
from .herds import MONEY

if TYPE_CHECKING:
    import duckdb

__all__ = ["LOOPS", "Confidence", "audit_loops", "confidence"]

# A loop has this many calls at least.
_LEAST = 10
# Tasks with fewer calls say nothing of whether repeating is a habit; one that repeats has a run over half of its calls.
_SHORT, _SHARE = 5, 0.5
# Where more than one in five of the others repeats too, that is how the workload works.
_HABIT = 0.2
# What is enough to compare with: others with as many calls, or tasks at all. Else a run must speak for itself.
_OTHERS, _TASKS, _ALONE = 3, 20, 30
# A job by the clock repeats itself too, and waits in between: what nothing beside it can be compared with must repeat
# within a minute.
_AT_ONCE_US = 60_000_000
# Where repeating is a habit only a number of calls accuses: so many robust deviations of its logarithm above the
# median, each of at least a tenth, which no log-normal or Pareto tail reaches.
_FAR, _LEAST_DEVIATION, _MAD_TO_SIGMA = 20.0, 0.1, 1.4826
# Gaps are regular when the middle half of them lies within a quarter of their median.
_REGULAR = 0.25
_MANY_TIMES = 5
_US = 1_000_000

_TIME = pa.timestamp("us", "UTC")
_SCHEMA = pa.schema(
    [
        ("tenant", pa.string()),
        ("workload", pa.string()),
        ("owner", pa.string()),
        ("task_id", pa.string()),
        ("root_task_id", pa.string()),
        ("provider", pa.string()),
        ("model", pa.string()),
        ("first_at", _TIME),
        ("last_at", _TIME),
        ("calls", pa.int64()),
        ("repeated", pa.int64()),
        ("round", pa.int64()),
        ("input_tokens", pa.int64()),
        ("growth_tokens", pa.float64()),
        ("gap_s", pa.float64()),
        ("cost", MONEY),
        ("excess_cost", MONEY),
        ("currency", pa.string()),
        ("tasks", pa.int64()),
        ("typical_calls", pa.int64()),
        ("usual_most_calls", pa.int64()),
        ("typical_cost", MONEY),
        ("confidence", pa.string()),
        ("finding", pa.string()),
        ("advice", pa.string()),
    ]
)


class Confidence(StrEnum):
    """How sure it is that a run of repeats is a loop."""

    SURE = "sure"
    """At regular gaps, and many times the calls that such tasks make."""
    LIKELY = "likely"
    """One of the two; or repeating is usual there, and so many calls are not."""
    POSSIBLE = "possible"
    """Neither, or there are too few tasks to compare it with."""


def audit_loops(con: duckdb.DuckDBPyConnection, params: Mapping[str, str]) -> pa.Table:
    """The tasks with a loop, the `top` (100) whose repeats cost most.

    `repeated` calls are in its longest run, of rounds of `round` calls; `excess_cost` is that of all rounds but the
    first two. Of the workload's tasks in the range, half make `typical_calls` at most and cost `typical_cost` at most,
    and 19 in 20 make no more than `usual_most_calls`.
    """
    asked = Asked.of(params, default=100)
    found = asked.table(con, "audit_loops", short=_SHORT, share=_SHARE, least=_LEAST)
    rows = [
        _row(row, sure)
        for row in found.iter_rows(named=True)
        if asked.fits(row) and (sure := confidence(row)) is not None
    ]
    return pa.Table.from_pylist(rows[: asked.top], schema=_SCHEMA)


LOOPS: Mapping[str, Report] = {"audit_loops": audit_loops}


def confidence(run: Mapping[str, Any]) -> Confidence | None:
    """How sure it is that a run, a row of the statement, is a loop; None where it is the way of its workload."""
    others = run["other_tasks"]
    if others >= _OTHERS and run["other_repeating_tasks"] > _HABIT * others:
        deviation = max(_LEAST_DEVIATION, _MAD_TO_SIGMA * run["spread"])
        return Confidence.LIKELY if math.log(run["calls"]) - run["middle"] >= _FAR * deviation else None
    if others < _OTHERS and run["tasks"] < _TASKS:
        is_quick = run["gaps"][1] <= _AT_ONCE_US
        return Confidence.POSSIBLE if run["repeated"] >= _ALONE and is_quick and _is_regular(run) else None
    signs = (_is_regular(run), run["calls"] >= _MANY_TIMES * run["typical_calls"])
    return (Confidence.POSSIBLE, Confidence.LIKELY, Confidence.SURE)[sum(signs)]


def _is_regular(run: Mapping[str, Any]) -> bool:
    low, middle, high = run["gaps"]
    return bool(high - low <= _REGULAR * middle)


def _row(run: Mapping[str, Any], sure: Confidence) -> dict[str, Any]:
    gap_s = run["gaps"][1] / _US
    row = dict(run) | {
        "growth_tokens": run["growth"],
        "gap_s": gap_s,
        "confidence": sure.value,
        "finding": _finding(run, gap_s),
        "advice": _advice(run),
    }
    return {name: row[name] for name in _SCHEMA.names}


def _finding(run: Mapping[str, Any], gap_s: float) -> str:
    calls = "the same call" if run["round"] == 1 else f"the same {run['round']} calls in turn"
    size = f"input of {run['input_tokens']:,} tokens"
    if run["growth"] > 2:
        size = f"input growing by {run['growth']:,.0f} tokens to {run['input_tokens']:,}"
    every = f"about every {gap_s:.1f} s" if _is_regular(run) else "at irregular gaps"
    beside = (
        f"such tasks make {run['typical_calls']}" if run["tasks"] > 1 else "no other task is there to compare"
    )
    return f"{calls}: {run['repeated']} of the task's {run['calls']}, {size}, {every}; {beside}"


def _advice(run: Mapping[str, Any]) -> str:
    stop = "a limit of rounds in the agent, and a ceiling with `per: task` in the policy file (docs/policy-file.md)"
    if run["typical_cost"]:
        stop += f" of a few times {run['typical_cost']:.4f} {run['currency']}, what such tasks cost"
    root = run["root_task_id"] or run["task_id"]
    return f"{stop}; while it runs: switchgear task stop {root} --tenant {run['tenant']} --reason loop"
