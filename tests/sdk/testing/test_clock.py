"""Virtual time: it passes by hand, or by an event loop's own sleeping."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.testing import VirtualClock


@given(st.lists(st.floats(0, 1e6), max_size=20))
def test_all_its_times_pass_together(steps: list[float]) -> None:
    begins = datetime(2026, 11, 24, 12, tzinfo=UTC)
    clock = VirtualClock(begins)
    for step in steps:
        clock.advance(step)
    passed = clock.monotonic()
    assert passed == pytest.approx(sum(steps))
    assert clock.time() - begins.timestamp() == pytest.approx(passed, abs=1e-3)
    assert clock.now() - begins == timedelta(seconds=passed)


@pytest.mark.parametrize("step", [-1.0, -1e-9])
def test_time_does_not_go_backwards(step: float) -> None:
    with pytest.raises(ValueError, match="backwards"):
        VirtualClock().advance(step)


def test_a_start_without_a_zone_is_none() -> None:
    with pytest.raises(ValueError, match="time zone"):
        VirtualClock(datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is refused


def test_a_day_of_sleeping_takes_no_time_and_keeps_its_order() -> None:
    clock, woke = VirtualClock(), []

    async def sleeper(name: str, *naps: float) -> None:
        for nap in naps:
            await asyncio.sleep(nap)
            woke.append((name, round(clock.monotonic(), 3)))

    async def main() -> str:
        async with asyncio.timeout(2 * 86_400):
            await asyncio.gather(sleeper("a", 3600, 3600), sleeper("b", 5400, 86_400 - 5400))
        return "done"

    began = time.monotonic()
    assert clock.run(main()) == "done"
    assert time.monotonic() - began < 5
    assert woke == [("a", 3600), ("b", 5400), ("a", 7200), ("b", 86_400)]


def test_a_time_out_comes_at_its_time() -> None:
    clock = VirtualClock()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 90)
        assert clock.monotonic() == pytest.approx(90)

    clock.run(main())
