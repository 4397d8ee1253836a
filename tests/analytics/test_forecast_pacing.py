"""A plan is kept or it is not: what is due by now, when it is used up, and what is explained first."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from analytics.forecast import Forecast, Method, Status, pacing

TODAY = date(2026, 11, 16)
USD = Decimal


def _forecast(spent: str, each: str, high: str | None = None, days: int = 15) -> Forecast:
    """Half of November is over, and each day to come is expected to cost so much."""
    to_come = tuple((TODAY + timedelta(place), USD(each)) for place in range(days))
    expected = USD(spent) + days * USD(each)
    return Forecast(
        expected=expected,
        low=USD(spent),
        high=expected if high is None else USD(high),
        spent=USD(spent),
        method=Method.SEASONAL,
        elapsed=USD("0.5"),
        days=to_come,
        known_days=60,
    )


def test_what_is_due_is_the_part_of_the_plan_that_the_elapsed_part_of_the_month_has() -> None:
    found = pacing(_forecast("180", "12"), USD(300), today=TODAY)
    assert (found.ahead, found.pace, found.over) == (30, USD("1.2"), USD("0.2"))  # 180 - 150; 360 / 300
    assert (found.a_day, found.sustainable) == (12, 8)  # 120 / 15
    assert found.used_up == date(2026, 11, 26)  # 180 + 10 x 12 is 300, and the 11th day passes it
    assert found.explain_first


@pytest.mark.parametrize(
    ("spent", "each", "high", "status"),
    [
        ("150", "10", "330", Status.OK),
        ("150", "10", "331", Status.WATCH),
        ("151", "10", "310", Status.WATCH),
        ("150", "12", None, Status.WATCH),  # 330 is a tenth over
        ("150", "12.01", None, Status.OVER),
        ("301", "0", None, Status.OVER),
    ],
    ids=[
        "as planned",
        "perhaps a tenth over",
        "a little over",
        "a tenth over",
        "more than a tenth over",
        "spent",
    ],
)
def test_a_status_is_by_what_is_expected_and_what_is_possible(
    spent: str, each: str, high: str | None, status: Status
) -> None:
    assert pacing(_forecast(spent, each, high), USD(300), today=TODAY).status is status


def test_a_plan_that_holds_is_not_used_up() -> None:
    assert pacing(_forecast("150", "10"), USD(300), today=TODAY).used_up is None


def test_a_plan_that_is_spent_was_used_up_today_at_the_latest() -> None:
    assert pacing(_forecast("301", "1"), USD(300), today=TODAY).used_up == TODAY


def test_of_a_plan_of_nothing_nothing_is_due() -> None:
    found = pacing(_forecast("1", "1"), USD(0), today=TODAY)
    assert (found.ahead, found.pace, found.over, found.status) == (1, None, None, Status.OVER)


def test_when_the_month_is_over_no_day_may_cost_anything() -> None:
    found = pacing(_forecast("300", "0", days=0), USD(300), today=TODAY)
    assert (found.a_day, found.sustainable, found.status) == (None, None, Status.OK)
