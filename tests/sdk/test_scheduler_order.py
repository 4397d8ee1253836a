"""Who goes next, in virtual time: laws of the scheduler's order, whatever comes, ends, is settled or gives up."""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from heapq import heappop, heappush
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from laws import examples

from switchgear import ConfigError
from switchgear.scheduler.lane import Lane, Limits
from switchgear.scheduler.line import Call
from switchgear.tier import Tier

AGEING_S = 10.0
WEIGHTS = {"acme": 1.0, "globex": 2.0, "initech": 0.5}
URGENT, BATCH, NIGHT = Tier.INTERACTIVE, Tier.BATCH, Tier.BACKGROUND


def lane_of(concurrency: int | None = None, **limits: float) -> Lane:
    return Lane(Limits(concurrency, **limits), 0.0, AGEING_S)


def ask(lane: Lane, tier: Tier = URGENT, tenant: str = "acme", tokens: int = 10, now: float = 0.0) -> Call:
    return lane.ask(tenant, tier, tokens, WEIGHTS.get(tenant, 1.0), now)


def let_go(lane: Lane, now: float) -> list[Call]:
    gone = []
    while (call := lane.next(now)) is not None:
        gone.append(call)
    return gone


def goes(lane: Lane, tier: Tier = URGENT, tenant: str = "acme", tokens: int = 10, now: float = 0.0) -> bool:
    """Whether a call that asks now goes now."""
    call = ask(lane, tier, tenant, tokens, now)
    let_go(lane, now)
    return call.runs


# -- whatever happens


class AnyLane(RuleBasedStateMachine):
    """Calls of three tenants and tiers come, end, are settled and give up, in a lane of few slots."""

    @initialize(concurrency=st.integers(1, 12))
    def begin(self, concurrency: int) -> None:
        self.lane = lane_of(concurrency)
        self.concurrency = concurrency
        self.now = 0.0
        self.running: list[Call] = []
        self.queues: dict[tuple[str, Tier], deque[Call]] = defaultdict(deque)
        self.gave_up: set[Call] = set()

    def waiting(self) -> list[Call]:
        return [call for queue in self.queues.values() for call in queue]

    def drain(self) -> None:
        for call in let_go(self.lane, self.now):
            queue = self.queues[call.flow.tenant, call.flow.line.tier]
            assert queue.popleft() is call, "within a tenant and tier, who asked first goes first"
            self.running.append(call)

    @rule(tenant=st.sampled_from(sorted(WEIGHTS)), tier=st.sampled_from(Tier), tokens=st.integers(0, 5000))
    def comes(self, tenant: str, tier: Tier, tokens: int) -> None:
        call = ask(self.lane, tier, tenant, tokens, self.now)
        if call.runs:
            assert not self.queues[tenant, tier]
            self.running.append(call)
        else:
            self.queues[tenant, tier].append(call)
        self.drain()

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def ends(self, data: st.DataObject) -> None:
        self.lane.end(self.running.pop(data.draw(st.integers(0, len(self.running) - 1))))
        self.drain()

    @precondition(lambda self: self.running)
    @rule(data=st.data(), tokens=st.integers(0, 20_000))
    def is_settled(self, data: st.DataObject, tokens: int) -> None:
        self.lane.settle(data.draw(st.sampled_from(self.running)), tokens, self.now)
        self.drain()

    @precondition(lambda self: self.waiting())
    @rule(data=st.data())
    def gives_up(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from(self.waiting()))
        self.queues[call.flow.tenant, call.flow.line.tier].remove(call)
        self.gave_up.add(call)
        self.lane.drop(call, self.now)
        self.drain()

    @rule(seconds=st.sampled_from([0.01, 1.0, 11.0, 70.0]))
    def time_passes(self, seconds: float) -> None:
        due, self.now = self.lane.next_at(self.now), self.now + seconds
        went = len(self.running)
        self.drain()
        assert len(self.running) == went or due <= self.now, "nobody may go before it was said when to look"

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        assert self.lane.running == len(self.running) == len(set(self.running)) <= self.concurrency
        assert self.lane.waiting == len(self.waiting())
        assert not self.gave_up & set(self.running)

    @invariant()
    def no_slot_is_idle_while_somebody_waits_but_the_reserve(self) -> None:
        free = self.concurrency - len(self.running)
        for call in self.waiting():
            tier = call.flow.line.tier
            urgent = sum(other.flow.line.tier.rank < tier.rank for other in self.running)
            held_back = (
                0
                if tier is URGENT or self.concurrency == 1
                else max(1, round((self.concurrency - urgent) / 10))
            )
            assert free <= held_back


AnyLane.TestCase.settings = settings(max_examples=examples(30), stateful_step_count=40, deadline=None)
TestAnyLane = AnyLane.TestCase


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ask", "ask", "serve"]), st.sampled_from(sorted(WEIGHTS)), st.integers(1, 1000)
        ),
        max_size=120,
    )
)
def test_backlogged_tenants_part_by_no_more_than_twice_the_largest_call(
    does: list[tuple[str, str, int]],
) -> None:
    lane = lane_of(1)
    runs = ask(lane)
    waiting, served, since = defaultdict(int), defaultdict(float), {}
    largest = max((tokens / WEIGHTS[tenant] for _, tenant, tokens in does), default=0.0)
    for what, tenant, tokens in does:
        if what == "ask":
            ask(lane, tenant=tenant, tokens=tokens)
            waiting[tenant] += 1
        elif sum(waiting.values()):
            lane.end(runs)
            (runs,) = let_go(lane, 0.0)
            waiting[runs.flow.tenant] -= 1
            served[runs.flow.tenant] += runs.tokens / runs.weight
        for pair in itertools.combinations(sorted(WEIGHTS), 2):
            gap = served[pair[0]] - served[pair[1]]
            if not all(waiting[name] for name in pair):
                since.pop(pair, None)
                continue
            low, high = since.get(pair, (gap, gap))
            since[pair] = min(low, gap), max(high, gap)
            assert since[pair][1] - since[pair][0] <= 2 * largest + 1e-6


def test_a_tenant_of_four_times_the_weight_is_served_four_times_as_much() -> None:
    lane = lane_of(1)
    runs = ask(lane)
    for _ in range(50):
        ask(lane, tenant="globex")  # weight 2
        ask(lane, tenant="initech")  # weight 1/2
    served = []
    for _ in range(50):
        lane.end(runs)
        (runs,) = let_go(lane, 0.0)
        served.append(runs.flow.tenant)
    assert served.count("globex") == 40


def test_idling_earns_no_credit() -> None:
    lane = lane_of(1)
    runs = ask(lane, tenant="busy")
    for _ in range(100):
        ask(lane, tenant="busy")
    served = []
    for turn in range(60):
        if turn == 50:
            for _ in range(10):
                ask(lane, tenant="back")
        lane.end(runs)
        (runs,) = let_go(lane, 0.0)
        served.append(runs.flow.tenant)
    # One each in turn, rather than ten of the one that idled.
    assert served[50:].count("back") == 5


def test_what_a_call_took_too_much_is_held_against_its_tenant_even_after_it_ended() -> None:
    lane = lane_of(1)
    runs = ask(lane, tenant="liar", tokens=10)
    for _ in range(10):
        ask(lane, tenant="liar", tokens=10)
        ask(lane, tenant="honest", tokens=10)
    lane.end(runs)
    lane.settle(runs, 60, 0.0)
    order = []
    for _ in range(7):
        (runs,) = let_go(lane, 0.0)
        order.append(runs.flow.tenant)
        lane.end(runs)
    # 50 tokens more than it said are five calls of the other one, before they take turns again.
    assert order[:6].count("honest") >= 5


def test_calls_that_all_fail_do_not_keep_the_first_place() -> None:
    lane = lane_of(1)
    runs = ask(lane, tenant="fails", tokens=10)
    for _ in range(60):
        ask(lane, tenant="fails", tokens=10)
    honest = ask(lane, tenant="honest", tokens=40)
    for _ in range(60):
        lane.end(runs)
        lane.settle(runs, 0, 0.0)
        (runs,) = let_go(lane, 0.0)
        if runs is honest:
            return
    raise AssertionError("sixty calls that were not served went before it")


# -- nobody waits for ever


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 6),
    st.lists(
        st.tuples(st.sampled_from([URGENT, URGENT, BATCH]), st.floats(0.01, 8.0)), min_size=1, max_size=30
    ),
    st.integers(1, 4),
)
def test_any_waiting_call_goes_in_bounded_time_under_any_flood_of_more_urgent_ones(
    concurrency: int, flood: list[tuple[Tier, float]], behind: int
) -> None:
    longest = max(seconds for _, seconds in flood)
    # A line is raised by a tier for 10 s and 10 calls that passed it, each after at most the longest one.
    bound = 2 * max(AGEING_S, 10 * longest) + longest
    lane, now, ends, numbers = lane_of(concurrency), 0.0, [], itertools.count()
    comes = itertools.cycle(flood)
    seconds_of: dict[Call, float] = {}

    def keep_flooding() -> None:
        while len(seconds_of) < 2 * concurrency + 2:
            tier, seconds = next(comes)
            call = ask(lane, tier, f"t{next(numbers) % 7}", 50, now)
            seconds_of[call] = seconds
            if call.runs:
                heappush(ends, (now + seconds, next(numbers), call))

    keep_flooding()
    background = [ask(lane, NIGHT, "night", 5000, now) for _ in range(behind)]
    assert not any(call.runs for call in background)
    seconds_of.update(dict.fromkeys(background, longest))
    went: list[float] = []
    while len(went) < behind:
        now, _, ended = heappop(ends)
        lane.end(ended)
        del seconds_of[ended]
        for call in let_go(lane, now):
            heappush(ends, (now + seconds_of[call], next(numbers), call))
            if call in background:
                went.append(now)
                assert now <= len(went) * bound + 1e-6
        keep_flooding()


def test_ever_new_tenants_with_small_calls_do_not_pass_a_large_one_for_ever() -> None:
    lane = lane_of(1)
    runs = ask(lane, tenant="small0", tokens=1)
    large = ask(lane, tenant="large", tokens=50)
    for n in range(1, 1000):
        ask(lane, tenant=f"small{n}", tokens=1)
        lane.end(runs)
        (runs,) = let_go(lane, 0.0)
        if runs is large:
            # Each that is new starts where the next one stands: half a token further on each time.
            assert n <= 2 * 50
            return
    raise AssertionError("it was passed a thousand times")


def test_a_flood_that_has_waited_long_gains_one_call_at_a_time_and_only_past_ten_urgent_ones() -> None:
    lane, now = lane_of(1), 0.0
    runs = ask(lane)
    for _ in range(100):
        ask(lane, NIGHT)
        ask(lane)
    tiers = []
    for _ in range(63):
        now += 60.0
        lane.end(runs)
        (runs,) = let_go(lane, now)
        tiers.append(runs.flow.line.tier)
    # Twenty interactive calls, one background call, and again; though each has waited for an hour by then.
    assert [n for n, tier in enumerate(tiers) if tier is NIGHT] == [20, 41, 62]


# -- the reserve


def test_a_flood_leaves_a_twentieth_free_until_an_urgent_call_comes() -> None:
    lane = lane_of(40)
    assert sum(goes(lane, NIGHT) for _ in range(100)) == 38
    assert goes(lane)
    assert goes(lane)
    assert not goes(lane)


def test_the_reserve_grows_with_each_urgent_call_that_found_nothing_up_to_a_tenth_of_what_is_left() -> None:
    lane = lane_of(40)
    background = [call for _ in range(100) if (call := ask(lane, NIGHT)).runs]
    assert [goes(lane) for _ in range(8)] == [True] * 2 + [False] * 6
    for call in background[:12]:
        lane.end(call)
        let_go(lane, 1.0)
    # Eight run; of the 32 that they leave a tenth is held back.
    assert lane.use(1.0) == (8 + 32 - 3, 100 - 38 - 3, 3)


def test_where_no_urgent_call_came_for_a_minute_background_has_the_whole_lane() -> None:
    lane = lane_of(40)
    for _ in range(100):
        ask(lane, NIGHT)
    assert lane.next_at(0.0) == 60.0
    assert lane.next(59.9) is None
    assert len(let_go(lane, 60.0)) == 2


def test_a_lane_of_one_slot_holds_nothing_back() -> None:
    assert ask(lane_of(1), NIGHT).runs


# -- paces


@settings(max_examples=80, deadline=None)
@given(
    st.floats(60.0, 60_000.0),
    st.lists(st.tuples(st.floats(0.0, 3.0), st.integers(1, 3000)), min_size=1, max_size=40),
    st.sampled_from(["share", "lane"]),
)
def test_a_pace_is_kept_over_any_stretch_of_time_and_used_up(
    per_minute: float, calls: list[tuple[float, int]], kind: str
) -> None:
    lane = lane_of(8) if kind == "share" else lane_of(tokens_per_minute=per_minute)
    if kind == "share":
        lane.share("acme", URGENT, per_minute, 0.0)
    rate, burst, largest = per_minute / 60, max(1.0, per_minute / 60), max(tokens for _, tokens in calls)
    went: list[tuple[float, int]] = []
    now, comes = 0.0, deque(calls)
    at = comes[0][0]
    while comes or lane.waiting:
        due = lane.next_at(now)
        now = min(due, at if comes else inf)
        assert now < inf, "something waits, and nobody was told when to look"
        if comes and now == at:
            call = ask(lane, tokens=comes.popleft()[1], now=now)
            at += comes[0][0] if comes else 0.0
            if call.runs:
                went.append((now, call.tokens))
                lane.end(call)
        for call in let_go(lane, now):
            went.append((now, call.tokens))
            lane.end(call)
    for first, (begin, _) in enumerate(went):
        for last in range(first, len(went)):
            tokens = sum(tokens for _, tokens in went[first : last + 1])
            assert tokens <= rate * (went[last][0] - begin) + burst + largest + 1.0
    # The last waited for no more than what went before it takes at this rate.
    assert went[-1][0] <= sum(gap for gap, _ in calls) + sum(tokens for _, tokens in went[:-1]) / rate + 0.1


def test_a_share_paces_its_tenants_tier_alone() -> None:
    lane = lane_of(100)
    lane.share("acme", NIGHT, 600.0, 0.0)
    assert [goes(lane, NIGHT, "acme", 10) for _ in range(3)] == [True, False, False]
    assert goes(lane, NIGHT, "globex", 10)
    assert goes(lane, URGENT, "acme", 10)
    # Ten tokens a second: a second's worth was there, and the call of ten took it.
    assert lane.next_at(0.0) == pytest.approx(0.1)
    assert lane.next(0.05) is None
    assert len(let_go(lane, 0.11)) == 1


def test_a_share_that_is_lifted_lets_go_and_one_of_nothing_holds_everything() -> None:
    lane = lane_of(100)
    lane.share("acme", URGENT, 0.0, 0.0)
    assert not goes(lane)
    assert lane.next_at(0.0) == inf
    assert lane.share("acme", URGENT, None, 5.0)
    assert len(let_go(lane, 5.0)) == 1
    assert not lane.share("acme", URGENT, None, 6.0)


def test_settling_gives_a_share_back_what_a_call_did_not_take() -> None:
    lane = lane_of(100)
    lane.share("acme", URGENT, 600.0, 0.0)
    call = ask(lane, tokens=1000)
    ask(lane, tokens=10)
    assert lane.next_at(0.0) == pytest.approx(99.1)
    lane.settle(call, 5, 0.0)
    assert len(let_go(lane, 0.0)) == 1


@pytest.mark.parametrize("limit", ["tokens_per_minute", "requests_per_minute"])
def test_a_flood_of_background_calls_draws_nothing_that_an_urgent_one_waits_for(limit: str) -> None:
    lane = lane_of(**{limit: 600.0})
    for n in range(600):
        goes(lane, NIGHT, "night", 1, n / 20)
    assert lane.waiting
    # A second's worth at once, as if nothing else were there.
    assert sum(goes(lane, tokens=1, now=30.0) for _ in range(12)) == 10
    # And all that flows in after it: two of these wait already, and three more go.
    assert sum(goes(lane, tokens=1, now=30.5) for _ in range(12)) == 3


def test_a_large_call_is_paid_for_by_its_own_tier() -> None:
    lane = lane_of(tokens_per_minute=600.0)
    assert goes(lane, NIGHT, tokens=100_000)
    assert goes(lane, URGENT, tokens=5)
    assert not goes(lane, NIGHT, tokens=5, now=1.0)


# -- arguments


@pytest.mark.parametrize(
    "limits",
    [
        {"concurrency": 0},
        {"tokens_per_minute": -1.0},
        {"requests_per_minute": inf},
        {"tokens_per_minute": float("nan")},
    ],
    ids=str,
)
def test_a_limit_that_is_none_is_refused(limits: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(limits))):
        Limits(**limits)
