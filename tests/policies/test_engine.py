"""The engine in virtual time: ceilings hold, queues are fair, counters are the ledger's."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from engines import HOUR, MICRO, TENANTS, Caller, bound, engine, price

from policies.admission import GrantRequest
from policies.book import lease_of
from policies.breaker import State
from policies.engine import BookedCall
from policies.files import parse
from policies.ladder import stand
from policies.model import Override, Who
from policies.restoring import restore
from policies.sizing import CallSizes, Request
from switchgear.decision import Action
from switchgear.tier import Tier
from switchgear.usage import Usage


def test_what_is_held_counts_until_it_is_settled_to_what_it_cost() -> None:
    caller = Caller(engine(HOUR))
    ticket = caller.ask(0.0)
    (account,) = caller.engine.accounts
    assert ticket.grant is not None
    assert account.held == ticket.grant.amount == bound(1000)

    assert caller.engine.settle(ticket.grant.lease, "m", Usage(input_uncached=10, output=100), 1.0)
    assert (account.held, account.spent(1.0)) == (0, 110 * MICRO)


def test_settling_twice_counts_once() -> None:
    caller = Caller(engine(HOUR))
    lease = caller.ask(0.0).grant.lease  # type: ignore[union-attr]
    assert caller.engine.settle(lease, "m", Usage(output=100), 1.0)
    assert not caller.engine.settle(lease, "m", Usage(output=100), 2.0)
    assert not caller.engine.release(lease, 3.0)
    (account,) = caller.engine.accounts
    assert account.spent(3.0) == 100 * MICRO


def test_asking_again_gets_the_same_grant() -> None:
    caller = Caller(engine(HOUR))
    first = caller.ask(0.0)
    assert caller.engine.request(first.request, 1.0) is first
    (account,) = caller.engine.accounts
    assert account.meter.holds == 1


def test_a_hold_whose_process_died_is_given_back_at_its_time_limit() -> None:
    caller = Caller(engine(HOUR))
    caller.ask(0.0)
    (account,) = caller.engine.accounts
    caller.engine.tick(299.9)
    assert account.held == bound(1000)
    caller.engine.tick(300.0)
    assert account.held == 0


def test_a_call_of_any_size_has_a_bound_and_is_no_end_of_the_engine() -> None:
    caller = Caller(engine(HOUR))
    who = Who("acme", "w", Tier.BATCH)
    huge = GrantRequest("huge", who, Request("openai", "m", 1 << 30, None))
    assert caller.engine.request(huge, 0.0).decision.action is Action.DENY  # type: ignore[union-attr]
    caller.engine.tick(1.0)
    assert caller.ask(1.0).grant is not None


def test_a_request_that_cannot_be_judged_is_asked_about_once() -> None:
    caller = Caller(engine(HOUR))
    caller.engine.costs.price = lambda *_: 1 / Decimal(0)
    with pytest.raises(ArithmeticError):
        caller.ask(0.0)
    caller.engine.tick(1.0)
    caller.engine.costs.price = price
    assert caller.ask(1.0).grant is not None


def test_a_call_that_costs_nothing_is_settled() -> None:
    caller = Caller(engine(HOUR))
    caller.engine.costs.price = lambda *_: Decimal(0)
    lease = caller.ask(0.0).grant.lease  # type: ignore[union-attr]
    assert caller.engine.settle(lease, "m", Usage(output=100), 1.0)


def test_a_call_that_outlives_its_hold_still_counts() -> None:
    caller = Caller(engine(HOUR))
    lease = caller.ask(0.0).grant.lease  # type: ignore[union-attr]
    caller.engine.tick(300.0)
    caller.engine.tidy(300.0)
    assert caller.engine.settle(lease, "m", Usage(output=900), 400.0)
    assert not caller.engine.settle(lease, "m", Usage(output=900), 401.0)
    (account,) = caller.engine.accounts
    assert (account.held, account.meter.holds, account.spent(401.0)) == (0, 0, 900 * MICRO)


def test_a_long_call_that_is_extended_again_and_again_is_settled_to_what_it_cost() -> None:
    caller = Caller(engine(HOUR))
    lease = caller.ask(0.0).grant.lease  # type: ignore[union-attr]
    for now in (200.0, 400.0, 600.0, 800.0):
        assert caller.engine.leases.extend(lease, 900, now)
        caller.engine.tick(now)
        caller.engine.tidy(now)
    assert caller.engine.settle(lease, "m", Usage(output=10), 810.0)
    (account,) = caller.engine.accounts
    assert (account.held, account.spent(811.0), len(caller.engine.unbooked)) == (0, 10 * MICRO, 1)


def test_what_waited_long_for_its_answer_gets_the_same_one_when_it_asks_again() -> None:
    caller = Caller(engine("  - {name: hour, limit: 0.0025 USD, window: 1h}\n"))
    first, second = caller.ask(0.0), caller.ask(0.0)
    caller.engine.settle(first.grant.lease, "m", Usage(output=100), 200.0)  # type: ignore[union-attr]
    caller.engine.tidy(201.0)
    assert second.grant is not None
    assert caller.engine.request(second.request, 201.0) is second


def test_a_grant_whose_answer_was_forgotten_is_given_once() -> None:
    caller = Caller(engine(HOUR))
    first = caller.ask(0.0)
    caller.engine.tidy(200.0)
    again = caller.engine.request(first.request, 200.0)
    (account,) = caller.engine.accounts
    assert (again.grant, account.held, account.meter.holds) == (first.grant, bound(1000), 1)


def test_the_id_of_one_tenant_s_grant_tells_another_nothing() -> None:
    caller = Caller(engine(HOUR))
    first = caller.ask(0.0)
    caller.engine.tidy(200.0)
    other = replace(first.request, who=Who("zenith", "w", Tier.INTERACTIVE, None, "openai", "m"))
    ticket = caller.engine.request(other, 200.0)
    assert (ticket.grant, ticket.decision.action) == (None, Action.DENY)  # type: ignore[union-attr]


def test_nothing_is_kept_of_a_grant_whose_calls_are_booked_or_given_back() -> None:
    caller = Caller(engine(HOUR.replace("0.01", "1")))
    booked, given_back = caller.ask(0.0, calls=3).grant, caller.ask(0.0).grant
    assert booked is not None
    assert given_back is not None
    who = Who("acme", "w", Tier.INTERACTIVE)
    for number in (1, 2):
        lease = lease_of(booked.id, number)
        caller.engine.settle(lease, "m", Usage(output=10), 1.0)
        caller.engine.booked([BookedCall(lease, who, Usage(output=10), 10 * MICRO, 1.0, lease)], 2.0)
    caller.engine.release(booked.lease, 3.0)
    caller.engine.release(given_back.lease, 3.0)
    caller.engine.tidy(4.0)
    assert list(caller.engine.book.grants()) == []
    assert caller.engine.leases.running == {}


def test_a_call_cannot_have_ended_after_it_was_told_of() -> None:
    one = engine("  - {name: d, limit: 1 USD, window: {calendar: day, zone: UTC}}\n")
    tomorrow = 90_000.0
    who = Who("acme", "w", Tier.INTERACTIVE)
    one.booked([BookedCall("k", who, None, Decimal("0.5"), tomorrow, None)], 1.0)
    (account,) = one.accounts
    assert account.spent(2.0) == Decimal("0.5")


def test_tasks_of_two_tenants_share_nothing_however_they_are_named() -> None:
    caller = Caller(engine("  - {name: task, limit: 0.0015 USD, per: task}\n"))
    assert caller.ask(0.0, tenant="a/b", task="c").grant is not None
    assert caller.ask(0.0, tenant="a", task="b/c").grant is not None


def test_busy_is_a_wait_and_exceeded_is_a_refusal() -> None:
    caller = Caller(engine("  - {name: hour, limit: 0.0025 USD, window: 1h}\n"))
    first, second = caller.ask(0.0), caller.ask(0.0)
    # 0.001016 is held, and how far that is off nobody knows: a second call waits.
    assert second.decision is None
    assert caller.engine.waiting("g2", 0.0).action is Action.QUEUE
    assert first.grant is not None
    caller.engine.settle(first.grant.lease, "m", Usage(output=1100), 1.0)
    assert second.grant is not None
    caller.engine.settle(second.grant.lease, "m", Usage(output=1000), 2.0)
    # 0.0021 is spent for good: what is left is less than such a call costs.
    third = caller.ask(4.0)
    assert third.decision is not None
    assert third.decision.action is Action.DENY
    assert "0.0004 of 0.0025 is left" in third.decision.reason


def test_a_ceiling_of_the_worst_case_is_never_passed_and_a_call_waits_for_those_in_flight() -> None:
    caller = Caller(engine("  - {name: hour, limit: 0.0025 USD, window: 1h, holds: worst_case}\n"))
    first, second, third = caller.ask(0.0), caller.ask(0.0), caller.ask(0.0)
    # 2 x 0.001016 may be spent; a third would make 0.003048 of 0.0025.
    assert first.grant is not None
    assert second.grant is not None
    assert third.decision is None
    caller.engine.settle(first.grant.lease, "m", Usage(output=100), 1.0)
    assert third.grant is not None
    caller.engine.settle(second.grant.lease, "m", Usage(output=1000), 2.0)
    caller.engine.settle(third.grant.lease, "m", Usage(output=1000), 3.0)
    # 0.0021 is spent for good: what is left is less than such a call may cost.
    fourth = caller.ask(4.0)
    assert fourth.decision is not None
    assert fourth.decision.action is Action.DENY
    assert "this call may cost 0.001016, 0.0004 of 0.0025 is left" in fourth.decision.reason


def test_a_refusal_of_one_large_call_far_from_the_ceiling_opens_nothing() -> None:
    caller = Caller(engine(HOUR))
    refused = caller.ask(0.0, output=20_000)
    assert refused.decision is not None
    assert refused.decision.action is Action.DENY
    assert caller.ask(0.0).grant is not None


def test_an_open_breaker_recovers_through_half_open_as_the_window_moves_on() -> None:
    caller = Caller(engine("  - {name: minute, limit: 0.00202 USD, window: 60s, cooldown: 5s}\n"))
    (account,) = caller.engine.accounts
    for _ in range(2):
        granted = caller.ask(0.0).grant
        assert granted is not None
        caller.engine.settle(granted.lease, "m", Usage(output=1000), 0.0)
    assert caller.ask(1.0).decision.action is Action.DENY  # type: ignore[union-attr]
    assert account.state is State.OPEN

    caller.engine.tick(59.0)
    assert account.state is State.OPEN
    caller.engine.tick(61.0)
    assert account.state is State.HALF_OPEN
    assert caller.ask(61.0).grant is not None
    caller.engine.tick(66.5)
    assert account.state is State.CLOSED
    assert [t.after for t in caller.engine.outbox][-3:] == ["open", "half_open", "closed"]


def test_the_tree_under_a_root_task_shares_one_ceiling() -> None:
    caller = Caller(engine("  - {name: task, limit: 0.0015 USD, per: task}\n"))
    granted = caller.ask(0.0, task="t1").grant
    assert granted is not None
    caller.engine.settle(granted.lease, "m", Usage(output=900), 0.0)
    assert caller.ask(1.0, task="t1").decision.action is Action.DENY  # type: ignore[union-attr]
    assert caller.ask(1.0, task="t2").grant is not None
    assert caller.ask(1.0, task="t1", tenant="zenith").grant is not None


def test_a_task_s_own_budget_can_be_lowered_but_not_raised() -> None:
    caller = Caller(engine(HOUR))
    assert caller.ask(0.0, task="t", budgets=(("t", Decimal("0.0011")),)).grant is not None
    assert caller.ask(0.0, task="t", budgets=(("t", Decimal(5)),)).decision is None
    (_, own) = caller.engine.accounts
    assert own.ceiling.limit == Decimal("0.0011")


def test_a_sub_task_s_budget_binds_it_and_leaves_its_parent_what_it_has() -> None:
    caller = Caller(engine("  - {name: hour, limit: 1 USD, window: 1h}\n"))
    root, sub = ("root", Decimal("0.01")), ("sub", Decimal("0.002"))
    granted = caller.ask(0.0, task="root", budgets=(root, sub)).grant
    assert granted is not None
    caller.engine.settle(granted.lease, "m", Usage(output=1000), 1.0)
    who = Who("acme", "w", Tier.INTERACTIVE, "root")
    caller.engine.booked([BookedCall("k", who, None, 1000 * MICRO, 1.0, granted.lease)], 2.0)

    # 0.001 of the sub-task's 0.002 is spent, also once it is booked; the parent has 0.009 left.
    assert caller.ask(3.0, task="root", budgets=(root, sub)).decision.action is Action.DENY  # type: ignore[union-attr]
    assert caller.ask(3.0, task="root", budgets=(root,), output=8000).grant is not None


def test_a_small_call_may_use_what_is_too_little_for_a_large_one() -> None:
    caller = Caller(engine(HOUR))
    who = Who("acme", "w", Tier.INTERACTIVE)
    caller.engine.booked([BookedCall("k", who, None, Decimal("0.0095"), 0.0, None)], 2700.0)
    assert caller.ask(2700.0, output=4000).decision.action is Action.DENY  # type: ignore[union-attr]
    assert caller.ask(2700.0, output=400).grant is not None


def test_what_was_seen_once_does_not_bound_such_calls_for_ever() -> None:
    sizes, call = CallSizes(), Request("openai", "m", 200, 100)
    sizes.learn(("acme", "w"), call, Usage(input_uncached=50_000), cost=(1, 1), tokens=(1, 1))
    assert sizes.bound(("acme", "w"), call).input_total > 50_000
    for _ in range(700):
        sizes.learn(("acme", "w"), call, Usage(input_uncached=50), cost=(1, 1), tokens=(1, 1))
    assert sizes.bound(("acme", "w"), call).input_total < 200


def test_a_call_counts_from_its_settlement_where_its_agent_s_clock_is_behind() -> None:
    caller = Caller(engine(HOUR.replace("1h", "60s")))
    (account,) = caller.engine.accounts
    lease = caller.ask(4000.0).grant.lease  # type: ignore[union-attr]
    caller.engine.settle(lease, "m", Usage(output=1000), 4001.0)
    who = Who("acme", "w", Tier.INTERACTIVE)
    caller.engine.booked([BookedCall("k", who, None, 1000 * MICRO, 401.0, lease)], 4002.0)
    assert account.spent(4002.0) == 1000 * MICRO


def test_who_waits_for_an_account_holds_up_what_is_no_more_urgent_there_and_nobody_else() -> None:
    caller = Caller(
        engine("  - {name: a, scope: {tenant: acme}, limit: 0.0025 USD, window: 1h}\n", more=TENANTS)
    )
    caller.ask(0.0, output=100)
    waiting = [caller.ask(0.0, output=2000, tier="batch")]
    waiting += [caller.ask(0.0, output=10, tier=tier) for tier in ("batch", "background")]
    assert [ticket.decision for ticket in waiting] == [None, None, None]
    assert caller.ask(0.0, output=10, tier="interactive").grant is not None
    assert caller.ask(0.0, output=10, tenant="zenith").grant is not None


def test_a_model_without_a_price_is_worth_the_worst_rate() -> None:
    caller = Caller(engine("  - {name: hour, limit: 1 USD, window: 1h}\n", more="unpriced_rate: 60 USD"))
    granted = caller.ask(0.0, model="unknown").grant
    assert granted is not None
    assert granted.amount == 60 * bound(1000)


def test_a_shadow_ceiling_records_and_lets_everything_through() -> None:
    caller = Caller(engine("  - {name: s, limit: 0.001 USD, window: 1h, shadow: true}\n"))
    for _ in range(3):
        granted = caller.ask(0.0).grant
        assert granted is not None
        caller.engine.settle(granted.lease, "m", Usage(output=1000), 0.0)
    (account,) = caller.engine.accounts
    assert account.state is State.OPEN
    assert caller.engine.outbox[0].shadow
    assert caller.engine.decide(Who("acme", "w", Tier.BATCH), 0.0).action is Action.ALLOW


def test_a_task_that_is_given_more_by_hand_goes_on_and_stops_when_that_ends() -> None:
    caller = Caller(engine("  - {name: t, limit: 0.001 USD, per: task, cooldown: 5s}\n"))
    granted = caller.ask(0.0, task="t", output=900).grant
    assert granted is not None
    caller.engine.settle(granted.lease, "m", Usage(output=1000), 0.0)
    assert caller.ask(1.0, task="t").decision.action is Action.DENY  # type: ignore[union-attr]
    caller.engine.tick(3600.0)
    assert caller.ask(3600.0, task="t").decision.action is Action.DENY  # type: ignore[union-attr]

    more = Override("t", Decimal(1), until=4000.0, author="ann", reason="it is nearly done")
    caller.engine.by_hand.override("o1", more, 3601.0)
    caller.engine.tick(3602.0)
    assert caller.ask(3602.0, task="t").grant is not None
    caller.engine.tick(4000.0)
    assert caller.ask(4001.0, task="t").decision.action is Action.DENY  # type: ignore[union-attr]


def test_nothing_is_kept_of_tasks_that_are_long_over() -> None:
    caller = Caller(engine("  - {name: t, limit: 0.001 USD, per: task}\n"))
    for number in range(3):
        granted = caller.ask(0.0, task=f"t{number}", output=900).grant
        assert granted is not None
        caller.engine.settle(granted.lease, "m", Usage(output=1000), 0.0)
        assert caller.ask(1.0, task=f"t{number}").grant is None
    eight_days = 8 * 86_400.0
    caller.engine.tidy(eight_days)
    assert list(caller.engine.accounts) == []
    assert caller.engine.watch._restrained == {}


def test_more_calls_at_once_than_can_ever_fit_are_refused_and_hold_up_nobody() -> None:
    caller = Caller(engine(HOUR))
    refused = caller.ask(0.0, calls=20).decision
    assert refused is not None
    assert refused.action is Action.DENY
    assert refused.reason == "hour: 20 such calls at once are too many, 0.01 of 0.01 is left; ask for fewer"
    assert caller.ask(0.0).grant is not None


def test_a_period_s_projection_knows_when_in_it_money_was_spent() -> None:
    noon, who = 43_200.0, Who("acme", "w", Tier.INTERACTIVE)
    projected = []
    for every_s in (3600.0, 300.0):
        one = engine("  - {name: d, limit: 100 USD, window: {calendar: day, zone: UTC}}\n")
        for number in range(12):
            at = noon - every_s * (11 - number)
            one.booked([BookedCall(f"k{number}", who, None, Decimal(1), at, None)], at)
        (account,) = one.accounts
        projected.append(stand(account, noon).band.q50)
    since_midnight, in_the_last_hour = projected
    assert in_the_last_hour > since_midnight


def test_counters_that_are_being_rebuilt_move_no_breaker() -> None:
    caller = Caller(engine("  - {name: minute, limit: 0.00202 USD, window: 60s, cooldown: 5s}\n"))
    caller.engine.by_hand.force({"minute"}, State.OPEN, "ann", "as it was before the start", None, 0.0)
    caller.engine.outbox.clear()
    caller.engine.watch.blind = True
    who = Who("acme", "w", Tier.INTERACTIVE)
    for now in (10.0, 20.0):
        caller.engine.tick(now)
        assert caller.engine.decide(who, now).action is Action.DENY
    caller.engine.booked([BookedCall("k", who, None, Decimal("0.00202"), 10.0, None)], 21.0)
    caller.engine.watch.blind = False
    caller.engine.watch.begin(22.0)
    assert caller.engine.outbox == []


def test_what_is_carried_over_is_known_after_a_restart() -> None:
    one = engine("  - {name: d, limit: 1 USD, window: {calendar: day, zone: UTC}, carry_over: 100%}\n")
    # At a day's last second the day before began two days ago.
    assert one.horizon_s >= 2 * 86_400.0


def test_disabled_lets_everything_through_and_forced_open_nothing_until_its_time_is_over() -> None:
    caller = Caller(engine("  - {name: hour, limit: 0.001 USD, window: 1h}\n"))
    caller.engine.by_hand.force({"hour"}, State.DISABLED, "ann", "incident", 60.0, 0.0)
    assert caller.ask(1.0).grant is not None
    caller.engine.by_hand.force({"hour"}, State.FORCED_OPEN, "ann", "incident", 120.0, 2.0)
    assert caller.ask(3.0, output=1).decision.action is Action.DENY  # type: ignore[union-attr]
    caller.engine.tick(120.0)
    (account,) = caller.engine.accounts
    assert account.state is State.CLOSED
    assert [(t.after, t.by) for t in caller.engine.outbox] == [
        ("disabled", "ann"),
        ("forced_open", "ann"),
        ("closed", "engine"),
    ]


def test_a_booked_call_replaces_its_hold_its_settlement_and_its_earlier_record() -> None:
    caller = Caller(engine(HOUR))
    (account,) = caller.engine.accounts
    lease = caller.ask(0.0).grant.lease  # type: ignore[union-attr]
    who = Who("acme", "w", Tier.INTERACTIVE)

    caller.engine.booked([BookedCall("k", who, None, 300 * MICRO, 1.0, lease)], 1.0)
    assert (account.held, account.spent(1.0)) == (0, 300 * MICRO)
    caller.engine.settle(lease, "m", Usage(output=999), 2.0)
    caller.engine.booked([BookedCall("k", who, None, 310 * MICRO, 1.0, lease)], 3.0)
    caller.engine.booked([BookedCall("k", who, None, 310 * MICRO, 1.0, None)], 4.0)
    assert account.spent(4.0) == 310 * MICRO


def test_a_settlement_that_comes_after_the_booking_counts_nothing_but_is_learned_from() -> None:
    caller = Caller(engine(HOUR))
    (account,) = caller.engine.accounts
    lease = caller.ask(0.0, output=1000).grant.lease  # type: ignore[union-attr]
    caller.engine.booked(
        [BookedCall("k", Who("acme", "w", Tier.INTERACTIVE), None, 100 * MICRO, 1.0, lease)], 1.0
    )

    who, call = Who("acme", "w", Tier.INTERACTIVE), Request("openai", "m", 0, 1000)
    before = caller.engine.costs.sized(who, call, 2.0).sizes.money.mean
    assert not caller.engine.settle(lease, "m", Usage(output=100), 2.0)
    assert account.spent(2.0) == 100 * MICRO
    assert caller.engine.costs.sized(who, call, 2.0).sizes.money.mean < before


def test_a_first_record_without_the_lease_and_a_later_one_with_it_are_one_call() -> None:
    caller = Caller(engine(HOUR))
    (account,) = caller.engine.accounts
    lease = caller.ask(0.0).grant.lease  # type: ignore[union-attr]
    caller.engine.settle(lease, "m", Usage(output=300), 1.0)
    who = Who("acme", "w", Tier.INTERACTIVE)

    caller.engine.booked([BookedCall("k", who, None, 300 * MICRO, 1.0, None)], 2.0)
    caller.engine.booked([BookedCall("k", who, None, 300 * MICRO, 1.0, lease)], 3.0)
    assert account.spent(3.0) == 300 * MICRO


def test_a_ceiling_that_is_added_counts_what_was_spent_and_held_before_it() -> None:
    caller = Caller(engine(HOUR))
    who = Who("acme", "w", Tier.INTERACTIVE)
    caller.engine.booked([BookedCall("k", who, None, Decimal("0.004"), 1.0, None)], 1.0)
    lease = caller.ask(2.0).grant.lease  # type: ignore[union-attr]
    more = HOUR + "  - {name: day, scope: {workload: w}, limit: 1 USD, window: 24h}\n"
    workload = "tenants: {acme: {workloads: {w: {}}}}\n"
    caller.engine.replace(parse(f"version: 1\n{workload}ceilings:\n{more}", name="p"), 3.0)

    hour, day = caller.engine.accounts
    for account in (hour, day):
        assert (account.spent(3.0), account.held, account.meter.holds) == (Decimal("0.004"), bound(1000), 1)
    caller.engine.settle(lease, "m", Usage(output=10), 4.0)
    assert [account.held for account in (hour, day)] == [0, 0]


def test_ceilings_that_change_places_count_their_new_windows() -> None:
    before = "  - {name: a, limit: 1 USD, window: 1h}\n  - {name: b, limit: 1 USD, window: 24h}\n"
    after = "  - {name: a, limit: 1 USD, window: 24h}\n  - {name: b, limit: 1 USD, window: 1h}\n"
    caller = Caller(engine(before))
    who = Who("acme", "w", Tier.INTERACTIVE)
    caller.engine.booked([BookedCall("k", who, None, Decimal("1.1"), 1.0, None)], 1.0)
    caller.engine.replace(parse(f"version: 1\nceilings:\n{after}", name="p"), 2.0)
    two_hours = 7200.0
    refused = caller.ask(two_hours).decision
    assert refused is not None
    assert (refused.action, refused.policy) == (Action.DENY, "a")


def test_a_new_policy_set_keeps_what_was_spent_under_a_ceiling_of_the_same_extent() -> None:
    caller = Caller(engine(HOUR))
    who = Who("acme", "w", Tier.INTERACTIVE)
    caller.engine.booked([BookedCall("k", who, None, Decimal("0.004"), 1.0, None)], 1.0)
    caller.engine.replace(parse("version: 1\nceilings:\n" + HOUR.replace("0.01", "0.002"), name="p"), 2.0)
    assert caller.ask(3.0).decision.action is Action.DENY  # type: ignore[union-attr]


def test_asking_again_after_a_restart_gets_the_grant_that_was_given_before_it() -> None:
    caller = Caller(engine(HOUR))
    ticket = caller.ask(0.0)
    fresh = engine(HOUR)
    restore(fresh, caller.engine.records, 1.0)
    again = fresh.request(ticket.request, 1.0)
    assert again.grant == ticket.grant
    (account,) = fresh.accounts
    assert (account.meter.holds, account.held) == (1, bound(1000))
    assert fresh.asked(ticket.request.id) == ticket.request


def test_a_breaker_that_opened_just_before_midnight_is_closed_after_it() -> None:
    caller = Caller(
        engine("  - {name: day, limit: 0.001 USD, window: {calendar: day, zone: UTC}, cooldown: 1h}\n")
    )
    grant = caller.ask(86_399.0, output=900).grant
    assert grant is not None
    caller.engine.settle(grant.lease, "m", Usage(output=1000), 86_399.5)
    (account,) = caller.engine.accounts
    caller.engine.tick(86_399.9)
    assert account.state is State.OPEN
    caller.engine.tick(86_400.2)
    assert account.state is State.CLOSED
    assert caller.ask(86_400.3, output=100).grant is not None


def test_a_meter_that_shows_other_holds_than_its_grants_is_found() -> None:
    caller = Caller(engine(HOUR))
    caller.ask(0.0)
    (account,) = caller.engine.accounts
    assert caller.engine.book.held_otherwise([account.meter]) == 0
    account.meter.held += 1
    assert caller.engine.book.held_otherwise([account.meter]) == 1
