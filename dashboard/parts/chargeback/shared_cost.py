"""Shared cost: who was given how much of it, by which rule, and the method with what it went by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import polars as pl
import streamlit as st

from dashboard import board, grid, look, session
from dashboard.charts.received import by_rule
from dashboard.services import Answer

from .months import Month, main_currency

__all__ = ["explained", "show"]

_NO_RULES = (
    "Rules stand in <code>chargeback.yaml</code> under <code>allocation</code> (docs/allocation.md). Without one, cost "
    "stays with whoever caused it."
)
_MOST_BARS = 14


def show(month: Month, answer: Answer) -> None:
    """Each rule in words, the picture, and the table with the keys' values."""
    table = answer.value
    if table is None:
        return
    rows: list[dict[str, Any]] = table.to_pylist()
    if not rows:
        grid.heading("Shared cost", month.title)
        st.html(board.empty(f"No rule has shared any cost in {look.text(month.title)}.", _NO_RULES))
        return
    currency = main_currency(rows)
    grid.heading("Shared cost", f"who was given what, and by which method; {month.title}", basis=month.basis)
    st.html(f'<div class="sg sg-rules">{"".join(explained(rows))}</div>')
    own = [row for row in rows if row["currency"] == currency and row["cost"]]
    target = "tenant" if all(row["targets"] == "tenants" for row in own) else "cost_centre"
    if own:
        st.plotly_chart(
            by_rule(
                _largest(own, target),
                session.palette(),
                target=target,
                unnamed=grid.NAMES[target],
                currency=currency,
            ),
            theme=None,
            config=session.PLOT,
            key="charged-shared",
            alt="Shared cost that each target was given, by rule",
        )
    frame, config = _drawn(rows)
    grid.show(
        table,
        name=f"shared-{month.name}",
        title="Who was given what",
        aside="of shared cost; used is what the method counts of each",
        basis=month.basis,
        drawn=frame,
        config=config,
    )


def explained(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line of HTML for each rule: what it takes, its method in words, the values of its key, and what it came to."""
    said = []
    for rule in dict.fromkeys(row["rule"] for row in rows):
        own = [row for row in rows if row["rule"] == rule]
        amounts: dict[str, Decimal] = {}
        for row in own:
            amounts[row["currency"]] = amounts.get(row["currency"], Decimal(0)) + row["cost"]
        total = ", ".join(look.money(amount, currency) for currency, amount in amounts.items())
        first = own[0]
        takes = f" of <b>{look.text(first['takes'])}</b>" if first["takes"] else ""
        said.append(f"<div><b>{look.text(rule)}</b>: {total}{takes}, {_method(own)}</div>")
    return said


def _method(rows: Sequence[Mapping[str, Any]]) -> str:
    """How it was divided, and by what: "by tokens over cost centres: its tokens of the day over those of all"."""
    first = rows[0]
    if first["method"] is None:
        return "by a rule that is in chargeback.yaml no more."
    how, targets = look.text(first["method"]), look.text(first["targets"])
    one = targets.removesuffix("s")
    unit = look.text(first["unit"]).lower() if first["unit"] in ("Tokens", "Calls") else "cost"
    if first["method"] == "evenly":
        why = f"each {one} the same part"
    elif first["method"] == "by fixed shares":
        why = f"each {one} the share that chargeback.yaml gives it"
    elif "against their share" in first["method"]:
        why = f"each {one} by its {unit} beyond its share; who keeps within it is given nothing"
    else:
        why = f"each {one} by its {unit} of the day over the {unit} of all"
    return f"divided <b>{how}</b> over {targets}: {why}. {_key(rows, unit)}"


def _key(rows: Sequence[Mapping[str, Any]], unit: str) -> str:
    """The values that the method went by, of the largest target."""
    used: dict[Any, Decimal] = {}
    given: dict[Any, Decimal] = {}
    if sum(row["cost"] for row in rows) and all(row["share"] is None for row in rows):
        return "What it gave in all is shown to keys for every tenant."
    name = "tenant" if rows[0]["targets"] == "tenants" else "cost_centre"
    for row in rows:
        used[row[name]] = used.get(row[name], Decimal(0)) + row["quantity"]
        given[row[name]] = given.get(row[name], Decimal(0)) + row["cost"]
    most = max(given, key=lambda each: (given[each], str(each)))
    share = look.percent(given[most], sum(given.values(), Decimal(0)))
    told = f"{len(given)} {look.text(rows[0]['targets'])}; most to {look.text(most or grid.NAMES[name])}, {share}"
    if rows[0]["method"] in ("evenly", "by fixed shares"):
        return told + "."
    amounts = (
        _quantity(used[most], rows[0]["unit"]),
        _quantity(sum(used.values(), Decimal(0)), rows[0]["unit"]),
    )
    return f"{told} with {amounts[0]} of {amounts[1]}{'' if unit == 'cost' else f' {unit}'}."


def _quantity(amount: Decimal, unit: str) -> str:
    return look.count(round(amount)) if unit in ("Tokens", "Calls") else look.money(amount, unit)


def _largest(rows: Sequence[dict[str, Any]], target: str) -> list[dict[str, Any]]:
    """Those of the targets that were given most."""
    sums: dict[Any, Decimal] = {}
    for row in rows:
        sums[row[target]] = sums.get(row[target], Decimal(0)) + row["cost"]
    kept = sorted(sums, key=lambda each: (-sums[each], str(each)))[:_MOST_BARS]
    return [row for row in rows if row[target] in kept]


def _drawn(rows: Sequence[Mapping[str, Any]]) -> tuple[pl.DataFrame, dict[str, Any]]:
    shown = [
        {
            "rule": row["rule"],
            "method": row["method"] or "not in the file any more",
            **{name: row[name] or grid.NAMES[name] for name in ("cost_centre", "tenant", "owner")},
            "quantity": float(row["quantity"]),
            "unit": row["unit"].lower() if row["unit"] in ("Tokens", "Calls") else row["unit"],
            "share": None if row["share"] is None else 100 * row["share"],
            "cost": float(row["cost"]),
            "currency": row["currency"],
        }
        for row in rows
    ]
    column = st.column_config
    config: dict[str, Any] = {
        "rule": column.TextColumn("Rule", width="medium"),
        "method": column.TextColumn("Method"),
        "cost_centre": column.TextColumn("Cost centre"),
        "tenant": column.TextColumn("For the tenant"),
        "owner": column.TextColumn("Owner"),
        "quantity": column.NumberColumn("Used", format="localized"),
        "unit": column.TextColumn("Unit", width="small"),
        "share": column.NumberColumn("Share of the rule", format="%.2f %%"),
        "cost": column.NumberColumn("Given", format="%.6f"),
        "currency": column.TextColumn("Currency", width="small"),
    }
    return pl.DataFrame(shown, infer_schema_length=None), config
