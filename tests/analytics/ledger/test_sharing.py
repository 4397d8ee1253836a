"""Sharing and charges: what is moved adds up to nothing, and what contracts charge is beside the calls."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from decimal import Decimal

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.allocation import By, Method, Pool, Rule, To
from analytics.contracts import Charge, Contract
from analytics.contracts import Kind as Term
from analytics.contracts.terms import Span
from analytics.ledger.calendar import Calendar
from analytics.ledger.charges import Charged, by_term
from analytics.ledger.charges import lines as charge_lines
from analytics.ledger.line import COUNTS, LINES, MEASURES
from analytics.ledger.lines import combined
from analytics.ledger.sharing import allocations, costs_of_calls, costs_of_charges, lines

NOVEMBER = Calendar().period("2026-11")
DAY = date(2026, 11, 3)
PLATFORM = Rule(
    "platform",
    date(2026, 1, 1),
    Pool(workloads=(("platform", "*"),)),
    Method.PROPORTIONAL,
    To.COST_CENTRES,
    By.TOKENS,
)
IDLE = Rule("idle", date(2026, 1, 1), Pool(charges=("idle",)), Method.EVEN)
CONTRACT = Contract("c", "c 1a2b", "openai", (), "USD", UTC, Span(NOVEMBER.start))

amounts = st.integers(0, 10**15).map(lambda units: units * Decimal("0.000000000001"))


def used(
    tenant: str, centre: str | None, amount: Decimal | None, tokens: int, day: date = DAY
) -> dict[str, object]:
    row: dict[str, object] = (
        dict.fromkeys(LINES.names) | dict.fromkeys(COUNTS, 0) | dict.fromkeys(MEASURES, amount)
    )
    named = {"tenant": tenant, "cost_centre": centre, "currency": None if amount is None else "USD"}
    return (
        row | {"day": day, "kind": "usage", "calls": 1, "output": tokens, "retry_amount": Decimal(0)} | named
    )


@settings(max_examples=40, deadline=None)
@given(
    shared=amounts,
    others=st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from(["CC-1", "CC-2", None]),
            st.none() | amounts,
            st.integers(0, 99),
        ),
        max_size=6,
    ),
)
def test_what_is_moved_adds_up_to_nothing(
    shared: Decimal, others: list[tuple[str, str | None, Decimal | None, int]]
) -> None:
    usage = [used("platform", "CC-0", shared, 10), *(used(*each) for each in others)]
    found = allocations(costs_of_calls(pa.Table.from_pylist(usage, LINES)), {}, (PLATFORM, IDLE))
    moved = combined(lines(found)).to_pylist()
    assert sum(row["amount"] for row in moved) == 0
    left = [row["amount"] for row in moved if row["tenant"] == "platform"]
    takers = any(centre and tokens for _, centre, _, tokens in others)
    assert left == ([-shared] if takers and shared else [])


def test_idle_units_are_shared_on_the_last_day_by_the_use_of_all_days() -> None:
    usage = [
        used("a", "CC-1", Decimal(1), 5),
        used("b", "CC-2", Decimal(1), 5, DAY + timedelta(days=9)),
    ]
    charged = [Charged(CONTRACT, Term.IDLE, "units", Decimal("0.03"))]
    costs = costs_of_charges(charged, NOVEMBER, (PLATFORM, IDLE))
    found = allocations(costs_of_calls(pa.Table.from_pylist(usage, LINES)), costs, (PLATFORM, IDLE))
    assert lines(found).num_rows == 0
    moved = combined(lines(found, of_charges=True)).to_pylist()
    assert [(row["day"], row["cost_centre"], row["amount"], row["item"]) for row in moved] == [
        (date(2026, 11, 30), None, Decimal("-0.03"), "idle"),
        (date(2026, 11, 30), "CC-1", Decimal("0.015"), "idle"),
        (date(2026, 11, 30), "CC-2", Decimal("0.015"), "idle"),
    ]
    (charge,) = charge_lines(charged, NOVEMBER, date(2026, 12, 1)).to_pylist()
    assert (charge["item"], charge["amount"], charge["details"]) == ("idle: units", Decimal("0.03"), None)


def test_minutes_of_a_burst_are_one_charge_and_what_calls_have_already_is_none() -> None:
    def charge(kind: Term, amount: str, tokens: str | None = None) -> Charge:
        count = None if tokens is None else Decimal(tokens)
        span = (NOVEMBER.start, NOVEMBER.stop)
        return Charge(
            kind, *span, "x", Decimal(1), "USD", Decimal(1), Decimal(amount), "USD", "c 1a2b", "", count
        )

    found = by_term(
        CONTRACT,
        [
            charge(Term.USAGE, "100"),
            charge(Term.DISCOUNT, "-10"),
            charge(Term.OVERAGE, "1"),
            charge(Term.OVERAGE, "2"),
            charge(Term.PROVISIONED, "3", "400"),
            charge(Term.IDLE, "7", "600"),
            charge(Term.COMMITMENT, "90"),
            charge(Term.SHORTFALL, "10"),
        ],
    )
    assert [(each.term, each.amount, each.committed) for each in found] == [
        (Term.OVERAGE, Decimal(1 + 2), None),
        (Term.PROVISIONED, Decimal(3), None),
        (Term.IDLE, Decimal(7), Decimal(400 + 600)),
        (Term.SHORTFALL, Decimal(10), Decimal(90 + 10)),
    ]
