"""Breakers in the open loop: what a rule would have tripped on, while the stream goes on as it was.

A breach begins at the first tick with R > C and is over when R <= 0.9 C. A breaker opens when its rule holds, closes
when the rule has not held for a horizon, and at a breach's end; what opens during a breach does not count. One that has
been open for a whole window counts as opened anew. A trip is false when no breach begins within a window of it. A lead
is capped at the window. A contested window is an aligned one whose highest R lies in (0.5 C, C].
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from projection_drive import CEILINGS, Truth, Window

__all__ = ["LEVELS", "Tally", "breaches", "jumps", "lead_at", "tally", "total"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
LEVELS = (0.70, 0.80, 0.90, 0.95, 0.98)
_OVER_AT = 0.9
_LEADS = (0.02, 0.05, 0.10)


@dataclass(slots=True)
class Tally:
    """Counts of one rule: over tenants and ceilings they add up."""

    breaches: int = 0
    before: int = 0
    leads: list[int] = field(default_factory=lambda: [0] * len(_LEADS))
    trips: int = 0
    false: int = 0
    contested: int = 0
    ticks: int = 0
    wrongly_open: int = 0
    ages: list[int] = field(default_factory=list)
    """Leads in ticks, for their median."""

    def add(self, other: Tally) -> None:
        """Take in another tenant's, or another ceiling's."""
        self.breaches += other.breaches
        self.before += other.before
        self.leads = [one + two for one, two in zip(self.leads, other.leads, strict=True)]
        self.trips += other.trips
        self.false += other.false
        self.contested += other.contested
        self.ticks += other.ticks
        self.wrongly_open += other.wrongly_open
        self.ages += other.ages

    @property
    def before_share(self) -> float:
        return self.before / max(1, self.breaches)

    @property
    def lead_share(self) -> float:
        """Breaches with a lead of a twentieth of the window or more."""
        return self.leads[1] / max(1, self.breaches)

    @property
    def false_share(self) -> float:
        return self.false / max(1, self.trips)

    @property
    def false_per_contested(self) -> float:
        return self.false / max(1, self.contested)

    @property
    def wrongly_open_share(self) -> float:
        return self.wrongly_open / max(1, self.ticks)

    def __str__(self) -> str:
        two, five, ten = (each / max(1, self.breaches) for each in self.leads)
        return (
            f"{self.before_share:.3f} / {two:.2f} / {five:.3f} / {ten:.2f} / {self.false_share:.3f} / "
            f"{self.false_per_contested:.3f} / {self.wrongly_open_share:.2%}"
        )


def total(tallies: list[Tally]) -> Tally:
    """All of them together."""
    whole = Tally()
    for each in tallies:
        whole.add(each)
    return whole


def breaches(spent: Array, ceiling: float) -> list[tuple[int, int]]:
    """First tick over the ceiling, and first tick after the breach; the last one may end with the stream."""
    found = []
    over, back = np.flatnonzero(spent > ceiling), np.flatnonzero(spent <= _OVER_AT * ceiling)
    at = 0
    while (place := int(np.searchsorted(over, at))) < len(over):
        begin = int(over[place])
        place = int(np.searchsorted(back, begin))
        at = int(back[place]) if place < len(back) else len(spent)
        found.append((begin, at))
    return found


def jumps(spent: Array, ceiling: float) -> int:
    """Breaches with less than 0.8 C one tick earlier: nobody's fault."""
    return sum(1 for begin, _ in breaches(spent, ceiling) if begin and spent[begin - 1] < 0.8 * ceiling)


def tally(truth: Truth, ceiling: float, rule: Flags, window: Window) -> Tally:
    """One rule under one ceiling of one tenant."""
    spent, length, count = truth.spent, window.ticks, len(truth.spent)
    found = breaches(spent, ceiling)
    # What is over at the first tick has crossed the ceiling before anything was judged.
    begins = np.array([begin for begin, _ in found if begin], dtype=np.int64)
    result = Tally(breaches=len(begins), ticks=count)
    inside = np.zeros(count, bool)
    for begin, end in found:
        inside[begin:end] = True
    opened_at = np.full(count, -1)
    for opened, closed in _open_spans(rule, [end for _, end in found], window.horizon_ticks, count):
        opened_at[opened:closed] = opened
        if inside[opened]:
            continue
        for trip in range(opened, closed, length):
            if inside[trip]:
                break
            result.trips += 1
            result.false += not _breach_within(begins, trip, length)
    for begin in begins.tolist():
        opened = int(opened_at[begin - 1])
        # What opened in an earlier breach was closed at its end, so that it cannot reach here.
        if opened >= 0:
            result.before += 1
            lead = min(begin - opened, length)
            result.ages.append(lead)
            for place, share in enumerate(_LEADS):
                result.leads[place] += lead >= share * length
    ahead = np.zeros(count + 1, np.int64)
    for begin in begins.tolist():
        ahead[max(0, begin - length)] += 1
        ahead[begin] -= 1
    result.wrongly_open = int(((opened_at >= 0) & ~inside & (np.cumsum(ahead)[:count] == 0)).sum())
    highest = spent[: count // length * length].reshape(-1, length).max(axis=1)
    result.contested = int(((highest > 0.5 * ceiling) & (highest <= ceiling)).sum())
    return result


def ceilings(truth: Truth) -> list[float]:
    """The four ceilings of a tenant."""
    return [share * truth.p99 for share in CEILINGS]


def lead_at(false_share: float, levels: list[Tally]) -> float:
    """The level rules' share of breaches with a lead of W/20, between the two whose false shares enclose this one."""
    points = sorted((each.false_share, each.lead_share) for each in levels)
    return float(np.interp(false_share, [each[0] for each in points], [each[1] for each in points]))


def _open_spans(rule: Flags, ends: list[int], horizon: int, count: int) -> list[tuple[int, int]]:
    """When the breaker is open: from where the rule holds to a horizon without, cut at each breach's end."""
    holds = np.flatnonzero(rule)
    if not len(holds):
        return []
    stops = np.array([*ends, count + 1])
    # A new span begins where the rule has not held for a horizon, or where a breach's end lies between.
    piece = np.searchsorted(stops, holds, side="right")
    first = np.concatenate([[True], (np.diff(holds) > horizon) | (np.diff(piece) > 0)])
    opened = holds[first]
    last = holds[np.concatenate([first[1:], [True]])]
    closed = np.minimum(np.minimum(last + horizon, stops[np.searchsorted(stops, last, side="right")]), count)
    return list(zip(opened.tolist(), np.maximum(closed, opened + 1).tolist(), strict=True))


def _breach_within(begins: NDArray[np.int64], trip: int, length: int) -> bool:
    place = int(np.searchsorted(begins, trip, side="right"))
    return place < len(begins) and int(begins[place]) <= trip + length
