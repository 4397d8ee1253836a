"""What is forgotten stays so: whoever had asked before, learns nothing of it afterwards; and what is over goes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from keeping import Keeping

from switchgear.cache import Answer, Mode, Namespace, Outcome, Question, Terms
from switchgear.cache.cache import LocalCache
from switchgear.cache.waiting import Forgotten, Pending, Waiting

NOW = datetime(2026, 12, 1, tzinfo=UTC)
ACME = Namespace("acme", "w")
ON = Terms(Mode.ON, tags=("prices",))
ANSWER = Answer("text/plain", b"", "57 m")


def question(name: str) -> Question:
    return Question(name.encode(), b"s", f"how tall is {name}")


def asked(cache: LocalCache, where: Namespace = ACME, name: str = "it", terms: Terms = ON) -> str:
    """The ticket of a look."""
    look = cache.look(where, question(name), terms, NOW)
    assert look.ticket is not None
    return look.ticket


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Keeping]:
    made = Keeping(tmp_path / "cache")
    yield made
    made.close()


FORGETTINGS: list[object] = [
    pytest.param(lambda it: it.forget_tenant("acme"), 0, id="its tenant"),
    pytest.param(lambda it: it.forget_workload("acme", "w"), 0, id="its workload"),
    pytest.param(lambda it: it.forget_workload(None, "w"), 0, id="everybody's workload"),
    pytest.param(lambda it: it.forget_tag("acme", "prices"), 0, id="its tag"),
    pytest.param(lambda it: it.forget_tag(None, "prices"), 0, id="everybody's tag"),
    pytest.param(lambda it: it.forget_tenant("globex"), 1, id="another tenant"),
    pytest.param(lambda it: it.forget_workload("acme", "v"), 1, id="another workload"),
    pytest.param(lambda it: it.forget_workload("globex", "w"), 1, id="another's workload"),
    pytest.param(lambda it: it.forget_tag("acme", "hours"), 1, id="another tag"),
]


@pytest.mark.parametrize(("forget", "kept"), FORGETTINGS)
def test_who_asked_before_learns_nothing_of_what_was_forgotten(
    cache: Keeping, forget: Callable[[LocalCache], int], kept: int
) -> None:
    ticket = asked(cache)
    forget(cache)
    assert cache.learn(ticket, ANSWER, NOW) is Outcome.MISS
    assert cache.count() == kept
    # Whoever asks afterwards does.
    cache.learn(asked(cache, name="that"), ANSWER, NOW)
    assert cache.count() == kept + 1


def test_an_answer_that_is_being_judged_while_its_tenant_is_forgotten_is_not_kept(cache: Keeping) -> None:
    judging, go_on = threading.Event(), threading.Event()
    judge = cache._judge

    class Slow:
        name, error = judge.name, judge.error

        def __call__(self, wording: str, kept: str, fresh: str) -> bool | None:
            judging.set()
            assert go_on.wait(10)
            return judge(wording, kept, fresh)

    cache.learn(asked(cache, name="it now"), ANSWER, NOW)
    ticket = asked(cache)
    cache._judge = Slow()
    with ThreadPoolExecutor() as pool:
        learning = pool.submit(cache.learn, ticket, ANSWER, NOW)
        assert judging.wait(10)
        # It does not wait for the judge.
        assert cache.forget_tenant("acme") == 1
        go_on.set()
        assert learning.result(10) is Outcome.MISS
    assert cache.count() == 0
    assert cache.states()[0].certificates == []


def test_a_look_that_is_under_way_while_its_tenant_is_forgotten_is_not_waited_for(tmp_path: Path) -> None:
    looking, go_on = threading.Event(), threading.Event()
    cache = Keeping(tmp_path / "cache")
    hashed = cache.entries.hashed

    def slow(wording: bytes) -> bytes:
        looking.set()
        assert go_on.wait(10)
        return hashed(wording)

    cache.entries.hashed = slow  # type: ignore[method-assign]
    with ThreadPoolExecutor() as pool:
        look = pool.submit(cache.look, ACME, question("it"), ON, NOW)
        assert looking.wait(10)
        cache.forget_tenant("acme")
        go_on.set()
        assert look.result(10).ticket is None
    cache.close()


def test_after_more_forgettings_than_are_remembered_what_was_asked_before_is_over() -> None:
    waiting = Waiting(lambda: 0.0)
    pending = Pending(ACME, question("it"), ON, waiting.number)
    ticket = waiting.add(pending)
    assert ticket is not None
    for number in range(10_000):
        with waiting.forgetting(Forgotten(f"tenant {number}")):
            pass
    assert waiting.take(ticket) == pending
    with waiting.forgetting(Forgotten("one more")):
        pass
    assert waiting.add(pending) is None
    later = Pending(ACME, question("it"), ON, waiting.number)
    assert waiting.add(later) is not None


def test_a_look_is_waited_for_ten_minutes() -> None:
    clock = [0.0]
    waiting = Waiting(lambda: clock[0])
    first = waiting.add(Pending(ACME, question("one"), ON, 0))
    clock[0] = 600.0
    waiting.add(Pending(ACME, question("two"), ON, 0))
    assert first is not None
    assert first in waiting._pending
    clock[0] = 600.1
    waiting.add(Pending(ACME, question("three"), ON, 0))
    assert waiting.take(first) is None


def test_whoever_learns_removes_what_is_over_once_a_minute_and_a_hundred_at_a_time(tmp_path: Path) -> None:
    clock = [0.0]
    cache = Keeping(tmp_path / "cache", monotonic=lambda: clock[0])

    def learn(name: str, now: datetime) -> int:
        """Of that name; how many answers are kept then."""
        cache.learn(asked(cache, name=name, terms=Terms(Mode.EXACT, keep=timedelta(hours=1))), ANSWER, now)
        return cache.count()

    for number in range(150):
        learn(str(number), NOW)
    later = NOW + timedelta(hours=2)
    clock[0] = 59.0
    assert learn("a minute is not over", later) == 151
    clock[0] = 60.0
    # 152 kept; 100 of the 150 that are over go, and the others with the next lesson.
    assert learn("first", later) == 52
    assert learn("second", later) == 3
    # Those of two hours later are over an hour later; but it is looked for in a minute.
    assert learn("third", later + timedelta(hours=2)) == 4
    clock[0] = 120.0
    assert learn("fourth", later + timedelta(hours=2)) == 2
    cache.close()
