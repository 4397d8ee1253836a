"""Who had a workload when: in every view, report and right, in any zone, and after the tenant is gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stores import book, call, empty, rows

from analytics import registry
from analytics.reports import REPORTS
from collector.facts.statements import registered, statement
from collector.facts.store import FILE_NAME, Store
from collector.keys.key import Key
from collector.pricing import Quote
from collector.queries.reader import Reader
from switchgear.usage import Usage

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 16, tzinfo=UTC)
HOUR = timedelta(hours=1)
RANGE = {"from": "2026-11-01T00:00:00Z", "to": "2026-12-01T00:00:00Z"}
ANN, BOB = (Key(name, (), frozenset({f"owner:{name}"})) for name in ("ann", "bob"))


def price(provider: str | None, model: str | None, usage: Usage, *_: object) -> Quote:
    """One cent a token of input."""
    return Quote(Decimal("0.01") * usage.input_uncached, "USD", "test 1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path)) as opened:
        yield opened


def line(
    owner: str | None, starts_on: str | None = None, ends_on: str | None = None, **more: str
) -> dict[str, Any]:
    named = {
        "tenant": "acme",
        "workload": "w",
        "owner": owner,
        "cost_centre": owner and f"CC-{owner}",
        **more,
    }
    days = {"from": starts_on, "to": ends_on}
    return named | {name: day for name, day in days.items() if day}


def owned(store: Store, *lines: dict[str, Any], zone: str = "UTC", **more: Any) -> None:
    with store.transaction() as con:
        registry.replace(con, {"source": "imported", "zone": zone, "workloads": list(lines), **more})


def moved(store: Store) -> None:
    """acme / w is ann's, and bob's from the 16th: 1 and 2 before, 4 and 8 after; task t2 goes on over it."""
    owned(store, line("ann", None, "2026-11-16"), line("bob", "2026-11-16"))
    tasks = ["t1", "t2", "t2", "t3"]
    starts = [MIDNIGHT - 2 * HOUR, MIDNIGHT - timedelta.resolution, MIDNIGHT, MIDNIGHT + HOUR]
    calls = [
        call(2**n, at, workload="w", task_id=task, root_task_id=task)
        for n, (at, task) in enumerate(zip(starts, tasks, strict=True))
    ]
    book(store, calls, price, NOW)


OWNERS = [("ann", "CC-ann", Decimal("0.03")), ("bob", "CC-bob", Decimal("0.12"))]


@pytest.mark.parametrize("view", ["calls", "rollup_hours", "cost_adjusted"])
def test_a_move_splits_what_was_spent_at_its_midnight(store: Store, view: str) -> None:
    moved(store)
    found = rows(store, f"SELECT owner, cost_centre, sum(cost) FROM {view} GROUP BY ALL ORDER BY ALL")
    assert found == OWNERS


@pytest.mark.parametrize("report", ["spend", "timeline"])
def test_a_report_by_owner_splits_at_it_too(store: Store, report: str) -> None:
    moved(store)
    asked = {"spend": {"by": "owner"}, "timeline": {"by": "owner", "bucket": "hour"}}
    table = REPORTS[report](store.cursor(), RANGE | asked[report]).to_pylist()
    sums: Counter[str] = Counter()
    for row in table:
        sums[row["owner" if report != "timeline" else "key"]] += row["cost"]
    assert dict(sums) == {owner: cost for owner, _, cost in OWNERS}


def test_a_task_that_goes_on_over_a_move_is_one_line_and_each_owner_sees_its_part(store: Store) -> None:
    moved(store)

    def tasks(con: duckdb.DuckDBPyConnection, **more: str) -> list[tuple[Any, ...]]:
        table = REPORTS["tasks"](con, RANGE | more).to_pylist()
        return [(row["task_id"], row["owner"], row["cost"]) for row in table]

    cents = [Decimal("0.01") * n for n in range(13)]
    assert tasks(store.cursor()) == [
        ("t3", "bob", cents[8]),
        ("t2", "bob", cents[6]),
        ("t1", "ann", cents[1]),
    ]
    parts = {
        "ann": [("t2", "ann", cents[2]), ("t1", "ann", cents[1])],
        "bob": [("t3", "bob", cents[8]), ("t2", "bob", cents[4])],
    }
    with closing(Reader(store)) as reader:
        for key in (ANN, BOB):
            assert tasks(store.cursor(), owner=key.id) == parts[key.id]
            with reader.cursor_of(key) as con:
                assert tasks(con) == parts[key.id]


def test_an_owner_s_key_sees_the_time_in_which_it_owned_the_workload(store: Store) -> None:
    moved(store)
    seen = {}
    with closing(Reader(store)) as reader:
        for key in (ANN, BOB):
            with reader.cursor_of(key) as con:
                seen[key.id] = [
                    con.execute(sql).fetchall()
                    for sql in (
                        "SELECT task_id, cost FROM calls ORDER BY ALL",
                        "SELECT sum(cost) FROM rollup_hours",
                        "SELECT task_id FROM rollup_tasks ORDER BY ALL",
                        "SELECT owner, starts_on::VARCHAR, ends_on::VARCHAR FROM registry",
                    )
                ]
    cents = [Decimal("0.01") * n for n in range(13)]
    assert seen == {
        "ann": [
            [("t1", cents[1]), ("t2", cents[2])],
            [(cents[3],)],
            [("t1",)],
            [("ann", None, "2026-11-16")],
        ],
        "bob": [
            [("t2", cents[4]), ("t3", cents[8])],
            [(cents[12],)],
            [("t3",)],
            [("bob", "2026-11-16", None)],
        ],
    }


def test_a_time_of_which_no_line_speaks_is_unowned_and_told_with_its_days(store: Store) -> None:
    owned(store, line("ann", None, "2026-11-10"), line("bob", "2026-11-20"))
    days = [datetime(2026, 11, day, tzinfo=UTC) for day in (9, 10, 19, 20)]
    book(store, [call(2**n, at, workload="w") for n, at in enumerate(days)], price, NOW)
    found = rows(store, "SELECT owner, sum(cost) FROM calls GROUP BY ALL ORDER BY owner NULLS FIRST")
    assert found == [(None, Decimal("0.06")), ("ann", Decimal("0.01")), ("bob", Decimal("0.08"))]
    (told,) = REPORTS["unowned"](store.cursor(), {"as_of": "2026-11-24T00:00:00Z"}).to_pylist()
    assert (str(told["starts_on"]), str(told["ends_on"])) == ("2026-11-10", "2026-11-20")
    assert (told["calls"], told["cost"], told["currency"]) == (2, Decimal("0.06"), "USD")
    assert (told["first_seen"], told["last_seen"]) == (days[1], days[2])


ZONES = {
    # zone: the first hour, in UTC, of the 16th
    "UTC": MIDNIGHT,
    "Europe/Berlin": MIDNIGHT - HOUR,
    "America/New_York": MIDNIGHT + 5 * HOUR,
    # Half an hour early: its midnight is 18:30.
    "Asia/Kolkata": MIDNIGHT - 6 * HOUR,
}


@pytest.mark.parametrize(("zone", "begins"), ZONES.items(), ids=ZONES)
def test_a_day_begins_in_its_zone_with_a_whole_hour(store: Store, zone: str, begins: datetime) -> None:
    owned(store, line("ann", None, "2026-11-16"), line("bob", "2026-11-16"), zone=zone)
    book(
        store,
        [call(1, begins - timedelta.resolution, workload="w"), call(2, begins, workload="w")],
        price,
        NOW,
    )
    assert rows(store, "SELECT owner FROM calls ORDER BY started_at") == [("ann",), ("bob",)]
    assert rows(store, 'SELECT owner FROM rollup_hours ORDER BY "hour"') == [("ann",), ("bob",)]


days_of_lines = st.sets(st.integers(10, 20), max_size=4).map(sorted)


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_calls_hours_and_the_registry_say_the_same_of_every_call(data: st.DataObject, shared: Store) -> None:
    zone = data.draw(st.sampled_from([*ZONES, "Australia/Lord_Howe", "Pacific/Chatham"]))
    days = [None, *data.draw(days_of_lines), None]
    lines = [
        line(data.draw(st.sampled_from("abc")), *(day and f"2026-11-{day}" for day in pair))
        for pair in pairwise(days)
        if data.draw(st.booleans())
    ]
    # Round the midnights of the days on which something changes.
    near = st.tuples(st.sampled_from(days[1:-1] or [15]), st.integers(-5, 5))
    starts = [
        datetime(2026, 11, day, tzinfo=ZoneInfo(zone)).astimezone(UTC) + timedelta(minutes=15 * quarters)
        for day, quarters in data.draw(st.lists(near, min_size=1, max_size=8))
    ]
    with shared.transaction() as con:
        empty(con)
    owned(shared, *lines, zone=zone)
    book(shared, [call(n, at, workload="w") for n, at in enumerate(starts, 1)], price, NOW)
    known = registry.parse({"zone": zone, "workloads": lines})
    expected: Counter[str | None] = Counter()
    for n, at in enumerate(starts, 1):
        piece = known.owner_at("acme", "w", at)
        expected[piece.owner if piece else None] += Decimal("0.01") * n
    for view in ("calls", "rollup_hours"):
        assert dict(rows(shared, f"SELECT owner, sum(cost) FROM {view} GROUP BY ALL")) == dict(expected)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with closing(Store(tmp_path_factory.mktemp("shared"))) as opened:
        yield opened


@pytest.mark.parametrize("view", ["calls", "rollup_hours"])
def test_a_question_without_owners_reads_no_registry(store: Store, view: str) -> None:
    moved(store)
    plan = rows(store, f"EXPLAIN SELECT tenant, sum(cost) FROM {view} GROUP BY ALL")[0][1]
    assert "JOIN" not in plan.upper()
    assert "JOIN" in rows(store, f"EXPLAIN SELECT owner, sum(cost) FROM {view} GROUP BY ALL")[0][1].upper()


def test_who_had_a_workload_when_and_what_came_in_stay_under_pseudonyms(store: Store) -> None:
    earned = {"tenant": "acme", "month": "2026-11", "amount": "5", "currency": "USD"}
    moved(store)
    owned(store, line("ann", None, "2026-11-16"), line("bob", "2026-11-16"), revenue=[earned])
    store.fold()
    with store.transaction() as con:
        con.execute("SET VARIABLE tenant = 'acme'; SET VARIABLE pseudonym = 'deleted-1'")
        names = duckdb.sql("SELECT 'w' AS workload, 'workload-1' AS pseudonym").to_arrow_table()
        with registered(con, names=names):
            con.execute(statement("erase_tenant"))
        con.execute("DELETE FROM registry_workloads; DELETE FROM registry_revenue")
    owned(store, revenue=[earned | {"tenant": "globex"}])
    found = rows(store, "SELECT owner, cost_centre, sum(cost) FROM rollup_hours GROUP BY ALL ORDER BY ALL")
    assert found == OWNERS
    assert rows(store, "SELECT tenant, amount::INTEGER FROM revenue ORDER BY ALL") == [
        ("deleted-1", 5),
        ("globex", 5),
    ]


def test_a_file_of_version_4_keeps_its_owners_and_plans_as_the_policy_file_s(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / FILE_NAME)) as con:
        con.execute(Path(__file__).with_name("schema_4.sql").read_text(encoding="utf-8"))
    with closing(Store(tmp_path)) as store:
        assert rows(store, "SELECT owner, cost_centre FROM calls") == [("data", "CC-1")]
        deleted = "SELECT owner, cost_centre FROM owners WHERE tenant = 'deleted-1a'"
        assert rows(store, deleted) == [("legal", "CC-9")]
        held = registry.read(store.cursor(), "policies")
        assert [(each["workload"], each["owner"]) for each in held["workloads"]] == [
            ("w", "data"),
            ("x", None),
        ]
        assert [(each["cost_centre"], each["amount"]) for each in held["plans"]] == [("CC-1", "1200.5")]
        owned(store, line("ann", "2026-11-24"))
        assert rows(store, "SELECT owner FROM calls") == [("ann",)]
        with store.transaction() as con:
            registry.replace(con, {"workloads": []})
    with closing(Store(tmp_path)) as again:
        assert registry.read(again.cursor(), "policies")["workloads"] == []
        assert rows(again, "SELECT owner FROM calls") == [("ann",)]
