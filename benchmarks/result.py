"""Result: one line a figure, and the check that has to hold before any is printed."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
from load import Request
from server import Collector

__all__ = ["Figure", "booked_exactly", "show"]

QUERYABLE_WITHIN_S = 300.0
_ASKED_AGAIN_S = 0.02


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
    until = begun + QUERYABLE_WITHIN_S
    wanted = requests * request.calls
    while (count := _value(collector, "SELECT count(*) FROM calls", until)) < wanted:
        assert time.perf_counter() < until, f"{count} of {wanted} calls can be queried"
        time.sleep(_ASKED_AGAIN_S)
    waited = time.perf_counter() - begun
    cost = Decimal(_value(collector, "SELECT sum(cost)::VARCHAR FROM calls", until))
    assert (count, cost) == (wanted, requests * request.cost), (count, wanted, cost, requests * request.cost)
    return waited


def _value(collector: Collector, sql: str, until: float) -> Any:
    """The one value that a query answers; asked again, as any client should, while it is told to come again."""
    while True:
        answer = collector.http.post("/v1/query", json={"sql": sql})
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.perf_counter() > until:
            assert answer.status_code == httpx.codes.OK, answer.text
            return answer.json()["rows"][0][0]
        time.sleep(_ASKED_AGAIN_S)
