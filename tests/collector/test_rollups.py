"""Rollups: at any time what GROUP BY over the calls gives, to the last digit, whatever came in which order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from laws import examples
from stores import book, call, rows

from analytics import registry
from collector.call import Call, Reported
from collector.facts import rollups
from collector.facts.store import Store
from collector.pricing import Quote
from switchgear.usage import Usage

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)


def price(provider: str | None, model: str | None, usage: Usage, at: datetime, *_: object) -> Quote:
    """A trillionth a token of output, which only wide decimals add up; "euro" is paid in EUR, "odd" has no price."""
    if model == "odd":
        return Quote(None, None, "by hand")
    return Quote(usage.output * Decimal("0.000000000001"), "EUR" if model == "euro" else "USD", "by hand")


def span(number: int, **fields: Any) -> Call:
    """Span `number`, alone in its trace, of `number` tokens out."""
    named: dict[str, Any] = {
        "ended_at": NOW + timedelta(seconds=1),
        "workload": "writer",
        "task_id": "t-1",
        "root_task_id": "t-1",
        "tier": "batch",
        "provider": "openai",
        "usage": Usage(1000, output=number),
    }
    return call(number, NOW, **{**named, **fields})


HOURS = """
SELECT workload, state, sum(calls), sum(output), CASE WHEN sum(priced_calls) > 0 THEN sum(cost) END
FROM rollup_hours GROUP BY ALL HAVING sum(calls) > 0
"""


def differences(store: Store) -> list[str]:
    return rollups.check(store.cursor())


def test_a_batch_is_in_both_rollups_when_it_is_booked(store: Store) -> None:
    book(store, [span(3), span(4), span(5, model="odd", started_at=NOW + timedelta(hours=1))], price, NOW)
    assert rows(store, 'SELECT "hour", state, calls, output, cost FROM rollup_hours ORDER BY 1') == [
        (NOW.replace(minute=0), "complete", 2, 3 + 4, 7 * Decimal("0.000000000001")),
        (NOW.replace(hour=13, minute=0), "unpriced", 1, 5, None),
    ]
    assert rows(
        store, "SELECT task_id, calls, unpriced_calls, cost, first_at, last_at FROM rollup_tasks"
    ) == [("t-1", 3, 1, 7 * Decimal("0.000000000001"), NOW, NOW + timedelta(hours=1))]


def test_owner_and_cost_centre_are_those_of_the_registry_as_it_is_now(store: Store) -> None:
    book(store, [span(3)], price, NOW)
    with store.transaction() as con:
        line = {"tenant": "acme", "workload": "writer", "owner": "docs", "cost_centre": "CC-1"}
        registry.replace(con, {"workloads": [line]})
    assert rows(store, "SELECT owner, cost_centre FROM rollup_hours") == [("docs", "CC-1")]


def test_a_call_that_becomes_richer_leaves_where_it_was_counted(store: Store) -> None:
    blind = span(
        1, response_id="r", usage=None, reported=Reported.NOTHING, workload=None, task_id=None, tier=None
    )
    book(store, [blind], price, NOW)
    store.fold()
    book(store, [span(2, response_id="r", scope="y@1")], price, NOW)
    for _ in range(2):
        assert rows(store, HOURS) == [("writer", "complete", 1, 2, 2 * Decimal("0.000000000001"))]
        assert rows(store, "SELECT workload, task_id, calls FROM rollup_tasks") == [("writer", "t-1", 1)]
        store.fold()


def test_the_first_and_last_start_of_a_task_that_lost_a_call_are_found_again(store: Store) -> None:
    late = NOW + timedelta(minutes=5)
    blind = span(1, response_id="r", usage=None, started_at=late, ended_at=None)
    book(store, [span(3), blind], price, NOW)
    store.fold()
    known = span(2, response_id="r", scope="y@1", started_at=late - timedelta(seconds=1), ended_at=late)
    book(store, [known], price, NOW)
    assert rows(store, "SELECT exact, last_at FROM rollup_tasks") == [(False, late)]
    store.fold()
    assert rows(store, "SELECT exact, last_at FROM rollup_tasks") == [(True, late - timedelta(seconds=1))]


def test_a_task_that_was_paid_in_two_currencies_has_no_sum(store: Store) -> None:
    book(store, [span(1), span(2, model="euro")], price, NOW)
    assert rows(store, "SELECT cost, calls, exact FROM rollup_tasks") == [(None, 2, False)]


def test_a_store_without_rollups_is_given_them_when_it_is_opened(tmp_path: Path) -> None:
    first = Store(tmp_path)
    book(first, [span(number) for number in range(1, 6)], price, NOW)
    with first.transaction() as con:
        for kind in ("VIEW", "TABLE"):
            found = f"SELECT {kind}_name FROM duckdb_{kind}s() WHERE starts_with({kind}_name, 'rollup_')"
            for (name,) in con.execute(found).fetchall():
                con.execute(f"DROP {kind} {name}")
    first.close()
    again = Store(tmp_path)
    assert differences(again) == []
    assert rows(again, "SELECT sum(calls), sum(output) FROM rollup_hours") == [(5, 1 + 2 + 3 + 4 + 5)]
    again.close()


def test_the_check_names_what_a_rollup_lacks_and_what_it_has_too_much(store: Store) -> None:
    book(store, [span(1)], price, NOW)
    with store.transaction() as con:
        con.execute("UPDATE rollup_hours_recent SET cost = cost + 0.000000000001")
        con.execute("DELETE FROM rollup_tasks_recent")
    found = differences(store)
    assert [line.partition(" {")[0] for line in found] == [
        "rollup_hours has",
        "rollup_hours lacks",
        "rollup_tasks lacks",
    ]
    assert "'calls': 1" in found[0]


spans = st.builds(
    span,
    st.integers(1, 12),
    tenant=st.sampled_from(["acme", "globex"]),
    workload=st.sampled_from(["writer", "bot", None]),
    task_id=st.sampled_from(["t-1", "t-2", None]),
    tier=st.sampled_from(["batch", None]),
    model=st.sampled_from(["m", "euro", "odd"]),
    started_at=st.integers(-2, 2).map(lambda minutes: NOW + timedelta(minutes=20 * minutes)),
    response_id=st.sampled_from([None, "r-1", "r-2", "r-3"]),
    parent_span_id=st.sampled_from([None, *(f"{number:016x}" for number in range(1, 4))]),
    trace_id=st.sampled_from([f"{number:032x}" for number in range(1, 4)]),
    usage=st.sampled_from([None, Usage(10, output=3), Usage(10, 7, output=10**7)]),
    scope=st.sampled_from(["x@1", "y@1"]),
)


@settings(max_examples=examples(4), deadline=None)
@given(st.lists(spans, max_size=16), st.randoms())
def test_rollups_are_the_sums_of_the_calls_after_any_batches_and_folds(
    made: Sequence[Call], random: Random
) -> None:
    waiting = [*made, *made]
    random.shuffle(waiting)
    with TemporaryDirectory() as folder:
        store = Store(Path(folder))
        while waiting:
            size = random.randint(2, 12)
            book(store, waiting[:size], price, NOW)
            waiting = waiting[size:]
            if random.random() < 0.4:
                store.fold()
            assert differences(store) == []
        store.fold()
        assert differences(store) == []
        assert rows(store, "SELECT count(*) FROM rollup_tasks_base WHERE loose") == [(0,)]
        store.close()
        again = Store(Path(folder))
        assert differences(again) == []
        again.close()
