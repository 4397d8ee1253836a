"""Ranked: the rows of a table by what they cost, beside the range before, with shares, trends and a total. Pure.

Amounts stay exact until a grid draws them: the table for the CSV has every digit. What is not known is None, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pyarrow as pa

from dashboard.grid import named

__all__ = ["Row", "by_measure", "change", "rows_of", "sizes", "table_of", "total_of", "value_of"]

Value = Decimal | int | None
_MONEY = pa.decimal128(38, 12)
_MOST_TIMES = 10
_MINUS = "\N{MINUS SIGN}"
_NO_TRENDS: Mapping[str | None, Sequence[float]] = {}


@dataclass(frozen=True, slots=True)
class Row:
    """What one name costs; `names` are the report's own, `others` counts the names that it stands for beyond one."""

    label: str
    names: Mapping[str, str | None]
    calls: int = 0
    attempts: int = 0
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: Decimal | None = None
    currency: str | None = None
    unpriced: int = 0
    incomplete: int = 0
    unowned: int | None = None
    before: Row | None = None
    trend: Sequence[float] = field(default=())
    others: int = 0

    @property
    def tokens(self) -> int | None:
        """All of them, where the report knows."""
        return None if self.tokens_in is None or self.tokens_out is None else self.tokens_in + self.tokens_out


def rows_of(
    table: pa.Table,
    name: str,
    before: pa.Table | None = None,
    trends: Mapping[str | None, Sequence[float]] = _NO_TRENDS,
) -> list[Row]:
    """The rows of a report grouped by `name`, in its order; then those that only the range before had."""
    earlier = {} if before is None else {each.names[name]: each for each in _rows(before, name)}
    found = []
    for row in _rows(table, name, trends):
        past = None if row.others else earlier.pop(row.names[name], None)
        found.append(row if past is None else replace(row, before=past))
    return found + [_gone(past) for past in earlier.values()]


def total_of(table: pa.Table, before: pa.Table | None = None) -> Row:
    """All rows of a report as one; its cost is not known where that of none is."""
    total = _sum_of(_rows(table, None))
    return total if before is None else replace(total, before=_sum_of(_rows(before, None)))


def _sum_of(rows: Sequence[Row]) -> Row:
    costs = [row.cost for row in rows if row.cost is not None]
    return Row(
        "",
        {},
        calls=sum(row.calls for row in rows),
        attempts=sum(row.attempts for row in rows),
        tokens_in=sum(row.tokens_in or 0 for row in rows),
        tokens_out=sum(row.tokens_out or 0 for row in rows),
        cost=sum(costs, Decimal(0)) if costs else None,
        currency=next((row.currency for row in rows if row.currency), None),
        unpriced=sum(row.unpriced for row in rows),
        incomplete=sum(row.incomplete for row in rows),
        unowned=sum(row.unowned or 0 for row in rows),
    )


def by_measure(rows: Iterable[Row], measure: str) -> list[Row]:
    """The largest first; what is not known after that, and what stands for all others last of all."""

    def key(row: Row) -> tuple[bool, bool, bool, Decimal]:
        value = value_of(row, measure)
        return bool(row.others), not row.calls, value is None, -Decimal(value or 0)

    return sorted(rows, key=key)


def sizes(
    table: pa.Table, names: tuple[str, str], measure: str
) -> list[tuple[str | None, str | None, float]]:
    """The report grouped by two names as areas: what is not known has none."""
    outer, inner = names
    return [
        (row[outer], row[inner], float(value_of(_row(row, None, {}), measure) or 0))
        for row in table.to_pylist()
    ]


def value_of(row: Row, measure: str) -> Value:
    """What a row has of a measure: cost, calls or tokens."""
    found: Value = getattr(row, measure)
    return found


def change(row: Row, measure: str) -> str:
    """What became of a row since the range before, in words: new, gone, +12.4 %. More is never shown as good."""
    if row.before is None:
        return "new"
    if not row.calls:
        return "gone"
    now, before = value_of(row, measure), value_of(row.before, measure)
    if now is None or before is None:
        return "not known"
    if now == before:
        return "as before"
    if not before:
        return "was 0"
    if now > before * _MOST_TIMES:
        return f"{Decimal(now) / before:,.0f} times"
    share = 100 * (Decimal(now) - before) / before
    return f"{'+' if share > 0 else _MINUS}{abs(share):,.1f} %"


def table_of(rows: Sequence[Row], name: str, measure: str, *, compared: bool) -> pa.Table:
    """The rows as they are handed out: exact, with the range before and the change where that is compared."""
    whole = sum((Decimal(value_of(row, measure) or 0) for row in rows), Decimal(0))
    columns: dict[str, pa.Array] = {
        name: pa.array([row.names.get(name) if not row.others else row.label for row in rows], pa.string()),
        "cost": pa.array([row.cost for row in rows], _MONEY),
        "currency": pa.array([row.currency for row in rows], pa.string()),
        f"share_of_{measure}": pa.array(
            [_share(value_of(row, measure), whole) for row in rows], pa.float64()
        ),
    }
    if compared:
        kind = _MONEY if measure == "cost" else pa.int64()
        pasts = [None if row.before is None else value_of(row.before, measure) for row in rows]
        columns[f"{measure}_before"] = pa.array(pasts, kind)
        columns["change"] = pa.array(
            ["" if row.others else change(row, measure) for row in rows], pa.string()
        )
    counts = ("calls", "attempts", "tokens_in", "tokens_out", "unpriced", "incomplete", "unowned")
    for count in counts:
        columns[count] = pa.array([getattr(row, count) for row in rows], pa.int64())
    return pa.table(columns)


def _rows(
    table: pa.Table, name: str | None, trends: Mapping[str | None, Sequence[float]] = _NO_TRENDS
) -> list[Row]:
    return [_row(row, name, trends) for row in table.to_pylist()]


def _row(row: Mapping[str, Any], name: str | None, trends: Mapping[str | None, Sequence[float]]) -> Row:
    others = row["tasks"] if row.get("rest") else 0
    value = None if name is None else row["task_id" if name == "task" else name]
    names = {each: row[each] for each in ("tenant", "workload") if each in row}
    if name is not None:
        names[name] = value
    return Row(
        f"(all {others:,} others)" if others else "" if name is None else named(name, value),
        names,
        calls=row["calls"],
        attempts=row["attempts"],
        tokens_in=_tokens_in(row),
        tokens_out=row.get("output"),
        cost=row["cost"],
        currency=row["currency"],
        unpriced=row["unpriced_calls"],
        incomplete=row["incomplete_calls"],
        unowned=row.get("unowned_calls"),
        trend=() if others or name is None else trends.get(value, ()),
        others=others,
    )


def _gone(before: Row) -> Row:
    """A name that only the range before had: of this one it is known that there is nothing."""
    return Row(
        before.label,
        before.names,
        tokens_in=None if before.tokens_in is None else 0,
        tokens_out=None if before.tokens_out is None else 0,
        cost=Decimal(0),
        unowned=None if before.unowned is None else 0,
        before=before,
    )


def _tokens_in(row: Mapping[str, Any]) -> int | None:
    if "input_uncached" not in row:
        return None
    return sum(
        int(row[part]) for part in ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h")
    )


def _share(value: Value, whole: Decimal) -> float | None:
    return None if value is None or not whole else float(100 * Decimal(value) / whole)
