"""Calls into a store as the collector books them, without the collector."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import duckdb

from collector.billing import priced
from collector.call import Call, Reported
from collector.facts.booking import Booked
from collector.facts.rows import EPOCH, numbered, pack
from collector.facts.store import Store
from collector.pricing import PriceCall
from switchgear.usage import Usage

__all__ = ["TOTALS", "book", "call", "empty", "rows"]

TOTALS = Reported.INPUT | Reported.OUTPUT


def call(number: int, at: datetime, **fields: Any) -> Call:
    """Call `number`, alone in its trace, of `number` tokens in and one out, over at once `at`; `fields` override."""
    told = fields.get("usage", ...) is not None
    named: dict[str, Any] = {
        "tenant": "acme",
        "trace_id": f"{number:032x}",
        "span_id": f"{number:016x}",
        "parent_span_id": None,
        "started_at": at,
        "ended_at": at,
        "model": "m",
        "usage": Usage(number, output=1),
        "reported": TOTALS if told else Reported.NOTHING,
        "dialect": "otel-genai",
        "scope": "x@1",
    }
    return Call(**{**named, **fields})


def book(store: Store, calls: Sequence[Call], price: PriceCall, now: datetime) -> Booked:
    """Book `calls` as one batch, taken in at `now`, with the next numbers of the journal."""
    facts = pack([priced(call, price) for call in calls]).facts
    taken_us = round((now - EPOCH).total_seconds() * 1_000_000)
    return store.book(numbered([(facts, store.last_seq + 1, taken_us)]), price)


def rows(store: Store, sql: str) -> list[tuple[Any, ...]]:
    """What a reader of the store is answered."""
    found: list[tuple[Any, ...]] = store.cursor().execute(sql).fetchall()
    return found


def empty(con: duckdb.DuckDBPyConnection) -> None:
    """Take every call out of a store, and what sums it has of them."""
    for table in (
        "booked",
        "members",
        "task_ends",
        "rollup_hours_base",
        "rollup_hours_recent",
        "rollup_tasks_base",
        "rollup_tasks_recent",
    ):
        con.execute(f"DELETE FROM {table}")
