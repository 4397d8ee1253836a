"""The Review page's charts: what is drawn is what the document says, and names in them are inert."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from analytics.reviews.document import Bridge, Day, Step
from dashboard import look
from dashboard.charts.bridge import bridge
from dashboard.charts.days import days

MONDAY = date(2026, 11, 16)
STEPS = (("volume", "11.23"), ("cache", "-3.61"), ("charges", "0"), ("mix", "0.005"))


def walk(start: str, *steps: tuple[str, str]) -> Bridge:
    told = tuple(Step(name, Decimal(amount), f"what {name} is") for name, amount in steps)
    return Bridge(Decimal(start), Decimal(start) + sum((step.amount for step in told), Decimal(0)), told)


def drawn(told: Bridge) -> Any:
    return bridge(told, look.light, currency="USD", places=2)


def test_the_bridge_goes_from_last_week_by_its_parts_to_this_week_and_leaves_out_those_of_nothing() -> None:
    figure = drawn(walk("32.72", *STEPS))
    (bars,) = figure.data
    assert list(bars.measure) == ["absolute", "relative", "relative", "relative", "total"]
    assert list(bars.y) == pytest.approx([32.72, 11.23, -3.61, 0.005, 40.345])
    assert list(bars.text) == ["$32.72", "+$11.23", "\u2212$3.61", "+$0.005000", "$40.34"]
    assert list(figure.layout.xaxis.ticktext) == ["last week", "volume", "cache", "mix", "this week"]


def test_more_cost_is_never_drawn_in_the_colour_of_what_went_well() -> None:
    (bars,) = drawn(walk("32.72", *STEPS)).data
    assert bars.increasing.marker.color == look.light.warm
    assert bars.decreasing.marker.color == look.light.calm


@pytest.mark.parametrize(
    ("start", "step", "cut"),
    [("30", "12", False), ("1000", "5", True), ("0", "5", False), ("5", "-5", False), ("0", "0", False)],
    ids=["a large step", "a sliver", "from nothing", "to nothing", "nothing at all"],
)
def test_the_axis_begins_at_0_except_where_steps_would_be_slivers_and_then_says_so(
    start: str, step: str, *, cut: bool
) -> None:
    axis = drawn(walk(start, ("volume", step))).layout.yaxis
    assert ("does not begin at 0" in axis.title.text) is cut
    low, high = axis.range
    assert (low > 0) is cut
    assert low <= float(start) + min(0.0, float(step)) <= high


def test_each_day_has_its_cost_by_tenant_and_the_day_of_the_week_before(hostile: str) -> None:
    told = [
        Day(MONDAY + timedelta(days=place), before, ((hostile, Decimal(place)), (None, Decimal("0.5"))))
        for place, before in enumerate([Decimal(3), None])
    ]
    tenant, rest, before = days(told, look.light, currency="USD").data
    assert (list(tenant.y), list(rest.y), list(before.y)) == ([0.0, 1.0], [0.5, 0.5], [3.0, None])
    assert list(before.customdata) == ["$3.00", "—"]
    assert rest.name == "all others"
    assert "<" not in tenant.name


def test_a_week_without_one_before_has_no_line() -> None:
    told = [Day(MONDAY, None, (("acme", Decimal(1)),))]
    assert [each.name for each in days(told, look.light, currency="USD").data] == ["acme"]
