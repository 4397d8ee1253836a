"""A ledger on a store of a test's own, with a clock that the test sets, and calls that cost what they shall."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa
from stores import book, call

from analytics import registry
from analytics.ledger.blockers import Blocker
from analytics.ledger.calendar import Period
from analytics.ledger.closing import Accepted
from analytics.ledger.drafts import Person
from analytics.ledger.keeper import Keeper
from analytics.ledger.line import AMOUNTS, KEYS, LINES, MEASURES
from analytics.ledger.periods import Closed
from analytics.ledger.settings import Chargeback
from analytics.ledger.verify import Verified
from collector.call import Call
from collector.extension import Facts
from collector.facts.store import Store
from collector.pricing import Quote
from collector.queries.reader import Reader
from switchgear.usage import Usage

__all__ = ["ANN", "BOB", "NOVEMBER", "OWNED", "Kept", "at", "by_sql", "contents", "spent"]

ANN, BOB = Person("sg_ann", "Ann"), Person("sg_bob", "Bob")
NOVEMBER = datetime(2026, 11, 5, tzinfo=UTC)
"""When October is over, and late calls were waited for."""
OWNED = {
    "workloads": [
        {"tenant": "acme", "workload": "writer", "owner": "ann", "cost_centre": "CC-1"},
        {"tenant": "globex", "workload": "bot", "owner": "bob", "cost_centre": "CC-2"},
    ]
}
_WORKLOADS = {"acme": "writer", "globex": "bot"}


def at(day: int, hour: int = 12, month: int = 10) -> datetime:
    """An instant of 2026, in UTC."""
    return datetime(2026, month, day, hour, tzinfo=UTC)


def spent(number: int, when: datetime, tenant: str = "acme", **fields: Any) -> Call:
    """Call `number`, which costs `number` millionths of a dollar by `price`, at a provider."""
    workload = _WORKLOADS.get(tenant)
    return call(number, when, **{"tenant": tenant, "workload": workload, "provider": "openai", **fields})


def price(provider: str | None, model: str | None, usage: Usage, when: datetime, *_: object) -> Quote:
    """A millionth of a dollar for each token in; nothing is known of the model `new`."""
    if model == "new":
        return Quote(None, None, "b1")
    return Quote(Decimal(usage.input_total) / 1_000_000, "USD", "b1")


def by_sql(con: duckdb.DuckDBPyConnection, period: Period) -> pa.Table:
    """The lines of a period, counted straight from the calls: all of an amount is for input."""
    columns = {
        **dict.fromkeys(LINES.names, "NULL"),
        **{name: name for name in KEYS if name not in ("item", "rule", "reference", "details")},
        **{
            name: f"coalesce(sum({name}), 0)"
            for name in ("attempts", "input_uncached", "output", "reasoning")
        },
        **dict.fromkeys(("cache_read", "cache_write_5m", "cache_write_1h"), "0"),
        **dict.fromkeys((*AMOUNTS, *MEASURES), "CASE WHEN currency IS NOT NULL THEN 0 END"),
        **dict.fromkeys(("amount", "amount_input", "list_amount"), "sum(cost)"),
        "day": "CAST(started_at AS DATE)",
        "kind": "'usage'",
        "calls": "count(*)",
    }
    listed = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    found = con.sql(
        f"SELECT {listed} FROM calls WHERE started_at >= $start AND started_at < $stop GROUP BY ALL",
        params={"start": period.start, "stop": period.stop},
    )
    return found.to_arrow_table().cast(LINES)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Kept:
    """A store with a ledger; closed at the end of a `with`."""

    def __init__(self, data: Path, *, now: datetime = NOVEMBER, settings: Chargeback | None = None) -> None:
        self.data = data
        self.now = now
        self.behind = 0
        self.settings = settings or Chargeback()
        self.store = Store(data)
        self.reader = Reader(self.store)
        facts = Facts(data, lambda: self.now, self.store, self.reader, self._caught_up, lambda: self.behind)
        self.keeper = Keeper(facts, by_sql, lambda: self.settings, "test")

    async def _caught_up(self) -> None:
        """Everything is booked at once here."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.close()
        self.store.close()

    def book(self, *calls: Call) -> None:
        """Book them, as one batch."""
        book(self.store, calls, price, self.now)

    def own(self, document: dict[str, Any] = OWNED) -> None:
        """Put a registry in place."""
        with self.store.transaction() as con:
            registry.replace(con, document)

    def sql(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """What a statement gives, run by the writer."""
        with self.store.transaction() as con:
            return con.execute(sql, list(params)).fetchall()

    def close(self, period: str = "2026-10", *accepted: str) -> Closed:
        """Close a period as Ann."""
        found, _ = self.keeper.close(
            self.keeper.period(period), ANN, [Accepted(code, "for the test") for code in accepted]
        )
        return found

    def check(self, period: str = "2026-10") -> dict[str, Blocker]:
        """What speaks against a close, by code."""
        return {each.code: each for each in self.keeper.check(self.keeper.period(period))[1]}

    def verify(self) -> Verified:
        """Look at all of it."""
        return self.keeper.verify([])

    def charged(self, period: str) -> Decimal:
        """The sum of a period's known amounts."""
        ((total,),) = self.sql("SELECT sum(amount) FROM ledger_entries WHERE period = $1", [period])
        return total or Decimal(0)
