"""The picture of a task tree, and the same over time: what is drawn, what it comes to, and that names stay text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.charts.branching import Branch, Kind, grown, in_order
from dashboard.charts.tree import tree
from dashboard.charts.waterfall import waterfall

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"


def row(
    task: str | None, parent: str | None = None, cost: str | None = "1", **changed: Any
) -> dict[str, Any]:
    """A row of the report `task_tree`: one call of a minute."""
    plain = {
        "rest": False,
        "tasks": 1,
        "task_id": task,
        "parent_task_id": parent,
        "workload": "w",
        "model": "gpt-4o",
        "sku": None,
        "calls": 1,
        "attempts": 1,
        "cost": None if cost is None else Decimal(cost),
        "currency": None if cost is None else "USD",
        "unpriced_calls": int(cost is None),
        "incomplete_calls": 0,
        "first_at": NOON,
        "last_at": NOON + timedelta(minutes=1),
    }
    return {**plain, **changed}


def rest(parent: str, tasks: int, cost: str) -> dict[str, Any]:
    return row(None, parent, cost, rest=True, tasks=tasks, calls=tasks, attempts=tasks)


def tree_of(*rows: dict[str, Any]) -> Branch:
    root = grown(rows)
    assert root is not None
    return root


# A root with two branches, of which one has a branch of its own and more that was left out.
ROWS = [
    row("run", cost="1"),
    row("run/a", "run", "2"),
    row("run/a/x", "run/a", "5", attempts=4),
    row("run/b", "run", None, model="gpt-foo"),
    rest("run/a", 7, "3"),
]


def drawn(svg: str) -> ET.Element:
    return ET.fromstring(svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))  # noqa: S314


def words(svg: str) -> list[str]:
    return ["".join(each.itertext()) for each in drawn(svg).iter(f"{SVG}text")]


def test_a_tree_comes_to_the_sum_of_its_rows() -> None:
    root = tree_of(*ROWS)
    assert (root.costs, root.calls, root.attempts, root.tasks, root.unknown) == (
        {"USD": Decimal(11)},
        11,
        14,
        11,
        1,
    )
    assert (root.first_at, root.last_at) == (NOON, NOON + timedelta(minutes=1))


def test_no_rows_are_no_tree() -> None:
    assert grown([]) is None


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.decimals("0", "9", places=3) | st.none()), min_size=1, max_size=25
    )
)
def test_every_branch_comes_to_what_hangs_on_it(made: list[tuple[int, Decimal | None]]) -> None:
    rows = [row("t0", None, "1")]
    for place, (parent, cost) in enumerate(made, 1):
        rows.append(row(f"t{place}", f"t{parent % place}", None if cost is None else str(cost)))
    root = tree_of(*rows)
    assert root.weight == sum(each["cost"] or 0 for each in rows)
    for branch, _ in in_order(root):
        if branch.children:
            assert branch.weight == sum(child.weight for child in branch.children)
            assert branch.calls == sum(child.calls for child in branch.children)


def test_branches_stand_by_cost_with_the_rest_last_and_own_calls_beside_them() -> None:
    root = tree_of(*ROWS)
    assert [(child.kind, child.name) for child in root.children] == [
        (Kind.TASK, "run/a"),
        (Kind.CALLS, "gpt-4o"),
        (Kind.TASK, "run/b"),
    ]
    assert [(child.kind, child.name) for child in root.children[0].children] == [
        (Kind.TASK, "run/a/x"),
        (Kind.CALLS, "gpt-4o"),
        (Kind.REST, "and 7 more tasks"),
    ]


def test_the_dearest_way_goes_from_the_root_to_its_dearest_end() -> None:
    root = tree_of(*ROWS)
    assert [branch.name for branch, _ in in_order(root) if branch.is_dearest] == ["run", "run/a", "run/a/x"]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        pytest.param([row("r", cost="0.25")], "$0.2500 · 1 call", id="known"),
        pytest.param([row("r", cost=None)], "— · 1 call", id="unknown"),
        pytest.param([row("r", cost="2"), row("r", cost=None)], "over $2.00 · 2 calls", id="partly known"),
        pytest.param(
            [row("r", cost="2"), row("r", cost="3", currency="EUR")],
            "€3.00 + $2.00 · 2 calls",
            id="two currencies",
        ),
        pytest.param(
            [row("r", cost=None, calls=0, attempts=0, unpriced_calls=0)], "$0.00 · 0 calls", id="none"
        ),
    ],
)
def test_what_a_task_cost_is_said_as_far_as_it_is_known(rows: list[dict[str, Any]], told: str) -> None:
    assert tree_of(*rows).sum_words() == told


def test_a_long_chain_is_one_branch_with_its_last_task_open() -> None:
    rows = [row("c0")] + [row(f"c{place}", f"c{place - 1}") for place in range(1, 40)]
    root = tree_of(*rows)
    chain = next(child for child in root.children if child.kind is Kind.CHAIN)
    assert (chain.name, chain.calls, chain.tasks) == ("38 tasks in a row", 39, 39)
    assert {(child.kind, child.name) for child in chain.children} == {
        (Kind.CALLS, "of these 38 tasks"),
        (Kind.TASK, "c39"),
    }
    assert max(level for _, level in in_order(root)) == 2


def test_the_picture_names_each_branch_with_its_cost_and_marks_what_is_odd() -> None:
    said = words(tree(tree_of(*ROWS)))
    assert "over $11.00 · 11 calls · 11 tasks" in said
    assert "…/a" in said
    assert "$5.00 · 1 call · gpt-4o  ↻ 3 retried" in said
    assert "— · 1 call · gpt-foo  ◌ 1 unknown" in said
    assert "$3.00 · 7 calls" in said


def test_branches_are_as_thick_as_they_cost_and_the_unknown_is_dashed() -> None:
    links = [
        (each.get("class"), float(each.get("stroke-width", "0")))
        for each in drawn(tree(tree_of(*ROWS))).iter(f"{SVG}path")
    ]
    thick = dict(links)
    assert thick["way"] > 7
    assert thick["link unknown"] == 1.25
    assert len(links) == 6


def test_tasks_can_be_reached_and_chosen_by_keyboard_and_have_names_for_the_blind() -> None:
    root = drawn(tree(tree_of(*ROWS), chosen="run/a", found="run/b"))
    buttons = [each for each in root.iter(f"{SVG}g") if each.get("role") == "button"]
    assert [each.get("data-task") for each in buttons] == ["run", "run/a", "run/a/x", "run/b"]
    assert {each.get("tabindex") for each in buttons} == {"0"}
    assert [each.get("aria-pressed") for each in buttons] == ["false", "true", "false", "false"]
    assert ["found" in str(each.get("class")) for each in buttons] == [False, False, False, True]
    assert buttons[2].get("aria-label") == (
        "run/a/x: $5.00 · 1 call; gpt-4o; 3 attempts beyond the first; on the dearest path"
    )
    assert root.get("aria-label", "").startswith("Task tree of run: over $11.00")


@pytest.mark.parametrize("draw", [tree, waterfall], ids=["tree", "waterfall"])
@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        "a\"b'c&amp;",
        "\u202egnp.exe",
        "![x](http://evil.example/a.png)",
        "x" * 128,
    ],
    ids=["a tag", "quotes", "right to left", "markdown", "long"],
)
def test_a_hostile_name_is_text_in_the_picture_and_whole_where_it_is_chosen(draw: Any, name: str) -> None:
    root = drawn(draw(tree_of(row("r"), row(name, "r"))))
    assert {each.tag.removeprefix(SVG) for each in root.iter()} <= {
        *("svg", "g", "path", "rect", "circle", "line", "text", "tspan", "title")
    }
    assert name in [each.get("data-task") for each in root.iter()]
    assert not any("\u202e" in "".join(each.itertext()) for each in root.iter(f"{SVG}text"))
    assert max(len("".join(each.itertext())) for each in root.iter(f"{SVG}text")) < 80


@pytest.mark.parametrize(
    ("length", "marks"),
    [
        pytest.param(timedelta(seconds=5), ["12:00:00", "12:00:05"], id="seconds"),
        pytest.param(timedelta(hours=1), ["12:00", "13:00"], id="an hour"),
        pytest.param(timedelta(days=30), ["21 Nov", "9 Dec"], id="a month"),
    ],
)
def test_over_time_the_marks_fit_the_length(length: timedelta, marks: list[str]) -> None:
    svg = waterfall(tree_of(row("r", last_at=NOON + length), row("s", "r", last_at=NOON + length / 2)))
    times = [said for said in words(svg) if said[:1].isdigit()]
    assert set(marks) <= set(times)
    assert len(times) <= 9
    bars = [
        [float(each.get(end, "").rstrip("%")) for end in ("x1", "x2")]
        for each in drawn(svg).iter(f"{SVG}line")
        if each.get("class") == "bar"
    ]
    assert bars == [[31, 83], [31, 57]]
