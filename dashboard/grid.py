"""Tables: an Arrow report as a data grid, which shows foreign text as text, and as CSV with every digit."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

import polars as pl
import pyarrow as pa
import streamlit as st

from analytics.reviews.tables import plain_cell
from collector.overflow import OVERFLOW

__all__ = [
    "BASES",
    "NAMES",
    "amounts",
    "columns",
    "csv_bytes",
    "download",
    "frame",
    "heading",
    "height",
    "named",
    "show",
]

# What stands for a missing name. A word in brackets is no name that anyone chose.
NAMES: Mapping[str, str] = {
    "tenant": "(no tenant)",
    "workload": "(no workload)",
    "task": "(no task id)",
    "task_id": "(no task id)",
    "owner": "(unowned)",
    "cost_centre": "(no cost centre)",
    "tier": "(no tier)",
    "provider": "(no provider)",
    "model": "(no model)",
}
# What an amount rests on, and what that means: said wherever cost stands.
BASES: Mapping[str, str] = {
    "estimated": "usage that agents reported, at list or contract prices; no invoice has confirmed it yet",
    "reported": "as the provider or the agent states it, not computed here",
    "reconciled": "matched with the provider's invoice",
    "closed": "of a closed period: it never changes; what comes later is a correction",
}
_CENT = Decimal("0.01")
_FORMATS = {"USD": "dollar", "EUR": "euro"}
_OVER_CAP = "(names over the cap)"
_TALLEST = 12
_TITLES = {
    "calls": "Calls",
    "attempts": "Attempts",
    "tokens_in": "Tokens in",
    "cached": "of it cached",
    "output": "Tokens out",
    "unpriced_calls": "Unpriced",
    "incomplete_calls": "Incomplete",
    "unowned_calls": "Unowned",
}


def frame(table: pa.Table, names: Sequence[str]) -> pl.DataFrame:
    """What the grid draws: names, cost (as a float: for drawing only), its share, and counts.

    A row that has calls and no known cost keeps an empty cost, which is not 0.
    """
    rows = table.to_pylist()
    total = sum((row["cost"] for row in rows if row["cost"] is not None), Decimal(0))
    shown: list[dict[str, Any]] = []
    for row in rows:
        rest = bool(row.get("rest"))
        named = {name: f"(all {row['tasks']} others)" if rest else _name(row, name) for name in names}
        cost = row["cost"]
        share = None if cost is None or not total else float(100 * cost / total)
        counted = {**row, **_tokens(row)}
        counts = {name: counted[name] for name in (*_TITLES, "first_at", "last_at") if name in counted}
        shown.append(named | {"cost": None if cost is None else float(cost), "share": share} | counts)
    # A column without any value would have no type, and so no number's alignment and format.
    numbers = {"cost": pl.Float64, "share": pl.Float64}
    return pl.DataFrame(shown, infer_schema_length=None, schema_overrides=numbers)


def columns(names: Sequence[str], currency: str, titles: Mapping[str, str] | None = None) -> dict[str, Any]:
    """How the grid writes each column of `frame`."""
    number = st.column_config.NumberColumn
    config: dict[str, Any] = {
        name: st.column_config.TextColumn(
            (titles or {}).get(name, name.replace("_", " ").capitalize()), width="medium"
        )
        for name in names
    }
    config["cost"] = number(f"Cost, {currency}", format="%.4f")
    config["share"] = st.column_config.ProgressColumn(
        "Share", format="%.1f %%", min_value=0, max_value=100, width="small", color="primary"
    )
    for name, title in _TITLES.items():
        config[name] = number(title, format="localized")
    for name, title in (("first_at", "First call"), ("last_at", "Last call")):
        config[name] = st.column_config.DatetimeColumn(
            f"{title}, UTC", format="D MMM HH:mm:ss", timezone="UTC"
        )
    return config


def show(
    table: pa.Table,
    *,
    name: str,
    title: str,
    aside: str = "",
    basis: str | None = None,
    drawn: pl.DataFrame | None = None,
    config: Mapping[str, Any] | None = None,
    order: Sequence[str] | None = None,
    select: bool = False,
    totals: int = 0,
) -> int | None:
    """A heading, the table as CSV with every digit, and its grid; the place of the row that was chosen.

    `title` and `aside` are text of ours. `name` names the file and is unique on the page. `drawn` is what the grid
    shows where that is not the table itself; its rows are the table's, in their order, after as many `totals`.
    """
    heading(title, aside, basis=basis, table=table, name=name)
    shown = drawn if drawn is not None else pl.DataFrame(table)
    options: dict[str, Any] = {
        "column_config": dict(config or {}),
        "column_order": order,
        "hide_index": True,
        "height": height(table.num_rows + totals),
        "placeholder": "—",
        "alt": title,
    }
    if not select:
        st.dataframe(shown, **options, key=f"grid-{name}")
        return None
    # A new step takes a new key: the selection that led here would lead here again.
    key = f"grid-{name}-{st.session_state.get('steps', 0)}"
    event = st.dataframe(shown, **options, key=key, on_select="rerun", selection_mode="single-row")
    chosen = [row - totals for row in event["selection"]["rows"]]
    return chosen[0] if chosen and 0 <= chosen[0] < table.num_rows else None


def heading(
    title: str,
    aside: str = "",
    *,
    basis: str | None = None,
    table: pa.Table | None = None,
    name: str = "",
) -> None:
    """A section's heading, with what its amounts rest on, and its table as CSV where it has one."""
    mark = f'<span class="sg-basis" title="{BASES[basis]}">{basis}</span>' if basis else ""
    line = f'<div class="sg sg-h">{title} {mark}<small>{aside}</small></div>'
    if table is None:
        st.html(line)
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.html(line)
        download(table, name)


def amounts(currency: str, values: Iterable[Decimal | None]) -> str:
    """The format of a column of amounts: in cents where none is smaller, else with the digits of a small one."""
    known = [abs(value) for value in values if value]
    if currency in _FORMATS and (not known or min(known) >= _CENT):
        return _FORMATS[currency]
    return "%.4f" if not known or min(known) >= _CENT / 100 else "%.6f"


def height(rows: int) -> int | Literal["content"]:
    """As tall as its rows, up to a dozen; then it scrolls."""
    return "content" if rows <= _TALLEST else 36 * (_TALLEST + 1)


def csv_bytes(table: pa.Table) -> bytes:
    """The report as it came: amounts in full, unknown cost empty, text that looks like a formula guarded."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(table.column_names)
    for row in table.to_pylist():
        writer.writerow(
            plain_cell(value.isoformat() if hasattr(value, "isoformat") else value) for value in row.values()
        )
    return buffer.getvalue().encode()


def download(table: pa.Table, name: str) -> None:
    """A button that hands out the report as CSV."""
    st.download_button(
        "CSV",
        csv_bytes(table),
        f"{name}.csv",
        "text/csv",
        key=f"csv-{name}",
        icon=":material/download:",
        type="tertiary",
    )


def named(kind: str, name: str | None) -> str:
    """A name as it is shown: words in brackets stand for none, and for what was over a cap on names."""
    if name == OVERFLOW:
        return _OVER_CAP
    return name or NAMES[kind]


def _name(row: Mapping[str, Any], name: str) -> str:
    return named(name, row[name])


def _tokens(row: Mapping[str, Any]) -> dict[str, int]:
    if "cache_read" not in row:
        return {}
    cached = row["cache_read"]
    return {
        "tokens_in": row["input_uncached"] + cached + row["cache_write_5m"] + row["cache_write_1h"],
        "cached": cached,
    }
