"""Audited: calls for the audits to find something in, booked in a store, and the reports on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import stores

from analytics.audits.named import AUDITS
from collector.call import Call
from collector.facts.store import Store
from collector.pricing import Quote
from switchgear.usage import Usage

__all__ = ["MONDAY", "WEEK", "audit", "call", "stored"]

MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
WEEK = {"from": "2026-11-16T00:00:00Z", "to": "2026-11-23T00:00:00Z"}
_ids = count(1)


def call(
    at_s: float,
    task: str | None,
    *,
    tenant: str = "acme",
    workload: str = "writer",
    took_s: float = 2,
    sent: int = 1000,
    output: int = 100,
    **fields: Any,
) -> Call:
    """A call `at_s` seconds into the week that costs a cent for each token of output; the model "odd" has no price."""
    at = MONDAY + timedelta(seconds=at_s)
    named: dict[str, Any] = {
        "tenant": tenant,
        "workload": workload,
        "task_id": task,
        "root_task_id": task,
        "provider": "openai",
        "ended_at": at + timedelta(seconds=took_s),
        "usage": Usage(sent, output=output),
    }
    return stores.call(next(_ids), at, **{**named, **fields})


def _price(provider: str | None, model: str | None, usage: Usage, *_: object, **__: object) -> Quote:
    known = model != "odd"
    return Quote(Decimal(usage.output) / 100 if known else None, "USD" if known else None, "by hand")


@contextmanager
def stored(calls: Sequence[Call]) -> Iterator[Store]:
    """A store in which they are booked."""
    with TemporaryDirectory() as folder:
        store = Store(Path(folder))
        stores.book(store, calls, _price, MONDAY + timedelta(days=7))
        try:
            yield store
        finally:
            store.close()


def audit(store: Store, name: str, **params: str) -> list[dict[str, Any]]:
    """The rows of an audit of the week."""
    rows: list[dict[str, Any]] = AUDITS[name](store.cursor(), {**WEEK, **params}).to_pylist()
    return rows
