"""Counters: never below the truth, above it by at most one bucket; a calendar's periods each for themselves."""

from __future__ import annotations

import math
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from policies.calendars import Calendar, Cut
from policies.counters import CalendarSum, LifetimeSum, RollingSum
from policies.meters import Meter
from policies.model import Ceiling, Rolling, Scope, Unit

WINDOW = 60.0
BUCKET = WINDOW / 240
DAY = 86400.0
DAYS = Calendar(Cut.DAY, ZoneInfo("UTC"))

spends = st.lists(st.tuples(st.integers(0, 2_000_000), st.integers(0, 300_000)), max_size=60)


@given(spends)
def test_a_rolling_sum_is_never_below_the_truth_and_at_most_a_bucket_above(
    raw: list[tuple[int, int]],
) -> None:
    rolling = RollingSum(WINDOW)
    added: list[tuple[int, float]] = []
    for amount, at_ms in sorted(raw, key=lambda item: item[1]):
        now = at_ms / 1000
        rolling.add(amount, now, now)
        added.append((amount, now))
        for length, total in ((60.0, rolling.spent(now)), (54.0, rolling.kept(now))):
            inside = sum(a for a, at in added if now - length < at <= now)
            nearly = sum(a for a, at in added if now - length - BUCKET <= at <= now)
            assert inside <= total <= nearly


@given(spends)
def test_what_is_taken_back_leaves_nothing(raw: list[tuple[int, int]]) -> None:
    rolling, now = RollingSum(WINDOW), 400.0
    for amount, at_ms in raw:
        rolling.add(amount, at_ms / 1000, now)
    for amount, at_ms in raw:
        rolling.add(-amount, at_ms / 1000, now)
    assert (rolling.spent(now), rolling.kept(now)) == (0, 0)


@given(spends, st.floats(0, 400))
def test_until_its_turn_a_sum_changes_by_what_is_added_alone(raw: list[tuple[int, int]], now: float) -> None:
    rolling = RollingSum(WINDOW)
    for amount, at_ms in raw:
        rolling.add(amount, min(now, at_ms / 1000), now)
    before = (rolling.spent(now), rolling.kept(now))
    just_before = now + (rolling.turns_at - now) * 0.999
    assert (rolling.spent(just_before), rolling.kept(just_before)) == before


def test_what_is_kept_is_what_will_not_have_left_at_the_horizon() -> None:
    rolling = RollingSum(WINDOW)
    rolling.add(3, at=0.0, now=50.0)
    rolling.add(4, at=40.0, now=50.0)

    # The horizon is a tenth of the window, 6 s: at 50 s all of it will be kept then, at 55 s no longer.
    assert rolling.spent(50.0) == rolling.kept(50.0) == 3 + 4
    assert (rolling.spent(55.0), rolling.kept(55.0)) == (3 + 4, 4)


def test_what_is_older_than_the_window_is_not_taken_in() -> None:
    rolling = RollingSum(WINDOW)
    rolling.add(3, at=0.0, now=61.0)
    assert rolling.spent(61.0) == 0


def test_a_calendar_counts_each_period_for_itself_whenever_the_news_comes() -> None:
    days = CalendarSum(DAYS)
    days.add(3, at=0.5 * DAY, now=0.5 * DAY)
    # Told on the second day: late news of the first, and a clock that is ahead.
    days.add(4, at=0.9 * DAY, now=1.1 * DAY)
    days.add(5, at=2.1 * DAY, now=1.9 * DAY)
    days.add(6, at=1.5 * DAY, now=1.9 * DAY)
    assert (days.spent(1.9 * DAY), days.before(1.9 * DAY)) == (6, 3 + 4)
    assert (days.spent(2.0 * DAY), days.before(2.0 * DAY)) == (5, 6)


def test_of_a_period_before_the_first_nothing_is_known() -> None:
    assert CalendarSum(DAYS).before(0.5 * DAY) is None


def test_a_lifetime_sum_keeps_everything() -> None:
    lifetime = LifetimeSum()
    lifetime.add(3, at=0.0, now=0.0)
    lifetime.add(4, at=1e6, now=1e6)
    assert lifetime.spent(1e9) == lifetime.kept(1e9) == 3 + 4


@given(
    st.sampled_from([10.0, 70.0, 100.0, 1000.0]), st.integers(10**8, 2 * 10**9), st.sampled_from([-1, 0, 1])
)
def test_a_meter_s_slots_end_where_its_buckets_do_whatever_is_rounded(
    length: float, bucket: int, off: int
) -> None:
    boundary = bucket * (length / 240)
    now = math.nextafter(boundary, math.copysign(math.inf, off)) if off else boundary
    rolling = RollingSum(length)
    begin, _ = rolling.slot(now)
    assert begin // (length / 240) == now // (length / 240)
    meter = Meter(("m",), Unit.MONEY, (), now)
    total = meter.sum_of(Ceiling("c", Scope(), Decimal(1), Rolling(length)), now)
    meter.spend(5, now, now)
    meter.spend(-5, now, now)
    assert meter.sum_of(Ceiling("c", Scope(), Decimal(1), Rolling(length)), now) is total
    assert total.spent(now) == 0
