"""Wording: numbers, amounts and names of a report's row, as a person reads them; what is not known is a dash."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ..console import plain

__all__ = ["amount", "listed", "number", "percent", "times"]

_NAMES = 10


def number(count: int | None) -> str | None:
    """A count with its thousands apart."""
    return None if count is None else f"{count:,}"


def amount(text: str | None) -> str | None:
    """An amount of a report with four decimals."""
    return None if text is None else f"{Decimal(text):,.4f}"


def percent(share: float | None) -> str | None:
    """A share in whole percent."""
    return None if share is None else f"{100 * share:.0f} %"


def times(count: int, noun: str) -> str:
    """`1 task`, `2 tasks`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def listed(names: Sequence[str]) -> str:
    """The first ten names, and how many more there are."""
    shown = ", ".join(plain(name) for name in names[:_NAMES]) or "-"
    return shown if len(names) <= _NAMES else f"{shown} and {len(names) - _NAMES:,} more"
