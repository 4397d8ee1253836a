"""The book under every order of events: the counter is the ledger."""

from __future__ import annotations

from decimal import Decimal

from engines import MICRO, Caller, engine
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from policies.engine import BookedCall
from policies.model import Who
from switchgear.tier import Tier
from switchgear.usage import Usage


class CounterIsLedger(RuleBasedStateMachine):
    """Whatever comes in whatever order: counter = booked + settled but not booked + held, in every account."""

    def __init__(self) -> None:
        super().__init__()
        self.caller = Caller(
            engine("  - {name: hour, limit: 100 USD, window: 24h}\n  - {name: t, limit: 50 USD, per: task}\n")
        )
        self.now = 0.0
        self.held: dict[str, Decimal] = {}
        self.settled: dict[str, Decimal] = {}
        self.booked: dict[str, Decimal] = {}
        self.lease_of: dict[str, str] = {}

    @rule(output=st.integers(1, 5000))
    def grant(self, output: int) -> None:
        granted = self.caller.ask(self.now, output=output, task="t").grant
        assert granted is not None
        self.held[granted.lease] = granted.amount

    @precondition(lambda self: self.held)
    @rule(data=st.data(), output=st.one_of(st.none(), st.integers(0, 5000)))
    def settle(self, data: st.DataObject, output: int | None) -> None:
        lease = data.draw(st.sampled_from(sorted(self.held)))
        usage = None if output is None else Usage(output=output)
        assert self.caller.engine.settle(lease, "m", usage, self.now)
        amount = self.held.pop(lease)
        self.settled[lease] = amount if output is None else output * MICRO

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(sorted(self.held)))
        assert self.caller.engine.release(lease, self.now)
        del self.held[lease]

    @precondition(lambda self: self.held or self.settled)
    @rule(data=st.data(), cost=st.integers(0, 5000))
    def book(self, data: st.DataObject, cost: int) -> None:
        lease = data.draw(st.sampled_from(sorted([*self.held, *self.settled])))
        key = f"call of {lease}"
        self._book(key, lease, cost)
        self.held.pop(lease, None)
        self.settled.pop(lease, None)
        self.lease_of[key] = lease

    @precondition(lambda self: self.booked)
    @rule(data=st.data(), cost=st.integers(0, 5000))
    def book_again(self, data: st.DataObject, cost: int) -> None:
        key = data.draw(st.sampled_from(sorted(self.booked)))
        self._book(key, self.lease_of.get(key), cost)

    @rule(cost=st.integers(0, 5000))
    def book_without_a_hold(self, cost: int) -> None:
        self._book(f"unguarded {len(self.booked)}", None, cost)

    @rule()
    def a_holder_dies(self) -> None:
        self.now += 301.0
        self.caller.engine.tick(self.now)
        self.held.clear()

    def _book(self, key: str, lease: str | None, cost: int) -> None:
        who = Who("acme", "w", Tier.INTERACTIVE, "t")
        self.caller.engine.booked([BookedCall(key, who, None, cost * MICRO, self.now, lease)], self.now)
        self.booked[key] = cost * MICRO

    @invariant()
    def counters_are_the_ledger(self) -> None:
        for account in self.caller.engine.accounts:
            if account.task is None and not (self.held or self.settled or self.booked):
                continue
            assert account.held == sum(self.held.values())
            assert account.total.spent(self.now) == sum(self.settled.values()) + sum(self.booked.values())


CounterIsLedger.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestCounterIsLedger = CounterIsLedger.TestCase
