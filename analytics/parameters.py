"""Parameters: what a report is asked with, as text, and what it means. Everything unfit raises ReportError."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from collector.reporting import ReportError

__all__ = ["MAX_TOP", "at_most", "check_names", "instant", "only", "time_range"]

MAX_TOP = 1000


def check_names(params: Mapping[str, str], known: Collection[str]) -> None:
    """Refuse a parameter that the report does not know."""
    for name in params:
        if name not in known:
            raise ReportError(f"{name}: unknown parameter; there are: {', '.join(known)}")


def time_range(params: Mapping[str, str]) -> tuple[datetime, datetime]:
    """The half-open range `from` to `to`."""
    start, stop = instant(params, "from"), instant(params, "to")
    if stop < start:
        raise ReportError(f"to: {params['to']} is before from: {params['from']}")
    return start, stop


def instant(params: Mapping[str, str], name: str) -> datetime:
    """The instant of that name, in UTC."""
    text = params.get(name, "")
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ReportError(
            f'{name}: {text!r} is no time; write RFC 3339, such as "2026-11-16T00:00:00Z"'
        ) from None
    if found.tzinfo is None:
        raise ReportError(f'{name}: {text!r} has no offset; write one, such as "2026-11-16T00:00:00Z"')
    try:
        return found.astimezone(UTC)
    except OverflowError:
        raise ReportError(f"{name}: {text!r} is outside the years 1 to 9999 in UTC") from None


def only(params: Mapping[str, str], columns: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """SQL that goes on with AND for the names that are asked for, each in its column, and the values it binds.

    An empty value asks for what has none; no name is empty.
    """
    asked = sorted(columns.keys() & params.keys())
    conditions = "".join(f" AND coalesce({columns[name]}, '') = $only_{name}" for name in asked)
    return conditions, {f"only_{name}": params[name] for name in asked}


def at_most(params: Mapping[str, str], *, default: int) -> int:
    """How many rows `top` asks for."""
    text = params.get("top", str(default))
    if not (re.fullmatch("[0-9]{1,4}", text) and 1 <= int(text) <= MAX_TOP):
        raise ReportError(f"top: {text[:64]!r} is no number from 1 to {MAX_TOP}")
    return int(text)
