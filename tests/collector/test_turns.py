"""Turns: many keys, few threads, and nobody waits for another's backlog."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, wait

import pytest

from collector.turns import Turns


@pytest.fixture
def turns() -> Iterator[Turns]:
    """One thread, so that the order of work is the order of turns."""
    made = Turns(1, name="turns")
    yield made
    made.close()


def held(turns: Turns) -> threading.Event:
    """The thread is busy until the event is set."""
    free = threading.Event()
    turns.submit("first", free.wait)
    return free


def test_a_key_waits_for_one_piece_of_work_of_each_other_key(turns: Turns) -> None:
    done: list[str] = []
    free = held(turns)
    work = [turns.submit("noisy", lambda: done.append("noisy")) for _ in range(100)]
    work += [turns.submit("quiet", lambda: done.append("quiet")) for _ in range(2)]
    work += [turns.submit("third", lambda: done.append("third"))]
    free.set()
    wait(work, timeout=20)
    assert done[:6] == ["noisy", "quiet", "third", "noisy", "quiet", "noisy"]
    assert len(done) == 103


def test_work_of_one_key_is_done_in_its_order(turns: Turns) -> None:
    done: list[int] = []
    free = held(turns)
    work = [turns.submit("one", lambda number=number: done.append(number)) for number in range(50)]
    free.set()
    wait(work, timeout=20)
    assert done == list(range(50))


def test_what_the_work_raises_is_raised_to_who_asked_and_the_thread_goes_on(turns: Turns) -> None:
    failed = turns.submit("one", lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        failed.result(timeout=20)
    assert turns.submit("one", lambda: "done").result(timeout=20) == "done"


def test_closing_finishes_what_has_begun_and_cancels_the_rest(turns: Turns) -> None:
    began, free = threading.Event(), threading.Event()

    def first() -> str:
        began.set()
        free.wait()
        return "finished"

    running = turns.submit("one", first)
    assert began.wait(20)
    waiting = turns.submit("one", lambda: "never")
    closing = threading.Thread(target=turns.close)
    closing.start()
    with pytest.raises(CancelledError):
        waiting.result(timeout=20)
    free.set()
    closing.join(20)
    assert running.result(timeout=20) == "finished"
    with pytest.raises(RuntimeError, match="no work is taken"):
        turns.submit("one", lambda: None)
