"""The fair order: by tier and lane, who had least for its weight; idling earns nothing; who waits costs nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.capacity import Charge, FairOrder
from switchgear.tier import Tier

LANE = "openai"


def put(
    order: FairOrder[str],
    key: str,
    tenant: str = "acme",
    *,
    tier: Tier = Tier.INTERACTIVE,
    lane: str = LANE,
    at: float = 0.0,
    weight: float = 1.0,
    tokens: int = 0,
    accounts: tuple[str, ...] = (),
) -> None:
    order.add(
        key, key, lane=lane, tier=tier, tenant=tenant, at=at, weight=weight, tokens=tokens, accounts=accounts
    )


def serve(order: FairOrder[str], now: float = 0.0, *, most: int = 1000, tokens: int = 10) -> list[str]:
    """Serve up to `most` turns, in order."""
    served: list[str] = []
    for turn in order.turns(now):
        if len(served) == most:
            break
        turn.serve(tokens)
        served.append(turn.item)
    return served


def visit(
    order: FairOrder[str], now: float, full: Callable[[str], str | None]
) -> tuple[list[str], list[str]]:
    """(served, tried): serve whatever is not held up by the account that `full` names, each until 1 s later."""
    served, tried = [], []
    for turn in order.turns(now):
        tried.append(turn.item)
        account = full(turn.item)
        if account is None:
            turn.serve(10)
            served.append(turn.item)
        else:
            turn.wait(account, now + 1.0)
    return served, tried


# -- who goes first


def test_more_urgent_tiers_have_their_turn_first() -> None:
    order = FairOrder[str]()
    for tier in (Tier.BACKGROUND, Tier.BATCH, Tier.INTERACTIVE):
        put(order, tier.value, tier=tier)
    assert serve(order) == ["interactive", "batch", "background"]


def test_within_a_tenant_who_asked_first_goes_first_and_one_that_comes_back_has_its_old_place() -> None:
    order = FairOrder[str]()
    for n in range(3):
        put(order, f"g{n}", at=float(n))
    order.discard("g0", 5.0)
    put(order, "g0", at=0.0)
    assert serve(order, 6.0) == ["g0", "g1", "g2"]


def test_a_tenant_of_three_times_the_weight_is_served_three_times_as_often() -> None:
    order = FairOrder[str]()
    for n in range(40):
        put(order, f"heavy{n}", "heavy", weight=3.0)
        put(order, f"light{n}", "light")
    served = serve(order, most=40)
    assert sum(key.startswith("heavy") for key in served) == 30


def test_idling_earns_no_credit() -> None:
    order = FairOrder[str]()
    for n in range(100):
        put(order, f"busy{n}", "busy")
    serve(order, most=50)
    for n in range(10):
        put(order, f"back{n}", "back")
    # One each in turn, rather than ten of the one that idled.
    assert sum(key.startswith("back") for key in serve(order, most=10)) == 5


def test_waiting_for_ones_own_ceiling_earns_no_credit_either() -> None:
    order = FairOrder[str]()
    put(order, "held", "held", accounts=("budget",))
    visit(order, 0.0, lambda key: "budget")
    for n in range(100):
        put(order, f"busy{n}", "busy")
        put(order, f"held{n}", "held", at=1.0, accounts=("budget",))
    assert not any(key.startswith("held") for key in serve(order, most=50))
    order.wake(["budget"], 1.0)
    assert sum(key.startswith("held") for key in serve(order, 1.0, most=10)) == 5


@pytest.mark.parametrize("other", [0, 60, 200], ids=["no-one-else", "behind", "ahead"])
def test_tokens_given_back_after_idling_leave_the_counter_as_if_given_back_before(other: int) -> None:
    def left_over(*, early: bool) -> float:
        order = FairOrder[str]()
        put(order, "a")
        put(order, "b", "globex")
        charges = {turn.item: turn.serve(100) for turn in order.turns(0.0)}
        charges["b"].settle(other)
        if early:
            charges["a"].settle(30)
        put(order, "b2", "globex")
        put(order, "a2")
        if not early:
            charges["a"].settle(30)
        (line,) = order._lines.values()
        return line.flows["acme"].counter - line.flows["globex"].counter

    assert left_over(early=False) == left_over(early=True)


def test_a_grant_of_several_calls_is_settled_call_by_call() -> None:
    def counter(*settled: tuple[int, int]) -> float:
        order = FairOrder[str]()
        put(order, "several", weight=2.0)
        charge = next(order.turns(0.0)).serve(300, calls=3)
        for tokens, calls in settled:
            charge.settle(tokens, calls)
        (line,) = order._lines.values()
        return line.flows["acme"].counter

    # (60 + 100 + 100) / 2, and with the other two not served 60 / 2.
    assert counter((60, 1)) == 130.0
    assert counter((60, 1), (0, 2)) == 30.0


# -- lanes and accounts


def test_a_full_lane_ends_the_round_of_its_tier_alone() -> None:
    order = FairOrder[str]()
    for n in range(100):
        put(order, f"full{n}", lane="full")
    put(order, "free", lane="free")
    put(order, "later", lane="full", tier=Tier.BATCH)
    tried = []
    for turn in order.turns(0.0):
        tried.append(turn.item)
        if turn.item == "free":
            turn.serve(1)
    assert tried == ["full0", "free", "later"]


def test_thousands_that_wait_for_an_account_are_looked_at_once() -> None:
    order = FairOrder[str]()
    for n in range(3000):
        put(order, f"g{n}", at=n / 1000, accounts=("ceiling", f"task{n}"))
    assert visit(order, 10.0, lambda key: "ceiling")[1] == ["g0"]
    assert visit(order, 10.5, lambda key: "ceiling")[1] == []
    put(order, "free", accounts=("another",))
    assert visit(order, 10.5, lambda key: None) == (["free"], ["free"])
    # At its time, and when something moves, the first is tried; as long as they go, the next.
    assert visit(order, 11.0, lambda key: "ceiling")[1] == ["g0"]
    order.wake(["ceiling"], 11.1)
    room = {"g0", "g1", "g2"}
    served, tried = visit(order, 11.1, lambda key: None if key in room else "ceiling")
    assert served == ["g0", "g1", "g2"]
    assert tried == ["g0", "g1", "g2", "g3"]


def test_who_waits_for_an_account_holds_up_its_tier_and_less_urgent_ones_there() -> None:
    order = FairOrder[str]()
    put(order, "large", tier=Tier.BATCH, accounts=("ceiling",))
    visit(order, 0.0, lambda key: "ceiling")
    for tier in Tier:
        put(order, tier.value, tier=tier, accounts=("ceiling",))
    assert visit(order, 0.1, lambda key: None)[1] == ["interactive"]


def test_who_has_waited_long_for_room_is_not_passed_by_more_urgent_ones_for_ever() -> None:
    order = FairOrder[str]()
    put(order, "old", tier=Tier.BACKGROUND, accounts=("ceiling",))
    visit(order, 0.0, lambda key: "ceiling")
    put(order, "early", at=1.5, accounts=("ceiling",))
    assert visit(order, 1.5, lambda key: "ceiling" if key == "old" else None)[0] == ["early"]
    # 40 s are two ranks of 20 s: as urgent as an interactive one, and there before it.
    put(order, "late", at=40.0, accounts=("ceiling",))
    assert visit(order, 40.0, lambda key: "ceiling" if key == "old" else None)[0] == []
    order.wake(["ceiling"], 41.0)
    put(order, "later", at=41.0, accounts=("ceiling",))
    assert visit(order, 41.0, lambda key: None)[0] == ["old", "late", "later"]


def test_a_wait_that_is_the_tiers_own_holds_up_no_more_urgent_one_however_long() -> None:
    order = FairOrder[str]()
    put(order, "old", tier=Tier.BACKGROUND, accounts=("ceiling",))
    for now in (0.0, 100.0):
        for turn in order.turns(now):
            turn.wait("ceiling", now + 100.0, shared=False)
    put(order, "new", at=100.0, accounts=("ceiling",))
    assert visit(order, 100.0, lambda key: None)[0] == ["new"]


def test_whatever_moved_the_first_of_every_account_is_tried() -> None:
    order = FairOrder[str]()
    for key in ("a", "b", "a2"):
        put(order, key, accounts=(key[0],))
    visit(order, 0.0, lambda key: key[0])
    order.wake_all(0.1)
    assert visit(order, 0.1, lambda key: key[0])[1] == ["a", "b"]


def test_whoever_is_behind_a_first_that_leaves_or_is_refused_has_its_chance() -> None:
    order = FairOrder[str]()
    for key in ("first", "second", "third"):
        put(order, key, accounts=("ceiling",))
    visit(order, 0.0, lambda key: "ceiling")
    order.wake(["ceiling"], 0.1)
    order.discard("first", 0.1)
    for turn in order.turns(0.2):
        if turn.item == "second":
            turn.drop()
        else:
            turn.serve(1)
    assert len(order) == 0


def test_the_backlog_tells_what_waits_for_the_lane_and_what_is_held_up() -> None:
    order = FairOrder[str]()
    for n in range(3):
        order.add(
            str(n), "x", lane=LANE, tier=Tier.BATCH, tenant="acme", at=0.0, tokens=10, accounts=(f"a{n}",)
        )
    next(order.turns(0.0)).wait("a0", 1.0)
    assert list(order.backlog()) == [(LANE, Tier.BATCH, "acme", 3, 1, 20)]


def test_tenants_that_tell_nothing_any_more_are_forgotten() -> None:
    order = FairOrder[str]()
    for n in range(100):
        put(order, str(n), f"t{n}")
    serve(order)
    order.tidy()
    assert not order._lines


# -- laws

calls = st.lists(
    st.tuples(
        st.sampled_from("abcd"), st.integers(1, 1000), st.integers(1, 1000), st.integers(0, 9), st.booleans()
    ),
    min_size=1,
    max_size=80,
)
WEIGHTS = {"a": 1.0, "b": 1.0, "c": 2.0, "d": 5.0}


@pytest.mark.parametrize("known", [True, False], ids=["sizes-known", "sizes-unknown"])
@settings(max_examples=40)
@given(asked=calls)
def test_backlogged_tenants_never_differ_by_more_than_twice_the_largest_call(
    asked: list[tuple[str, int, int, int, bool]], *, known: bool
) -> None:
    """Charges are corrected at once here: what is in flight adds what was expected wrongly, and nothing else."""
    order = FairOrder[str]()
    real: dict[str, int] = {}
    served: dict[str, float] = defaultdict(float)
    waiting: dict[str, int] = defaultdict(int)
    # For each pair, the extremes of the difference since both have been waiting.
    seen: dict[tuple[str, str], tuple[float, float]] = {}
    largest = 0.0

    def note() -> None:
        for pair in combinations(WEIGHTS, 2):
            if not all(waiting[t] for t in pair):
                seen.pop(pair, None)
                continue
            gap = served[pair[0]] - served[pair[1]]
            low, high = seen.get(pair, (gap, gap))
            seen[pair] = min(low, gap), max(high, gap)
            assert seen[pair][1] - seen[pair][0] <= 2 * largest + 1e-6

    for number, (tenant, tokens, expected, rounds, _) in enumerate(asked):
        put(order, str(number), tenant, weight=WEIGHTS[tenant], tokens=tokens if known else 0)
        real[str(number)] = tokens
        waiting[tenant] += 1
        largest = max(largest, tokens / WEIGHTS[tenant])
        note()
        for turn in order.turns(0.0):
            if rounds == 0:
                break
            rounds -= 1
            turn.serve(expected).settle(real[turn.item])
            waiting[turn.tenant] -= 1
            served[turn.tenant] += real[turn.item] / WEIGHTS[turn.tenant]
            note()


@settings(max_examples=60)
@given(calls, st.randoms(use_true_random=False))
def test_nothing_is_lost_served_twice_or_left_while_its_accounts_have_room(asked, random) -> None:  # type: ignore[no-untyped-def]
    """Random accounts fill and empty; in the end all have room, and everything has gone."""
    order = FairOrder[str]()
    left, served, charges = set(), [], list[Charge]()
    accounts = ("tenant", "task", "model")
    needs: dict[str, tuple[str, ...]] = {}
    full: set[str] = set()
    for number, (tenant, tokens, _, tier, leaves) in enumerate(asked):
        key, now = str(number), float(number)
        needs[key] = tuple(account for account in accounts if random.random() < 0.5)
        put(order, key, tenant, tier=list(Tier)[tier % 3], at=now, accounts=needs[key])
        full = {account for account in accounts if random.random() < 0.4}
        order.wake(accounts, now)
        for turn in order.turns(now):
            account = next((a for a in needs[turn.item] if a in full), None)
            if account is not None:
                turn.wait(account, now + random.random() * 5)
            elif random.random() < 0.8:
                charges.append(turn.serve(tokens))
                served.append(turn.item)
        if leaves and key in order:
            order.discard(key, now)
            left.add(key)
        assert sum(waits.calls for waits in order.backlog()) == len(order)
    for step in range(6):
        served += serve(order, len(asked) + 6.0 * step)
    assert len(served) == len(set(served))
    assert set(served) | left == set(needs)
    assert len(order) == 0
