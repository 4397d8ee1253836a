"""Which task has run away: one agent that does not stop, or more alive at once than such tasks have."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.projection.runaways import SHIPPED, SILENT_S, PastTrees, Runaway, TaskTree, Thresholds


def _tree(*, calls: int = 1, agents: int = 1) -> TaskTree:
    """A tree whose first agent makes `calls`, and each of the others one."""
    tree = TaskTree()
    for _ in range(calls):
        tree.called("a0", 0.0)
    for each in range(1, agents):
        tree.called(f"a{each}", 0.0)
    return tree


def _past(*tasks: tuple[int, int]) -> PastTrees:
    past = PastTrees()
    for calls, agents in tasks:
        past.finished(_tree(calls=calls, agents=agents))
    return past


def test_an_agent_that_calls_more_than_any_should_is_named_with_its_threshold() -> None:
    # Alone, it is held against a life of 80 / 8 = 10 calls: 1.2 lives are 12.
    limits = Thresholds(calls=5, lives=1.2, agents=3, learned_from=400)
    assert _tree(calls=12).runaway(limits) is None
    found = _tree(calls=13).runaway(limits)
    assert found == Runaway("calls by one agent", 13, 12, "a0", 10.0, 400)
    assert (
        str(found)
        == "calls by one agent (a0): 13 against a life of 10.0, more than 12 (learned from 400 past tasks)"
    )


def _beside(others: int, calls: int) -> TaskTree:
    """A tree in which 32 others have made so many calls and ended, before one makes `calls`."""
    tree = TaskTree()
    for each in range(32):
        for _ in range(others):
            tree.called(f"b{each}", 0.0)
        tree.ended(f"b{each}")
    for _ in range(calls):
        tree.called("a0", 0.0)
    return tree


def test_a_loop_shows_sooner_beside_agents_that_end_soon() -> None:
    limits = Thresholds(calls=5, lives=4.0, agents=3)
    # The life of the others: (80 + 32 x 5) / (8 + 32) = 6 and (80 + 32 x 20) / (8 + 32) = 18.
    for others, life in ((5, 6), (20, 18)):
        assert _beside(others, 4 * life).runaway(limits) is None
        found = _beside(others, 4 * life + 1).runaway(limits)
        assert found == Runaway("calls by one agent", 4 * life + 1, 4 * life, "a0", life, 0)


def test_many_lives_of_few_calls_are_no_loop() -> None:
    limits = Thresholds(calls=30, lives=2.0, agents=3)
    assert _beside(1, 30).runaway(limits) is None
    # The life of the others is (80 + 32) / 40 = 2.8, of which 31 are eleven: what counts here are the calls.
    assert _beside(1, 31).runaway(limits) == Runaway(
        "calls by one agent", 31, 30, "a0", pytest.approx(2.8), 0
    )


def test_more_agents_alive_at_once_than_should_be_are_a_runaway() -> None:
    assert _tree(agents=20).runaway(SHIPPED) is None
    assert str(_tree(agents=21).runaway(SHIPPED)) == "agents alive at once: 21, more than 20 (shipped)"


def test_agents_one_after_the_other_are_neither() -> None:
    tree = TaskTree()
    for each in range(1000):
        tree.called(f"a{each}", 0.0)
        tree.ended(f"a{each}")
    assert (tree.calls, tree.born, tree.most_alive, tree.alive(0.0)) == (1000, 1000, 1, 0)
    assert tree.runaway(SHIPPED) is None


def test_a_task_that_has_run_away_has_done_so_whatever_follows() -> None:
    tree = _tree(agents=21)
    for each in range(21):
        tree.ended(f"a{each}")
    assert tree.alive(0.0) == 0
    assert tree.runaway(SHIPPED) is not None


def test_an_agent_is_alive_until_it_was_silent_for_the_given_time() -> None:
    tree = TaskTree(silent_s=60.0)
    tree.called("a", 0.0)
    tree.called("b", 10.0)
    assert [tree.alive(now) for now in (59.9, 60.0, 70.0)] == [2, 1, 0]


def test_an_agent_whose_call_ends_is_at_work() -> None:
    tree = TaskTree(silent_s=60.0)
    tree.called("a", 0.0)
    tree.seen("a", 50.0)
    assert [tree.alive(now) for now in (60.0, 110.0)] == [1, 0]


def test_of_an_agent_that_never_called_nothing_is_seen() -> None:
    tree = TaskTree()
    tree.seen("a", 0.0)
    assert (tree.alive(0.0), tree.born, tree.calls) == (0, 0, 0)


def test_a_slow_loop_keeps_its_count_through_silences() -> None:
    tree = TaskTree()
    for each in range(121):
        tree.called("a", each * (SILENT_S + 1))
    assert (tree.born, tree.most_calls, tree.most_alive) == (1, 121, 1)
    assert tree.runaway(SHIPPED) == Runaway("calls by one agent", 121, 120, "a", 10.0, 0)


def test_agents_that_are_never_alive_together_are_not_counted_together() -> None:
    tree = TaskTree()
    for each in range(100):
        tree.called(f"a{each}", each * SILENT_S)
    assert tree.most_alive == 1


def test_an_agent_that_ended_and_calls_again_is_another_one() -> None:
    tree = _tree(calls=7)
    tree.ended("a0")
    tree.called("a0", 0.0)
    assert (tree.born, tree.most_calls, tree.alive(0.0)) == (2, 7, 1)


def test_memory_is_bounded_however_many_agents_there_are() -> None:
    tree = _tree(agents=6_000)
    state = tree.state()
    assert (len(state["alive"]), len(state["silent"])) == (4_096, 1_024)
    assert (tree.born, tree.most_alive) == (6_000, 4_096)


def test_a_new_workload_has_the_shipped_thresholds() -> None:
    assert PastTrees().thresholds() == SHIPPED


def test_thresholds_leave_one_ordinary_task_in_250_above() -> None:
    # Nine in ten stay within 20 calls, so 81 to 120 are taken for runaways. Of the 960 others 3 may be above: 78 to 80.
    past = _past(*[(20, 1)] * 900, *((calls, 1) for calls in range(21, 121)))
    assert past.thresholds() == Thresholds(30, 77 / 10, 5, 1000)
    assert [_tree(calls=calls).runaway(past.thresholds()) is None for calls in (77, 78)] == [True, False]


def test_runaways_among_past_tasks_do_not_make_themselves_usual() -> None:
    ordinary = [(calls, 1 + calls % 5) for calls in range(1, 101)] * 10
    clean = _past(*ordinary).thresholds()
    mixed = _past(*ordinary, *[(1_000, 1)] * 10, *[(10, 200)] * 10).thresholds()
    # 1.5 times 90 and, as 1.5 x 5 = 7.5, 8 agents; with the runaways among them, nine in ten stay within 91.
    assert (clean.calls, clean.agents) == (135, 8)
    assert (mixed.calls, mixed.agents) == (round(1.5 * 91), 8)


def test_a_workload_whose_tasks_are_all_alike_is_not_surprised_by_one_more_call() -> None:
    assert _past(*[(40, 1)] * 500).thresholds() == Thresholds(60, 2.0, 5, 500)


@pytest.mark.parametrize(
    ("tasks", "calls", "agents"),
    [
        pytest.param([(10, 1)] * 9 + [(5_000, 1)], 120, 20, id="a runaway among ten is not usual"),
        pytest.param([(300, 9)] * 3, 4 * 300, 4 * 9, id="long tasks raise what is shipped"),
        pytest.param([(10, 1)] * 199, 120, 20, id="short ones do not lower it"),
    ],
)
def test_few_past_tasks_can_only_raise_what_is_shipped(
    tasks: list[tuple[int, int]], calls: int, agents: int
) -> None:
    assert _past(*tasks).thresholds() == Thresholds(calls, SHIPPED.lives, agents, len(tasks))


def test_two_hundred_past_tasks_may_lower_what_is_shipped() -> None:
    assert _past(*[(10, 1)] * 200).thresholds() == Thresholds(20, 2.0, 5, 200)


def test_a_task_without_a_call_teaches_nothing() -> None:
    past = PastTrees()
    past.finished(TaskTree())
    assert (len(past), past.thresholds()) == (0, SHIPPED)


def test_thresholds_are_learned_anew_when_a_fiftieth_is_new() -> None:
    past = _past(*[(40, 1)] * 500)
    assert past.thresholds().learned_from == 500
    seen = []
    for _ in range(10):
        past.finished(_tree(calls=40))
        seen.append(past.thresholds().learned_from)
    assert seen == [500] * 9 + [510]


def test_only_the_last_tasks_are_kept() -> None:
    past = PastTrees(kept=200)
    for calls in [10] * 150 + [100] * 200:
        past.finished(_tree(calls=calls))
    assert (len(past), past.thresholds()) == (200, Thresholds(150, 2.0, 5, 200))


def test_a_loop_and_a_fan_out_are_each_found_at_the_tail_of_what_is_usual() -> None:
    dice = random.Random(7)
    past = _past(*((1 + int(dice.expovariate(0.1)), 1 + int(dice.expovariate(0.5))) for _ in range(2_000)))
    limits = past.thresholds()
    loop, fan_out = TaskTree(), TaskTree()
    while not loop.runaway(limits):
        loop.called("a", 0.0)
    while not fan_out.runaway(limits):
        fan_out.called(f"a{fan_out.born}", 0.0)
    # One in 500 passes 10 ln 500 = 62 calls, and one in 500 passes 2 ln 500 = 12 agents.
    assert loop.calls == pytest.approx(62, abs=15)
    assert fan_out.calls == pytest.approx(12, abs=5)


def test_a_state_of_another_version_is_refused() -> None:
    for kept in (TaskTree(), PastTrees()):
        with pytest.raises(ValueError, match="version 0 cannot be restored"):
            kept.restore({**kept.state(), "version": 0})


def test_a_state_of_more_tasks_than_are_kept_is_refused() -> None:
    state = _past(*[(1, 1)] * 11).state()
    with pytest.raises(ValueError, match="a state of 11 tasks cannot be restored where 10 are kept"):
        PastTrees(kept=10).restore(state)


_verbs = st.tuples(st.sampled_from(["called", "seen", "ended"]), st.sampled_from("abcdef"), st.floats(0, 40))


def _run(tree: TaskTree, verbs: list[tuple[str, str, float]], now: float) -> float:
    for verb, agent, pause in verbs:
        now += pause
        if verb == "ended":
            tree.ended(agent)
        else:
            getattr(tree, verb)(agent, now)
    return now


@settings(max_examples=60, deadline=None)
@given(st.lists(_verbs, max_size=60), st.lists(_verbs, max_size=20))
def test_a_restart_changes_nothing_that_follows(
    before: list[tuple[str, str, float]], after: list[tuple[str, str, float]]
) -> None:
    tree, again = TaskTree(silent_s=60.0), TaskTree()
    now = _run(tree, before, 1e9)
    again.restore(json.loads(json.dumps(tree.state())))
    for each in (tree, again):
        each.alive(_run(each, after, now))
    assert again.state() == tree.state()


@settings(max_examples=60, deadline=None)
@given(st.lists(_verbs, max_size=60))
def test_an_agent_makes_no_more_calls_than_its_task_and_no_more_are_alive_than_were_born(
    verbs: list[tuple[str, str, float]],
) -> None:
    tree = TaskTree(silent_s=60.0)
    now = _run(tree, verbs, 0.0)
    assert tree.most_calls <= tree.calls
    assert tree.alive(now) <= tree.most_alive <= tree.born <= tree.calls
    # By hand: an agent's calls since it last ended, and who was seen within the last minute.
    made: dict[str, int] = {}
    last: dict[str, float] = {}
    most, at = 0, 0.0
    for verb, agent, pause in verbs:
        at += pause
        if verb == "ended":
            made.pop(agent, None)
            last.pop(agent, None)
        elif verb == "called" or agent in made:
            made[agent] = made.get(agent, 0) + (verb == "called")
            last[agent] = at
            most = max(most, made[agent])
    assert tree.most_calls == most
    assert tree.alive(now) == sum(now - seen < 60.0 for seen in last.values())


@settings(max_examples=20, deadline=None)
@given(st.integers(200, 400), st.integers(1, 60), st.integers(1, 12), st.randoms(use_true_random=False))
def test_of_ordinary_past_tasks_no_more_than_one_in_250_is_above(
    count: int, most_calls: int, most_agents: int, dice: random.Random
) -> None:
    # So evenly spread that none is four times what nine in ten stay within.
    tasks = [(dice.randint(1, most_calls), dice.randint(1, most_agents)) for _ in range(count)]
    limits = _past(*tasks).thresholds()
    above = sum(_tree(calls=calls, agents=agents).runaway(limits) is not None for calls, agents in tasks)
    assert above <= 0.004 * count
