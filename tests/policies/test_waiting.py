"""Who waits for a provider's capacity: tiers, tenants by weight, throttled ones, and the share that each is told."""

from __future__ import annotations

from itertools import pairwise

import pytest
from engines import HOUR, Caller, engine

from policies.admission import Ticket
from policies.model import Who
from switchgear.tier import Tier

CAPACITY = "capacity: [{provider: openai, requests_per_minute: 60}]"


def test_interactive_work_goes_first_and_background_is_not_starved_for_ever() -> None:
    caller = Caller(engine(HOUR.replace("0.01", "100"), more=CAPACITY))
    order: list[str] = []

    def noted(ticket: Ticket, name: str) -> None:
        if ticket.decision is not None:
            order.append(name)
        else:
            ticket.on_answer = lambda: order.append(name)

    noted(caller.ask(0.0, tier="background"), "first")
    for n in range(3):
        noted(caller.ask(0.0, tier="background", output=1), f"background {n}")
    noted(caller.ask(0.1, tier="interactive"), "interactive")
    for step in range(1, 60):
        now = step * 1.1
        if step >= 2:
            noted(caller.ask(now, tier="interactive"), "flood")
            noted(caller.ask(now, tier="interactive"), "flood")
        caller.engine.tick(now)

    assert order[:2] == ["first", "interactive"]
    # 60 a minute at 95 % is less than the flood of two a second; of each hundred calls background has about one, and
    # here what it did not use before.
    assert {"background 0", "background 1", "background 2"} <= set(order)
    assert sum(name == "flood" for name in order[2:32]) >= 27


def test_a_tier_is_shared_between_tenants_by_weight() -> None:
    weights = "tenants: {heavy: {weight: 3}, light: {weight: 1}}\n" + CAPACITY.replace("60", "600")
    caller = Caller(engine(HOUR.replace("0.01", "100"), more=weights))
    served = {"heavy": 0, "light": 0}
    for tenant in served:
        for _ in range(400):
            ticket = caller.ask(0.0, tenant=tenant)

            def count(tenant: str = tenant) -> None:
                served[tenant] += 1

            ticket.on_answer = count
    for step in range(1, 301):
        caller.engine.tick(step * 0.1)
    # 600 a minute at 95 %: 9.5 a second, about 285 in 30 s, three to one.
    assert 280 <= sum(served.values()) <= 295
    assert served["heavy"] == pytest.approx(3 * served["light"], abs=3)


def test_after_a_429_nothing_goes_out_before_the_provider_said_so() -> None:
    caller = Caller(engine(HOUR, more=CAPACITY.replace("60", "6000")))
    granted = caller.ask(0.0).grant
    assert granted is not None
    caller.engine.leases.throttled(granted.lease, 0.0, 3.0, None)
    waiting = caller.ask(0.1)
    caller.engine.tick(2.9)
    assert waiting.decision is None
    caller.engine.tick(3.0)
    assert waiting.grant is not None


def test_a_request_that_nobody_waits_for_is_not_granted_but_keeps_its_place() -> None:
    caller = Caller(engine(HOUR, more=CAPACITY))
    caller.ask(0.0)
    left = caller.ask(0.0)
    caller.engine.leave("g2", 0.0)
    caller.engine.tick(2.0)
    assert left.decision is None
    assert caller.engine.request(left.request, 3.0) is left
    assert left.grant is not None


def test_who_is_throttled_is_told_a_moment_of_its_own_and_no_workload_only_retries() -> None:
    caller = Caller(engine(HOUR.replace("0.01", "100"), more=CAPACITY.replace("60", "120")))
    grants = [caller.ask(0.0 + n).grant for n in range(8)]
    told = [
        caller.engine.leases.throttled(grant.lease, 10.0, 3.0, None) for grant in grants if grant is not None
    ]
    retries = [retry for retry in told if retry is not None]
    # Not before the provider said, and half a second apart at 120 calls a minute.
    assert retries[0].after_s == 3.0
    gaps = [after.after_s - before.after_s for before, after in pairwise(retries[:5])]
    assert min(gaps) >= 60 / 120
    # Five retries a minute are free; eight calls allow no more than that.
    assert [retry.allowed for retry in retries] == [True] * 5 + [False] * 3
    # Who does not come back keeps no moment from those who do.
    assert max(retry.after_s for retry in retries[5:]) < retries[4].after_s
    assert "5 of 5 retries used" in retries[-1].reason


def test_a_decision_hands_out_the_share_that_its_tenant_has_of_a_model_s_capacity() -> None:
    tokens = (
        "capacity: [{provider: openai, tokens_per_minute: 120000}]\ntenants: {heavy: {weight: 3}, light: {}}"
    )
    caller = Caller(engine(HOUR.replace("0.01", "100"), more=tokens))

    def share(tenant: str, now: float, model: str | None = "m") -> float | None:
        return caller.engine.decide(Who(tenant, "w", Tier.BATCH, None, "openai", model), now).share

    # Alone, a tenant may have all of it; beside another that has more waiting than there is, what its weight gives it.
    assert share("heavy", 5.0) == pytest.approx(120_000)
    for _ in range(400):
        caller.ask(5.5, tenant="light", tier="batch", output=60_000)
    caller.engine.tick(7.0)
    assert caller.engine.decide(
        Who("heavy", "w", Tier.BATCH, None, "openai", "m"), 7.0
    ).share == pytest.approx(90_000, rel=0.01)
    # Of what lane, nobody said.
    assert share("heavy", 7.0, None) is None
