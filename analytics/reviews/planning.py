"""Planning: what an owner's plan is for some days, from the plans of cost centres by month."""

from __future__ import annotations

import calendar
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from ..apportion import evenly
from ..registry import Plan, Registry

__all__ = ["Planned", "centres", "planned"]

_CENT = Decimal("0.01")
_MICRO = Decimal("0.000001")
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan of each owner that has one; None is what no owner answers for. `notes` say what was decided how."""

    by_owner: Mapping[str | None, Decimal]
    notes: tuple[str, ...] = ()

    @property
    def total(self) -> Decimal | None:
        """All of it; None where nothing is planned."""
        return sum(self.by_owner.values(), _NOTHING) if self.by_owner else None


def centres(lines: Iterable[Mapping[str, Any]], registry: Registry, day: date) -> dict[str, set[str]]:
    """Who answers for workloads of each cost centre: registered on that day, or seen with cost in the lines."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for line in registry.workloads:
        begun = line.starts_on is None or line.starts_on <= day
        if begun and (line.ends_on is None or day < line.ends_on) and line.owner and line.cost_centre:
            found[line.cost_centre].add(line.owner)
    for seen in lines:
        if seen["owner"] is not None and seen["cost_centre"] is not None:
            found[seen["cost_centre"]].add(seen["owner"])
    return found


def planned(
    plans: Sequence[Plan], of_centres: Mapping[str, set[str]], days: Sequence[date], currency: str
) -> Planned:
    """What is planned for these days. A month's plan is spread evenly over its days, rounded to the cent by largest
    remainder: the first days take the cents left over.

    3,000.00 for November is 100.00 a day, and 700.00 for a week of it.
    """
    by_owner: defaultdict[str | None, Decimal] = defaultdict(Decimal)
    shared: set[str] = set()
    ownerless: set[str] = set()
    foreign: set[str] = set()
    for plan in plans:
        if not any(_is_in(day, plan.month) for day in days):
            continue
        if plan.currency != currency:
            foreign.add(f"{plan.cost_centre} ({plan.currency})")
            continue
        quantum = _CENT if plan.amount == plan.amount.quantize(_CENT) else _MICRO
        owners: list[str | None] = [*sorted(of_centres.get(plan.cost_centre, ()))] or [None]
        if owners == [None]:
            ownerless.add(plan.cost_centre)
        elif len(owners) > 1:
            shared.add(plan.cost_centre)
        parts = evenly(_prorated(plan, days, quantum), len(owners), quantum)
        for owner, part in zip(owners, parts, strict=True):
            by_owner[owner] += part
    found = (
        ("Cost centres with several owners share their plan evenly", shared),
        ("Cost centres with a plan and no owner stand in the unowned row", ownerless),
        (f"Plans in another currency than {currency} are not compared", foreign),
    )
    return Planned(by_owner, tuple(f"{what}: {', '.join(sorted(who))}." for what, who in found if who))


def _prorated(plan: Plan, days: Sequence[date], quantum: Decimal) -> Decimal:
    length = calendar.monthrange(plan.month.year, plan.month.month)[1]
    by_day = evenly(plan.amount, length, quantum)
    return sum((by_day[day.day - 1] for day in days if _is_in(day, plan.month)), _NOTHING)


def _is_in(day: date, month: date) -> bool:
    return (day.year, day.month) == (month.year, month.month)
