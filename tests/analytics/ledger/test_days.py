"""Days that are kept: by what they were made of, and no more of them than there is room for."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
from charged import live, prices_of
from stores import book, call

from analytics.ledger.days import Days
from collector.erasing.erasure import Eraser
from collector.erasing.horizon import Horizon
from collector.erasing.retention import Retention, Sweep
from collector.facts.journal import Journal
from collector.facts.store import Store
from collector.queries.reader import Reader

FIRST = date(2024, 1, 1)


def a_day(size: int) -> pa.Table:
    return pa.table({"amount": pa.repeat(pa.scalar(0, pa.int64()), size // 8)})


def kept(days: Days, count: int) -> list[int]:
    """Which of the first `count` days it still has."""
    return [place for place in range(count) if days.get(("UTC", FIRST + timedelta(place)), 1) is not None]


def test_three_years_of_usual_days_are_kept() -> None:
    days, usual = Days(), a_day(200_000)
    for place in range(1100):
        days.put(("UTC", FIRST + timedelta(place)), 1, usual)
    assert kept(days, 1100) == list(range(1100))


def test_of_large_days_the_last_are_kept_that_fit_into_a_quarter_of_a_gigabyte() -> None:
    days, large = Days(), a_day(100 * 1024 * 1024)
    for place in (0, 1, 1, 1, 2):
        days.put(("UTC", FIRST + timedelta(place)), 1, large)
    assert kept(days, 3) == [1, 2]  # 200 MiB; a day that is made anew counts once


def test_a_day_that_does_not_fit_by_itself_is_not_kept() -> None:
    days = Days()
    days.put(("UTC", FIRST), 1, a_day(300 * 1024 * 1024))
    days.put(("UTC", FIRST + timedelta(1)), 1, a_day(8))
    assert kept(days, 2) == [1]


def test_a_day_of_which_sums_alone_are_left_is_told_anew_once_its_tenant_is_erased(tmp_path: Path) -> None:
    prices = prices_of(tmp_path)
    lines = live(prices, tmp_path)
    later = datetime(2028, 1, 1, tzinfo=UTC)
    with (
        closing(Store(tmp_path)) as store,
        closing(Reader(store)) as reader,
        closing(Journal(tmp_path)) as journal,
    ):
        book(store, [call(1, datetime(2026, 11, 3, tzinfo=UTC), tenant="acme")], prices.quote, later)
        sweep = Sweep(store, Retention(), Horizon(store), now=lambda: later)
        while store.cursor().execute("SELECT count(*) FROM booked").fetchall() != [(0,)]:
            sweep()

        def tenants() -> list[str]:
            table = lines.of_range(store.cursor(), date(2026, 11, 3), date(2026, 11, 3))
            return table["tenant"].to_pylist()

        assert tenants() == ["acme"]
        eraser = Eraser(tmp_path, store, journal, reader, Horizon(store))
        erased = eraser.erase("acme", by="k", reason="they left", now=later)
        assert tenants() == [erased.deletion.tenant]
