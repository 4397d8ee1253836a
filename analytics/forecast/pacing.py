"""Pacing: whether what is spent, and what is forecast, keeps to a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from enum import StrEnum

from analytics.contracts.exact import EXACT, stored

from .month import Forecast

__all__ = ["Pacing", "Status", "pacing"]

# More than a tenth over its plan is explained before anything else is talked about.
_EXPLAINED = Decimal("0.10")
_NOTHING = Decimal(0)


class Status(StrEnum):
    """How a plan stands."""

    OK = "ok"
    """The plan is expected to hold, and so it would at the upper end of the band, but for a tenth."""
    WATCH = "watch"
    """More than the plan is expected, or more than a tenth over it is within the band."""
    OVER = "over"
    """More than a tenth over the plan is expected, or the plan is spent: explain first."""


@dataclass(frozen=True, slots=True)
class Pacing:
    """How spending stands against a plan; amounts at 12 places, in the plan's currency."""

    plan: Decimal
    spent: Decimal
    ahead: Decimal
    """What is spent beyond the part of the plan that is due by now; below zero: less is."""
    pace: Decimal | None
    """What is spent, over that part: 1.25 is a quarter too fast. None while nothing is due."""
    a_day: Decimal | None
    """What is expected of a day to come, on average; None where no day is left."""
    sustainable: Decimal | None
    """What each day to come may cost so that the plan holds; below zero where it is spent."""
    over: Decimal | None
    """The part of the plan by which more is expected at the end: 0.12 is 12 % over it. None without a plan."""
    used_up: date | None
    """The first day at whose end more than the plan is expected to be spent; today where it is already. None: none in
    this period."""
    status: Status

    @property
    def explain_first(self) -> bool:
        """Whether a review begins with it."""
        return self.status is Status.OVER


def pacing(forecast: Forecast, plan: Decimal, *, today: date) -> Pacing:
    """How the forecast's period stands against `plan`, the amount for all of it. A plan of 0 is one: nothing is due.

    Of a plan of 300.00 half is due when half of the period is over, by what its weekdays usually cost. With 180.00
    spent by then and 360.00 expected, it is 30.00 ahead, at a pace of 1.2, and 20 % over: explain first.
    """
    with localcontext(EXACT):
        due = stored(plan * forecast.elapsed)
        left = Decimal(len(forecast.days))
        return Pacing(
            plan=plan,
            spent=forecast.spent,
            ahead=forecast.spent - due,
            pace=_ratio(forecast.spent, due),
            a_day=stored(forecast.remaining / left) if left else None,
            sustainable=stored((plan - forecast.spent) / left) if left else None,
            over=_ratio(forecast.expected - plan, plan),
            used_up=_used_up(forecast.spent, forecast.days, plan, today),
            status=_status(forecast, plan),
        )


def _status(forecast: Forecast, plan: Decimal) -> Status:
    most = plan * (1 + _EXPLAINED)
    if forecast.expected > most or forecast.spent > plan:
        return Status.OVER
    return Status.WATCH if forecast.expected > plan or forecast.high > most else Status.OK


def _used_up(spent: Decimal, days: Sequence[tuple[date, Decimal]], plan: Decimal, today: date) -> date | None:
    if spent > plan:
        return today
    for day, cost in days:
        spent += cost
        if spent > plan:
            return day
    return None


def _ratio(part: Decimal, whole: Decimal) -> Decimal | None:
    return (part / whole).quantize(Decimal("0.0001")) if whole > 0 else None
