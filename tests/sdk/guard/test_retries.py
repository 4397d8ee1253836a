"""When a call is tried again: by what the provider says, within a budget, at a moment of its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.guard.retries import RetryBudget, pause_s, retry_after_s, worth_trying


@pytest.mark.parametrize(
    ("status", "headers", "worth"),
    [
        pytest.param(429, {}, True, id="too many"),
        pytest.param(500, {}, True, id="a fault"),
        pytest.param(529, {}, True, id="overloaded"),
        pytest.param(408, {}, True, id="a time-out"),
        pytest.param(400, {}, False, id="a bad request"),
        pytest.param(401, {}, False, id="no key"),
        pytest.param(500, {"x-should-retry": "false"}, False, id="the provider says no"),
        pytest.param(400, {"x-should-retry": "true"}, True, id="the provider says yes"),
    ],
)
def test_what_may_go_better_next_time_is_tried_again(
    status: int, headers: dict[str, str], *, worth: bool
) -> None:
    assert worth_trying(status, headers) is worth


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({}, None, id="nothing said"),
        pytest.param({"retry-after": "2"}, 2.0, id="seconds"),
        pytest.param({"retry-after-ms": "250", "retry-after": "1"}, 0.25, id="milliseconds first"),
        pytest.param({"retry-after": "-1"}, 0.0, id="the past"),
        pytest.param({"retry-after": "nan"}, 0.0, id="no number"),
        pytest.param({"retry-after": "1e9"}, 3600.0, id="for ever"),
        pytest.param(
            {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None, id="a date is left to the jitter"
        ),
    ],
)
def test_what_the_provider_asks_for_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


@given(st.floats(0, 8), st.none() | st.floats(0, 600))
def test_a_pause_is_jittered_within_its_bounds(before_s: float, asked_s: float | None) -> None:
    pause = pause_s(before_s, asked_s)
    if asked_s is None:
        # Decorrelated jitter from half a second, at most three times the pause before, and eight seconds.
        assert 0.5 <= pause <= min(8.0, max(0.5, 3 * before_s))
    else:
        assert asked_s <= pause <= asked_s + 0.25 * max(asked_s, 1.0)


def test_two_callers_that_are_told_the_same_second_come_back_at_different_moments() -> None:
    assert len({pause_s(0.0, 600.0) for _ in range(20)}) == 20


def test_retries_of_a_workload_stay_within_its_ratio_over_a_minute() -> None:
    budget = RetryBudget(0.15)
    for _ in range(100):
        budget.call("writer", 0.0)
    # 15 % of 100 calls.
    assert [budget.retry("writer", 1.0) for _ in range(17)] == [True] * 15 + [False] * 2
    assert budget.retry("another", 1.0)
    # A minute later neither calls nor retries count: five in any case.
    assert [budget.retry("writer", 62.0) for _ in range(6)] == [True] * 5 + [False]


def test_workloads_that_are_quiet_for_a_minute_are_forgotten() -> None:
    budget = RetryBudget(ratio=0.15)
    for number in range(100_000):
        budget.call(("tenant", f"workload-{number}"), now=float(number))
        budget.retry(("tenant", f"workload-{number}"), now=float(number))
    assert max(len(budget._calls), len(budget._retries)) <= 1024


def test_a_child_of_a_process_that_was_just_counting_counts_on() -> None:
    budget = RetryBudget(ratio=0.15)
    with budget._lock:
        budget.forked()
        assert budget.retry("workload", now=0.0)
