"""The reports on task trees: which there are, one branch by branch, its calls, and what costs far more than usual."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from audited import WEEK, call, stored

from analytics.reports import REPORTS
from collector.call import Call, Kind
from collector.facts.store import Store
from collector.overflow import OVERFLOW
from collector.reporting import ReportError

HOUR = 3600.0


def _sub(at_s: float, task: str, parent: str | None, root: str, **fields: Any) -> Call:
    return call(at_s, task, parent_task_id=parent, root_task_id=root, **fields)


# acme has a tree of four tasks, one below a task that made no call, and one of its own; globex has the same ids.
CALLS = [
    call(0, "run-1"),
    call(9, "run-1", model="odd", attempts=3),
    _sub(10, "run-1.a", "run-1", "run-1", output=300, workload="search"),
    _sub(20, "run-1.a", "run-1", "run-1", output=300, workload="search", model="m2"),
    _sub(30, "run-1.b", "run-1.idle", "run-1", output=50, took_s=60),
    _sub(HOUR, "run-1.c", "run-1.b", "run-1", output=20, tier="batch"),
    call(2 * HOUR, "other"),
    call(50, "run-1", tenant="globex", output=1),
    call(60, None, output=7),
    _sub(70, OVERFLOW, None, OVERFLOW, output=5),
]


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with stored(CALLS) as made:
        yield made


def _ask(store: Store, name: str, **params: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = REPORTS[name](store.cursor(), {**WEEK, **params}).to_pylist()
    return rows


def test_a_tree_is_found_with_all_of_its_tasks(store: Store) -> None:
    first, other, of_globex = _ask(store, "task_trees")
    assert {
        name: first[name]
        for name in ("tenant", "root_task_id", "workload", "tasks", "depth", "calls", "attempts", "cost")
    } == {
        "tenant": "acme",
        "root_task_id": "run-1",
        "workload": "writer",
        "tasks": 4,
        "depth": 4,
        "calls": 6,
        "attempts": 8,
        "cost": Decimal("7.7"),
    }
    assert (first["unpriced_calls"], first["incomplete_calls"], first["rest"]) == (1, 0, False)
    assert (other["root_task_id"], other["depth"]) == ("other", 1)
    assert (of_globex["tenant"], of_globex["root_task_id"], of_globex["cost"]) == (
        "globex",
        "run-1",
        Decimal("0.01"),
    )


@pytest.mark.parametrize(
    ("order", "roots"),
    [
        ("cost", ["run-1", "other", "run-1"]),
        ("recent", ["other", "run-1", "run-1"]),
        ("calls", ["run-1", "other", "run-1"]),
    ],
)
def test_trees_come_in_the_order_that_is_asked(store: Store, order: str, roots: list[str]) -> None:
    assert [row["root_task_id"] for row in _ask(store, "task_trees", order=order)] == roots


@pytest.mark.parametrize(
    ("find", "found"),
    [
        ("run-1", [("acme", 6), ("globex", 1)]),
        ("run-1.b", [("acme", 6)]),
        ("oth", [("acme", 1)]),
        ("%", []),
        ("RUN", []),
        ("un-1", []),
    ],
)
def test_a_tree_is_found_by_how_any_of_its_ids_begins(
    store: Store, find: str, found: list[tuple[str, int]]
) -> None:
    assert [(row["tenant"], row["calls"]) for row in _ask(store, "task_trees", find=find)] == found


def test_filters_choose_calls_and_the_others_are_one_row(store: Store) -> None:
    (row,) = _ask(store, "task_trees", workload="search")
    assert (row["tasks"], row["calls"], row["cost"]) == (1, 2, Decimal(6))
    first, rest = _ask(store, "task_trees", tenant="acme", top="1")
    assert (first["root_task_id"], rest["rest"], rest["trees"], rest["calls"]) == ("run-1", True, 1, 1)
    assert _ask(store, "task_trees", tier="", tenant="globex")[0]["calls"] == 1


def test_how_a_tree_ended_is_open_for_a_day_and_then_unknown(store: Store) -> None:
    fates = [
        _ask(store, "task_trees", as_of=at)[0]["fate"]
        for at in ("2026-11-16T12:00:00Z", "2026-11-17T02:00:00Z")
    ]
    assert fates == ["open", "unknown"]


def test_the_rows_of_a_tree_add_up_to_it(store: Store) -> None:
    rows = _ask(store, "task_tree", tenant="acme", task="run-1")
    shown = [(row["level"], row["task_id"], row["model"], row["calls"], row["cost"]) for row in rows]
    assert shown == [
        (1, "run-1", "m", 1, Decimal(1)),
        (1, "run-1", "odd", 1, None),
        (2, "run-1.a", "m", 1, Decimal(3)),
        (2, "run-1.a", "m2", 1, Decimal(3)),
        (2, "run-1.idle", None, 0, None),
        (3, "run-1.b", "m", 1, Decimal("0.5")),
        (4, "run-1.c", "m", 1, Decimal("0.2")),
    ]
    assert (rows[5]["last_at"] - rows[5]["first_at"]).total_seconds() == 60


@pytest.mark.parametrize("top", ["1", "2", "3", "4", "5"])
def test_what_is_left_out_of_a_tree_is_a_row_where_it_hangs(store: Store, top: str) -> None:
    rows = _ask(store, "task_tree", tenant="acme", task="run-1", top=top)
    kept = {row["task_id"] for row in rows if not row["rest"]}
    assert len(kept) == int(top)
    assert {row["parent_task_id"] for row in rows} - {None} <= kept
    assert sum(row["calls"] for row in rows) == 6
    assert sum(row["cost"] or 0 for row in rows) == Decimal("7.7")
    assert len(kept) + sum(row["tasks"] for row in rows if row["rest"]) == 5


def test_a_branch_is_shown_alone(store: Store) -> None:
    rows = _ask(store, "task_tree", tenant="acme", task="run-1", under="run-1.b")
    assert [(row["level"], row["task_id"], row["parent_task_id"]) for row in rows] == [
        (1, "run-1.b", None),
        (2, "run-1.c", "run-1.b"),
    ]
    assert _ask(store, "task_tree", tenant="acme", task="run-1", under="other") == []


def test_the_tree_of_another_tenant_is_not_told_by_its_id(store: Store) -> None:
    assert [row["calls"] for row in _ask(store, "task_tree", tenant="globex", task="run-1")] == [1]
    assert _ask(store, "task_tree", tenant="globex", task="other") == []
    assert _ask(store, "task_calls", tenant="globex", task="other") == []


def test_the_calls_of_a_tree_come_in_the_order_of_time(store: Store) -> None:
    rows = _ask(store, "task_calls", tenant="acme", task="run-1")
    assert [row["task_id"] for row in rows] == ["run-1", "run-1", "run-1.a", "run-1.a", "run-1.b", "run-1.c"]
    assert sum(row["cost"] or 0 for row in rows) == Decimal("7.7")
    assert [row["state"] for row in rows][:2] == ["complete", "unpriced"]
    assert [row["calls"] for row in _ask(store, "task_calls", tenant="acme", task="run-1", of="run-1.a")] == [
        1,
        1,
    ]


def test_what_a_cache_answered_stands_among_the_calls_of_a_tree_and_counts_as_none() -> None:
    with stored([call(0, "t"), call(1, "t", kind=Kind.SERVED, cache="semantic")]) as made:
        found = _ask(made, "task_calls", tenant="acme", task="t")
        cost = found[0]["cost"]
        assert [(row["state"], row["calls"], row["cost"], row["cache"]) for row in found] == [
            ("complete", 1, cost, None),
            ("served", 0, 0, "semantic"),
        ]
        assert found[1]["saved"] == cost > 0
        assert sum(row["calls"] for row in _ask(made, "task_tree", tenant="acme", task="t")) == 1


def test_of_too_many_calls_the_unknown_and_the_dearest_are_shown(store: Store) -> None:
    rows = _ask(store, "task_calls", tenant="acme", task="run-1", top="2")
    assert [(row["rest"], row["calls"], row["cost"]) for row in rows] == [
        (False, 1, None),
        (False, 1, Decimal(3)),
        (True, 4, Decimal("4.7")),
    ]


@pytest.mark.parametrize(
    ("name", "params", "told"),
    [
        ("task_trees", {"order": "size"}, "order: 'size' is unknown; there are: cost, calls, recent"),
        ("task_trees", {"state": "complete"}, "state: unknown parameter"),
        ("task_tree", {"task": "run-1"}, "tenant: which tree?"),
        ("task_tree", {"tenant": "acme", "task": ""}, "task: which tree?"),
        ("task_calls", {"tenant": "acme"}, "task: which tree?"),
        ("task_outliers", {"times": "0.5"}, "times: '0.5' is no number from 1 on"),
        ("task_outliers", {"times": "1e9"}, "times: '1e9' is no number from 1 on"),
        ("task_outliers", {"since": "now"}, "since: 'now' is no time"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_its_name(
    store: Store, name: str, params: dict[str, str], told: str
) -> None:
    with pytest.raises(ReportError, match=told.replace("?", r"\?")):
        _ask(store, name, **params)


@pytest.fixture(scope="module")
def many() -> Iterator[Store]:
    """Seven runs of a writer of 1, one of 10 and one of 40 (the last minute of which cost 30), and a lonely 500."""
    usual = [call(60 * place, f"usual-{place}") for place in range(7)]
    dear = [
        call(1000, "ten", output=1000),
        call(1100, "forty", output=1000),
        call(5000, "forty", output=3000),
    ]
    with stored([*usual, *dear, call(2000, "alone", workload="rare", output=50_000)]) as made:
        yield made


def test_what_costs_many_times_the_usual_is_told_with_what_it_would_have_cost(many: Store) -> None:
    rows = _ask(many, "task_outliers", times="10")
    assert [(row["root_task_id"], row["times_usual"], row["excess_cost"]) for row in rows] == [
        ("forty", 40.0, Decimal(39)),
        ("ten", 10.0, Decimal(9)),
    ]
    assert (rows[0]["usual_cost"], rows[0]["usual_calls"], rows[0]["others"]) == (Decimal(1), 1, 8)
    assert [row["root_task_id"] for row in _ask(many, "task_outliers", times="10.01")] == ["forty"]


def test_what_grows_is_told_by_what_it_spent_lately_whatever_is_usual(many: Store) -> None:
    rows = _ask(many, "task_outliers", since="2026-11-16T00:30:00Z")
    assert [(row["root_task_id"], row["recent_cost"], row["cost"]) for row in rows] == [
        ("alone", Decimal(500), Decimal(500)),
        ("forty", Decimal(30), Decimal(40)),
    ]
    assert (rows[0]["usual_cost"], rows[0]["times_usual"], rows[0]["excess_cost"]) == (None, None, None)


def test_too_few_others_say_nothing_of_what_is_usual() -> None:
    few = [call(60 * place, f"usual-{place}") for place in range(4)]
    with stored([*few, call(1000, "dear", output=9000)]) as store:
        assert _ask(store, "task_outliers") == []
    with stored([*few, call(700, "usual-4"), call(1000, "dear", output=9000)]) as store:
        assert [row["root_task_id"] for row in _ask(store, "task_outliers")] == ["dear"]
