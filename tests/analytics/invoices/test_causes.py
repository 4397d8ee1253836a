"""Each cause of a difference, alone and with others, with the arithmetic beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import pytest

from analytics.invoices import Cause, InvoiceLine, OurLine, ProviderResult, Tolerance, reconcile
from analytics.invoices.causes import rounding

D = Decimal
FIRST, SECOND, THIRD = (date(2026, 10, day) for day in (1, 2, 3))


def our(
    quantity: str | None,
    amount: str | None,
    day: date = FIRST,
    *,
    kind: str = "input",
    late: bool = False,
    **more: object,
) -> OurLine:
    """A line of the ledger of gpt-4o."""
    line = OurLine(
        day,
        "openai",
        "gpt-4o",
        None,
        kind,
        None,
        None if quantity is None else D(quantity),
        None if amount is None else D(amount),
        "USD",
        calls=10,
        late=late,
        unpriced_calls=10 if amount is None else 0,
    )
    return replace(line, **more)  # type: ignore[arg-type]


def their(
    quantity: str | None, amount: str | None, day: date = FIRST, *, kind: str = "input", **more: object
) -> InvoiceLine:
    """A line of OpenAI's statement of the same."""
    line = InvoiceLine(
        "openai",
        day,
        "gpt-4o-2024-08-06",
        None,
        kind,
        None,
        None if quantity is None else D(quantity),
        None if amount is None else D(amount),
        "USD" if amount is not None else "",
        "gpt-4o-2024-08-06, input",
    )
    return replace(line, **more)  # type: ignore[arg-type]


def result(ours: Sequence[OurLine], theirs: Sequence[InvoiceLine]) -> ProviderResult:
    """What comes of the two, over the first three days of October."""
    (one,) = reconcile(ours, theirs, Tolerance(), {}, days=(FIRST, THIRD)).providers
    return one


@dataclass(frozen=True)
class Case:
    ours: list[OurLine]
    theirs: list[InvoiceLine]
    causes: dict[Cause, Decimal]


CASES = {
    "nothing differs": Case([our("1000", "2")], [their("1000", "2")], {}),
    # Booked by now 2 + 0.5 = theirs; in the period 2.
    "late": Case(
        [our("1000", "2"), our("250", "0.5", late=True)], [their("1250", "2.5")], {Cause.LATE: D("0.5")}
    ),
    # What was booked late and they do not bill is late, and not billed: 0.5 - 250 x 0.5 / 250.
    "late and not billed": Case(
        [our("1000", "2"), our("250", "0.5", late=True)],
        [their("1000", "2")],
        {Cause.LATE: D("0.5"), Cause.UNBILLED: D("-0.5")},
    ),
    # 300 tokens without a price here, at 0.002 of theirs.
    "unpriced": Case(
        [our("1000", "2"), our("300", None)], [their("1300", "2.6")], {Cause.UNPRICED: D("0.6")}
    ),
    "unpriced, without quantities": Case(
        [our("300", None)], [their(None, "0.6")], {Cause.UNPRICED: D("0.6")}
    ),
    # 1000 x (0.0022 - 0.002)
    "price difference": Case([our("1000", "2")], [their("1000", "2.2")], {Cause.PRICE: D("0.2")}),
    # Used by their report, and billed at nothing.
    "price difference, free of charge": Case(
        [our("1000", "2"), our("10", "1", kind="output")],
        [their("1000", None), their("10", "1", kind="output")],
        {Cause.PRICE: D("-2")},
    ),
    # (1100 - 1000) x 2.2 / 1100
    "unseen calls": Case([our("1000", "2")], [their("1100", "2.2")], {Cause.UNSEEN: D("0.2")}),
    "unseen calls, of a model that was not seen": Case([], [their(None, "0.7")], {Cause.UNSEEN: D("0.7")}),
    # All of it, to the last digit.
    "unseen calls, as a float has them": Case(
        [], [their("1000", "0.30000000000000004")], {Cause.UNSEEN: D("0.30000000000000004")}
    ),
    "unseen charge, without tokens": Case(
        [], [their(None, "0.02", kind="other", model=None, item="web search")], {Cause.UNSEEN: D("0.02")}
    ),
    # (900 - 1000) x 2 / 1000
    "unbilled calls": Case([our("1000", "2")], [their("900", "1.8")], {Cause.UNBILLED: D("-0.2")}),
    "unbilled calls, none billed": Case(
        [our("1000", "2"), our("10", "1", kind="output")], [their("1000", "2")], {Cause.UNBILLED: D("-1")}
    ),
    # Our 300 of the first day are theirs of the second; 1300 + 700 = 1000 + 1000.
    "time zone": Case(
        [our("1300", "2.6"), our("700", "1.4", SECOND)],
        [their("1000", "2"), their("1000", "2", SECOND)],
        {},
    ),
    # As above with two prices: -300 x 0.002 + 300 x 0.003, and 700 of the second day at 0.001 more.
    "time zone, at another price": Case(
        [our("1300", "2.6"), our("700", "1.4", SECOND)],
        [their("1000", "2"), their("1000", "3", SECOND)],
        {Cause.TIME_ZONE: D("0.3"), Cause.PRICE: D("0.7")},
    ),
    "not comparable": Case([our("1000", "2")], [their(None, "2.2")], {Cause.NOT_COMPARABLE: D("0.2")}),
    "not comparable, ours unknown": Case(
        [our("1000", "2"), our(None, "1")], [their("1000", "2")], {Cause.NOT_COMPARABLE: D("-1")}
    ),
    "not comparable, an amount without tokens": Case(
        [our("1000", "2")], [their("0", "1")], {Cause.NOT_COMPARABLE: D("-1")}
    ),
    "not comparable, tokens taken back": Case(
        [our("-100", "-0.2")], [their("100", "0.2")], {Cause.NOT_COMPARABLE: D("0.4")}
    ),
    # 2.004 here, 2.00 there.
    "rounding": Case([our("1000", "2.004")], [their("1000", "2.00")], {Cause.ROUNDING: D("-0.004")}),
    "rounding of a float": Case(
        [our("1000", "0.3")], [their("1000", "0.30000000000000004")], {Cause.ROUNDING: D("4E-17")}
    ),
    "rounding, without quantities": Case(
        [our("1000", "2.004")], [their(None, "2.00")], {Cause.ROUNDING: D("-0.004")}
    ),
    # Of 1500 billed at 0.003: 1000 priced at 0.002, 300 unpriced, 200 not seen.
    "unpriced, unseen and price": Case(
        [our("1000", "2"), our("300", None)],
        [their("1500", "4.5")],
        {Cause.UNPRICED: D("0.9"), Cause.UNSEEN: D("0.6"), Cause.PRICE: D("1")},
    ),
    # Of 1100 billed 1000 are those with a price, 100 of the 300 without.
    "unpriced, in part billed": Case(
        [our("1000", "2"), our("300", None)], [their("1100", "2.2")], {Cause.UNPRICED: D("0.2")}
    ),
    # Input: 200 of 1000 not billed. Output: 50 more billed, of 150 at 0.02; late 0.4 = 20 x 0.02, so 30 not seen.
    "each kind by itself": Case(
        [
            our("1000", "2"),
            our("100", "2", kind="output"),
            our("20", "0.4", kind="output", late=True),
        ],
        [their("800", "1.6"), their("150", "3", kind="output")],
        {Cause.LATE: D("0.4"), Cause.UNBILLED: D("-0.4"), Cause.UNSEEN: D("0.6")},
    ),
    # Costs tell no tokens, and the usage report does.
    "quantities of a usage report": Case(
        [our("1000", "2")], [their(None, "2.2"), their("1100", None)], {Cause.UNSEEN: D("0.2")}
    ),
    # The costs' own tokens go before the report's.
    "quantities of costs before those of usage": Case(
        [our("1000", "2")], [their("1100", "2.2"), their("5000", None)], {Cause.UNSEEN: D("0.2")}
    ),
    # No kinds on their side: as a whole, 3 against 2 + 1.5.
    "kinds that are not told": Case(
        [our("1000", "2"), our("100", "1.5", kind="output")],
        [their(None, "3", kind="other")],
        {Cause.NOT_COMPARABLE: D("-0.5")},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_difference_is_made_of_these_causes(case: str) -> None:
    given = CASES[case]
    found = result(given.ours, given.theirs)
    assert found.causes == given.causes
    assert found.difference == sum(given.causes.values())
    for row in found.rows:
        assert row.difference == sum(row.causes.values())


NO_PAIR = {
    "a day between": (
        [our("1300", "2.6"), our("700", "1.4", THIRD)],
        [their("1000", "2"), their("1000", "2", THIRD)],
    ),
    "the same direction": (
        [our("1300", "2.6"), our("1300", "2.6", SECOND)],
        [their("1000", "2"), their("1000", "2", SECOND)],
    ),
    "not all comes back": (
        [our("1300", "2.6"), our("900", "1.8", SECOND)],
        [their("1000", "2"), their("1000", "2", SECOND)],
    ),
    # 50 of 3050 are left, more than 0.5 %.
    "both days do not agree": (
        [our("1000", "2"), our("2000", "4", SECOND)],
        [their("2000", "4"), their("1050", "2.1", SECOND)],
    ),
    # 80 of 200000 is little, and more than a tenth of the 520 that came back.
    "little on a large day": (
        [our("100000", "2"), our("100000", "2", SECOND)],
        [their("100600", "2"), their("99480", "2", SECOND)],
    ),
    "too little of the second day": (
        [our("1000", "2"), our("100000", "2", SECOND)],
        [their("1006", "2"), their("99994", "2", SECOND)],
    ),
    # 3 of 1000 is within the tolerance of a day.
    "too little": (
        [our("1003", "2.006"), our("997", "1.994", SECOND)],
        [their("1000", "2"), their("1000", "2", SECOND)],
    ),
    "another kind": (
        [our("1300", "2.6"), our("700", "1.4", SECOND, kind="output")],
        [their("1000", "2"), their("1000", "2", SECOND, kind="output")],
    ),
}


@pytest.mark.parametrize("case", NO_PAIR)
def test_days_that_do_not_cancel_are_no_time_zone(case: str) -> None:
    assert Cause.TIME_ZONE not in {cause for row in result(*NO_PAIR[case]).rows for cause in row.causes}


def test_days_that_cancel_are_named_on_each_of_them() -> None:
    found = result(CASES["time zone"].ours, CASES["time zone"].theirs)
    assert [row.causes for row in found.rows] == [{Cause.TIME_ZONE: D("-0.6")}, {Cause.TIME_ZONE: D("0.6")}]
    assert (found.gap, found.turned_over, found.within) == (D(0), D("1.2"), True)


def test_a_day_cancels_with_one_neighbour_alone() -> None:
    seen = [our("1300", "2.6"), our("700", "1.4", SECOND), our("1300", "2.6", THIRD)]
    found = result(seen, [their("1000", "2", day) for day in (FIRST, SECOND, THIRD)])
    assert [list(row.causes) for row in found.rows] == [
        [Cause.TIME_ZONE],
        [Cause.TIME_ZONE],
        [Cause.UNBILLED],
    ]


def test_days_cancel_by_money_where_no_tokens_are_known() -> None:
    found = result(
        [our("1300", "2.6"), our("700", "1.4", SECOND)], [their(None, "2"), their(None, "2", SECOND)]
    )
    assert [row.causes for row in found.rows] == [{Cause.TIME_ZONE: D("-0.6")}, {Cause.TIME_ZONE: D("0.6")}]


@pytest.mark.parametrize(
    ("theirs", "at_most"),
    [
        ("12.34", "0.005"),
        ("12", "0.005"),
        ("12.5", "0.005"),
        ("0.1238", "0.00005"),
        ("0.30000000000000004", "1e-9"),
        ("0", "0.005"),
    ],
)
def test_rounding_explains_half_of_their_last_digit(theirs: str, at_most: str) -> None:
    assert rounding(D(theirs)) == D(at_most)
