"""What the engine takes from the collector's feed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from policies.feed import booked_call
from policies.files import parse
from switchgear.tier import Tier
from switchgear.usage import Usage

POLICIES = parse("version: 1\ntenants: {acme: {workloads: {w: {tier: background}}}}\n", name="p.yaml")
STARTED, ENDED = datetime(2026, 11, 24, 2, 0, 0, tzinfo=UTC), datetime(2026, 11, 24, 2, 0, 13, tzinfo=UTC)
COUNTS = {
    "input_uncached": 1,
    "cache_read": 2,
    "cache_write_5m": 3,
    "cache_write_1h": 4,
    "output": 6,
    "reasoning": 5,
}


def entry(**more: Any) -> dict[str, Any]:
    return {
        "seq": 7, "key": "acme/t:s", "tenant": "acme", "workload": "w", "task_id": "t2", "root_task_id": "t1",
        "tier": "interactive", "provider": "openai", "model": "m", "state": "complete", "cost": "0.000000000001",
        "currency": "USD", "usage": COUNTS, "attempts": 1, "lease_id": "g:1", "merged_into": None,
        "started_at": STARTED.isoformat(), "ended_at": ENDED.isoformat(), **more,
    }  # fmt: skip


def test_a_call_counts_from_its_end_since_it_may_have_queued_for_long() -> None:
    assert booked_call(entry(), POLICIES).ended_at == ENDED.timestamp()


def test_a_call_without_an_end_counts_from_its_start() -> None:
    assert booked_call(entry(ended_at=None), POLICIES).ended_at == STARTED.timestamp()


def test_a_call_is_read_exactly() -> None:
    call = booked_call(entry(), POLICIES)
    assert (call.cost, call.usage, call.lease) == (Decimal("1e-12"), Usage(1, 2, 3, 4, 6, 5), "g:1")
    assert (call.who.tenant, call.who.workload, call.who.tier, call.who.task) == (
        "acme",
        "w",
        Tier.INTERACTIVE,
        "t1",
    )


@pytest.mark.parametrize(
    ("more", "tier"),
    [
        ({"tier": None}, Tier.BACKGROUND),
        ({"tier": "urgent"}, Tier.BACKGROUND),
        ({"tier": None, "workload": "x"}, Tier.BATCH),
    ],
    ids=["none", "unknown", "undeclared workload"],
)
def test_a_call_without_a_tier_has_its_workload_s(more: dict[str, Any], tier: Tier) -> None:
    assert booked_call(entry(**more), POLICIES).who.tier is tier


def test_an_unpriced_call_has_no_cost_rather_than_none_of_it() -> None:
    assert booked_call(entry(cost=None, usage=None), POLICIES).cost is None
