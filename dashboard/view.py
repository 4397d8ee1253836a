"""What a viewer looks at: time range, filters and a page's own choices, as the URL has them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["DEFAULT_RANGE", "FILTERS", "RANGES", "Range", "View"]

FILTERS = ("tenant", "owner", "workload", "tier", "model")
"""What every page filters by. An empty value stands for what has none, as in the reports."""
_NAMES = (*FILTERS, "task")
_OWN = frozenset({"range", "from", "to", "compare", "currency", *_NAMES})
_LONGEST = timedelta(days=1100)
_SAME_FOR_S = 10


@dataclass(frozen=True, slots=True)
class Range:
    """A length of time up to now."""

    brief: str
    words: str
    length: timedelta


RANGES: Mapping[str, Range] = {
    "15m": Range("15 min", "15 min", timedelta(minutes=15)),
    "1h": Range("1 h", "1 hour", timedelta(hours=1)),
    "6h": Range("6 h", "6 hours", timedelta(hours=6)),
    "24h": Range("24 h", "24 hours", timedelta(hours=24)),
    "7d": Range("7 d", "7 days", timedelta(days=7)),
    "30d": Range("30 d", "30 days", timedelta(days=30)),
    "90d": Range("90 d", "90 days", timedelta(days=90)),
}
DEFAULT_RANGE = "24h"
# A bucket of the reports, and the longest range that is drawn in it: at most about a hundred bars.
_BUCKETS = (
    ("10s", 10, timedelta(minutes=15)),
    ("minute", 60, timedelta(hours=1)),
    ("5m", 300, timedelta(hours=6)),
    ("15m", 900, timedelta(hours=24)),
    ("hour", 3600, timedelta(days=4)),
    ("6h", 21600, timedelta(days=14)),
    ("day", 86400, _LONGEST),
)


@dataclass(frozen=True, slots=True)
class View:
    """A range, which is up to now or from `start` to `stop` (UTC, half-open), filters, and what a page adds."""

    range: str = DEFAULT_RANGE
    start: datetime | None = None
    stop: datetime | None = None
    compare: bool = False
    tenant: str | None = None
    owner: str | None = None
    workload: str | None = None
    tier: str | None = None
    model: str | None = None
    task: str | None = None
    currency: str | None = None
    """Where calls were paid in several: which of them amounts are in."""
    more: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> View:
        """The view that a URL names; what it says wrongly is left out, so that an old link still opens."""
        start, stop = _instant(query.get("from")), _instant(query.get("to"))
        if start is None or stop is None or not timedelta(0) < stop - start <= _LONGEST:
            start = stop = None
        chosen = query.get("range", DEFAULT_RANGE)
        return cls(
            chosen if chosen in RANGES else DEFAULT_RANGE,
            start,
            stop,
            query.get("compare") == "1",
            **{name: query[name] for name in _NAMES if name in query},
            currency=query.get("currency"),
            more={name: value for name, value in query.items() if name not in _OWN},
        )

    def query(self) -> dict[str, str]:
        """The query part of a URL that leads back here."""
        if self.start and self.stop:
            when = {"from": _text(self.start), "to": _text(self.stop)}
        else:
            when = {"range": self.range}
        compared = {"compare": "1"} if self.compare else {}
        return when | compared | self.priced() | self.filters() | dict(self.more)

    def but(self, **changes: Any) -> View:
        """The view with other values; None takes one away. Names that are not the view's own are the page's."""
        fields = {name: value for name, value in changes.items() if name in _FIELDS}
        more = {name: value for name, value in changes.items() if name not in _FIELDS}
        kept = {name: value for name, value in {**self.more, **more}.items() if value is not None}
        return replace(self, **fields, more=kept)

    def filters(self) -> dict[str, str]:
        """What the reports are filtered by."""
        named = {name: getattr(self, name) for name in _NAMES}
        return {name: value for name, value in named.items() if value is not None}

    def priced(self) -> dict[str, str]:
        """What reports in one currency are asked with beside filters."""
        return {} if self.currency is None else {"currency": self.currency}

    @property
    def length(self) -> timedelta:
        """How long the range is, but for its rounding to whole buckets."""
        return self.stop - self.start if self.start and self.stop else RANGES[self.range].length

    @property
    def bucket(self) -> tuple[str, int]:
        """What a trend of this range is drawn in: the reports' name of it, and its seconds."""
        return next((name, seconds) for name, seconds, longest in _BUCKETS if self.length <= longest)

    def span(self, now: datetime) -> tuple[datetime, datetime]:
        """From and to. Up to now in whole buckets, the one that is running included, so that bars keep their place."""
        if self.start and self.stop:
            return self.start, self.stop
        _, seconds = self.bucket
        stop = datetime.fromtimestamp((now.timestamp() // seconds + 1) * seconds, UTC)
        return stop - self.length, stop

    def before(self, now: datetime) -> tuple[datetime, datetime]:
        """The range of the same length before this one, as far as this one has come.

        Of a range up to now the last bucket has only begun: the range before ends as early in its own last bucket, so
        that like is compared with like; at whole ten seconds, so that the same is asked for as long.
        """
        start, stop = self.span(now)
        whole = datetime.fromtimestamp(now.timestamp() // _SAME_FOR_S * _SAME_FOR_S, UTC)
        reached = min(stop, max(start, whole))
        return start - self.length, reached - self.length

    def params(self, now: datetime) -> dict[str, str]:
        """A report's parameters for this range and these filters."""
        start, stop = self.span(now)
        return {"from": start.isoformat(), "to": stop.isoformat(), **self.filters()}

    def params_before(self, now: datetime) -> dict[str, str]:
        """The same for the range before."""
        start, stop = self.before(now)
        return {"from": start.isoformat(), "to": stop.isoformat(), **self.filters()}

    @property
    def topic(self) -> str:
        """The view's name among questions, which stays while "the last hour" moves on with time."""
        return repr(sorted(self.query().items()))

    @property
    def words(self) -> str:
        """The range, for a heading: "the last 24 hours", "1 Oct to 31 Oct 2026"."""
        if not (self.start and self.stop):
            return f"the last {RANGES[self.range].words}"
        last = self.stop - timedelta(seconds=1)
        return f"{self.start:%-d %b} to {last:%-d %b %Y}"


_FIELDS = frozenset(View.__dataclass_fields__) - {"more"}


def _instant(told: str | None) -> datetime | None:
    """A day or an instant of a URL, in UTC."""
    try:
        found = datetime.fromisoformat(told or "")
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%d}" if at == at.replace(hour=0, minute=0, second=0, microsecond=0) else at.isoformat()
