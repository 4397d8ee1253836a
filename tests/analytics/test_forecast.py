"""The end of a month: what is known is kept, what is to come is by weekday, and a half day is no whole one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.contracts.exact import EXACT, stored
from analytics.forecast import Forecast, Method, month_end

NOVEMBER = (date(2026, 11, 1), date(2026, 12, 1))
DAY = timedelta(days=1)
USD = Decimal


def _days(start: date, end: date, cost: Callable[[date], object]) -> dict[date, Decimal]:
    return {start + place * DAY: USD(str(cost(start + place * DAY))) for place in range((end - start).days)}


def _forecast(history: dict[date, Decimal], now: datetime, zone: str = "UTC") -> Forecast:
    found = month_end(history, now=now, start=NOVEMBER[0], end=NOVEMBER[1], zone=ZoneInfo(zone))
    assert found is not None
    return found


def _at(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


STEADY = _days(date(2026, 9, 1), date(2026, 11, 11), lambda _: 10)


def test_the_rest_of_a_steady_month_costs_what_its_days_did() -> None:
    found = _forecast({**STEADY, date(2026, 11, 11): USD(5)}, _at(11, 12))
    assert found.spent == 105  # ten days, and half of the 11th
    assert found.days[0] == (date(2026, 11, 11), USD(5))
    assert found.remaining == 195  # the other half, and 19 days
    assert found.expected == 300
    assert (found.method, found.known_days) == (Method.SEASONAL, 71)
    assert found.elapsed == stored(USD("0.35"))  # 10.5 of 30


def test_a_half_day_is_not_taken_for_a_whole_one() -> None:
    """Whatever today has cost so far, the rest of it and the days after it are expected to be like the days before."""
    one, other = (_forecast({**STEADY, date(2026, 11, 11): USD(spent)}, _at(11, 6)) for spent in (0, 9))
    assert one.days == other.days
    assert one.remaining == USD("197.5")
    assert other.expected - one.expected == 9
    assert other.high - other.spent == one.high - one.spent


def test_weekends_cost_what_weekends_do() -> None:
    history = _days(date(2026, 8, 3), date(2026, 11, 16), lambda day: 2 if day.weekday() > 4 else 10)
    found = _forecast(history, _at(16))  # a Monday
    weekday = next(float(cost) for day, cost in found.days if day.weekday() == 2)
    weekend = next(float(cost) for day, cost in found.days if day.weekday() == 6)
    assert (weekday, weekend) == (pytest.approx(10, rel=0.1), pytest.approx(2, rel=0.5))
    # 11 weekdays and 4 days of weekends; a flat run rate would say 15 x 7.71.
    assert float(found.remaining) == pytest.approx(11 * 10 + 4 * 2, rel=0.05)
    # 15 days of November began on a Sunday: 10 weekdays of 21, 5 of 9 days of weekends.
    assert float(found.elapsed) == pytest.approx((10 * 10 + 5 * 2) / (21 * 10 + 9 * 2), abs=0.02)


def test_one_wild_day_moves_little() -> None:
    wild = {**STEADY, date(2026, 11, 9): USD(500)}
    assert float(_forecast(wild, _at(11)).remaining) == pytest.approx(200, rel=0.35)


def test_a_new_level_is_followed_within_two_weeks() -> None:
    history = {**STEADY, **_days(date(2026, 10, 28), date(2026, 11, 11), lambda _: 20)}
    assert float(_forecast(history, _at(11)).remaining) == pytest.approx(400, rel=0.2)


def test_a_short_history_is_called_cold_and_its_band_is_wide() -> None:
    cold = _forecast(_days(date(2026, 11, 6), date(2026, 11, 11), lambda _: 10), _at(11))
    warm = _forecast(STEADY, _at(11))
    assert (cold.method, warm.method) == (Method.COLD, Method.SEASONAL)
    assert cold.high - cold.low > 2 * (warm.high - warm.low)


def test_a_history_that_jumps_has_a_wider_band_than_a_steady_one() -> None:
    draw = Random(3)
    wild = _forecast(
        _days(date(2026, 8, 1), date(2026, 11, 11), lambda _: round(draw.lognormvariate(2, 1.2), 2)), _at(11)
    )
    calm = _forecast(_days(date(2026, 8, 1), date(2026, 11, 11), lambda _: draw.randint(9, 11)), _at(11))
    assert (wild.high - wild.low) / wild.remaining > 2 * (calm.high - calm.low) / calm.remaining


def test_of_two_short_histories_the_one_that_jumps_has_the_wider_band() -> None:
    """Few days show no error of a sum over many, but some of sums over a few; the shipped spread is scaled by them."""
    wild, calm = (
        _forecast(
            _days(date(2026, 11, 1), date(2026, 11, 13), lambda day, low=low: (low, 10)[day.day % 2]), _at(13)
        )
        for low in (1, 9)
    )
    assert (wild.method, calm.method) == (Method.COLD, Method.COLD)
    assert (wild.high - wild.low) / wild.remaining > USD("1.3") * (calm.high - calm.low) / calm.remaining


def test_nothing_is_forecast_from_no_whole_day() -> None:
    today = {date(2026, 11, 11): USD(5)}
    assert month_end(today, now=_at(11, 12), start=NOVEMBER[0], end=NOVEMBER[1]) is None
    assert month_end({}, now=_at(11), start=NOVEMBER[0], end=NOVEMBER[1]) is None


def test_days_before_the_first_cost_are_no_history() -> None:
    begun = _days(date(2026, 11, 6), date(2026, 11, 11), lambda _: 10)
    silent = _days(date(2026, 9, 1), date(2026, 11, 6), lambda _: 0)
    assert _forecast({**silent, **begun}, _at(11)) == _forecast(begun, _at(11))


def test_a_month_that_is_over_is_what_it_cost() -> None:
    history = _days(date(2026, 11, 1), date(2026, 12, 3), lambda _: 10)
    found = _forecast(history, datetime(2026, 12, 2, tzinfo=UTC))
    assert (found.expected, found.low, found.high, found.method) == (300, 300, 300, Method.COMPLETE)
    assert found.days == ()


def test_a_month_that_has_not_begun_is_all_to_come() -> None:
    found = _forecast(
        _days(date(2026, 8, 1), date(2026, 10, 25), lambda _: 10), datetime(2026, 10, 25, tzinfo=UTC)
    )
    assert (found.spent, found.expected, found.elapsed, len(found.days)) == (0, 300, 0, 30)


def test_today_is_that_of_the_zone() -> None:
    # 23:30 UTC on the 10th is half past midnight on the 11th in Berlin.
    found = _forecast(STEADY, datetime(2026, 11, 10, 23, 30, tzinfo=UTC), "Europe/Berlin")
    assert found.days[0][0] == date(2026, 11, 11)
    assert found.spent == 100


def test_a_day_in_which_clocks_change_is_longer() -> None:
    # 25 October 2026 has 25 hours in Berlin, and at 12:00 there 12 of them are left.
    history = _days(date(2026, 8, 1), date(2026, 10, 25), lambda _: 10)
    found = month_end(
        history,
        now=datetime(2026, 10, 25, 11, tzinfo=UTC),
        start=date(2026, 10, 1),
        end=date(2026, 11, 1),
        zone=ZoneInfo("Europe/Berlin"),
    )
    assert found is not None
    assert float(found.days[0][1]) == pytest.approx(10 * 12 / 25)


costs = st.decimals(0, 10_000, places=12)


@given(st.lists(costs, min_size=1, max_size=60), st.integers(0, 23))
def test_for_any_history_the_band_holds_what_is_expected_and_amounts_add_up(
    history: list[Decimal], hour: int
) -> None:
    now = _at(11, hour)
    days = {now.date() - place * DAY: cost for place, cost in enumerate(history)}
    found = month_end(days, now=now, start=NOVEMBER[0], end=NOVEMBER[1])
    if not any(history[1:]):
        assert found is None
        return
    assert found is not None
    assert found.spent <= found.low <= found.expected <= found.high
    assert sum((cost for _, cost in found.days), USD(0)) == found.remaining
    assert found.spent == sum((cost for day, cost in days.items() if day >= NOVEMBER[0]), USD(0))
    assert 0 <= found.elapsed <= 1
    assert all(stored(amount) == amount for amount in (found.expected, found.low, found.high))


@given(st.lists(st.integers(0, 1000), min_size=20, max_size=40).filter(any), st.sampled_from([10, 1000]))
def test_another_unit_of_money_changes_nothing_but_the_unit(history: list[int], times: int) -> None:
    now = _at(11, 8)
    one, other = (
        month_end(
            {now.date() - (place + 1) * DAY: USD(cost * unit) for place, cost in enumerate(history)},
            now=now,
            start=NOVEMBER[0],
            end=NOVEMBER[1],
        )
        for unit in (1, times)
    )
    assert one is not None
    assert other is not None
    for mine, its in ((one.expected, other.expected), (one.low, other.low), (one.high, other.high)):
        assert float(EXACT.multiply(mine, times)) == pytest.approx(float(its), rel=1e-9)
