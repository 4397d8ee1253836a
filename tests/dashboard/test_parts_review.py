"""The Review page's parts: which weeks there are, what is told of a document, and its files."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from reviewed import WEEK, line, review

from analytics.reviews.document import Loop, Signature, encoded
from analytics.reviews.files import KINDS
from analytics.reviews.files import made as cli_made
from dashboard.identity import Viewer
from dashboard.parts.review import deciding, filing, signing_off, told, weeks
from dashboard.parts.review.reading import Reading, sees_all
from dashboard.parts.review.weeks import Standing

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)
FINANCE = Viewer("fin", "Fin Ance", ("*",), frozenset({"finance"}), (), keyless=False)
ANN = Viewer("ann", "Ann", ("*",), frozenset(), ("ann",), keyless=False)
TENANT = Viewer("t", "T", ("acme",), frozenset({"finance"}), (), keyless=False)
SIGNED = {
    "owner": "ann",
    "name": "Ann Lee",
    "signed_at": "2026-11-24T06:00:00Z",
    "hash": "f" * 64,
    "note": None,
}


def listed(week: str, *signatures: dict[str, Any], state: str = "published") -> dict[str, Any]:
    return {
        "week": week,
        "state": state,
        "published_at": "2026-11-23T06:00:00Z",
        "hash": "f" * 64,
        "signatures": list(signatures),
        "unsigned": ["bob"],
    }


def reading(state: str = "published", *, is_own: bool = False, **other: Any) -> Reading:
    made = review([line("ann", "2.50"), line("bob", "1"), line(None, "0.25")])
    standing = Standing(WEEK, state, "f" * 64, NOW, ("ann",), ("bob",))
    signatures = (Signature("ann", "Ann Lee", NOW, "f" * 64, None),)
    return Reading(standing, encoded(made), made, signatures, is_own, NOW)


def test_the_weeks_are_the_running_one_those_of_the_last_quarter_and_all_that_were_published() -> None:
    found = weeks.offered(NOW, [listed(WEEK, SIGNED), listed("2025-W02")])
    assert [each.week for each in found[:3]] == ["2026-W48", WEEK, "2026-W46"]
    assert (len(found), found[-1].week) == (15, "2025-W02")
    assert [each.words for each in found[:3]] == [
        "not over yet",
        "published, signed by 1 of 2",
        "not published",
    ]
    assert found[1].days == "16 to 22 Nov 2026"
    assert weeks.last_over(NOW) == WEEK


def test_a_sealed_week_says_who_sealed_it() -> None:
    seal = SIGNED | {"owner": "", "name": "Fin Ance"}
    (found,) = (
        each for each in weeks.offered(NOW, [listed(WEEK, seal, state="sealed")]) if each.week == WEEK
    )
    assert (found.words, found.signed) == ("sealed by Fin Ance", ())


def test_the_table_of_owners_has_the_amounts_of_the_document_the_unowned_and_the_total() -> None:
    page = told.owners(reading().review)
    for shown in ("ann", "2.5000", "UNOWNED", "0.2500", "Total", "3.7500"):
        assert f">{shown}<" in page, shown


def test_each_part_of_a_document_is_a_table_or_a_line_that_says_it_is_empty() -> None:
    made = reading().review
    keys = {each.key for each in told.parts(made)}
    assert "bridge" in keys
    assert "workloads" in keys
    assert "No task ran away." in told.quiet(made)
    assert "No workload had a cost." not in told.quiet(made)


def test_names_are_inert_in_every_table(hostile: str) -> None:
    made = review([line(hostile, "2", tenant=hostile, workload=hostile)])
    loop = Loop(hostile, hostile, hostile, hostile, 9, Decimal(1), None, NOW, NOW)
    made = msgspec.structs.replace(made, loops=(loop,))
    pages = [told.lead(made), told.owners(made), signing_off.signed(reading())]
    pages += [told.table(section, 2) for section in told.parts(made)]
    for page in pages:
        assert "<img" not in page
        assert "<b>=1" not in page
    rows = list(csv.reader(io.StringIO(told.csv_of(made.loops).decode())))
    assert rows[1][0] == hostile


def test_a_part_as_csv_has_every_digit_and_a_formula_is_text() -> None:
    loop = Loop("=1+1", "acme", None, "ann", 9, Decimal("1.000000000001"), None, NOW, NOW)
    head, row = csv.reader(io.StringIO(told.csv_of([loop]).decode()))
    shown = dict(zip(head, row, strict=True))
    assert (shown["task"], shown["cost"], shown["typical"]) == ("'=1+1", "1.000000000001", "")


@pytest.mark.parametrize(
    ("state", "basis"),
    [("no period is closed yet", "estimated"), ("2026-10 is closed, 2026-11 is open", "estimated"),
     ("2026-11 is closed, 2026-12 is open", "closed")],
    ids=["none", "the month before", "the month of the week"],
)  # fmt: skip
def test_amounts_are_estimated_until_the_months_of_the_week_are_closed(state: str, basis: str) -> None:
    made = reading().review
    cover = msgspec.structs.replace(made.cover, ledger_state=state)
    assert told.basis(msgspec.structs.replace(made, cover=cover)) == basis


@pytest.mark.parametrize(
    ("viewer", "all_of_it", "signs"),
    [(FINANCE, True, ["bob", ""]), (ANN, False, []), (TENANT, False, [])],
    ids=["finance for all", "an owner who has signed", "finance of one tenant"],
)
def test_a_signature_is_asked_of_those_who_may_give_it(
    viewer: Viewer, *, all_of_it: bool, signs: list[str]
) -> None:
    assert sees_all(viewer) is all_of_it
    assert signing_off.may_sign(reading(), viewer) == signs


@pytest.mark.parametrize("state", ["draft", "running", "sealed"])
def test_nothing_but_a_published_week_is_signed(state: str) -> None:
    assert signing_off.may_sign(reading(state), FINANCE) == []


def test_the_signatures_are_told_with_those_that_are_wanted_and_an_owner_is_told_nothing_of_all_of_it() -> (
    None
):
    whole = signing_off.signed(reading())
    assert whole.count("not signed") == 2
    assert "Ann Lee" in whole
    assert "All of it" not in signing_off.signed(reading(is_own=True))


def test_what_is_proposed_is_for_owners_for_whom_nothing_is_decided() -> None:
    owners = [
        msgspec.structs.replace(each, next_action=f"Explain {each.owner}") for each in reading().review.owners
    ]
    found = deciding.proposals(owners, [{"owner": "ann"}])
    assert [each.owner for each in found] == ["bob"]
    assert (
        deciding.open_ones(
            {"actions": [{"state": "done"}, {"state": "open"}], "earlier": [{"state": "overdue"}]}
        )
        == 2
    )


def test_the_files_are_those_of_the_command_line_byte_for_byte() -> None:
    found = reading()
    assert tuple(filing.FILES) == KINDS
    theirs = cli_made(found.document, found.signatures, KINDS)
    assert {kind: filing.made(found, kind) for kind in KINDS} == theirs


def test_a_week_is_named_by_the_year_that_it_belongs_to() -> None:
    assert weeks.week_of(date(2027, 1, 1)) == "2026-W53"
