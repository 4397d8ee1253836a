"""Laws of reconciliation: what holds for any lines, in any order, split in any way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Context, Decimal, localcontext

from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.invoices import Cause, InvoiceLine, OurLine, Reconciliation, Tolerance, booking, reconcile
from analytics.invoices.line import KINDS
from analytics.invoices.reading import invoices_in

DAY = date(2026, 10, 1)
MODELS = ("gpt-4o", "gpt-4o-2024-08-06", "o3", None)
days = st.integers(0, 4).map(lambda place: DAY + timedelta(days=place))
money = st.decimals(-5, 100, places=12)
tokens = st.one_of(
    st.none(), st.integers(0, 3).map(lambda many: Decimal(many * 500)), st.decimals(0, 3000, places=0)
)
kinds = st.sampled_from(KINDS)
names = {"acme": "proj_1"}
law = settings(deadline=None, max_examples=60)
ours = st.lists(
    st.builds(
        OurLine,
        days,
        st.sampled_from(("openai", "anthropic")),
        st.sampled_from(MODELS),
        st.sampled_from(("acme", "globex", None)),
        kinds,
        st.sampled_from(("priority", None)),
        tokens,
        st.one_of(st.none(), money),
        st.sampled_from(("USD", "USD", "EUR")),
        st.integers(0, 9),
        st.booleans(),
    ),
    max_size=12,
)
theirs = st.lists(
    st.builds(
        lambda provider, day, model, project, kind, tier, quantity, amount: InvoiceLine(
            provider,
            day,
            model,
            project,
            kind,
            tier,
            quantity,
            amount,
            "USD" if amount is not None else "",
            "item",
        ),
        st.sampled_from(("openai", "anthropic")),
        days,
        st.sampled_from(MODELS),
        st.sampled_from(("proj_1", "proj_2", None)),
        kinds,
        st.sampled_from(("priority", None)),
        tokens,
        st.one_of(st.none(), money),
    ),
    max_size=12,
)


def _reconciled(mine: Sequence[OurLine], given: Sequence[InvoiceLine]) -> Reconciliation:
    return reconcile(mine, given, Tolerance(), names, days=(DAY, DAY + timedelta(days=3)))


@law
@given(ours, theirs)
def test_causes_add_up_to_the_difference_exactly(mine: list[OurLine], given: list[InvoiceLine]) -> None:
    with localcontext(Context(prec=100)):
        for result in _reconciled(mine, given).providers:
            if result.theirs is None:
                continue
            assert result.theirs - result.ours == sum(result.causes.values()) == result.difference
            assert result.theirs == sum(row.theirs or 0 for row in result.rows)
            for row in result.rows:
                assert row.difference == sum(row.causes.values())


@law
@given(ours, theirs)
def test_no_line_of_the_compared_days_is_lost(mine: list[OurLine], given: list[InvoiceLine]) -> None:
    """What is compared is what was given, in each currency; nothing is spread between providers."""
    found = _reconciled(mine, given)
    last = DAY + timedelta(days=3)
    with localcontext(Context(prec=100)):
        for provider in {line.provider for line in given}:
            results = [one for one in found.providers if one.provider == provider]
            billed = [line for line in given if line.provider == provider and line.day <= last]
            booked = [line for line in mine if line.provider == provider and line.day <= last]
            assert sum(one.theirs or 0 for one in results) == sum(line.amount or 0 for line in billed)
            for currency in ("USD", "EUR"):
                at = [line for line in booked if line.currency == currency]
                here = [one for one in results if one.currency == currency]
                assert sum(one.ours + one.late for one in here) == sum(line.amount or 0 for line in at)


@law
@given(ours, theirs, st.randoms(use_true_random=False))
def test_neither_order_nor_splitting_changes_the_result(
    mine: list[OurLine], given: list[InvoiceLine], random: object
) -> None:
    expected = _reconciled(mine, given)
    parts = [
        replace(line, quantity=share, amount=part, calls=calls)
        for line in mine
        for share, part, calls in _halves(line)
    ]
    pieces = [
        replace(line, quantity=share, amount=part) for line in given for share, part, _ in _halves(line)
    ]
    random.shuffle(parts)  # type: ignore[attr-defined]
    random.shuffle(pieces)  # type: ignore[attr-defined]
    assert _reconciled(parts, pieces) == expected


def _halves(line: OurLine | InvoiceLine) -> list[tuple[Decimal | None, Decimal | None, int]]:
    """A third and the rest of everything: quantity, amount, calls."""
    calls = line.calls if isinstance(line, OurLine) else 0
    third = [
        None if whole is None else (whole / 3).quantize(Decimal("1e-12"))
        for whole in (line.quantity, line.amount)
    ]
    rest = [
        None if whole is None or part is None else whole - part
        for whole, part in zip((line.quantity, line.amount), third, strict=True)
    ]
    return [(third[0], third[1], calls // 3), (rest[0], rest[1], calls - calls // 3)]


@law
@given(ours, theirs)
def test_booking_the_residual_leaves_none(mine: list[OurLine], given: list[InvoiceLine]) -> None:
    """Ours, what was booked late and the adjustments are theirs, to twelve places; and none is for what was late."""
    found = _reconciled(mine, given)
    proposed = booking(found)
    assert len({(one.provider, one.cause, one.currency) for one in proposed}) == len(proposed)
    assert Cause.LATE not in {one.cause for one in proposed}
    for result in found.providers:
        if result.theirs is None:
            continue
        booked = sum(
            one.amount
            for one in proposed
            if (one.provider, one.currency) == (result.provider, result.currency)
        )
        assert abs(result.ours + result.late + booked - result.theirs) <= Decimal("0.5e-12")


amounts = st.one_of(
    st.floats(1e-12, 1e6).map(repr),
    st.floats(-1e6, -1e-12).map(repr),
    st.decimals(-(10**12), 10**12, places=15).map(lambda amount: f"{amount:f}"),
    st.sampled_from(("0.1", repr(0.1 + 0.2), "1e-7", "-0", "123.45")),
)


@law
@given(st.lists(amounts, min_size=1, max_size=5))
def test_amounts_are_read_as_they_are_written(texts: list[str]) -> None:
    exactly = [Decimal(text) for text in texts]
    numbers = [
        f'{{"object":"organization.costs.result","amount":{{"value":{text},"currency":"usd"}}}}'
        for text in texts
    ]
    page = f'{{"data":[{{"start_time":1790812800,"end_time":1790899200,"results":[{",".join(numbers)}]}}]}}'
    assert _amounts(page) == exactly
    assert (
        _amounts("day,amount,currency\n" + "".join(f"2026-10-01,{text},USD\n" for text in texts)) == exactly
    )
    assert (
        _amounts(
            "BilledCost;BillingCurrency;ChargePeriodStart\n"
            + "".join(f"{text};USD;2026-10-01T00:00:00Z\n" for text in texts)
        )
        == exactly
    )
    cents = [{"amount": text, "currency": "USD"} for text in texts]
    bucket = {"starting_at": "2026-10-01T00:00:00Z", "ending_at": "2026-10-02T00:00:00Z", "results": cents}
    with localcontext(Context(prec=100)):
        assert [amount * 100 for amount in _amounts(json.dumps({"data": [bucket]}))] == exactly


def _amounts(text: str) -> list[Decimal]:
    (one,) = invoices_in("bill", text.encode(), provider="openai")
    return [line.amount for line in one.lines if line.amount is not None]
