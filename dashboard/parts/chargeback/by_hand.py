"""By hand: corrections of closed months, and credits and adjustments with who prepared and who has to approve them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import streamlit as st

from dashboard import board, grid, look
from dashboard.identity import Viewer
from dashboard.services import Answer

from .months import Month

__all__ = ["corrections", "drafts", "waits_for"]

_STATES: Mapping[str, str] = {"waiting": "▲ waiting", "approved": "● approved", "refused": "○ refused"}


def corrections(month: Month, answer: Answer) -> None:
    """What is charged in the month for days of others: late calls, moved owners, credits of closed months."""
    if answer.value is None:
        return
    frame = pl.DataFrame(answer.value)
    other = frame.filter(~pl.col("day").is_between(month.first_day, month.last_day))
    if other.is_empty():
        grid.heading("Corrections", f"of earlier months, charged in {look.text(month.title)}")
        st.html(
            board.empty(
                "No correction.",
                "What comes late for a closed month is charged by the next close, or at once by "
                "<code>switchgear ledger correct --write</code>.",
            )
        )
        return
    table = other.select(
        "day", "kind", "cost_centre", "tenant", "workload", "calls", "cost", "currency"
    ).to_arrow()
    shown = pl.DataFrame(table).with_columns(pl.col("cost").cast(pl.Float64))
    column = st.column_config
    grid.show(
        table,
        name=f"corrections-{month.name}",
        title="Corrections",
        aside=f"of earlier months, charged in {look.text(month.title)}",
        basis=month.basis,
        drawn=shown,
        config={
            "day": column.DateColumn("For the day", format="D MMM YYYY"),
            "kind": column.TextColumn("Kind", width="small"),
            "cost_centre": column.TextColumn("Cost centre"),
            "tenant": column.TextColumn("Tenant"),
            "workload": column.TextColumn("Workload"),
            "calls": column.NumberColumn("Calls", format="localized"),
            "cost": column.NumberColumn("Amount", format="%+.6f"),
            "currency": column.TextColumn("Currency", width="small"),
        },
    )


def drafts(told: Mapping[str, Any] | None, viewer: Viewer | None) -> None:
    """Those that wait first; a draft counts once somebody else than who prepared it has approved it."""
    if told is None:
        return
    found: Sequence[Mapping[str, Any]] = told["drafts"]
    if not found:
        grid.heading("Credits and adjustments", "prepared by one, approved by another")
        st.html(
            board.empty(
                "None was prepared.", "<code>switchgear ledger credit 100.00 --day 2026-10-12 ...</code>"
            )
        )
        return
    ranked = sorted(found, key=lambda each: each["state"] != "waiting")
    rows = [
        {
            "state": each["state"],
            "kind": each["draft"]["kind"],
            "amount": Decimal(each["draft"]["amount"]),
            "currency": each["draft"]["currency"],
            "day": date.fromisoformat(each["draft"]["day"]),
            "cost_centre": each["draft"]["cost_centre"],
            "tenant": each["draft"]["tenant"],
            "reason": each["draft"]["reason"],
            "prepared_by": each["prepared_by"],
            "prepared_at": datetime.fromisoformat(each["prepared_at"]),
            "decision": waits_for(each, viewer),
            "id": each["id"],
        }
        for each in ranked
    ]
    schema = pa.schema(
        [
            ("state", pa.string()),
            ("kind", pa.string()),
            ("amount", pa.decimal128(38, 12)),
            ("currency", pa.string()),
            ("day", pa.date32()),
            *((name, pa.string()) for name in ("cost_centre", "tenant", "reason", "prepared_by")),
            ("prepared_at", pa.timestamp("us", "UTC")),
            ("decision", pa.string()),
            ("id", pa.string()),
        ]
    )
    table = pa.Table.from_pylist(rows, schema=schema)
    waiting = sum(row["state"] == "waiting" for row in rows)
    column = st.column_config
    grid.show(
        table,
        name="drafts",
        title="Credits and adjustments",
        aside=f"{waiting} wait; to decide: <code>switchgear ledger approve ID</code> or <code>refuse ID</code>"
        if waiting
        else "prepared by one, approved by another",
        drawn=pl.DataFrame(table).with_columns(
            pl.col("amount").cast(pl.Float64), pl.col("state").replace(dict(_STATES))
        ),
        config={
            "state": column.TextColumn("State", width="small"),
            "kind": column.TextColumn("Kind", width="small"),
            "amount": column.NumberColumn("Amount", format="%+.2f"),
            "currency": column.TextColumn("Currency", width="small"),
            "day": column.DateColumn("For the day", format="D MMM YYYY"),
            "cost_centre": column.TextColumn("Cost centre"),
            "tenant": column.TextColumn("Tenant"),
            "reason": column.TextColumn("Reason", width="medium"),
            "prepared_by": column.TextColumn("Prepared by"),
            "prepared_at": column.DatetimeColumn("Prepared at, UTC", format="D MMM HH:mm", timezone="UTC"),
            "decision": column.TextColumn("Decision", width="medium"),
            "id": column.TextColumn("ID"),
        },
    )


def waits_for(draft: Mapping[str, Any], viewer: Viewer | None) -> str:
    """Who has decided a draft, or who may: nobody approves what they prepared."""
    if draft["state"] != "waiting":
        return f"{draft['state']} by {draft['decided_by']}"
    if viewer is not None and not viewer.keyless and viewer.id == draft["preparer_key"]:
        return "you prepared it: somebody else has to approve it"
    return f"waits for somebody other than {draft['prepared_by']}"
