"""The scan for herds: independent retries are none, whatever their rate does; planted herds are found as they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.audits.herds_scan import CHANCE, Herd, Moment, binomial_tail, herds

DAY_S = 86_400
_S = 1_000_000
Retried = tuple[int, int, float, float]
"""Group, task, and the seconds at which it began and came back."""


def table(rows: Sequence[Retried]) -> pl.DataFrame:
    schema = {"group": pl.Int64, "task": pl.Int64, "began": pl.Int64, "came_back": pl.Int64}
    whole = [(group, task, round(began * _S), round(back * _S)) for group, task, began, back in rows]
    return pl.DataFrame(whole, schema=schema, orient="row")


def apart(
    random: Random, rate: Callable[[float], float], *, most: float, days: int = 3, first: int = 0
) -> list[Retried]:
    """Retried calls of tasks that know nothing of each other, `rate(time of day)` calls a second, `most` at most."""
    rows: list[Retried] = []
    at = 0.0
    while (at := at + random.expovariate(most)) < days * DAY_S:
        if random.random() * most < rate(at % DAY_S):
            # Backing off takes from one second to a minute; a task retries again now and then.
            task = first + len(rows)
            rows.append((random.randrange(3), task, at, at + 1 + random.expovariate(1 / 8)))
            while random.random() < 0.3:
                group, _, _, back = rows[-1]
                again = back + random.expovariate(1 / 4)
                rows.append((group, task, again, again + 1 + random.expovariate(1 / 8)))
    return rows


def by_day(time_s: float) -> float:
    return 0.004 * (1 + math.sin(2 * math.pi * time_s / DAY_S))


def overloaded(length_s: float) -> Callable[[float], float]:
    """By day, and at two in the afternoon a hundred times that, from one moment to the next."""
    return lambda time_s: by_day(time_s) + (0.5 if 50_400 <= time_s < 50_400 + length_s else 0.0)


@pytest.mark.parametrize(
    ("rate", "most", "audits"),
    [(by_day, 0.008, 60), (overloaded(3600), 0.51, 4), (overloaded(300), 0.51, 4), (lambda _: 0.2, 0.2, 1)],
    ids=["by day", "an hour of overload", "five minutes of it", "at all times"],
)
def test_independent_retries_are_no_herd(rate: Callable[[float], float], most: float, audits: int) -> None:
    raised = [seed for seed in range(audits) if herds(table(apart(Random(seed), rate, most=most, days=1)))]
    assert raised == []


@pytest.mark.parametrize("tasks", [8, 12, 40])
@pytest.mark.parametrize(
    ("begins_s", "backs_s", "moment"),
    [(1.5, 1.5, Moment.BOTH), (1.5, 400, Moment.BEGAN), (400, 1.5, Moment.CAME_BACK)],
    ids=["lockstep", "spread when they come back", "released at once"],
)
def test_a_planted_herd_is_found_with_its_tasks(
    tasks: int, begins_s: float, backs_s: float, moment: Moment
) -> None:
    random = Random(tasks)
    rows = apart(random, by_day, most=0.008)
    rows += [
        (1, -1 - place, 200_000 + random.random() * begins_s, 200_500 + random.random() * backs_s)
        for place in range(tasks)
    ]
    (found,) = herds(table(rows))
    assert (found.group, found.moment, found.tasks) == (1, moment, tasks)
    assert found.p_value < CHANCE
    at_s = 200_500 if moment is Moment.CAME_BACK else 200_000
    assert [at_s * _S <= wave.start_us <= wave.until_us <= (at_s + 2) * _S for wave in found.waves] == [True]


def test_a_herd_is_found_amid_an_overload() -> None:
    random = Random(5)
    rows = apart(random, overloaded(3600), most=0.51, days=1)
    rows += [(1, -1 - place, 52_000 + random.random(), 52_100 + random.random() * 900) for place in range(30)]
    (found,) = herds(table(rows))
    assert (found.group, found.moment) == (1, Moment.BEGAN)
    assert 30 <= found.tasks <= 32


def test_tasks_that_come_again_together_are_one_herd_in_waves() -> None:
    random = Random(6)
    rows = [
        (0, task, 1000 + 20 * wave + random.random(), 1005 + 20 * wave + random.random())
        for wave in range(6)
        for task in range(20)
    ]
    (found,) = herds(table(rows))
    assert (len(found.waves), found.tasks, found.moment) == (6, 20, Moment.BOTH)


def test_other_tasks_a_while_later_are_another_herd() -> None:
    rows = [
        (0, task + first, 1000 + first + task / 20, 1100 + first + 7 * task)
        for first in (0, 600)
        for task in range(20)
    ]
    assert [(herd.tasks, len(herd.waves)) for herd in herds(table(rows))] == [(20, 1), (20, 1)]


def test_one_task_that_retries_over_and_over_is_no_herd() -> None:
    assert herds(table([(0, 7, 100 + place / 10, 101 + place / 10) for place in range(200)])) == []


@pytest.mark.parametrize(("tasks", "found"), [(4, 0), (5, 1)])
def test_a_herd_has_five_tasks(tasks: int, found: int) -> None:
    assert len(herds(table([(0, task, 10 + task / 10, 60 + 9 * task) for task in range(tasks)]))) == found


def test_models_are_looked_at_apart() -> None:
    assert herds(table([(place, place, 10, 100 * place) for place in range(20)])) == []


def test_without_retried_calls_there_is_no_herd() -> None:
    assert herds(table([])) == []


def test_a_call_whose_end_is_not_known_counts_by_its_begin() -> None:
    rows = table([(0, task, 10 + task / 10, 0) for task in range(20)])
    (found,) = herds(rows.with_columns(pl.lit(None, pl.Int64).alias("came_back")))
    assert (found.moment, found.tasks) == (Moment.BEGAN, 20)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), shift_s=st.integers(0, 10**8))
def test_neither_order_nor_epoch_matter(seed: int, shift_s: int) -> None:
    random = Random(seed)
    rows = apart(random, lambda _: 0.01, most=0.01, days=1)
    rows += [(1, -1 - place, 40_000 + random.random(), 40_010 + random.random()) for place in range(12)]
    first = herds(table(rows))
    random.shuffle(rows)
    moved = herds(
        table([(group, task, began + shift_s, back + shift_s) for group, task, began, back in rows])
    )
    assert [_shape(herd, 0) for herd in first] == [_shape(herd, shift_s * _S) for herd in moved]


def _shape(herd: Herd, shift_us: int) -> tuple[object, ...]:
    # A microsecond is rounded one way or the other.
    times = [round((wave.start_us - shift_us) / 100) for wave in herd.waves]
    return herd.group, herd.moment, herd.tasks, times, round(math.log10(herd.p_value), 6)


@given(n=st.integers(0, 60), k=st.integers(0, 60), part=st.sampled_from([2, 7, 31]))
def test_the_tail_is_that_of_the_binomial(n: int, k: int, part: int) -> None:
    q = Fraction(1, part)
    exact = sum(math.comb(n, hits) * q**hits * (1 - q) ** (n - hits) for hits in range(k, n + 1))
    if k <= n and k >= n * q:
        assert binomial_tail(n, 1 / part, k) == pytest.approx(float(exact), rel=1e-9)
