"""Lengths, zones and moments of a policy file: how each is written, what it becomes, and what to write instead."""

from __future__ import annotations

import re
from datetime import datetime, time
from functools import cache
from typing import Annotated, Any, TypeAlias
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, WithJsonSchema

from analytics.documents import nearest, quoted

__all__ = ["Clock", "Instant", "Month", "Seconds", "WindowLength", "YearDay", "Zone"]

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST_S = 366 * 86400.0
# Years in which any offset's moment is a date in UTC too.
_FIRST_YEAR, _LAST_YEAR = 1970, 9998
_DAYS_OF_MONTH = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_LENGTH = r"^[0-9]+(\.[0-9]+)?\s*[smhd]$"
_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
_MONTH = r"^[0-9]{4}-(0[1-9]|1[0-2])$"
_YEAR_DAY = r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"


def _seconds(value: Any) -> float:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([smhd])", str(value))
    if match is None or float(match[1]) <= 0:
        raise ValueError(f'{quoted(value)} is not a length of time; write "30s", "5m", "1h" or "7d"')
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds > _LONGEST_S:
        raise ValueError(f"{quoted(value)} is longer than a year; write at most 366d")
    return seconds


def _window_length(value: Any) -> float:
    unit = value.strip().lower() if isinstance(value, str) else ""
    if unit in {"day", "week", "month", "fiscal"}:
        raise ValueError(f"{quoted(value)} is a calendar; write {{calendar: {unit}, zone: Europe/Berlin}}")
    seconds = _seconds(value)
    if seconds < 1.0:
        raise ValueError(f"{quoted(value)} is too short for a window; write at least 1s")
    return seconds


def _zone(value: Any) -> ZoneInfo:
    # Only a name that there is: a path, or a folder of zones, is none.
    if not isinstance(value, str) or value not in _zones():
        # Abbreviations are like each other and mean other hours.
        places = sorted(name for name in _zones() if "/" in name or name == "UTC")
        hint = nearest(value, places) or "; write a name such as Europe/Berlin, or UTC"
        raise ValueError(f"{quoted(value)} is no time zone{hint}")
    return ZoneInfo(value)


@cache
def _zones() -> frozenset[str]:
    """The names of all zones: looked up in folders, once."""
    return frozenset(available_timezones())


def _clock(value: Any) -> time:
    if not isinstance(value, str) or re.fullmatch(_CLOCK, value) is None:
        raise ValueError(f'{quoted(value)} is no time of day; write "06:00"')
    return time.fromisoformat(value)


def _month(value: Any) -> str:
    if not isinstance(value, str) or re.fullmatch(_MONTH, value) is None:
        raise ValueError(f'{quoted(value)} is no month; write "2026-11"')
    return value


def _year_day(value: Any) -> tuple[int, int]:
    if not isinstance(value, str) or re.fullmatch(_YEAR_DAY, value) is None:
        raise ValueError(f'{quoted(value)} is no day of a year; write month and day, such as "04-01"')
    month, day = int(value[:2]), int(value[3:])
    if day > _DAYS_OF_MONTH[month - 1]:
        raise ValueError(f"{quoted(value)} is no day of every year; write another, such as the 28th")
    return month, day


def _instant(value: Any) -> datetime:
    try:
        instant = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f'{quoted(value)} is no moment; write "2026-12-01T18:00:00Z"') from None
    if not _FIRST_YEAR <= instant.year <= _LAST_YEAR:
        raise ValueError(f'{quoted(value)} is in no year that can be meant; write "2026-12-01T18:00:00Z"')
    if instant.tzinfo is None:
        raise ValueError(
            f'{quoted(value)} has no offset; write "{instant.isoformat()}Z", or +01:00 at its end'
        )
    return instant


def _text(pattern: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": list(examples)})


Seconds: TypeAlias = Annotated[float, BeforeValidator(_seconds), _text(_LENGTH, "30s", "5m", "1h", "7d")]
WindowLength: TypeAlias = Annotated[float, BeforeValidator(_window_length), _text(_LENGTH, "60s", "1h", "7d")]
Zone: TypeAlias = Annotated[
    ZoneInfo, BeforeValidator(_zone), WithJsonSchema({"type": "string", "examples": ["Europe/Berlin", "UTC"]})
]
Clock: TypeAlias = Annotated[time, BeforeValidator(_clock), _text(_CLOCK, "06:00")]
Month: TypeAlias = Annotated[str, BeforeValidator(_month), _text(_MONTH, "2026-11")]
YearDay: TypeAlias = Annotated[tuple[int, int], BeforeValidator(_year_day), _text(_YEAR_DAY, "04-01")]
Instant: TypeAlias = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-12-01T18:00:00Z"]}),
]
