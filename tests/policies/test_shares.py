"""Shares: weighted max-min, and lanes that hold to it: nothing idle while wanted, nobody below its own part."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.capacity import Backlog, Claim, Lane, LaneKey, Lanes, Share, divide, offer, parse, share_out
from policies.model import TIER_WEIGHTS, Capacity
from switchgear.tier import Tier

amounts = st.floats(0, 1e7)
weights = st.floats(0.1, 100)
wants = st.lists(st.tuples(weights, st.floats(0, 1e6)), max_size=12)


@settings(max_examples=60)
@given(amounts, wants)
def test_a_division_is_max_min_fair(amount: float, wants: list[tuple[float, float]]) -> None:
    parts = divide(amount, wants)
    near = 1e-6 * max(1.0, amount)
    assert sum(parts) == pytest.approx(min(amount, sum(demand for _, demand in wants)), rel=1e-9, abs=near)
    all_weights = sum(weight for weight, _ in wants)
    for (weight, demand), part in zip(wants, parts, strict=True):
        assert part <= demand
        assert part >= min(demand, amount * weight / all_weights) - near
    # Who is left wanting has no less for its weight than anybody.
    for (weight, demand), part in zip(wants, parts, strict=True):
        if part < demand - near:
            most = max(other / heavy for (heavy, _), other in zip(wants, parts, strict=True))
            assert part / weight >= most - near


claims = st.lists(
    st.builds(Claim, st.sampled_from("abcdef"), st.sampled_from(Tier), weights, st.floats(0, 1e6)),
    min_size=1,
    max_size=12,
    unique_by=lambda claim: (claim.tenant, claim.tier),
)


@settings(max_examples=60)
@given(amounts, claims)
def test_shares_use_the_capacity_and_leave_nobody_below_its_own_part(
    capacity: float, claims: list[Claim]
) -> None:
    shares = share_out(capacity, claims, TIER_WEIGHTS)
    near = 1e-6 * max(1.0, capacity)
    allotted = sum(share.allotted or 0.0 for share in shares)
    assert allotted == pytest.approx(min(capacity, sum(c.demand for c in claims)), rel=1e-9, abs=near)
    assert sum(share.entitlement or 0.0 for share in shares) == pytest.approx(capacity, abs=near)
    for share in shares:
        assert (share.allotted or 0.0) >= min(share.demand, share.entitlement or 0.0) - near
        assert share.borrowed <= share.demand


@settings(max_examples=60)
@given(amounts, claims, st.floats(0, 1e6))
def test_more_demand_of_another_takes_back_what_was_lent_and_nothing_else(
    capacity: float, claims: list[Claim], more: float
) -> None:
    greedier = [replace(claims[0], demand=claims[0].demand + more), *claims[1:]]
    before = {(s.tenant, s.tier): s for s in share_out(capacity, claims, TIER_WEIGHTS)}
    for share in share_out(capacity, greedier, TIER_WEIGHTS):
        old = before[share.tenant, share.tier]
        near = 1e-6 * max(1.0, capacity)
        if (share.tenant, share.tier) == (claims[0].tenant, claims[0].tier):
            assert (share.allotted or 0.0) >= (old.allotted or 0.0) - near
        else:
            kept = (old.allotted or 0.0) - old.borrowed
            assert (share.allotted or 0.0) >= kept - near


def test_tiers_come_before_tenants_and_what_one_leaves_goes_to_the_next() -> None:
    claims = [
        Claim("acme", Tier.INTERACTIVE, 1.0, 30_000),
        Claim("acme", Tier.BACKGROUND, 1.0, 500_000),
        Claim("globex", Tier.BACKGROUND, 3.0, 500_000),
    ]
    shares = share_out(101_000, claims, TIER_WEIGHTS)
    # Interactive could claim 100 of 101 parts and wants 30,000; 71,000 are divided one to three.
    assert shares == (
        Share("acme", Tier.INTERACTIVE, 1.0, 30_000, 100_000, 30_000),
        Share("acme", Tier.BACKGROUND, 1.0, 500_000, 250, 71_000 / 4),
        Share("globex", Tier.BACKGROUND, 3.0, 500_000, 750, 71_000 * 3 / 4),
    )
    assert shares[1].borrowed == 17_750 - 250


def test_without_a_limit_everybody_has_what_it_wants() -> None:
    (share,) = share_out(None, [Claim("acme", Tier.BATCH, 1.0, 5.0)], TIER_WEIGHTS)
    assert (share.entitlement, share.allotted, share.borrowed) == (None, None, 0.0)


def test_an_offer_is_what_a_tenant_could_have_beside_what_the_others_want() -> None:
    others = [Claim("globex", Tier.BATCH, 1.0, 20.0), Claim("acme", Tier.BATCH, 1.0, 1.0)]
    assert offer(100.0, others, Claim("acme", Tier.BATCH, 1.0, 100.0), TIER_WEIGHTS) == pytest.approx(80.0)


# -- lanes


def serve(lane: Lane, demand: dict[Tier, int], seconds: float, step: float = 0.05) -> dict[Tier, list[float]]:
    """When calls of 100 tokens go that are there without end (`demand` a step at the most), by tier."""
    went: dict[Tier, list[float]] = {tier: [] for tier in Tier}
    for n in range(int(seconds / step)):
        now = n * step
        for tier, most in demand.items():
            for _ in range(most):
                if lane.admits(now, tier):
                    lane.take(100, now, tier, "acme")
                    went[tier].append(now)
    return went


@pytest.mark.parametrize("tier", list(Tier))
def test_a_tier_that_is_alone_has_the_whole_lane(tier: Tier) -> None:
    # 600 a minute at 95 %: 570, and a second's worth at the begin.
    assert 565 <= len(serve(Lane(Capacity("p", 600, None)), {tier: 9}, 60.0)[tier]) <= 580
    assert 565 <= len(serve(Lane(Capacity("p", None, 60_000)), {tier: 9}, 60.0)[tier]) <= 580


def test_tiers_that_want_everything_have_it_by_weight() -> None:
    weights = {Tier.INTERACTIVE: 6.0, Tier.BATCH: 3.0, Tier.BACKGROUND: 1.0}
    went = serve(Lane(Capacity("p", 6000, None), weights), dict.fromkeys(Tier, 20), 30.0)
    # 285 parts of ten, and what the buckets held: 95 and twice 24.
    assert [len(went[tier]) - held for tier, held in zip(Tier, (95, 24, 24), strict=True)] == pytest.approx(
        [285 * 6, 285 * 3, 285], rel=0.03
    )


def test_a_flood_of_background_work_leaves_interactive_work_its_burst_and_takes_all_the_rest() -> None:
    lane = Lane(Capacity("p", 600, None))
    flood = len(serve(lane, {Tier.BACKGROUND: 5}, 60.0)[Tier.BACKGROUND])
    assert flood >= 565
    burst = 0
    while lane.admits(60.0, Tier.INTERACTIVE):
        lane.take(100, 60.0, Tier.INTERACTIVE)
        burst += 1
    assert burst == 9


def test_background_work_is_never_starved_for_ever() -> None:
    """At 600 a minute its trickle is 9.5 / 101 a second: a call every 10.6 s."""
    went = serve(Lane(Capacity("p", 600, None)), {Tier.INTERACTIVE: 2, Tier.BACKGROUND: 1}, 60.0, 0.1)
    times = went[Tier.BACKGROUND][1:]
    assert len(times) >= 4
    assert max(later - earlier for earlier, later in pairwise(times)) <= 10.8


def test_what_background_work_had_beyond_its_part_a_burst_of_interactive_work_has_back() -> None:
    """Two minutes' worth of its part at the most: then its trickle flows again."""
    lane = Lane(Capacity("p", 600, None))
    serve(lane, {Tier.BACKGROUND: 2}, 30.0, 0.1)
    went: dict[Tier, list[float]] = {tier: [] for tier in Tier}
    for n in range(300, 1800):
        for tier in (Tier.INTERACTIVE, Tier.INTERACTIVE, Tier.BACKGROUND):
            if lane.admits(n / 10, tier):
                lane.take(100, n / 10, tier)
                went[tier].append(n / 10)
    # Of 111 parts; while two want, one in 101 is paid back: 120 x 101 / 111 = 109 s.
    assert [at for at in went[Tier.BACKGROUND] if 31.0 < at < 139.0] == []
    assert any(139.0 < at < 160.0 for at in went[Tier.BACKGROUND])
    assert sum(30.0 < at <= 90.0 for at in went[Tier.INTERACTIVE]) >= 569


def test_a_large_call_goes_and_its_own_tier_waits_for_it() -> None:
    lane = Lane(Capacity("p", None, 60_000))
    taken = lane.take(10_000, 0.0, Tier.BATCH, "acme")
    assert not lane.admits(1.0, Tier.BATCH)
    assert lane.admits(1.0, Tier.INTERACTIVE)
    # 10,000 less a quarter of a second's 950 have to flow in, and the one to go with.
    assert lane.next_at(1.0, Tier.BATCH) == pytest.approx((10_000 - 237.5 + 1) / 950, abs=0.01)
    lane.settle(taken, 0, 1.0)
    assert lane.admits(1.0, Tier.BATCH)


def test_a_grant_of_several_calls_draws_as_many_requests_and_is_settled_call_by_call() -> None:
    lane = Lane(Capacity("p", 60, 60_000))
    taken = lane.take(3000, 0.0, Tier.INTERACTIVE, "acme", calls=3)
    # One was there; two are owed, and one is needed: three at 0.95 a second.
    assert lane.next_at(0.0) == pytest.approx(3 / 0.95)
    lane.settle(taken, 400, 1.0)
    lane.settle(taken, 0, 1.0, calls=2)
    assert lane.used(1.0) == (3, 400)


def test_a_lane_tells_its_limits_its_use_and_its_shares() -> None:
    lane = Lane(Capacity("p", 600, 120_000))
    lane.take(1000, 0.0, Tier.INTERACTIVE, "acme")
    lane.settle(lane.take(500, 1.0, Tier.INTERACTIVE, "globex"), 700, 2.0)
    lane.reports(parse({"x-ratelimit-limit-tokens": "90000", "x-ratelimit-limit-requests": "9000"}, 0.0), 0.0)
    waits = [Backlog("p", Tier.INTERACTIVE, "globex", 40, 0, 200_000)]
    use = lane.use(3.0, waits, lambda tenant: 2.0 if tenant == "globex" else 1.0)
    assert (use.requests_limit, use.tokens_limit) == (600, 90_000)
    assert (use.requests, use.tokens) == (2, 1700)
    acme, globex = use.shares
    assert (acme.demand, acme.entitlement, acme.allotted) == (1000, 30_000, 1000)
    assert (globex.demand, globex.entitlement, globex.allotted) == (200_700, 60_000, 89_000)
    assert lane.share("acme", Tier.INTERACTIVE, 3.0, lambda: waits, lambda tenant: 1.0) == pytest.approx(
        45_000
    )
    lane.tidy(120.0)
    assert lane.use(120.0, (), lambda tenant: 1.0).shares == ()


def test_a_call_goes_in_the_lane_that_is_declared_most_closely() -> None:
    lanes = Lanes()
    lanes.declare(
        [
            Capacity("openai", 100, None),
            Capacity("openai", 10, None, model="big"),
            Capacity("openai", 5, None, account="second"),
        ],
        TIER_WEIGHTS,
    )
    assert lanes.key("openai", "small") == LaneKey("openai")
    assert lanes.key("openai", "big", "second") == LaneKey("openai", "big")
    assert lanes.key("openai", "small", "second") == LaneKey("openai", None, "second")
    assert lanes.key("groq", "small") == LaneKey("groq", "small")
    assert lanes.get(LaneKey("groq", "small")) is None


def test_an_undeclared_lane_is_opened_to_learn_in_and_forgotten_with_what_it_learned() -> None:
    lanes = Lanes()
    key = lanes.key("groq", "small")
    lanes.opened(key).throttled(0.0, 5.0)
    lane = lanes.get(key)
    assert lane is not None
    assert not lane.admits(4.9)
    assert lane.admits(5.0)
    lanes.tidy(8.0)
    assert lanes.get(key) is lane
    lanes.tidy(60.0)
    assert lanes.get(key) is None


def test_another_policy_set_keeps_what_a_lane_has_learned() -> None:
    lanes = Lanes()
    lanes.declare([Capacity("p", 100, None)], TIER_WEIGHTS)
    lane = lanes.opened(LaneKey("p"))
    lane.reports(parse({"x-ratelimit-limit-requests": "50"}, 0.0), 0.0)
    lanes.opened(LaneKey("q", "m"))
    lanes.declare([Capacity("p", 80, None), Capacity("q", 10, None)], TIER_WEIGHTS)
    assert [key for key, _ in lanes] == [LaneKey("p"), LaneKey("q")]
    assert lanes.get(LaneKey("p")) is lane
    assert lane.use(0.0, (), lambda tenant: 1.0).requests_limit == 50
