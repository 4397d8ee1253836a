"""Fan-out: calls, agents, depth, breadth and cost of task trees, counted once more in plain Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import ceil
from random import Random

import pytest
from audited import audit, call, stored
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from laws import examples

from collector.call import Call


def _agent(at_s: float, agent: str, parent: str | None, root: str = "root", **fields: object) -> Call:
    return call(at_s, agent, parent_task_id=parent, root_task_id=root, output=10, **fields)  # type: ignore[arg-type]


def test_a_tree_is_as_deep_and_as_broad_as_its_agents_say() -> None:
    tree = [
        _agent(0, "root", None),
        _agent(1, "root", None),
        *(_agent(2 + place, f"child-{place}", "root") for place in range(3)),
        _agent(9, "grandchild", "child-1", workload="searcher"),
        # Its parent made no call: it is on the third level at least.
        _agent(10, "of-a-silent-one", "silent"),
    ]
    with stored([*tree, call(100, "alone", output=30), call(200, None, output=1)]) as store:
        (row,) = audit(store, "audit_fanout")
    assert row["workload"] == "writer"
    assert (row["tasks"], row["calls"], row["calls_without_task"]) == (2, 8, 1)
    assert (row["calls_p50"], row["calls_max"]) == (1, 7)
    assert (row["agents_p50"], row["agents_max"]) == (1, 6)
    assert (row["depth_p50"], row["depth_max"]) == (1, 3)
    assert (row["breadth_p50"], row["breadth_max"]) == (0, 3)
    assert (row["cost"], row["cost_max"]) == (Decimal("0.70") + Decimal("0.30"), Decimal("0.70"))


def test_agents_that_name_each_other_as_parents_do_not_hang_it() -> None:
    with stored(
        [_agent(0, "root", None), _agent(1, "a", "b"), _agent(2, "b", "a"), _agent(3, "c", "c")]
    ) as store:
        (row,) = audit(store, "audit_fanout")
    # What hangs on nothing but itself has no level; a task that is its own parent is a child of the root.
    assert (row["agents_max"], row["depth_max"]) == (4, 2)


def test_a_tree_with_a_call_of_unknown_cost_is_in_no_sum() -> None:
    calls = [call(0, "t1", output=30), call(9, "t2", output=50), call(10, "t2", model="odd")]
    with stored(calls) as store:
        rows = {row["currency"]: row for row in audit(store, "audit_fanout")}
    assert sum(row["tasks"] for row in rows.values()) == 2
    assert sum(row["priced_tasks"] for row in rows.values()) == 1
    assert rows["USD"]["cost"] == Decimal("0.30")


def _costs(random: Random, index: float, tasks: int) -> list[int]:
    return [min(400_000, int(20 * random.paretovariate(index))) for _ in range(tasks)]


@pytest.mark.parametrize(
    ("index", "heavy"), [(1.1, True), (5.0, False)], ids=["a heavy tail", "an ordinary one"]
)
def test_a_heavy_tail_is_told_plainly(index: float, heavy: bool) -> None:  # noqa: FBT001 - a table
    costs = _costs(Random(4), index, 400)
    with stored([call(100 * place, f"t{place}", output=cost) for place, cost in enumerate(costs)]) as store:
        (row,) = audit(store, "audit_fanout")
        loops = audit(store, "audit_loops")
    dearest = sorted(costs, reverse=True)[: ceil(len(costs) / 100)]
    assert row["dearest_share"] == pytest.approx(sum(dearest) / sum(costs))
    assert row["tail_index"] == pytest.approx(index, rel=0.35)
    assert row["heavy_tail"] is heavy
    assert (row["finding"] or "").startswith("heavy tail: the dearest 1 %") is heavy
    assert loops == []


def test_of_few_tasks_nothing_is_said_of_a_tail() -> None:
    calls = [call(100 * place, f"t{place}", output=10**place) for place in range(6)]
    with stored(calls) as store:
        (row,) = audit(store, "audit_fanout")
    assert (row["tail_index"], row["heavy_tail"], row["finding"]) == (None, None, None)
    assert row["max_over_median"] == 10**5 / 10**2


TREES = st.lists(
    st.tuples(st.lists(st.integers(0, 8), max_size=8), st.integers(1, 40)), min_size=1, max_size=8
)


@settings(max_examples=examples(5), deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=TREES)
def test_trees_are_counted_as_in_plain_python(drawn: list[tuple[list[int], int]]) -> None:
    calls: list[Call] = []
    depths, breadths, counts = [], [], []
    for number, (parents, output) in enumerate(drawn):
        # Agent 0 is the root; agent n + 1 hangs on one of those before it.
        tree = {place + 1: parent % (place + 1) for place, parent in enumerate(parents)}
        agents = [(_name(number, place), tree.get(place)) for place in range(len(parents) + 1)]
        calls += [
            call(
                100 * number + place,
                agent,
                parent_task_id=None if parent is None else _name(number, parent),
                root_task_id=_name(number, 0),
                output=output,
            )
            for place, (agent, parent) in enumerate(agents)
        ]
        depths.append(max(_level(tree, place) for place in range(len(agents))))
        breadths.append(max((list(tree.values()).count(parent) for parent in tree.values()), default=0))
        counts.append(len(agents))
    with stored(calls) as store:
        (row,) = audit(store, "audit_fanout")
    assert (row["tasks"], row["calls"]) == (len(drawn), sum(counts))
    assert (row["depth_p50"], row["depth_max"]) == (_middle(depths), max(depths))
    assert (row["breadth_p50"], row["breadth_max"]) == (_middle(breadths), max(breadths))
    assert (row["calls_p50"], row["calls_max"]) == (_middle(counts), max(counts))


def _name(tree: int, agent: int) -> str:
    return f"tree-{tree}-{agent}"


def _level(tree: Mapping[int, int], agent: int) -> int:
    return 1 + _level(tree, tree[agent]) if agent in tree else 1


def _middle(values: Sequence[int]) -> int:
    """The least value that half of them do not exceed."""
    return sorted(values)[ceil(len(values) / 2) - 1]
