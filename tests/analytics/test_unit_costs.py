"""Unit costs: what work costs by its unit, exactly; what is not known is NULL, and every call counts in one row."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from laws import examples
from msgspec.structs import replace
from stores import book, empty
from stores import call as stored_call

from analytics import registry
from analytics.reports import BUCKETS, DIMENSIONS, REPORTS
from collector.call import Call, Kind, Reported
from collector.erasing.horizon import Horizon
from collector.erasing.retention import Retention, Sweep
from collector.facts.store import Store
from collector.keys.key import Key
from collector.overflow import OVERFLOW
from collector.pricing import Quote
from collector.queries.reader import Reader
from collector.reporting import ReportError
from switchgear.outcome import Outcome
from switchgear.usage import Usage

MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
WEEK = {"from": "2026-11-16T00:00:00Z", "to": "2026-11-23T00:00:00Z"}
LATER = "2026-12-24T00:00:00Z"
ONE = Decimal("0.000001")
_LEAST = Decimal("0.000000000001")
_ids = count(1)


def price(
    provider: str | None,
    model: str | None,
    usage: Usage,
    at: datetime,
    service_tier: str | None = None,
    tenant: str | None = None,
) -> Quote:
    """ONE a token of output; of the model "tiny" a millionth of that; the model "odd" has no price."""
    rate = {"odd": None, "tiny": _LEAST}.get(model or "", ONE)
    cost = None if rate is None else usage.output * rate
    return Quote(cost, None if cost is None else "EUR" if model == "euro" else "USD", "by hand")


def call(
    output: int | None = 0,
    task: str | None = "t-1",
    *,
    hours: float = 0,
    tenant: str = "acme",
    workload: str = "writer",
    model: str = "m",
    user: str | None = None,
    attempts: int = 1,
    root: str | None = None,
) -> Call:
    start = MONDAY + timedelta(hours=hours)
    return stored_call(
        next(_ids),
        start,
        tenant=tenant,
        ended_at=start + timedelta(seconds=2),
        workload=workload,
        task_id=task,
        root_task_id=root or task,
        end_user=user,
        provider="openai",
        model=model,
        usage=None if output is None else Usage(output=output),
        attempts=attempts,
    )


def end(
    outcome: str = "succeeded",
    task: str = "t-1",
    *,
    hours: float = 0,
    tenant: str = "acme",
    workload: str = "writer",
    user: str | None = None,
) -> Call:
    told = call(None, task, hours=hours, tenant=tenant, workload=workload, user=user)
    return replace(told, kind=Kind.TASK, outcome=outcome, provider=None, model=None, dialect="")


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        yield store
        store.close()


@pytest.fixture
def con(store: Store) -> Iterator[duckdb.DuckDBPyConnection]:
    con = store.cursor()
    yield con
    empty(con)
    con.close()


def fill(store: Store, *calls: Call) -> None:
    book(store, calls, price, MONDAY + timedelta(days=7))


def ask(con: duckdb.DuckDBPyConnection, **params: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = REPORTS["unit_costs"](con, {**WEEK, "as_of": LATER, **params}).to_pylist()
    return rows


WORKED: list[tuple[str, Sequence[Call], dict[str, Any]]] = [
    (
        "every call of a task, those of its failures too, over what succeeded",
        [
            *(call(30, "a"), call(20, "a"), end("succeeded", "a")),
            *(call(10, "b"), end("failed", "b"), call(60, "c"), end("succeeded", "c")),
        ],
        {
            "calls": 4,
            "tasks": 3,
            "succeeded": 2,
            "failed": 1,
            "cost": (30 + 20 + 10 + 60) * ONE,
            "cost_per_task": (30 + 20 + 10 + 60) * ONE / 3,
            "cost_of_task_p50": (30 + 20) * ONE,
            "cost_of_task_p95": 60 * ONE,
            "cost_per_success": (30 + 20 + 10 + 60) * ONE / 2,
            "cost_per_1000_calls": (30 + 20 + 10 + 60) * ONE * 1000 / 4,
            "abandoned_cost": 10 * ONE,
        },
    ),
    (
        "no success: no cost of one",
        [call(5, "a"), end("stopped", "a"), call(7, "b"), end("abandoned", "b")],
        {
            "stopped": 1,
            "abandoned": 1,
            "succeeded": 0,
            "cost_per_task": (5 + 7) * ONE / 2,
            "cost_per_success": None,
            "abandoned_cost": (5 + 7) * ONE,
        },
    ),
    (
        "a tree is one task",
        [call(5, "a"), call(7, "b", root="a", workload="search"), call(9, "c", root="a"), end("succeeded", "a")],
        {"calls": 3, "tasks": 1, "succeeded": 1, "cost_per_task": (5 + 7 + 9) * ONE},
    ),
    (
        "an end of a sub-task says nothing of the tree",
        [call(5, "b", root="a"), replace(end("failed", "b"), root_task_id="a")],
        {"tasks": 1, "failed": 0, "unknown": 1},
    ),
    (
        "a task without a call counts, and costs nothing",
        [call(6, "a"), end("succeeded", "a"), end("succeeded", "b", user="u")],
        {
            "calls": 1,
            "tasks": 2,
            "succeeded": 2,
            "users": 1,
            "cost_per_task": 6 * ONE / 2,
            "cost_of_task_p50": 6 * ONE,
            "cost_per_user": None,
        },
    ),
    (
        "the last end of a task counts",
        [call(6, "a"), end("failed", "a", hours=1), end("succeeded", "a", hours=3), end("stopped", "a", hours=2)],
        {"tasks": 1, "succeeded": 1, "failed": 0, "stopped": 0, "abandoned_cost": 0},
    ),
    (
        "calls of users over users, of calls over calls",
        [call(6, user="u"), call(4, user="u"), call(2, user="v"), call(100)],
        {
            "users": 2,
            "cost_per_user": (6 + 4 + 2) * ONE / 2,
            "cost_per_1000_calls": (6 + 4 + 2 + 100) * ONE * 1000 / 4,
        },
    ),
    (
        "the same user of two tenants is two",
        [call(6, user="u"), call(4, user="u", tenant="beta")],
        {"tasks": 2, "users": 2, "cost_per_user": (6 + 4) * ONE / 2},
    ),
    (
        "earlier attempts cost at most as much as the last",
        [call(6, attempts=3), call(4, attempts=2), call(100)],
        {"retried_calls": 2, "retry_attempts": 2 + 1, "retry_cost_at_most": (6 * 2 + 4 * 1) * ONE},
    ),
    (
        "what retries of unpriced calls cost is not known",
        [call(6), call(4, attempts=2, model="odd")],
        {"retried_calls": 1, "retry_attempts": 1, "retry_cost_at_most": None, "unpriced_calls": 1},
    ),
    (
        "without a known cost there is none of anything",
        [call(4, model="odd"), call(None), end("failed")],
        {
            "calls": 2,
            "priced_calls": 0,
            "tasks": 1,
            "cost": None,
            "currency": None,
            "cost_per_task": None,
            "cost_per_1000_calls": None,
            "abandoned_cost": None,
            "retry_cost_at_most": 0,
            "unpriced_calls": 1,
            "incomplete_calls": 1,
        },
    ),
    (
        "calls without a known cost are not in the mean of those with one",
        [call(6), call(4, model="odd")],
        {"calls": 2, "priced_calls": 1, "cost_per_1000_calls": 6 * ONE * 1000 / 1},
    ),
    (
        "an incomplete call is abandoned, with what is known of its cost",
        [
            call(5),
            replace(call(7), reported=Reported.OUTPUT),
            replace(call(8, "b"), reported=Reported.OUTPUT),
            *(end(), end("failed", "b")),
        ],
        {"incomplete_calls": 2, "abandoned_cost": (7 + 8) * ONE},
    ),
    ("half a unit rounds down to even", [call(1, "a", model="tiny"), end(task="b")], {"cost_per_task": 0 * _LEAST}),
    ("one and a half rounds up to even", [call(3, "a", model="tiny"), end(task="b")], {"cost_per_task": 2 * _LEAST}),
    ("two and a half round down to even", [call(5, "a", model="tiny"), end(task="b")], {"cost_per_task": 2 * _LEAST}),
    (
        "a third is cut after 12 decimals, two thirds are rounded up",
        [call(2, "a", model="tiny"), end(task="b"), end(task="c")],
        {"cost_per_task": 1 * _LEAST, "cost_per_success": 1 * _LEAST},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("calls", "expected"), [row[1:] for row in WORKED], ids=[row[0] for row in WORKED])
def test_the_arithmetic(
    store: Store, con: duckdb.DuckDBPyConnection, calls: Sequence[Call], expected: dict[str, Any]
) -> None:
    fill(store, *calls)
    (row,) = ask(con)
    assert row["part"] == "tasks"
    assert {name: row[name] for name in expected} == {
        name: _rounded(value) if isinstance(value, Decimal) else value for name, value in expected.items()
    }


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(_LEAST, ROUND_HALF_EVEN)


@pytest.mark.parametrize(
    ("as_of", "fate"),
    [("2026-11-17T23:59:59Z", "open"), ("2026-11-18T00:00:00Z", "unknown")],
    ids=["24 hours after its last call but for a second", "24 hours after"],
)
def test_a_task_without_an_end_is_never_taken_for_a_success(
    store: Store, con: duckdb.DuckDBPyConnection, as_of: str, fate: str
) -> None:
    fill(store, call(1), call(1, hours=24))
    day = {"from": "2026-11-16T00:00:00Z", "to": "2026-11-17T00:00:00Z"}
    (row,) = ask(con, **day, as_of=as_of)
    assert {name: row[name] for name in ("succeeded", "open", "unknown")} == {
        "succeeded": 0, "open": 0, "unknown": 0, fate: 1
    }  # fmt: skip


def test_calls_of_no_task_stand_apart(store: Store, con: duckdb.DuckDBPyConnection) -> None:
    fill(store, call(30), end(), call(4, None, user="u"), call(5, OVERFLOW), call(6, "b", root=OVERFLOW))
    rows = {row["part"]: row for row in ask(con)}
    assert {part: (row["calls"], row["tasks"], row["cost"]) for part, row in rows.items()} == {
        "tasks": (1, 1, 30 * ONE),
        "no_task": (1, 0, 4 * ONE),
        "overflow": (2, None, (5 + 6) * ONE),
    }
    assert (rows["no_task"]["cost_per_task"], rows["no_task"]["cost_per_user"]) == (None, 4 * ONE)
    assert (rows["overflow"]["abandoned_cost"], rows["no_task"]["abandoned_cost"]) == (None, 0)


def test_hours_whose_calls_were_deleted_keep_their_cost_and_nothing_that_calls_would_tell(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path)
    fill(store, call(30, attempts=3), end("failed"), call(4, hours=48))
    now = MONDAY + timedelta(days=2)
    Sweep(store, Retention(details=1), Horizon(store), now=lambda: now)()
    rows = {row["part"]: row for row in ask(store.cursor())}
    store.close()
    assert {part: (row["calls"], row["cost"]) for part, row in rows.items()} == {
        "deleted": (1, 30 * ONE),
        "tasks": (1, 4 * ONE),
    }
    assert {name: value for name, value in rows["deleted"].items() if value is not None} == {
        "part": "deleted",
        "calls": 1,
        "priced_calls": 1,
        "cost": 30 * ONE,
        "currency": "USD",
        "cost_per_1000_calls": 30 * ONE * 1000,
        "retry_attempts": 2,
        "unpriced_calls": 0,
        "incomplete_calls": 0,
    }


def test_over_models_a_task_counts_where_it_made_calls(store: Store, con: duckdb.DuckDBPyConnection) -> None:
    fill(store, call(30), call(4, model="n"), end(), end(task="b"))
    assert [(row["model"], row["tasks"], row["cost_per_success"]) for row in ask(con, by="model")] == [
        ("m", 1, 30 * ONE),
        ("n", 1, 4 * ONE),
    ]
    assert [row["tasks"] for row in ask(con)] == [2]
    assert ask(con, model="") == []


def test_over_workloads_a_tree_counts_where_it_made_calls_or_ended(
    store: Store, con: duckdb.DuckDBPyConnection
) -> None:
    fill(store, call(30, "b", root="a", workload="search"), end(task="a"))
    assert [
        (row["workload"], row["calls"], row["tasks"], row["succeeded"]) for row in ask(con, by="workload")
    ] == [
        ("search", 1, 1, 1),
        ("writer", 0, 1, 1),
    ]


@pytest.mark.parametrize("name", [*DIMENSIONS])
def test_one_task_is_one_whatever_it_is_split_by(
    store: Store, con: duckdb.DuckDBPyConnection, name: str
) -> None:
    fill(store, call(30, user="u"), end(user="u"), call(4, None, user="u"), call(5, None, model="n"))
    tasks, *others = sorted(ask(con, by=name), key=lambda row: row["part"], reverse=True)
    assert (tasks["part"], tasks["tasks"], tasks["succeeded"], tasks["users"]) == ("tasks", 1, 1, 1)
    assert {(row["part"], row["tasks"]) for row in others} == {("no_task", 0)}


def test_a_task_is_of_every_day_in_which_it_made_a_call(store: Store, con: duckdb.DuckDBPyConnection) -> None:
    fill(store, call(30, hours=1), call(4, hours=25), end(hours=25), call(2, hours=-1))
    rows = ask(con, by="day")
    assert [(row["bucket"], row["tasks"], row["succeeded"], row["cost_per_task"]) for row in rows] == [
        (MONDAY, 1, 1, 30 * ONE),
        (MONDAY + timedelta(days=1), 1, 1, 4 * ONE),
    ]


def test_the_ends_of_another_tenant_s_tasks_are_not_its_own(
    store: Store, con: duckdb.DuckDBPyConnection
) -> None:
    fill(store, call(1), call(2, tenant="beta"), end("succeeded", tenant="beta"))
    assert [(row["tenant"], row["succeeded"], row["unknown"]) for row in ask(con, by="tenant")] == [
        ("beta", 1, 0),
        ("acme", 0, 1),
    ]
    reader = Reader(store)
    with reader.cursor_of(Key("k", ("acme",), frozenset({"read"}))) as own:
        assert [(row["tasks"], row["succeeded"]) for row in ask(own)] == [(1, 0)]
        assert own.execute("SELECT count(*) FROM task_ends").fetchall() == [(0,)]
    reader.close()


def test_owners_and_cost_centres_are_joined_to_calls_and_ends(
    store: Store, con: duckdb.DuckDBPyConnection
) -> None:
    line = {"tenant": "acme", "workload": "writer", "owner": "docs", "cost_centre": "CC-1"}
    registry.replace(con, {"workloads": [line]})
    fill(store, call(1), end(), end(task="b"), call(2, "c", workload="stray"))
    rows = ask(con, by="owner,cost_centre")
    registry.replace(con, {"workloads": []})
    assert [(row["owner"], row["cost_centre"], row["tasks"]) for row in rows] == [
        (None, None, 1),
        ("docs", "CC-1", 2),
    ]


def test_currencies_are_never_summed(store: Store, con: duckdb.DuckDBPyConnection) -> None:
    fill(store, call(1), call(2, model="euro"), end())
    with pytest.raises(ReportError, match="EUR, USD: choose with currency="):
        ask(con)
    (euro,) = ask(con, currency="EUR")
    assert (euro["cost"], euro["currency"], euro["tasks"]) == (2 * ONE, "EUR", 1)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"by": "tenant,tenant"}, "names something twice"),
        ({"by": "hour,day"}, "one bucket at most"),
        ({"by": ";hour;day"}, "one bucket at most"),
        ({"by": "tenant;tier,tier"}, "'tier,tier' names something twice"),
        ({"by": "outcome"}, "by: 'outcome' is unknown"),
        ({"as_of": "soon"}, "as_of: 'soon' is no time"),
        ({"top": "3"}, "top: unknown parameter"),
    ],
)
def test_bad_parameters_are_refused_by_name(
    con: duckdb.DuckDBPyConnection, params: dict[str, str], said: str
) -> None:
    with pytest.raises(ReportError, match=said):
        ask(con, **params)


facts = st.lists(
    st.one_of(
        st.builds(
            call,
            st.one_of(st.none(), st.integers(0, 10**7)),
            st.sampled_from(["t-1", "t-2", None]),
            hours=st.floats(-30, 200),
            tenant=st.sampled_from(["acme", "beta"]),
            workload=st.sampled_from(["writer", "bot"]),
            model=st.sampled_from(["m", "tiny", "odd"]),
            user=st.sampled_from(["u", "v", None]),
            attempts=st.integers(1, 4),
            root=st.sampled_from(["t-1", OVERFLOW, None]),
        ),
        st.builds(
            end,
            st.sampled_from([*map(str, Outcome)]),
            st.sampled_from(["t-1", "t-2"]),
            hours=st.sampled_from([-1.0, 1.0, 50.0]),
            tenant=st.sampled_from(["acme", "beta"]),
            workload=st.sampled_from(["writer", "bot"]),
            user=st.sampled_from(["u", None]),
        ),
    ),
    max_size=12,
)
# Every call counts in one row of them; tasks and users may count in several.
ADDED = (
    "calls",
    "priced_calls",
    "cost",
    "retried_calls",
    "retry_attempts",
    "retry_cost_at_most",
    "abandoned_cost",
)
FATES = ("succeeded", "failed", "stopped", "abandoned", "open", "unknown")


@settings(
    max_examples=examples(5), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    facts=facts,
    dimensions=st.lists(st.sampled_from([*DIMENSIONS]), min_size=1, max_size=3, unique=True),
    bucket=st.sampled_from([*BUCKETS]),
    filters=st.sampled_from([{}, {"tenant": "acme"}, {"model": "m"}]),
)
def test_several_groupings_at_once_have_the_rows_that_each_has_by_itself(
    *,
    store: Store,
    con: duckdb.DuckDBPyConnection,
    facts: list[Call],
    dimensions: list[str],
    bucket: str,
    filters: dict[str, str],
) -> None:
    empty(con)
    fill(store, *facts)
    groupings = ["", bucket, *dimensions, f"{dimensions[0]},{bucket}"]
    expected = [{"grouped_by": by} | row for by in groupings for row in ask(con, by=by, **filters)]
    names = {"bucket", *DIMENSIONS}
    found = ask(con, by=";".join(groupings), **filters)
    assert [
        {name: value for name, value in row.items() if name not in names or value is not None}
        for row in found
    ] == [
        {name: value for name, value in row.items() if name not in names or value is not None}
        for row in expected
    ]


@settings(
    max_examples=examples(5), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    facts=facts,
    by=st.lists(st.sampled_from([*DIMENSIONS]), max_size=3, unique=True),
    bucket=st.sampled_from([None, *BUCKETS]),
)
def test_rows_add_up_to_the_calls_of_the_range_whatever_they_are_split_by(
    *, store: Store, con: duckdb.DuckDBPyConnection, facts: list[Call], by: list[str], bucket: str | None
) -> None:
    empty(con)
    fill(store, *facts)
    whole = ask(con)
    parts = ask(con, by=",".join([*by, *([bucket] if bucket else [])]))
    for name in ADDED:
        assert _sum(parts, name) == _sum(whole, name), name
    inside = (
        "FROM calls WHERE started_at >= '2026-11-16 00:00:00+00' AND started_at < '2026-11-23 00:00:00+00'"
    )
    ((cost, calls, retries),) = con.execute(
        f"SELECT coalesce(sum(cost), 0), count(*), coalesce(sum(attempts - 1), 0) {inside}"
    ).fetchall()
    assert (_sum(parts, "cost"), _sum(parts, "calls"), _sum(parts, "retry_attempts")) == (
        cost,
        calls,
        retries,
    )
    for row in parts:
        if row["tasks"] is not None:
            assert sum(row[fate] for fate in FATES) == row["tasks"]


def _sum(rows: Sequence[dict[str, Any]], name: str) -> Decimal:
    return sum((row[name] for row in rows if row[name] is not None), Decimal(0))


@settings(
    max_examples=examples(3), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), facts=facts)
def test_the_order_in_which_facts_come_changes_nothing(
    store: Store, con: duckdb.DuckDBPyConnection, data: st.DataObject, facts: list[Call]
) -> None:
    empty(con)
    fill(store, *facts)
    expected = ask(con, by="tenant,workload,user")
    empty(con)
    again = data.draw(st.permutations([*facts, *(each for each in facts if each.kind is Kind.TASK)]))
    cut = data.draw(st.integers(0, len(again)))
    for part in (again[:cut], again[cut:]):
        if part:
            fill(store, *part)
    assert ask(con, by="tenant,workload,user") == expected
