"""Questions that are asked again and again: a slow one holds up none of the others."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

import pytest

from dashboard.parts.live.facts import Facts
from dashboard.services import Answer, Services


@pytest.fixture
def both() -> Iterator[Services]:
    services = Services.from_environment(None, {})
    yield services
    services.close()


def test_a_slow_answer_stands_as_it_was_until_the_next_one_is_there(both: Services) -> None:
    facts, let_go = Facts("a view", both), Event()
    first = {"quick": lambda: Answer(1, None), "slow": lambda: Answer("then", None)}
    assert {name: answer.value for name, answer in facts.read(first, 0.0).items()} == {
        "quick": 1,
        "slow": "then",
    }

    def slow() -> Answer:
        let_go.wait()
        return Answer("now", None)

    told = facts.read({"slow": slow}, 0.0)
    assert told["slow"].value == "then"
    # It is under way, so it is not asked again.
    facts.read({"slow": lambda: Answer("asked twice", None)}, 0.0)
    let_go.set()
    assert facts.read({}, 5.0)["slow"].value == "now"


def test_a_first_look_waits_for_all(both: Services) -> None:
    asked = {"one": lambda: Answer(1, None), "two": lambda: Answer(2, None)}
    told = Facts("a view", both).read(asked, 0.0)
    assert {name: answer.value for name, answer in told.items()} == {"one": 1, "two": 2}


def test_what_one_viewer_was_told_is_not_told_to_the_next_in_the_same_window(both: Services) -> None:
    others = Services.from_environment("sg_another", {})
    facts = Facts("a view", both)
    assert facts.is_about("a view", both)
    assert not facts.is_about("a view", others)
    assert not facts.is_about("another view", both)
    others.close()
