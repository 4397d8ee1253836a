"""Cells: names in CSV files that people open in a spreadsheet, which would take some of them for formulas."""

from __future__ import annotations

__all__ = ["guarded", "opened"]

_FORMULA = tuple("=+-@\t\r\n")


def guarded(text: str) -> str:
    """The text with an apostrophe before what would be a formula; one more where it has some: `opened` takes it off."""
    return f"'{text}" if _would_be_one(text) else text


def opened(cell: str) -> str:
    """The text that `guarded` wrote."""
    return cell[1:] if cell.startswith("'") and _would_be_one(cell) else cell


def _would_be_one(text: str) -> bool:
    return text.lstrip("'").startswith(_FORMULA)
