"""Result: one line a figure, and the check that has to hold before any is printed."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from load import Request
from server import Collector

__all__ = ["Figure", "booked_exactly", "show"]

QUERYABLE_WITHIN_S = 300.0


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value; `wanted` is what the design asks for, where it does."""

    name: str
    value: float
    unit: str
    wanted: str = ""

    def __str__(self) -> str:
        digits = 0 if self.value >= 1000 or self.value == int(self.value) else 1
        wanted = f"  (wanted: {self.wanted})" if self.wanted else ""
        return f"  {self.name:<50}{self.value:>12,.{digits}f} {self.unit}{wanted}"


def show(title: str, figures: Iterable[Figure]) -> list[Figure]:
    """Print each figure as soon as it is there; all of them."""
    print(title, flush=True)
    shown = []
    for each in figures:
        print(each, flush=True)
        shown.append(each)
    return shown


def booked_exactly(collector: Collector, request: Request, requests: int) -> float:
    """Wait until every call of `requests` requests can be queried; the seconds waited.

    Raises AssertionError unless count and cost are exact. Every id was sent once, so the count shows both what is
    missing and what is there twice.
    """
    begun = time.perf_counter()
    wanted = requests * request.calls
    while (count := collector.rows("SELECT count(*) FROM calls")[0][0]) < wanted:
        assert time.perf_counter() - begun < QUERYABLE_WITHIN_S, f"{count} of {wanted} calls can be queried"
        time.sleep(0.02)
    waited = time.perf_counter() - begun
    cost = Decimal(collector.rows("SELECT sum(cost)::VARCHAR FROM calls")[0][0])
    assert (count, cost) == (wanted, requests * request.cost), (count, wanted, cost, requests * request.cost)
    return waited
