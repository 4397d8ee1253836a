"""Where the reader stands in the showback: the range and the path tenant -> workload -> task, kept in the URL. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

__all__ = ["LEVELS", "RANGES", "Place", "Range"]

# The path's levels; the last one has nothing below it.
LEVELS = ("tenant", "workload", "task")


@dataclass(frozen=True, slots=True)
class Range:
    """A length of time up to now and the bucket that its trend is drawn in."""

    words: str
    length: timedelta
    bucket: str
    bucket_s: int


RANGES: Mapping[str, Range] = {
    "15m": Range("15 min", timedelta(minutes=15), "10s", 10),
    "1h": Range("1 hour", timedelta(hours=1), "minute", 60),
    "6h": Range("6 hours", timedelta(hours=6), "5m", 300),
    "24h": Range("24 hours", timedelta(hours=24), "15m", 900),
    "7d": Range("7 days", timedelta(days=7), "6h", 21600),
    "30d": Range("30 days", timedelta(days=30), "day", 86400),
}
DEFAULT_RANGE = "24h"


@dataclass(frozen=True, slots=True)
class Place:
    """A range and a path. An empty name in the path stands for the calls without one, as in the reports."""

    range: str
    path: tuple[str, ...] = ()

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Place:
        """The place that a URL names; what it says wrongly is left out, so an old link still opens."""
        path: list[str] = []
        for level in LEVELS:
            if level not in query:
                break
            path.append(query[level])
        chosen = query.get("range", DEFAULT_RANGE)
        return cls(chosen if chosen in RANGES else DEFAULT_RANGE, tuple(path))

    def query(self) -> dict[str, str]:
        """The query part of a URL that leads back here."""
        return {"range": self.range, **self.filters()}

    def filters(self) -> dict[str, str]:
        """The reports' parameters for this path."""
        return dict(zip(LEVELS, self.path, strict=False))

    def below(self, name: str | None) -> Place:
        """One level down."""
        return Place(self.range, (*self.path, name or ""))

    def up_to(self, depth: int) -> Place:
        """Back to the first `depth` names of the path."""
        return Place(self.range, self.path[:depth])

    @property
    def next_level(self) -> str | None:
        """What the rows one level down are: tenants, workloads or tasks; None at a task."""
        return LEVELS[len(self.path)] if len(self.path) < len(LEVELS) else None

    def span(self, now: datetime) -> tuple[datetime, datetime]:
        """From and to: whole buckets, the one that is running included, so that bars keep their place."""
        chosen = RANGES[self.range]
        stop = datetime.fromtimestamp((now.timestamp() // chosen.bucket_s + 1) * chosen.bucket_s, UTC)
        return stop - chosen.length, stop
