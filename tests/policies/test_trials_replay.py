"""Replays of recorded calls: what was really spent, what the engine makes of it, and how trips are judged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.breaker import State
from policies.files import parse
from policies.model import Ceiling, Dimension, PolicySet, Rolling, Scope, Who
from policies.transitions import Transition
from policies.trials.judging import Money, judge
from policies.trials.recorded import RecordedCall, recorded_prices
from policies.trials.replay import PATIENCE_S, Became, Replay, in_shadow, replay
from policies.trials.truth import Truth
from policies.trials.world import World
from switchgear.settings import Settings
from switchgear.tier import Tier
from switchgear.usage import Usage

WHO = Who("acme", "w", Tier.BATCH, "t1", "openai", "m")
MICRO = Decimal(1) / 1_000_000
NOTHING = Money(0, Decimal(0), 0)


def ceiling(limit: str = "1", length_s: float | None = 60.0, *per: Dimension) -> Ceiling:
    window = None if length_s is None else Rolling(length_s)
    return Ceiling("c", Scope(tenant="acme"), Decimal(limit), window, per=per)


def price(provider: str | None, model: str | None, usage: Usage, at: datetime) -> Decimal | None:
    return usage.total * MICRO / (10 if model == "small" else 1)


def call(
    at: float, cost: str, *, takes: float = 1.0, task: str = "t1", tier: Tier = Tier.BATCH
) -> RecordedCall:
    tokens = int(Decimal(cost) / MICRO)
    usage = Usage(output=tokens)
    return RecordedCall(at, at + takes, "acme", "w", tier, task, "openai", "m", usage, Decimal(cost))


def policies(ceilings: str) -> PolicySet:
    head = "version: 1\ntenants: {acme: {workloads: {w: {degrade: [{from: m, to: small}]}}}}\n"
    return parse(f"{head}ceilings:\n{ceilings}", name="p.yaml")


# -- what was really spent


def spent(*calls: tuple[float, str], of: Ceiling, who: Who = WHO) -> list[tuple[float, float, Decimal]]:
    truth = Truth([of])
    for at, cost in calls:
        truth.add(who, Decimal(cost), None, at)
    return [(breach.at, breach.over_at, breach.most) for breach in truth.breaches]


@pytest.mark.parametrize(
    ("calls", "breaches"),
    [
        pytest.param([(0.0, "0.5"), (1.0, "0.5")], [], id="just the limit is within it"),
        pytest.param(
            [(0.0, "1.000001")], [(0.0, float("inf"), Decimal("1.000001"))], id="a millionth more is not"
        ),
        # At 60 s the first call leaves the window of 60 s: 0.6 of 1 is left, which is under 90 %.
        pytest.param(
            [(0.0, "0.5"), (1.0, "0.6"), (60.0, "0.1")], [(1.0, 60.0, Decimal("1.1"))], id="it leaves"
        ),
        # 0.95 is back within the limit, and still the same breach.
        pytest.param(
            [(0.0, "0.15"), (1.0, "0.95"), (60.0, "0.1"), (70.0, "0.1")],
            [(1.0, 61.0, Decimal("1.1"))],
            id="between the limit and 90 % of it nothing is over",
        ),
        pytest.param(
            [(0.0, "1.1"), (100.0, "1.2")],
            [(0.0, 60.0, Decimal("1.1")), (100.0, float("inf"), Decimal("1.2"))],
            id="a new crossing is a new breach",
        ),
    ],
)
def test_a_breach_is_a_crossing_of_the_limit(
    calls: Sequence[tuple[float, str]], breaches: Sequence[tuple[float, float, Decimal]]
) -> None:
    assert spent(*calls, of=ceiling()) == breaches


def test_each_task_has_a_spend_of_its_own_that_never_leaves() -> None:
    truth = Truth([ceiling("1", None, Dimension.TASK)])
    for at, task in ((0.0, "a"), (10_000.0, "a"), (20_000.0, "b")):
        truth.add(Who("acme", "w", Tier.BATCH, task), Decimal("0.6"), None, at)
    (breach,) = truth.breaches
    assert (breach.scope, breach.at) == (frozenset({("tenant", "acme"), ("task", "a")}), 10_000.0)


def test_what_a_calendar_left_unspent_comes_along_up_to_its_share(tmp_path: Path) -> None:
    text = "- {name: c, limit: 1 USD, window: {calendar: day, zone: UTC}, carry_over: 20%}"
    (of,) = policies(f"  {text}\n").ceilings
    day = 86_400.0
    # Of the first day 0.9 is left: a fifth of the limit comes along. Of the second nothing is left.
    assert spent((0.0, "0.1"), (day, "1.2"), (2 * day, "1.1"), of=of) == [
        (2 * day, float("inf"), Decimal("1.1"))
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 200), st.integers(1, 60)), min_size=1, max_size=40))
def test_the_sums_are_those_of_the_calls_in_the_window(calls: list[tuple[int, int]]) -> None:
    calls = sorted(calls)
    truth = Truth([ceiling("1")])
    for at, cents in calls:
        truth.add(WHO, Decimal(cents) / 100, None, float(at))
    sums = [
        sum(cents for then, cents in calls[: place + 1] if then > at - 60)
        for place, (at, _) in enumerate(calls)
    ]
    assert truth.most("c") == Decimal(max(sums)) / 100
    assert bool(truth.breaches) == (max(sums) > 100)


# -- what the engine makes of it


HOUR = "  - {name: hour, scope: {tenant: acme}, limit: 1 USD, window: 1h}\n"


def test_in_shadow_every_call_goes_as_it_went() -> None:
    calls = [call(10.0 * n, "0.2") for n in range(10)]
    found = replay(in_shadow(policies(HOUR)), calls, price)
    assert found.outcomes == []
    assert found.truth.most("hour") == Decimal("2.0")


def test_acting_no_scope_passes_its_limit_and_what_was_refused_is_what_is_missing() -> None:
    calls = [call(10.0 * n, "0.2") for n in range(10)]
    found = replay(policies(HOUR), calls, price)
    refused = [each for each in found.outcomes if each.became is Became.REFUSED]
    assert {each.policy for each in refused} == {"hour"}
    spent_after = found.truth.most("hour")
    assert spent_after == 2 - sum(Decimal("0.2") for _ in refused)
    assert spent_after <= 1
    assert found.truth.breaches == []


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 120), st.integers(1, 30), st.integers(0, 40), st.sampled_from(list(Tier))),
        min_size=1,
        max_size=60,
    )
)
def test_what_is_spent_and_what_is_saved_is_what_was_recorded(
    calls: list[tuple[int, int, int, Tier]],
) -> None:
    """And no scope passes its limit by more than the largest call."""
    everything = "  - {name: all, limit: 1000000 USD, window: 366d, shadow: true}\n"
    ladder = "ladder: [{at: 60%, do: queue, tiers: background}, {at: 80%, do: degrade}]"
    hour = f"  - {{name: hour, scope: {{tenant: acme}}, limit: 1 USD, window: 1h, {ladder}}}\n"
    recorded, at = [], 0.0
    for gap, cents, takes, tier in calls:
        at += gap
        recorded.append(call(at, f"{cents / 100}", takes=float(takes), tier=tier))
    found = replay(policies(everything + hour), recorded, price)
    known = [each.saved or Decimal(0) for each in found.outcomes]
    spent = found.truth.most("all") or Decimal(0)
    assert spent + sum(known) == sum(each.cost or 0 for each in recorded)
    excess = [breach.most - breach.limit for breach in found.truth.breaches]
    assert max(excess, default=Decimal(0)) <= max(each.cost or Decimal(0) for each in recorded)


def test_a_degraded_call_is_charged_at_the_other_models_price() -> None:
    ladder = "  - {name: hour, limit: 1 USD, window: 1h, ladder: [{at: 1%, do: degrade}]}\n"
    found = replay(policies(ladder), [call(0.0, "0.1"), call(100.0, "0.1")], price)
    (degraded,) = [each for each in found.outcomes if each.became is Became.DEGRADED]
    # A tenth of 0.1 USD
    assert (degraded.cost, degraded.saved) == (Decimal("0.01"), Decimal("0.09"))
    assert found.truth.most("hour") == Decimal("0.11")


def test_calls_wait_as_long_as_the_sdk_lets_them() -> None:
    assert {tier: Settings().patience_s(tier) for tier in Tier} == PATIENCE_S


def test_models_without_a_price_cost_what_their_recorded_calls_did() -> None:
    asked = (Usage(output=50), datetime(2026, 11, 1, tzinfo=UTC))
    calls = [call(0.0, "0.1"), call(1.0, "0.3")]
    prices = recorded_prices(calls, lambda *_: None)
    # 0.4 USD for 400,000 tokens
    assert prices("openai", "m", *asked) == Decimal("0.00005")
    assert prices("openai", "other", *asked) is None


@pytest.mark.parametrize("step_s", [0.5, 60.0, 570.06, 1 / 3])
def test_time_passes_to_its_moment_whatever_the_step(step_s: float) -> None:
    begin = datetime(2026, 11, 16, tzinfo=UTC).timestamp()
    world = World(policies(HOUR), price, begin, step_s)
    done: list[float] = []
    world.later(begin + 10_000.25, lambda: done.append(world.now))
    world.pass_to(begin + 20_000.5)
    assert (world.now, done) == (begin + 20_000.5, [begin + 10_000.25])


# -- how trips are judged


def trip(at: float, after: State = State.OPEN, before: State = State.CLOSED) -> Transition:
    nothing = Decimal(0)
    return Transition(
        at, "c", {"tenant": "acme"}, before, after, "engine", "", nothing, nothing, nothing, nothing, "USD"
    )


def judged(
    calls: Sequence[tuple[float, str]], trips: Sequence[Transition], until: float, *, slowed: bool = False
) -> tuple[int, ...]:
    """Breaches, trips (or slow-downs) and false ones; then the leads in whole seconds."""
    truth = Truth([ceiling()])
    for at, cost in calls:
        truth.add(WHO, Decimal(cost), None, at)
    recorded = Replay(len(calls), [], trips, truth, until)
    acting = Replay(len(calls), [], [], Truth([ceiling()]), until)
    one = PolicySet("v", "USD", Decimal(60), (), (ceiling(),))
    (found,) = judge(one, recorded, acting, NOTHING).policies
    seen = found.slowing if slowed else found.opening
    return (found.breaches, seen.trips, seen.false_trips, *(int(lead) for lead in seen.leads))


@pytest.mark.parametrize(
    ("calls", "trips", "found"),
    [
        pytest.param([(100.0, "1.1")], [trip(70.0)], (1, 1, 0, 30), id="a trip 30 s before a breach"),
        pytest.param([(100.0, "1.1")], [], (1, 0, 0), id="a breach that nothing preceded"),
        pytest.param([(100.0, "0.9")], [trip(70.0), trip(80.0, State.CLOSED)], (0, 1, 1), id="a false trip"),
        pytest.param(
            [(100.0, "1.1")],
            [trip(70.0), trip(90.0, State.CLOSED)],
            (1, 1, 0),
            id="a trip that was right and over too soon",
        ),
        # Open from 30 s on: at 90 s, a window later, it counts again, and only that one was right.
        pytest.param(
            [(100.0, "1.1")], [trip(30.0)], (1, 2, 1, 60), id="open for a window it counts as another"
        ),
        pytest.param([(100.0, "1.1")], [trip(105.0)], (1, 0, 0), id="a trip in a breach is none"),
    ],
)
def test_a_trip_is_judged_by_the_breaches_that_followed(
    calls: Sequence[tuple[float, str]], trips: Sequence[Transition], found: tuple[int, ...]
) -> None:
    assert judged(calls, trips, until=110.0) == found


def test_throttling_is_judged_apart_and_goes_on_through_the_opening_that_follows() -> None:
    throttled, opened = trip(60.0, State.THROTTLED), trip(90.0, before=State.THROTTLED)
    calls, trips = [(100.0, "1.1")], [throttled, opened]
    assert judged(calls, trips, 110.0) == (1, 1, 0, 10)
    assert judged(calls, trips, 110.0, slowed=True) == (1, 1, 0, 40)
