"""Limits: how much one key may send and one tenant may name, as one value that an operator can change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..settings import changed

__all__ = ["Limits"]

# What a date can still hold.
_AT_MOST = {"future_minutes": 525_600, "past_days": 36_500}


@dataclass(frozen=True, slots=True)
class Limits:
    """What the collector takes; docs/limits.md says what happens beyond each. All are at least 1.

    The first four bind keys that speak for some tenants. A key for every tenant is the operator's own.
    """

    bytes_per_s: int = 32 * 1024 * 1024
    """Of requests as they are after inflating, by key, averaged over `burst_s`."""
    spans_per_s: int = 20_000
    """Billable or not, by key, averaged over `burst_s`."""
    burst_s: int = 10
    """How many seconds' worth a key may send at once after a pause."""
    requests_in_flight: int = 64
    """Requests of one key that are being read, decoded or written."""
    workloads: int = 1_000
    """Distinct names that one tenant may use in 31 days; all others are booked as `__overflow__`."""
    tasks: int = 10_000
    """Distinct task ids that one tenant may use in 24 hours; all others are booked as `__overflow__`."""
    future_minutes: int = 10
    """How far ahead of our clock a call may have begun; beyond it the call is quarantined."""
    past_days: int = 31
    """How long ago a call may have begun; beyond it the call is quarantined, or imported as history."""

    def changed(self, settings: Iterable[str]) -> Limits:
        """These limits with each "name=value" put in; the last of a name wins. Raises ValueError."""
        return changed(self, settings, what="limit", most=_AT_MOST)
