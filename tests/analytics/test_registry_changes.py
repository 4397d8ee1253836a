"""What an import makes of the lines before: days that it speaks of are its own, all others stay as they were."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.registry.changes import changes, merged
from analytics.registry.document import IMPORTED, Registry, document_of, parse
from analytics.registry.lines import KINDS, WORKLOADS, Workload, clashes

FIRST = date(2026, 11, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(12)]


def line(owner: str, starts_on: int | None = None, ends_on: int | None = None) -> Workload:
    """Of acme / w, from and to these days of November."""
    days = [None if day is None else date(2026, 11, day) for day in (starts_on, ends_on)]
    return Workload("acme", "w", owner, "CC-1", *days)


def registry_of(*lines: Workload) -> Registry:
    return Registry(workloads=lines, source=IMPORTED)


@st.composite
def timelines(draw: st.DrawFn, owners: str) -> list[Workload]:
    """Lines of one workload that do not overlap."""
    cuts = sorted(draw(st.sets(st.integers(1, 10), max_size=4)))
    bounds: list[int | None] = [None, *cuts, None]
    return [
        line(draw(st.sampled_from(owners)), begins, ends)
        for begins, ends in pairwise(bounds)
        if draw(st.booleans())
    ]


def held(lines: Sequence[Workload], day: date) -> Workload | None:
    found = [each for each in lines if (each.starts_on or date.min) <= day < (each.ends_on or date.max)]
    assert len(found) <= 1
    return found[0] if found else None


def owner(lines: Sequence[Workload], day: date) -> str | None:
    found = held(lines, day)
    return found.owner if found else None


@given(before=timelines("ab"), told=timelines("xy"))
def test_the_days_that_a_file_speaks_of_are_its_own_and_all_others_stay(
    before: list[Workload], told: list[Workload]
) -> None:
    after = merged(registry_of(*before), {"workloads": told})
    assert not [*clashes(WORKLOADS, [("", each) for each in after.workloads])]
    replaced = {each.starts_on for each in told}
    for day in DAYS:
        old = held(before, day)
        kept = None if old is None or old.starts_on in replaced else old.owner
        assert owner(after.workloads, day) == (owner(told, day) if held(told, day) else kept)


@pytest.mark.parametrize("whole", [False, True], ids=["beside", "instead"])
@given(data=st.data())
def test_an_import_that_is_done_again_changes_nothing(data: st.DataObject, *, whole: bool) -> None:
    before, told = data.draw(timelines("ab")), data.draw(timelines("xy"))
    once = merged(registry_of(*before), {"workloads": told}, whole=whole)
    again = merged(parse(document_of(once)), {"workloads": told}, whole=whole)
    assert [*changes(once, again)] == []


@given(before=timelines("ab"), told=timelines("ab"))
def test_without_a_change_that_is_told_nothing_is_another_than_it_was(
    before: list[Workload], told: list[Workload]
) -> None:
    old = registry_of(*before)
    new = merged(old, {"workloads": told}, whole=True)
    assert (not [*changes(old, new)]) == (set(before) == set(told))


CASES: dict[str, tuple[list[Workload], list[Workload], list[tuple[str, Any, Any]]]] = {
    "a new workload": ([], [line("ann")], [("added", None, line("ann"))]),
    "a move": ([line("ann")], [line("bob", 16)], [("moved", line("ann", None, 16), line("bob", 16))]),
    "an end": ([line("ann", 1)], [line("ann", 1, 16)], [("ended", line("ann", 1), line("ann", 1, 16))]),
    "a correction": ([line("ann", 1)], [line("bob", 1)], [("changed", line("ann", 1), line("bob", 1))]),
    "the same": ([line("ann", 1)], [line("ann", 1)], []),
    "a time in between": (
        [line("ann", 1)],
        [line("bob", 10, 12)],
        [("moved", line("ann", 1, 10), line("bob", 10, 12)), ("added", None, line("ann", 12))],
    ),
    "all of time": (
        [line("ann", 1, 5), line("bob", 5)],
        [line("cy")],
        [
            ("added", None, line("cy")),
            ("removed", line("ann", 1, 5), None),
            ("removed", line("bob", 5), None),
        ],
    ),
}


@pytest.mark.parametrize(("before", "told", "expected"), CASES.values(), ids=CASES)
def test_what_changes_is_told(
    before: list[Workload], told: list[Workload], expected: list[tuple[str, Any, Any]]
) -> None:
    old = registry_of(*before)
    found = [*changes(old, merged(old, {"workloads": told}))]
    assert [(each.what, each.was, each.now) for each in found] == expected


def test_kinds_of_which_no_file_speaks_stay() -> None:
    earned = {"tenant": "acme", "month": "2026-11", "amount": "5", "currency": "USD"}
    old = parse({"source": IMPORTED, "zone": "Europe/Berlin", "workloads": [], "revenue": [earned]})
    new = merged(old, {"workloads": [line("ann")]}, whole=True)
    assert (new.revenue, new.zone) == (old.revenue, "Europe/Berlin")
    assert set(KINDS) == {"workloads", "cost_centres", "plans", "revenue"}
