"""Sheets: registry lines as CSV, as spreadsheets write it. What kind of lines a file holds its header says.

Taken: UTF-8 with or without a byte order mark, commas, semicolons or tabs, quotes, any line ends, blank lines, empty
columns at the right. Every error names file, line, column, value and what to write; all are found at once.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..cells import guarded, opened
from .lines import KINDS, WORKLOADS, Kind, Line, clashes, read_line

__all__ = ["TEMPLATE", "Sheet", "SheetError", "read_sheets", "text_of"]

_TOLD = ("source", "calls", "cost", "currency", "first_seen", "last_seen")
"""Columns of an export that say more about a workload; an import takes nothing from them."""
TEMPLATE = (*WORKLOADS.fields, *_TOLD[1:])


class SheetError(ValueError):
    """Files that cannot be taken: one line for each finding."""


@dataclass(slots=True)
class Sheet:
    """What the files say together."""

    lines: dict[str, list[Line]] = field(default_factory=dict)
    """By kind, of those kinds that some file has a header of."""
    unfilled: int = 0
    """Lines of workloads that name neither owner nor cost centre, such as a template's: left out."""
    of_policies: int = 0
    """Lines that an export took from the policy file: left to it."""


def read_sheets(files: Mapping[str, bytes], kinds: Iterable[Kind] = tuple(KINDS.values())) -> Sheet:
    """What the files, by name, say. Raises SheetError with all that is wrong in any of them."""
    sheet, findings = Sheet(), []
    placed: dict[str, list[tuple[str, Line]]] = {}
    for name, content in files.items():
        findings += _read(name, content, tuple(kinds), sheet, placed)
    for kind, lines in placed.items():
        findings += clashes(KINDS[kind], lines)
        sheet.lines[kind] = [line for _, line in lines]
    if findings:
        raise SheetError("\n".join(findings))
    return sheet


def text_of(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """CSV with these columns; None is empty, and a text that starts like a formula stands behind an apostrophe."""
    cells = [list(columns), *([_guarded(row.get(name)) for name in columns] for row in rows)]
    return "".join(map(_row, cells))


def _read(
    name: str,
    content: bytes,
    kinds: Sequence[Kind],
    sheet: Sheet,
    placed: dict[str, list[tuple[str, Line]]],
) -> list[str]:
    try:
        rows = _rows(content)
        header = [cell.strip().lower().replace(" ", "_") for cell in rows[0][1]] if rows else []
        kind = _kind(header, kinds)
    except ValueError as unfit:
        return [f"{name}: {unfit}"]
    found, findings = placed.setdefault(kind.name, []), []
    for number, cells in rows[1:]:
        place = f"{name}:{number}"
        extra = [cell for cell in cells[len(header) :] if cell.strip()]
        values = dict(zip(header, map(_opened, cells), strict=False))
        if extra:
            findings.append(f"{place}: {extra[0]!r} stands beyond the last column; quote a text with commas")
        elif values.get("source") == "policies":
            sheet.of_policies += 1
        elif kind is WORKLOADS and not (values.get("owner") or values.get("cost_centre")):
            sheet.unfilled += 1
        else:
            line, wrong = read_line(kind, {column: values.get(column) or None for column in kind.fields})
            findings += [f"{place}: {column}: {reason}" for column, reason in wrong]
            found += [(place, line)] if line is not None else []
    return findings


def _rows(content: bytes) -> list[tuple[int, list[str]]]:
    """The rows that hold something, each with the number of its line. Raises ValueError."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError('is UTF-16; save it as "CSV UTF-8"')
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as unfit:
        line = content[: unfit.start].count(b"\n") + 1
        byte = content[unfit.start]
        raise ValueError(
            f'line {line} holds the byte 0x{byte:02x}, which is no UTF-8; save it as "CSV UTF-8"'
        ) from None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    found, begins = [], 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                found.append((begins, cells))
            begins = reader.line_num + 1
    except csv.Error as unfit:
        raise ValueError(f"line {begins}: {unfit}; is a quote open?") from None
    return found


def _delimiter(text: str) -> str:
    """What parts the columns, by the first line that holds something."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=header.count)


def _kind(header: Sequence[str], kinds: Sequence[Kind]) -> Kind:
    """Of which kind the lines are. Raises ValueError that says which headers there are."""
    known = " or ".join(",".join(kind.fields) for kind in kinds)
    columns = [name for name in header if name]
    if not columns:
        raise ValueError(f"is empty; write a header, one of: {known}")
    # The one whose columns the header has most of: a column that is missing or misspelt is named then.
    best = max(
        kinds, key=lambda kind: len(set(kind.fields) & set(columns)) - len(set(_needed(kind)) - set(columns))
    )
    missing = [name for name in _needed(best) if name not in columns]
    unknown = [
        name for name in columns if name not in best.fields and not (best is WORKLOADS and name in _TOLD)
    ]
    twice = sorted({name for name in columns if columns.count(name) > 1})
    wrong = [f"the column {name} is missing" for name in missing]
    wrong += [f"the column {name[:64]!r} is unknown" for name in unknown]
    wrong += [f"the column {name} stands there twice" for name in twice]
    if wrong:
        raise ValueError(f"line 1: {'; '.join(wrong)}; write the header {known}")
    return best


def _needed(kind: Kind) -> list[str]:
    return [name for name, each in kind.fields.items() if not each.is_optional]


def _row(cells: Sequence[str]) -> str:
    # Told to end lines with these two, it quotes a cell that holds either.
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue().removesuffix("\r\n") + "\n"


def _guarded(value: object) -> str:
    return guarded("" if value is None else str(value))


def _opened(cell: str) -> str:
    """What a cell says: without the apostrophe before what would be a formula, and the spaces round it."""
    return opened(cell.strip())
