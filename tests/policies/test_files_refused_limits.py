"""Bad policy files: a limit or a window that cannot be meant is refused with its place and a hint."""

from __future__ import annotations

import pytest
from policy_texts import calendar, ceiling

from policies.files import PolicyFileError, parse

BAD_LIMITS = {
    "no limit": (
        ceiling(limit=None),
        "p.yaml:4:5: ceilings[0].limit: is missing; write limit: 40 USD",
    ),
    "no name": (
        ceiling(name=None),
        "p.yaml:4:5: ceilings[0].name: is missing; write name: acme-hour",
    ),
    "a limit without a unit": (
        ceiling(limit=500),
        'p.yaml:4:22: ceilings[0].limit: 500 has no currency; write "500 USD", or "500 tokens"',
    ),
    "a limit with decimals and no unit": (
        ceiling(limit="5.5"),
        'p.yaml:4:22: ceilings[0].limit: 5.5 has no currency; write "5.5 USD"',
    ),
    "a limit below 0": (
        ceiling(limit="-5 USD"),
        'p.yaml:4:22: ceilings[0].limit: "-5 USD" is not above zero; write what may be spent, such as "40'
        ' USD"',
    ),
    "a limit of 0": (
        ceiling(limit="0 USD"),
        'p.yaml:4:22: ceilings[0].limit: "0 USD" is not above zero; write what may be spent, such as "40 '
        'USD"',
    ),
    "NaN": (
        ceiling(limit="NaN USD"),
        'p.yaml:4:22: ceilings[0].limit: "NaN" is not a finite amount; write "40 USD"',
    ),
    "infinity": (
        ceiling(limit="Infinity USD"),
        'p.yaml:4:22: ceilings[0].limit: "Infinity" is not a finite amount; write "40 USD"',
    ),
    "an amount in words": (
        ceiling(limit="five USD"),
        'p.yaml:4:22: ceilings[0].limit: "five" is not an amount; write "40 USD"',
    ),
    "an amount beyond all floats": (
        ceiling(limit="1e400 USD"),
        'p.yaml:4:22: ceilings[0].limit: "1e400" is more than any budget; at most 1000000000000000',
    ),
    "an amount below any price": (
        ceiling(limit="1e-400 USD"),
        'p.yaml:4:22: ceilings[0].limit: "1e-400 USD" is finer than any price; write at most 12 decimals',
    ),
    "a sign for the currency": (
        ceiling(limit="$40"),
        'p.yaml:4:22: ceilings[0].limit: "$40" has no currency; write "40 USD"',
    ),
    "a currency in small letters": (
        ceiling(limit="40 usd"),
        'p.yaml:4:22: ceilings[0].limit: "40 usd" has no currency; write "40 USD"',
    ),
    "no blank before the currency": (
        ceiling(limit="40USD"),
        'p.yaml:4:22: ceilings[0].limit: "40USD" has no currency; write "40 USD"',
    ),
    "commas for thousands": (
        ceiling(limit='"1,000 USD"'),
        'p.yaml:4:22: ceilings[0].limit: "1,000" is not an amount; write "1000 USD"',
    ),
    "another currency than the file's": (
        ceiling(limit="5 EUR"),
        'p.yaml:4:22: ceilings[0].limit: "5 EUR" is not in the file\'s currency USD; write it in USD, or '
        "set currency: EUR",
    ),
    "a list as a limit": (
        ceiling(limit="[5 USD]"),
        'p.yaml:4:22: ceilings[0].limit: a list has no currency; write "40 USD"',
    ),
    "a limit left empty": (
        ceiling(limit="~"),
        'p.yaml:4:22: ceilings[0].limit: nothing has no currency; write "40 USD"',
    ),
    "no tokens": (
        ceiling(limit="0 tokens"),
        'p.yaml:4:22: ceilings[0].limit: "0 tokens" is no whole number up to 1000000000000000; write '
        '"500000 tokens"',
    ),
    "one token and a half": (
        ceiling(limit="1.5 tokens"),
        'p.yaml:4:22: ceilings[0].limit: "1.5 tokens" is no whole number up to 1000000000000000; write '
        '"500000 tokens"',
    ),
    "millions with a small m": (
        ceiling(limit="2m tokens"),
        'p.yaml:4:22: ceilings[0].limit: "2m tokens" is no number of tokens; write "500000 tokens", "500k'
        ' tokens" or "2M tokens"',
    ),
    "one token too few for a plural": (
        ceiling(limit="5 token"),
        'p.yaml:4:22: ceilings[0].limit: "5 token" is no number of tokens; write "500000 tokens", "500k '
        'tokens" or "2M tokens"',
    ),
    "more tokens than there are": (
        ceiling(limit="9999999999999999999999 tokens"),
        'p.yaml:4:22: ceilings[0].limit: "9999999999999999999999 tokens" is no whole number up to '
        '1000000000000000; write "500000 tokens"',
    ),
    "tokens with an exponent": (
        ceiling(limit="2e6 tokens"),
        'p.yaml:4:22: ceilings[0].limit: "2e6 tokens" is no number of tokens; write "500000 tokens", '
        '"500k tokens" or "2M tokens"',
    ),
}

BAD_WINDOWS = {
    "a length in words": (
        ceiling(window="1 hour"),
        'p.yaml:4:37: ceilings[0].window: "1 hour" is not a length of time; write "30s", "5m", "1h" or "7d"',
    ),
    "a length without a unit": (
        ceiling(window="3600"),
        'p.yaml:4:37: ceilings[0].window: 3600 is not a length of time; write "30s", "5m", "1h" or "7d"',
    ),
    "a length of nothing": (
        ceiling(window="0s"),
        'p.yaml:4:37: ceilings[0].window: "0s" is not a length of time; write "30s", "5m", "1h" or "7d"',
    ),
    "half a second": (
        ceiling(window="0.5s"),
        'p.yaml:4:37: ceilings[0].window: "0.5s" is too short for a window; write at least 1s',
    ),
    "more than a year": (
        ceiling(window="400d"),
        'p.yaml:4:37: ceilings[0].window: "400d" is longer than a year; write at most 366d',
    ),
    "a length of 400 digits": (
        ceiling(window="9" * 400 + "d"),
        'p.yaml:4:37: ceilings[0].window: "999999999999999999999999999999999999999999999999999999999..." '
        "is longer than a year; write at most 366d",
    ),
    "a calendar without a zone": (
        ceiling(window="month"),
        'p.yaml:4:37: ceilings[0].window: "month" is a calendar; write {calendar: month, zone: '
        "Europe/Berlin}",
    ),
    "a list as a window": (
        ceiling(window="[1h]"),
        'p.yaml:4:37: ceilings[0].window: a list is not a length of time; write "30s", "5m", "1h" or "7d"',
    ),
    "no window": (
        ceiling(window=None),
        'p.yaml:4:5: ceilings[0]: say over what the limit counts: either "window: 1h" or "per: task"',
    ),
    "no window, and no task": (
        ceiling(window=None, per="tenant"),
        'p.yaml:4:5: ceilings[0]: say over what the limit counts: either "window: 1h" or "per: task"',
    ),
    "a task cut by a calendar": (
        ceiling(window="{calendar: month, zone: UTC}", per="task"),
        "p.yaml:4:72: ceilings[0].per: a calendar does not cut a task; leave the window out (its whole "
        "life counts), or write a length: 1h",
    ),
    "a calendar misspelt": (
        calendar("calendar: mnth, zone: UTC"),
        'p.yaml:4:48: ceilings[0].window.calendar: "mnth" is none of: day, week, month, fiscal; did you '
        'mean "month"?',
    ),
    "a zone without a calendar": (
        calendar("zone: UTC"),
        "p.yaml:4:37: ceilings[0].window.calendar: is missing; write calendar: month",
    ),
    "a calendar that names no zone": (
        calendar("calendar: month"),
        "p.yaml:4:37: ceilings[0].window.zone: is missing; write zone: Europe/Berlin",
    ),
    "a zone misspelt": (
        calendar("calendar: month, zone: Europe/Berlim"),
        'p.yaml:4:61: ceilings[0].window.zone: "Europe/Berlim" is no time zone; did you mean '
        '"Europe/Berlin"?',
    ),
    "a path as a zone": (
        calendar("calendar: month, zone: ../../etc/passwd"),
        'p.yaml:4:61: ceilings[0].window.zone: "../../etc/passwd" is no time zone; write a name such as '
        "Europe/Berlin, or UTC",
    ),
    "an offset as a zone": (
        calendar("calendar: month, zone: +01:00"),
        'p.yaml:4:61: ceilings[0].window.zone: "+01:00" is no time zone; write a name such as '
        "Europe/Berlin, or UTC",
    ),
    "an abbreviation as a zone": (
        calendar("calendar: month, zone: CEST"),
        'p.yaml:4:61: ceilings[0].window.zone: "CEST" is no time zone; write a name such as '
        "Europe/Berlin, or UTC",
    ),
    "a zone in small letters": (
        calendar("calendar: month, zone: europe/berlin"),
        'p.yaml:4:61: ceilings[0].window.zone: "europe/berlin" is no time zone; did you mean '
        '"Europe/Berlin"?',
    ),
    "another word for the zone": (
        calendar("calendar: month, zone: UTC, timezone: UTC"),
        'p.yaml:4:66: ceilings[0].window.timezone: no such setting here; did you mean "zone"?',
    ),
    "the begin of weeks for a month": (
        calendar("calendar: month, zone: UTC, week_starts: monday"),
        "p.yaml:4:79: ceilings[0].window.week_starts: no week begins here; it goes with calendar: week, "
        "and with the periods 4-4-5, 4-5-4 and 5-4-4",
    ),
    "a day's abbreviation": (
        calendar("calendar: week, zone: UTC, week_starts: mon"),
        'p.yaml:4:78: ceilings[0].window.week_starts: "mon" is none of: monday, tuesday, wednesday, '
        'thursday, friday, saturday, sunday; did you mean "monday"?',
    ),
    "a day that begins at 24:00": (
        calendar('calendar: day, zone: UTC, day_begins: "24:00"'),
        'p.yaml:4:76: ceilings[0].window.day_begins: "24:00" is no time of day; write "06:00"',
    ),
    "a fiscal calendar without its year": (
        calendar("calendar: fiscal, zone: UTC"),
        "p.yaml:4:37: ceilings[0].window.year_starts: is missing: a fiscal calendar needs it; write "
        'year_starts: "04-01"\n'
        "p.yaml:4:37: ceilings[0].window.periods: is missing: a fiscal calendar needs it; write periods: "
        "months (or quarters, 4-4-5)",
    ),
    "a year of months from the 31st": (
        calendar("calendar: fiscal, zone: UTC, year_starts: 01-31, periods: months"),
        "p.yaml:4:80: ceilings[0].window.year_starts: not every month has that day; a year of months "
        "starts on a day up to 28",
    ),
    "a year from a leap day": (
        calendar("calendar: fiscal, zone: UTC, year_starts: 02-29, periods: 4-4-5"),
        'p.yaml:4:80: ceilings[0].window.year_starts: "02-29" is no day of every year; write another, '
        "such as the 28th",
    ),
    "a pattern of periods that is none": (
        calendar("calendar: fiscal, zone: UTC, year_starts: 04-01, periods: 4-4-4"),
        'p.yaml:4:96: ceilings[0].window.periods: "4-4-4" is none of: months, quarters, 4-4-5, 4-5-4, '
        '5-4-4; did you mean "5-4-4"?',
    ),
    "a year for a month": (
        calendar("calendar: month, zone: UTC, year_starts: 04-01"),
        "p.yaml:4:79: ceilings[0].window.year_starts: a month has none; it goes with calendar: fiscal",
    ),
    "the begin of weeks for fiscal months": (
        calendar("calendar: fiscal, zone: UTC, year_starts: 04-01, periods: months, week_starts: monday"),
        "p.yaml:4:117: ceilings[0].window.week_starts: no week begins here; it goes with calendar: week, "
        "and with the periods 4-4-5, 4-5-4 and 5-4-4",
    ),
}

BAD = BAD_LIMITS | BAD_WINDOWS


@pytest.mark.parametrize(("text", "lines"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_refused_with_its_place_the_reason_and_what_to_write(text: str, lines: str) -> None:
    with pytest.raises(PolicyFileError) as refused:
        parse(text, name="p.yaml")
    assert str(refused.value) == lines
