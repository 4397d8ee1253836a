"""The branches of a task tree: what hangs on what, and which of many are kept."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.branches import Branches


def _tree(parents: Mapping[str, str | None], costs: dict[str, int] | None = None) -> Branches:
    costs = costs or dict.fromkeys(parents, 1)
    return Branches(
        "r", parents, {task: Decimal(cost) for task, cost in costs.items()}, dict.fromkeys(parents, 1)
    )


@pytest.mark.parametrize(
    ("parents", "levels"),
    [
        pytest.param({"r": None}, {"r": 1}, id="a root alone"),
        pytest.param({"a": "r", "b": "a"}, {"r": 1, "a": 2, "b": 3}, id="a root that made no call"),
        pytest.param({"r": None, "b": "a"}, {"r": 1, "a": 2, "b": 3}, id="a parent that made no call"),
        pytest.param({"r": None, "a": None}, {"r": 1, "a": 2}, id="a task that names no parent"),
        pytest.param(
            {"r": "b", "a": "r", "b": "a"}, {"r": 1, "a": 2, "b": 3}, id="a root that names a parent"
        ),
        pytest.param({"a": "a"}, {"r": 1, "a": 2}, id="a task that is its own parent"),
        pytest.param(
            {"a": "b", "b": "a", "c": "b"}, {"r": 1, "a": 2, "b": 3, "c": 4}, id="two that hang on each other"
        ),
    ],
)
def test_every_task_hangs_on_the_root_in_the_end(
    parents: dict[str, str | None], levels: dict[str, int]
) -> None:
    tree = _tree(parents)
    assert {task: tree.level(task) for task in tree} == levels


def test_those_branches_are_kept_that_cost_most() -> None:
    tree = _tree({"a": "r", "b": "a", "c": "r", "d": "r"}, {"r": 1, "a": 1, "b": 9, "c": 5, "d": 2})
    assert [tree.kept(most) for most in (1, 2, 4)] == [["r"], ["r", "a"], ["r", "a", "b", "c"]]
    assert tree.above("b", frozenset({"r", "c"})) == "r"


def test_a_branch_is_a_task_and_all_below_it() -> None:
    tree = _tree({"a": "r", "b": "a", "c": "b", "d": "r"})
    assert sorted(tree.below("a")) == ["a", "b", "c"]
    assert "nobody" not in tree


@given(st.dictionaries(st.sampled_from("rabcdefgh"), st.sampled_from("rabcdefghxy") | st.none()), st.data())
def test_no_task_is_kept_without_its_parent_and_none_is_lost(
    parents: dict[str, str | None], data: st.DataObject
) -> None:
    costs = {task: data.draw(st.integers(0, 3)) for task in parents}
    tree = _tree(parents, costs)
    kept = tree.kept(data.draw(st.integers(1, 12)))
    for place, task in enumerate(kept):
        assert task == "r" or tree.parent(task) in kept[:place]
    assert set(tree) >= {"r", *parents}
    assert {tree.above(task, frozenset(kept)) for task in tree} == set(kept)


def test_a_chain_of_thousands_is_no_matter() -> None:
    tree = _tree({str(place): str(place - 1) for place in range(1, 20_000)} | {"0": "r"})
    assert tree.level("19999") == 20_001
    assert tree.kept(3) == ["r", "0", "1"]
