"""Timeline: who had a workload when. Of each workload all of time, in pieces that neither overlap nor leave a gap.

Where an imported line and one of the policy file speak of the same time, the imported one counts; where none speaks,
the piece has no owner. A change takes effect with the whole UTC hour in which its midnight lies, since calls are also
kept as sums by hour: in a zone that is half an hour off, up to 30 minutes early.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .lines import Workload, end_of, start_of

__all__ = ["Piece", "by_workload", "instant", "zone_named"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of time in which one workload was in the same hands."""

    tenant: str
    workload: str
    owner: str | None
    cost_centre: str | None
    starts_on: date | None
    ends_on: date | None
    begins: datetime | None
    """None: of the first piece."""
    ends: datetime | None
    """Not in it. None: of the last piece."""
    source: str | None
    """Who says so; None: nobody speaks of this time."""

    def holds(self, moment: datetime) -> bool:
        """Whether the moment lies in it."""
        return (self.begins is None or self.begins <= moment) and (self.ends is None or moment < self.ends)


def zone_named(name: str) -> ZoneInfo:
    """The time zone of that IANA name. Raises ValueError that says how one is written."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f'{name!r} is no time zone; write an IANA name such as "Europe/Berlin"') from None


def instant(day: date, zone: ZoneInfo) -> datetime:
    """The start of the UTC hour in which the day begins; a day whose midnight the clocks skip begins after it."""
    midnight = datetime.combine(day, time(), zone).astimezone(UTC)
    return midnight.replace(minute=0, second=0, microsecond=0)


def by_workload(
    sources: Sequence[tuple[str, Iterable[Workload]]], zone: ZoneInfo
) -> dict[tuple[str, str], list[Piece]]:
    """The pieces of each (tenant, workload) in their order. Of the sources the first that speaks of a time counts.

    Lines of one source must not overlap.
    """
    lines: defaultdict[tuple[str, str], list[tuple[str, Workload]]] = defaultdict(list)
    for source, told in sources:
        for line in told:
            lines[line.tenant, line.workload].append((source, line))
    return {key: _pieces(key, told, zone) for key, told in lines.items()}


def _pieces(key: tuple[str, str], told: Sequence[tuple[str, Workload]], zone: ZoneInfo) -> list[Piece]:
    days = {day for _, line in told for day in (line.starts_on, line.ends_on) if day is not None}
    by_source: defaultdict[str, list[Workload]] = defaultdict(list)
    for source, line in sorted(told, key=lambda each: start_of(each[1])):
        by_source[source].append(line)
    ranked = [(source, by_source[source]) for source in dict.fromkeys(source for source, _ in told)]
    held: list[tuple[date | None, tuple[str, Workload] | None]] = []
    for starts_on in (None, *sorted(days)):
        found = _holding(ranked, starts_on or date.min)
        if not held or held[-1][1] != found:
            held.append((starts_on, found))
    ends = [starts_on for starts_on, _ in held[1:]] + [None]
    return [
        _piece(key, found, starts_on, ends_on, zone)
        for (starts_on, found), ends_on in zip(held, ends, strict=True)
    ]


def _holding(ranked: Sequence[tuple[str, Sequence[Workload]]], day: date) -> tuple[str, Workload] | None:
    """Of the first source that has one: the line that holds on that day. Its lines are in the order of their days."""
    for source, lines in ranked:
        place = bisect_right(lines, day, key=start_of)
        if place and day < end_of(lines[place - 1]):
            return source, lines[place - 1]
    return None


def _piece(
    key: tuple[str, str],
    found: tuple[str, Workload] | None,
    starts_on: date | None,
    ends_on: date | None,
    zone: ZoneInfo,
) -> Piece:
    source, line = found or (None, None)
    return Piece(
        *key,
        line.owner if line else None,
        line.cost_centre if line else None,
        starts_on,
        ends_on,
        None if starts_on is None else instant(starts_on, zone),
        None if ends_on is None else instant(ends_on, zone),
        source,
    )
