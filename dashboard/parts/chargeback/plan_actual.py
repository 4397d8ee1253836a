"""Plan and actual: what cost centres have cost in a month beside what they planned, and where that is heading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import streamlit as st

from dashboard import board, grid, look, session
from dashboard.charts.plan import STATUSES, bullets
from dashboard.services import Answer

from .months import Month, main_currency

__all__ = ["drawn", "figures", "show"]

_MOST_BARS = 16
_NOTHING = Decimal(0)


def show(month: Month, answer: Answer, today: date) -> None:
    """Figures, the picture and the table."""
    table = answer.value
    if table is None:
        return
    rows: list[dict[str, Any]] = table.to_pylist()
    if not rows:
        grid.heading("Plan and actual", month.title, basis=month.basis)
        st.html(
            board.empty(
                f"Nothing is charged in {month.title}, and nothing is planned.",
                "Plans come from the policy file (<code>plans</code>) or <code>switchgear plan import</code>.",
            )
        )
        return
    currency = main_currency(rows)
    own = [row for row in rows if row["currency"] == currency]
    st.html(board.figures(figures(own, currency)))
    others = sorted({row["currency"] for row in rows} - {currency, None})
    unknown = sum(row["calls"] for row in rows if row["currency"] is None)
    st.html(f'<div class="sg sg-soft">{_aside(month, own, others, unknown, today)}</div>')
    planned = [row for row in own if row["plan"] is not None or row["cost"]]
    if planned:
        grid.heading(
            "Plan and actual by cost centre",
            f"{currency}; more than {_MOST_BARS} are in the table alone"
            if len(planned) > _MOST_BARS
            else currency,
            basis=month.basis,
        )
        st.plotly_chart(
            bullets(
                planned[:_MOST_BARS],
                session.palette(),
                unnamed=grid.NAMES["cost_centre"],
                currency=currency,
            ),
            theme=None,
            config=session.PLOT,
            key="charged-plan",
            alt="Charged, planned, due and expected cost of each cost centre",
        )
    frame, config = drawn(rows)
    grid.show(
        table,
        name=f"plan-{month.name}",
        title="Cost centres",
        aside=f"{month.title}; what is due is the plan's part of the days that are over",
        basis=month.basis,
        drawn=frame,
        config=config,
    )


def figures(rows: Sequence[Mapping[str, Any]], currency: str) -> list[tuple[str, str, str]]:
    """The headline, of rows in one currency."""
    cost, plan, due = (_sum(rows, name) for name in ("cost", "plan", "due"))
    expected = _sum(rows, "forecast")
    unplanned = _sum([row for row in rows if row["plan"] is None], "cost")
    nobody = _sum([row for row in rows if row["cost_centre"] is None], "cost")
    over = [row for row in rows if row["status"] == "over"]
    watch = sum(row["status"] == "watch" for row in rows)
    days, elapsed = (rows[0]["days"], rows[0]["elapsed_days"]) if rows else (0, 0)
    runs = elapsed < days
    against = "the month is over"
    if runs and expected is None:
        against = "no whole day to learn from"
    elif runs:
        against = (
            look.change(expected, plan).replace("on the range before", "on plan")
            if plan
            else "there is no plan"
        )
    return [
        (
            "Charged so far" if runs else "Charged",
            look.money(cost, currency),
            f"{elapsed} of {days} days over",
        ),
        ("Plan of the month", look.money(plan, currency), f"{look.money(due, currency)} of it due by today"),
        (
            "Expected at the end",
            look.money(expected if runs else None, currency),
            against,
        ),
        (
            "Over plan",
            f'<span class="{"sg-hot" if over else ""}">{len(over)}</span> <small>cost centres</small>',
            f"{watch} more to watch" if watch else "none to watch",
        ),
        ("Without a plan", look.money(unplanned, currency), look.percent(unplanned, cost) + " of all"),
        ("Without a cost centre", look.money(nobody, currency), look.percent(nobody, cost) + " of all"),
    ]


def drawn(rows: Sequence[Mapping[str, Any]]) -> tuple[pl.DataFrame, dict[str, Any]]:
    """The table as the grid shows it: numbers for drawing only."""
    names = ("cost", "plan", "due", "ahead", "forecast", "left")
    shown = [
        {
            "cost_centre": grid.NAMES["cost_centre"] if row["cost_centre"] is None else row["cost_centre"],
            "status": _status(row),
            **{name: None if row[name] is None else float(row[name]) for name in names},
            "band": _band(row),
            "used_up": row["used_up"],
            "currency": row["currency"] or "cost not known",
            "calls": row["calls"],
        }
        for row in rows
    ]
    number = st.column_config.NumberColumn
    config: dict[str, Any] = {
        "cost_centre": st.column_config.TextColumn("Cost centre", width="medium"),
        "status": st.column_config.TextColumn("State", help="Over: more than a tenth over plan is expected"),
        "cost": number("Charged", format="%.4f"),
        "plan": number("Plan", format="%.2f"),
        "due": number("Due by today", format="%.2f"),
        "ahead": number("Ahead of plan", format="%+.2f"),
        "forecast": number("Expected at the end", format="%.2f"),
        "band": st.column_config.TextColumn("80 % band"),
        "left": number("Left of plan", format="%.2f"),
        "used_up": st.column_config.DateColumn("Plan used up on", format="D MMM"),
        "currency": st.column_config.TextColumn("Currency", width="small"),
        "calls": number("Calls", format="localized"),
    }
    schema = dict.fromkeys(names, pl.Float64) | {"used_up": pl.Date}
    return pl.DataFrame(shown, infer_schema_length=None, schema_overrides=schema), config


def _status(row: Mapping[str, Any]) -> str | None:
    if row["plan"] is None:
        return None
    glyph, word, _ = STATUSES.get(row["status"] or "", ("", "", ""))
    return f"{glyph} {word}" if word else None


def _band(row: Mapping[str, Any]) -> str | None:
    if row["forecast"] is None or row["forecast_by"] == "complete":
        return None
    low, high = (look.money(row[name], row["currency"]) for name in ("forecast_low", "forecast_high"))
    return f"{low} to {high}"


def _aside(
    month: Month, rows: Sequence[Mapping[str, Any]], others: Sequence[str], unknown: int, today: date
) -> str:
    """What the figures are, and what is in none of them."""
    said = [f"{month.title} is {month.words}."]
    if month.state == "open":
        said[0] = (
            f"{month.title} is open{', and over' if month.is_over(today) else ''}: its figures are estimates until "
            "it is closed."
        )
    if any(row["forecast_by"] == "cold" for row in rows):
        said.append("Where there is little history the band is wide.")
    if any(row["forecast_by"] not in (None, "complete") for row in rows):
        said.append(
            "What is expected goes by what calls have cost by day; what rules will share and contracts will charge "
            "of the days to come is not in it."
        )
    if unknown:
        said.append(f"The cost of {look.count(unknown)} calls is not known, and in no amount.")
    if others:
        said.append(f"Amounts in {', '.join(look.text(each) for each in others)} are in the table alone.")
    return " ".join(said)


def _sum(rows: Sequence[Mapping[str, Any]], name: str) -> Decimal | None:
    """Of what is known; None where nothing is."""
    known = [row[name] for row in rows if row[name] is not None]
    return sum(known, _NOTHING) if known else None
