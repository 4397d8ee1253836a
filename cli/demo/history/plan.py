"""Plan: how many calls each workload makes in each week, hour by hour. Pure; the seed fixes all of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from .company import Company, Workload
from .draws import Floats, Ints
from .rhythm import HOURS, shape

__all__ = ["Plan", "Share", "Wanted", "plan"]

_HOUR = timedelta(hours=1)
_WEEK = timedelta(weeks=1)
_BUSY_DAYS_SIGMA = 0.08
"""How much busier or quieter than others one day of a workload is."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What fixes a history: the same values make the same bytes."""

    seed: int
    start: datetime
    """A full hour of UTC, as the end is."""
    end: datetime
    tenants: int
    workloads: int
    calls: int
    """In all, planted ones not counted."""
    plant: tuple[str, ...] = ()
    """Of `planted.PLANTS`."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a workload does in one week."""

    workload: Workload
    calls: int
    hours: Floats
    """The weight of each hour of it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The weeks of a history, the last of which may be shorter, and the shares of all workloads in them."""

    begins: tuple[datetime, ...]
    hours: Floats
    """workload x week x hour"""
    calls: Ints
    """workload x week"""
    company: Company

    def shares(self, week: int) -> Iterator[Share]:
        """Of each workload that makes calls in that week."""
        for workload in self.company.workloads:
            calls = int(self.calls[workload.number, week])
            if calls:
                yield Share(workload, calls, self.hours[workload.number, week])


def plan(wanted: Wanted, company: Company) -> Plan:
    """Share out the calls, which come to exactly `wanted.calls`."""
    hours = round((wanted.end - wanted.start) / _HOUR)
    weeks = -(-hours // HOURS)
    weights = np.zeros((len(company.workloads), weeks * HOURS))
    for workload in company.workloads:
        weights[workload.number, :hours] = _weights(workload, wanted, hours)
    by_week = weights.reshape(len(company.workloads), weeks, HOURS)
    return Plan(
        tuple(wanted.start + week * _WEEK for week in range(weeks)),
        by_week,
        _shared(by_week.sum(axis=2), wanted.calls),
        company,
    )


def _weights(workload: Workload, wanted: Wanted, hours: int) -> Floats:
    rng = np.random.default_rng([wanted.seed, workload.number])
    monday = datetime(1970, 1, 5, tzinfo=UTC)
    hour = np.arange(hours)
    of_week = shape(workload.kind.rhythm)[(hour + round((wanted.start - monday) / _HOUR)) % HOURS]
    grown = (1.0 + workload.weekly_growth) ** (hour / HOURS)
    days = np.exp(_BUSY_DAYS_SIGMA * rng.standard_normal(hours // 24 + 1))[hour // 24]
    there = (hour >= workload.begins * hours) & (hour < workload.ends * hours)
    weights: Floats = workload.weight * of_week * grown * days * there
    return weights


def _shared(weights: Floats, calls: int) -> Ints:
    """`calls` by these weights, the remainder to those that rounding down cost most."""
    exact = weights.ravel() * (calls / weights.sum())
    whole = np.floor(exact).astype(np.int64)
    whole[np.argsort(whole - exact, kind="stable")[: calls - int(whole.sum())]] += 1
    shared: Ints = whole.reshape(weights.shape)
    return shared
