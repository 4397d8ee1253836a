"""What a run came to, per tenant: the arithmetic of the demo's table. Pure.

Cost, calls and refusals are the provider's own; waits and tasks are what the agents saw.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from switchgear.testing import TOO_MANY, Log

from .outcome import Outcome, TaskEnd

__all__ = ["Allowance", "Booked", "Figures", "Run", "figures", "p95", "peak", "waits"]


@dataclass(frozen=True, slots=True)
class Allowance:
    """A tenant's ceiling: `limit` in USD over any `window_s` seconds."""

    limit: Decimal
    window_s: float


@dataclass(frozen=True, slots=True)
class Booked:
    """A call as the collector's database has it. `cost` is None for a call without a price or usage."""

    response_id: str | None
    tenant: str
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class Run:
    """All that one run of the scene left behind: the provider's account, the agents' and the database's."""

    log: Log
    outcomes: Sequence[Outcome]
    booked: Sequence[Booked]


@dataclass(frozen=True, slots=True)
class Figures:
    """One tenant in one run. `over` is how far the fullest window passed the ceiling, 0 where none did."""

    calls: int
    cost: Decimal
    limited: int
    wait_p95_s: float
    finished: int
    degraded: int
    failed: int
    peak: Decimal
    over: Decimal
    largest: Decimal


def figures(tenant: str, run: Run, allowance: Allowance) -> Figures:
    """The tenant's row of the table."""
    served = [one for one in run.log.served if one.tenant == tenant]
    tasks = [task.end for outcome in run.outcomes if outcome.tenant == tenant for task in outcome.tasks]
    highest = peak(((one.served_at, one.billed) for one in served), allowance.window_s)
    return Figures(
        calls=len(served),
        cost=sum((one.billed for one in served), Decimal(0)),
        limited=sum(one.tenant == tenant and one.status == TOO_MANY for one in run.log.refused),
        wait_p95_s=p95(waits(tenant, run)),
        finished=tasks.count(TaskEnd.FINISHED),
        degraded=tasks.count(TaskEnd.DEGRADED),
        failed=tasks.count(TaskEnd.FAILED),
        peak=highest,
        over=max(Decimal(0), highest - allowance.limit),
        largest=max((one.billed for one in served), default=Decimal(0)),
    )


def waits(tenant: str, run: Run) -> list[float]:
    """How long each call of a tenant waited, in seconds: what the agent saw less the provider's service time.

    Queueing, refused attempts and the pauses between them are all in it. A call that never got an answer has
    waited for as long as it took to give up.
    """
    service_s: Mapping[str, float] = {one.id: one.service_s for one in run.log.served}
    return [
        max(0.0, call.elapsed_s - service_s.get(call.response_id or "", 0.0))
        for outcome in run.outcomes
        if outcome.tenant == tenant
        for call in outcome.calls
    ]


def p95(values: Sequence[float]) -> float:
    """The 95th percentile by nearest rank: of 1..20 it is 19. 0 of nothing."""
    ordered = sorted(values)
    return ordered[math.ceil(0.95 * len(ordered)) - 1] if ordered else 0.0


def peak(spent: Iterable[tuple[datetime, Decimal]], window_s: float) -> Decimal:
    """The most that was spent within any `window_s` seconds, a window being open at its start."""
    inside: list[tuple[datetime, Decimal]] = []
    first, total, most = 0, Decimal(0), Decimal(0)
    for at, cost in sorted(spent):
        inside.append((at, cost))
        total += cost
        while (at - inside[first][0]).total_seconds() >= window_s:
            total -= inside[first][1]
            first += 1
        most = max(most, total)
    return most
