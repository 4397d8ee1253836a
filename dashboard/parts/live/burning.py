"""Burning: what is spent now a minute, its trend, and what that is beside the hour before. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from ...charts.spark import spark
from ...look import money

__all__ = ["MINUTES", "Minutes", "cost", "of_minutes", "rate", "total"]

MINUTES = 60
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Minutes:
    """Known cost of each of the last 60 whole minutes, and of the 60 before; in order of time."""

    last: tuple[Decimal, ...]
    before: tuple[Decimal, ...]

    @property
    def usual(self) -> Decimal:
        """A minute of the hour before."""
        return sum(self.before, Decimal(0)) / MINUTES


def of_minutes(rows: list[dict[str, Any]], now: datetime) -> Minutes:
    """From rows of the report `spend` by minute, over two hours up to now. A minute without calls cost nothing."""
    stop = now.replace(second=0, microsecond=0)
    known = {row["bucket"]: row["cost"] or Decimal(0) for row in rows}
    amounts = [known.get(stop - n * _MINUTE, Decimal(0)) for n in range(2 * MINUTES, 0, -1)]
    return Minutes(tuple(amounts[MINUTES:]), tuple(amounts[:MINUTES]))


def cost(row: Mapping[str, Any]) -> Decimal | None:
    """No calls cost nothing; calls of which none has a price cost nobody knows what."""
    if row["cost"] is not None:
        return Decimal(row["cost"])
    return None if row["calls"] else Decimal(0)


def rate(now_per_minute: Decimal | None, minutes: Minutes | None, currency: str) -> tuple[str, str]:
    """The last sixty seconds' cost with its trend, and how often the usual minute of the hour before goes into it."""
    line = (
        spark([float(each) for each in minutes.last], "cost of each minute of the last hour")
        if minutes
        else ""
    )
    value = f"{money(now_per_minute, currency)} <small>a minute</small>{line}"
    if now_per_minute is None or minutes is None:
        return value, "the hour before is not known"
    usual = minutes.usual
    if not usual:
        return value, "nothing in the hour before" if now_per_minute else "nothing, as in the hour before"
    times, usually = now_per_minute / usual, f"the hour before: {money(usual, currency)}"
    if times >= 2:
        mark = "hot" if times >= 5 else "warm"
        return value, f'<b class="sg-{mark}">▲ {times:,.1f} x</b> {usually}'
    change = 100 * (times - 1)
    sign = "+" if change > 0 else "\N{MINUS SIGN}" if change < 0 else ""
    return value, f"{sign}{abs(change):,.0f} % on {usually}"


def total(hour: Decimal | None, minutes: Minutes | None, currency: str) -> tuple[str, str]:
    """The last hour's cost, and by how much it is more or less than the one before."""
    value = money(hour, currency)
    if hour is None or minutes is None:
        return value, "the hour before is not known"
    before = sum(minutes.before, Decimal(0))
    if not before:
        return value, "nothing in the hour before"
    change = 100 * (hour - before) / before
    sign = "+" if change > 0 else "\N{MINUS SIGN}" if change < 0 else ""
    return value, f"{sign}{abs(change):,.0f} % on {money(before, currency)} before"
