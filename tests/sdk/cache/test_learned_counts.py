"""What labels of wordings add up to: by pairs, over third wordings, and by how their values are placed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.cache.bound import Certificate, JudgeError
from switchgear.cache.learned import Learned
from switchgear.cache.wording.score import BY_CHANCE, Seen

WORKLOAD = '["acme", "support"]'
ONE, OTHER, THIRD = b"one", b"other", b"third"
TURNED = "name:1,0"


@pytest.fixture
def learned() -> Iterator[Learned]:
    made = Learned(None)
    yield made
    made.close()


def label(
    learned: Learned, one: bytes, other: bytes, said: Sequence[bool], placed: str = "", edit: bytes = b""
) -> None:
    learned.label(WORKLOAD, [(one, other, placed, placed, edit, same) for same in said])


def seen(learned: Learned, one: bytes, other: bytes, placed: str = "", edit: bytes = b"") -> Seen:
    """What was seen of both, but for how often labels agree by chance."""
    return replace(learned.seen(WORKLOAD, one, [(other, placed, edit)])[0], by_chance=BY_CHANCE)


def test_of_wordings_that_were_never_compared_nothing_is_known(learned: Learned) -> None:
    assert seen(learned, ONE, OTHER) == Seen()


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30))
def test_labels_add_up_whichever_of_both_came_first(said: list[tuple[bool, bool]]) -> None:
    learned = Learned(None)
    for turned, same in said:
        label(learned, *((OTHER, ONE) if turned else (ONE, OTHER)), [same])
    alike = sum(same for _, same in said)
    assert seen(learned, ONE, OTHER) == seen(learned, OTHER, ONE) == Seen(alike, len(said) - alike)
    learned.close()


@pytest.mark.parametrize(
    ("with_one", "with_other", "found"),
    [
        pytest.param([True] * 3, [True] * 2, Seen(through=2), id="the same as both"),
        pytest.param([True] * 3, [False] * 2, Seen(apart=2), id="the same as one, different from the other"),
        pytest.param([False], [True] * 5, Seen(apart=1), id="the other way round"),
        pytest.param([False] * 3, [False] * 3, Seen(), id="different from both"),
        pytest.param([True, False], [True, False], Seen(), id="now and then"),
        pytest.param([True], [], Seen(), id="known of one alone"),
    ],
)
def test_a_third_wording_tells_of_two(
    learned: Learned, with_one: list[bool], with_other: list[bool], found: Seen
) -> None:
    label(learned, ONE, THIRD, with_one)
    label(learned, THIRD, OTHER, with_other)
    assert seen(learned, ONE, OTHER) == found
    assert seen(learned, OTHER, ONE) == found


def test_third_wordings_add_up(learned: Learned) -> None:
    for third, times in ((b"a", 1), (b"b", 2)):
        label(learned, ONE, third, [True] * times)
        label(learned, third, OTHER, [True] * 5)
    # The fewer of both counts of each: 1 and 2.
    assert seen(learned, ONE, OTHER) == Seen(through=1 + 2)


def test_values_in_other_places_are_another_pair(learned: Learned) -> None:
    label(learned, ONE, OTHER, [False], TURNED)
    label(learned, ONE, OTHER, [True, True])
    assert seen(learned, ONE, OTHER, TURNED) == Seen(different=1)
    assert seen(learned, ONE, OTHER) == Seen(same=2)


def test_a_wording_may_be_compared_with_itself_turned(learned: Learned) -> None:
    label(learned, ONE, ONE, [False], TURNED)
    assert seen(learned, ONE, ONE, TURNED) == Seen(different=1)
    assert seen(learned, ONE, ONE) == Seen()


def test_each_pair_that_differs_alike_is_one_witness_for_a_pair_that_was_never_seen(learned: Learned) -> None:
    label(learned, ONE, OTHER, [True] * 500, edit=b"please")
    label(learned, ONE, THIRD, [True], edit=b"please")
    label(learned, OTHER, THIRD, [False], edit=b"please")
    assert seen(learned, b"a fourth", b"a fifth", edit=b"please") == Seen(alike_same=2, alike_different=1)
    assert seen(learned, b"a fourth", b"a fifth", edit=b"not") == Seen()


def test_how_often_different_ones_agree_is_told_by_the_next_label_of_each(learned: Learned) -> None:
    def by_chance() -> float:
        return learned.seen(WORKLOAD, ONE, [(THIRD, "", b"")])[0].by_chance

    # A guess of 0.2 that counts for 10 labels; a pair that was ever the same tells nothing of it.
    label(learned, ONE, OTHER, [True, False, True])
    assert by_chance() == 0.2
    for number in range(10):
        label(learned, b"%d" % number, OTHER, [False, number == 0, True, True])
    assert by_chance() == (2 + 1) / (10 + 10)
    for number in range(10, 990):
        label(learned, b"%d" % number, OTHER, [False, False])
    assert by_chance() == 0.01


def test_of_too_many_pairs_those_told_longest_ago_are_forgotten(
    learned: Learned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("switchgear.cache.learned._MOST_PAIRS", 200)
    monkeypatch.setattr("switchgear.cache.learned._COUNTED_AFTER", 10)
    for number in range(400):
        label(learned, b"%d" % number, OTHER, [True])
        label(learned, ONE, THIRD, [True])
    kept = [number for number in range(400) if seen(learned, b"%d" % number, OTHER).same]
    # Two rows a pair, and one more pair.
    assert 0.75 * 200 / 2 - 6 <= len(kept) <= 200 / 2 + 6
    assert kept == list(range(kept[0], 400))
    assert seen(learned, ONE, THIRD) == Seen(400)


def test_what_one_workload_learned_another_does_not_know(learned: Learned) -> None:
    label(learned, ONE, OTHER, [True])
    assert learned.seen('["acme", "sales"]', ONE, [(OTHER, "", b"")]) == [Seen()]


def test_what_is_forgotten_counts_from_nothing(learned: Learned) -> None:
    label(learned, ONE, OTHER, [True])
    learned.forget(WORKLOAD)
    assert seen(learned, ONE, OTHER) == Seen()


def test_a_judges_labels_add_to_what_it_starts_with(learned: Learned) -> None:
    begun = JudgeError(different=230, missed=1)
    learned.judge_said(WORKLOAD, "words", begun, same=False, said_same=True)
    learned.judge_said(WORKLOAD, "words", begun, same=True, said_same=False)
    assert learned.judge(WORKLOAD, "words", begun) == JudgeError(231, 2, 1, 1)
    assert learned.judge(WORKLOAD, "another", JudgeError()) == JudgeError()


def test_a_certificate_is_changed_where_it_is_kept(learned: Learned) -> None:
    for _ in range(2):
        learned.change(WORKLOAD, "m", Certificate(0.02, 0.9), lambda it: it.label(0.99, wrong=False))
    assert sum(learned.certificate(WORKLOAD, "m", Certificate(0.02, 0.9)).labels) == 2
