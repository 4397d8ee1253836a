"""The Live page's pictures: lanes of states over time, the spark, and spend beside the hour before."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from dashboard import look
from dashboard.charts.live import spend_beside_before
from dashboard.charts.spark import spark
from dashboard.charts.timeline import Lane, lanes, timeline

STOP = datetime(2026, 11, 29, 2, 0, tzinfo=UTC)
START = STOP - timedelta(hours=1)


def line(minute: float, before: str, after: str, policy: str = "hour", **scope: str) -> dict[str, Any]:
    at = START + timedelta(minutes=minute)
    return {
        "at": at.isoformat(),
        "policy": policy,
        "scope": scope,
        "from": before,
        "to": after,
        "reason": f"at {minute}",
    }


def found(*lines: dict[str, Any]) -> list[Lane]:
    """Lanes of lines in the order of time."""
    return lanes(lines[::-1], start=START, stop=STOP, now=STOP)


def widths(html: str) -> list[tuple[str, float, float]]:
    runs = re.findall(r'<i class="(\w+)" style="left:([\d.]+)%;width:([\d.]+)%', html)
    return [(colour, float(left), float(width)) for colour, left, width in runs]


def test_a_lane_is_coloured_by_the_state_from_line_to_line() -> None:
    shown = timeline(found(line(15, "closed", "open"), line(45, "open", "half_open")), start=START, stop=STOP)
    assert widths(shown) == [("calm", 0, 25), ("hot", 25, 50), ("trial", 75, 25)]
    assert ">open</i>" in shown
    assert "open 1 times, 30 min 00 s in all; half-open 1 times, 15 min 00 s in all; now half-open" in shown


def test_a_state_of_a_second_is_seen_and_thousands_cost_no_more_than_the_lane_has_slots() -> None:
    seen = timeline(found(line(30, "closed", "open"), line(30.01, "open", "closed")), start=START, stop=STOP)
    assert [colour for colour, *_ in widths(seen)] == ["calm", "hot", "calm"]
    flapping = [
        line(n / 50, *(("closed", "open") if n % 2 == 0 else ("open", "closed"))) for n in range(2900)
    ]
    assert len(timeline(found(*flapping), start=START, stop=STOP)) < 20_000


def test_lanes_stand_by_urgency_and_then_by_what_moved_last() -> None:
    told = found(
        line(1, "closed", "open", tenant="a"),
        line(2, "open", "closed", tenant="b"),
        line(3, "closed", "throttled", tenant="c"),
        line(4, "closed", "open", tenant="d"),
    )
    assert [lane.scope["tenant"] for lane in told] == ["d", "a", "c", "b"]


def test_warnings_and_what_is_done_by_hand_are_marks_on_a_lane_that_stays_as_it_is() -> None:
    (lane,) = found(line(30, "closed", "warned"), line(31, "closed", "overridden"))
    assert [(state, since, until) for state, since, until, _ in lane.spans] == [("closed", START, STOP)]
    assert timeline([lane], start=START, stop=STOP).count("<u ") == 2


def test_a_task_that_was_stopped_has_a_lane_without_a_breaker() -> None:
    (lane,) = found(line(30, "running", "stopped", "by hand", tenant="acme", task="t-1"))
    assert (lane.state, [what for _, what, _ in lane.moments]) == ("closed", ["stopped"])


def test_only_lines_within_the_time_are_drawn() -> None:
    assert found(line(-5, "closed", "open"), line(61, "closed", "open")) == []


def test_no_more_lanes_are_drawn_than_fit_and_the_rest_are_counted() -> None:
    told = found(*(line(1, "closed", "open", tenant=f"t{n}") for n in range(14)))
    shown = timeline(told, start=START, stop=STOP)
    assert (shown.count('class="sg-lane"'), "and 4 more" in shown) == (10, True)


def test_names_in_lanes_are_inert() -> None:
    shown = timeline(found(line(1, "closed", "open", "<b>", tenant='<img src="x">')), start=START, stop=STOP)
    assert "<img" not in shown
    assert "<b>&lt;img" in shown


@pytest.mark.parametrize(
    ("length", "ticks"),
    [
        pytest.param(timedelta(minutes=15), ["01:46", "01:48"], id="a quarter of an hour"),
        pytest.param(timedelta(hours=1), ["01:10", "01:20"], id="an hour"),
        pytest.param(timedelta(hours=24), ["04:00", "08:00"], id="a day"),
    ],
)
def test_the_scale_has_round_times(length: timedelta, ticks: list[str]) -> None:
    shown = timeline([], start=STOP - length, stop=STOP)
    assert re.findall(r">(\d\d:\d\d)<", shown)[:2] == ticks


def test_a_spark_is_as_high_as_its_highest_and_absent_where_nothing_was_spent() -> None:
    assert re.findall(r"height:(\d+)%", spark([1.0, 4.0, 0.0], "cost")) == ["25", "100", "0"]
    assert spark([0.0, 0.0], "cost") == spark([], "cost") == ""


def test_the_hour_before_is_a_line_over_this_hours_minutes() -> None:
    table = pa.table(
        {"key": ["acme"], "rest": [False], "bucket": [START], "cost": [Decimal(2)], "currency": ["USD"]}
    )
    drawn = {"start": START, "stop": STOP, "currency": "USD", "unnamed": "(no tenant)"}
    figure = spend_beside_before(table, [Decimal(1)] * 60, look.light, **drawn)
    assert [(trace.type, trace.name) for trace in figure.data] == [
        ("bar", "acme"),
        ("scatter", "the hour before"),
    ]
    assert (len(figure.data[1].x), figure.data[1].x[0]) == (60, START + timedelta(seconds=30))
    assert figure.layout.yaxis.title.text == "USD a minute"
    assert figure.layout.xaxis.title.text == "UTC"
    assert len(spend_beside_before(table, [Decimal(0)] * 60, look.light, **drawn).data) == 1
