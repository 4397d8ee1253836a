"""Two wordings of the same values: what forbids that they mean the same, and what does not."""

from __future__ import annotations

import pytest

from switchgear.cache.wording.comparing import (
    edit,
    features,
    places_differ,
    placing,
    slips,
    unmatched,
    veto,
)
from switchgear.cache.wording.reading import Reading, read


def reading(text: str) -> Reading:
    found = read(text)
    assert found is not None
    return found


FORBIDDEN = [
    pytest.param("Is INV-1 paid?", "Is INV-1 not paid?", "negation", id="not"),
    pytest.param("orders with a note", "orders without a note", "negation", id="without"),
    pytest.param("orders above 5", "orders below 5", "sign", id="above and below"),
    pytest.param("orders of at least 5 days", "orders of at most 5 days", "sign", id="at least and at most"),
    pytest.param("orders before March 3", "orders after March 3", "sign", id="before and after"),
    pytest.param("the latest order", "the oldest order", "sign", id="latest and oldest"),
    pytest.param("the average price", "the median price", "sign", id="average and median"),
    pytest.param("must he sign", "may he sign", "sign", id="must and may"),
    pytest.param("did alice pay bob", "did bob pay alice", "turned", id="who pays whom"),
    pytest.param("convert celsius to kelvin", "convert kelvin to celsius", "turned", id="from what to what"),
    pytest.param("list open tickets", "list closed tickets", "opposite", id="open and closed"),
    pytest.param("unpaid invoices", "paid invoices", "opposite", id="a prefix"),
    pytest.param("approve the request", "reject the request", "opposite", id="approve and reject"),
    pytest.param("increase the limit", "decrease the limit", "opposite", id="increase and decrease"),
]
ALLOWED = [
    pytest.param("list the invoices", "please show all invoices", id="verbs of asking"),
    pytest.param("What is the total of the order?", "Total of the order, please", id="a phrase"),
    pytest.param("find the customer", "locate the customer", id="words of one meaning"),
    pytest.param("yes or no: is it due", "is it due", id="the answers that are wanted"),
    pytest.param("list bills and notes", "list notes and bills", id="two with and"),
    pytest.param("orders over 5", "orders exceeding 5", id="the same limit"),
    pytest.param("delete the user", "remove the user", id="delete and remove"),
    pytest.param("when does it start", "what time does it start", id="when and what time"),
    pytest.param("due no later than Friday", "due by Friday", id="a limit with no"),
]


@pytest.mark.parametrize(("one", "other", "why"), FORBIDDEN)
def test_what_means_otherwise_is_forbidden_either_way(one: str, other: str, why: str) -> None:
    assert veto(reading(one).wording, reading(other).wording) == why
    assert veto(reading(other).wording, reading(one).wording) == why


@pytest.mark.parametrize(("one", "other"), ALLOWED)
def test_a_rewording_is_not_forbidden(one: str, other: str) -> None:
    assert veto(reading(one).wording, reading(other).wording) is None
    assert not places_differ(reading(one), reading(other))


@pytest.mark.parametrize(("one", "other"), [each.values[:2] for each in (*FORBIDDEN, *ALLOWED)])
def test_nothing_is_forbidden_to_mean_itself(one: str, other: str) -> None:
    for text in (one, other):
        assert veto(reading(text).wording, reading(text).wording) is None
        assert placing(reading(text), reading(text)) == ""


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        pytest.param("ship from Oslo to Lima", "ship from Lima to Oslo", True, id="turned"),
        pytest.param("ship from Oslo to Lima", "ship to Lima from Oslo", False, id="told in another order"),
        pytest.param("translate into German", "translate to German", False, id="one value"),
    ],
)
def test_values_in_each_others_places_are_told(one: str, other: str, *, differ: bool) -> None:
    assert places_differ(reading(one), reading(other)) is differ


@pytest.mark.parametrize(
    ("one", "other", "slip"),
    [
        pytest.param("show the invoice", "show the invocie", True, id="two letters turned"),
        pytest.param("show the invoice", "show the invoic", True, id="a letter is missing"),
        pytest.param("show the invoice", "show the invoicee", True, id="a letter is there twice"),
        pytest.param(
            "restart the container", "restart the containerd", False, id="a program by its last letter"
        ),
        pytest.param("show the invoice", "show the invoixe", True, id="a key beside it"),
        pytest.param("show the separate one", "show the seperate one", True, id="a vowel"),
        pytest.param("ask martin for it", "ask marvin for it", False, id="two names"),
        pytest.param("show the price", "show the prize", False, id="two words"),
        pytest.param("show the invoice", "show the invoice again", False, id="one word more"),
    ],
)
def test_a_slip_of_the_hand_is_told_from_another_word(one: str, other: str, *, slip: bool) -> None:
    assert slips(reading(one).wording, reading(other).wording) is slip


def test_words_without_a_counterpart_are_left() -> None:
    ours, theirs = unmatched(reading("pay the old invoices").wording, reading("pay the new receipts").wording)
    assert [each.plain for each in ours] == ["old", "invoice"]
    assert [each.plain for each in theirs] == ["new", "receipt"]


def test_of_the_same_words_nothing_speaks_against_it() -> None:
    it = reading("Show the invoice").wording
    assert features(it, it) == [0.0]


@pytest.mark.parametrize(
    ("pair", "alike"),
    [
        pytest.param(
            ("Show the invoice", "Please, could you display the invoice"),
            ("Show the receipt", "Please, could you display the receipt"),
            id="about another thing",
        ),
        pytest.param(
            ("Write hard questions on Oslo", "Quiz: Oslo, difficulty hard"),
            ("Write easy questions on Rome", "Quiz: Rome, difficulty easy"),
            id="with a word of both that is moved",
        ),
        pytest.param(
            ("Show the invoice", "Could you show the invoice"),
            ("Could you show the receipt", "Show the receipt"),
            id="whichever is which",
        ),
    ],
)
def test_pairs_differ_alike(pair: tuple[str, str], alike: tuple[str, str]) -> None:
    one, other = (edit(reading(a).wording, reading(b).wording) for a, b in (pair, alike))
    assert one == other != ""


def test_texts_that_are_too_long_differ_like_no_others() -> None:
    long = "go to it " * 100
    assert edit(reading(long).wording, reading(f"{long} now").wording) == ""


@pytest.mark.parametrize(
    ("pair", "otherwise"),
    [
        pytest.param(("up to noon", "from noon on"), ("up to noon", "at noon"), id="another word"),
        pytest.param(("show all", "show all"), ("show all", "show all now"), id="nothing"),
    ],
)
def test_pairs_differ_otherwise(pair: tuple[str, str], otherwise: tuple[str, str]) -> None:
    one, other = (edit(reading(a).wording, reading(b).wording) for a, b in (pair, otherwise))
    assert one != other
