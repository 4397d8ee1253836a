"""Reports: whatever is asked, the rows add up to the calls of the range, and nothing unknown becomes 0."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
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
from analytics.reports import BUCKETS, DIMENSIONS, REPORTS, iso_week
from collector.call import Call, Reported
from collector.facts.store import Store
from collector.pricing import Quote
from collector.reporting import ReportError
from switchgear.usage import Usage

MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
WEEK = {"from": "2026-11-16T00:00:00Z", "to": "2026-11-23T00:00:00Z"}
REGISTRY = {
    "workloads": [
        {"tenant": "acme", "workload": "writer", "owner": "docs", "cost_centre": "CC-1"},
        {"tenant": "acme", "workload": "bot", "owner": "care", "cost_centre": "CC-2"},
    ]
}


def price(provider: str | None, model: str | None, usage: Usage, at: datetime, *_: object) -> Quote:
    """A ten-thousandth of a cent a token of output; the model "odd" has no price."""
    known = model != "odd"
    cost = usage.output * Decimal("0.000001") if known else None
    return Quote(cost, "EUR" if model == "euro" else "USD" if known else None, "by hand")


_ids = count(1)


def call(
    output: int | None = 0,
    *,
    hours: float = 0,
    tenant: str = "acme",
    workload: str | None = "writer",
    task: str | None = "t-1",
    model: str = "m",
    tier: str | None = "batch",
) -> Call:
    start = MONDAY + timedelta(hours=hours)
    return stored_call(
        next(_ids),
        start,
        tenant=tenant,
        ended_at=start + timedelta(seconds=2),
        workload=workload,
        task_id=task,
        root_task_id=task,
        tier=tier,
        provider="openai",
        model=model,
        usage=None if output is None else Usage(10, 5, 0, 0, output, 0),
    )


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        yield store
        store.close()


@pytest.fixture
def con(store: Store) -> Iterator[duckdb.DuckDBPyConnection]:
    con = store.cursor()
    registry.replace(con, REGISTRY)
    yield con
    empty(con)
    con.close()


def ask(con: duckdb.DuckDBPyConnection, report: str, **params: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = REPORTS[report](con, {**WEEK, **params}).to_pylist()
    return rows


def fill(store: Store, *calls: Call) -> None:
    book(store, calls, price, MONDAY + timedelta(days=7))


def total(rows: Sequence[dict[str, Any]], name: str = "cost") -> Decimal:
    return sum((row[name] for row in rows if row[name] is not None), Decimal(0))


def test_a_range_is_half_open(store: Store, con: duckdb.DuckDBPyConnection) -> None:
    fill(store, call(1, hours=0), call(10, hours=168), call(100, hours=-0.001), call(1000, hours=167.999))
    assert total(ask(con, "spend")) == (1 + 1000) * Decimal("0.000001")


def test_unknown_cost_is_null_and_its_row_is_kept(store: Store, con: duckdb.DuckDBPyConnection) -> None:
    fill(store, call(7), call(9, model="odd", tenant="beta"), call(None, tenant="gamma"))
    by_tenant = {row["tenant"]: row for row in ask(con, "spend", by="tenant")}
    assert by_tenant["beta"]["cost"] is None
    assert (by_tenant["beta"]["unpriced_calls"], by_tenant["gamma"]["incomplete_calls"]) == (1, 1)
    assert by_tenant["gamma"]["cost"] is None
    assert by_tenant["acme"]["cost"] == 7 * Decimal("0.000001")


def test_unowned_cost_is_a_row_of_its_own(store: Store, con: duckdb.DuckDBPyConnection) -> None:
    fill(store, call(1), call(2, workload="stray"), call(4, workload=None, tenant="unattributed"))
    by_owner = {row["owner"]: row["cost"] for row in ask(con, "spend", by="owner")}
    assert by_owner == {"docs": 1 * Decimal("0.000001"), None: (2 + 4) * Decimal("0.000001")}
    (coverage,) = ask(con, "coverage")
    assert coverage["covered_cost"] == 1 * Decimal("0.000001")
    assert (coverage["unowned_calls"], coverage["unattributed_calls"]) == (2, 1)


def test_a_change_of_the_registry_shows_in_the_next_report(
    store: Store, con: duckdb.DuckDBPyConnection
) -> None:
    fill(store, call(1, workload="stray"))
    line = {"tenant": "acme", "workload": "stray", "owner": "ops", "cost_centre": "CC-9"}
    registry.replace(con, {"workloads": [line]})
    assert [row["owner"] for row in ask(con, "spend", by="owner")] == ["ops"]


def test_sums_behind_a_filter_are_not_wrapped_around(store: Store, con: duckdb.DuckDBPyConnection) -> None:
    scene = [
        ("acme", "m", 30, 3000),
        ("acme", "n", 10, 5000),
        ("beta", "m", 40, 900),
        ("gamma", "odd", 5, 100),
    ]
    fill(
        store,
        *(
            call(size, tenant=tenant, model=model)
            for tenant, model, number, size in scene
            for _ in range(number)
        ),
    )
    for by in ("", "tier", "model", "provider,model"):
        (row,) = ask(con, "spend", by=by, tenant="gamma")
        assert (row["output"], row["input_uncached"], row["calls"]) == (5 * 100, 5 * 10, 5), by


def test_an_empty_filter_value_means_the_calls_without_one(
    store: Store, con: duckdb.DuckDBPyConnection
) -> None:
    fill(store, call(1), call(2, workload=None))
    assert total(ask(con, "spend", workload="")) == 2 * Decimal("0.000001")


def test_the_tasks_past_the_top_are_one_row(store: Store, con: duckdb.DuckDBPyConnection) -> None:
    fill(store, *(call(10**place, task=f"t-{place}", hours=place) for place in range(5)))
    rows = ask(con, "tasks", top="2")
    assert [(row["task_id"], row["tasks"], row["rest"]) for row in rows] == [
        ("t-4", 1, False),
        ("t-3", 1, False),
        (None, 3, True),
    ]
    assert rows[2]["cost"] == (1 + 10 + 100) * Decimal("0.000001")
    assert (rows[2]["first_at"], rows[2]["last_at"]) == (MONDAY, MONDAY + timedelta(hours=2))


def test_the_calls_past_the_top_are_one_row_and_each_shown_is_told_in_full(
    store: Store, con: duckdb.DuckDBPyConnection
) -> None:
    fill(
        store,
        *(call(10**place, hours=place) for place in range(4)),
        call(5, model="odd"),
        call(9, task="t-2"),
    )
    rows = ask(con, "calls", top="2", task="t-1")
    assert [(row["rest"], row["calls"], row["cost"]) for row in rows] == [
        (False, 1, 1000 * Decimal("0.000001")),
        (False, 1, 100 * Decimal("0.000001")),
        (True, 3, (10 + 1) * Decimal("0.000001")),
    ]
    assert (rows[0]["owner"], rows[0]["output"], rows[0]["started_at"]) == (
        "docs",
        1000,
        MONDAY + timedelta(hours=3),
    )
    assert ask(con, "calls", task="t-9") == []


def test_the_other_calls_cost_what_is_known_of_them_or_nothing_that_is_known(
    store: Store, con: duckdb.DuckDBPyConnection
) -> None:
    fill(store, call(7), call(5, model="odd"))
    _, others = ask(con, "calls", top="1")
    assert (others["calls"], others["cost"], others["currency"]) == (1, None, None)


def test_two_currencies_are_never_summed(store: Store, con: duckdb.DuckDBPyConnection) -> None:
    fill(store, call(1), call(2, model="euro"), call(4, model="odd"))
    with pytest.raises(ReportError, match="EUR, USD: choose with currency="):
        ask(con, "spend")
    (euro,) = ask(con, "spend", currency="EUR")
    assert (euro["cost"], euro["calls"], euro["unpriced_calls"]) == (2 * Decimal("0.000001"), 2, 1)


BAD = [
    (
        "by from outside the map",
        "spend",
        {"by": "tenant, 1; DROP TABLE booked"},
        "by: '1; DROP TABLE booked' is unknown",
    ),
    ("twice the same", "spend", {"by": "tenant,tenant"}, "names something twice"),
    ("two buckets", "spend", {"by": "hour,minute"}, "one bucket at most"),
    ("no offset", "spend", {"from": "2026-11-16T00:00:00"}, "has no offset"),
    ("no time", "coverage", {"to": "soon"}, "to: 'soon' is no time"),
    ("backwards", "tasks", {"to": "2026-11-01T00:00:00Z"}, "is before from"),
    ("before all time", "spend", {"from": "0001-01-01T00:00:00+14:00"}, "is outside the years 1 to 9999"),
    ("after all time", "spend", {"to": "9999-12-31T23:59:59-14:00"}, "is outside the years 1 to 9999"),
    ("top of many digits", "tasks", {"top": "9" * 5000}, "is no number from 1 to 1000"),
    ("top 0", "tasks", {"top": "0"}, "top: '0' is no number from 1 to 1000"),
    ("no bucket", "timeline", {"bucket": "fortnight"}, "bucket: 'fortnight' is no bucket"),
    ("unknown", "spend", {"tennant": "acme"}, "tennant: unknown parameter"),
]


@pytest.mark.parametrize(("report", "params", "said"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_parameters_are_refused_by_name(
    con: duckdb.DuckDBPyConnection, report: str, params: dict[str, str], said: str
) -> None:
    with pytest.raises(ReportError, match=said):
        ask(con, report, **params)


@pytest.mark.parametrize(
    "text",
    [
        "2026-47",
        "2026-W54",
        "2025-W53",
        "26-W47",
        "",
        "2026-W4x",
        "0000-W01",
        "0001-W01",
        "\N{FULLWIDTH DIGIT TWO}026-W47",
    ],
)
def test_a_week_that_there_is_not_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no ISO week|has no week"):
        iso_week(text)


calls = st.lists(
    st.builds(
        call,
        st.one_of(st.none(), st.integers(0, 10**7)),
        hours=st.floats(-200, 200),
        tenant=st.sampled_from(["acme", "beta", "unattributed"]),
        workload=st.sampled_from(["writer", "bot", None]),
        task=st.sampled_from(["t-1", "t-2", "t-3", None]),
        model=st.sampled_from(["m", "n", "odd"]),
        tier=st.sampled_from(["batch", "interactive", None]),
    ),
    max_size=12,
)


@settings(
    max_examples=examples(5), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    calls=calls, keys=st.sets(st.sampled_from([*DIMENSIONS]), max_size=3), bucket=st.sampled_from([*BUCKETS])
)
def test_every_report_adds_up_to_the_calls_of_its_range(
    store: Store, con: duckdb.DuckDBPyConnection, calls: list[Call], keys: set[str], bucket: str
) -> None:
    empty(con)
    fill(store, *calls)
    inside = (
        "FROM calls WHERE started_at >= '2026-11-16 00:00:00+00' AND started_at < '2026-11-23 00:00:00+00'"
    )
    ((truth, number),) = con.execute(f"SELECT coalesce(sum(cost), 0), count(*) {inside}").fetchall()
    asked = {
        "spend": {"by": ",".join([*sorted(keys), bucket])},
        "coverage": {},
        "timeline": {"by": "model", "bucket": bucket, "top": "1"},
        "tasks": {"top": "1"},
        "calls": {"top": "1"},
    }
    for report, params in asked.items():
        rows = ask(con, report, **params)
        assert total(rows) == truth, report
        assert sum(row["calls"] for row in rows) == number, report
    used = "input_uncached + cache_read + cache_write_5m + cache_write_1h + output"
    ((tokens_in_all,),) = con.execute(f"SELECT coalesce(sum({used}), 0) {inside}").fetchall()
    assert sum(row["tokens"] for row in ask(con, "timeline", **asked["timeline"])) == tokens_in_all
    tokens = {
        tenant: sum(
            each.usage.output for each in calls if each.tenant == tenant and _inside(each) and each.usage
        )
        for tenant in {each.tenant for each in calls if _inside(each)}
    }
    for tenant, output in tokens.items():
        assert sum(row["output"] for row in ask(con, "spend", by="model,tier", tenant=tenant)) == output


@settings(
    max_examples=examples(3), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    calls=calls,
    richer=st.sets(st.integers(0, 11)),
    hours=st.tuples(st.floats(-200, 200), st.floats(-200, 200)).map(sorted),
    whole=st.booleans(),
    filters=st.dictionaries(
        st.sampled_from([*DIMENSIONS]),
        st.sampled_from(["acme", "writer", "docs", "t-1", "m", ""]),
        max_size=2,
    ),
    by=st.lists(st.sampled_from([*DIMENSIONS]), max_size=2, unique=True),
    bucket=st.sampled_from([*BUCKETS]),
    fold=st.booleans(),
)
def test_a_report_is_the_same_from_the_rollups_and_call_by_call(
    *,
    store: Store,
    con: duckdb.DuckDBPyConnection,
    calls: list[Call],
    richer: set[int],
    hours: list[float],
    whole: bool,
    filters: dict[str, str],
    by: list[str],
    bucket: str,
    fold: bool,
) -> None:
    empty(con)
    fill(store, *calls)
    if fold:
        store.fold()
    fill(store, *(twin(each) for place, each in enumerate(calls) if place in richer))
    start, stop = (MONDAY + timedelta(hours=round(each) if whole else each) for each in hours)
    asked = {"from": start.isoformat(), "to": stop.isoformat(), **filters}
    reports = [
        ("spend", {**asked, "by": ",".join(by)}),
        ("spend", {**asked, "by": ",".join([*by, bucket])}),
        ("timeline", {**asked, "by": (by or ["tenant"])[0], "bucket": bucket, "top": "2"}),
        ("coverage", asked),
        ("tasks", {**asked, "top": "2"}),
    ]
    for name, params in reports:
        rolled = REPORTS[name](con, params).to_pylist()
        with call_by_call():
            assert REPORTS[name](con, params).to_pylist() == rolled, name


@contextmanager
def call_by_call() -> Iterator[None]:
    """Let no report read a rollup."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("analytics.reports._Scope.by_hour", lambda scope, *_: scope)
        patch.setattr("analytics.reports._Scope.has_whole_tasks", False)
        yield


def twin(each: Call) -> Call:
    """What another instrumentation tells of the same call: more, and of a moment before."""
    return replace(
        each,
        span_id=f"{next(_ids):016x}",
        parent_span_id=each.span_id,
        scope="other@1",
        started_at=each.started_at - timedelta(milliseconds=1),
        workload=each.workload or "writer",
        task_id=each.task_id or "t-9",
        usage=each.usage or Usage(10, 5, 0, 0, 77, 0),
        reported=~Reported.NOTHING,
    )


def _inside(each: Call) -> bool:
    return MONDAY <= each.started_at < MONDAY + timedelta(days=7)
