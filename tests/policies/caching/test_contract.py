"""What holds for the cache of this process holds for the one behind an endpoint: one suite for both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from keeping import Keeping
from serving import Serving

from policies.caching.service import create_app
from switchgear.cache import Answer, Cache, Look, Mode, Namespace, Outcome, Question, Terms
from switchgear.cache.remote import RemoteCache

WHERE = Namespace("acme", "w")
QUESTION = Question(b"\x00exact", b"setting\xff", "How tall is the tower in Pisa?")
REWORDED = replace(QUESTION, exact=b"other", wording="How tall is the tower at Pisa?")
ANSWER = Answer("text/event-stream", b"data: \xf0\x9f\x97\xbc\n\n", "It is 57 m tall \N{TOKYO TOWER}", "m-1")
ON = Terms(Mode.ON)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(params=["in this process", "behind an endpoint"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cache]:
    kept = Keeping(tmp_path / "cache")
    if request.param == "in this process":
        yield kept
        kept.close()
        return
    file = tmp_path / "policies.yaml"
    file.write_text("version: 1\n")
    app = create_app(open_cache=lambda: kept, policy_file=file, data=tmp_path)
    with Serving(app) as served:
        # The machine may be busy: what is late here would be a miss.
        remote = RemoteCache(served.url, look_within_s=20, learn_within_s=20)
        yield remote
        remote.close()


def found(cache: Cache, question: Question, terms: Terms = ON, where: Namespace = WHERE) -> Look:
    """As the SDK looks: at once, or in a thread."""
    quick = cache.quick(where, question, terms, now())
    return cache.look(where, question, terms, now()) if quick is None else quick


def learned(cache: Cache, question: Question = QUESTION, answer: Answer | None = ANSWER) -> Outcome:
    look = found(cache, question)
    assert look.ticket is not None
    return cache.learn(look.ticket, answer, now())


def test_what_was_learned_is_served_to_the_very_same_request_as_it_was_said(cache: Cache) -> None:
    before = now()
    assert learned(cache) is Outcome.MISS
    look = found(cache, QUESTION)
    assert (look.outcome, look.served, look.ticket) == (Outcome.EXACT, ANSWER, None)
    assert look.kept_at is not None
    assert before - timedelta(seconds=1) <= look.kept_at <= now() + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("where", "question"),
    [
        pytest.param(Namespace("globex", "w"), QUESTION, id="tenant"),
        pytest.param(Namespace("acme", "v"), QUESTION, id="workload"),
        pytest.param(WHERE, replace(QUESTION, exact=b"x", wording=None), id="request"),
    ],
)
def test_what_is_another_is_a_miss(cache: Cache, where: Namespace, question: Question) -> None:
    learned(cache)
    look = found(cache, question, where=where)
    assert (look.outcome, look.served) == (Outcome.MISS, None)


@pytest.mark.parametrize(
    ("terms", "unfit", "outcome"),
    [
        pytest.param(Terms(Mode.OFF), None, Outcome.BYPASS, id="off"),
        pytest.param(ON, "tools", Outcome.BYPASS, id="of a kind that is left alone"),
        pytest.param(Terms(Mode.ON, allow=frozenset({"tools"})), "tools", Outcome.MISS, id="allowed"),
        pytest.param(Terms(Mode.EXACT), None, Outcome.MISS, id="exact"),
    ],
)
def test_the_terms_say_what_is_looked_up(
    cache: Cache, terms: Terms, unfit: str | None, outcome: Outcome
) -> None:
    look = found(cache, replace(QUESTION, unfit=unfit), terms)
    assert (look.outcome, look.ticket is None) == (outcome, outcome is Outcome.BYPASS)


def test_in_shadow_nothing_is_served_and_what_would_be_is_told(cache: Cache) -> None:
    learned(cache)
    look = found(cache, QUESTION, Terms(Mode.SHADOW))
    assert (look.outcome, look.served) == (Outcome.SHADOW_EXACT, None)
    assert look.ticket is not None
    assert cache.learn(look.ticket, ANSWER, now()) is Outcome.SHADOW_EXACT


def test_a_request_of_the_same_meaning_is_compared_and_not_served_before_that_is_certified(
    cache: Cache,
) -> None:
    learned(cache)
    look = found(cache, REWORDED)
    assert (look.outcome, look.served) == (Outcome.SHADOW, None)
    assert look.ticket is not None
    assert cache.learn(look.ticket, ANSWER, now()) in (Outcome.SHADOW_SAME, Outcome.MISS)


def test_a_ticket_is_good_once_and_one_that_never_was_is_a_miss(cache: Cache) -> None:
    look = found(cache, QUESTION)
    assert look.ticket is not None
    assert cache.learn(look.ticket, None, now()) is Outcome.MISS
    assert cache.learn(look.ticket, ANSWER, now()) is Outcome.MISS
    assert cache.learn("no-such-ticket", ANSWER, now()) is Outcome.MISS
    assert found(cache, QUESTION).outcome is Outcome.MISS


def test_what_is_kept_for_so_long_is_not_served_after_it(cache: Cache) -> None:
    terms = Terms(Mode.ON, keep=timedelta(milliseconds=1))
    look = found(cache, QUESTION, terms)
    assert look.ticket is not None
    cache.learn(look.ticket, ANSWER, now())
    kept_until = now() + timedelta(milliseconds=2)
    while now() < kept_until:
        pass
    assert found(cache, QUESTION).outcome is Outcome.MISS
