"""Invoiced: a month of the ledger beside what providers bill, what each difference is made of, and the statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import streamlit as st

from dashboard import board, grid, look, session
from dashboard.charts.walk import waterfall
from dashboard.services import Answer

from .months import Month

__all__ = ["compared", "show", "steps"]

_NOTHING = Decimal(0)
_TODO: Mapping[str, str] = {
    "late": "nothing: a later month has it as a correction",
    "time zone": "nothing; look at the zone of the statement",
    "unpriced": "add the price, then rerate",
    "unseen calls": "find the agent that does not report, or the key that is used elsewhere",
    "unbilled calls": "ask for the next statement; look for calls that are told of twice",
    "rounding": "nothing",
    "price difference": "correct the price book or the contract, then rerate; or ask the provider",
    "not comparable": "give the usage report too",
}


def show(month: Month, answer: Answer, statements: Mapping[str, Any] | None) -> None:
    """Each provider: what the difference is made of, and whether it is within; then the statements."""
    grid.heading("Against the invoices", look.text(month.title))
    if answer.value is None:
        st.html(session.away(session.services().collector, {"reconciliation": answer}, session.now()))
        return
    providers: list[dict[str, Any]] = answer.value["providers"]
    missing = answer.value["without_statement"]
    if not providers:
        st.html(
            board.empty(
                f"No statement covers {look.text(month.title)}.",
                f"Give one: <code>switchgear reconcile FILE --month {look.text(month.name)}</code>",
            )
        )
    for start in range(0, len(providers), 2):
        for place, (column, provider) in enumerate(
            zip(st.columns(2, gap="medium"), providers[start : start + 2], strict=False)
        ):
            with column:
                _provider(provider, f"{start + place}")
    if missing:
        names = ", ".join(look.text(name) for name in missing)
        st.html(
            f'<div class="sg sg-note">No statement was given of <b>{names}</b>: their cost is accrued.</div>'
        )
    if providers:
        _causes(providers, month)
    if statements is not None and statements["invoices"]:
        _statements(statements["invoices"])


def compared(provider: Mapping[str, Any]) -> str:
    """Where a provider stands, in a line of HTML: state with glyph, gap, what is booked and what is let pass."""
    currency = provider["currency"]
    within = provider["within"]
    gap, booked = _amount(provider["gap"]), _amount(provider["booked"]) or _NOTHING
    if within is None or gap is None:
        state = '<span class="sg-chip sg-off"><i>○</i>not comparable</span>'
    elif within:
        state = '<span class="sg-chip sg-calm"><i>●</i>within</span>'
    else:
        state = '<span class="sg-chip sg-hot"><i>■</i>outside</span>'
    percent = provider["gap_percent"]
    ours, theirs, allowed = (
        look.money(_amount(provider[name]), currency) for name in ("ours", "theirs", "allowed")
    )
    told = f"{ours} here, {theirs} invoiced: gap <b>{look.money(gap, currency)}</b>"
    told += f" ({Decimal(percent):+,.2f} %)" if percent is not None else ""
    if booked:
        told += f", {look.money(booked, currency)} of it booked"
    return f"{state} &ensp;{told}; {allowed} are let pass"


def steps(provider: Mapping[str, Any]) -> list[tuple[str, Decimal]]:
    """The causes with their amounts, the largest first: they lead from our figure to theirs."""
    found = [(name, Decimal(amount)) for name, amount in provider["causes"].items() if Decimal(amount)]
    return sorted(found, key=lambda each: (-abs(each[1]), each[0]))


def _provider(provider: Mapping[str, Any], key: str) -> None:
    first, last = (date.fromisoformat(day) for day in provider["days"])
    name, currency = provider["provider"], provider["currency"]
    grid.heading(
        look.text(name), f"{first:%-d %b} to {last:%-d %b %Y}, {look.text(currency)}", basis="reported"
    )
    st.html(f'<div class="sg">{compared(provider)}</div>')
    causes = steps(provider)
    if causes:
        st.plotly_chart(
            waterfall(causes, "difference", session.palette(), currency=currency),
            theme=None,
            config=session.PLOT,
            key=f"ledger-walk-{key}",
            alt=f"What the difference to the invoice of {look.tidy(name)} is made of, by cause",
        )
    for note in provider["notes"]:
        st.html(f'<div class="sg sg-soft">{look.words(note)}</div>')


def _causes(providers: Sequence[Mapping[str, Any]], month: Month) -> None:
    rows = [
        {
            "provider": provider["provider"],
            "cause": cause,
            "amount": amount,
            "currency": provider["currency"],
            "todo": _TODO.get(cause),
        }
        for provider in providers
        for cause, amount in steps(provider)
    ]
    schema = pa.schema(
        [
            ("provider", pa.string()),
            ("cause", pa.string()),
            ("amount", pa.decimal128(38, 12)),
            ("currency", pa.string()),
            ("todo", pa.string()),
        ]
    )
    if not rows:
        return
    column = st.column_config
    grid.show(
        pa.Table.from_pylist(rows, schema=schema),
        name=f"causes-{month.name}",
        title="Causes of the difference",
        aside="they add up to it exactly",
        drawn=pl.DataFrame([row | {"amount": float(row["amount"])} for row in rows]),
        config={
            "provider": column.TextColumn("Provider"),
            "cause": column.TextColumn("Cause"),
            "amount": column.NumberColumn("Amount", format="%+.6f"),
            "currency": column.TextColumn("Currency", width="small"),
            "todo": column.TextColumn("To do", width="large"),
        },
    )


def _statements(invoices: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        {
            "provider": each["provider"],
            "account": each["account"],
            "source": each["source"],
            "first_day": date.fromisoformat(each["first_day"]),
            "last_day": date.fromisoformat(each["last_day"]),
            "total": _amount(each["total"]),
            "currency": each["currency"] or None,
            "imported_at": datetime.fromisoformat(each["imported_at"]),
            "imported_by": each["imported_by"],
        }
        for each in reversed(invoices)
    ]
    schema = pa.schema(
        [
            *((name, pa.string()) for name in ("provider", "account", "source")),
            ("first_day", pa.date32()),
            ("last_day", pa.date32()),
            ("total", pa.decimal128(38, 12)),
            ("currency", pa.string()),
            ("imported_at", pa.timestamp("us", "UTC")),
            ("imported_by", pa.string()),
        ]
    )
    column = st.column_config
    table = pa.Table.from_pylist(rows, schema=schema)
    grid.show(
        table,
        name="invoices",
        title="Statements of providers",
        aside="the last that was given first; a later one counts for its days in place of an earlier",
        basis="reported",
        drawn=pl.DataFrame(table).with_columns(pl.col("total").cast(pl.Float64)),
        config={
            "provider": column.TextColumn("Provider"),
            "account": column.TextColumn("Account"),
            "source": column.TextColumn("File"),
            "first_day": column.DateColumn("From", format="D MMM YYYY"),
            "last_day": column.DateColumn("To", format="D MMM YYYY"),
            "total": column.NumberColumn("Billed", format="%.4f"),
            "currency": column.TextColumn("Currency", width="small"),
            "imported_at": column.DatetimeColumn("Given at, UTC", format="D MMM YYYY HH:mm", timezone="UTC"),
            "imported_by": column.TextColumn("Given by"),
        },
    )


def _amount(text: Any) -> Decimal | None:
    return None if text is None else Decimal(text)
