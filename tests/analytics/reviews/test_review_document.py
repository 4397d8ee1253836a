"""The document of a week: plans and the weeks beside it, sums, what is unknown, and what is named."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledgers import Kept
from reviewed import MONDAY, line, material, owner_of, review

from analytics.apportion import evenly
from analytics.ledger.calendar import Calendar
from analytics.registry import Plan, Workload
from analytics.reviews.assembling import Foreign, Month
from analytics.reviews.document import Action, decoded, encoded, hash_of
from analytics.reviews.gathering import Week, _rows
from analytics.reviews.sections import sections
from analytics.reviews.wording import MINUS, money
from collector.audit import Transition, keep
from policies.breaker import State

CENT = Decimal("0.01")
NOVEMBER, DECEMBER = date(2026, 11, 1), date(2026, 12, 1)
WRITER = (Workload("acme", "writer", "docs", "CC-1"),)


def plan(amount: str, month: date = NOVEMBER, centre: str = "CC-1", currency: str = "USD") -> Plan:
    return Plan(centre, month, Decimal(amount), currency)


def test_an_owner_is_compared_with_plan_and_the_week_before() -> None:
    made = review([line("docs", "12.5")], [line("docs", "10", day=-7)], plans=(plan("30"),), workloads=WRITER)
    docs = owner_of(made, "docs")
    assert docs.plan == 7 * Decimal("1.00")  # 30 USD over November's 30 days, seven of them
    assert docs.variance == Decimal("12.5") - 7
    assert docs.change == Decimal("12.5") - 10


def test_a_week_over_two_months_takes_its_days_from_both() -> None:
    plans = (
        plan("300"),  # 10.00 a day
        plan("31.05", DECEMBER),  # 1.01 on the first 5 days, then 1.00
    )
    made = review(first_day=date(2026, 11, 30), plans=plans, workloads=WRITER)
    assert made.week == "2026-W49"
    assert owner_of(made, "docs").plan == 1 * Decimal(10) + 5 * Decimal("1.01") + 1 * Decimal("1.00")


def test_the_weeks_of_a_month_spend_its_plan_to_the_cent() -> None:
    days = evenly(Decimal("1000.01"), 30, CENT)
    assert sum(days) == Decimal("1000.01")
    assert max(days) - min(days) <= CENT


def test_a_shared_cost_centre_is_divided_and_said_so() -> None:
    made = review(
        plans=(plan("0.30"),),  # a cent a day, seven in the week
        workloads=(Workload("acme", "a", "ann", "CC-1"), Workload("acme", "b", "bob", "CC-1")),
    )
    assert (owner_of(made, "ann").plan, owner_of(made, "bob").plan) == (4 * CENT, 3 * CENT)
    assert any("share their plan evenly: CC-1" in note for note in made.notes)


def test_a_plan_that_no_one_owns_stands_in_the_unowned_row_and_a_foreign_one_in_a_note() -> None:
    made = review(plans=(plan("30", centre="CC-7"), plan("9", centre="CC-8", currency="EUR")))
    assert owner_of(made, None).plan == 7
    assert any("stand in the unowned row: CC-7" in note for note in made.notes)
    assert any("another currency than USD are not compared: CC-8 (EUR)" in note for note in made.notes)


def test_unknown_cost_is_not_zero() -> None:
    made = review([line("docs", None)], [line("docs", "3", day=-7)])
    docs = owner_of(made, "docs")
    for each in (docs, made.total):
        assert (each.actual, each.variance, each.change, each.unpriced_calls) == (None, None, None, 1)
    assert made.headline.sentences[0] == "What the week cost is not known: none of its 1 calls has a cost."


def test_the_unowned_row_is_always_there_and_last() -> None:
    assert [each.owner for each in review([line("docs", "1")]).owners] == ["docs", None]
    assert [each.owner for each in review([line(None, "9"), line("docs", "1")]).owners] == ["docs", None]


def test_a_week_without_a_call_says_so_and_has_every_part() -> None:
    made = review()
    assert made.headline.sentences == ("No calls were booked in 2026-W47.",)
    assert (made.total.actual, made.total.calls, made.bridge.steps) == (0, 0, ())
    assert all(section.rows or section.empty for section in sections(made))


def test_what_is_in_another_currency_is_in_no_amount_and_is_named() -> None:
    made = review([line("docs", "2")], foreign=(Foreign("EUR", 3, Decimal("4.5")),))
    assert made.total.actual == 2
    assert made.headline.sentences[-1] == "€4.50 on 3 calls is in EUR, and in no amount here."


@pytest.mark.parametrize(
    ("scope", "counted"),
    [
        ({"tenant": "acme"}, [1, 1, 0]),
        ({"owner": "bob"}, [0, 1, 0]),
        ({"tenant": "acme", "owner": "eve"}, [0, 0, 0]),
        ({"model": "m"}, [1, 1, 1]),
    ],
    ids=["a tenant", "an owner", "an owner without calls there", "a model"],
)
def test_a_trip_counts_for_each_owner_whose_calls_its_scope_may_hold_and_once_in_the_total(
    scope: dict[str, str], counted: list[int]
) -> None:
    trip = {"at": datetime(2026, 11, 17, tzinfo=UTC), "policy": "p", "scope": scope, "by": "engine"}
    trip |= {"reason": "r", "spent": Decimal(3), "projected": Decimal(5), "ceiling": None, "needless": False}
    made = review(
        [
            line("ann", "1", workload="a"),
            line("bob", "1", workload="b"),
            line("eve", "1", tenant="beta"),
        ],
        trips=(trip,),
    )
    assert [owner_of(made, owner).trips for owner in ("ann", "bob", "eve")] == counted
    assert made.total.trips == 1
    assert made.trips[0].avoided == 5 - 3


def test_what_a_breaker_tells_beside_its_states_is_no_trip_and_closed_by_hand_is_needless(
    tmp_path: Any,
) -> None:
    told = [*State, "warned", "overridden", "stopped", "runaway"]
    changes = [
        {"id": to, "at": datetime(2026, 11, 17, 12, tzinfo=UTC), "policy": "p", "from": "closed", "to": to}
        for to in told
    ]
    by_hand = {"id": "x", "at": datetime(2026, 11, 17, 12, 30, tzinfo=UTC), "policy": "p", "from": "open"}
    with Kept(tmp_path / "data") as kept:
        with kept.store.transaction() as con:
            keep(con, [Transition.model_validate(each) for each in changes])
            keep(con, [Transition.model_validate({**by_hand, "to": "closed", "by": "ann"})])
        trips = _rows(kept.store.cursor(), "review_trips", Week.of("2026-W47", Calendar()))
        assert sorted((row["to"], row["needless"]) for row in trips) == [
            ("forced_open", True),
            ("open", True),
        ]


def test_a_workload_that_changes_hands_is_named_with_its_cost_before_and_since() -> None:
    before = [line("ann", "9", day=-1)]
    now = [line("ann", "1"), line("ann", "2", day=2), line("bob", "4", day=3), line("bob", "8", day=6)]
    made = review(now, before)
    (moved,) = made.moved
    assert (moved.before, moved.owner, moved.since) == ("ann", "bob", MONDAY + timedelta(days=3))
    assert (moved.cost_before, moved.cost) == (1 + 2, 4 + 8)
    assert (owner_of(made, "ann").actual, owner_of(made, "bob").actual) == (3, 12)
    assert review([line("bob", "4")], before).moved[0].since == MONDAY
    assert review([line("bob", "4")], [line("bob", "4", day=-1)]).moved == ()
    assert review([line("ann", "1"), line("bob", "1")]).moved == ()  # of one day: which came first?


def test_what_was_decided_goes_before_what_is_proposed() -> None:
    action = Action("1", "2026-W47", "docs", "Call the vendor", date(2026, 12, 1), None, "open")
    assert owner_of(review([line("docs", "1")], actions=(action,)), "docs").next_action == "Call the vendor"
    assert owner_of(review([line(None, "1")]), None).next_action.startswith("Give writer of acme an owner")


def test_a_shared_cost_is_charged_and_not_spent() -> None:
    moved = {"kind": "shared", "calls": 0, "output": 0, "amount_output": Decimal(0)}
    made = review([line("ann", "5"), line("bob", "3"), line("ann", "-2", **moved), line("bob", "2", **moved)])
    assert [(each.actual, each.charged) for each in made.owners] == [(5, 3), (3, 5), (0, 0)]
    assert (made.total.actual, made.total.charged) == (8, 8)
    assert made.bridge.end == 8


def test_a_document_has_one_text_and_is_read_back_as_it_was() -> None:
    made = review([line("docs", "0.123456789012")], [line("docs", "1", day=-7)], plans=(plan("30"),))
    text = encoded(made)
    assert decoded(text) == made
    assert encoded(decoded(text)) == text
    assert hash_of(text) != hash_of(encoded(review([line("docs", "0.123456789013")])))


amounts = st.one_of(st.none(), st.decimals("0", "99999", places=12))
lines = st.lists(
    st.builds(
        line,
        st.sampled_from(["ann", "bob", None]),
        amounts.map(lambda amount: None if amount is None else str(amount)),
        day=st.integers(-7, 6),
        workload=st.sampled_from(["a", "b", None]),
        model=st.sampled_from(["m", "n"]),
        kind=st.sampled_from(["usage", "usage", "usage", "credit", "charge"]),
    ),
    max_size=15,
)


@settings(max_examples=60, deadline=None)
@given(lines=lines, planned=st.decimals("0", "100000", places=2))
def test_columns_add_up_in_full_and_as_they_are_shown_and_the_bridge_is_exact(
    lines: list[dict[str, Any]], planned: Decimal
) -> None:
    now = [each for each in lines if each["day"] >= MONDAY]
    before = [each for each in lines if each["day"] < MONDAY]
    workloads = (Workload("acme", "a", "ann", "CC-1"), Workload("acme", "b", "bob", "CC-1"))
    made = review(now, before, plans=(plan(str(planned)),), workloads=workloads)
    spent = [each["amount"] for each in now if each["amount"] is not None]
    assert (made.total.actual or 0) == sum(spent, Decimal(0))
    for name in ("actual", "plan", "variance", "previous", "change", "charged"):
        known = [value for each in made.owners if (value := getattr(each, name)) is not None]
        total = getattr(made.total, name)
        assert total is None or total == sum(known, Decimal(0)), name
    walk = made.bridge
    assert walk.start + sum((step.amount for step in walk.steps), Decimal(0)) == walk.end
    (owners,) = (section for section in sections(made) if section.key == "owners")
    assert owners.total is not None
    for place, column in enumerate(owners.columns):
        if column.label in ("Actual", "Plan", "Last week"):
            shown = [row[place] for row in owners.rows if row[place] is not None]
            assert owners.total[place] in (None, sum(shown, Decimal(0))), column.label


@given(lines=lines, seed=st.randoms())
@settings(max_examples=20, deadline=None)
def test_the_order_in_which_lines_come_makes_no_difference(lines: list[dict[str, Any]], seed: Any) -> None:
    now = [each for each in lines if each["day"] >= MONDAY]
    other = list(now)
    seed.shuffle(other)
    for each in (now, other):
        assert material(each).week == "2026-W47"
    first, second = review(now), review(other)
    assert (first.owners, first.days, first.bridge, first.workloads) == (
        second.owners,
        second.days,
        second.bridge,
        second.workloads,
    )


@pytest.mark.parametrize(("planned", "status"), [("4.99", "over"), ("5", "early"), (None, "unplanned")])
def test_a_month_without_a_whole_day_stands_at_what_it_cost_so_far(planned: str | None, status: str) -> None:
    noon = datetime(MONDAY.year, MONDAY.month, MONDAY.day, 12, tzinfo=UTC)
    month = Month("2026-11", NOVEMBER, DECEMBER, noon, "UTC", {"docs": {MONDAY: Decimal(5)}})
    made = review(
        [line("docs", "5")], plans=(plan(planned),) if planned else (), workloads=WRITER, month=month
    )
    assert (owner_of(made, "docs").status, made.total.status) == (status, status)


def test_an_amount_that_would_read_as_nothing_has_more_places() -> None:
    made = [money(Decimal(text), "USD") for text in ("0.0004", "0.01", "-0.0004", "0")]
    assert made == ["$0.000400", "$0.01", f"{MINUS}$0.000400", "$0.00"]
