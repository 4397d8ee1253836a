"""Holds at hand: each is drawn once or given back once, and more are asked for before they run out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from switchgear.control.wire import Grant, Granted
from switchgear.decision import Action, Decision
from switchgear.guard.holds import Holds, Kind, Pool

KIND = Kind("task", "scope", "openai", "gpt-4o", 10, 100, writes_cache=False, needs=())


def later() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=300)


def grant(name: str, calls: int, *, until: datetime | None = None) -> Grant:
    return Grant(name, calls, Decimal("0.01"), until or later(), None)


def granted(held: Grant | None) -> Granted:
    decision = Decision("d", Action.ALLOW, "a test", 1, later())
    return Granted(decision, held)


class Desk:
    """Holds whose refills and returns are written down."""

    def __init__(self) -> None:
        self.given_back: list[str] = []
        self.asked: list[Pool] = []
        self.holds = Holds(self.given_back.append, self.asked.append)

    def leases(self, n: int, kind: Kind = KIND, now: float = 0.0) -> list[str]:
        return [found[0] for _ in range(n) if (found := self.holds.draw(kind, now)) is not None]


def test_what_a_grant_has_left_is_drawn_in_order_and_no_further() -> None:
    desk = Desk()
    desk.holds.put(KIND, {}, grant("g", 4), drawn=1, now=0.0)
    assert desk.leases(5) == ["g:2", "g:3", "g:4"]


def test_a_call_of_another_kind_draws_nothing() -> None:
    desk = Desk()
    desk.holds.put(KIND, {}, grant("g", 4), drawn=1, now=0.0)
    assert desk.leases(1, KIND._replace(model="gpt-4o-mini")) == []


def test_more_is_asked_for_once_when_half_is_gone_and_twice_as_much_each_time() -> None:
    desk = Desk()
    desk.holds.put(KIND, {"model": "gpt-4o"}, grant("g", 4), drawn=1, now=0.0)
    desk.leases(1)
    assert desk.asked == []
    desk.leases(1)
    (pool,) = desk.asked
    desk.leases(1)
    assert desk.asked == [pool]
    assert (pool.template, pool.spare) == ({"model": "gpt-4o"}, 3)
    desk.holds.refilled(pool, granted(grant("h", 3)), 0.0)
    assert pool.spare == 6
    assert desk.leases(1) == ["h:1"]


def test_where_no_more_than_one_was_granted_nothing_is_asked_for_in_advance() -> None:
    desk = Desk()
    desk.holds.put(KIND, {}, grant("g", 2), drawn=1, now=0.0)
    desk.holds.put(KIND, {}, grant("h", 1), drawn=1, now=0.0)
    desk.leases(1)
    assert desk.asked == []


@pytest.mark.parametrize(("idle_s", "back"), [(1.9, []), (2.1, ["g:2", "g:3", "g:4"])])
def test_what_nobody_draws_for_two_seconds_goes_back(idle_s: float, back: list[str]) -> None:
    desk = Desk()
    desk.holds.put(KIND, {}, grant("g", 4), drawn=1, now=10.0)
    desk.holds.drop_idle(10.0 + idle_s)
    assert desk.given_back == back


def test_an_answer_for_a_pool_that_is_gone_goes_back() -> None:
    desk = Desk()
    desk.holds.put(KIND, {}, grant("g", 4), drawn=1, now=0.0)
    desk.leases(3)
    (pool,) = desk.asked
    desk.holds.drop(lambda _: True)
    desk.holds.refilled(pool, granted(grant("h", 5)), 0.0)
    assert desk.given_back == [f"h:{n}" for n in range(1, 6)]
    assert desk.leases(1) == []


def test_a_hold_that_is_about_to_end_by_itself_is_not_drawn() -> None:
    desk = Desk()
    soon = datetime.now(UTC) + timedelta(seconds=61)
    desk.holds.put(KIND, {}, grant("g", 4, until=soon), drawn=1, now=0.0)
    assert desk.leases(1, now=0.5) == ["g:2"]
    assert desk.leases(1, now=2.0) == []


@given(st.lists(st.integers(2, 6), min_size=1, max_size=4), st.integers(0, 30))
def test_each_hold_is_drawn_once_or_given_back_once(sizes: list[int], draws: int) -> None:
    desk = Desk()
    for number, calls in enumerate(sizes):
        desk.holds.put(KIND, {}, grant(f"g{number}", calls), drawn=1, now=0.0)
    drawn = desk.leases(draws)
    desk.holds.drop(lambda _: True)
    assert len(set(drawn)) == len(drawn) == min(draws, sum(sizes) - len(sizes))
    every = [f"g{n}:{number}" for n, calls in enumerate(sizes) for number in range(2, calls + 1)]
    assert sorted(drawn + desk.given_back) == sorted(every)


class Turmoil(RuleBasedStateMachine):
    """Whatever comes between, what was granted is drawn, given back or at hand."""

    def __init__(self) -> None:
        super().__init__()
        self.desk, self.granted, self.drawn, self.grants = Desk(), 0, set[str](), 0

    @rule(calls=st.integers(1, 5))
    def put(self, calls: int) -> None:
        self.grants += 1
        self.granted += calls - 1
        self.desk.holds.put(KIND, {}, grant(f"g{self.grants}", calls), drawn=1, now=0.0)

    @rule()
    def draw(self) -> None:
        for lease in self.desk.leases(1):
            assert lease not in self.drawn
            self.drawn.add(lease)

    @rule(calls=st.none() | st.integers(1, 5))
    def answer(self, calls: int | None) -> None:
        if self.desk.asked:
            self.grants += 1
            self.granted += calls or 0
            found = None if calls is None else grant(f"g{self.grants}", calls)
            self.desk.holds.refilled(self.desk.asked.pop(), granted(found), 0.0)

    @rule()
    def drop(self) -> None:
        self.desk.holds.drop(lambda _: True)

    @invariant()
    def none_is_lost(self) -> None:
        at_hand: int = sum(pool.left for pool in self.desk.holds._pools.values())
        assert not self.drawn & set(self.desk.given_back)
        assert self.granted == len(self.drawn) + len(self.desk.given_back) + at_hand


TestTurmoil = Turmoil.TestCase
