"""Coordinated retries: everybody a moment of its own, and no more retries than a share of the calls."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.capacity import Lane, RetryBudget, RetryBudgets
from policies.capacity.retries import Slots
from policies.model import Capacity


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(0, 5), st.floats(0, 0.999)), min_size=1, max_size=50),
    st.floats(0, 60),
    st.floats(0.001, 5),
)
def test_no_two_slots_are_nearer_than_the_pace_and_all_are_within_the_horizon(
    clients: list[tuple[float, float]], pause: float, gap: float
) -> None:
    slots, now, given_out = Slots(), 0.0, []
    for number, (after, jitter) in enumerate(clients):
        now += after
        slot = slots.slot(number, now, after=pause, gap_s=gap, jitter=jitter)
        assert slot >= max(now, pause)
        given_out.append(slot)
    assert all(later - earlier >= gap * (1 - 1e-9) for earlier, later in pairwise(given_out))
    assert given_out[-1] <= max(now, pause) + 1.25 * gap * len(clients) + 1e-6


def test_asking_again_gets_the_same_slot_until_it_has_come_or_the_provider_said_later() -> None:
    slots = Slots()
    first = slots.slot("a", 0.0, after=10.0, gap_s=1.0, jitter=0.0)
    slots.slot("b", 0.0, after=10.0, gap_s=1.0, jitter=0.0)
    assert slots.slot("a", 5.0, after=10.0, gap_s=1.0, jitter=0.9) == first == 10.0
    assert slots.slot("a", 5.0, after=30.0, gap_s=1.0, jitter=0.0) == 30.0
    assert slots.slot("a", 31.0, after=30.0, gap_s=1.0, jitter=0.0) == 31.0


def test_slots_are_paced_at_the_rate_that_the_lane_has_learned() -> None:
    # 600 a minute at 95 % are 9.5 a second.
    lane = Lane(Capacity("p", 600, None))
    lane.throttled(0.0, 20.0)
    # 0.85 x what was used, and at least a quarter of what was allowed: 150 a minute.
    gap = 60 / (150 * 0.95)
    slots = [lane.retry_at(n, 0.0, tokens=100, jitter=0.0) for n in range(20)]
    assert slots == pytest.approx([20.0 + n * gap for n in range(20)])


def test_large_calls_come_back_further_apart_where_tokens_are_limited() -> None:
    lane = Lane(Capacity("p", None, 60_000))
    first, second = (lane.retry_at(n, 0.0, tokens=9500, jitter=0.0) for n in range(2))
    assert second - first == pytest.approx(9500 / (1000 * 0.95))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.floats(0, 5)), max_size=200))
def test_retries_stay_within_their_share_of_the_calls_of_the_last_minute(
    steps: list[tuple[bool, float]],
) -> None:
    budget, now = RetryBudget(ratio=0.2, floor=3), 0.0
    calls: list[float] = []
    retries: list[float] = []
    for retry, after in steps:
        now += after
        # To the second, as the sums are kept.
        many_calls = sum(int(at) > now - 60 for at in calls)
        many_retries = sum(int(at) > now - 60 for at in retries)
        if not retry:
            budget.call(now)
            calls.append(now)
            continue
        allowed = budget.retry(now).allowed
        assert allowed == (many_retries < max(3, int(0.2 * many_calls)))
        if allowed:
            retries.append(now)


def test_a_refused_retry_says_why() -> None:
    budgets = RetryBudgets(ratio=0.1, floor=1)
    workload = ("acme", "summaries")
    for _ in range(20):
        assert budgets.ask(workload, 1, 0.0).allowed
    assert [budgets.ask(workload, 2, 0.0).allowed for _ in range(3)] == [True, True, False]
    assert budgets.ask(workload, 3, 0.0).reason == (
        "the retry budget is spent: 2 of 2 retries used in the last minute (20 calls)"
    )
    assert budgets.ask(("globex", "summaries"), 2, 0.0).allowed
    assert budgets.ask(workload, 2, 61.0).allowed


def test_silent_workloads_are_forgotten() -> None:
    budgets = RetryBudgets()
    budgets.ask("w", 1, 0.0)
    budgets.tidy(59.0)
    assert budgets._budgets
    budgets.tidy(61.0)
    assert not budgets._budgets
