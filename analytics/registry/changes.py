"""Changes: what an import makes of the lines that were imported before, and how to tell of it.

A line of the new file takes the place of the line that begins on the same day, and within its own days of any other
line of its workload: a line from the 16th lets the one before it end there. What the file does not speak of stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from .document import IMPORTED, Registry
from .lines import KINDS, Kind, Line, end_of, start_of

__all__ = ["Change", "changes", "merged"]

What = Literal["added", "moved", "changed", "ended", "removed"]


@dataclass(frozen=True, slots=True)
class Change:
    """One line that is not as it was."""

    kind: Kind
    what: What
    """`moved`: another line of the same workload or cost centre ends on the day on which this one begins."""
    was: Line | None
    now: Line | None


def merged(
    before: Registry, told: Mapping[str, Sequence[Line]], *, zone: str | None = None, whole: bool = False
) -> Registry:
    """What is imported once these lines, by kind, are; `whole`: of their kinds nothing else stays."""
    lines = {
        name: tuple(told[name] if whole else _overlaid(kind, before.lines(kind), told[name]))
        if name in told
        else before.lines(kind)
        for name, kind in KINDS.items()
    }
    return Registry(**lines, zone=zone or before.zone, source=IMPORTED)  # type: ignore[arg-type]


def changes(before: Registry, after: Registry) -> Iterator[Change]:
    """What is not as it was: by kind, and by what it is about."""
    for kind in KINDS.values():
        was = {kind.place(line): line for line in before.lines(kind)}
        now = {kind.place(line): line for line in after.lines(kind)}
        ends = {(kind.key_of(line), end_of(line)): line for line in now.values() if kind.place(line) in was}
        begin = {(kind.key_of(line), start_of(line)) for place, line in now.items() if place not in was}
        for place in sorted({*was, *now}):
            old, new = was.get(place), now.get(place)
            if old == new:
                continue
            if new is None:
                yield Change(kind, "removed", old, None)
            elif old is None:
                previous = ends.get((kind.key_of(new), start_of(new))) if kind.is_dated else None
                yield Change(kind, "moved" if previous else "added", previous, new)
            elif not _only_ends(kind, old, new):
                yield Change(kind, "changed", old, new)
            elif (kind.key_of(new), end_of(new)) not in begin:
                # Else it ends because the next begins, of which that one tells.
                yield Change(kind, "ended", old, new)


def _overlaid(kind: Kind, before: Sequence[Line], told: Sequence[Line]) -> list[Line]:
    new: defaultdict[tuple[Any, ...], list[Line]] = defaultdict(list)
    for line in told:
        new[kind.key_of(line)].append(line)
    kept: list[Line] = []
    for line in before:
        others = new.get(kind.key_of(line), [])
        if not kind.is_dated:
            kept += [] if others else [line]
        elif not any(start_of(other) == start_of(line) for other in others):
            kept += _without(line, others)
    return [*kept, *told]


def _without(line: Line, others: Sequence[Line]) -> list[Line]:
    """What of the line's days is in none of the others'."""
    rest, begins = [], start_of(line)
    for other in sorted(others, key=start_of):
        if end_of(other) <= begins or start_of(other) >= end_of(line):
            continue
        if begins < start_of(other):
            rest.append(_within(line, begins, start_of(other)))
        begins = end_of(other)
    if begins < end_of(line):
        rest.append(_within(line, begins, end_of(line)))
    return rest


def _within(line: Line, begins: date, ends: date) -> Line:
    days: Any = {
        "starts_on": None if begins == date.min else begins,
        "ends_on": None if ends == date.max else ends,
    }
    return replace(line, **days)


def _only_ends(kind: Kind, old: Line, new: Line) -> bool:
    return kind.is_dated and _within(old, start_of(old), end_of(new)) == new and end_of(new) < end_of(old)
