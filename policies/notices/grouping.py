"""Grouping: the first news leaves at once; what follows within the interval leaves together at its end.

A breaker that moves to and fro is one change with a count. `now` is an argument, in seconds of any clock.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field

from .events import Event, Kind, Place

__all__ = ["MOST", "Change", "Group", "Grouping"]

# So many breakers are named in a message; a person reads no more, and a receiver wants bodies of some 20 kB at most.
MOST = 50


@dataclass(slots=True)
class Change:
    """What became of one breaker: its first and its last event in the group, and how many there were."""

    first: Event
    last: Event
    count: int = 1


@dataclass(frozen=True, slots=True)
class Group:
    """What is told together: all that is new up to `upto` in the log. `more` are events of breakers not named.

    `digest` is SHA-256 over the hashes of its lines, in hex: the same lines have the same, whenever they are told.
    """

    changes: tuple[Change, ...]
    more: Counter[Kind]
    upto: Place
    digest: str


@dataclass(slots=True)
class Grouping:
    """What one destination has yet to be told. `seen` is the last line of the log that was looked at."""

    interval_s: float
    seen: Place
    _changes: dict[tuple[object, ...], Change] = field(default_factory=dict)
    _more: Counter[Kind] = field(default_factory=Counter)
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    _not_before: float = 0.0

    def add(self, event: Event) -> None:
        """Take in an event, to be told."""
        self._digest.update(event.hash.encode())
        if change := self._changes.get(event.breaker):
            change.last, change.count = event, change.count + 1
        elif len(self._changes) < MOST:
            self._changes[event.breaker] = Change(event, event)
        else:
            self._more[event.kind] += 1

    @property
    def due_at(self) -> float | None:
        """From when on there is something to tell; None where there is nothing."""
        return self._not_before if self._changes else None

    def cut(self, now: float | None = None) -> Group | None:
        """What is due at `now` (None: whatever waits), which is then no longer here; None where nothing is."""
        if not self._changes or (now is not None and now < self._not_before):
            return None
        group = Group(tuple(self._changes.values()), self._more, self.seen, self._digest.hexdigest())
        self._changes, self._more, self._digest = {}, Counter(), hashlib.sha256()
        if now is not None:
            self._not_before = now + self.interval_s
        return group
