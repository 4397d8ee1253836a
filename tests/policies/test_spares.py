"""Spare holds: there are some while there is plenty of everything, and none as soon as there is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
from engines import MICRO, Caller, bound, engine
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from policies.admission import Ticket
from policies.book import lease_of
from policies.breaker import State
from policies.engine import BookedCall, Engine
from policies.model import Who
from policies.restoring import restore
from switchgear.decision import Action
from switchgear.tier import Tier
from switchgear.usage import Usage

DAY = "  - {name: day, limit: 10 USD, window: 24h}\n"
FREE = "  - {name: free, limit: 1000000 USD, window: 24h}\n"
CAPACITY = "capacity: [{provider: openai, requests_per_minute: 6000, tokens_per_minute: 600000}]"
TENANTS = "tenants: {acme: {}, zenith: {}}\n"
WHO = Who("acme", "w", Tier.INTERACTIVE, None, "openai", "m")


def spares(ticket: Ticket) -> int:
    """How many were held beside those asked for."""
    assert ticket.grant is not None, ticket.decision
    return ticket.grant.calls - ticket.request.calls


def test_spare_holds_and_all_beside_them_take_a_twentieth_of_what_is_left() -> None:
    caller = Caller(engine("  - {name: day, limit: 0.1016 USD, window: 24h}\n"))
    # A call is bound to 1,016 millionths: a twentieth of the ceiling is five calls.
    assert bound(1000) * 5 == Decimal("0.1016") / 20
    assert spares(caller.ask(0.0, spare=100)) == 4
    assert spares(caller.ask(0.0, spare=100)) == 0
    assert caller.engine.release("g1", 1.0)
    assert spares(caller.ask(1.0, spare=2)) == 2


def test_of_a_task_s_own_budget_they_take_a_quarter() -> None:
    caller = Caller(engine(FREE))
    budgets = (("t", bound(1000) * 20),)
    assert spares(caller.ask(0.0, task="t", budgets=budgets, spare=100)) == 4


def test_a_grant_has_at_most_a_thousand_calls() -> None:
    assert spares(Caller(engine(FREE)).ask(0.0, calls=300, spare=1000)) == 700


def open_by_hand(one: Engine) -> None:
    one.by_hand.force(["shut"], State.DISABLED, "ann", "a test", None, 0.0)


LADDER = "  - {{name: ladder, limit: 0.05 USD, window: 24h, ladder: [{{at: 1%, do: {}}}]}}\n"


@pytest.mark.parametrize(
    ("ceilings", "before", "there_are"),
    [
        (LADDER.format("warn"), None, True),
        (LADDER.format("throttle"), None, False),
        (LADDER.format("degrade"), None, False),
        (LADDER.format("degrade").replace("window", "shadow: true, window"), None, True),
        ("  - {name: shut, limit: 1000 USD, window: 24h}\n", open_by_hand, False),
    ],
    ids=["warned", "throttled", "degrading", "in shadow", "disabled by hand"],
)
def test_a_ceiling_that_restrains_anybody_leaves_none(
    ceilings: str,
    before: Callable[[Engine], None] | None,
    there_are: bool,  # noqa: FBT001 - a table's column
) -> None:
    one = engine(FREE + ceilings)
    if before is not None:
        before(one)
    # Three hundredths of the ceiling.
    spent = BookedCall("a call", replace(WHO, task="another"), Usage(output=1500), 1500 * MICRO, 0.0, None)
    one.booked([spent], 0.0)
    one.tick(1.0)
    assert bool(spares(Caller(one).ask(600.0, output=10, spare=2))) is there_are


def test_a_task_that_has_run_away_gets_none() -> None:
    caller = Caller(engine(FREE))
    given = 0
    for number in range(300):
        ticket = caller.ask(float(number), task="loop", spare=1)
        given = spares(ticket)
        caller.engine.settle(ticket.grant.lease, "m", Usage(output=10), float(number))  # type: ignore[union-attr]
    assert given == 0


def test_a_task_that_runs_away_on_one_large_grant_is_told_of() -> None:
    caller = Caller(engine(FREE))
    caller.ask(0.0, task="loop", calls=300)
    for number in range(1, 301):
        caller.engine.settle(lease_of("g1", number), "m", Usage(output=10), float(number))
    told = [(each.policy, each.after) for each in caller.engine.outbox if "task" in each.scope]
    assert told == [("runaway", "runaway")]


def test_there_are_none_while_anybody_waits_for_the_ceiling_or_for_the_lane() -> None:
    small = "  - {name: zenith, scope: {tenant: zenith}, limit: 0.0015 USD, window: 24h}\n"
    caller = Caller(engine(FREE + small, more=TENANTS + CAPACITY.replace("6000,", "60000,")))
    # The second call of zenith waits for the first one at its own ceiling: in this lane, and at nothing of acme's.
    assert caller.ask(0.0, tenant="zenith").grant is not None
    waiting = caller.ask(0.0, tenant="zenith")
    assert waiting.decision is None
    assert spares(caller.ask(0.0, output=10, spare=3)) == 0
    caller.engine.queue.leave(waiting.request.id, 0.0)
    assert spares(caller.ask(0.0, output=10, spare=3)) == 3


def test_of_a_lane_there_is_half_a_second_of_what_the_tenant_is_entitled_to() -> None:
    caller = Caller(engine(FREE, more=TENANTS + CAPACITY))
    # 600,000 tokens a minute are 5,000 in half a second; of 984 + 16 tokens each, those are five calls.
    assert spares(caller.ask(0.0, tenant="zenith", output=984, spare=100)) in (3, 4, 5)
    # Beside another tenant acme is entitled to half of it.
    assert spares(caller.ask(60.0, output=984, spare=100)) == 2


@pytest.mark.parametrize("later", [1.0, 4.0])
def test_while_a_provider_throttles_and_while_its_limit_is_learned_there_are_none(later: float) -> None:
    caller = Caller(engine(FREE, more=CAPACITY))
    first = caller.ask(0.0, output=10).grant
    assert first is not None
    caller.engine.leases.throttled(first.lease, 0.0, 0.5, None)
    assert spares(caller.ask(later, output=10, spare=5)) == 0


def test_the_same_spare_holds_are_there_after_a_restart_and_who_asks_again_is_told_of_them() -> None:
    before = Caller(engine(DAY))
    ticket = before.ask(0.0, task="t", spare=3)
    before.engine.settle(lease_of("g1", 2), "m", Usage(output=10), 1.0)
    after = engine(DAY)
    restore(after, before.engine.records, 2.0)
    again = after.request(ticket.request, 2.0)
    assert again.grant is not None
    assert ticket.grant is not None
    assert (again.grant.expires_at, spares(again)) == (ticket.grant.expires_at, 3)
    assert [account.meter.holds for account in after.accounts] == [3]


def test_a_spare_hold_is_a_call_of_its_task_once_it_has_been_made() -> None:
    caller = Caller(engine(FREE))
    trees = caller.engine.accounts.trees

    def tree() -> tuple[int, int, float]:
        one = trees._running["acme", "t"]
        return one.calls_in_flight, one.curve.calls, one.spent

    caller.ask(0.0, task="t", spare=4)
    assert tree() == (1, 0, 0)
    caller.engine.settle("g1:1", "m", Usage(output=10), 1.0)
    caller.engine.settle("g1:2", "m", Usage(output=10), 1.0)
    assert tree() == (0, 2, 2 * 10**7)
    caller.engine.release("g1", 2.0)
    assert tree() == (0, 2, 2 * 10**7)
    caller.ask(3.0, task="t", spare=4)
    caller.engine.tick(400.0)
    assert tree() == (0, 2, 2 * 10**7)


def test_calls_made_with_spare_holds_count_for_the_retry_budget() -> None:
    caller = Caller(engine(FREE))
    caller.ask(0.0, spare=99)
    for number in range(1, 61):
        caller.engine.settle(lease_of("g1", number), "m", Usage(output=10), 1.0)
        caller.engine.settle(lease_of("g1", number), "m", Usage(output=10), 1.0)
    retry = caller.engine.leases.throttled("g1:61", 1.0, 0.0, None, 1)
    assert retry is not None
    # 15 % of sixty calls.
    assert "0 of 9 retries used in the last minute (60 calls)" in retry.reason


@pytest.mark.parametrize("clock_goes", [1.0, -3600.0])
def test_versions_go_on_from_where_the_engine_before_was(clock_goes: float) -> None:
    before = Caller(engine(DAY))
    before.engine.count_versions_from(1000.0)
    before.ask(1000.5)
    before.engine.watch.version += 1000
    after = engine(DAY)
    restore(after, before.engine.records, 1000.5 + clock_goes)
    after.count_versions_from(1000.5 + clock_goes)
    assert after.version > before.engine.version


@dataclass
class Made:
    """A call on its way."""

    lease: str
    until: float
    """When its hold ends by itself: no call here lasts longer."""


class Crowd(RuleBasedStateMachine):
    """Agents that keep spare holds, some of which die holding them, at a ceiling that all reach."""

    LIMIT = Decimal("0.2")
    PER_CALL = 1000

    def __init__(self) -> None:
        super().__init__()
        self.caller = Caller(engine(f"  - {{name: day, limit: {self.LIMIT} USD, window: 24h}}\n"))
        self.now = 1000.0
        self.spare: dict[str, list[Made]] = {}
        self.flying: list[Made] = []
        self.waiting: list[Ticket] = []
        self.spent = Decimal(0)
        self.elsewhere = 0
        self.refused = False

    @rule(spare=st.integers(0, 20))
    def ask(self, spare: int) -> None:
        ticket = self.caller.ask(self.now, output=self.PER_CALL - 16, spare=spare)
        if ticket.decision is None:
            self.waiting.append(ticket)
        else:
            self._answered(ticket)

    @precondition(lambda self: any(self.spare.values()))
    @rule(data=st.data())
    def draw(self, data: st.DataObject) -> None:
        grant = data.draw(st.sampled_from(sorted(i for i, left in self.spare.items() if left)))
        self.flying.append(self.spare[grant].pop())

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), tokens=st.integers(100, 1000))
    def end(self, data: st.DataObject, tokens: int) -> None:
        self._end(self.flying[data.draw(st.integers(0, len(self.flying) - 1))], tokens)
        self._see()

    @precondition(lambda self: any(self.spare.values()))
    @rule(data=st.data(), dies=st.booleans())
    def give_back(self, data: st.DataObject, *, dies: bool) -> None:
        grant = data.draw(st.sampled_from(sorted(i for i, left in self.spare.items() if left)))
        left = self.spare.pop(grant)
        if not dies:
            assert self.caller.engine.release(grant, self.now, calls=len(left))
            self._see()

    @rule()
    def much_is_spent_elsewhere(self) -> None:
        """Most of what nobody holds: what is held was little beside it, and is much now."""
        (account,) = self.caller.engine.accounts
        tokens = int((self.LIMIT - self.spent - account.held) / MICRO * Decimal("0.9"))
        if tokens > 0:
            self.elsewhere += 1
            spent = BookedCall(str(self.elsewhere), WHO, Usage(output=tokens), tokens * MICRO, self.now, None)
            self.caller.engine.booked([spent], self.now)
            self.spent += tokens * MICRO
            self._see()

    @rule(passed=st.sampled_from([0.05, 2.0, 100.0]))
    def time_passes(self, passed: float) -> None:
        for made in [each for each in self.flying if each.until <= self.now + passed]:
            self._end(made, self.PER_CALL)
        self.now += passed
        self.spare = {grant: left for grant, left in self.spare.items() if left and left[0].until > self.now}
        self.caller.engine.tick(self.now)
        self._see()

    @invariant()
    def nobody_is_refused_while_something_is_left_and_nothing_is_passed_by_more_than_a_call(self) -> None:
        largest = bound(self.PER_CALL)
        assert self.spent <= self.LIMIT + largest
        assert not self.refused or self.spent >= self.LIMIT - largest

    def teardown(self) -> None:
        """Once all is given back or has expired, whoever waits goes on until the ceiling is spent."""
        for _ in range(2000):
            self.now += 301.0 if not self.flying else 0.05
            for made in list(self.flying):
                self._end(made, 500)
            self.caller.engine.tick(self.now)
            self._see()
            if not self.waiting and not self.flying:
                break
        assert not self.waiting

    def _end(self, made: Made, tokens: int) -> None:
        self.flying.remove(made)
        assert self.caller.engine.settle(made.lease, "m", Usage(output=tokens), self.now)
        self.spent += tokens * MICRO

    def _see(self) -> None:
        for ticket in [each for each in self.waiting if each.decision is not None]:
            self.waiting.remove(ticket)
            self._answered(ticket)

    def _answered(self, ticket: Ticket) -> None:
        if ticket.grant is None:
            assert ticket.decision is not None
            self.refused |= ticket.decision.action is Action.DENY
            return
        grant = ticket.grant
        made = [Made(lease_of(grant.id, number), grant.expires_at) for number in range(1, grant.calls + 1)]
        self.flying.append(made[0])
        self.spare[grant.id] = made[1:]


Crowd.TestCase.settings = settings(max_examples=40, stateful_step_count=50, deadline=None)
TestCrowd = Crowd.TestCase
