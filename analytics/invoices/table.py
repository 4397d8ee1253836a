"""Table: statements as CSV, by commas or semicolons: the rows of one, and the plain form of it that people write.

The plain form has the columns of `COLUMNS`; `day` and `amount` or `quantity` must have a value in each row.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence

from .figures import amount_of, currency_of, day_of, figure_of
from .line import KINDS, USAGE_ONLY, InvoiceLine, Parsed
from .names import provider_of
from .problems import Problems, shown

__all__ = ["COLUMNS", "plain", "rows"]

COLUMNS = (
    "day",
    "model",
    "project",
    "kind",
    "quantity",
    "amount",
    "currency",
    "provider",
    "service_tier",
    "item",
)
"""The columns of the plain form; the last three may be missing, and so may `model`, `project`, `kind`, `quantity`."""

_NEEDED = ("day", "amount", "currency")
Row = tuple[str, Mapping[str, str]]


def rows(text: str, problems: Problems) -> tuple[tuple[str, ...], Iterator[Row]]:
    """The names in the first line, and each row with its place. A row of another length is a problem."""
    first = text.lstrip("\r\n").split("\n", 1)[0]
    separator = ";" if first.count(";") > first.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    filled = _filled(reader, problems)
    _, header = next(filled, ("", []))
    names = tuple(name.strip() for name in header)
    return names, _named(names, filled, problems)


def plain(names: Sequence[str], given: Iterator[Row], provider: str | None, problems: Problems) -> Parsed:
    """The lines of a plain table. `provider` is whose they are where no column says so."""
    known = [name.lower() for name in names]
    for nth, name in enumerate(names):
        if name.lower() not in COLUMNS:
            problems.add("line 1", f"{shown(name)} is no column of a table; there are: {', '.join(COLUMNS)}")
        elif name.lower() in known[:nth]:
            problems.add("line 1", f"{shown(name)} stands there twice; name each column once")
    for needed in _NEEDED:
        if needed not in known:
            problems.add("line 1", f"no column {needed}; a table needs {', '.join(_NEEDED)}")
    problems.stop()
    lines = []
    for place, row in given:
        cells = {name.lower(): value.strip() for name, value in row.items()}
        if (line := _line(place, cells, provider, problems)) is not None:
            lines.append(line)
    return Parsed("table", tuple(lines))


def _line(
    place: str, cells: Mapping[str, str], provider: str | None, problems: Problems
) -> InvoiceLine | None:
    def text(name: str) -> str | None:
        return cells.get(name) or None

    day = day_of(cells["day"], f"{place}, day", problems)
    amount = quantity = None
    currency: str | None = USAGE_ONLY
    if (stated := text("amount")) is not None:
        amount = amount_of(stated, f"{place}, amount", problems)
        currency = currency_of(cells["currency"], f"{place}, currency", problems)
    elif text("quantity") is None:
        problems.add(f"{place}, amount", "nothing, and no quantity either; write an amount such as 12.34")
    if (stated := text("quantity")) is not None:
        quantity = figure_of(stated, f"{place}, quantity", problems)
    kind = text("kind") or "other"
    if kind not in KINDS:
        problems.add(f"{place}, kind", f"{shown(kind)} is no kind; there are: {', '.join(KINDS)}")
    whose = text("provider") or provider
    if whose is None:
        problems.add(
            place, "nothing says which provider bills this; add a column provider, or name it beside the file"
        )
    if day is None or currency is None or whose is None:
        return None
    item = text("item") or ", ".join(part for part in (text("model"), kind) if part)
    return InvoiceLine(
        provider_of(whose),
        day,
        text("model"),
        text("project"),
        kind,
        text("service_tier"),
        quantity,
        amount,
        currency,
        item,
    )


def _filled(reader: Iterator[list[str]], problems: Problems) -> Iterator[tuple[str, list[str]]]:
    """Each row that is not empty, with its place."""
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problems.add(_place(reader), f"no CSV that can be read: {error}; save the table again as CSV")
            return
        if any(cell.strip() for cell in row):
            yield _place(reader), row


def _place(reader: object) -> str:
    return f"line {getattr(reader, 'line_num', 0)}"


def _named(
    names: Sequence[str], filled: Iterator[tuple[str, list[str]]], problems: Problems
) -> Iterator[Row]:
    for place, row in filled:
        if len(row) == len(names):
            yield place, dict(zip(names, row, strict=True))
        else:
            problems.add(place, f"{len(row)} cells under {len(names)} columns; give each column one cell")
