"""Settlements: calls whose hold is settled and whose booking has not come. What is overdue goes to the ledger.

A span can be lost, or never be made; the money was spent all the same. The collector books a settlement as a call of
its own, and makes one call of it and of the span that comes after all.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any

from switchgear.usage import COUNTS, Usage

from .admission import GrantRequest

__all__ = ["Settlement", "Unbooked"]

# Some 60 MB. With more calls settled than this while the collector is away, the oldest are left to their spans.
MAX_KEPT = 100_000


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one hold. `usage` is None where the provider's counts did not come; times are epoch seconds."""

    lease: str
    asked: GrantRequest
    model: str
    usage: Usage | None
    response_id: str | None
    began_at: float
    ended_at: float

    def to_wire(self) -> dict[str, Any]:
        """As the collector takes it."""
        who, usage = self.asked.who, self.usage
        return {
            "lease_id": self.lease,
            "tenant": who.tenant,
            "workload": who.workload,
            "task_id": self.asked.task_id,
            "parent_task_id": self.asked.parent_task_id,
            "root_task_id": who.task,
            "tier": who.tier.value,
            "provider": self.asked.call.provider,
            "model": self.model,
            "response_id": self.response_id,
            "usage": None if usage is None else {name: getattr(usage, name) for name in COUNTS},
            "attempts": self.asked.attempt,
            "started_at": _time(self.began_at),
            "ended_at": _time(self.ended_at),
        }


@dataclass(slots=True)
class Unbooked:
    """Settlements without a booking, in the order in which they were settled."""

    given_up: int = 0
    """How many were forgotten because too many waited."""
    _waiting: OrderedDict[str, Settlement] = field(default_factory=OrderedDict)

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, settlement: Settlement) -> None:
        """Wait for the booking of this one."""
        self._waiting[settlement.lease] = settlement
        if len(self._waiting) > MAX_KEPT:
            self._waiting.popitem(last=False)
            self.given_up += 1

    def drop(self, leases: Iterable[str]) -> None:
        """Wait no longer: they are booked, or handed over."""
        for lease in leases:
            self._waiting.pop(lease, None)

    def overdue(self, before: float) -> list[Settlement]:
        """Those that were settled before then."""
        return list(takewhile(lambda each: each.ended_at < before, self._waiting.values()))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
