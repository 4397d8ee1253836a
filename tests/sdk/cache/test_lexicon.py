"""What words have to do with each other."""

from __future__ import annotations

import pytest

from switchgear.cache.wording.lexicon import Lexicon, lexicon

LINES = [
    "buy\t1\tbuyer\tsell\tv",
    "purchase\t1 2\t\t\tv",
    "sell\t3\t\t\tv",
    "buyer\t4\t\t\t",
    "paid\t5\t\t\t",
]
"""Word, meanings, derived words, opposites, and whether it is a verb."""


def test_a_lexicon_says_what_its_lines_say_both_ways() -> None:
    made = Lexicon(LINES, [("inbound", "outbound")], {"bought": "buy"})
    assert made.same("buy", "purchase")
    assert made.same("buyer", "buy")
    assert made.opposite("sell", "buy")
    assert made.opposite("outbound", "inbound")
    assert made.opposite("unpaid", "paid")
    assert not made.same("buy", "sell")
    assert (made.plain("bought"), made.plain("buyers"), made.plain("zorgs")) == ("buy", "buyer", "zorgs")


@pytest.mark.parametrize(
    ("form", "plain"),
    [
        ("invoices", "invoice"),
        ("paid", "pay"),
        ("companies", "company"),
        ("stopped", "stop"),
        ("using", "use"),
    ],
)
def test_a_form_is_its_plain_word(form: str, plain: str) -> None:
    assert lexicon().plain(form) == plain


@pytest.mark.parametrize(("one", "other"), [("erase", "delete"), ("purchase", "buy"), ("begin", "start")])
def test_words_of_one_meaning_are_the_same(one: str, other: str) -> None:
    assert lexicon().same(one, other)
    assert lexicon().same(other, one)
    assert not lexicon().opposite(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("approve", "reject"),
        ("valid", "invalid"),
        ("upload", "download"),
        ("credit", "debit"),
        ("rise", "fall"),
    ],
)
def test_opposites_are_told_either_way(one: str, other: str) -> None:
    assert lexicon().opposite(one, other)
    assert lexicon().opposite(other, one)


def test_a_short_word_in_a_longer_one_is_no_opposite() -> None:
    assert not lexicon().opposite("it", "unit")
