"""The review as files: CSV and Parquet carry every digit, HTML is for reading, printing and signing.

In HTML amounts are rounded by largest remainder, so that each column adds up to the total under it, and
differences are those of the amounts shown. CSV text that a spreadsheet would take for a formula gets an apostrophe.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

import jinja2
import pyarrow as pa

from .apportion import rounded
from .review import TOP, Review, Row, Top

__all__ = ["UNOWNED", "csv_text", "digits", "html_page", "money", "parquet_table", "plain_cell"]

UNOWNED = "UNOWNED"
_AMOUNT = pa.decimal128(38, 12)
_AMOUNTS = ("actual", "plan", "variance", "previous", "week_on_week")
_COUNTS = ("calls", "unpriced_calls", "incomplete_calls", "breaker_trips")
_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}
_SMALL = Decimal(10)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MINUS = "\u2212"


def csv_text(review: Review) -> str:
    """One line an owner, the unowned line and the total (`kind`), amounts in full, a dot before decimals."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    table = parquet_table(review)
    writer.writerow(table.column_names)
    for row in table.to_pylist():
        writer.writerow(plain_cell(value) for value in row.values())
    return buffer.getvalue()


def parquet_table(review: Review) -> pa.Table:
    """The same lines as the CSV with types: amounts DECIMAL(38,12), counts 64 bit, NULL where not known."""
    kinds = [
        *(("unowned" if row.owner is None else "owner", row) for row in review.rows),
        ("total", review.total),
    ]
    lines = [_line(review, kind, row) for kind, row in kinds]
    return pa.Table.from_pylist(lines, schema=_schema())


def html_page(review: Review, *, generated_at: datetime, watermark: str | None) -> str:
    """A page that needs no other file, in light or dark as the reader's system says."""
    places = digits(review)
    shown = _shown(review, Decimal(1).scaleb(-places))
    scale = max((max(row.actual or 0, row.plan or 0) for row in shown.rows), default=Decimal(0))
    return _template().render(
        review=shown,
        generated_at=generated_at,
        watermark=watermark,
        amount=_amount_filter(places),
        money=lambda value: money(value, review.currency, places),
        percent=_percent,
        share=lambda part: float(100 * part / scale) if scale and part else 0.0,
        unowned=UNOWNED,
    )


def digits(review: Review) -> int:
    """How many decimals this review is read with: cents, or more where the week cost less than ten."""
    actual = review.total.actual
    return 4 if actual and actual < _SMALL else 2


def money(value: Decimal | None, currency: str, digits: int) -> str:
    """An amount for reading: "$1,234.50", "12.00 CHF"; an em dash where it is not known."""
    if value is None:
        return "—"
    sign, number = (_MINUS if value < 0 else ""), f"{abs(value):,.{digits}f}"
    symbol = _SYMBOLS.get(currency)
    return f"{sign}{symbol}{number}" if symbol else f"{sign}{number} {currency}"


def plain_cell(value: Any) -> str:
    """A CSV cell: numbers in full, NULL empty, and text that starts like a formula behind an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return str(value)


def _line(review: Review, kind: str, row: Row) -> dict[str, Any]:
    owner = {"owner": row.owner, "unowned": UNOWNED, "total": None}[kind]
    line: dict[str, Any] = {
        "week": review.week,
        "kind": kind,
        "owner": owner,
        "cost_centres": ", ".join(row.cost_centres) or None,
        "currency": review.currency,
        "actual": row.actual,
        "plan": row.plan,
        "variance": row.variance,
        "previous": row.previous,
        "week_on_week": row.change,
        "calls": row.calls,
        "unpriced_calls": row.unpriced_calls,
        "incomplete_calls": row.incomplete_calls,
        "breaker_trips": row.trips,
    }
    for place in range(TOP):
        top = row.top[place] if place < len(row.top) else None
        line[f"top_{place + 1}_tenant"] = top and top.tenant
        line[f"top_{place + 1}_workload"] = top and top.workload
        line[f"top_{place + 1}_cost"] = top and top.cost
    return line


def _schema() -> pa.Schema:
    fields = [(name, pa.string()) for name in ("week", "kind", "owner", "cost_centres", "currency")]
    fields += [(name, _AMOUNT) for name in _AMOUNTS]
    fields += [(name, pa.int64()) for name in _COUNTS]
    for place in range(1, TOP + 1):
        fields += [(f"top_{place}_tenant", pa.string()), (f"top_{place}_workload", pa.string())]
        fields += [(f"top_{place}_cost", _AMOUNT)]
    return pa.schema(fields)


def _shown(review: Review, quantum: Decimal) -> Review:
    """The review with amounts as they are printed: rounded, adding up along rows and columns."""
    columns = {name: _rounded([getattr(r, name) for r in review.rows], quantum) for name in _ROUNDED}
    rows = []
    for place, row in enumerate(review.rows):
        actual, plan, previous = (columns[name][place] for name in _ROUNDED)
        variance = None if actual is None else actual - (plan or 0)
        change = None if actual is None or previous is None else actual - previous
        top = tuple(_rounded_top(entry, quantum) for entry in row.top)
        rows.append(
            replace(
                row, actual=actual, plan=plan, previous=previous, variance=variance, change=change, top=top
            )
        )
    total = replace(
        review.total,
        actual=_sum(rows, "actual"),
        plan=None if review.total.plan is None else _sum(rows, "plan"),
        previous=_sum(rows, "previous"),
        variance=_sum(rows, "variance"),
        change=_sum(rows, "change"),
    )
    top = tuple(_rounded_top(entry, quantum) for entry in review.top)
    return replace(review, rows=tuple(rows), total=total, top=top)


_ROUNDED = ("actual", "plan", "previous")


def _rounded(values: Sequence[Decimal | None], quantum: Decimal) -> list[Decimal | None]:
    known = iter(rounded([value for value in values if value is not None], quantum))
    return [None if value is None else next(known) for value in values]


def _rounded_top(top: Top, quantum: Decimal) -> Top:
    return top if top.cost is None else replace(top, cost=top.cost.quantize(quantum))


def _sum(rows: Sequence[Row], name: str) -> Decimal:
    return sum((getattr(row, name) for row in rows if getattr(row, name) is not None), Decimal(0))


def _amount_filter(digits: int) -> Callable[..., str]:
    def amount(value: Decimal | None, *, signed: bool = False) -> str:
        if value is None:
            return "—"
        sign = _MINUS if value < 0 else "+" if signed and value > 0 else ""
        return f"{sign}{abs(value):,.{digits}f}"

    return amount


def _percent(part: Decimal | None, whole: Decimal | None, *, signed: bool = False) -> str:
    if part is None or not whole:
        return "—"
    value = 100 * part / whole
    sign = _MINUS if value < 0 else "+" if signed and value > 0 else ""
    return f"{sign}{abs(value):,.1f} %"


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("analytics"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("review.html.j2")
