"""Calls into a store as the collector books them, without the collector."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import duckdb

from collector.billing import priced
from collector.call import Call
from collector.facts.booking import Booked
from collector.facts.rows import EPOCH, numbered, pack
from collector.facts.store import Store
from collector.pricing import PriceCall


def book(store: Store, calls: Sequence[Call], price: PriceCall, now: datetime) -> Booked:
    """Book `calls` as one batch, taken in at `now`, with the next numbers of the journal."""
    facts = pack([priced(call, price) for call in calls]).facts
    taken_us = round((now - EPOCH).total_seconds() * 1_000_000)
    return store.book(numbered([(facts, store.last_seq + 1, taken_us)]), price)


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
