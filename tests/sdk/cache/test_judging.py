"""A judge that takes its time holds up no call, and what it says is learned all the same."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from switchgear.cache.bound import JudgeError
from switchgear.cache.cache import LocalCache
from switchgear.cache.embedding import by_callable
from switchgear.cache.entries import Entries
from switchgear.cache.judge import ModelJudge
from switchgear.cache.judging import Later
from switchgear.cache.learned import Learned
from switchgear.cache.model import Answer, Mode, Namespace, Outcome, Question, Terms

NOW = datetime(2026, 11, 2, tzinfo=UTC)
WHERE = Namespace("acme", "support")
TERMS = Terms(Mode.SHADOW, Decimal("0.02"))


def asked(text: str) -> Question:
    return Question(text.encode(), b"", text)


def said(text: str) -> Answer:
    return Answer("text/plain", text.encode(), text)


def test_no_call_waits_for_a_model_that_judges_and_its_word_is_learned(tmp_path: Path) -> None:
    judging, go_on = threading.Event(), threading.Event()

    def ask(_wording: str, kept: str, fresh: str) -> bool:
        judging.set()
        assert go_on.wait(10)
        return kept == fresh

    judge = ModelJudge("model-1", ask, JudgeError(different=10**6))
    embedder = by_callable("one", lambda texts: np.ones((len(texts), 2)))
    cache = LocalCache(Entries(tmp_path / "kept"), Learned(None), embedder, judge)
    try:
        first = cache.look(WHERE, asked("List the invoices of May"), TERMS, NOW)
        assert first.ticket is not None
        cache.learn(first.ticket, said("two"), NOW)
        second = cache.look(WHERE, asked("Which invoices are there of May?"), TERMS, NOW)
        assert second.ticket is not None
        assert cache.learn(second.ticket, said("two"), NOW) in (Outcome.SHADOW, Outcome.MISS)
        assert judging.wait(10)
        assert cache._learned.certificates() == []
        go_on.set()
        assert cache._later is not None
        assert cache._later.settled(10)
        assert [sum(certificate.labels) for *_, certificate in cache._learned.certificates()] == [1]
    finally:
        go_on.set()
        cache.close()


def test_what_fails_is_told_without_its_words_and_the_next_is_done(caplog: pytest.LogCaptureFixture) -> None:
    later, done = Later(), threading.Event()

    def fails() -> None:
        raise ValueError("the prompt of somebody")

    later.soon(fails)
    later.soon(done.set)
    assert done.wait(10)
    assert later.settled(10)
    assert "ValueError" in caplog.text
    assert "somebody" not in caplog.text


def test_more_than_can_wait_is_left_out() -> None:
    later, go_on = Later(), threading.Event()
    later.soon(lambda: go_on.wait(10))
    for _ in range(300):
        later.soon(lambda: None)
    assert later.left_out >= 300 - 200
    go_on.set()
    assert later.settled(10)
