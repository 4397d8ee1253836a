"""The baseline: clean series raise next to nothing, planted events are found where they are, and wild pasts do not
blind it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from random import Random

import pytest

from analytics.audits.baseline import DAY, WEEK, Event, detect, normal

MONTH = 30.44 * DAY
"""Hours of a mean month."""


@cache
def made(seed: int, weeks: int, *, calls: float = 40, kind: str = "seasonal") -> tuple[float, ...]:
    """Cost by hour: calls with a daily and a weekly season, a trend of 2 % a week and a rate that wanders; each call
    costs log-normally, so that the dearest of 100 costs ten times the middle one (p99/p50 = e^2.33)."""
    random = Random(seed)
    depth, weekend, peak = random.uniform(0.3, 0.9), random.uniform(0.2, 1), random.randrange(24)
    wander, costs = 0.0, []
    for hour in range(weeks * WEEK):
        day, clock = hour // DAY % 7, hour % DAY
        wander = 0.7 * wander + random.gauss(0, 0.25) * math.sqrt(1 - 0.49)
        rate = calls * math.exp(0.02 * hour / WEEK + wander)
        match kind:
            case "seasonal":
                rate *= (1 + depth * math.cos((clock - peak) / 24 * math.tau)) * (weekend if day >= 5 else 1)
            case "nightly":
                rate *= clock == 2 and day < 5
            case "now and then":
                rate *= random.random() < 0.02
        count = max(0, round(random.gauss(rate, math.sqrt(rate))))
        costs.append(sum(math.exp(random.gauss(0, 1)) for _ in range(count)))
    return tuple(costs)


def judged(costs: list[float] | tuple[float, ...], start: int) -> list[Event]:
    first = next(hour for hour, cost in enumerate(costs) if cost > 0)
    found = detect(costs[first:], first % WEEK, start - first)
    return [
        Event(e.start + first, e.end + first, e.detected + first, e.expected, e.band, e.stop, e.weeks, e.by)
        for e in found
    ]


@pytest.mark.parametrize("kind", ["seasonal", "nightly", "now and then"])
def test_clean_series_raise_at_most_one_alarm_in_twenty_months(kind: str) -> None:
    months = alarms = 0.0
    for seed in range(25):
        costs = made(seed, 12, calls=20, kind=kind)
        alarms += len(judged(costs, 8 * WEEK))
        months += 4 * WEEK / MONTH
    assert months > 20
    assert alarms / months <= 1 / 20, f"{alarms} in {months:.0f} workload-months"


def planted(seed: int, change: Callable[[int, float], float], *, calls: float = 100) -> list[Event]:
    """The events of the ninth week, from whose second day on `change` has the hours since then and their cost."""
    costs = list(made(seed, 9, calls=calls))
    begin = 8 * WEEK + DAY
    costs[begin:] = [change(hour, cost) for hour, cost in enumerate(costs[begin:])]
    return judged(costs, 8 * WEEK)


def test_two_hours_at_six_times_the_cost_are_found_at_their_place() -> None:
    for seed in range(12):
        (event,) = planted(seed, lambda hour, cost: cost * (6 if 8 <= hour < 10 else 1))
        assert (event.start, event.end, event.stop) == (8 * WEEK + DAY + 8, 8 * WEEK + DAY + 10, False)
        assert event.detected <= event.end


def test_five_times_for_two_hours_is_found_in_nine_of_ten() -> None:
    found = sum(
        bool(planted(seed, lambda hour, cost: cost * (5 if 8 <= hour < 10 else 1))) for seed in range(30)
    )
    assert found >= 27


def test_a_level_that_triples_is_one_event_to_the_end() -> None:
    for seed in range(12):
        (event,) = planted(seed, lambda _, cost: cost * 3)
        assert abs(event.start - (8 * WEEK + DAY)) <= 12
        assert event.end >= 9 * WEEK - 12
        assert event.detected - event.start <= DAY


def test_what_stops_is_told_as_that_within_a_day() -> None:
    for seed in range(12):
        (event,) = planted(seed, lambda *_: 0.0)
        assert event.stop
        assert abs(event.start - (8 * WEEK + DAY)) <= 1
        assert event.end == 9 * WEEK
        assert event.detected - event.start <= DAY


def test_a_wild_week_in_the_past_neither_hides_nor_raises_an_event() -> None:
    for seed in range(8):
        costs = list(made(seed, 9, calls=100))
        costs[5 * WEEK : 5 * WEEK + 2 * DAY] = [10 * cost for cost in costs[5 * WEEK : 5 * WEEK + 2 * DAY]]
        assert judged(costs, 8 * WEEK) == []
        costs[8 * WEEK + 30 : 8 * WEEK + 33] = [8 * cost for cost in costs[8 * WEEK + 30 : 8 * WEEK + 33]]
        (event,) = judged(costs, 8 * WEEK)
        # An hour beside it that is high by itself belongs to it.
        assert 8 * WEEK + 29 <= event.start <= 8 * WEEK + 30
        assert event.end == 8 * WEEK + 33


def test_growth_is_expected_to_go_on() -> None:
    # 10 % a week, always the same hours: the ninth week is expected at 1.1^8 of the first.
    costs = [math.exp(math.log(1.1) * (hour // WEEK)) for hour in range(9 * WEEK)]
    usual = normal(costs[: 8 * WEEK], 0)
    assert usual is not None
    assert usual.expected[0] == pytest.approx(1.1**8, rel=0.02)
    assert judged(costs, 8 * WEEK) == []


def test_a_nightly_job_that_runs_an_hour_later_is_no_event() -> None:
    costs = [50.0 if hour % DAY == 2 else 0.0 for hour in range(9 * WEEK)]
    late = [0.0, *costs[:-1]]
    assert judged([*costs[: 8 * WEEK], *late[8 * WEEK :]], 8 * WEEK) == []


def test_without_a_week_of_history_there_is_no_baseline() -> None:
    assert normal([1.0] * (WEEK - 1), 0) is None
    assert normal([0.0] * WEEK, 0) is None
    assert normal([1.0] * WEEK, 0) is not None


@pytest.mark.parametrize(
    ("weeks", "by"),
    [(1, "hour"), (2, "hour and kind of day"), (3, "hour and kind of day"), (4, "hour of week")],
)
def test_the_hours_compared_are_finer_the_longer_the_history(weeks: int, by: str) -> None:
    usual = normal([1.0] * (weeks * WEEK), 0)
    assert usual is not None
    assert usual.by == by


def test_the_band_is_above_what_is_expected_and_below_the_planted_cost() -> None:
    (event,) = planted(3, lambda hour, cost: cost * (20 if 8 <= hour < 10 else 1))
    assert 2 * event.expected < event.band < 10 * event.expected
