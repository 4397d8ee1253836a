"""Charts of cost: what is stacked, what is left over, and what a name that somebody chose may do there: nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from dashboard import look
from dashboard.charts.areas import treemap
from dashboard.charts.spend import spend_over_time, stacked
from dashboard.charts.trends import trend_of
from dashboard.charts.units import unit_trend

NOW = datetime(2026, 11, 17, 2, 14, tzinfo=UTC)
HOSTILE = "<img src=x onerror=alert(1)>![x](http://evil.example/a.png)"
MINUTE = {"start": NOW, "stop": NOW + timedelta(minutes=1), "bucket_s": 60}


def timeline(*rows: tuple[str | None, bool, str | None], calls: int = 1) -> pa.Table:
    """Key, whether it is the rest, and cost, of one bucket."""
    costs = [None if row[2] is None else Decimal(row[2]) for row in rows]
    return pa.table(
        {
            "bucket": pa.array([NOW] * len(rows), pa.timestamp("us", "UTC")),
            "key": pa.array([row[0] for row in rows], pa.string()),
            "rest": [row[1] for row in rows],
            "calls": [calls] * len(rows),
            "cost": pa.array(costs, pa.decimal128(38, 12)),
            "currency": pa.array(["USD"] * len(rows), pa.string()),
        }
    )


def test_the_most_expensive_is_stacked_first_and_the_rest_is_grey() -> None:
    figure = spend_over_time(
        timeline(("a", False, "1"), (None, True, "9"), (None, False, "2"), (HOSTILE, False, None)),
        look.light,
        **MINUTE,  # type: ignore[arg-type]
        unnamed="no tenant",
    )
    assert [bar.name for bar in figure.data] == ["no tenant", "a", look.text(HOSTILE), "all others"]
    assert figure.data[-1].marker.color == look.light.rest
    assert "<" not in figure.data[2].name


def test_what_is_past_the_top_is_added_to_the_rest() -> None:
    table = timeline(("a", False, "4"), ("b", False, "3"), ("c", False, "2"), (None, True, "1"))
    trend = trend_of(table, "cost", **MINUTE, top=2)  # type: ignore[arg-type]
    assert list(trend.series) == ["a", "b"]
    assert (trend.rest, trend.whole) == ([2.0 + 1.0], [4.0 + 3.0 + 2.0 + 1.0])


def test_a_trend_has_every_bucket_of_its_range_and_none_outside() -> None:
    trend = trend_of(
        timeline(("a", False, "4")), "cost", NOW + timedelta(seconds=30), NOW + timedelta(minutes=3), 60
    )
    assert (trend.buckets[0], len(trend.buckets)) == (NOW, 3)
    assert trend.series["a"] == [4.0, 0.0, 0.0]
    later = trend_of(
        timeline(("a", False, "4")), "cost", NOW + timedelta(minutes=1), NOW + timedelta(minutes=2), 60
    )
    assert later.whole == [0.0]


def test_a_bar_says_its_share_and_the_range_before_is_a_line() -> None:
    trend = trend_of(timeline(("a", False, "3"), ("b", False, "1")), "cost", **MINUTE)  # type: ignore[arg-type]
    figure = stacked(trend, look.light, bucket_s=60, unit="USD", shown=str, before=[7.0])
    first, second, line = figure.data
    assert (list(first.customdata), list(second.customdata)) == ([0.75], [0.25])
    assert (line.type, line.name, list(line.y)) == ("scatter", "range before", [7.0])
    assert figure.layout.yaxis.title.text == "USD"


def test_areas_hold_what_is_known_and_escape_their_labels() -> None:
    areas = treemap(
        [("a", None, 3.0), ("a", "w", 1.0), (HOSTILE, "w", 0.0), (HOSTILE, HOSTILE, 2.0)],
        look.dark,
        shown=(str, str),
        root="all",
        written=lambda size: f"${size:.2f}",
    )
    (found,) = areas.figure.data
    assert found.values[0] == 3 + 1 + 2
    assert not any("<" in label for label in found.labels)
    assert areas.names["0"] == ("a",)
    assert areas.names["0.0"] == ("a", None)
    assert "all" not in areas.names


def test_areas_too_small_to_choose_are_one_and_lead_to_what_is_round_them() -> None:
    areas = treemap(
        [("a", "big", 1000.0), ("a", "x", 0.5), ("a", "y", 0.25)],
        look.light,
        shown=(str, str),
        root="all",
        written=str,
    )
    (found,) = areas.figure.data
    assert list(found.labels) == ["all", "a", "big", "2 small ones"]
    assert found.values[-1] == 0.75
    assert areas.names["0.small"] == ("a",)


@pytest.mark.parametrize("before", [None, [1.0, None]], ids=["alone", "beside the range before"])
def test_a_unit_that_is_not_known_in_a_bucket_is_a_gap(before: list[float | None] | None) -> None:
    buckets = [NOW, NOW + timedelta(minutes=1)]
    figure = unit_trend(
        buckets, [None, 0.5], look.light, name="a task", unit="USD", bucket_s=60, before=before
    )
    assert list(figure.data[-1].y) == [None, 0.5]
    assert len(figure.data) == (1 if before is None else 2)
