"""Tiles: the week's headline figures as they stand at the top of every kind of page."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from .document import Headline, Review
from .wording import NOT_KNOWN, digits, money, percent

__all__ = ["WARM", "tiles"]

WARM = frozenset({"over", "watch"})
"""The states of a month's plan that want attention."""


def tiles(review: Review) -> list[dict[str, Any]]:
    """Label, value and a line under it, as they are read; a `warm` one wants attention. At most six."""
    head, currency, places = review.headline, review.currency, digits(review.total.actual)

    def cash(value: Decimal | None) -> str:
        return money(value, currency, places)

    def more(value: Decimal | None) -> str:
        return f"+{cash(value)}" if value is not None and value > 0 else cash(value)

    tasks = "" if head.tasks is None else f", {head.tasks:,} tasks"
    found = [
        {
            "label": "Spent this week",
            "value": cash(head.actual),
            "aside": f"{head.calls:,} calls{tasks}",
            "warm": False,
        },
        _against_plan(head, cash, more),
        {
            "label": "Against last week",
            "value": more(head.change),
            "aside": f"from {cash(head.previous)} ({percent(head.change, head.previous, sign=True)})",
            "warm": head.change is not None and head.change > 0,
        },
    ]
    if (ahead := head.forecast) is not None:
        found.append(
            {
                "label": f"{ahead.month} will cost",
                "value": cash(ahead.expected),
                "aside": f"{cash(ahead.low)} to {cash(ahead.high)}",
                "warm": ahead.status in WARM,
            }
        )
    if head.units:
        unit = head.units[0]
        found.append(
            {
                "label": f"Cost of {unit.name}",
                "value": money(unit.now, currency, 4),
                "aside": f"last week {money(unit.before, currency, 4)}",
                "warm": unit.now is not None and unit.before is not None and unit.now > unit.before,
            }
        )
    cover = review.cover
    found.append(
        {
            "label": "Has an owner",
            "value": percent(cover.coverage),
            "aside": f"{cash(cover.unowned)} has none",
            "warm": cover.coverage is not None and cover.coverage < Decimal("0.95"),
        }
    )
    return found


def _against_plan(
    head: Headline, cash: Callable[[Decimal | None], str], more: Callable[[Decimal | None], str]
) -> dict[str, Any]:
    if head.plan is None or head.variance is None:
        return {
            "label": "Against plan",
            "value": NOT_KNOWN,
            "aside": "there is no plan for this week",
            "warm": False,
        }
    over = head.variance > 0
    return {
        "label": "Over plan" if over else "Under plan",
        "value": more(head.variance),
        "aside": f"of {cash(head.plan)} ({percent(head.variance, head.plan, sign=True)})",
        "warm": over,
    }
