"""What calls took is told though the engine has a fault with one of them, and none is given up while it is away."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest
from answering import answering
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import until

from switchgear import testing
from switchgear.control import Control, finishing
from switchgear.control.finishing import EngineFaultError, Finishing
from switchgear.control.wire import Finished
from switchgear.settings import Settings


class Engine:
    """Takes batches, but none with one of these leases in it."""

    def __init__(self, faulty: set[str], error: Callable[[str], Exception] = EngineFaultError) -> None:
        self.told: list[str] = []
        self.asked = 0
        self._faulty, self._error = faulty, error

    async def take(self, batch: Sequence[Finished]) -> None:
        self.asked += 1
        leases = [each.lease for each in batch]
        if not self._faulty.isdisjoint(leases):
            raise self._error("answered 500")
        self.told += leases


async def telling(engine: Engine, leases: Sequence[str], within_s: float) -> Finishing:
    """Tell the engine of these leases, for as long as that, or until it knows them all."""
    line = Finishing(engine.take)
    running = asyncio.create_task(line.run())
    for lease in leases:
        line.add(Finished(lease, "settle", {}), asyncio.get_running_loop())
    with suppress(TimeoutError):
        await asyncio.wait_for(line.drained(), within_s)
    running.cancel()
    return line


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "switchgear")


@settings(max_examples=25, deadline=None)
@given(count=st.integers(1, 1200), data=st.data())
def test_whichever_the_engine_has_a_fault_with_all_others_are_told_once_and_in_order(
    count: int, data: st.DataObject
) -> None:
    faulty = data.draw(st.sets(st.integers(0, count - 1), max_size=3))
    leases = [str(number) for number in range(count)]
    engine = Engine({leases[number] for number in faulty})
    line = testing.VirtualClock().run(telling(engine, leases, 600.0))
    assert engine.told == [lease for number, lease in enumerate(leases) if number not in faulty]
    assert line.dropped == len(faulty)


def test_the_one_of_five_hundred_is_found_in_half_a_minute_and_few_requests() -> None:
    leases = [str(number) for number in range(500)]
    engine = Engine({"321"})
    testing.VirtualClock().run(telling(engine, leases, 30.0))
    assert len(engine.told) == 499
    # Nine halvings find it; on the way back to whole batches each of nine lengths is tried, and may be too long again.
    assert engine.asked <= 2 + 9 * 9


def test_an_engine_that_has_a_fault_with_all_of_them_makes_few_be_given_up() -> None:
    leases = [str(number) for number in range(500)]
    line = testing.VirtualClock().run(telling(Engine(set(leases)), leases, 600.0))
    # Three times ten seconds each, half as long at the least.
    assert line.dropped <= 600 / (3 * 10 / 2)


def test_what_cannot_be_told_because_nobody_is_there_is_never_given_up() -> None:
    engine = Engine({"0"}, ConnectionError)
    line = testing.VirtualClock().run(telling(engine, ["0", "1"], 3600.0))
    assert (engine.told, line.dropped) == ([], 0)
    # Ten seconds between, half as long again at the most.
    assert engine.asked >= 3600 / 15


@pytest.mark.parametrize(("status", "dropped"), [(500, 1), (502, 0), (503, 0), (504, 0)])
def test_a_fault_of_the_engine_s_is_told_from_an_engine_that_is_not_there(
    status: int, dropped: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finishing, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(finishing, "_LONGEST_PAUSE_S", 0.001)
    monkeypatch.setattr(finishing, "_GATHER_S", 0.001)
    with answering(b"", status) as url:
        control = Control(Settings(policies=url))
        control.finish("g1234567:1", "settle", {"usage": None})
        if dropped:
            until(lambda: control._finishing.dropped == dropped, "it is given up")
            assert control.flush(1)
        else:
            time.sleep(0.2)
            assert control._finishing.dropped == 0
        control.close(0.0)
