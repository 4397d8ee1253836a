"""Health: whether what is shown can be trusted: ingest, booking, and what is not known of calls. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from ...look import count, percent, span

__all__ = ["Booking", "Ingest", "badge", "cells"]

_QUIET = timedelta(minutes=2)
# What was acknowledged is booked within a second; so much later something is wrong.
_STUCK = timedelta(seconds=15)
_PREFIX = "switchgear_collector_"
_REJECTED = f"{_PREFIX}rejected_spans_total"


@dataclass(frozen=True, slots=True)
class Ingest:
    """The collector's counters at a moment. Counts are since it started."""

    at: datetime
    spans: int
    rejected: Mapping[str, int]
    """By reason."""
    waiting: int
    """Acknowledged and not booked yet."""
    healthy: bool

    @classmethod
    def told(cls, figures: Mapping[str, float], at: datetime) -> Ingest:
        """From the collector's metrics."""
        rejected = {
            name.partition('reason="')[2].rstrip('"}'): int(value)
            for name, value in figures.items()
            if name.startswith(_REJECTED + "{") and value
        }
        return cls(
            at,
            int(figures.get(f"{_PREFIX}accepted_spans_total", 0)),
            rejected,
            int(figures.get(f"{_PREFIX}waiting_calls", 0)),
            figures.get(f"{_PREFIX}healthy", 1) != 0,
        )

    def per_second(self, before: Ingest | None) -> float | None:
        """Spans a second since an earlier moment; None where there is none, or the collector has started since."""
        if before is None or before.at >= self.at or before.spans > self.spans:
            return None
        return (self.spans - before.spans) / (self.at - before.at).total_seconds()


@dataclass(frozen=True, slots=True)
class Booking:
    """Up to when calls are booked. `waiting` is what is acknowledged and not booked; None where that is not told."""

    watermark: datetime | None
    waiting: int | None
    is_known: bool
    """Whether the collector says so now."""

    def age(self, now: datetime) -> timedelta | None:
        """How long ago the last call was booked."""
        return None if self.watermark is None else now - self.watermark

    def is_stuck(self, now: datetime) -> bool:
        """Whether calls wait to be booked and none is."""
        age = self.age(now)
        return bool(self.waiting) and age is not None and age > _STUCK

    def is_quiet(self, now: datetime) -> bool:
        """Whether nothing has come for so long that somebody should ask why."""
        age = self.age(now)
        return age is not None and age > _QUIET


def badge(booking: Booking, now: datetime) -> str:
    """The badge of the page's head: how fresh the facts are."""
    at, age = booking.watermark, booking.age(now)
    if at is None or age is None:
        return '<span class="sg-badge">nothing is booked yet</span>' if booking.is_known else _UNKNOWN
    told = f"booked up to <b>{at:%H:%M:%S} UTC</b>, {span(age.total_seconds())} ago"
    if not booking.is_known:
        return f'<span class="sg-badge bad">■ stale: {told}</span>'
    if booking.is_stuck(now):
        return f'<span class="sg-badge bad">■ booking has stopped: {told}</span>'
    if booking.is_quiet(now):
        return f'<span class="sg-badge warm">▲ no calls come: {told}</span>'
    return f'<span class="sg-badge">{told}</span>'


_UNKNOWN = '<span class="sg-badge bad">■ nothing is known of what is booked</span>'


def cells(
    booking: Booking,
    ingest: Ingest | None,
    per_second: float | None,
    hour: Mapping[str, Any],
    now: datetime,
) -> str:
    """A strip of cells: ingest, backlog, watermark, rejected; unpriced, incomplete and unowned of the last hour."""
    shown = (*_of_ingest(booking, ingest, per_second, now), *_of_hour(hour))
    return f'<div class="sg sg-health">{"".join(shown)}</div>'


def _of_ingest(booking: Booking, ingest: Ingest | None, per_second: float | None, now: datetime) -> list[str]:
    age = booking.age(now)
    late = "hot" if booking.is_stuck(now) else "warm" if booking.is_quiet(now) else ""
    watermark = _cell(
        "Last booked",
        "—" if age is None else f"{span(age.total_seconds())} ago",
        "calls wait and none is booked: docs/failures.md" if booking.is_stuck(now) else "docs/durability.md",
        late,
    )
    if ingest is None:
        told = "told to keys for every tenant" if booking.is_known else "not known now"
        return [
            _cell("Spans", "—", told),
            _cell("Backlog", "—", told),
            watermark,
            _cell("Rejected", "—", told),
        ]
    rejected = sum(ingest.rejected.values())
    worst = max(ingest.rejected, key=lambda code: ingest.rejected[code], default="")
    return [
        _cell(
            "Spans",
            "—" if per_second is None else f"{per_second:,.1f} <small>a second</small>",
            f"{count(ingest.spans)} since its start",
        ),
        _cell(
            "Backlog",
            f"{count(ingest.waiting)} <small>calls</small>",
            "on disk, not booked yet" if ingest.healthy else "the store cannot be written: docs/failures.md",
            "" if ingest.healthy else "hot",
        ),
        watermark,
        _cell(
            "Rejected",
            f"{count(rejected)} <small>spans</small>",
            f"most: {worst}; docs/limits.md" if worst else "since its start",
            "warm" if rejected else "",
        ),
    ]


def _of_hour(hour: Mapping[str, Any]) -> list[str]:
    names = ("Unpriced", "Incomplete", "Unowned")
    if not hour:
        return [_cell(name, "—", "not known now") for name in names]
    cost, unowned = hour["cost"], hour["unowned_calls"]
    share = percent(Decimal(hour["unowned_cost"] or 0), None if cost is None else Decimal(cost))
    return [
        _cell(
            names[0],
            f"{count(hour['unpriced_calls'])} <small>calls</small>",
            "give the model a price: docs/prices.md" if hour["unpriced_calls"] else "last hour",
            "warm" if hour["unpriced_calls"] else "",
        ),
        _cell(
            names[1],
            f"{count(hour['incomplete_calls'])} <small>calls</small>",
            "usage did not come: docs/usage.md" if hour["incomplete_calls"] else "last hour",
            "warm" if hour["incomplete_calls"] else "",
        ),
        _cell(
            names[2],
            f"{count(unowned)} <small>calls, {share} of cost</small>"
            if unowned
            else "0 <small>calls</small>",
            '<a href="showback?range=1h&amp;owner=" target="_self">whose they are</a>; docs/registry.md'
            if unowned
            else "last hour",
            "warm" if unowned else "",
        ),
    ]


def _cell(name: str, value: str, aside: str, tone: str = "") -> str:
    """One cell. All of it is HTML of ours, or a code of the collector's."""
    mark = {"hot": "■ ", "warm": "▲ "}.get(tone, "")
    inked = f'<span class="sg-{tone}">{mark}{value}</span>' if tone else value
    return f'<div><div class="l">{name}</div><div class="v">{inked}</div><div class="a">{aside}</div></div>'
