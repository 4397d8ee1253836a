"""The parts of what is charged, bursts and the ledger: what is told in words and figures, without a page."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from dashboard.identity import Viewer
from dashboard.parts.chargeback import (
    by_hand,
    closing_checks,
    invoiced,
    months,
    plan_actual,
    retried,
    shared_cost,
    statements,
    verifying,
)
from dashboard.services import Answer
from dashboard.view import View

HOSTILE = "<img src=http://evil.example/a.png>"
WORK = {"what": "verification", "step": "chain", "of": 4}


def centre(name: str | None, cost: str | None, plan: str | None, status: str | None = None) -> dict[str, Any]:
    def amount(text: str | None) -> Decimal | None:
        return None if text is None else Decimal(text)

    return {
        "cost_centre": name,
        "currency": "USD",
        "calls": 3,
        "plan": amount(plan),
        "cost": amount(cost),
        "due": amount(plan),
        "ahead": None,
        "left": None,
        "elapsed_days": 20,
        "days": 30,
        "forecast": amount(cost),
        "forecast_low": amount(cost),
        "forecast_high": amount(cost),
        "forecast_by": "seasonal" if cost else None,
        "status": status,
        "used_up": None,
    }


def test_the_headline_of_a_plan_is_the_sum_of_its_table() -> None:
    rows = [centre("CC-1", "12", "10", "over"), centre("CC-2", "3", "20", "watch"), centre(None, "1", None)]
    told = {name: (value, aside) for name, value, aside in plan_actual.figures(rows, "USD")}
    assert told["Charged so far"] == ("$16.00", "20 of 30 days over")
    assert told["Plan of the month"][0] == "$30.00"
    assert told["Expected at the end"] == ("$16.00", "\N{MINUS SIGN}46.7 % on plan")
    assert told["Over plan"] == (
        '<span class="sg-hot">1</span> <small>cost centres</small>',
        "1 more to watch",
    )
    assert (told["Without a plan"][0], told["Without a cost centre"][0]) == ("$1.00", "$1.00")


def test_what_nothing_is_known_of_is_a_dash_and_no_nought() -> None:
    told = {name: value for name, value, _ in plan_actual.figures([centre("CC-9", None, "7")], "USD")}
    assert (told["Charged so far"], told["Expected at the end"], told["Without a plan"]) == ("—", "—", "—")
    frame, _ = plan_actual.drawn([centre("CC-9", None, "7")])
    assert frame["cost"].to_list() == [None]
    assert frame["status"].to_list() == [None]


def line(section: str, cost: str | None, currency: str | None = "USD") -> dict[str, Any]:
    return {
        "section": section,
        "cost": None if cost is None else Decimal(cost),
        "currency": currency,
        "tokens": 5,
    }


def test_sections_of_a_statement_come_in_the_order_of_reading_and_make_its_total() -> None:
    rows = [
        line("shared_in", "8.02"),
        line("usage", "60"),
        line("usage", "7.32"),
        line("usage", None, None),
        line("shared_out", "-0.55"),
        line("usage", "9", "EUR"),
        line("total", "74.79"),
    ]
    steps = statements.by_section(rows, "USD")
    assert steps == [
        ("Usage", Decimal("67.32")),
        ("Shared, received", Decimal("8.02")),
        ("Shared, given away", Decimal("-0.55")),
    ]
    assert sum(amount for _, amount in steps) == Decimal("74.79")


@pytest.mark.parametrize(
    ("query", "by"),
    [
        pytest.param({}, "cost_centre", id="nothing said"),
        pytest.param({"tenant": "acme"}, "tenant", id="filtered by a tenant"),
        pytest.param({"owner": "ann"}, "owner", id="filtered by an owner"),
        pytest.param({"tenant": "acme", "by": "owner"}, "owner", id="chosen"),
        pytest.param({"by": "model"}, "cost_centre", id="no party"),
    ],
)
def test_a_statement_is_of_what_was_chosen_else_of_what_the_page_is_filtered_by(
    query: dict[str, str], by: str
) -> None:
    assert statements.party(View.from_query(query)) == by


def given(centre: str, quantity: str, cost: str, **fields: Any) -> dict[str, Any]:
    return {
        "rule": "Platform agents",
        "takes": "router",
        "method": "by tokens",
        "targets": "cost centres",
        "cost_centre": centre,
        "tenant": "acme",
        "owner": None,
        "quantity": Decimal(quantity),
        "unit": "Tokens",
        "share": 0.5,
        "cost": Decimal(cost),
        "currency": "USD",
        **fields,
    }


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param(
            {},
            "divided <b>by tokens</b> over cost centres: each cost centre by its tokens of the day over the tokens of "
            "all. 2 cost centres; most to CC-1, 75.0 % with 3,000 of 4,000 tokens.",
            id="proportional",
        ),
        pytest.param(
            {"method": "evenly"},
            "each cost centre the same part. 2 cost centres; most to CC-1, 75.0 %.",
            id="even",
        ),
        pytest.param({"method": "by fixed shares"}, "the share that chargeback.yaml gives it", id="fixed"),
        pytest.param(
            {"method": "by calls against their share", "unit": "Calls"},
            "by its calls beyond its share",
            id="marginal",
        ),
        pytest.param(
            {"method": None, "takes": None}, "by a rule that is in chargeback.yaml no more.", id="gone"
        ),
        pytest.param({"method": "by cost", "unit": "USD"}, "with $3,000.00 of $4,000.00.", id="by cost"),
    ],
)
def test_the_method_and_the_values_of_its_key_are_printed_with_the_result(
    fields: dict[str, Any], words: str
) -> None:
    (said,) = shared_cost.explained(
        [given("CC-1", "3000", "6", **fields), given("CC-2", "1000", "2", **fields)]
    )
    assert said.startswith("<div><b>Platform agents</b>: $8.00")
    assert words in said


def test_who_sees_a_part_of_shared_cost_is_told_no_part_of_a_whole() -> None:
    (said,) = shared_cost.explained([given("CC-1", "3000", "6", share=None)])
    assert said.endswith("What it gave in all is shown to keys for every tenant.</div>")
    assert "%" not in said


def test_names_of_rules_are_text() -> None:
    (said,) = shared_cost.explained([given(HOSTILE, "1", "1", rule=HOSTILE, takes=HOSTILE)])
    assert "<img" not in said


def retry(tenant: str, finding: str | None, advice: str | None, **fields: Any) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "workload": "w",
        "model": "m",
        "currency": "USD",
        "cost": Decimal(3),
        "calls": 100,
        "retried_calls": 10,
        "attempts": 130,
        "synchronous_calls": 5,
        "incomplete_calls": 0,
        "retry_cost": Decimal("0.5"),
        "retry_cost_at_most": Decimal("0.9"),
        "finding": finding,
        "advice": advice,
        **fields,
    }


def test_retries_are_told_in_both_ways_and_unknown_is_a_dash() -> None:
    told = {
        name: value for name, value, _ in retried.figures([retry("a", None, None), retry("b", None, None)])
    }
    assert (told["Attempts a call"], told["Retried calls"]) == ("1.300", "20")
    assert (told["Cost of retries"], told["At most on top"]) == ("$1.00", "$1.80")
    unknown = retry("a", None, None, retry_cost=None, retry_cost_at_most=None)
    assert {name: value for name, value, _ in retried.figures([unknown])}["Cost of retries"] == "—"


def test_what_to_change_is_said_once_with_all_whom_it_is_for() -> None:
    change = "declare the limit under `capacity`"
    (said,) = retried.advised(
        [retry("acme", "f1", change), retry(HOSTILE, "f2", change), retry("c", None, None)]
    )
    assert said.count("<code>capacity</code>") == 1
    assert "<b>acme / w</b>, m: f1" in said
    assert "<img" not in said
    assert retried.advised([retry("c", None, None)])[0].startswith("<div>Nothing stands out")


def test_what_stands_against_a_close_comes_with_what_to_do_the_gravest_first() -> None:
    found = closing_checks.findings(
        [
            {"code": "no_invoice", "weight": "warning", "text": "no invoice; when it comes: reconcile"},
            {
                "code": "not_over",
                "weight": "hard",
                "text": f"2026-11 ends {HOSTILE}; it can be closed when it is over",
            },
        ]
    )
    assert "The month has not ended" in found[0]
    assert "■" in found[0]
    assert "To do: it can be closed when it is over" in found[0]
    assert "○" in found[1]
    assert "<img" not in "".join(found)


def provider(**fields: Any) -> dict[str, Any]:
    return {
        "provider": "openai",
        "currency": "USD",
        "ours": "21.16",
        "theirs": "21.83",
        "gap": "0.67",
        "gap_percent": "3.0801",
        "allowed": "0.1092",
        "within": False,
        "booked": "0",
        "causes": {"unseen calls": "0.08", "unpriced": "0.59", "rounding": "0"},
        **fields,
    }


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param(
            {}, ("■", "outside", "gap <b>$0.6700</b> (+3.08 %); $0.1092 are let pass"), id="outside"
        ),
        pytest.param(
            {"within": True, "booked": "0.67"}, ("●", "within", "$0.6700 of it booked"), id="booked"
        ),
        pytest.param(
            {"within": None, "gap": None, "gap_percent": None},
            ("○", "not comparable", "gap <b>—</b>;"),
            id="unknown",
        ),
    ],
)
def test_where_a_provider_stands_is_told_with_word_and_glyph(
    fields: dict[str, Any], words: tuple[str, ...]
) -> None:
    said = invoiced.compared(provider(**fields))
    assert all(each in said for each in words)


def test_causes_of_a_difference_come_the_largest_first_without_those_that_are_none() -> None:
    assert invoiced.steps(provider()) == [("unpriced", Decimal("0.59")), ("unseen calls", Decimal("0.08"))]


def viewer(name: str) -> Viewer:
    return Viewer(name, name, ("*",), frozenset({"finance"}), (), keyless=False)


@pytest.mark.parametrize(
    ("draft", "by", "said"),
    [
        pytest.param({"state": "waiting"}, "sg_bob", "waits for somebody other than Ann", id="another"),
        pytest.param(
            {"state": "waiting"}, "sg_ann", "you prepared it: somebody else has to approve it", id="own"
        ),
        pytest.param({"state": "approved", "decided_by": "Bob"}, "sg_ann", "approved by Bob", id="decided"),
    ],
)
def test_nobody_is_asked_to_approve_what_they_prepared(draft: dict[str, Any], by: str, said: str) -> None:
    told = {"prepared_by": "Ann", "preparer_key": "sg_ann", **draft}
    assert by_hand.waits_for(told, viewer(by)) == said


def test_what_came_of_a_verification_is_told_whole() -> None:
    told = {"entries": 8766, "periods": 2, "files": 10, "anchors": 1, "findings": []}
    assert "Nothing was changed" in verifying.result(Answer(told, None))
    changed = told | {"findings": [{"text": f"entry 7 was changed {HOSTILE}"}]}
    said = verifying.result(Answer(changed, None))
    assert "The ledger is not what it was: 1 findings." in said
    assert "<img" not in said
    assert "could not be verified" in verifying.result(
        Answer(None, None, "the close of 2026-10 is under way")
    )


@pytest.mark.parametrize(
    ("told", "part"),
    [
        pytest.param(None, 0.0, id="not said"),
        pytest.param({"under_way": None}, 0.0, id="not begun"),
        pytest.param(
            {"under_way": {"what": "verification", "step": "chain", "done": 1, "of": 4}},
            0.25,
            id="on its way",
        ),
        pytest.param(
            {"under_way": {"what": "verification", "step": "chain", "done": 9, "of": 4}}, 1.0, id="over"
        ),
    ],
)
def test_progress_is_between_nothing_and_all(told: Any, part: float) -> None:
    assert verifying.progress(told)[0] == part


@pytest.mark.parametrize(
    ("state", "basis"), [("open", "estimated"), ("closed", "closed"), ("reconciled", "reconciled")]
)
def test_what_a_months_amounts_rest_on_follows_from_how_far_it_is(state: str, basis: str) -> None:
    month = months.Month("2026-10", date(2026, 10, 1), date(2026, 10, 31), state)
    assert (month.title, month.basis) == ("October 2026", basis)


def test_the_currency_that_is_drawn_is_that_of_most_of_the_cost() -> None:
    rows: list[dict[str, Any]] = [
        {"currency": "EUR", "cost": Decimal(5)},
        {"currency": "USD", "cost": Decimal(-9)},
        {"currency": None, "cost": None},
    ]
    assert months.main_currency(rows) == "USD"
    assert months.main_currency([]) == "USD"
