"""A reading: what of a text is value, what is wording, and what is neither."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.cache.wording.reading import LONGEST, Reading, read


def reading(text: str) -> Reading:
    found = read(text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("Show the invoice INV-1", "Show the invoice INV-2", id="another id"),
        pytest.param("Show the invoice, please", "show the invoice", id="manners and capitals"),
        pytest.param("Is it due on 2026-03-03?", "Is it due on March 4, 2026?", id="another date"),
        pytest.param("Refund Acme", "Refund Globex", id="another name"),
    ],
)
def test_the_wording_is_the_same_whatever_the_values_and_manners(one: str, other: str) -> None:
    assert reading(one).wording == reading(other).wording
    assert hash(reading(one).wording) == hash(reading(other).wording)


def test_slots_are_the_values_of_whatever_order() -> None:
    assert reading("send 5 to INV-1").slots == reading("for INV-1 send 5").slots


def test_what_is_made_a_vector_of_has_no_value_in_it() -> None:
    masked = reading("Did Acme pay INV-123 on 2026-03-03?").wording.masked
    assert all(value not in masked.lower() for value in ("acme", "inv", "123", "2026"))


def test_places_tell_what_stands_beside_a_value() -> None:
    assert [(kind, value, before) for kind, value, before, _ in reading("from Oslo to Lima").places] == [
        ("name", "oslo", "from"),
        ("name", "lima", "to"),
    ]


def test_manners_behind_a_colon_are_what_is_asked_about() -> None:
    assert reading("Hi team: show it, thanks").wording == reading("show it").wording
    assert reading("translate: show it, thanks").wording.text == "translate show it thanks"


@pytest.mark.parametrize(
    ("text", "negations"),
    [
        pytest.param("the bill is paid", 0, id="none"),
        pytest.param("the bill is not paid", 1, id="not"),
        pytest.param("the bill isn't paid", 1, id="by its ending"),
        pytest.param("the bill was never paid without a note", 2, id="two"),
        pytest.param("say yes or no: the bill is paid", 0, id="an answer that is asked for"),
        pytest.param("the bill is paid no later than noon", 0, id="a limit"),
    ],
)
def test_negations_are_counted(text: str, negations: int) -> None:
    assert reading(text).wording.negations == negations


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("42", id="a value alone"),
        pytest.param("\N{NULL} the bill", id="a sign that no text has"),
        pytest.param("bill " * LONGEST, id="too long"),
    ],
)
def test_a_text_of_no_known_structure_is_not_read(text: str) -> None:
    assert read(text) is None


@given(st.text(max_size=200))
def test_any_text_is_read_or_not_and_always_the_same(text: str) -> None:
    once = read(text)
    read.cache_clear()
    again = read(text)
    assert (once is None) == (again is None)
    if once is not None and again is not None:
        assert (once.slots, once.wording, once.places) == (again.slots, again.wording, again.places)
