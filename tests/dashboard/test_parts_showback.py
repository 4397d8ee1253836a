"""The parts of the Showback page: where a reader stands, how rows are ranked, and what is said of what is not known."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from dashboard import grid
from dashboard.parts.chargeback.months import Month
from dashboard.parts.showback import figures, levels, ranked, ranked_grid, saved, unit_costs
from dashboard.view import View

MONEY = pa.decimal128(38, 12)
NOW = datetime(2026, 11, 29, 9, 30, tzinfo=UTC)


def at(**query: str) -> View:
    return View.from_query(query)


def spent(*rows: dict[str, Any]) -> pa.Table:
    """A report `spend` by tenant."""
    none = {"tenant": None, "calls": 1, "attempts": 1, "cost": None, "currency": None}
    counts = dict.fromkeys(
        (
            *("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output"),
            *("unpriced_calls", "incomplete_calls", "unowned_calls"),
        ),
        0,
    )
    made = [none | counts | row for row in rows]
    table = pa.Table.from_pylist(made)
    costs = pa.array([row["cost"] for row in made], MONEY)
    table = table.set_column(table.column_names.index("cost"), "cost", costs)
    return table.set_column(
        table.column_names.index("tenant"), "tenant", pa.array([row["tenant"] for row in made], pa.string())
    )


def usd(amount: str, tenant: str | None, **more: Any) -> dict[str, Any]:
    return {"tenant": tenant, "cost": Decimal(amount), "currency": "USD", **more}


@pytest.mark.parametrize(
    ("query", "group"),
    [
        ({}, "tenant"),
        ({"tenant": "a"}, "workload"),
        ({"workload": "w"}, "tenant"),
        ({"tenant": "a", "workload": ""}, "task"),
        ({"tenant": "a", "workload": "w", "task": "t"}, "call"),
        ({"group": "model"}, "model"),
        ({"tenant": "a", "group": "tenant"}, "workload"),
        ({"group": "call"}, "tenant"),
        ({"group": "no such thing"}, "tenant"),
    ],
    ids=lambda case: str(case),
)
def test_a_view_is_grouped_by_the_next_level_unless_its_url_says_otherwise(
    query: dict[str, str], group: str
) -> None:
    assert levels.group_of(at(**query)) == group


def test_a_row_opens_what_is_below_it_and_a_crumb_leads_back() -> None:
    top = at(range="7d", group="cost_centre", owner="o")
    centre = levels.opened(top, "cost_centre", {"cost_centre": None})
    assert levels.params(centre, NOW) | {"from": "", "to": ""} == {
        "from": "",
        "to": "",
        "owner": "o",
        "cost_centre": "",
    }
    task = levels.opened(centre, "task", {"tenant": "a", "workload": None, "task": "t"})
    assert levels.filters(task) == {
        "owner": "o",
        "cost_centre": "",
        "tenant": "a",
        "workload": "",
        "task": "t",
    }
    way = levels.crumbs(task)
    assert [(crumb.kind, crumb.name) for crumb in way] == [
        ("all", "All tenants"),
        ("tenant", "a"),
        ("workload", ""),
        ("task", "t"),
    ]
    assert levels.filters(way[1].view) == {"owner": "o", "cost_centre": "", "tenant": "a"}
    (beside,) = levels.beside(task)
    assert "cost_centre" not in levels.filters(beside.view)


def test_rows_are_told_beside_the_range_before_with_what_is_new_and_what_is_gone() -> None:
    now = spent(usd("15", "a", calls=3), usd("1", "b"), {"tenant": "c", "unpriced_calls": 1})
    before = spent(usd("10", "a", calls=4), usd("2", "d"), usd("7", "c"))
    rows = ranked.by_measure(ranked.rows_of(now, "tenant", before), "cost")
    assert [(row.label, ranked.change(row, "cost")) for row in rows] == [
        ("a", "+50.0 %"),
        ("b", "new"),
        ("c", "not known"),
        ("d", "gone"),
    ]
    assert rows[3].cost == 0
    assert [ranked.change(row, "calls") for row in rows] == [
        "\N{MINUS SIGN}25.0 %",
        "new",
        "as before",
        "gone",
    ]


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [
        ("5", "5", "as before"),
        ("5", "0", "was 0"),
        ("55", "5", "11 times"),
        ("0", "5", "\N{MINUS SIGN}100.0 %"),
    ],
)
def test_a_change_is_said_in_words(now: str, before: str, said: str) -> None:
    (row,) = ranked.rows_of(spent(usd(now, "a")), "tenant", spent(usd(before, "a")))
    assert ranked.change(row, "cost") == said


def test_what_has_no_known_cost_comes_after_what_has_and_all_others_come_last() -> None:
    tasks = pa.Table.from_pylist(
        [
            {
                "tenant": "a",
                "workload": "w",
                "task_id": task,
                "rest": rest,
                "tasks": tasks,
                "calls": 1,
                "attempts": 1,
            }
            | {"currency": "USD", "unpriced_calls": 0, "incomplete_calls": 0, "number": place}
            for place, (task, rest, tasks) in enumerate(
                [("t", False, 1), (None, False, 1), (None, True, 1204)]
            )
        ]
    ).append_column("cost", pa.array([None, Decimal(1), Decimal(9)], MONEY))
    rows = ranked.by_measure(ranked.rows_of(tasks, "task"), "cost")
    assert [row.label for row in rows] == ["(no task id)", "t", "(all 1,204 others)"]
    assert rows[0].names == {"tenant": "a", "workload": "w", "task": None}


def test_the_grid_begins_with_the_total_of_the_headline_and_the_csv_has_every_digit() -> None:
    table = spent(usd("0.123456789012", "a"), usd("0.876543210988", "__overflow__"))
    rows, total = ranked.rows_of(table, "tenant"), ranked.total_of(spent(usd("1", None, calls=2)))
    drawn = ranked_grid.drawn(rows, total, "tenant", "cost", compared=False, many="tenants")
    assert drawn["tenant"].to_list() == ["All tenants", "a", "(names over the cap)"]
    assert drawn["cost"].to_list()[0] == 1.0
    assert sum(drawn["share"].to_list()[1:]) == pytest.approx(100)
    handed_out = ranked.table_of(rows, "tenant", "cost", compared=False)
    assert sum(handed_out["cost"].to_pylist()) == 1
    assert b"0.123456789012" in grid.csv_bytes(handed_out)


def test_an_unknown_cost_is_an_em_dash_and_no_calls_cost_nothing() -> None:
    def headline(**row: Any) -> dict[str, str]:
        total = ranked.total_of(spent(row))
        cells = figures.cells(total, compared=False, basis="estimated", savings=("Cache savings", "—", ""))
        return {name.split(" <")[0]: value for name, value, _ in cells}

    assert headline(calls=2, unpriced_calls=2)["Cost"] == "—"
    assert headline(calls=0, attempts=0)["Cost"] == "$0.00"
    assert "sg-warm" in headline(calls=2, unpriced_calls=2)["Unpriced"]


def test_against_the_range_before_every_figure_says_what_became_of_it() -> None:
    total = ranked.total_of(spent(usd("3", None, calls=2)), spent(usd("2", None, calls=2)))
    cells = figures.cells(total, compared=True, basis="closed", savings=("Cache savings", "—", ""))
    assert cells[0][2] == "+50.0 % on the range before"
    assert ">closed<" in cells[0][0]


def test_a_range_before_that_is_not_known_is_not_one_with_nothing_in_it() -> None:
    total = ranked.total_of(spent(usd("3", None, calls=2)), None)
    cells = figures.cells(total, compared=True, basis="closed", savings=("Cache savings", "—", ""))
    assert cells[0][2] == "of calls, as they were booked"
    assert [aside for _, _, aside in cells if "range before" in aside] == []


OCTOBER = Month("2026-10", date(2026, 10, 1), date(2026, 10, 31), "reconciled")
SEPTEMBER = Month("2026-09", date(2026, 9, 1), date(2026, 9, 30), "closed")
NOVEMBER = Month("2026-11", date(2026, 11, 1), date(2026, 11, 30), "open")


@pytest.mark.parametrize(
    ("first", "stop", "basis"),
    [
        ((10, 1), (11, 1), "reconciled"),
        ((9, 20), (10, 5), "closed"),
        ((10, 20), (11, 5), "estimated"),
        ((8, 31), (9, 5), "estimated"),
    ],
    ids=["within a reconciled month", "partly only closed", "partly open", "before the first month"],
)
def test_cost_rests_on_what_the_least_settled_month_rests_on(
    first: tuple[int, int], stop: tuple[int, int], basis: str
) -> None:
    start, end = (datetime(2026, *day, tzinfo=UTC) for day in (first, stop))
    assert figures.basis_of([NOVEMBER, OCTOBER, SEPTEMBER], start, end) == basis


def test_names_over_the_cap_are_said_only_where_there_are_some() -> None:
    assert figures.over_cap(0) == ""
    assert "12 calls" in figures.over_cap(12)


def test_savings_are_of_whole_days() -> None:
    start, stop = datetime(2026, 11, 22, 18, tzinfo=UTC), datetime(2026, 11, 29, tzinfo=UTC)
    assert saved.whole_days(start, stop) == (date(2026, 11, 23), date(2026, 11, 28))


def test_a_unit_is_drawn_where_it_is_known_and_calls_beside_tasks_are_told() -> None:
    day = datetime(2026, 11, 2, tzinfo=UTC)
    table = pa.Table.from_pylist(
        [
            {
                "bucket": day,
                "part": "tasks",
                "calls": 4,
                "cost": Decimal(1),
                "currency": "USD",
                "unit": Decimal("0.5"),
            },
            {"bucket": day, "part": "no_task", "calls": 3, "cost": None, "currency": None, "unit": None},
        ]
    )
    buckets, values = unit_costs.in_buckets(table, "unit", day, day.replace(day=4), 86400)
    assert (len(buckets), values) == (2, [0.5, None])
    assert "3 calls outside any task (—)" in unit_costs.outside(table)
