"""The fairness simulation: what it judges by is right, and ours does in a few minutes what first come does not."""

from __future__ import annotations

from itertools import chain
from random import Random

import pytest
from fairness import Bar
from fairness_incident import alone, scene, together
from fairness_load import Call, Source, arrivals, flood
from fairness_play import Fair, FirstCome, StrictPriority, play, widest

from policies.model import Capacity
from switchgear.tier import Tier

# 1,000 tokens a second at 95 % of the limit.
CAPACITY = Capacity("p", None, int(60_000 / 0.95))


def many(tenant: str, tier: Tier, calls: int, tokens: int = 1000) -> list[Call]:
    return [Call(n / 1000, tenant, tier, tokens, 0, 1.0, 1.0) for n in range(calls)]


def test_the_gap_is_the_most_by_which_service_parts_while_both_wait() -> None:
    both = [*many("a", Tier.BATCH, 20), *many("b", Tier.BATCH, 20)]
    # All of one and then all of the other, against one each in turn.
    in_turns = sorted(both, key=lambda call: call.at)
    one_first = [Call(0.0, c.tenant, c.tier, c.input, 0, 1.0, 1.0) for c in both]
    # The first of 20 goes before anybody else has asked.
    assert play(FirstCome(CAPACITY), one_first, 100.0).gap == 19_000
    assert play(FirstCome(CAPACITY), in_turns, 100.0).gap <= 2000
    assert play(Fair(CAPACITY), one_first, 100.0).gap <= 2000


def test_an_order_lets_everything_go_at_the_rate_of_its_lane() -> None:
    calls = list(
        chain(many("a", Tier.INTERACTIVE, 30), many("b", Tier.BATCH, 30), many("c", Tier.BACKGROUND, 30))
    )
    for order in (Fair, FirstCome, StrictPriority):
        outcome = play(order(CAPACITY), calls, 200.0)
        assert not outcome.left
        # 90,000 tokens less the buckets' second and two quarters, at 1,000 a second; the last is not waited for.
        assert max(at for _, at in outcome.started) == pytest.approx(88.5, abs=2.0)


def test_background_work_waits_for_ever_under_strict_priority_and_not_in_our_order() -> None:
    # 2,000 a second are asked for interactively, and 1,000 there.
    calls = [*flood("night", 60, 100.0, Random(1), median=100)]
    calls += [Call(n / 2, "day", Tier.INTERACTIVE, 1000, 0) for n in range(800)]
    strict, ours = (play(order(CAPACITY), calls, 400.0) for order in (StrictPriority, Fair))
    assert ours.longest_pause(Tier.BACKGROUND) < 200 < strict.longest_pause(Tier.BACKGROUND)


def test_a_source_asks_at_its_rate_and_is_silent_where_that_is_none() -> None:
    source = Source("client", ((2.0, 1.0), (0.0, 1.0), (4.0, 3.0)))
    times = [call.at for call in arrivals(source, 1800, Random(1), tier=Tier.BATCH, median=500)]
    per_bin = [sum(at // 600 == n for at in times) for n in range(3)]
    assert per_bin == [pytest.approx(1200, rel=0.1), 0, pytest.approx(2400, rel=0.25)]


def test_a_recorded_run_is_reckoned_as_the_artifact_does() -> None:
    # 0: 100 at 1 s, then 2 x 50 evenly until 3 s. 1: 10 at 2 s, then nothing more.
    served = [(0.0, "0", 100, 50, 1.0, 3.0), (0.0, "1", 10, 0, 2.0, 9.0)]
    assert widest(served, 2.0) == (150.0, 0.0)
    assert widest(served, 4.0) == (190.0, 0.25)


def test_the_night_that_breaks_the_limit_alone_breaks_nothing_together() -> None:
    calls = scene(200, Random(1))
    apart, ours = alone(calls), together(calls, 600, Random(1))
    assert apart.refused > 500
    assert apart.failed > 50
    assert (ours.refused, ours.failed) == (0, 0)
    assert sum(map(len, ours.waits.values())) == len(calls)
    # A limit that is declared too high is learned.
    assert together(calls, 900, Random(1)).refused < apart.refused / 50


@pytest.mark.parametrize(
    ("figure", "least", "met"), [(1.0, True, True), (0.9, True, False), (1.1, False, False)]
)
def test_a_bar_says_whether_it_is_met(figure: float, *, least: bool, met: bool) -> None:
    bar = Bar("x", figure, 1.0, "s", least)
    assert bar.met is met
    assert ("MISSED" in str(bar)) is not met
