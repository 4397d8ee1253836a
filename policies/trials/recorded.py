"""Recorded calls: what a collector has booked, as a replay makes it again; and prices for what is made otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from switchgear.tier import Tier
from switchgear.usage import Usage

from ..engine import Price
from ..model import PolicySet, Who

__all__ = ["COUNTS", "RecordedCall", "recorded_call", "recorded_prices", "who_of"]

COUNTS = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output")
"""The counts that add up to a call's tokens, named as in the view `calls`."""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One call as it was. Times are epoch seconds, UTC; usage and cost are None where they are not known.

    `task` is the root of the task's tree. `tier` is None where the call named none.
    """

    started_at: float
    ended_at: float
    tenant: str
    workload: str
    tier: Tier | None
    task: str | None
    provider: str
    model: str
    usage: Usage | None
    cost: Decimal | None


def recorded_call(row: Mapping[str, Any]) -> RecordedCall:
    """A row of the view `calls` as a replay makes it again. An end before the begin, or none, is the begin."""
    counts = [row[count] for count in COUNTS]
    begin = row["started_at"].timestamp()
    return RecordedCall(
        started_at=begin,
        ended_at=max(begin, row["ended_at"].timestamp()) if row["ended_at"] else begin,
        tenant=row["tenant"],
        workload=row["workload"] or "",
        tier=Tier(row["tier"]) if row["tier"] in set(Tier) else None,
        task=row["root_task_id"] or row["task_id"],
        provider=row["provider"] or "",
        model=row["model"] or "",
        usage=None if counts[0] is None else Usage(*counts),
        cost=row["cost"],
    )


def who_of(call: RecordedCall, policies: PolicySet) -> Who:
    """For whom the call was made, by what `policies` say of its workload."""
    declared = policies.workload(call.tenant, call.workload)
    return Who(
        call.tenant,
        call.workload,
        call.tier or (declared.tier if declared else Tier.BATCH),
        call.task,
        call.provider,
        call.model,
        declared.owner if declared else None,
    )


def recorded_prices(calls: Iterable[RecordedCall], listed: Price) -> Price:
    """Prices by `listed`, and for models that have none there by what a token of their recorded calls has cost.

    Five calls of 0.10 USD and 2,000 tokens each make 0.00005 USD a token, in and out alike.
    """
    cost: dict[tuple[str, str], Decimal] = {}
    tokens: dict[tuple[str, str], int] = {}
    for call in calls:
        if call.cost is not None and call.usage is not None:
            key = (call.provider, call.model)
            cost[key] = cost.get(key, Decimal(0)) + call.cost
            tokens[key] = tokens.get(key, 0) + call.usage.total
    rates = {key: spent / tokens[key] for key, spent in cost.items() if tokens[key]}

    def price(provider: str | None, model: str | None, usage: Usage, at: datetime) -> Decimal | None:
        found = listed(provider, model, usage, at)
        if found is None and (rate := rates.get((provider or "", model or ""))) is not None:
            return round(rate * usage.total, 12)
        return found

    return price
