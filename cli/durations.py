"""Times as the command line takes them: lengths as "30s", "5m", "24h", "90d", "13w"; instants as dates or RFC 3339."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

__all__ = ["duration", "instant"]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST = timedelta(days=100 * 366)


def duration(text: str) -> timedelta:
    """The length of time. Raises ValueError, which says what to write, for anything else."""
    match = re.fullmatch(r"(\d{1,9})([smhdw])", text)
    length = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else timedelta()
    if not timedelta() < length <= _LONGEST:
        raise ValueError(f'{text[:64]!r} is no length of time; write "30m", "24h" or "90d"')
    return length


def instant(text: str) -> datetime:
    """The instant in UTC; a date is its midnight, and a time without a zone is one in UTC.

    Raises ValueError, which says what to write, for anything else.
    """
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:64]!r} is no instant; write 2026-11-20 or 2026-11-20T08:00:00Z") from None
