"""Weeks: which reviews there are to look at, and how each stands. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

__all__ = ["Standing", "last_over", "offered", "week_of"]

_BACK = 13
_WEEK = timedelta(days=7)
_GLYPHS = {"sealed": "●", "published": "◧", "draft": "○", "running": "○"}


@dataclass(frozen=True, slots=True)
class Standing:
    """One week and how far its review has come: running, draft, published or sealed.

    `signed` and `unsigned` are owners: those whom the viewer may see.
    """

    week: str
    state: str
    hash: str | None = None
    published_at: datetime | None = None
    signed: tuple[str, ...] = ()
    unsigned: tuple[str, ...] = ()
    sealed_by: str | None = None
    sealed_at: datetime | None = None

    @property
    def first_day(self) -> date:
        return date.fromisocalendar(int(self.week[:4]), int(self.week[6:]), 1)

    @property
    def days(self) -> str:
        """Its days in words: "16 to 22 Nov 2026"."""
        first, last = self.first_day, self.first_day + timedelta(days=6)
        return f"{first.day}{'' if first.month == last.month else f' {first:%b}'} to {last.day} {last:%b %Y}"

    @property
    def words(self) -> str:
        """Its state in words."""
        if self.state == "sealed":
            return f"sealed by {self.sealed_by}"
        if self.state == "published":
            wanted = len(self.signed) + len(self.unsigned)
            return f"published, signed by {len(self.signed)} of {wanted}" if wanted else "published"
        return "not over yet" if self.state == "running" else "not published"

    @property
    def glyph(self) -> str:
        """A mark that goes before the words."""
        return _GLYPHS[self.state]


def week_of(day: date) -> str:
    """The ISO week of a day, as reviews name it."""
    year, number, _ = day.isocalendar()
    return f"{year}-W{number:02d}"


def last_over(now: datetime) -> str:
    """The last ISO week that is over, in UTC."""
    return week_of((now - _WEEK).date())


def offered(now: datetime, published: Iterable[Mapping[str, Any]]) -> list[Standing]:
    """The week that is running, those of the last quarter, and whichever was published before; the last first."""
    known = {each["week"]: _told(each) for each in published}
    running = week_of(now.date())
    recent = [week_of((now - place * _WEEK).date()) for place in range(_BACK + 1)]
    drafts = {week: Standing(week, "running" if week == running else "draft") for week in recent}
    return sorted((drafts | known).values(), key=lambda each: each.week, reverse=True)


def _told(each: Mapping[str, Any]) -> Standing:
    signatures = each["signatures"]
    seal = next((one for one in signatures if not one["owner"]), None)
    return Standing(
        each["week"],
        each["state"],
        each["hash"],
        datetime.fromisoformat(each["published_at"]),
        tuple(one["owner"] for one in signatures if one["owner"]),
        tuple(each["unsigned"]),
        str(seal["name"]) if seal else None,
        datetime.fromisoformat(seal["signed_at"]) if seal else None,
    )
