"""The book under every order of events: the counter is the ledger, after a restart too."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from math import inf

import pytest
from engines import MICRO, Caller, engine
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from laws import examples

from policies.book import Book, lease_of
from policies.engine import BookedCall
from policies.files import parse
from policies.model import Who
from policies.restoring import restore
from policies.units import decimal
from switchgear.decision import Action
from switchgear.tier import Tier
from switchgear.usage import Usage

CEILINGS = """
  - {name: minute, limit: 100 USD, window: 60s}
  - {name: day, limit: 100 USD, window: 24h}
  - {name: calendar, limit: 100 USD, window: {calendar: day, zone: Europe/Berlin}}
  - {name: tokens, limit: 100M tokens, window: 24h}
  - {name: t, limit: 50 USD, per: task}
"""
WINDOWS = {"minute": 60.0, "day": 86_400.0, "tokens": 86_400.0}
WHO = Who("acme", "w", Tier.INTERACTIVE, "t", "openai", "m")


def test_who_asks_again_after_a_restart_gets_the_grant_that_it_had() -> None:
    before = Caller(engine(CEILINGS))
    first = before.ask(0.0, task="t", calls=2)
    after = engine(CEILINGS)
    restore(after, before.engine.records, 1.0)
    assert after.asked(first.request.id) == first.request
    again = after.request(first.request, 1.0)
    assert (again.decision.action, again.grant) == (Action.ALLOW, first.grant)  # type: ignore[union-attr]
    assert {account.meter.holds for account in after.accounts} == {2}


@dataclass
class Call:
    """What is true of one call that was made: what it counts as, and since when."""

    money: Decimal
    tokens: int
    at: float

    def of(self, ceiling: str) -> Decimal:
        return Decimal(self.tokens) if ceiling == "tokens" else self.money


class CounterIsLedger(RuleBasedStateMachine):
    """Whatever comes in whatever order: counter = booked + settled but not booked + held, under every ceiling."""

    def __init__(self) -> None:
        super().__init__()
        self.caller = Caller(engine(CEILINGS))
        self.now = 1_000_000.0
        self.each: dict[str, tuple[Decimal, int]] = {}
        self.left: dict[str, int] = {}
        self.undrawn: dict[str, str] = {}
        self.settled: dict[str, Call] = {}
        self.booked: dict[str, Call] = {}
        self.given_back: dict[str, int] = {}
        self.calls: dict[str, int] = {}
        self.returned: set[str] = set()
        """Holds that were given back by name."""
        self.apart: dict[str, tuple[Decimal, int]] = {}
        """Holds that were extended, and have a size of their own."""
        self.lease_of_key: dict[str, str | None] = {}
        self.expires: dict[str, float] = {}
        self.journal: list[object] = []

    @rule(output=st.integers(1, 5000), calls=st.integers(1, 3), spare=st.integers(0, 3))
    def grant(self, output: int, calls: int, spare: int) -> None:
        granted = self.caller.ask(self.now, output=output, task="t", calls=calls, spare=spare).grant
        assert granted is not None
        assert calls <= granted.calls <= calls + spare
        calls = granted.calls
        self.left[granted.id] = self.calls[granted.id] = calls
        self._size(granted.id)
        self.undrawn |= {lease_of(granted.id, number): granted.id for number in range(1, calls + 1)}

    @precondition(lambda self: self.undrawn)
    @rule(data=st.data(), output=st.one_of(st.none(), st.integers(0, 5000)))
    def settle(self, data: st.DataObject, output: int | None) -> None:
        lease = data.draw(st.sampled_from(sorted(self.undrawn)))
        usage = None if output is None else Usage(output=output)
        took = self._took(lease, output)
        assert self.caller.engine.settle(lease, "m", usage, self.now)
        self._drawn(lease)
        self.settled[lease] = Call(*took, self.now)

    @precondition(lambda self: self.settled)
    @rule(data=st.data())
    def settle_again(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(sorted(self.settled)))
        assert not self.caller.engine.settle(lease, "m", Usage(output=1), self.now)

    @precondition(lambda self: any(self.left.values()))
    @rule(data=st.data(), calls=st.one_of(st.none(), st.integers(1, 4)), number=st.integers(0, 3))
    def release(self, data: st.DataObject, calls: int | None, number: int) -> None:
        """So many, those alike first; or a single one that is named."""
        grant = data.draw(st.sampled_from(sorted(grant for grant, left in self.left.items() if left)))
        lease = lease_of(grant, number) if number else grant
        if number and calls == 1:
            held = self._is_held(lease)
            assert self.caller.engine.release(lease, self.now, calls=1) is held
            assert not self.caller.engine.release(lease, self.now, calls=1)
            if held:
                self.returned.add(lease)
                self.apart.pop(lease, None)
                self.left[grant] -= 1
                self.given_back[grant] = self.given_back.get(grant, 0) + 1
                self._forget_what_is_over(grant)
            return
        assert self.caller.engine.release(lease, self.now, calls=calls)
        given_back = min(calls or self.left[grant], self.left[grant])
        apart = [each for each in self.apart if each.rpartition(":")[0] == grant]
        alike = self.left[grant] - len(apart)
        for each in apart[: max(0, given_back - alike)]:
            del self.apart[each]
        self.given_back[grant] = self.given_back.get(grant, 0) + given_back
        self.left[grant] -= given_back
        self._forget_what_is_over(grant)

    @precondition(lambda self: self.undrawn)
    @rule(data=st.data(), output=st.integers(1, 20_000))
    def extend(self, data: st.DataObject, output: int) -> None:
        """One hold has another size; the others of its grant keep theirs."""
        lease = data.draw(st.sampled_from(sorted(self.undrawn)))
        grant = self.undrawn[lease]
        is_held = self._is_held(lease)
        assert self.caller.engine.leases.extend(lease, output, self.now) is is_held
        if is_held:
            found = self.caller.engine.book.find(grant)
            assert found is not None
            size = found.sizes_of(int(lease.rpartition(":")[2]))
            self.apart[lease] = (decimal(size.money.mean), size.tokens.mean)
            self.expires[grant] = self.now + 300.0

    @precondition(lambda self: self.undrawn or self.settled)
    @rule(
        data=st.data(),
        cost=st.one_of(st.none(), st.integers(0, 5000)),
        late=st.sampled_from([0.0, 50.0, 3600.0]),
    )
    def a_span_is_booked(self, data: st.DataObject, cost: int | None, late: float) -> None:
        lease = data.draw(st.sampled_from(sorted([*self.undrawn, *self.settled])))
        grant = lease.rpartition(":")[0]
        took = self._took(lease, cost)
        if lease in self.undrawn:
            self._drawn(lease)
        self._book(f"call of {lease}", lease, cost, self.now - late, self.settled.pop(lease, None), took)
        self._forget_what_is_over(grant)

    @precondition(lambda self: self.booked)
    @rule(data=st.data(), cost=st.integers(0, 5000))
    def a_span_comes_again(self, data: st.DataObject, cost: int) -> None:
        key = data.draw(st.sampled_from(sorted(self.booked)))
        self._book(key, self.lease_of_key[key], cost, self.booked[key].at, None, (cost * MICRO, cost))

    @rule(cost=st.integers(0, 5000))
    def a_call_without_a_hold_is_booked(self, cost: int) -> None:
        self._book(f"unguarded {len(self.booked)}", None, cost, self.now, None, (cost * MICRO, cost))

    @rule(passed=st.sampled_from([0.01, 20.0, 301.0, 7200.0, 40_000.0]))
    def time_passes(self, passed: float) -> None:
        self.now += passed
        self.caller.engine.tick(self.now)
        for grant, at in self.expires.items():
            if at <= self.now:
                self.left[grant] = 0
                self.apart = {
                    lease: size for lease, size in self.apart.items() if self.undrawn[lease] != grant
                }

    @rule()
    def the_engine_starts_again(self) -> None:
        """From its journal, and from the feed of all that was booked."""
        before = self.caller.engine
        self.journal += before.records
        self.caller.engine = engine(CEILINGS)
        restore(self.caller.engine, self.journal, self.now)  # type: ignore[arg-type]
        feed = [
            BookedCall(key, WHO, Usage(output=call.tokens), call.money, call.at, self.lease_of_key[key])
            for key, call in self.booked.items()
        ]
        self.caller.engine.booked(feed, self.now)
        self.caller.engine.tick(self.now)

    def _size(self, grant: str) -> None:
        found = self.caller.engine.book.find(grant)
        assert found is not None
        self.each[grant] = (decimal(found.sizes.money.mean), found.sizes.tokens.mean)
        self.expires[grant] = found.expires_at

    def _took(self, lease: str, tokens: int | None) -> tuple[Decimal, int]:
        """What was told, else what it was held at."""
        held = self.apart.get(lease, self.each[lease.rpartition(":")[0]])
        return held if tokens is None else (tokens * MICRO, tokens)

    def _is_held(self, lease: str) -> bool:
        grant = self.undrawn.get(lease)
        if grant is None or lease in self.returned:
            return False
        apart = sum(each.rpartition(":")[0] == grant for each in self.apart)
        return lease in self.apart or self.left[grant] > apart

    def _drawn(self, lease: str) -> None:
        held = self._is_held(lease)
        self.apart.pop(lease, None)
        self.left[self.undrawn.pop(lease)] -= held

    def _forget_what_is_over(self, grant: str) -> None:
        """A grant whose calls are all booked or given back is not known any more."""
        leases = [lease_of(grant, number) for number in range(1, self.calls[grant] + 1)]
        booked = sum(f"call of {lease}" in self.booked for lease in leases)
        waits = any(lease in self.settled for lease in leases)
        over = booked + self.given_back.get(grant, 0) >= self.calls[grant]
        if over and not waits and not self.left[grant]:
            self.undrawn = {lease: of for lease, of in self.undrawn.items() if of != grant}

    def _book(
        self,
        key: str,
        lease: str | None,
        cost: int | None,
        at: float,
        settled: Call | None,
        took: tuple[Decimal, int],
    ) -> None:
        usage = None if cost is None else Usage(output=cost)
        money = None if cost is None else cost * MICRO
        self.caller.engine.booked([BookedCall(key, WHO, usage, money, at, lease)], self.now)
        earlier = [call for call in (settled, self.booked.get(key)) if call is not None]
        unknown = cost is None and bool(earlier)
        if unknown:
            took = (earlier[0].money, earlier[0].tokens)
        self.booked[key] = Call(*took, max([at, *(call.at for call in earlier)]))
        self.lease_of_key[key] = lease

    @invariant()
    def counters_are_the_ledger(self) -> None:
        calls = [*self.settled.values(), *self.booked.values()]
        engine = self.caller.engine
        assert engine.book.held_otherwise(account.meter for account in engine.accounts) == 0
        for account in self.caller.engine.accounts:
            name, window = account.ceiling.name, account.ceiling.window
            each = {grant: Call(*took, 0.0).of(name) for grant, took in self.each.items()}
            apart = {lease: Call(*took, 0.0).of(name) for lease, took in self.apart.items()}
            alike = self.left | {}
            for lease in apart:
                alike[lease.rpartition(":")[0]] -= 1
            held = sum(each[grant] * left for grant, left in alike.items()) + sum(apart.values())
            assert (account.held, account.meter.holds) == (held, sum(self.left.values()))
            begin, end, slack = 0.0, inf, 0.0
            if name in WINDOWS:
                begin, slack = self.now - WINDOWS[name], WINDOWS[name] / 240
            elif window is not None:
                begin, end = window.bounds(self.now)  # type: ignore[union-attr]
            inside = sum(call.of(name) for call in calls if begin <= call.at < end)
            nearly = sum(call.of(name) for call in calls if begin - slack <= call.at < end)
            assert inside <= account.spent(self.now) <= nearly


CounterIsLedger.TestCase.settings = settings(max_examples=examples(20), stateful_step_count=30, deadline=None)
TestCounterIsLedger = CounterIsLedger.TestCase


def test_of_what_is_old_no_more_is_kept_than_its_sums_and_a_new_window_counts_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("policies.book.MOST_CALLS", 10)
    caller = Caller(engine("  - {name: hour, limit: 100 USD, window: 1h}\n"))
    for number in range(1000):
        at = 1_000_800.0 + number
        told = BookedCall(f"k{number}", replace(WHO, task=f"t{number}"), None, MICRO, at, None)
        caller.engine.booked([told], at)
    caller.engine.tidy(1_001_800.0)
    book = caller.engine.book
    assert isinstance(book, Book)
    # A thousand seconds are two quarters of an hour.
    assert (len(book._calls), len(book._aged)) == (10, 2)
    day = "  - {name: day, limit: 100 USD, window: 24h}\n"
    caller.engine.replace(parse(f"version: 1\nceilings:\n{day}", name="p"), 1_001_800.0)
    (account,) = caller.engine.accounts
    assert account.spent(1_001_800.0) == 1000 * MICRO
    caller.engine.tidy(1_001_800.0 + 2 * 86_400.0)
    assert (len(book._calls), len(book._aged)) == (0, 0)
