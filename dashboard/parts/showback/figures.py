"""Figures: the headline of a view: what it cost and how much of that is known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from dashboard import look
from dashboard.grid import BASES
from dashboard.view import View

from ..chargeback import months
from .ranked import Row

__all__ = ["basis", "basis_of", "cells", "mark", "over_cap"]

Cell = tuple[str, str, str]
_UNKNOWN = "—"


def basis_of(every: Sequence[months.Month], start: datetime, stop: datetime) -> str:
    """What the cost of a range rests on: that of the month that is least far, estimated where one is open."""
    first, last = start.date(), (stop - timedelta(microseconds=1)).date()
    within = [month for month in every if month.first_day <= last and first <= month.last_day]
    days = sum((min(month.last_day, last) - max(month.first_day, first)).days + 1 for month in within)
    if days < (last - first).days + 1 or any(month.basis == "estimated" for month in within):
        return "estimated"
    return "reconciled" if all(month.basis == "reconciled" for month in within) else "closed"


def basis(view: View, now: datetime) -> str:
    """The same for a view. A range up to now has an open month in it, so that only others need the months."""
    start, stop = view.span(now)
    return basis_of(months.known()[0], start, stop) if stop <= now else "estimated"


def mark(basis: str) -> str:
    """The word for a basis with what it means, as HTML."""
    return f' <span class="sg-basis" title="{BASES[basis]}">{basis}</span>'


def cells(total: Row, *, compared: bool, basis: str, savings: Cell) -> list[Cell]:
    """Label, value and what is beside it, as HTML of ours; if `compared`, against a range before that is known."""
    before = total.before or Row(total.label, {}, cost=Decimal(0), tokens_in=0, tokens_out=0, unowned=0)
    cost, currency = total.cost, total.currency or before.currency or "USD"
    if not total.calls:
        cost = Decimal(0)
    was = before.cost if before.calls else Decimal(0)

    def beside(now: Decimal | int | None, then: Decimal | int | None, words: str) -> str:
        return look.change(now, then) if compared and total.before is not None else words

    tokens = _UNKNOWN if total.tokens is None else f"{look.count(total.tokens)} tokens"
    retried, retried_before = total.attempts - total.calls, before.attempts - before.calls
    return [
        (
            f"Cost{mark(basis)}",
            look.money(cost, currency),
            beside(cost, was, "of calls, as they were booked"),
        ),
        ("Calls", look.count(total.calls), beside(total.calls, before.calls, tokens)),
        (
            "Cost of a call",
            look.money(_each(total), currency),
            beside(_each(total), _each(before), "mean over all calls"),
        ),
        (
            "Retried attempts",
            look.count(retried),
            beside(retried, retried_before, f"{_percent(retried, total.attempts)} of all attempts"),
        ),
        savings,
        _part(
            "Unowned",
            total.unowned,
            beside(total.unowned, before.unowned, f"{_percent(total.unowned or 0, total.calls)} of calls"),
        ),
        _part(
            "Unpriced",
            total.unpriced,
            beside(total.unpriced, before.unpriced, "no price is known: in no amount"),
        ),
        _part(
            "Incomplete",
            total.incomplete,
            beside(total.incomplete, before.incomplete, "usage was not wholly sent"),
        ),
    ]


def over_cap(calls: int) -> str:
    """A line where calls came under names over the cap; else nothing."""
    if not calls:
        return ""
    return (
        f'<div class="sg sg-note">{look.count(calls)} calls came under more names than are kept: they are in every '
        "sum, under <b>(names over the cap)</b>.</div>"
    )


def _each(row: Row) -> Decimal | None:
    return row.cost / row.calls if row.cost is not None and row.calls else None


def _percent(part: int, whole: int) -> str:
    return look.percent(Decimal(part), Decimal(whole))


def _part(name: str, calls: int | None, words: str) -> Cell:
    """Calls of which something is not known: in warning ink as soon as there is one."""
    if calls is None:
        return name, _UNKNOWN, ""
    value = f'<span class="{"sg-warm" if calls else ""}">{look.count(calls)}</span> <small>calls</small>'
    return name, value, words if calls else "none"
