"""Loops: a task that makes the same call over and over is named; a long task, a fan-out and a habit are not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from audited import MONDAY, audit, call, stored

from analytics.audits.loops import Confidence, confidence
from collector.call import Call


def _agents(random: Random, tasks: int = 60, workload: str = "writer") -> list[Call]:
    """Tasks of a heavy tail of lengths, whose input grows by what each step adds."""
    calls: list[Call] = []
    for task in range(tasks):
        at, sent = 5000.0 * task, random.randrange(500, 4000)
        for _ in range(min(120, int(4 * random.paretovariate(1.2)))):
            calls.append(call(at, f"{workload}-{task}", workload=workload, sent=sent, output=10))
            at += 2 + random.expovariate(1 / 5)
            sent += random.randrange(40, 2000)
    return calls


def _loop(
    sizes: Sequence[int],
    *,
    gap_s: float = 11,
    took_s: float = 4,
    task: str = "loop",
    workload: str = "writer",
) -> list[Call]:
    return [
        call(300_000 + gap_s * place, task, workload=workload, sent=sent, output=10, took_s=took_s)
        for place, sent in enumerate(sizes)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_a_heavy_tail_raises_none(seed: int) -> None:
    with stored(_agents(Random(seed))) as store:
        assert audit(store, "audit_loops") == []


@pytest.mark.parametrize(
    ("sizes", "round_", "said"),
    [
        ([2000] * 200, 1, "the same call: 200 of the task's 200, input of 2,000 tokens, about every 11.0 s"),
        ([2000 + 90 * n for n in range(200)], 1, "input growing by 90 tokens to 19,910"),
        ([2000 + 90 * n + n % 3 for n in range(200)], 1, "input growing by 91 tokens"),
        ([(2000, 700)[n % 2] for n in range(200)], 2, "the same 2 calls in turn: 200 of the task's 200"),
        ([(2000, 700, 90)[n % 3] + 15 * n for n in range(201)], 3, "the same 3 calls in turn: 201"),
    ],
    ids=["the same", "growing", "growing by about as much", "two in turn", "three in turn, growing"],
)
def test_a_planted_loop_is_named(sizes: list[int], round_: int, said: str) -> None:
    with stored([*_agents(Random(1)), *_loop(sizes)]) as store:
        (row,) = audit(store, "audit_loops")
    begin = MONDAY + timedelta(seconds=300_000)
    assert (row["tenant"], row["workload"], row["task_id"], row["round"]) == (
        "acme",
        "writer",
        "loop",
        round_,
    )
    assert (row["first_at"], row["last_at"]) == (begin, begin + timedelta(seconds=11 * (len(sizes) - 1)))
    assert (row["calls"], row["repeated"], row["gap_s"]) == (len(sizes), len(sizes), 11.0)
    # Ten cents a call; the first two rounds are no excess.
    assert (row["cost"], row["excess_cost"]) == (
        Decimal("0.10") * len(sizes),
        Decimal("0.10") * (len(sizes) - 2 * round_),
    )
    assert (row["tasks"], row["confidence"]) == (61, "sure")
    assert said in row["finding"]
    assert "switchgear task stop loop --tenant acme" in row["advice"]


def test_a_loop_within_a_longer_task_is_told_by_itself() -> None:
    steps = [call(200_000 + 20 * n, "loop", sent=100 * n * n, output=10) for n in range(1, 30)]
    with stored([*_agents(Random(1)), *steps, *_loop([5000] * 40)]) as store:
        (row,) = audit(store, "audit_loops")
    assert (row["calls"], row["repeated"]) == (29 + 40, 40)
    assert row["first_at"] == MONDAY + timedelta(seconds=300_000)


@pytest.mark.parametrize(
    "calls",
    [
        _loop([2000] * 60, gap_s=0.01),
        _loop([2000] * 9),
        _loop([9000 - 100 * place for place in range(60)]),
        [call(300_000 + 11 * place, "loop", sent=2000, model=f"m{place % 5}") for place in range(60)],
        [call(300_000 + 11 * place, None, sent=2000) for place in range(60)],
    ],
    ids=["at once", "nine calls", "shrinking", "five models", "no task"],
)
def test_what_is_no_loop_is_not_named(calls: list[Call]) -> None:
    with stored([*_agents(Random(1)), *calls]) as store:
        assert audit(store, "audit_loops") == []


def test_where_every_task_repeats_it_is_the_way_of_the_workload() -> None:
    random = Random(3)
    calls = [
        call(4000 * task + 5 * place, f"t{task}", sent=800, output=10)
        for task in range(40)
        for place in range(int(6 * random.paretovariate(1.2)))
    ]
    with stored(calls) as store:
        assert audit(store, "audit_loops") == []


def test_a_loop_stays_in_sight_where_others_make_calls_that_grow_alike() -> None:
    usual = [
        call(4000 * task + 5 * place, f"t{task}", sent=800 + 150 * place, output=10)
        for task in range(40)
        for place in range(8)
    ]
    with stored([*usual, *_loop([2000] * 100)]) as store:
        assert [row["task_id"] for row in audit(store, "audit_loops")] == ["loop"]


def test_loops_are_found_by_name_and_dearest_first() -> None:
    short, other = _loop([700] * 30, task="short"), _loop([700] * 60, task="other", workload="reader")
    with stored([*_agents(Random(1)), *_agents(Random(2), workload="reader"), *short, *other]) as store:
        assert [row["task_id"] for row in audit(store, "audit_loops")] == ["other", "short"]
        assert [row["task_id"] for row in audit(store, "audit_loops", workload="writer")] == ["short"]
        assert [row["task_id"] for row in audit(store, "audit_loops", top="1")] == ["other"]
        assert audit(store, "audit_loops", tenant="globex") == []


RUN: Mapping[str, Any] = {
    "calls": 100,
    "repeated": 100,
    "gaps": [10.0, 11.0, 12.0],
    "typical_calls": 8,
    "tasks": 60,
    "other_tasks": 40,
    "other_repeating_tasks": 0,
    "middle": math.log(8),
    "spread": 0.05,
}


@pytest.mark.parametrize(
    ("run", "sure"),
    [
        ({}, Confidence.SURE),
        ({"gaps": [2.0, 11.0, 40.0]}, Confidence.LIKELY),
        ({"typical_calls": 30}, Confidence.LIKELY),
        ({"typical_calls": 30, "gaps": [2.0, 11.0, 40.0]}, Confidence.POSSIBLE),
        # Eight of forty are no habit, nine are.
        ({"other_repeating_tasks": 8}, Confidence.SURE),
        ({"other_repeating_tasks": 9}, Confidence.LIKELY),
        # log(100/8) = 2.53 is less than 20 deviations of 1.48 x 0.1.
        ({"other_repeating_tasks": 9, "spread": 0.1}, None),
        ({"other_tasks": 2, "tasks": 19}, Confidence.POSSIBLE),
        ({"other_tasks": 2, "tasks": 19, "repeated": 29}, None),
        # A job by the clock, each two minutes.
        ({"other_tasks": 0, "tasks": 1, "gaps": [120e6, 120e6, 121e6]}, None),
        ({"other_tasks": 2, "tasks": 20}, Confidence.SURE),
    ],
    ids=str,
)
def test_confidence_goes_by_the_workloads_other_tasks(run: dict[str, Any], sure: Confidence | None) -> None:
    assert confidence({**RUN, **run}) is sure
