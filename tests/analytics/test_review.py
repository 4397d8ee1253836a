"""The weekly review: amounts that add up exactly, plans by day, and files that open safely."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import rendering
from analytics.apportion import evenly, rounded
from analytics.registry import Plan, Registry, Workload
from analytics.review import Review, compute
from cli import review as verb

WEEK, START = "2026-W47", date(2026, 11, 16)
CENT = Decimal("0.01")


def line(owner: str | None, cost: str | None, *, period: str = "week", **other: Any) -> dict[str, Any]:
    return {
        "period": period,
        "tenant": "acme",
        "workload": "writer",
        "owner": owner,
        "cost_centre": None,
        "calls": 1,
        "cost": None if cost is None else Decimal(cost),
        "currency": None if cost is None else "USD",
        "unpriced_calls": int(cost is None),
        "incomplete_calls": 0,
    } | other


def review(
    *lines: dict[str, Any],
    week: str = WEEK,
    start: date = START,
    plans: tuple[Plan, ...] = (),
    workloads: tuple[Workload, ...] = (),
    trips: tuple[dict[str, Any], ...] = (),
) -> Review:
    registry = Registry(workloads, plans)
    return compute(week, start, lines=lines, trips=trips, registry=registry, currency="USD")


def row_of(made: Review, owner: str | None) -> Any:
    return next(row for row in made.rows if row.owner == owner)


def test_an_owner_is_compared_with_plan_and_the_week_before() -> None:
    made = review(
        line("docs", "12.5"),
        line("docs", "10", period="before"),
        plans=(Plan("CC-1", date(2026, 11, 1), Decimal(30), "USD"),),
        workloads=(Workload("acme", "writer", "docs", "CC-1"),),
    )
    docs = row_of(made, "docs")
    assert docs.plan == 7 * Decimal("1.00")  # 30 USD over November's 30 days, seven of them
    assert docs.variance == Decimal("12.5") - 7
    assert docs.change == Decimal("12.5") - 10


def test_a_week_over_two_months_takes_its_days_from_both() -> None:
    plans = (
        Plan("CC-1", date(2026, 11, 1), Decimal("300"), "USD"),  # 10.00 a day
        Plan("CC-1", date(2026, 12, 1), Decimal("31.05"), "USD"),  # 1.01 on the first 5 days, then 1.00
    )
    made = review(
        week="2026-W49",
        start=date(2026, 11, 30),
        plans=plans,
        workloads=(Workload("acme", "writer", "docs", "CC-1"),),
    )
    assert row_of(made, "docs").plan == 1 * Decimal(10) + 5 * Decimal("1.01") + 1 * Decimal("1.00")


def test_the_weeks_of_a_month_spend_its_plan_to_the_cent() -> None:
    days = evenly(Decimal("1000.01"), 30, CENT)
    assert sum(days) == Decimal("1000.01")
    assert max(days) - min(days) <= CENT


def test_a_shared_cost_centre_is_divided_and_said_so() -> None:
    made = review(
        plans=(Plan("CC-1", date(2026, 11, 1), Decimal("0.30"), "USD"),),  # a cent a day, seven in the week
        workloads=(Workload("acme", "a", "ann", "CC-1"), Workload("acme", "b", "bob", "CC-1")),
    )
    assert (row_of(made, "ann").plan, row_of(made, "bob").plan) == (4 * CENT, 3 * CENT)
    assert any("share their plan evenly: CC-1" in note for note in made.notes)


def test_a_plan_that_no_one_owns_stands_in_the_unowned_row() -> None:
    made = review(plans=(Plan("CC-7", date(2026, 11, 1), Decimal(30), "USD"),))
    assert row_of(made, None).plan == 7
    assert any("stand in the unowned row: CC-7" in note for note in made.notes)


def test_unknown_cost_is_not_zero() -> None:
    made = review(line("docs", None), line("docs", "3", period="before"))
    docs = row_of(made, "docs")
    assert (docs.actual, docs.variance, docs.change, docs.unpriced_calls) == (None, None, None, 1)
    assert any("Without any known cost, and so without variance: docs" in note for note in made.notes)


def test_the_unowned_row_is_always_there_and_last() -> None:
    assert [row.owner for row in review(line("docs", "1")).rows] == ["docs", None]
    assert [row.owner for row in review(line(None, "9"), line("docs", "1")).rows] == ["docs", None]


def test_the_top_three_are_by_known_cost_then_by_calls() -> None:
    made = review(
        *(
            line("docs", cost, workload=name)
            for name, cost in zip("abcde", ("1", "5", None, "3", "2"), strict=True)
        )
    )
    assert [top.workload for top in made.top] == ["b", "d", "e"]


@pytest.mark.parametrize(
    ("scope", "counted"),
    [
        ({"tenant": "acme"}, [1, 1, 0]),
        ({"owner": "bob"}, [0, 1, 0]),
        ({"tenant": "acme", "owner": "eve"}, [0, 0, 0]),
        ({"model": "m"}, [1, 1, 1]),
    ],
    ids=["a tenant", "an owner", "an owner without calls there", "a model"],
)
def test_a_trip_counts_for_each_owner_whose_calls_its_scope_may_hold_and_once_in_the_total(
    scope: dict[str, str], counted: list[int]
) -> None:
    trip = {"at": datetime(2026, 11, 17, tzinfo=UTC), "policy": "p", "scope": scope, "by": "engine"}
    trip |= {"reason": "r", "spent": None, "projected": None, "ceiling": None}
    made = review(
        line("ann", "1", workload="a"),
        line("bob", "1", workload="b"),
        line("eve", "1", tenant="beta"),
        trips=(trip,),
    )
    assert [row_of(made, owner).trips for owner in ("ann", "bob", "eve")] == counted
    assert made.total.trips == 1


amounts = st.one_of(st.none(), st.decimals("0", "99999", places=12))
lines = st.lists(
    st.builds(
        line,
        st.sampled_from(["ann", "bob", None]),
        amounts.map(lambda amount: None if amount is None else str(amount)),
        period=st.sampled_from(["week", "before"]),
        workload=st.sampled_from(["a", "b", None]),
    ),
    max_size=15,
)


@settings(max_examples=60, deadline=None)
@given(lines=lines, plan=st.decimals("0", "100000", places=2))
def test_columns_add_up_in_full_and_as_they_are_shown(lines: list[dict[str, Any]], plan: Decimal) -> None:
    made = review(
        *lines,
        plans=(Plan("CC-1", date(2026, 11, 1), plan, "USD"),),
        workloads=(Workload("acme", "a", "ann", "CC-1"), Workload("acme", "b", "bob", "CC-1")),
    )
    spent = [entry["cost"] for entry in lines if entry["period"] == "week" and entry["cost"] is not None]
    assert made.total.actual == sum(spent, Decimal(0))
    for page in (made, rendering._shown(made, CENT)):
        for name in ("actual", "plan", "variance", "previous", "change"):
            known = [getattr(row, name) for row in page.rows if getattr(row, name) is not None]
            assert getattr(page.total, name) == sum(known, Decimal(0)), name


@given(st.lists(st.decimals("-1000", "1000", places=6), max_size=20))
def test_rounding_keeps_the_sum_and_moves_less_than_a_cent(values: list[Decimal]) -> None:
    shown = rounded(values, CENT)
    assert sum(shown, Decimal(0)) == sum(values, Decimal(0)).quantize(CENT)
    assert all(abs(after - before) < CENT for after, before in zip(shown, values, strict=True))


def test_csv_and_parquet_tell_the_same_to_the_last_digit(tmp_path: Path) -> None:
    made = review(line("docs", "0.123456789012"), line(None, "1.000000000001"))
    table = rendering.parquet_table(made)
    assert table.schema.field("actual").type == pa.decimal128(38, 12)
    pq.write_table(table, tmp_path / "r.parquet")
    read = pq.read_table(tmp_path / "r.parquet").to_pylist()
    written = list(csv.DictReader(io.StringIO(rendering.csv_text(made))))
    assert [row["kind"] for row in written] == ["owner", "unowned", "total"]
    assert [Decimal(row["actual"]) for row in written] == [row["actual"] for row in read]
    assert written[2]["actual"] == "1.123456789013"
    assert written[0]["plan"] == ""


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\r=1"])
def test_a_name_that_is_a_formula_is_guarded_in_csv(name: str) -> None:
    made = review(line(name, "1", workload=name))
    first = next(csv.DictReader(io.StringIO(rendering.csv_text(made), newline="")))
    assert first["owner"] == first["top_1_workload"] == f"'{name}"


def test_a_negative_amount_is_no_formula() -> None:
    assert rendering.plain_cell(Decimal("-1.50")) == "-1.50"


def test_a_hostile_name_is_text_in_the_page() -> None:
    made = review(line("<script>alert(1)</script>", "1", tenant='"><img src=http://evil.example/x>'))
    page = rendering.html_page(made, generated_at=datetime(2026, 11, 24, tzinfo=UTC), watermark=None)
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


@pytest.mark.parametrize("week", ["2026-W54", "last", "2026-47"])
def test_a_week_that_there_is_not_is_misuse(
    week: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verb.run(week, out=tmp_path, collector="http://127.0.0.1:1", api_key=None, as_json=False) == 2
    assert f"review: --week '{week}'" in capsys.readouterr().err


def test_a_collector_that_is_away_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verb.run(WEEK, out=tmp_path, collector="http://127.0.0.1:1", api_key=None, as_json=False) == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert "no collector answers at http://127.0.0.1:1" in said
    assert not list(tmp_path.iterdir())
