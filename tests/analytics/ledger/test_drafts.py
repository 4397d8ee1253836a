"""Credits and adjustments by hand: one prepares, another approves, and only then does it count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ledgers import ANN, BOB, Kept, at, spent

from analytics.ledger.drafts import Draft, Person, drafts
from analytics.ledger.errors import LedgerError
from analytics.ledger.line import Kind

CREDIT = Draft(
    Kind.CREDIT, Decimal("-100.00"), "USD", date(2026, 10, 12), "outage of the 12th", cost_centre="CC-1"
)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    with Kept(tmp_path / "data") as found:
        found.own()
        found.book(spent(100, at(3)))
        yield found


def test_what_another_approves_is_an_entry_with_both_names(kept: Kept) -> None:
    told = kept.keeper.prepare(CREDIT, ANN)
    assert (told["state"], kept.sql("SELECT count(*) FROM ledger_entries")) == ("waiting", [(0,)])
    told = kept.keeper.approve(told["id"], BOB)
    assert (told["state"], told["entry"], told["decided_by"]) == ("approved", 1, "Bob (sg_bob)")
    assert kept.sql(
        "SELECT period, day, kind, cost_centre, amount, amount_other, reason, prepared_by, approved_by, reference"
        " FROM ledger_entries"
    ) == [
        (
            *("2026-10", date(2026, 10, 12), "credit", "CC-1", Decimal("-100"), Decimal("-100")),
            *("outage of the 12th", "Ann (sg_ann)", "Bob (sg_bob)", told["id"]),
        )
    ]
    # It is in the period's close beside the usage.
    assert kept.close().totals == [{"currency": "USD", "amount": "-99.9999", "entries": 2, "calls": 1}]
    assert kept.verify().findings == []


def test_whoever_prepared_it_cannot_approve_it(kept: Kept) -> None:
    name = kept.keeper.prepare(CREDIT, ANN)["id"]
    for same in (ANN, Person("sg_ann", "Somebody else")):
        with pytest.raises(
            LedgerError, match=r"has prepared .* and cannot approve it: .* with a key of their own"
        ) as refused:
            kept.keeper.approve(name, same)
        assert refused.value.status == 403
    assert kept.sql("SELECT count(*) FROM ledger_entries") == [(0,)]


def test_without_keys_both_are_named_and_differ(kept: Kept) -> None:
    with pytest.raises(LedgerError, match="say who prepares it"):
        kept.keeper.prepare(CREDIT, Person("keyless", None))
    name = kept.keeper.prepare(CREDIT, Person("keyless", "Ann"))["id"]
    with pytest.raises(LedgerError, match="say who approves it"):
        kept.keeper.approve(name, Person("keyless", None))
    with pytest.raises(LedgerError, match="say who with --by"):
        kept.keeper.approve(name, Person("keyless", "ANN"))
    assert kept.keeper.approve(name, Person("keyless", "Bob"))["state"] == "approved"


def test_a_decision_is_made_once(kept: Kept) -> None:
    name = kept.keeper.prepare(CREDIT, ANN)["id"]
    assert kept.keeper.refuse(name, ANN, "a mistake")["note"] == "a mistake"
    for decide in (lambda: kept.keeper.approve(name, BOB), lambda: kept.keeper.refuse(name, BOB, "x")):
        with pytest.raises(LedgerError, match="is refused already, by Ann") as refused:
            decide()
        assert refused.value.status == 409
    with pytest.raises(LedgerError, match="there is no draft 'nothing'"):
        kept.keeper.approve("nothing", BOB)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"amount": Decimal(0)}, "amount 0 is none that can be booked"),
        ({"amount": Decimal("NaN")}, "amount NaN is none"),
        ({"amount": Decimal("1e15"), "kind": Kind.ADJUSTMENT}, "is none that can be booked"),
        ({"amount": Decimal("-0.0000000000001")}, "more than 12 decimals"),
        ({"amount": Decimal("100.00")}, "a credit takes something off, and 100.00 adds it: write -100.00"),
        ({"currency": "EUR"}, "no cost is in 'EUR' here; there is USD"),
        ({"day": date(2026, 11, 6)}, "day 2026-11-06 has not come; today is 2026-11-05"),
        ({"reason": " "}, "say why it is booked"),
        ({"cost_centre": None}, "name the cost centre"),
        ({"cost_centre": "CC-99"}, "cost centre 'CC-99' is unknown: .* there is CC-1, CC-2"),
        ({"tenant": "nobody"}, "tenant 'nobody' is unknown"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(value),
)
def test_what_cannot_be_booked_is_refused_with_what_to_write(
    kept: Kept, change: dict[str, Any], text: str
) -> None:
    with pytest.raises(LedgerError, match=text):
        kept.keeper.prepare(replace(CREDIT, **change), ANN)
    assert kept.sql("SELECT count(*) FROM ledger_drafts") == [(0,)]


def test_the_registry_gives_owner_and_cost_centre_of_a_workload(kept: Kept) -> None:
    draft = replace(CREDIT, cost_centre=None, tenant="globex", workload="bot")
    told = kept.keeper.prepare(draft, ANN)["draft"]
    assert (told["owner"], told["cost_centre"]) == ("bob", "CC-2")


def test_for_a_day_of_a_closed_period_it_is_a_correction(kept: Kept) -> None:
    kept.close()
    name = kept.keeper.prepare(CREDIT, ANN)["id"]
    kept.keeper.approve(name, BOB)
    assert kept.sql("SELECT period, day FROM ledger_entries WHERE kind = 'credit'") == [
        ("2026-11", date(2026, 10, 12))
    ]


def test_for_a_day_of_a_later_open_period_it_is_charged_there(kept: Kept) -> None:
    kept.keeper.approve(kept.keeper.prepare(replace(CREDIT, day=date(2026, 11, 2)), ANN)["id"], BOB)
    kept.close()
    assert kept.charged("2026-10") == Decimal("0.0001")
    kept.now = datetime(2026, 12, 5, tzinfo=UTC)
    assert kept.close("2026-11").totals[0]["amount"] == "-100"
    assert kept.verify().findings == []


def test_an_entry_of_before_the_first_close_stands_against_it(kept: Kept) -> None:
    """September is never closed once October is: the credit would be in no statement."""
    told = kept.keeper.prepare(replace(CREDIT, day=date(2026, 9, 12)), ANN)
    kept.keeper.approve(told["id"], BOB)
    assert kept.check()["starts_later"].text.startswith(
        "0 calls and 1 entries are of before 2026-10, the first of them of 2026-09: they would never be charged"
    )
    kept.close("2026-09")
    assert "starts_later" not in kept.check()


def test_drafts_are_listed_the_newest_first(kept: Kept) -> None:
    first = kept.keeper.prepare(CREDIT, ANN)["id"]
    kept.now = datetime(2026, 11, 6, tzinfo=UTC)
    second = kept.keeper.prepare(CREDIT, BOB)["id"]
    kept.keeper.refuse(first, BOB, "no")
    con = kept.store.cursor()
    assert [each["id"] for each in drafts(con)] == [second, first]
    assert [each["id"] for each in drafts(con, "waiting")] == [second]
