"""The judge that comes with the package: what it calls the same, what different, and how often it was wrong."""

from __future__ import annotations

from random import Random

import pytest
from cache_judge import CLASSES, Measured, measured, sample
from hypothesis import given
from hypothesis import strategies as st

from switchgear.cache.bound import JudgeError
from switchgear.cache.judge import ModelJudge, WordJudge

JUDGE = WordJudge()
NO_QUESTION = ""

SAME = [
    pytest.param("Yes", "yes.", id="capitals and marks"),
    pytest.param("The answer is Paris.", "Paris", id="a lead"),
    pytest.param("Category: billing", "**billing**", id="a label, and emphasis"),
    pytest.param("42", "forty-two", id="a number in words"),
    pytest.param("$1,200.00", "1200 USD", id="an amount"),
    pytest.param("It ends on 2026-03-03.", "It ends on March 3, 2026.", id="a date"),
    pytest.param('{"a": 1, "b": [1, 2]}', '```json\n{"b": [1.0, 2], "a": 1}\n```', id="JSON in a fence"),
    pytest.param("- visa\n- lease", "* lease\n* visa", id="items in another order"),
    pytest.param("22, 80 and 443", "443, 80, 22", id="a list in a line"),
    pytest.param("Delete the file.", "Erase the file.", id="words of one meaning"),
    pytest.param("`git status`", "```\ngit status\n```", id="code"),
]
DIFFERENT = [
    pytest.param("Yes", "No", id="verdicts"),
    pytest.param("No, it exists.", "No, it does not exist.", id="a verdict and a negation"),
    pytest.param("approve", "reject", id="opposites"),
    pytest.param("valid", "invalid", id="an opposite by its prefix"),
    pytest.param("on", "off", id="words that say little by themselves"),
    pytest.param("A", "I", id="options"),
    pytest.param("It is in the US.", "It is in IT.", id="abbreviations"),
    pytest.param("1.5", "15", id="numbers"),
    pytest.param("5", "-5", id="signs"),
    pytest.param("5 EUR", "5 USD", id="currencies"),
    pytest.param("about 5", "5", id="a limit before a value"),
    pytest.param("It may be returned.", "It may be returned if unopened.", id="a condition"),
    pytest.param("tea", "tea and coffee", id="more than that"),
    pytest.param("from Oslo to Lima", "from Lima to Oslo", id="places"),
    pytest.param("1. load\n2. send", "1. send\n2. load", id="steps in another order"),
    pytest.param('{"a": true}', '{"a": 1}', id="true is no number"),
    pytest.param('{"a": 1}', '{"a": 1, "b": null}', id="a key more"),
    pytest.param("[1, 2]", "[2, 1]", id="an array's order"),
    pytest.param("\\d+", "\\D+", id="code by its capitals"),
    pytest.param("kubectl get pods", "kubectl get pods -A", id="an option"),
    pytest.param("a > b", "b > a", id="a relation"),
    pytest.param("\N{SLIGHTLY SMILING FACE}", "\N{SLIGHTLY FROWNING FACE}", id="pictures"),
    pytest.param("Paris", " ", id="nothing"),
    pytest.param("a" * 3000, "b" * 3000, id="too long to be read"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_only_reads_otherwise_is_the_same(one: str, other: str) -> None:
    assert JUDGE(NO_QUESTION, one, other) is True
    assert JUDGE(NO_QUESTION, other, one) is True


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_says_something_else_is_different(one: str, other: str) -> None:
    assert JUDGE(NO_QUESTION, one, other) is False
    assert JUDGE(NO_QUESTION, other, one) is False


@pytest.mark.parametrize(
    ("asked", "one", "other", "same"),
    [
        pytest.param("Was the bill paid?", "Yes", "Yes, the bill was paid.", True, id="what was asked"),
        pytest.param("Was INV-1 paid?", "Yes", "Yes, INV-1 was paid.", True, id="of whom it was asked"),
        pytest.param("Was the bill paid?", "Yes", "Yes, the fee was paid.", False, id="something else"),
        pytest.param("Was the bill paid?", "No", "The bill was paid.", False, id="the opposite"),
        pytest.param("Is it tea or coffee?", "tea", "tea and coffee", False, id="a choice is no repetition"),
        pytest.param("How many users are there?", "3", "3 users", True, id="a unit that was asked for"),
        pytest.param("Rank them.", "Oslo, Lima", "Lima, Oslo", False, id="an order that was asked for"),
        pytest.param("Where are they?", "Oslo, Lima", "Lima, Oslo", True, id="an order that was not"),
    ],
)
def test_what_stands_in_the_question_says_nothing_new(
    asked: str, one: str, other: str, *, same: bool
) -> None:
    assert JUDGE(asked, one, other) is same
    assert JUDGE(asked, other, one) is same


@given(st.text(max_size=200), st.text(max_size=80))
def test_an_answer_is_the_same_as_itself_whatever_was_asked(answer: str, asked: str) -> None:
    assert JUDGE(asked, answer, answer) is True


ANSWERS = st.lists(
    st.sampled_from(
        ["yes", "no", "not", "Acme", "paid", "bill", "5", "-5", "if", "{", "]", "- ", "\n", ", ", "1. "]
    ),
    max_size=8,
).map(" ".join)


@given(ANSWERS, ANSWERS)
def test_it_does_not_matter_which_of_both_was_kept(one: str, other: str) -> None:
    assert JUDGE(NO_QUESTION, one, other) is JUDGE(NO_QUESTION, other, one)


@pytest.fixture(scope="module")
def even() -> Measured:
    """Of the questions that nobody looked at while the judge was written."""
    return measured(JUDGE, list(sample(0, Random(1))))


def test_the_sample_is_large_enough() -> None:
    both = [each for half in (0, 1) for each in sample(half, Random(1))]
    assert len({each.number for each in both}) >= 150
    assert sum(each.wrong is None for each in both) >= 700
    for name in CLASSES:
        assert sum(each.wrong == name for each in both) >= 700


def test_it_seldom_calls_different_answers_the_same(even: Measured) -> None:
    assert even.false_same <= 0.02
    assert all(wrong / pairs <= 0.05 for wrong, pairs in even.missed.values())


def test_the_counts_that_it_starts_with_are_no_better_than_those_measured(even: Measured) -> None:
    assert JUDGE.error.different <= even.error.different
    assert JUDGE.error.missed >= even.error.missed
    # How a workload's answers are reworded, no sample knows.
    assert (JUDGE.error.same, JUDGE.error.false_alarms) == (0, 0)


def test_a_model_is_asked_with_what_it_is_known_to_err_in() -> None:
    asked = []

    def ask(wording: str, kept: str, fresh: str) -> bool | None:
        asked.append((wording, kept, fresh))
        return None

    judge = ModelJudge("m-1", ask, JudgeError(200, 2, 200, 3))
    assert judge("q", "a", "b") is None
    assert asked == [("q", "a", "b")]
    assert (judge.name, judge.error) == ("m-1", JudgeError(200, 2, 200, 3))
