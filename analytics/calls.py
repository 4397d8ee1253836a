"""Calls: the calls of a range out of a collector's answers to SQL, as Arrow tables, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pyarrow as pa

__all__ = ["COLUMNS", "booked"]

COLUMNS = (
    "started_at",
    "ended_at",
    "tenant",
    "workload",
    "task_id",
    "root_task_id",
    "tier",
    "provider",
    "model",
    "currency",
    "input_uncached",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "output",
    "cost",
)
"""What is read of each call, named as in the view `calls`; the five counts add up to its tokens."""

_PAGE = 50_000
"""Rows a question: the collector answers 100,000 and 64 MiB at most."""

Ask = Callable[[str], pa.Table]
"""Has one SELECT answered, by whatever way there is to a collector."""


def booked(
    ask: Ask, start: datetime, end: datetime, progress: Callable[[int, int], None] = lambda read, total: None
) -> Iterator[pa.Table]:
    """The calls that began in [start, end), as far as who asks may see them, in order of time from table to table.

    Nothing is in order within a table. The range is halved until one answer can hold each part; `progress` is told how
    many of how many are read, first of all that none is.
    """
    parts = [(start, end, _count(ask, start, end))]
    total, read = parts[0][2], 0
    progress(read, total)
    while parts:
        first, last, rows = parts.pop()
        if rows <= _PAGE or last - first <= timedelta(microseconds=1):
            page = ask(f"SELECT {', '.join(COLUMNS)} FROM calls WHERE {_within(first, last)}")  # noqa: S608 - names of ours
            read += page.num_rows
            progress(read, total)
            yield page
        else:
            middle = first + (last - first) / 2
            early = _count(ask, first, middle)
            parts += [(middle, last, rows - early), (first, middle, early)]


def _count(ask: Ask, start: datetime, end: datetime) -> int:
    return int(ask(f"SELECT count(*) AS calls FROM calls WHERE {_within(start, end)}")["calls"][0].as_py())  # noqa: S608 - ours


def _within(start: datetime, end: datetime) -> str:
    return (
        f"kind = 'llm' AND started_at >= TIMESTAMPTZ '{start.isoformat()}' "
        f"AND started_at < TIMESTAMPTZ '{end.isoformat()}'"
    )
