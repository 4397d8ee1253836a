"""Task trees in the engine: what a task will have cost, and which has run away."""

from __future__ import annotations

from decimal import Decimal

from engines import MICRO, Caller, engine

from policies.breaker import State
from policies.engine import BookedCall
from policies.model import Who
from switchgear.decision import Action
from switchgear.tier import Tier
from switchgear.usage import Usage

TASKS = "  - {name: task, limit: 0.1 USD, per: task, ladder: [{at: 80%, do: warn}]}\n"


def run_task(caller: Caller, task: str, now: float, *, calls: int, tokens: int = 1000) -> float:
    """A task that makes its calls one after the other; when its last one ended."""
    for _ in range(calls):
        grant = caller.ask(now, task=task).grant
        assert grant is not None
        caller.engine.settle(grant.lease, "m", Usage(output=tokens), now + 1.0)
        now += 2.0
    return now


def learned(caller: Caller, tasks: int = 25, *, calls: int = 20) -> float:
    """Tasks of `calls` calls of 0.001 dollars each that are over and done with."""
    now = 0.0
    for number in range(tasks):
        now = run_task(caller, f"past {number}", now, calls=calls)
    now += 700.0
    caller.engine.tidy(now)
    return now


def test_the_final_cost_is_projected_when_a_task_has_only_begun() -> None:
    caller = Caller(engine(TASKS))
    now = learned(caller)
    run_task(caller, "fresh", now, calls=2)
    said = caller.engine.decide(Who("acme", "w", Tier.INTERACTIVE, "fresh"), now + 5.0)
    # 20 calls of 0.001 each is what such tasks have cost.
    assert said.projected is not None
    assert Decimal("0.018") <= said.projected <= Decimal("0.022")


def test_a_fan_out_is_seen_when_it_begins_and_not_when_it_is_billed() -> None:
    caller = Caller(engine(TASKS))
    now = learned(caller)
    who = Who("acme", "w", Tier.INTERACTIVE, "fan")
    run_task(caller, "fan", now, calls=1)
    before = caller.engine.decide(who, now + 2.0).projected
    for agent in range(8):
        caller.ask(now + 3.0, task="fan", agent=f"agent {agent}")
    after = caller.engine.decide(who, now + 3.0).projected
    assert before is not None
    assert after is not None
    # Eight agents that have each begun: several times what one was to cost.
    assert after > 4 * before


def test_a_workload_that_nobody_knows_is_held_to_what_it_spends_and_not_to_a_guess() -> None:
    caller = Caller(engine(TASKS.replace("0.1 USD", "0.01 USD")))
    run_task(caller, "first", 0.0, calls=2)
    (account,) = caller.engine.accounts
    caller.engine.tick(10.0)
    assert account.rungs == ()
    said = caller.engine.decide(Who("acme", "w", Tier.INTERACTIVE, "first"), 10.0)
    assert said.projected is not None
    assert said.projected > 2 * Decimal("0.001")


def test_an_agent_that_does_not_stop_is_told_of_once() -> None:
    caller = Caller(engine(TASKS.replace("0.1 USD", "100 USD")))
    now = learned(caller)
    run_task(caller, "loop", now, calls=200)
    found = [line for line in caller.engine.outbox if line.after == "runaway"]
    assert [line.scope for line in found] == [{"tenant": "acme", "workload": "w", "task": "loop"}]
    assert "calls by one agent" in found[0].reason
    assert caller.engine.decide(Who("acme", "w", Tier.INTERACTIVE, "loop"), now + 500).action is Action.ALLOW


def runaway(what: str) -> str:
    return f"tenants: {{acme: {{workloads: {{w: {{runaway: {what}}}}}}}}}"


def test_a_runaway_is_told_to_wrap_up_where_its_workload_says_so() -> None:
    caller = Caller(engine(TASKS.replace("0.1 USD", "100 USD"), more=runaway("wrap_up")))
    run_task(caller, "loop", 0.0, calls=200)
    said = caller.engine.decide(Who("acme", "w", Tier.INTERACTIVE, "loop"), 500.0)
    assert (said.action, said.wrap_up) == (Action.ALLOW, True)


def test_a_runaway_is_stopped_where_its_workload_says_so() -> None:
    caller = Caller(engine(TASKS.replace("0.1 USD", "100 USD"), more=runaway("stop")))
    now = 0.0
    for _ in range(200):
        ticket = caller.ask(now, task="loop")
        if ticket.grant is None:
            break
        caller.engine.settle(ticket.grant.lease, "m", Usage(output=10), now)
        now += 1.0
    assert ticket.decision is not None
    assert ticket.decision.action is Action.DENY
    assert "calls by one agent" in ticket.decision.reason
    assert caller.ask(now, task="other").grant is not None
    assert all(account.state is State.CLOSED for account in caller.engine.accounts)


def test_calls_without_a_hold_are_of_their_tree_too() -> None:
    caller = Caller(engine(TASKS))
    who = Who("acme", "w", Tier.BATCH, "seen")
    calls = [
        BookedCall(f"k{n}", who, Usage(output=1000), 1000 * MICRO, float(n), None, "a") for n in range(150)
    ]
    caller.engine.booked(calls, 150.0)
    assert [line.after for line in caller.engine.outbox if line.policy == "runaway"] == ["runaway"]
    # The same calls again are no more calls.
    caller.engine.booked(calls, 151.0)
    assert len([line for line in caller.engine.outbox if line.policy == "runaway"]) == 1
