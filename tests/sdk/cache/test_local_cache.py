"""The cache of a folder: it outlives its process, is whole in many threads, and takes whatever it is asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import certifying
import pytest
from certifying import ON, WAYS, WHERE, Asking, answered, question

from switchgear.cache import Answer, Mode, Outcome
from switchgear.cache.wording.reading import LONGEST

SHADOW = replace(ON, mode=Mode.SHADOW)


def number_of(wording: str) -> str:
    """What a model says that looks an order up."""
    return "".join(each for each in wording if each.isdigit()) or wording


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Asking]:
    made = Asking(tmp_path / "kept", model=number_of)
    yield made
    made.cache.close()


# -- its life


def test_a_restart_keeps_answers_and_certificate(asking: Asking) -> None:
    asking.certify()
    asking.kept(WAYS[0].format(77), "kept")
    before = asking.cache.states()
    asking.reopened()
    assert asking.cache.states() == before
    asking.chance = lambda: 0.99
    asking.reopened()
    assert asking.ask(WAYS[0].format(77)) == (Outcome.EXACT, "kept")
    assert asking.ask(WAYS[1].format(77)) == (Outcome.SEMANTIC, "kept")


def certified_and_killed(folder: Path) -> None:
    """As a process of its own: certify, say so, and end without closing anything."""
    asking = Asking(folder, model=number_of)
    asking.certify()
    asking.kept(WAYS[0].format(77), "kept")
    sys.stdout.write(f"{asking.cache.states()}\n")
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_kill_keeps_answers_and_certificate(tmp_path: Path) -> None:
    code = f"from test_local_cache import *; certified_and_killed(Path({str(tmp_path / 'kept')!r}))"
    path = os.pathsep.join((str(Path(__file__).parent), str(Path(certifying.__file__).parent)))
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    asking = Asking(tmp_path / "kept", model=number_of, chance=lambda: 0.99)
    assert str(asking.cache.states()) == done.stdout.strip()
    assert asking.ask(WAYS[0].format(77)) == (Outcome.EXACT, "kept")
    assert asking.ask(WAYS[1].format(77)) == (Outcome.SEMANTIC, "kept")
    asking.cache.close()


# -- what is waited for


def test_looks_of_which_no_answer_ever_comes_are_forgotten_by_and_by(asking: Asking) -> None:
    exact = replace(ON, mode=Mode.EXACT)
    for number in range(10_500):
        asking.cache.quick(WHERE, question(f"Where is order {number}?"), exact, asking.now)
    assert len(asking.cache._waiting._pending) == 10_000


def test_large_looks_of_which_no_answer_ever_comes_do_not_fill_the_memory(asking: Asking) -> None:
    exact = replace(ON, mode=Mode.EXACT)
    size = 1_000_000
    for number in range(200):
        asking.cache.quick(WHERE, question(f"{number} " + "x" * size), exact, asking.now)
    assert 1 <= len(asking.cache._waiting._pending) * size <= 128 * 1024 * 1024
    # The latest is still learned of.
    look = asking.look("the latest")
    assert look.ticket is not None
    asking.cache.learn(look.ticket, answered("said"), asking.now)
    assert asking.ask("the latest")[1] == "said"


def test_a_ticket_is_good_once_and_an_unknown_one_teaches_nothing(asking: Asking) -> None:
    look = asking.look("Where is order 7?")
    assert look.ticket is not None
    assert asking.cache.learn("unknown", answered("other"), asking.now) is Outcome.MISS
    asking.cache.learn(look.ticket, answered("one"), asking.now)
    asking.cache.learn(look.ticket, answered("two"), asking.now)
    assert asking.ask("Where is order 7?") == (Outcome.EXACT, "one")


# -- many threads


def test_no_label_and_no_outcome_is_lost_in_many_threads(asking: Asking) -> None:
    def asked(order: int) -> list[Outcome]:
        return [asking.ask(way.format(order), terms=SHADOW)[0] for way in WAYS]

    with ThreadPoolExecutor(8) as pool:
        outcomes = [each for row in pool.map(asked, range(100, 200)) for each in row]
    (state,) = asking.cache.states()
    assert state.outcomes == {each: outcomes.count(each) for each in set(outcomes)}
    # The first of each order has nothing to be compared with, the other three have.
    assert sum(each.labels for each in state.certificates) <= 300
    learned = sum(sum(each) for each in labels_of(asking))
    assert learned == 300
    asking.chance = lambda: 0.99
    assert asking.entries.size[0] == 400


def labels_of(asking: Asking) -> list[list[int]]:
    return [certificate.labels for _, _, certificate in asking.cache._learned.certificates()]


def test_one_question_in_many_threads_has_one_answer(asking: Asking) -> None:
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda _: asking.ask(WAYS[0].format(7))[1], range(100)))
    assert set(said) == {"7"}
    assert asking.entries.size[0] == 1


# -- whatever it is asked

ODD = {
    "empty": "",
    "blank": " \t\n",
    "marks": "?!",
    "pictures": "🙂🙂",
    "right to left": "أين طلبي الآن؟ \u202e\u200f",
    "NUL": "where is\0 it",
    "half a pair": "where is \ud83d it",
    "half a pair in quotes": 'where is "\udc00"',
    "as long as is compared": ("where is it " * LONGEST)[:LONGEST],
    "longer": "where is it " * LONGEST,
    "1 MB": "x" * 1_000_000,
    "1 MB of words": "where is it " * 90_000,
    "many digits": "error " + "9" * 1_900,
    "many numbers in words": "thousand " * 200,
    "control characters": "".join(map(chr, range(1, 32))) + " where",
    "tags of plane 14": "where \U000e0041\U000e0042",
    "not a character": "where \uffff \ufdd0 \U0010ffff",
    "marks upon marks": "where z" + "\u0301" * 500,
    "nothing but asking": "what?",
}


@pytest.mark.parametrize("mode", [Mode.SHADOW, Mode.EXACT, Mode.ON])
@pytest.mark.parametrize("wording", ODD.values(), ids=ODD)
def test_whatever_is_asked_is_a_miss_and_nothing_else(asking: Asking, wording: str, mode: Mode) -> None:
    terms = replace(ON, mode=mode)
    asking.kept("where is it", "secret")
    assert asking.ask(wording, terms=terms) == (Outcome.MISS, asking.model(wording))
    again = asking.look(wording, terms=replace(ON, mode=Mode.EXACT))
    assert again.served is None or again.served.text == asking.model(wording)
    assert asking.ask("where is it")[1] == "secret"


@pytest.mark.parametrize(
    "said", ["", "\ud83d", "\0", "x" * 2_000_000], ids=["empty", "half a pair", "NUL", "2 MB"]
)
def test_whatever_is_answered_is_learned_of_or_not_and_nothing_else(asking: Asking, said: str) -> None:
    asking.kept("where is it", said)
    asking.kept("where is it now", said)
    answer = Answer("application/json", b"\xff" * 10, said)
    look = asking.look("where was it")
    assert look.ticket is not None
    assert asking.cache.learn(look.ticket, answer, asking.now) is Outcome.MISS


# -- repeats


def test_a_request_that_is_repeated_in_shadow_is_still_compared_with(asking: Asking) -> None:
    for _ in range(3):
        asking.ask(WAYS[0].format(7), terms=SHADOW)
    asking.ask(WAYS[1].format(7), terms=SHADOW)
    assert [sum(each) for each in labels_of(asking)] == [1]


def test_repeats_count_for_the_judge_only_soon_after(asking: Asking) -> None:
    for wait in (timedelta(minutes=9), timedelta(minutes=11)):
        asking.ask(WAYS[0].format(7), terms=SHADOW)
        asking.later(wait)
        asking.model = lambda wording: f"not {number_of(wording)}" if asking.now > certifying.NOW else wording
    asking.ask(WAYS[0].format(7), terms=SHADOW)
    error = asking.cache._error(WHERE.workload)
    assert error.same - asking.judge.error.same == 1
