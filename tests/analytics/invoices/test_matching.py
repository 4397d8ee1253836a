"""The two sides meet under the names that both use; what meets nothing stays visible, and nothing is netted away."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from analytics.invoices import (
    Allowed,
    Cause,
    InvoiceLine,
    OurLine,
    Reconciliation,
    Tolerance,
    booking,
    reconcile,
)
from analytics.invoices.names import Item, item_of, kind_of, labels, provider_of

D = Decimal
DAY = date(2026, 10, 1)
OURS = OurLine(DAY, "openai", "gpt-4o", None, "input", None, D(1000), D(2), "USD", calls=10)
THEIRS = InvoiceLine("openai", DAY, "gpt-4o", None, "input", None, D(1000), D(2), "USD", "gpt-4o, input")


def _rows(found: Reconciliation) -> list[tuple[object, ...]]:
    return [
        (row.model, row.project, row.item, row.ours, row.theirs, dict(row.causes))
        for result in found.providers
        for row in result.rows
    ]


def _compared(
    ours: list[OurLine], theirs: list[InvoiceLine], names: dict[str, str] | None = None
) -> list[tuple[object, ...]]:
    return _rows(reconcile(ours, theirs, Tolerance(), names or {}))


ITEMS = {
    "gpt-4o-2024-08-06, input": Item("gpt-4o-2024-08-06", "input", None),
    "gpt-4o-mini-2024-07-18, cached input": Item("gpt-4o-mini-2024-07-18", "cache_read", None),
    "gpt-5.6-sol, cache writes": Item("gpt-5.6-sol", "cache_write_5m", None),
    "gpt-6-astra, input_tokens": Item("gpt-6-astra", "input", None),
    "priority | gpt-5.6-sol, output, long context": Item("gpt-5.6-sol", "output", "priority"),
    "gpt-audio-mini-2025-12-15 audio, input": Item("gpt-audio-mini-2025-12-15", "input", None),
    "o3, output": Item("o3", "output", None),
    "whisper-1, duration": Item("whisper-1", "other", None),
    "gpt-image-1": Item("gpt-image-1", "other", None),
    "openai/gpt-4o, input": Item("openai/gpt-4o", "input", None),
    "web search tool calls": Item(None, "other", None),
    "assistants api | file search": Item(None, "other", None),
    "Vector storage": Item(None, "other", None),
    "": Item(None, "other", None),
}


@pytest.mark.parametrize("text", ITEMS)
def test_an_item_names_its_model_kind_and_tier(text: str) -> None:
    assert item_of(text) == ITEMS[text]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Input Tokens", "input"),
        ("Output Tokens", "output"),
        ("Cache Read Input Tokens", "cache_read"),
        ("Cache Write Input Tokens", "cache_write_5m"),
        ("cache_creation.ephemeral_1h_input_tokens", "cache_write_1h"),
        ("cache_creation.ephemeral_5m_input_tokens", "cache_write_5m"),
        ("uncached_input_tokens", "input"),
        ("cache_read_input_tokens", "cache_read"),
        ("Cache Storage", "other"),
        ("Images", "other"),
    ],
)
def test_a_meter_is_of_a_kind(text: str, kind: str) -> None:
    assert kind_of(text) == kind


def test_providers_meet_under_one_name() -> None:
    assert [provider_of(name) for name in ("OpenAI", "Amazon Web  Services", "aws.bedrock", "Mistral")] == [
        *("openai", "aws.bedrock", "aws.bedrock", "mistral")
    ]


A, B = "gpt-4o-2024-08-06", "gpt-4o-2024-11-20"
LABELS = {
    "a snapshot on both": ({A}, {A}, {A: A}),
    "two snapshots on both": ({A, B}, {A, B}, {A: A, B: B}),
    "a bare name and a snapshot": ({"gpt-4o"}, {A}, {"gpt-4o": "gpt-4o", A: "gpt-4o"}),
    "a snapshot and a bare name": ({A}, {"openai/gpt-4o"}, {"openai/gpt-4o": "gpt-4o", A: "gpt-4o"}),
    "a bare name and two snapshots": ({"gpt-4o"}, {A, B}, {"gpt-4o": "gpt-4o", A: "gpt-4o", B: "gpt-4o"}),
    "a bare name on both": ({"gpt-4o", A}, {"gpt-4o", A}, {"gpt-4o": "gpt-4o", A: A}),
    "other snapshots are other models": ({A}, {B}, {A: A, B: B}),
    "a snapshot that only one has": ({A}, {A, B}, {A: A, B: B}),
    "a longer name is another model": ({"gpt-4o"}, {"gpt-4o-mini-2024-07-18"}, {"gpt-4o": "gpt-4o"}),
    "Bedrock": (
        {"claude-sonnet-4-20250514"},
        {"us.anthropic.claude-sonnet-4-20250514-v1:0"},
        {"us.anthropic.claude-sonnet-4-20250514-v1:0": "claude-sonnet-4-20250514"},
    ),
    "Vertex": (
        {"claude-sonnet-4"},
        {"claude-sonnet-4@20250514"},
        {"claude-sonnet-4@20250514": "claude-sonnet-4"},
    ),
    "a version is no date": ({"deepseek-v3"}, {"deepseek-v4"}, {"deepseek-v3": "deepseek-v3"}),
}


@pytest.mark.parametrize("case", LABELS)
def test_models_meet_under_the_most_specific_name_of_both(case: str) -> None:
    ours, theirs, expected = LABELS[case]
    found = labels(ours, theirs)
    assert {name: found[name] for name in expected} == expected


def test_what_matches_nothing_stays_visible() -> None:
    assert _compared(
        [OURS, replace(OURS, model="o3", amount=D(5))],
        [THEIRS, replace(THEIRS, model=None, kind="other", item="web search", quantity=None, amount=D(1))],
    ) == [
        (None, None, "web search", D(0), D(1), {Cause.UNSEEN: D(1)}),
        ("gpt-4o", None, None, D(2), D(2), {}),
        ("o3", None, None, D(5), D(0), {Cause.UNBILLED: D(-5)}),
    ]


def test_projects_are_told_apart_where_both_sides_have_them() -> None:
    ours = [replace(OURS, project="acme"), replace(OURS, project="globex", amount=D(3))]
    theirs = [replace(THEIRS, project="proj_1"), replace(THEIRS, project="proj_2", amount=D(4))]
    assert _compared(ours, theirs, {"acme": "proj_1", "globex": "proj_2"}) == [
        ("gpt-4o", "proj_1", None, D(2), D(2), {}),
        ("gpt-4o", "proj_2", None, D(3), D(4), {Cause.PRICE: D(1)}),
    ]
    # Without a project that both know: 2 + 3 against 2 + 4.
    assert _compared(ours, theirs) == [("gpt-4o", None, None, D(5), D(6), {Cause.PRICE: D(1)})]


def test_what_has_no_project_there_is_mapped_to_none() -> None:
    ours = [replace(OURS, project="acme"), replace(OURS, project="lab", amount=D(3))]
    theirs = [replace(THEIRS, project="proj_1"), replace(THEIRS, amount=D(3))]
    assert _compared(ours, theirs, {"acme": "proj_1", "lab": ""}) == [
        ("gpt-4o", None, None, D(3), D(3), {}),
        ("gpt-4o", "proj_1", None, D(2), D(2), {}),
    ]


def test_projects_are_not_told_apart_where_the_usage_does_not() -> None:
    """Else no tokens would stand beside any project's money."""
    ours = [replace(OURS, project="proj_1")]
    theirs = [
        replace(THEIRS, project="proj_1", quantity=None, amount=D("2.2")),
        replace(THEIRS, amount=None, quantity=D(1100)),
    ]
    assert _compared(ours, theirs) == [("gpt-4o", None, None, D(2), D("2.2"), {Cause.UNSEEN: D("0.2")})]


def test_costs_without_models_are_compared_by_day() -> None:
    ours = [OURS, replace(OURS, model="o3", kind="output")]
    theirs = [replace(THEIRS, model=None, kind="other", quantity=None, amount=D("4.5"), item="costs")]
    assert _compared(ours, theirs) == [(None, None, None, D(4), D("4.5"), {Cause.NOT_COMPARABLE: D("0.5")})]


def test_two_currencies_are_never_compared_with_each_other() -> None:
    found = reconcile([OURS], [replace(THEIRS, currency="EUR")], Tolerance(), {})
    assert [(one.currency, one.ours, one.theirs, dict(one.causes)) for one in found.providers] == [
        ("EUR", D(0), D(2), {Cause.NOT_COMPARABLE: D(2)}),
        ("USD", D(2), D(0), {Cause.NOT_COMPARABLE: D(-2)}),
    ]


CLAUDE = replace(OURS, provider="anthropic", model="claude-sonnet-4")
BILLED = replace(THEIRS, provider="anthropic", model="claude-sonnet-4-20250514", quantity=None)


def test_priority_tier_is_named_as_what_anthropics_costs_leave_out() -> None:
    ours = [CLAUDE, replace(CLAUDE, service_tier="priority", amount=D(7))]
    used = [
        replace(BILLED, quantity=D(1000), amount=None),
        replace(BILLED, quantity=D(9), amount=None, service_tier="priority"),
    ]
    (one,) = reconcile(ours, [BILLED, *used], Tolerance(), {}).providers
    assert [(row.item, dict(row.causes)) for row in one.rows] == [
        (None, {}),
        ("Priority Tier", {Cause.NOT_COMPARABLE: D(-7)}),
    ]
    assert one.notes == ("Anthropic's cost report leaves out Priority Tier, which is billed apart",)
    # A table that bills it is compared like all else.
    (other,) = reconcile(
        ours, [BILLED, replace(BILLED, service_tier="priority", amount=D(7))], Tolerance(), {}
    ).providers
    assert (other.causes, other.notes) == ({}, ())


def test_days_that_a_statement_does_not_cover_are_left_out_and_said() -> None:
    later = date(2026, 10, 20)
    covered = {"openai": (DAY, date(2026, 10, 15))}
    (one,) = reconcile(
        [OURS, replace(OURS, day=later, calls=7)],
        [THEIRS, replace(THEIRS, day=date(2026, 9, 30))],
        Tolerance(),
        {},
        days=(DAY, date(2026, 10, 31)),
        covered=covered,
    ).providers
    assert (one.ours, one.theirs, one.days, one.left_out_calls) == (D(2), D(2), covered["openai"], 7)
    assert one.notes == (
        "the statement covers 2026-10-01 to 2026-10-15 of 2026-10-01 to 2026-10-31",
        "7 calls of the ledger are on other days, and not compared",
        "lines of the statement on other days are not compared",
    )


def test_a_statement_of_other_days_compares_nothing_and_is_not_within() -> None:
    (one,) = reconcile(
        [OURS],
        [THEIRS],
        Tolerance(),
        {},
        days=(DAY, DAY),
        covered={"openai": (date(2026, 9, 1), date(2026, 9, 30))},
    ).providers
    assert (one.rows, one.theirs, one.within, one.notes[0]) == (
        (),
        None,
        None,
        "the statement covers none of 2026-10-01 to 2026-10-01",
    )


def test_usage_alone_compares_tokens_and_says_nothing_of_money() -> None:
    found = reconcile([OURS], [replace(THEIRS, amount=None, currency="", quantity=D(900))], Tolerance(), {})
    (one,) = found.providers
    (cell,) = one.rows[0].cells
    assert (cell.our_quantity, cell.their_quantity, cell.theirs, cell.causes) == (D(1000), D(900), None, ())
    assert (one.currency, one.theirs, one.difference, one.gap, one.gap_percent, one.within) == (
        "USD",
        *[None] * 5,
    )
    assert one.notes == ("no file says what they bill, only what was used: give their costs too",)
    assert booking(found) == []
    assert not found.within


def test_providers_without_a_statement_are_named_and_not_compared() -> None:
    found = reconcile([OURS, CLAUDE], [THEIRS], Tolerance(), {})
    assert [one.provider for one in found.providers] == ["openai"]
    assert found.without_statement == ("anthropic",)
    nothing = reconcile([OURS], [], Tolerance(), {})
    assert (nothing.providers, nothing.without_statement, nothing.within) == ((), ("openai",), False)


@pytest.mark.parametrize(
    ("theirs", "within", "percent"),
    [
        # 0.5 % of 1005 is 5.025; the gap is 5.
        ("1005", True, "0.4975"),
        # 0.5 % of 1006 is 5.03; the gap is 6.
        ("1006", False, "0.5964"),
        ("994", False, "-0.6036"),
        ("1000.01", True, "0.0010"),
    ],
)
def test_a_gap_is_within_half_a_per_cent_or_not(theirs: str, within: bool, percent: str) -> None:  # noqa: FBT001
    found = reconcile([replace(OURS, amount=D(1000))], [replace(THEIRS, amount=D(theirs))], Tolerance(), {})
    (one,) = found.providers
    assert (one.within, found.within, one.gap_percent) == (within, within, D(percent))


def test_each_provider_has_its_own_tolerance() -> None:
    tolerance = Tolerance(Allowed(D("0.1"), D(0)), {"openai": Allowed(D(0), D("0.5"))})
    found = reconcile(
        [OURS, CLAUDE], [replace(THEIRS, amount=D("2.5")), replace(BILLED, amount=D("2.5"))], tolerance, {}
    )
    assert [(one.provider, one.allowed, one.within) for one in found.providers] == [
        ("anthropic", D("0.25"), False),
        ("openai", D("0.5"), True),
    ]


def test_differences_that_cancel_are_seen_in_what_turned_over() -> None:
    (one,) = reconcile(
        [OURS, replace(OURS, model="o3", amount=D(10))],
        [replace(THEIRS, amount=D(5)), replace(THEIRS, model="o3", amount=D(7))],
        Tolerance(),
        {},
    ).providers
    assert (one.gap, one.turned_over) == (D(0), D(6))
    assert one.causes == {}
    assert [dict(row.causes) for row in one.rows] == [{Cause.PRICE: D(3)}, {Cause.PRICE: D(-3)}]


def test_the_residual_is_proposed_by_provider_cause_and_currency() -> None:
    """With what was booked late, the ledger and the proposals are the statement: 2 + 0.5 + 0.2 + 1 = 3.7."""
    ours = [
        OURS,
        replace(OURS, quantity=D(250), amount=D("0.5"), late=True),
        replace(OURS, model="o3", amount=None),
    ]
    theirs = [replace(THEIRS, quantity=D(1350), amount=D("2.7")), replace(THEIRS, model="o3", amount=D(1))]
    found = reconcile(ours, theirs, Tolerance(), {})
    assert [(one.kind, one.cause, one.amount, one.currency, one.day) for one in booking(found)] == [
        ("true_up", Cause.UNPRICED, D(1), "USD", DAY),
        ("true_up", Cause.UNSEEN, D("0.2"), "USD", DAY),
    ]
    assert (
        booking(found)[1].text == "openai 2026-10-01 to 2026-10-01, unseen calls: billed above what was seen"
    )
    (one,) = found.providers
    assert one.gap == sum(each.amount for each in booking(found)) == one.theirs - D("2.5")
