"""Calendar: days and periods in a declared zone, and the names of fiscal periods."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.ledger.calendar import Calendar, CalendarError

HOUR = timedelta(hours=1)
ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Kiritimati"),
    *("Africa/Cairo", "America/Sao_Paulo", "Pacific/Apia", "America/St_Johns", "Australia/Lord_Howe"),
)


def test_a_period_holds_its_month_in_the_zone() -> None:
    october = Calendar("Europe/Berlin").period("2026-10")
    # +02:00 at its start, +01:00 at its end: clocks are put back on the 25th.
    assert october.start == datetime(2026, 9, 30, 22, tzinfo=UTC)
    assert october.stop == datetime(2026, 10, 31, 23, tzinfo=UTC)
    assert (october.first_day, october.last_day) == (date(2026, 10, 1), date(2026, 10, 31))
    assert len(october.days) == 31
    assert october.stop - october.start == 31 * 24 * HOUR + HOUR


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        pytest.param("Europe/Berlin", date(2026, 3, 29), 23, id="clocks go forward"),
        pytest.param("Europe/Berlin", date(2026, 10, 25), 25, id="clocks go back"),
        pytest.param("Africa/Cairo", date(2026, 4, 24), 23, id="there is no midnight"),
        pytest.param("Pacific/Apia", date(2011, 12, 30), 0, id="a day that was left out"),
        pytest.param("UTC", date(2028, 2, 29), 24, id="a leap day"),
    ],
)
def test_a_day_is_as_long_as_its_clocks_say(zone: str, day: date, hours: int) -> None:
    start, stop = Calendar(zone).bounds(day, day)
    assert stop - start == hours * HOUR


def test_an_instant_belongs_to_the_day_of_the_zone() -> None:
    at = datetime(2026, 10, 31, 23, 30, tzinfo=UTC)
    assert Calendar().day_of(at) == date(2026, 10, 31)
    assert Calendar("Europe/Berlin").day_of(at) == date(2026, 11, 1)
    assert Calendar("America/New_York").day_of(at) == date(2026, 10, 31)


# Newfoundland put its clocks back at one minute past midnight, so that the day before began again.
@pytest.mark.parametrize("minutes", range(-3, 64))
def test_a_day_that_is_over_does_not_begin_again(minutes: int) -> None:
    calendar = Calendar("America/St_Johns")
    at = datetime(2006, 10, 29, 2, 30, tzinfo=UTC) + timedelta(minutes=minutes)
    assert calendar.day_of(at) == (date(2006, 10, 28) if minutes < 0 else date(2006, 10, 29))


@given(
    zone=st.sampled_from(ZONES),
    at=st.integers(631_152_000, 3_471_292_800).map(lambda second: datetime.fromtimestamp(second, UTC)),
)
def test_an_instant_lies_in_its_day_and_in_the_period_of_that_day(zone: str, at: datetime) -> None:
    calendar = Calendar(zone)
    day = calendar.day_of(at)
    start, stop = calendar.bounds(day, day)
    assert start <= at < stop
    period = calendar.period_of(day)
    assert period.start <= at < period.stop
    assert period.first_day <= day <= period.last_day


@given(
    zone=st.sampled_from(ZONES),
    day=st.dates(date(1990, 1, 1), date(2080, 1, 1)),
    count=st.integers(0, 400),
)
def test_days_follow_each_other_without_a_gap(zone: str, day: date, count: int) -> None:
    calendar = Calendar(zone)
    last = day + count * timedelta(days=1)
    assert (
        calendar.bounds(day, last)[1]
        == calendar.bounds(last + timedelta(days=1), last + timedelta(days=1))[0]
    )
    assert calendar.bounds(day, last)[0] == calendar.bounds(day, day)[0]


@pytest.mark.parametrize(
    ("starts", "named", "period", "fiscal"),
    [
        (1, "end", "2026-10", "FY2026 P10"),
        (1, "start", "2026-10", "FY2026 P10"),
        (7, "end", "2026-10", "FY2027 P04"),
        (7, "end", "2026-06", "FY2026 P12"),
        (7, "end", "2026-07", "FY2027 P01"),
        (4, "start", "2026-10", "FY2026 P07"),
        (4, "start", "2027-03", "FY2026 P12"),
        (12, "end", "2026-12", "FY2027 P01"),
    ],
)
def test_a_fiscal_period_has_its_year_and_number(starts: int, named: str, period: str, fiscal: str) -> None:
    calendar = Calendar(fiscal_year_starts=starts, fiscal_year_named=named)  # type: ignore[arg-type]
    assert calendar.fiscal(calendar.period(period)) == fiscal


@pytest.mark.parametrize(
    "name", ["2026-13", "2026-00", "2026", "2026-1", "26-10", "2026-10-01", "0000-01", "9999-01", ""]
)
def test_what_is_no_period_is_refused_with_how_one_is_written(name: str) -> None:
    with pytest.raises(CalendarError, match='no period; write the year and the month, such as "2026-10"'):
        Calendar().period(name)


@pytest.mark.parametrize("zone", ["Berlin", "", "../../etc/passwd", "Europe", "+02:00", "/UTC"])
def test_what_is_no_zone_is_refused_with_how_one_is_written(zone: str) -> None:
    with pytest.raises(CalendarError, match="no time zone; write a name of the IANA database"):
        Calendar(zone)


def test_other_misuse_is_refused() -> None:
    with pytest.raises(CalendarError, match="13 is no month; write 1 to 12"):
        Calendar(fiscal_year_starts=13)
    with pytest.raises(CalendarError, match="the last day 2026-10-01 is before the first, 2026-10-02"):
        Calendar().bounds(date(2026, 10, 2), date(2026, 10, 1))
    with pytest.raises(CalendarError, match="has no zone"):
        Calendar().day_of(datetime(2026, 10, 1))  # noqa: DTZ001 - the point
