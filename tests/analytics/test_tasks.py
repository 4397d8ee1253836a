"""What a task will have cost: what is spent, and what tasks like it went on to cost."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.projection.tasks import TaskBand, TaskCurve, TaskHistory


def _curve(costs: Iterable[float], agents: int = 1) -> TaskCurve:
    curve = TaskCurve()
    for cost in costs:
        curve.settled(cost, agents)
    return curve


def _history(*curves: TaskCurve) -> TaskHistory:
    history = TaskHistory()
    for curve in curves:
        history.finished(curve)
    return history


def _alike(count: int = 100, calls: int = 10, agents: int = 1) -> TaskHistory:
    """Tasks of so many calls, each for 1.00."""
    return _history(*(_curve([1.0] * calls, agents) for _ in range(count)))


def _band(history: TaskHistory, spent: float, calls: int, **more: float) -> TaskBand:
    band = history.project(spent, calls, **more)  # type: ignore[arg-type]
    assert band is not None
    return band


def _quantiles(band: TaskBand) -> list[float]:
    return [band.q05, band.q50, band.q80, band.q95]


def test_a_task_like_all_before_it_will_have_cost_what_they_cost() -> None:
    # 4 spent, and 6 more calls for 1.00.
    assert _quantiles(_band(_alike(), 4.0, 4)) == pytest.approx([4 + 6] * 4)


def test_only_tasks_that_came_as_far_are_compared() -> None:
    history = _history(*(_curve([1.0] * calls) for calls in (2, 10) for _ in range(50)))
    early, late = _band(history, 1.0, 1), _band(history, 3.0, 3)
    assert (early.q05, early.q95, early.comparable) == (pytest.approx(2), pytest.approx(10), 100)
    assert (late.q05, late.q95, late.comparable) == (pytest.approx(10), pytest.approx(10), 50)
    assert (early.finished, late.finished) == (100, 100)


def test_a_task_twice_as_dear_so_far_goes_on_somewhat_dearer() -> None:
    # The others had spent 4 after 4 calls.
    assert _band(_alike(), 8.0, 4).q50 == pytest.approx(8 + 6 * (8 / 4) ** 0.15)


def test_calls_in_flight_count_as_made_at_what_they_are_expected_to_cost() -> None:
    history = _alike()
    flying, made = _band(history, 3.0, 3, in_flight=1.5, calls_in_flight=1), _band(history, 4.5, 4)
    assert _quantiles(flying) == _quantiles(made)
    assert (flying.spent, flying.in_flight, flying.calls) == (3.0, 1.5, 4)


def test_each_agent_alive_has_its_usual_remainder_ahead() -> None:
    one, three = _alike(agents=1), _alike(agents=3)
    # Tasks of one agent went on to cost 6; tasks of three went on to cost 2 for each.
    assert _band(one, 4.0, 4, agents=3).q50 == pytest.approx(4 + 3 * 6)
    assert _band(three, 4.0, 4, agents=3).q50 == pytest.approx(4 + 3 * 2)
    assert _band(three, 4.0, 4, agents=6).q50 == pytest.approx(4 + 6 * 2)


def test_a_fan_out_is_in_the_projection_before_any_of_its_calls_is_settled() -> None:
    history = _alike()
    alone = _band(history, 1.0, 1)
    fanned_out = _band(history, 1.0, 1, in_flight=8.0, calls_in_flight=8, agents=9)
    # Nine agents as if after nine calls: each with the last 1.00 ahead, as (9 / 9)^0.15 = 1.
    assert (alone.q50, fanned_out.q50) == (pytest.approx(10), pytest.approx(1 + 8 + 9 * 1))


def test_a_new_workload_that_fans_out_is_expected_to_cost_more() -> None:
    one, nine = (_band(TaskHistory(), 9.0, 9, agents=agents) for agents in (1, 9))
    # Nine agents of six calls at least: 54 instead of 9, and costs grow with calls^1.3.
    assert nine.q50 / one.q50 == pytest.approx((54 / 9) ** 1.3)


def test_an_unknown_workload_is_cold_and_has_the_band_of_any_task() -> None:
    band = _band(TaskHistory(), 6.0, 6)
    assert (band.cold, band.comparable, band.prior) == (True, 0, 1.0)
    # Of tasks with m = 6 calls, P(N > n) = 0.85 (6 / n)^1.5; costs grow with calls^1.3.
    for found, above in ((band.q50, 0.5), (band.q80, 0.2), (band.q95, 0.05)):
        assert found == pytest.approx(6 * (0.85 / above) ** (1.3 / 1.5), rel=0.01)
    # 15 % of them end where they are.
    assert band.q05 == 6.0


def test_the_prior_fades_as_tasks_finish() -> None:
    shares = [_band(_alike(count), 4.0, 4).prior for count in (5, 20, 100)]
    # max(1, 5 - n / 5) made-up tasks beside n: 4 / 9, 1 / 21 and 1 / 101, in two-hundredths.
    assert shares == [89 / 200, 10 / 200, 2 / 200]


@pytest.mark.parametrize(("finished", "cold"), [(18, True), (19, False)])
def test_a_band_is_cold_below_nineteen_finished_tasks(finished: int, cold: bool) -> None:  # noqa: FBT001
    assert _band(_alike(finished), 4.0, 4).cold is cold


def test_a_task_that_has_not_begun_is_expected_to_make_its_first_call_as_usual() -> None:
    band = _band(_alike(), 0.0, 0)
    assert (band.q50, band.in_flight, band.calls) == (pytest.approx(10), 1.0, 1)


def test_of_a_workload_and_a_task_without_any_call_nothing_is_known() -> None:
    assert TaskHistory().project(0.0, 0) is None
    first = _band(TaskHistory(), 0.0, 0, in_flight=0.1, calls_in_flight=1)
    # 15 % end evenly spread between 1 call and 6.
    assert first.q05 == pytest.approx(0.1 * (1 + (6 - 1) * 0.05 / 0.15) ** 1.3, rel=0.01)


def test_a_task_longer_than_any_before_has_the_band_of_any_task() -> None:
    band = _band(_alike(calls=10), 40.0, 40)
    assert (band.comparable, band.prior, band.cold) == (0, 1.0, False)
    assert band.q95 > band.q50 > 40.0


def test_tasks_that_cost_nothing_so_far_are_compared_by_what_came_later() -> None:
    history = _history(*(_curve([0.0, 5.0]) for _ in range(100)))
    assert _band(history, 0.0, 1).q50 == pytest.approx(5)
    assert _band(history, 2.0, 1).q50 == pytest.approx(2 + 5)


def test_a_band_says_what_it_was_made_from() -> None:
    band = _band(_alike(20), 3.0, 3, in_flight=1.0, calls_in_flight=1, agents=2)
    assert band.explain() == (
        "4 calls made or in flight, 2 agents alive, 3 spent and 1 in flight; from what 20 of 20 finished tasks went on "
        "to cost from there for each agent, and for 5% from the prior of any task"
    )


def test_only_the_last_tasks_are_kept() -> None:
    history = TaskHistory(kept=20)
    for cost in [1.0] * 30 + [3.0] * 20:
        history.finished(_curve([cost] * 10))
    assert len(history) == 20
    assert _band(history, 12.0, 4).q50 == pytest.approx(30)


def test_a_task_without_a_call_teaches_nothing() -> None:
    assert len(_history(TaskCurve())) == 0


def test_a_finished_task_is_in_the_next_projection() -> None:
    history = _alike(1)
    before = _band(history, 4.0, 4).q50
    for _ in range(99):
        history.finished(_curve([2.0] * 10))
    assert before < _band(history, 8.0, 4).q50 == pytest.approx(8 + 12, rel=0.01)


def test_a_curve_of_any_length_is_91_points_at_most() -> None:
    curve = _curve([1.0] * 120_000)
    assert (curve.calls, curve.spent, len(curve.costs)) == (120_000, 120_000.0, 91)
    history = _history(*[curve] * 19)
    assert _band(history, 110_000.0, 110_000).q50 > 110_000.0


def test_a_restart_changes_no_band_and_loses_no_call() -> None:
    history = _history(*(_curve([1.0] * calls, agents=2) for calls in range(1, 40)))
    running = _curve([0.5] * 17, agents=3)
    again, resumed = TaskHistory(), TaskCurve()
    again.restore(json.loads(json.dumps(history.state())))
    resumed.restore(json.loads(json.dumps(running.state())))
    assert again.project(9.0, 17, agents=3) == history.project(9.0, 17, agents=3)
    for curve, kept in ((running, history), (resumed, again)):
        curve.settled(0.5)
        kept.finished(curve)
    assert again.state() == history.state()


@pytest.mark.parametrize("kept", [TaskCurve(), TaskHistory()])
def test_a_state_of_another_version_is_refused(kept: TaskCurve | TaskHistory) -> None:
    with pytest.raises(ValueError, match="version 0 cannot be restored"):
        kept.restore({**kept.state(), "version": 0})


_costs = st.lists(st.floats(0, 100), min_size=1, max_size=30)
_histories = st.lists(st.tuples(_costs, st.integers(0, 5)), max_size=30)
_running = {
    "calls": st.integers(1, 40),
    "calls_in_flight": st.integers(0, 5),
    "in_flight": st.floats(0, 100),
    "agents": st.integers(0, 30),
}


def _past(past: list[tuple[list[float], int]]) -> TaskHistory:
    return _history(*(_curve(costs, agents) for costs, agents in past))


@settings(max_examples=60, deadline=None)
@given(_histories, st.floats(0, 1000), st.fixed_dictionaries(_running))
def test_quantiles_are_ordered_and_none_is_below_what_is_spent_and_in_flight(
    past: list[tuple[list[float], int]], spent: float, running: dict[str, float]
) -> None:
    band = _band(_past(past), spent, **running)  # type: ignore[arg-type]
    known = spent + running["in_flight"]
    assert [known, *_quantiles(band)] == sorted([known, *_quantiles(band)])
    assert band.cold == (len(past) < 19)


@settings(max_examples=60, deadline=None)
@given(_histories, st.floats(0, 1000), st.floats(0, 1000), st.fixed_dictionaries(_running))
def test_more_spent_is_never_a_lower_band(
    past: list[tuple[list[float], int]], one: float, other: float, running: dict[str, float]
) -> None:
    history = _past(past)
    less, more = (_quantiles(_band(history, spent, **running)) for spent in sorted((one, other)))  # type: ignore[arg-type]
    assert all(low <= high * (1 + 1e-9) for low, high in zip(less, more, strict=True))


@settings(max_examples=60, deadline=None)
@given(_histories, st.floats(0, 1000), st.fixed_dictionaries(_running))
def test_one_agent_more_is_never_a_lower_band(
    past: list[tuple[list[float], int]], spent: float, running: dict[str, float]
) -> None:
    history = _past(past)
    fewer = _quantiles(_band(history, spent, **running))  # type: ignore[arg-type]
    more = _quantiles(_band(history, spent, **{**running, "agents": running["agents"] + 1}))  # type: ignore[arg-type]
    assert all(low <= high * (1 + 1e-9) for low, high in zip(fewer, more, strict=True))


@settings(max_examples=40, deadline=None)
@given(_histories, st.floats(0, 1000), st.fixed_dictionaries(_running), st.sampled_from([1e-6, 0.5, 1e12]))
def test_counting_in_another_unit_scales_the_band(
    past: list[tuple[list[float], int]], spent: float, running: dict[str, float], unit: float
) -> None:
    scaled = [([cost * unit for cost in costs], agents) for costs, agents in past]
    band = _band(_past(past), spent, **running)  # type: ignore[arg-type]
    again = _band(_past(scaled), spent * unit, **{**running, "in_flight": running["in_flight"] * unit})  # type: ignore[arg-type]
    assert _quantiles(again) == pytest.approx([value * unit for value in _quantiles(band)], rel=1e-6)
