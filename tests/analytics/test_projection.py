"""What a rolling window will hold: what is known is added, and only what arrives is forecast."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.projection import Band, RollingForecast

HOUR = 3_600.0
MINUTE = 60.0


def _steady(forecast: RollingForecast, until: float, *, amount: float = 1.0, since: float = 0.0) -> None:
    """One `amount` in the middle of each minute of `[since, until)`."""
    for minute in range(int(since // MINUTE), int(until // MINUTE)):
        forecast.arrived(amount, minute * MINUTE + 30)


def _quantiles(band: Band) -> list[float]:
    return [band.q05, band.q20, band.q50, band.q80, band.q95]


def test_the_parts_add_up_to_the_middle() -> None:
    forecast = RollingForecast(HOUR)
    _steady(forecast, HOUR)
    band = forecast.band(HOUR, kept=54.0, in_flight=3.0, expected=2.0, schedules=[(HOUR + 60, 5.0)])
    assert (band.kept, band.in_flight, band.expected, band.scheduled) == (54.0, 3.0, 2.0, 5.0)
    assert band.q50 == pytest.approx(54.0 + 3.0 + 2.0 + 5.0 + band.arriving)


def test_a_steady_stream_is_forecast_at_its_rate_within_a_fiftieth() -> None:
    forecast = RollingForecast(HOUR)
    _steady(forecast, 100 * HOUR)
    band = forecast.band(100 * HOUR, kept=54.0, in_flight=0.0)
    # One a minute for the six minutes of the horizon.
    assert band.q05 == pytest.approx(54 + 6, rel=0.02)
    assert band.q95 == pytest.approx(54 + 6, rel=0.02)


def test_what_is_kept_is_added_and_never_projected() -> None:
    forecast = RollingForecast(HOUR)
    _steady(forecast, HOUR)
    less, more = (_quantiles(forecast.band(HOUR, kept=kept, in_flight=0.0)) for kept in (10.0, 110.0))
    assert more == pytest.approx([value + 100.0 for value in less])


def test_an_unknown_past_is_cold_and_adds_nothing_to_what_is_known() -> None:
    band = RollingForecast(HOUR).band(0.0, kept=0.0, in_flight=0.0, expected=2.0)
    assert (band.cold, band.method, band.seen) == (True, "nothing seen", 0)
    assert _quantiles(band) == [2.0] * 5


def test_a_young_scope_is_cold_until_its_situation_has_taught_nineteen_forecasts() -> None:
    forecast = RollingForecast(HOUR)
    _steady(forecast, 10 * MINUTE)
    assert forecast.band(10 * MINUTE, kept=10.0, in_flight=0.0).cold
    _steady(forecast, 10 * HOUR, since=10 * MINUTE)
    assert not forecast.band(10 * HOUR, kept=54.0, in_flight=0.0).cold


def test_a_hold_counts_when_it_is_told_and_its_settlement_only_by_what_differs() -> None:
    told, booked = RollingForecast(HOUR), RollingForecast(HOUR)
    for forecast in (told, booked):
        _steady(forecast, HOUR)
    told.band(HOUR, kept=54.0, in_flight=8.0)
    told.arrived(8.0, HOUR + 20)
    booked.arrived(8.0, HOUR)
    after = told.band(HOUR + 30, kept=62.0, in_flight=0.0)
    assert after == booked.band(HOUR + 30, kept=62.0, in_flight=0.0)


def test_a_fan_out_raises_the_forecast_before_anything_of_it_is_booked() -> None:
    forecast = RollingForecast(HOUR)
    _steady(forecast, HOUR)
    before = forecast.band(HOUR, kept=54.0, in_flight=0.0)
    after = forecast.band(HOUR + 1, kept=54.0, in_flight=30.0)
    assert after.arriving > 2 * before.arriving


def test_a_known_schedule_is_added_when_due_and_is_no_trend_when_past() -> None:
    nightly = [(10 * HOUR + 120.0, 500.0)]
    plain, told = RollingForecast(HOUR), RollingForecast(HOUR)
    for forecast in (plain, told):
        _steady(forecast, 10 * HOUR)
    due = told.band(10 * HOUR, 54.0, 0.0, schedules=nightly)
    assert due.q50 == pytest.approx(plain.band(10 * HOUR, 54.0, 0.0).q50 + 500.0)
    told.arrived(500.0, 10 * HOUR + 120.0)
    past = told.band(10 * HOUR + 130.0, 554.0, 0.0, schedules=nightly)
    assert past.arriving == pytest.approx(plain.band(10 * HOUR + 130.0, 54.0, 0.0).arriving)


def test_what_open_trees_usually_cost_is_not_forecast_a_second_time() -> None:
    forecast = RollingForecast(HOUR)
    _steady(forecast, HOUR)
    for minute in range(60, 600):
        forecast.arrived(1.0, minute * MINUTE + 30)
        band = forecast.band(minute * MINUTE + 60, 54.0, 0.0, expected=4.0)
    # Six arrive until the horizon; four of them are expected by name.
    assert band.expected + band.arriving == pytest.approx(6.0, rel=0.05)


def test_late_news_makes_the_same_forecast_as_news_in_time() -> None:
    late, in_time = RollingForecast(HOUR), RollingForecast(HOUR)
    for forecast in (late, in_time):
        _steady(forecast, HOUR)
    in_time.arrived(5.0, HOUR + 10)
    in_time.arrived(1.0, HOUR + 200)
    late.arrived(1.0, HOUR + 200)
    late.arrived(5.0, HOUR + 10)
    first, second = (forecast.band(HOUR + 201, 54.0, 0.0) for forecast in (late, in_time))
    assert _quantiles(first) == pytest.approx(_quantiles(second), rel=0.05)


def test_news_older_than_the_window_changes_nothing() -> None:
    forecast = RollingForecast(HOUR)
    _steady(forecast, 3 * HOUR)
    before = forecast.band(3 * HOUR, 54.0, 0.0)
    forecast.arrived(1_000.0, HOUR)
    assert forecast.band(3 * HOUR, 54.0, 0.0) == before


def test_a_restart_keeps_what_was_learned() -> None:
    forecast, stream = RollingForecast(HOUR), random.Random(1)
    for minute in range(3_000):
        forecast.arrived(stream.expovariate(1.0), minute * MINUTE)
        forecast.band(minute * MINUTE, 50.0, stream.random(), expected=stream.random())
    again = RollingForecast(HOUR)
    again.restore(json.loads(json.dumps(forecast.state())))
    for each in (forecast, again):
        _steady(each, 3_100 * MINUTE, since=3_000 * MINUTE)
    assert again.band(3_100 * MINUTE, 50.0, 0.2) == forecast.band(3_100 * MINUTE, 50.0, 0.2)


def test_a_state_of_another_window_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"window of 300\.0 s cannot be restored into version 1 and 3600\.0 s"
    ):
        RollingForecast(HOUR).restore(RollingForecast(300.0).state())


def test_a_window_without_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a window of 0\.0 s has no length"):
        RollingForecast(0.0)


def test_after_a_silence_longer_than_the_window_the_forecast_falls_to_nearly_nothing() -> None:
    forecast = RollingForecast(HOUR)
    _steady(forecast, 100 * HOUR)
    band = forecast.band(300 * HOUR, kept=0.0, in_flight=0.0)
    assert band.bucket.endswith("low")
    assert band.q50 < 1.0


AMOUNTS = st.lists(
    st.tuples(st.just(0.0) | st.floats(0.001, 100.0), st.floats(0.0, 900.0)), min_size=1, max_size=60
)


@settings(max_examples=30, deadline=None)
@given(AMOUNTS, st.floats(0.0, 50.0), st.floats(0.0, 50.0))
def test_quantiles_are_ordered_and_never_below_what_is_known(
    arrivals: list[tuple[float, float]], kept: float, in_flight: float
) -> None:
    forecast, now = RollingForecast(HOUR), 0.0
    for amount, pause in arrivals:
        now += pause
        forecast.arrived(amount, now)
        quantiles = _quantiles(forecast.band(now, kept, in_flight))
        assert quantiles == sorted(quantiles)
        assert quantiles[0] >= kept + in_flight


@settings(max_examples=30, deadline=None)
@given(AMOUNTS, st.sampled_from([2.0, 1024.0, 2.0**-20]))
def test_counting_in_another_unit_scales_the_band(arrivals: list[tuple[float, float]], unit: float) -> None:
    one, other, now = RollingForecast(HOUR), RollingForecast(HOUR), 0.0
    for amount, pause in arrivals:
        now += pause
        one.arrived(amount, now)
        other.arrived(amount * unit, now)
    scaled = [value * unit for value in _quantiles(one.band(now, 1.0, 2.0, 0.5))]
    assert _quantiles(other.band(now, unit, 2 * unit, unit / 2)) == pytest.approx(scaled)
