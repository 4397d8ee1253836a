"""The view: what a URL says, and what is asked of the reports for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from dashboard.view import FILTERS, RANGES, View

NOW = datetime(2026, 11, 29, 9, 14, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, View()),
        ({"range": "7d", "compare": "1"}, View("7d", compare=True)),
        ({"range": "tomorrow", "compare": "yes"}, View()),
        ({"tenant": "acme", "model": ""}, View(tenant="acme", model="")),
        (
            {"from": "2026-10-01", "to": "2026-11-01"},
            View(start=datetime(2026, 10, 1, tzinfo=UTC), stop=datetime(2026, 11, 1, tzinfo=UTC)),
        ),
        ({"from": "2026-11-01", "to": "2026-10-01"}, View()),
        ({"from": "2026-10-01"}, View()),
        ({"tab": "ledger"}, View(more={"tab": "ledger"})),
    ],
    ids=["nothing", "range", "wrong words", "filters", "days", "backwards", "half", "a page's own"],
)
def test_a_url_opens_what_it_says_and_leaves_out_what_it_says_wrongly(
    query: dict[str, str], expected: View
) -> None:
    assert View.from_query(query) == expected


@given(
    some.builds(
        View,
        some.sampled_from(sorted(RANGES)),
        compare=some.booleans(),
        **{name: some.none() | some.text(max_size=20) for name in (*FILTERS, "task")},
        more=some.dictionaries(some.sampled_from(["tab", "group"]), some.text(max_size=9), max_size=2),
    )
)
def test_a_shared_url_leads_to_the_same_view(view: View) -> None:
    assert View.from_query(view.query()) == view


@pytest.mark.parametrize("name", RANGES)
def test_a_range_up_to_now_is_whole_buckets_and_about_a_hundred_at_most(name: str) -> None:
    view = View(name)
    start, stop = view.span(NOW)
    _, seconds = view.bucket
    assert start < NOW < stop <= NOW + timedelta(seconds=seconds)
    assert stop.timestamp() % seconds == 0
    assert stop - start == RANGES[name].length
    assert 15 <= view.length / timedelta(seconds=seconds) <= 100


def test_the_range_before_is_cut_where_this_one_has_come_to() -> None:
    start, stop = View("24h").before(NOW)
    # The last quarter of an hour has run for 14 min of the whole that the range ends with, at 9:15.
    assert (start, stop) == (
        datetime(2026, 11, 27, 9, 15, tzinfo=UTC),
        datetime(2026, 11, 28, 9, 14, tzinfo=UTC),
    )


def test_a_range_of_days_is_compared_whole() -> None:
    view = View.from_query({"from": "2026-10-08", "to": "2026-10-15"})
    assert view.before(NOW) == (datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 8, tzinfo=UTC))
    assert view.words == "8 Oct to 14 Oct 2026"


def test_another_view_keeps_the_rest_and_loses_what_is_taken_away() -> None:
    view = View(tenant="acme", more={"tab": "ledger", "week": "2026-W47"})
    assert view.but(tenant=None, tab=None, group="owner") == View(more={"week": "2026-W47", "group": "owner"})


def test_only_the_filters_that_are_chosen_are_asked_for() -> None:
    assert View("1h", tenant="", task="t-1").params(NOW) == {
        "from": "2026-11-29T08:15:00+00:00",
        "to": "2026-11-29T09:15:00+00:00",
        "tenant": "",
        "task": "t-1",
    }
