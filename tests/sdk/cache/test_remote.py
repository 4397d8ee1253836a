"""The client of a cache that is away, slow, strange or of another mind: every time a miss, and never an error."""

from __future__ import annotations

import base64
import json
import logging
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from answering import answering

from switchgear.cache import Answer, Look, Mode, Namespace, Outcome, Question, Terms
from switchgear.cache.remote import RemoteCache
from switchgear.errors import ConfigError

NOW = datetime(2026, 12, 1, tzinfo=UTC)
WHERE = Namespace("acme", "w")
QUESTION = Question(b"exact", b"setting", "what is it")
ON = Terms(Mode.ON)
ANSWER = Answer("application/json", b"{}", "42")
MISS = Look(Outcome.MISS)
SERVED = {
    "content_type": "text/plain",
    "body": base64.b64encode(b"\x00").decode(),
    "text": "a",
    "model": None,
}


def said(**look: Any) -> bytes:
    return json.dumps({"outcome": "miss", "served": None, "ticket": None, "kept_at": None, **look}).encode()


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_what_is_served_comes_with_all_its_parts() -> None:
    body = said(outcome="semantic", served=SERVED, kept_at="2026-11-30T10:00:00+00:00")
    with answering(body) as url:
        cache = RemoteCache(url)
        look = cache.look(WHERE, QUESTION, ON, NOW)
        cache.close()
    assert look.served == Answer("text/plain", b"\x00", "a", None)
    assert (look.outcome, look.kept_at) == (Outcome.SEMANTIC, datetime(2026, 11, 30, 10, tzinfo=UTC))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"<!doctype html>", 200, id="a page"),
        pytest.param(b"[]", 200, id="a list"),
        pytest.param(b"{}", 200, id="nothing of what is asked"),
        pytest.param(said(outcome="better"), 200, id="an outcome that there is not"),
        pytest.param(said(outcome="exact"), 200, id="served, and nothing to serve"),
        pytest.param(said(served=SERVED), 200, id="a miss that serves"),
        pytest.param(said(outcome="exact", served={**SERVED, "body": "?"}), 200, id="no base64"),
        pytest.param(said(outcome="exact", served={"text": "a"}), 200, id="half an answer"),
        pytest.param(said(outcome="exact", served=SERVED, kept_at="soon"), 200, id="no moment"),
        pytest.param(said(outcome="exact", served=SERVED), 401, id="a key that is not taken"),
        pytest.param(said(outcome="exact", served=SERVED), 503, id="too many that wait"),
        pytest.param(b"\xff\xfe", 500, id="a broken service"),
    ],
)
def test_what_is_no_look_is_a_miss(body: bytes, status: int) -> None:
    with answering(body, status) as url:
        cache = RemoteCache(url)
        assert cache.look(WHERE, QUESTION, ON, NOW) == MISS
        cache.close()


@pytest.mark.parametrize(
    ("body", "status", "outcome"),
    [
        pytest.param(b'{"outcome": "audit_same"}', 200, Outcome.AUDIT_SAME, id="one that there is"),
        pytest.param(b'{"outcome": "better"}', 200, Outcome.MISS, id="one that there is not"),
        pytest.param(b'{"outcome": ["miss"]}', 200, Outcome.MISS, id="a list"),
        pytest.param(b"<!doctype html>", 200, Outcome.MISS, id="a page"),
        pytest.param(b'{"outcome": "exact"}', 404, Outcome.MISS, id="a ticket that is none"),
    ],
)
def test_an_outcome_is_as_it_is_told_and_else_a_miss(body: bytes, status: int, outcome: Outcome) -> None:
    with answering(body, status) as url:
        cache = RemoteCache(url)
        assert cache.learn("ticket", ANSWER, NOW) is outcome
        cache.close()


@pytest.mark.parametrize("status", [503, 404, 401])
def test_a_service_that_refuses_is_asked_again(status: int) -> None:
    asked: list[str] = []
    with answering(b"{}", status, asked=asked) as url:
        cache = RemoteCache(url)
        for _ in range(2):
            assert cache.look(WHERE, QUESTION, ON, NOW) == MISS
        cache.close()
    assert asked == ["/v1/cache:look"] * 2


def test_a_service_that_is_silent_holds_nobody_up_and_is_left_alone_for_seconds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, asked = Clock(), list[str]()
    with answering(None, asked=asked) as url:
        cache = RemoteCache(url, look_within_s=0.05, clock=clock)
        begun = time.monotonic()
        assert cache.look(WHERE, QUESTION, ON, NOW) == MISS
        assert time.monotonic() - begun < 2
        # Known without asking, from now on: 2 s, half of that at least, half more at most.
        assert cache.quick(WHERE, QUESTION, ON, NOW) == MISS
        assert cache.look(WHERE, QUESTION, ON, NOW) == MISS
        assert cache.learn("ticket", ANSWER, NOW) is Outcome.MISS
        assert asked == ["/v1/cache:look"]
        clock.at += 0.99
        assert cache.quick(WHERE, QUESTION, ON, NOW) == MISS
        clock.at += 2.02
        assert cache.quick(WHERE, QUESTION, ON, NOW) is None
        # Then twice as long.
        assert cache.look(WHERE, QUESTION, ON, NOW) == MISS
        clock.at += 1.99
        assert cache.quick(WHERE, QUESTION, ON, NOW) == MISS
        clock.at += 4.02
        assert cache.quick(WHERE, QUESTION, ON, NOW) is None
        cache.close()
    # Said once a minute.
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_where_nobody_listens_it_is_a_miss() -> None:
    with answering(b"{}") as url:
        pass
    cache = RemoteCache(url)
    assert cache.look(WHERE, QUESTION, ON, NOW) == MISS
    assert cache.quick(WHERE, QUESTION, ON, NOW) == MISS
    cache.close()


def test_an_answer_ends_that_a_service_is_left_alone() -> None:
    clock = Clock()
    cache = RemoteCache("http://127.0.0.1:9", clock=clock)
    for expected in (2.0, 4.0, 8.0, 16.0, 30.0, 30.0):
        cache._failed("a test")
        assert 0.5 * expected <= cache._away_until - clock.at <= 1.5 * expected
        clock.at = cache._away_until
    cache._heard()
    cache._failed("a test")
    assert cache._away_until - clock.at <= 1.5 * 2.0
    cache.close()


@pytest.mark.parametrize(
    ("terms", "unfit", "outcome"),
    [
        pytest.param(Terms(Mode.OFF), None, Outcome.BYPASS, id="off"),
        pytest.param(ON, "tools", Outcome.BYPASS, id="of a kind that is left alone"),
        pytest.param(Terms(Mode.ON, allow=frozenset({"tools"})), "tools", None, id="unless it is allowed"),
        pytest.param(ON, None, None, id="any other takes a look"),
    ],
)
def test_some_things_are_known_without_asking(
    terms: Terms, unfit: str | None, outcome: Outcome | None
) -> None:
    cache = RemoteCache("http://127.0.0.1:9")
    found = cache.quick(WHERE, Question(b"e", b"s", "w", unfit), terms, NOW)
    assert found == (None if outcome is None else Look(outcome))
    cache.close()


def test_a_question_too_long_to_be_taken_is_not_sent() -> None:
    cache = RemoteCache("http://127.0.0.1:9")
    assert cache.quick(WHERE, Question(b"x" * (5 << 20), b"", "w"), ON, NOW) == MISS
    cache.close()


def test_after_its_end_everything_is_a_miss() -> None:
    with answering(said()) as url:
        cache = RemoteCache(url)
        cache.close()
        assert cache.quick(WHERE, QUESTION, ON, NOW) == MISS
        assert cache.look(WHERE, QUESTION, ON, NOW) == MISS
        assert cache.learn("ticket", ANSWER, NOW) is Outcome.MISS


def test_warnings_say_nothing_of_what_was_asked(caplog: pytest.LogCaptureFixture) -> None:
    question = Question(b"Zephyrine", b"Zephyrine", "Zephyrine")
    with answering(b'{"detail": "Zephyrine"}', 422) as url:
        cache = RemoteCache(url, "sg_secret")
        cache.look(WHERE, question, ON, NOW)
        cache.close()
    assert len(caplog.records) == 1
    assert not {"Zephyrine", "sg_secret"} & set(caplog.text.split())


@pytest.mark.parametrize("url", ["127.0.0.1:8720", "ftp://cache", "cache", "http://cache:port"])
def test_a_url_that_is_none_is_told_of_at_once(url: str) -> None:
    with pytest.raises(ConfigError):
        RemoteCache(url)
