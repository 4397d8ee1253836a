"""A call as bursts look at it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

__all__ = ["BACKGROUND", "MINUTE_US", "Call"]

BACKGROUND = "background"
MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True)
class Call:
    """What one call took and when: `at_us` is its begin in microseconds since the epoch.

    `tokens` are those that count towards the rate, as the contract weighs them. None where its usage is not known,
    and `cost` where it has no price: neither is zero.
    """

    at_us: int
    tenant: str
    workload: str | None
    task: str | None
    tier: str | None
    tokens: int | Decimal | None
    cost: Decimal | None
