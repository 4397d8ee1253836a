"""Periods: the part of a calendar month that a contract charges for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal, localcontext

from .errors import ContractError
from .exact import EXACT, stored
from .terms import Contract

__all__ = ["MINUTE", "Period", "minute_of", "period"]

MINUTE = timedelta(minutes=1)
_MONTH = re.compile(r"^(\d{4})-(0[1-9]|1[0-2])$")


@dataclass(frozen=True, slots=True)
class Period:
    """[start, end) in UTC, and how many minutes the whole month has of which it is a part."""

    start: datetime
    end: datetime
    month_minutes: int

    @property
    def minutes(self) -> int:
        return (self.end - self.start) // MINUTE

    def part_of(self, monthly: Decimal) -> Decimal:
        """What of a monthly amount or volume falls to this period: by its minutes, at 12 places."""
        if self.minutes == self.month_minutes:
            return monthly
        with localcontext(EXACT):
            return stored(monthly * self.minutes / self.month_minutes)


def minute_of(at: datetime) -> datetime:
    """The UTC minute that `at` lies in."""
    return at.astimezone(UTC).replace(second=0, microsecond=0)


def period(contract: Contract, month: str) -> Period | None:
    """The contract's part of a month such as "2026-11" in its own zone; None where it has none.

    Raises ContractError for what is no month.
    """
    found = _MONTH.match(month)
    if found is None or found[1] in ("0000", "9999"):
        raise ContractError(f'"{month}" is no month; write "2026-11"')
    year, number = int(found[1]), int(found[2])
    start = _midnight(year, number, contract.zone)
    end = _midnight(year + number // 12, number % 12 + 1, contract.zone)
    part = contract.span.within(start, end)
    return None if part is None else Period(*part, month_minutes=(end - start) // MINUTE)


def _midnight(year: int, month: int, zone: tzinfo) -> datetime:
    return datetime(year, month, 1, tzinfo=zone).astimezone(UTC)
