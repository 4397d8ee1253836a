"""Waits of ours: apart in processes that were seeded alike, and without a draw from the generator of the agent."""

from __future__ import annotations

import random

import pytest

from switchgear.guard.retries import pause_s


@pytest.fixture
def seeded() -> None:
    random.seed(7)


def waits(count: int) -> list[float]:
    return [pause_s(2.0, None) for _ in range(count)]


@pytest.mark.usefixtures("seeded")
def test_an_agent_draws_what_it_would_draw_without_us() -> None:
    waits(10)
    assert random.random() == random.Random(7).random()


@pytest.mark.usefixtures("seeded")
def test_processes_that_are_seeded_alike_wait_apart() -> None:
    first = waits(10)
    random.seed(7)
    assert set(first).isdisjoint(waits(10))
