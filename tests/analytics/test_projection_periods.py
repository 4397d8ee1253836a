"""What a calendar period will have cost at its end: all spent is kept, and only the remainder is forecast."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.projection import Band, CalendarForecast

DAY, HOUR = 86_400.0, 3_600.0


def _day(forecast: CalendarForecast, number: int, *, until: float = DAY, scale: float = 1.0) -> float:
    """A day that spends 1 in each hour of the night and 10 in each of the day (8 to 20); what it has spent."""
    forecast.begin(number * DAY, (number + 1) * DAY)
    spent = 0.0
    for hour in range(int(until // HOUR)):
        amount = scale * (10.0 if 8 <= hour < 20 else 1.0)
        forecast.arrived(amount, number * DAY + hour * HOUR + 1800)
        spent += amount
    return spent


def _quantiles(band: Band) -> list[float]:
    return [band.q05, band.q20, band.q50, band.q80, band.q95]


def _after(days: int) -> CalendarForecast:
    forecast = CalendarForecast(DAY)
    for number in range(days):
        _day(forecast, number)
    return forecast


def test_the_morning_knows_of_the_day_to_come() -> None:
    forecast = _after(30)
    spent = _day(forecast, 30, until=6 * HOUR)
    band = forecast.band(30 * DAY + 6 * HOUR, spent, in_flight=0.0)
    # 12 x 1 + 12 x 10 a day; at the mean rate so far it would be 24 x 1.
    assert band.q50 == pytest.approx(12 * 1 + 12 * 10, rel=0.15)


def test_the_end_of_a_period_is_known() -> None:
    forecast = _after(3)
    spent = _day(forecast, 3)
    band = forecast.band(4 * DAY, spent, in_flight=2.0)
    assert band.q05 == pytest.approx(spent + 2.0)
    assert band.q95 == pytest.approx(spent + 2.0, rel=0.02)


def test_the_parts_add_up_to_the_middle() -> None:
    forecast = _after(5)
    spent = _day(forecast, 5, until=12 * HOUR)
    noon = 5 * DAY + 12 * HOUR
    band = forecast.band(
        noon, spent, 3.0, expected=2.0, schedules=[(noon + HOUR, 5.0), (noon + 2 * DAY, 9.0)]
    )
    assert (band.kept, band.in_flight, band.expected, band.scheduled) == (spent, 3.0, 2.0, 5.0)
    assert band.q50 == pytest.approx(spent + 3.0 + 2.0 + 5.0 + band.arriving)


def test_a_first_period_is_cold_and_is_forecast_at_its_rate() -> None:
    forecast = CalendarForecast(DAY)
    forecast.begin(0.0, DAY)
    for hour in range(12):
        forecast.arrived(1.0, hour * HOUR + 1800)
    band = forecast.band(12 * HOUR, 12.0, 0.0)
    assert band.cold
    assert band.q05 < 24.0 < band.q95


def test_a_period_of_which_nothing_is_known_adds_nothing() -> None:
    forecast = CalendarForecast(DAY)
    forecast.begin(0.0, DAY)
    band = forecast.band(HOUR, 0.0, 0.0, expected=2.0)
    assert (_quantiles(band), band.cold, band.method) == ([2.0] * 5, True, "nothing seen")


def test_news_of_the_next_period_waits_until_it_is_on() -> None:
    forecast = _after(5)
    before = forecast.band(5 * DAY - 1, 132.0, 0.0)
    forecast.arrived(50.0, 5 * DAY + 1)
    assert forecast.band(5 * DAY - 1, 132.0, 0.0) == before


def test_a_restart_keeps_what_was_learned() -> None:
    forecast = _after(5)
    spent = _day(forecast, 5, until=9 * HOUR)
    again = CalendarForecast(DAY)
    again.restore(json.loads(json.dumps(forecast.state())))
    for each in (forecast, again):
        _day(each, 6)
    assert again.band(7 * DAY, spent, 1.0) == forecast.band(7 * DAY, spent, 1.0)


def test_a_period_without_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a period from 5\.0 to 5\.0 has no length"):
        CalendarForecast(DAY).begin(5.0, 5.0)


def test_nothing_is_said_before_the_first_period() -> None:
    with pytest.raises(RuntimeError, match=r"call begin\(begin, end\) first"):
        CalendarForecast(DAY).band(0.0, 0.0, 0.0)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0.001, 100.0), st.floats(0.0, 1.0, exclude_max=True)), min_size=1, max_size=40
    ),
    st.floats(0.0, 1.0),
    st.sampled_from([2.0, 2.0**-20]),
)
def test_quantiles_are_ordered_and_scale_with_the_unit(
    arrivals: list[tuple[float, float]], share: float, unit: float
) -> None:
    one, other = CalendarForecast(DAY), CalendarForecast(DAY)
    for number in range(3):
        for forecast in (one, other):
            forecast.begin(number * DAY, (number + 1) * DAY)
        for amount, at in sorted(arrivals, key=lambda arrival: arrival[1]):
            one.arrived(amount, (number + at) * DAY)
            other.arrived(amount * unit, (number + at) * DAY)
    quantiles = _quantiles(one.band((2 + share) * DAY, 1.0, 2.0))
    assert quantiles == sorted(quantiles)
    assert quantiles[0] >= 1.0 + 2.0
    scaled = _quantiles(other.band((2 + share) * DAY, unit, 2 * unit))
    assert scaled == pytest.approx([value * unit for value in quantiles])
