"""The ladder in a running engine: which rung is reached for whom, and what stands in for what."""

from __future__ import annotations

import pytest
from engines import MICRO, Caller, engine

from policies.engine import BookedCall
from policies.files import parse
from policies.model import Who
from switchgear.decision import Action
from switchgear.tier import Tier
from switchgear.usage import Usage

LADDER = (
    "  - {name: hour, limit: 0.01 USD, window: 1h, ladder: "
    "[{at: 10%, do: warn}, {at: 30%, do: throttle}, {at: 40%, do: queue}, {at: 60%, do: degrade}]}\n"
)


def test_a_rung_that_calls_in_flight_reach_again_and_again_is_told_of_once_until_it_cools_down() -> None:
    caller = Caller(engine("  - {name: t, limit: 0.01 USD, per: task, ladder: [{at: 50%, do: warn}]}\n"))
    first = caller.ask(0.0, task="t", output=4400).grant
    assert first is not None
    caller.engine.settle(first.lease, "m", Usage(output=4400), 0.0)
    for number in (*range(12), 22):
        # 44 % is spent; a call of 10 % goes out and is given back: 54 %, 44 %, 54 %...
        granted = caller.ask(float(number), task="t", output=1000).grant
        assert granted is not None
        caller.engine.tick(number + 0.1)
        caller.engine.release(granted.lease, number + 0.5)
        caller.engine.tick(number + 0.5)
    assert [(t.after, t.at) for t in caller.engine.outbox] == [("warned", 0.1), ("warned", 22.1)]


DEGRADE = "tenants: {acme: {workloads: {w: {degrade: [{from: m, to: small, min_output_tokens: 50}]}}}}"


@pytest.mark.parametrize(
    ("spent", "tier", "expected"),
    [
        (900, "background", Action.ALLOW),
        (1100, "background", Action.ALLOW),
        (3100, "background", Action.THROTTLE),
        (4100, "background", Action.QUEUE),
        (4100, "interactive", Action.THROTTLE),
        (6100, "background", Action.QUEUE),
        (6100, "interactive", Action.DEGRADE),
        (6100, "batch", Action.DEGRADE),
    ],
)
def test_the_ladder_climbs_with_the_projection(spent: int, tier: str, expected: Action) -> None:
    one = engine(LADDER)
    who = Who("acme", "w", Tier(tier))
    # Spent three quarters of an hour ago: all of it is kept, none of it is a rate of the last minutes.
    one.booked([BookedCall("k", who, Usage(output=spent), spent * MICRO, 0.0, None)], 2700.0)
    assert one.decide(who, 2700.0).action is expected


def test_background_work_near_its_task_s_ceiling_is_degraded_since_waiting_would_not_help() -> None:
    caller = Caller(
        engine("  - {name: t, limit: 0.01 USD, per: task, ladder: [{at: 50%, do: degrade}]}\n", more=DEGRADE)
    )
    granted = caller.ask(0.0, tier="background", task="t", output=5000).grant
    assert granted is not None
    caller.engine.settle(granted.lease, "m", Usage(output=5000), 1.0)
    next_one = caller.ask(2.0, tier="background", task="t")
    assert next_one.decision is not None
    assert (next_one.decision.action, next_one.decision.caps.model) == (Action.DEGRADE, "small")


@pytest.mark.parametrize(
    ("output", "needs", "model"),
    [(1000, (), "small"), (49, (), None), (1000, ("tools",), None)],
    ids=["fits", "too little output", "needs tools"],
)
def test_a_call_is_degraded_only_to_what_can_do_it(
    output: int, needs: tuple[str, ...], model: str | None
) -> None:
    one = engine(LADDER, more=DEGRADE)
    who = Who("acme", "w", Tier.INTERACTIVE)
    one.booked([BookedCall("k", who, Usage(output=6100), 6100 * MICRO, 0.0, None)], 2700.0)
    ticket = Caller(one).ask(2700.0, output=output, needs=needs)
    assert ticket.decision is not None
    assert (ticket.decision.action, ticket.decision.caps.model) == (Action.DEGRADE, model)
    assert ticket.decision.reason == "hour: the projection has reached the rung degrade"
    assert ticket.grant is not None


def test_a_degraded_call_is_held_where_it_counts_after_another_policy_set_too() -> None:
    text = (
        "  - {name: hour, limit: 0.01 USD, window: 1h, ladder: [{at: 10%, do: degrade}]}\n"
        "  - {name: each, per: [model], limit: 1 USD, window: 1h}\n"
    )
    caller = Caller(engine(text, more=DEGRADE))
    who = Who("acme", "w", Tier.INTERACTIVE)
    caller.engine.booked([BookedCall("k", who, None, 6100 * MICRO, 0.0, None)], 2700.0)
    granted = caller.ask(2700.0).grant
    assert granted is not None
    caller.engine.replace(parse(f"version: 1\n{DEGRADE}\nceilings:\n{text}", name="p"), 2701.0)
    caller.engine.settle(granted.lease, "small", Usage(output=1), 2702.0)
    assert [account.held for account in caller.engine.accounts] == [0] * 3
