"""Calendars: periods tile time, and each begins at the local time at which its zone's days begin."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.calendars import Calendar, Cut, Periods

BERLIN, NEW_YORK, TOKYO, APIA = map(
    ZoneInfo, ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "Pacific/Apia")
)
HOUR = 3600
DAY = 24 * HOUR


def at(text: str, zone: ZoneInfo | None = None) -> float:
    """The moment that a local time means; without a zone in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=zone or UTC).timestamp()


@pytest.mark.parametrize(
    ("calendar", "moment", "begins", "ends"),
    [
        (Calendar(Cut.DAY, BERLIN), "2026-11-28 00:00", "2026-11-28 00:00", "2026-11-29 00:00"),
        (Calendar(Cut.DAY, BERLIN), "2026-11-28 23:59", "2026-11-28 00:00", "2026-11-29 00:00"),
        (Calendar(Cut.DAY, TOKYO, time(6)), "2026-11-28 05:59", "2026-11-27 06:00", "2026-11-28 06:00"),
        (Calendar(Cut.WEEK, BERLIN), "2026-11-29 12:00", "2026-11-23 00:00", "2026-11-30 00:00"),
        (Calendar(Cut.WEEK, BERLIN, week_starts=6), "2026-11-29 12:00", "2026-11-29 00:00", "2026-12-06 00:00"),
        (Calendar(Cut.MONTH, NEW_YORK), "2028-02-29 12:00", "2028-02-01 00:00", "2028-03-01 00:00"),
        (Calendar(Cut.MONTH, NEW_YORK), "2026-12-31 23:59", "2026-12-01 00:00", "2027-01-01 00:00"),
    ],
    ids=["at its begin", "at its end", "a day from 6", "a week", "a week from Sunday", "a leap month", "a year's end"],
)  # fmt: skip
def test_a_period_is_from_one_local_begin_to_the_next(
    calendar: Calendar, moment: str, begins: str, ends: str
) -> None:
    zone = calendar.zone
    assert calendar.bounds(at(moment, zone)) == (at(begins, zone), at(ends, zone))


@pytest.mark.parametrize(
    ("calendar", "moment", "length_s"),
    [
        (Calendar(Cut.DAY, BERLIN), "2026-03-29 12:00", 23 * HOUR),
        (Calendar(Cut.DAY, BERLIN), "2026-10-25 12:00", 25 * HOUR),
        (Calendar(Cut.WEEK, BERLIN), "2026-10-25 12:00", 7 * DAY + HOUR),
        (Calendar(Cut.MONTH, NEW_YORK), "2026-03-15 12:00", 31 * DAY - HOUR),
        # Days there begin within the hour that spring skips, and in autumn at the first of two.
        (Calendar(Cut.DAY, BERLIN, time(2, 30)), "2026-03-29 12:00", 23 * HOUR),
        (Calendar(Cut.DAY, BERLIN, time(2, 30)), "2026-10-25 12:00", 25 * HOUR),
    ],
    ids=[
        "spring",
        "autumn",
        "a week in autumn",
        "a month in spring",
        "a skipped begin",
        "a begin that comes twice",
    ],
)
def test_where_clocks_change_a_period_is_longer_or_shorter(
    calendar: Calendar, moment: str, length_s: float
) -> None:
    begin, end = calendar.bounds(at(moment, calendar.zone))
    assert end - begin == length_s


def test_a_day_that_a_zone_left_out_is_no_period() -> None:
    """Samoa went over the date line: after 29 December 2011 came the 31st."""
    before, after = at("2011-12-29 12:00", APIA), at("2011-12-31 12:00", APIA)
    days = Calendar(Cut.DAY, APIA)
    assert days.bounds(before)[1] == days.bounds(after)[0] == at("2011-12-31 00:00", APIA)


@pytest.mark.parametrize(
    ("periods", "week_starts", "year_starts", "moment", "first", "following"),
    [
        (Periods.MONTHS, 0, (4, 6), "2026-04-05", "2026-03-06", "2026-04-06"),
        (Periods.QUARTERS, 0, (10, 1), "2026-12-31", "2026-10-01", "2027-01-01"),
        (Periods.QUARTERS, 0, (4, 1), "2026-03-31", "2026-01-01", "2026-04-01"),
        # The retail calendar of 2026: February has 4 weeks from Sunday the 1st, March 5, April 4.
        (Periods.WEEKS_4_5_4, 6, (2, 1), "2026-02-28", "2026-02-01", "2026-03-01"),
        (Periods.WEEKS_4_5_4, 6, (2, 1), "2026-03-01", "2026-03-01", "2026-04-05"),
        (Periods.WEEKS_4_5_4, 6, (2, 1), "2026-04-05", "2026-04-05", "2026-05-03"),
        # 2023 had 53 weeks: its last period began on 31 December with 5 of them instead of 4.
        (Periods.WEEKS_4_5_4, 6, (2, 1), "2024-02-03", "2023-12-31", "2024-02-04"),
        (Periods.WEEKS_4_4_5, 0, (1, 1), "2026-01-01", "2025-12-29", "2026-01-26"),
        (Periods.WEEKS_5_4_4, 0, (1, 1), "2026-01-01", "2025-12-29", "2026-02-02"),
    ],
)  # fmt: skip
def test_a_fiscal_year_begins_on_its_day_or_on_the_weekday_nearest_to_it(
    periods: Periods, week_starts: int, year_starts: tuple[int, int], moment: str, first: str, following: str
) -> None:
    calendar = Calendar(
        Cut.FISCAL, NEW_YORK, week_starts=week_starts, year_starts=year_starts, periods=periods
    )
    assert calendar.bounds(at(f"{moment} 12:00", NEW_YORK)) == (
        at(f"{first} 00:00", NEW_YORK),
        at(f"{following} 00:00", NEW_YORK),
    )


@pytest.mark.parametrize(
    ("calendar", "days"),
    [
        (Calendar(Cut.DAY, BERLIN), 1),
        (Calendar(Cut.WEEK, BERLIN), 7),
        (Calendar(Cut.MONTH, BERLIN), 146_097 / 400 / 12),
        (Calendar(Cut.FISCAL, BERLIN, periods=Periods.QUARTERS), 146_097 / 400 / 4),
        (Calendar(Cut.FISCAL, BERLIN, periods=Periods.WEEKS_4_4_5), 146_097 / 400 / 12),
    ],
    ids=["day", "week", "month", "quarter", "4-4-5"],
)
def test_a_length_is_that_of_a_usual_period(calendar: Calendar, days: float) -> None:
    assert calendar.length_s == pytest.approx(days * DAY)


# Zones that change by half an hour, at midnight, over the date line, and not at all.
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "UTC",
)
CALENDARS = st.builds(
    Calendar,
    cut=st.sampled_from(Cut),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    day_begins=st.sampled_from([time(0), time(0), time(2, 30), time(6), time(23, 59)]),
    week_starts=st.integers(0, 6),
    year_starts=st.tuples(st.integers(1, 12), st.integers(1, 28)),
    periods=st.sampled_from(Periods),
)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001 - bounds are naive
    datetime.timestamp
)


@given(CALENDARS, MOMENTS)
@settings(max_examples=150, deadline=None)
def test_periods_tile_time(calendar: Calendar, moment: float) -> None:
    begin, end = calendar.bounds(moment)
    assert begin <= moment < end
    assert calendar.bounds(begin) == (begin, end)
    assert calendar.bounds(end)[0] == end
    assert calendar.bounds(begin - 0.5)[1] == begin


@given(CALENDARS, MOMENTS)
@settings(max_examples=150, deadline=None)
def test_a_period_begins_when_its_day_does(calendar: Calendar, moment: float) -> None:
    begin = datetime.fromtimestamp(calendar.bounds(moment)[0], UTC)
    local = begin.astimezone(calendar.zone)
    skipped = local.replace(tzinfo=None) != _as_written(local)
    assert skipped or local.time() == calendar.day_begins


def _as_written(local: datetime) -> datetime:
    """The same, unless the clock skipped over the time before."""
    earlier = (local.astimezone(UTC) - timedelta(hours=2)).astimezone(local.tzinfo)
    return earlier.replace(tzinfo=None) + timedelta(hours=2)


@given(CALENDARS, st.dates(date(1990, 1, 1), date(2060, 1, 1)))
@settings(max_examples=100, deadline=None)
def test_a_period_is_about_as_long_as_usual(calendar: Calendar, day: date) -> None:
    begin, end = calendar.bounds(datetime.combine(day, time(12), UTC).timestamp())
    # A period of weeks has 4 or 5, and at the end of a long year 6; clocks change by a day at most.
    assert 0.85 * calendar.length_s - DAY <= end - begin <= 6 / 4 * calendar.length_s + DAY
