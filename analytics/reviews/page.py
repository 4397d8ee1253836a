"""Page: the review as it is read, in words and numbers as text, for the PDF and the HTML alike."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from .charts import CHARTS, drawn
from .document import OwnerLine, Review, Signature
from .sections import Section, Value, cells, sections
from .tiles import WARM, tiles
from .wording import digits, instant

__all__ = ["page"]

_FRONT = ("Owner", "Actual", "Variance", "Change", "Forecast", "Status", "Next action")
_FRONT_OWNERS = 6
_ONE_LINE = 96


def page(review: Review, signatures: Sequence[Signature], *, hash_: str) -> dict[str, Any]:
    """Everything that the templates show: only text, lists and mappings, as JSON takes them.

    `charts` are SVG documents by name. A `warm` part is one that wants attention.
    """
    places = digits(review.total.actual)
    return {
        "title": f"Cost-ownership review {review.week}",
        "week": review.week,
        "span": f"{review.first_day:%-d %B} to {review.last_day:%-d %B %Y}, {review.zone}",
        "currency": review.currency,
        "stamp": _stamp(review, hash_),
        "sentences": list(review.headline.sentences),
        "tiles": tiles(review),
        "charts": {name: svg for name in CHARTS if (svg := drawn(name, review)) is not None},
        "front": _front(review, places),
        "sections": [_section(section, places) for section in sections(review)],
        "signatures": _signatures(review, signatures),
        "seal": next((_signed(each) for each in signatures if not each.owner), None),
        "notes": list(review.notes),
    }


def _stamp(review: Review, hash_: str) -> list[list[str]]:
    cover = review.cover
    return [
        ["Made", instant(cover.generated_at)],
        ["All booked until", instant(cover.watermark)],
        ["Prices", ", ".join(cover.price_versions) or "—"],
        ["Ledger", f"{cover.ledger_state}; entry {cover.ledger_seq:,}, {cover.ledger_hash[:16] or 'empty'}"],
        ["Document", hash_[:16]],
    ]


def _front(review: Review, places: int) -> dict[str, Any]:
    """The owners on the first page: the dearest, all others as one line, and what has no owner; they add up."""
    full = next(section for section in sections(review) if section.key == "owners")
    at = [next(i for i, column in enumerate(full.columns) if column.label == label) for label in _FRONT]
    lines = list(zip(review.owners, full.rows, strict=True))
    owned = [(line, row) for line, row in lines if line.owner is not None]
    shown, others = owned[:_FRONT_OWNERS], owned[_FRONT_OWNERS:]
    if len(others) == 1:
        shown, others = owned, []
    rows = [_front_row(full, row, at, places, warm=_is_warm(line)) for line, row in shown]
    if others:
        summed = [_summed([row[place] for _, row in others]) for place in range(len(full.columns))]
        summed[0] = f"{len(others)} other owners"
        over = sum(line.status == "over" for line, _ in others)
        summed[at[-1]] = f"{over} of them are heading over plan" if over else "on plan"
        rows.append(_front_row(full, summed, at, places, warm=False))
    rows += [
        _front_row(full, row, at, places, warm=_is_warm(line)) for line, row in lines if line.owner is None
    ]
    total = cells(full, full.total, places) if full.total is not None else []
    return {
        "columns": [{"label": label, "right": 0 < place < 5} for place, label in enumerate(_FRONT)],
        "rows": rows,
        "total": [total[place] for place in at[:-1]] + [""] if total else [],
    }


def _is_warm(line: OwnerLine) -> bool:
    return line.status in WARM or (line.owner is None and bool(line.actual))


def _front_row(
    full: Section, row: Sequence[Value], at: Sequence[int], places: int, *, warm: bool
) -> dict[str, Any]:
    text = cells(full, row, places)
    *firsts, action = [text[place] for place in at]
    return {"cells": [*firsts, _one_line(action)], "warm": warm}


def _one_line(text: str) -> str:
    """What fits on a line, cut where a part of the sentence ends."""
    if len(text) <= _ONE_LINE:
        return text
    fits = text[: _ONE_LINE - 2]
    end = max(fits.rfind(mark) for mark in (": ", ", ", "; ", " ("))
    return (fits[:end] if end > 0 else fits) + " …"


def _summed(values: Sequence[Value]) -> Value:
    known = [value for value in values if isinstance(value, Decimal)]
    return sum(known, Decimal(0)) if known else ""


def _section(section: Section, places: int) -> dict[str, Any]:
    rows = [cells(section, row, places) for row in section.rows]
    numbers = frozenset({"money", "change", "count", "share"})
    return {
        "key": section.key,
        "title": section.title,
        "lead": section.lead,
        "columns": [
            {"label": column.label, "right": column.kind in numbers, "weight": column.weight}
            for column in section.columns
        ],
        "rows": [{"cells": row, "warm": place in section.warm} for place, row in enumerate(rows)],
        "total": cells(section, section.total, places) if section.total is not None and rows else [],
        "empty": section.empty,
        "chart": section.chart,
    }


def _signatures(review: Review, signatures: Sequence[Signature]) -> list[dict[str, Any]]:
    """Who has signed for which cost, and whose signature is still wanted."""
    by_owner = {each.owner: each for each in signatures}
    wanted = [line.owner for line in review.owners if line.owner is not None]
    lines = [
        (name, by_owner.get(name)) for name in [*wanted, *(o for o in by_owner if o and o not in wanted)]
    ]
    lines.append(("All of it", by_owner.get("")))
    return [
        {
            "for": name,
            "name": found.name if found else "",
            "at": instant(found.signed_at) if found else "not signed",
            "hash": found.hash[:16] if found else "",
            "note": (found.note or "") if found else "",
            "open": found is None,
        }
        for name, found in lines
    ]


def _signed(seal: Signature) -> str:
    return f"Signed by {seal.name} on {instant(seal.signed_at)}"
