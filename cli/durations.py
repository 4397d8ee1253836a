"""Lengths of time as the command line takes them: "30s", "5m", "24h", "90d"."""

from __future__ import annotations

import re
from datetime import timedelta

__all__ = ["duration"]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=100 * 366)


def duration(text: str) -> timedelta:
    """The length of time. Raises ValueError, which says what to write, for anything else."""
    match = re.fullmatch(r"(\d{1,9})([smhd])", text)
    length = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else timedelta()
    if not timedelta() < length <= _LONGEST:
        raise ValueError(f'{text[:64]!r} is no length of time; write "30m", "24h" or "90d"')
    return length
