"""Minutes, windows and the queue: exact sums, exact peaks, and a delay that is honest about the future."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from analytics.bursts import Call, Method, attributed, charges, peaks, queued, smoothing
from analytics.contracts import Contract, Kind, Used, statement
from analytics.contracts.exact import QUANTUM
from analytics.contracts.terms import Band, Burst, Measure, Span

S = 1_000_000
HALF_MORE = Burst("rate", ("*",), Measure.MINUTE, (Band(Decimal(100), Decimal("0.5")),))


def call(second: float, tokens: int | None, **other: object) -> Call:
    made = Call(round(second * S), "acme", "writer", "t1", "interactive", tokens, Decimal(tokens or 0) / 1000)
    return replace(made, **other)


def paid(calls: Sequence[Call], burst: Burst = HALF_MORE, **how: object) -> list[object]:
    how = {"weights": {}, **how}
    return attributed(calls, charges(calls, burst), committed_tpm=burst.bands[0].start, **how)


seconds = st.floats(0, 400, allow_nan=False, width=32)
some_calls = st.lists(
    st.builds(
        call,
        seconds,
        st.one_of(st.none(), st.integers(0, 200)),
        tenant=st.sampled_from(["acme", "globex", "hooli"]),
        workload=st.sampled_from([None, "reader", "writer"]),
        task=st.sampled_from([None, "t1", "t2"]),
        tier=st.sampled_from([None, "interactive", "background"]),
        cost=st.one_of(st.none(), st.integers(0, 10**12).map(lambda units: Decimal(units).scaleb(-12))),
    ),
    max_size=30,
).map(lambda calls: sorted(calls, key=lambda one: one.at_us))


def test_a_minutes_tokens_above_cost_half_more_at_the_minutes_own_mean_price() -> None:
    calls = [call(0, 120), call(59, 80), call(60, 100)]
    # 200 tokens for 0.200: 100 above, at 0.001 x 0.5; the second minute is not above
    assert charges(calls, HALF_MORE) == {0: Decimal("0.05")}


BANDS = (Band(Decimal(100), Decimal("0.5")), Band(Decimal(200), Decimal(2)))


def test_each_token_above_pays_the_multiplier_of_its_band_less_one() -> None:
    two = Burst("rate", ("*",), Measure.MINUTE, BANDS)
    # 250 tokens at 0.001 each: 100 of them pay half more, 50 pay twice more
    assert charges([call(0, 250)], two) == {0: 100 * Decimal("0.0005") + 50 * Decimal("0.002")}


def test_the_charge_of_a_minute_is_what_the_contracts_statement_says() -> None:
    burst = Burst("rate", ("*",), Measure.MINUTE, BANDS)
    always = Span(datetime(2026, 1, 1, tzinfo=UTC))
    contract = Contract("c", "c 1", "openai", (), "USD", UTC, always, bursts=(burst,))
    month = datetime(2026, 11, 1, tzinfo=UTC)
    calls = [
        call(second, 77 + second * 13 % 200, cost=Decimal(second + 1) / 7) for second in range(0, 600, 7)
    ]
    calls = [replace(one, cost=one.cost.quantize(QUANTUM)) for one in calls]
    used = [
        Used("openai", "m", month + timedelta(microseconds=one.at_us), one.cost, "USD", output=one.tokens)
        for one in calls
    ]
    charged: defaultdict[int, Decimal] = defaultdict(Decimal)
    for charge in statement(contract, "2026-11", used).charges:
        if charge.kind is Kind.OVERAGE:
            charged[(charge.start - month) // timedelta(microseconds=1)] += charge.amount
    assert len(charged) == 10
    assert charges(calls, burst) == charged


def test_a_call_without_a_price_counts_towards_the_rate_and_adds_no_money() -> None:
    # 200 tokens of which 120 cost 0.120: half of the minute is above, so half of what is known pays half more
    assert charges([call(0, 120), call(1, 80, cost=None)], HALF_MORE) == {0: Decimal("0.03")}


def test_a_minute_without_any_price_has_no_known_charge_and_no_payers() -> None:
    (minute,) = paid([call(0, 300, cost=None)])
    assert (minute.tokens, minute.charge, minute.lines) == (300, None, ())


def test_a_tenants_part_falls_on_its_tasks_by_their_tokens() -> None:
    calls = [
        call(0, 60, task="t1"),
        call(1, 20, task="t2"),
        call(2, 10, tenant="globex"),
        call(3, 20, task="t1"),
    ]
    # 110 tokens, 10 above: 0.110 x 10/110 x 0.5, all of it acme's, which has 50: 80 and 20 parts of 100
    (minute,) = paid(calls)
    assert minute.charge == Decimal("0.005")
    assert [(line.task, line.tokens, line.amount) for line in minute.lines] == [
        ("t1", 80, Decimal("0.004")),
        ("t2", 20, Decimal("0.001")),
    ]


def test_by_fixed_weights_also_an_absent_tenant_pays() -> None:
    (minute,) = paid([call(0, 200)], weights={"acme": 1, "globex": 3}, method=Method.FIXED)
    assert [(line.tenant, line.workload, line.tokens, line.amount) for line in minute.lines] == [
        ("globex", None, 0, Decimal("0.0375")),
        ("acme", "writer", 200, Decimal("0.0125")),
    ]


@given(some_calls, st.sampled_from([Method.PROPORTIONAL, Method.EVEN, Method.MARGINAL]))
def test_the_lines_of_every_minute_add_up_to_its_charge(calls: list[Call], method: Method) -> None:
    for minute in paid(calls, method=method):
        if minute.charge is not None:
            assert sum((line.amount for line in minute.lines), Decimal(0)) == minute.charge


@given(some_calls, st.randoms(use_true_random=False))
def test_the_order_of_calls_and_their_splitting_change_nothing(
    calls: list[Call], order: random.Random
) -> None:
    halves = [
        part
        for one in calls
        for part in (
            [one]
            if one.tokens is None or one.cost is None
            else [
                replace(one, tokens=one.tokens // 2, cost=one.cost - one.cost // 2),
                replace(one, tokens=one.tokens - one.tokens // 2, cost=one.cost // 2),
            ]
        )
        # The half without tokens would take its money along: no call has a cost and nothing used.
        if one.tokens != 1
    ]
    whole = [one for one in calls if one.tokens != 1]
    order.shuffle(halves)
    assert paid(halves) == paid(whole)


def by_brute_force(calls: Sequence[Call], window_us: int) -> tuple[int, int]:
    """Most calls and tokens of any window that begins with a call."""
    windows = [[o for o in calls if one.at_us <= o.at_us < one.at_us + window_us] for one in calls]
    return max(map(len, windows)), max(sum(o.tokens or 0 for o in window) for window in windows)


@given(some_calls, st.sampled_from([1, 10, 60, 300]))
def test_a_peak_is_the_fullest_window_wherever_it_begins(calls: list[Call], window_s: int) -> None:
    for peak in peaks(calls, 400 * S, [window_s]):
        own = [one for one in calls if one.tenant == peak.tenant]
        assert (peak.calls, peak.tokens) == by_brute_force(own, window_s * S)


def test_a_burst_over_the_end_of_a_bin_is_seen_whole() -> None:
    calls = [call(9, 50), call(11, 50), call(35, 0)]
    (peak,) = peaks(calls, 40 * S, [10])
    assert (peak.tokens, peak.tokens_ratio) == (100, 100 / (100 / 4))  # fixed bins of 10 s hold 50 each


def test_two_calls_a_whole_window_apart_are_in_no_window_together() -> None:
    (peak,) = peaks([call(0, 1), call(10, 1)], 20 * S, [10])
    assert peak.calls == 1


def test_what_a_tenant_has_nothing_of_has_no_ratio() -> None:
    (peak,) = peaks([call(0, None, cost=None)], 60 * S, [10])
    assert (peak.calls_ratio, peak.tokens_ratio, peak.cost_ratio) == (6.0, None, None)


def test_a_range_shorter_than_the_window_has_no_ratio() -> None:
    (peak,) = peaks([call(0, 5)], 5 * S, [10])
    assert (peak.tokens, peak.tokens_ratio) == (5, None)


def delays(calls: Sequence[Call], max_delay_s: int) -> list[float]:
    return [(after.at_us - before.at_us) / S for before, after, _ in queued(calls, 100, max_delay_s * S)]


def test_background_waits_for_room_within_the_last_sixty_seconds() -> None:
    # 100 went at 0 and leave at 60; interactive calls never wait
    calls = [call(0, 100), call(10, 60, tier="background"), call(20, 5)]
    assert dict(zip("abc", delays(calls, 600), strict=True)) == {"a": 0, "b": 0, "c": 50}


def test_background_waits_no_longer_than_it_may() -> None:
    calls = [call(0, 100), call(10, 60, tier="background")]
    ((_, _, early), (_, after, late)) = queued(calls, 100, 20 * S)
    assert (after.at_us, early, late) == (30 * S, False, True)


def test_background_goes_at_once_while_there_is_room() -> None:
    assert delays([call(0, 40), call(1, 60, tier="background")], 600) == [0, 0]


def test_a_call_above_the_whole_rate_goes_when_nothing_went_for_a_minute() -> None:
    calls = [call(0, 1), call(5, 300, tier="background")]
    assert delays(calls, 600) == [0, 55]


def test_who_waits_longer_goes_first() -> None:
    calls = [call(0, 50), call(1, 80, tier="background", task="large"), call(2, 10, tier="background")]
    assert [after.task for _, after, _ in queued(calls, 100, 600 * S)] == ["t1", "large", "t1"]


def test_smoothing_tells_what_it_saves_and_the_delay_it_takes() -> None:
    calls = [call(0, 100), call(10, 60, tier="background")]
    found = smoothing(calls, HALF_MORE, 600 * S)
    assert (found.before, found.after, found.saved) == (
        Decimal("0.03"),
        Decimal(0),
        Decimal("0.03"),
    )  # 60 x 0.0005
    assert (found.moved, found.late, found.longest_delay_s) == (1, 0, 50.0)


def test_what_the_queue_could_not_foresee_is_not_saved() -> None:
    """At 0 there is room for the background call; that 100 tokens follow in the same minute is not known then."""
    calls = [call(0, 60, tier="background"), call(10, 100)]
    found = smoothing(calls, HALF_MORE, 600 * S)
    assert (found.before, found.saved, found.moved) == (Decimal("0.03"), Decimal(0), 0)


@given(some_calls, st.integers(0, 120))
def test_the_queue_loses_nothing_moves_only_background_and_keeps_its_promise(
    calls: list[Call], max_delay_s: int
) -> None:
    gone = queued(calls, 100, max_delay_s * S)
    assert sorted(map(id, calls)) == sorted(id(before) for before, *_ in gone)
    times = [after.at_us for _, after, _ in gone]
    assert times == sorted(times)
    for before, after, late in gone:
        assert replace(after, at_us=before.at_us) == before
        assert 0 <= after.at_us - before.at_us <= max_delay_s * S
        assert after is before or before.tier == "background"
        assert not late or after.at_us - before.at_us == max_delay_s * S


@given(some_calls)
def test_background_alone_never_goes_above_but_for_calls_that_are_larger_than_the_rate(
    calls: list[Call],
) -> None:
    background = [replace(one, tier="background", tokens=min(one.tokens or 0, 100)) for one in calls]
    moved = [after for _, after, _ in queued(background, 100, 10**6 * S)]
    assert charges(moved, HALF_MORE) == {}
