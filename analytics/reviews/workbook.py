"""Workbook: the review as XLSX, a sheet for each section. For reading: a spreadsheet keeps 15 digits of an amount."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

import xlsxwriter  # type: ignore[import-untyped]
from xlsxwriter.format import Format  # type: ignore[import-untyped]
from xlsxwriter.worksheet import Worksheet  # type: ignore[import-untyped]

from .document import Review, Signature
from .sections import Section, Value, sections
from .wording import digits, instant

__all__ = ["xlsx"]

_LONGEST = 60


def xlsx(review: Review, signatures: Sequence[Signature], *, hash_: str) -> bytes:
    """A front sheet and one for each section; a name is text even where it looks like a formula."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(
        out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    ) as book:
        # Nothing of it depends on when it is made.
        made = review.cover.generated_at.astimezone(UTC).replace(tzinfo=None)
        book.set_properties(
            {"title": f"Cost-ownership review {review.week}", "author": "switchgear", "created": made}
        )
        formats = _formats(book, digits(review.total.actual))
        _front(book.add_worksheet("Review"), review, signatures, formats, hash_)
        for section in sections(review):
            _sheet(book.add_worksheet(section.title[:31]), section, formats, review.currency)
    return out.getvalue()


def _formats(book: xlsxwriter.Workbook, places: int) -> dict[str, Format]:
    number = "#,##0." + "0" * places
    return {
        "title": book.add_format({"bold": True, "font_size": 16}),
        "lead": book.add_format({"font_color": "#55616f", "text_wrap": True, "valign": "top"}),
        "head": book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "bottom"}),
        "text": book.add_format({"text_wrap": True, "valign": "top"}),
        "money": book.add_format({"num_format": number, "valign": "top"}),
        "change": book.add_format({"num_format": f"+{number};-{number};{number}", "valign": "top"}),
        "count": book.add_format({"num_format": "#,##0", "valign": "top"}),
        "share": book.add_format({"num_format": "0.0 %", "valign": "top"}),
        "day": book.add_format({"num_format": "yyyy-mm-dd", "valign": "top", "align": "left"}),
        "instant": book.add_format({"num_format": "yyyy-mm-dd hh:mm", "valign": "top", "align": "left"}),
        "bold": book.add_format({"bold": True, "top": 2}),
        "bold_money": book.add_format({"bold": True, "top": 2, "num_format": number}),
        "bold_count": book.add_format({"bold": True, "top": 2, "num_format": "#,##0"}),
    }


def _front(
    sheet: Worksheet, review: Review, signatures: Sequence[Signature], formats: dict[str, Format], hash_: str
) -> None:
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 1, 110)
    sheet.write_string(0, 0, f"Cost-ownership review {review.week}", formats["title"])
    cover = review.cover
    lines = [
        ("Days", f"{review.first_day} to {review.last_day}, {review.zone}"),
        ("Currency", review.currency),
        *(("", sentence) for sentence in review.headline.sentences),
        ("Made", instant(cover.generated_at)),
        ("All booked until", instant(cover.watermark)),
        ("Prices", ", ".join(cover.price_versions)),
        ("Ledger", f"{cover.ledger_state}; entry {cover.ledger_seq}, {cover.ledger_hash}"),
        ("Document", hash_),
        *(("Note", note) for note in review.notes),
        *(
            (
                "Signature",
                f"{each.name} for {each.owner or 'all of it'}, {instant(each.signed_at)}, {each.hash}",
            )
            for each in signatures
        ),
    ]
    for place, (name, text) in enumerate(lines, start=2):
        sheet.write_string(place, 0, name, formats["lead"])
        sheet.write_string(place, 1, text, formats["text"])


def _sheet(sheet: Worksheet, section: Section, formats: dict[str, Format], currency: str) -> None:
    sheet.write_string(0, 0, section.title, formats["title"])
    sheet.write_string(1, 0, f"{section.lead} Amounts in {currency}.")
    for place, column in enumerate(section.columns):
        sheet.write_string(3, place, column.label, formats["head"])
        texts = [str(row[place] or "") for row in section.rows]
        longest = max([len(column.label), 9, *map(len, texts)])
        sheet.set_column(
            place, place, min(_LONGEST, longest + 2) if column.weight else max(12, len(column.label) + 2)
        )
    for line, row in enumerate(section.rows, start=4):
        for place, (column, value) in enumerate(zip(section.columns, row, strict=True)):
            _write(sheet, line, place, value, formats.get(column.kind, formats["text"]), formats)
    last = 4 + len(section.rows)
    if not section.rows:
        sheet.write_string(4, 0, section.empty, formats["lead"])
    elif section.total is not None:
        for place, value in enumerate(section.total):
            kind = (
                "bold_money"
                if isinstance(value, Decimal)
                else "bold_count"
                if isinstance(value, int)
                else "bold"
            )
            _write(sheet, last, place, value, formats[kind], formats)
    if section.rows:
        sheet.autofilter(3, 0, last - 1, len(section.columns) - 1)
    sheet.freeze_panes(4, 1)


def _write(
    sheet: Worksheet, line: int, place: int, value: Value, shown: Format, formats: dict[str, Format]
) -> None:
    match value:
        case None:
            sheet.write_blank(line, place, None, shown)
        case Decimal() | int():
            sheet.write_number(line, place, float(value), shown)
        case datetime():
            sheet.write_datetime(line, place, value.astimezone(UTC).replace(tzinfo=None), formats["instant"])
        case date():
            sheet.write_datetime(line, place, datetime(value.year, value.month, value.day), formats["day"])  # noqa: DTZ001
        case _:
            sheet.write_string(line, place, value, shown)
