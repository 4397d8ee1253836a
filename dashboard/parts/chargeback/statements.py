"""Statements: what one cost centre, tenant or owner is charged in a month, by lines that make the total."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import streamlit as st

from dashboard import board, grid, look, session
from dashboard.charts.walk import waterfall
from dashboard.services import Answer
from dashboard.view import View

from ..choosing import one_of, one_of_many
from . import months
from .months import Month, main_currency

__all__ = ["SECTIONS", "by_section", "drawn", "party", "show"]

PARTIES: Mapping[str, str] = {"cost_centre": "Cost centre", "tenant": "Tenant", "owner": "Owner"}
SECTIONS: Mapping[str, str] = {
    "usage": "Usage",
    "rerate": "Rerates",
    "charge": "Contract charges",
    "shared_in": "Shared, received",
    "shared_out": "Shared, given away",
    "correction": "Corrections of earlier months",
    "credit": "Credits",
    "adjustment": "Adjustments",
    "accrual": "Accruals",
    "true_up": "True-ups to invoices",
}
"""The sections of a statement in our words, in the order in which they are read."""
_SAVED = "Saved by the cache, not billed"
_METERS: Mapping[str, str] = {
    "input": "input",
    "cache_read": "cache reads",
    "cache_write_5m": "cache writes, 5 min",
    "cache_write_1h": "cache writes, 1 h",
    "output": "output",
    "other": "other",
}


def party(view: View) -> str:
    """Whose statements are shown: as chosen, else what the page is filtered by."""
    filtered = next((name for name in ("tenant", "owner") if getattr(view, name) is not None), "cost_centre")
    chosen = view.more.get("by", filtered)
    return chosen if chosen in PARTIES else "cost_centre"


def show(view: View, month: Month, parties: Answer) -> None:
    """Choose one, and its statement."""
    by = party(view)
    listed: list[dict[str, Any]] = parties.value.to_pylist() if parties.value is not None else []
    grid.heading("Statement", f"{month.title}, {month.words}", basis=month.basis)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        one_of(view, "by", "Statement of a", PARTIES, default=by)
        if not listed:
            st.html(board.empty("No statement.", f"Nothing is charged in {look.text(month.title)}."))
            return
        # The dearest first; a name may have a row in each currency.
        names = list(dict.fromkeys(row[by] or "" for row in listed))
        name = one_of_many(
            view,
            "of",
            PARTIES[by],
            names,
            told=lambda each: look.tidy(each) if each else grid.NAMES[by],
            default=getattr(view, by, None),
        )
    answer = months.settled(
        "statement", {"period": month.name, "by": by, "name": name}, doing="Writing the statement"
    )
    if answer.value is None:
        st.html(session.away(session.services().collector, {"statement": answer}, session.now()))
        return
    rows: list[dict[str, Any]] = answer.value.to_pylist()
    if not rows:
        st.html(board.empty("Nothing is charged here.", "Choose another one, or another month."))
        return
    _picture(rows, name or grid.NAMES[by])
    ordered = _ordered(answer.value)
    frame, config = drawn(ordered, by)
    grid.show(
        ordered,
        name=f"statement-{by}-{month.name}",
        title="Line by line",
        aside=_proof(rows),
        basis=month.basis,
        drawn=frame,
        config=config,
    )


def by_section(rows: Sequence[Mapping[str, Any]], currency: str) -> list[tuple[str, Decimal]]:
    """What each section of a statement comes to in a currency, in the order of reading; those that have anything."""
    sums: dict[str, Decimal] = {}
    for row in rows:
        if row["section"] != "total" and row["currency"] == currency and row["cost"] is not None:
            sums[row["section"]] = sums.get(row["section"], Decimal(0)) + row["cost"]
    return [(words, sums[name]) for name, words in SECTIONS.items() if sums.get(name)]


def drawn(table: pa.Table, by: str) -> tuple[pl.DataFrame, dict[str, Any]]:
    """The lines as the grid shows them."""
    beside = [name for name in ("cost_centre", "tenant") if name in table.column_names and name != by]
    rows: list[dict[str, Any]] = table.to_pylist()
    # Most have none: the column is for those that do.
    has_saved = any(row["section"] == "saved" for row in rows)
    shown = []
    for row in rows:
        is_total = row["section"] == "total"
        shown.append(
            {
                "section": _section(row),
                **{name: None if is_total else row[name] or grid.NAMES[name] for name in beside},
                "workload": row["workload"],
                "model": row["model"],
                "what": row["what"],
                "meter": _METERS.get(row["meter"] or ""),
                "tokens": row["tokens"] or None,
                "cost": None if row["cost"] is None else float(row["cost"]),
                "currency": row["currency"],
                **({"saved": None if row["saved"] is None else float(row["saved"])} if has_saved else {}),
            }
        )
    column = st.column_config
    config: dict[str, Any] = {
        "section": column.TextColumn("Section", width="medium"),
        **{name: column.TextColumn(PARTIES[name]) for name in beside},
        "workload": column.TextColumn("Workload"),
        "model": column.TextColumn("Model"),
        "what": column.TextColumn("Rule or item"),
        "meter": column.TextColumn("Meter", width="small"),
        "tokens": column.NumberColumn("Tokens", format="localized"),
        "cost": column.NumberColumn("Amount", format="%.6f"),
        "currency": column.TextColumn("Currency", width="small"),
        "saved": column.NumberColumn("Saved, net", format="%.6f"),
    }
    amounts = {"cost": pl.Float64} | ({"saved": pl.Float64} if has_saved else {})
    return pl.DataFrame(shown, infer_schema_length=None, schema_overrides=amounts), config


def _section(row: Mapping[str, Any]) -> str:
    """The words for the section of a line."""
    name: str = row["section"]
    if name == "total":
        return f"Total, {row['currency'] or 'cost not known'}"
    return _SAVED if name == "saved" else SECTIONS.get(name, name)


def _ordered(table: pa.Table) -> pa.Table:
    """By currency, in the sections' order of reading, the dearest line first, and the total at the end."""
    places = {name: place for place, name in enumerate((*SECTIONS, "total"))}
    place = pl.col("section").replace_strict(places, default=len(places), return_dtype=pl.Int64)
    frame = pl.DataFrame(table).with_columns(place=place)
    return (
        frame.sort(
            ["currency", "place", "cost"],
            descending=[False, False, True],
            nulls_last=True,
            maintain_order=True,
        )
        .drop("place")
        .to_arrow()
        .cast(table.schema)
    )


def _picture(rows: Sequence[Mapping[str, Any]], name: str) -> None:
    totals = [dict(row) for row in rows if row["section"] == "total"]
    currency = main_currency(totals)
    steps = by_section(rows, currency)
    if not steps:
        st.html(board.empty("No known amount to draw.", "The cost of these calls is not known."))
        return
    total = sum((amount for _, amount in steps), Decimal(0))
    left, right = st.columns([1, 2.2], gap="medium", vertical_alignment="center")
    left.html(_sums(look.text(name), steps, total, currency))
    right.plotly_chart(
        waterfall(steps, "Total", session.palette(), currency=currency, height=270),
        theme=None,
        config=session.PLOT,
        key="charged-statement",
        alt=f"What the total of {look.tidy(name)} is made of, by section",
    )


def _sums(name: str, steps: Sequence[tuple[str, Decimal]], total: Decimal, currency: str) -> str:
    """The sections and their total as HTML, like the foot of an invoice; `name` is HTML."""
    rows = "".join(
        f"<div>{words}</div><div>{look.money(amount, currency)}</div>"
        for words, amount in (*steps, ("Total", total))
    )
    return f'<div class="sg sg-sums"><b>{name}</b><div>{rows}</div></div>'


def _proof(rows: Sequence[Mapping[str, Any]]) -> str:
    """The totals, and that the lines above make them."""
    said = []
    for total in (row for row in rows if row["section"] == "total"):
        if total["currency"] is None:
            said.append(f"{look.count(total['tokens'])} tokens of which the cost is not known")
            continue
        lines = sum(
            (
                row["cost"]
                for row in rows
                if row["section"] != "total"
                and row["currency"] == total["currency"]
                and row["cost"] is not None
            ),
            Decimal(0),
        )
        fits = "lines add up to it" if lines == total["cost"] else "lines do not add up to it"
        said.append(f"total {look.money(total['cost'], total['currency'])}: {fits}")
    return "; ".join(said)
