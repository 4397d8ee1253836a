"""Margins: what tenants bring in beside what they cost to serve, for those who may see revenue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import polars as pl
import streamlit as st

from dashboard import board, grid, look, session
from dashboard.charts.received import margins as margin_lines
from dashboard.services import Answer

from .months import Month, main_currency

__all__ = ["may_see", "show"]

_MOST_LINES = 16


def may_see() -> bool:
    """Whether this viewer is shown revenue: it is finance's."""
    viewer = session.viewer()
    return viewer is not None and viewer.may("finance")


def show(month: Month, answer: Answer | None) -> None:
    """Figures, the picture and the table; a line for who may not see revenue."""
    if answer is None:
        grid.heading("Margin by tenant")
        st.html(
            '<div class="sg sg-note">Revenue is shown to keys with the scope <b>finance</b>; all else on this page is '
            "the same without it.</div>"
        )
        return
    if answer.value is None:
        return
    rows: list[dict[str, Any]] = answer.value.to_pylist()
    if not any(row["revenue"] is not None for row in rows):
        grid.heading("Margin by tenant", month.title)
        st.html(
            board.empty(
                f"No revenue is told for {look.text(month.title)}.",
                "Give each tenant's by month: <code>switchgear revenue import revenue.csv</code>.",
            )
        )
        return
    currency = main_currency(rows)
    own = [row for row in rows if row["currency"] == currency and row["margin"] is not None]
    losses = [row for row in own if row["margin"] < 0]
    total, revenue = (sum((row[name] for row in own), Decimal(0)) for name in ("margin", "revenue"))
    untold = sum(row["revenue"] is None for row in rows)
    aside = (
        f"{look.money(total, currency)} of {look.money(revenue, currency)} revenue, "
        f"{look.percent(total, revenue)}; {len(losses)} of {len(own)} tenants cost more than they bring in"
        + (f"; of {untold} rows revenue is not told" if untold else "")
    )
    grid.heading("Margin by tenant", aside, basis=month.basis)
    worst = sorted(own, key=lambda row: (row["margin"], row["tenant"] or ""))[:_MOST_LINES]
    st.html(
        '<div class="sg sg-soft">The least margin first'
        f"{f', {_MOST_LINES} of {len(own)}' if len(own) > _MOST_LINES else ''}.</div>"
    )
    st.plotly_chart(
        margin_lines(worst, session.palette(), unnamed=grid.NAMES["tenant"], currency=currency),
        theme=None,
        config=session.PLOT,
        key="charged-margin",
        alt="Revenue and cost to serve of each tenant",
    )
    frame, config = _drawn(rows)
    grid.show(
        answer.value,
        name=f"margin-{month.name}",
        title="Tenants",
        aside="cost to serve, shared cost included",
        basis=month.basis,
        drawn=frame,
        config=config,
    )


def _drawn(rows: Sequence[Mapping[str, Any]]) -> tuple[pl.DataFrame, dict[str, Any]]:
    amounts = ("revenue", "cost", "margin")
    shown = [
        {
            "tenant": row["tenant"] or grid.NAMES["tenant"],
            **{name: None if row[name] is None else float(row[name]) for name in amounts},
            "share": float(100 * row["margin"] / row["revenue"])
            if row["margin"] is not None and row["revenue"]
            else None,
            "currency": row["currency"] or "cost not known",
            "calls": row["calls"],
        }
        for row in rows
    ]
    column = st.column_config
    config: dict[str, Any] = {
        "tenant": column.TextColumn("Tenant", width="medium"),
        "revenue": column.NumberColumn("Revenue", format="%.2f"),
        "cost": column.NumberColumn("Cost to serve", format="%.4f"),
        "margin": column.NumberColumn("Margin", format="%.2f"),
        "share": column.NumberColumn("Margin, % of revenue", format="%.1f %%"),
        "currency": column.TextColumn("Currency", width="small"),
        "calls": column.NumberColumn("Calls", format="localized"),
    }
    schema = dict.fromkeys((*amounts, "share"), pl.Float64)
    return pl.DataFrame(shown, infer_schema_length=None, schema_overrides=schema), config
