"""Charts of what is charged, bursts, retries and herds: what is drawn is what the reports say, and names stay text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from dashboard.charts.herds import lockstep
from dashboard.charts.plan import bullets
from dashboard.charts.rates import busiest_minutes, payers
from dashboard.charts.received import by_rule, margins
from dashboard.charts.retries import retried_share
from dashboard.charts.walk import waterfall
from dashboard.look import dark, light

HOSTILE = "<img src=http://evil.example/a.png><b>x</b>"
AT = datetime(2026, 11, 17, 14, tzinfo=UTC)


def planned(centre: str | None, cost: str | None, plan: str | None, status: str | None) -> dict[str, Any]:
    amounts = {
        "cost": cost,
        "plan": plan,
        "due": plan,
        "forecast": cost,
        "forecast_low": cost,
        "forecast_high": cost,
    }
    return {
        "cost_centre": centre,
        "status": status,
        "forecast_by": "seasonal" if cost else None,
        **{name: None if value is None else Decimal(value) for name, value in amounts.items()},
    }


def of(figure: Any, **wanted: Any) -> Any:
    """The one trace with these values."""
    (found,) = [each for each in figure.data if all(getattr(each, k) == v for k, v in wanted.items())]
    return found


def test_a_plan_is_drawn_with_what_is_charged_due_and_expected() -> None:
    rows = [
        planned("CC-1", "12", "10", "over"),
        planned("CC-2", "3", "10", "ok"),
        planned(None, "1", None, None),
    ]
    figure = bullets(rows, light, unnamed="(no cost centre)", currency="USD")
    assert list(of(figure, name="plan").x) == [10.0, 10.0, None]
    assert list(of(figure, name="charged, ■ over").x) == [12.0]
    assert list(of(figure, name="due by today").x) == [10.0, 10.0]
    assert list(of(figure, name="expected at the end, 80 % band").x) == [12.0, 3.0, 1.0]
    assert list(figure.layout.yaxis.ticktext) == [
        "CC-1  ■ over",
        "CC-2  ● in plan",
        "(no cost centre)   no plan",
    ]


def test_how_a_plan_stands_is_never_told_by_colour_alone_and_more_cost_is_never_green() -> None:
    rows = [planned(f"CC-{status}", "1", "2", status) for status in ("over", "watch", "ok")]
    for palette in (light, dark):
        figure = bullets(rows, palette, unnamed="", currency="USD")
        colours = {
            each.name: each.marker.color for each in figure.data if str(each.name).startswith("charged")
        }
        assert colours == {
            "charged, ■ over": palette.hot,
            "charged, ▲ watch": palette.warm,
            "charged, ● in plan": palette.calm,
        }


def test_of_a_month_that_is_over_nothing_is_expected() -> None:
    row = planned("CC-1", "12", "10", "over") | {"forecast_by": "complete"}
    assert not of(bullets([row], light, unnamed="", currency="USD"), name="expected at the end, 80 % band").x


def test_steps_of_a_waterfall_add_up_to_its_end() -> None:
    steps = [("Usage", Decimal("67.32")), ("Shared, given away", Decimal("-0.5489"))]
    (walk,) = waterfall(steps, "Total", light, currency="USD").data
    assert list(walk.text) == ["+$67.32", "\N{MINUS SIGN}$0.5489", "$66.77"]
    assert list(walk.measure) == ["relative", "relative", "total"]
    assert sum(walk.y[:-1]) == pytest.approx(walk.y[-1])


@pytest.mark.parametrize(
    ("steps", "low", "high"),
    [
        pytest.param(["5", "-8"], -3, 5, id="through nothing"),
        pytest.param(["-8.5", "0.3"], -8.5, 0, id="below"),
        pytest.param([], 0, 0, id="none"),
    ],
)
def test_a_waterfalls_axis_has_nothing_and_every_sum_on_it(steps: list[str], low: float, high: float) -> None:
    figure = waterfall([(each, Decimal(each)) for each in steps], "end", light, currency="USD")
    first, last = figure.layout.yaxis.range
    assert first <= low
    assert last > high


def test_shared_cost_is_a_bar_for_each_target_with_a_part_for_each_rule() -> None:
    rows = [
        {"rule": rule, "cost_centre": centre, "cost": Decimal(cost)}
        for rule, centre, cost in (("a", "CC-1", 1), ("a", "CC-2", 3), ("b", "CC-1", 5), ("a", "CC-1", 1))
    ]
    figure = by_rule(rows, light, target="cost_centre", unnamed="", currency="USD")
    assert list(figure.layout.yaxis.ticktext) == ["CC-1", "CC-2"]
    assert {each.name: list(each.x) for each in figure.data} == {"a": [2.0, 3.0], "b": [5.0, 0.0]}


def test_a_loss_is_drawn_apart_from_a_margin() -> None:
    rows = [
        {"tenant": name, "cost": Decimal(cost), "revenue": Decimal(5), "margin": 5 - Decimal(cost)}
        for name, cost in (("lossy", 7), ("fine", 2))
    ]
    figure = margins(rows, light, unnamed="", currency="USD")
    assert list(of(figure, name="loss").x) == [7.0, 5.0, None]
    assert list(of(figure, name="margin").x) == [2.0, 5.0, None]
    assert of(figure, name="loss").line.color == light.hot


def minute(hour: int, tokens: int, charge: str | None) -> dict[str, Any]:
    return {
        "bucket": AT + timedelta(hours=hour),
        "minute": AT + timedelta(hours=hour, minutes=7),
        "tokens": Decimal(tokens),
        "committed_tpm": 1000,
        "minutes_above": int(tokens > 1000),
        "charge": None if charge is None else Decimal(charge),
        "currency": "USD",
        "tenant": HOSTILE,
        "workload": None,
        "tenant_tokens": Decimal(tokens),
    }


def test_minutes_above_the_rate_are_told_apart_from_those_within() -> None:
    figure = busiest_minutes(
        [minute(0, 900, None), minute(1, 2500, "0.25"), minute(2, 1000, None)],
        light,
        start=AT,
        stop=AT + timedelta(hours=3),
        bucket_s=3600,
        unnamed="(no workload)",
    )
    assert list(of(figure, name="above it").y) == [2500.0]
    assert list(of(figure, name="within the rate").y) == [900.0, 1000.0]
    (told,) = of(figure, name="above it").customdata
    assert told.startswith("17 Nov 15:07 UTC: 2,500 tokens<br>most of &lt;img")
    assert told.endswith("which cost $0.2500 on top")
    assert list(of(figure, name="the rate, 1,000 a minute").y) == [1000, 1000]


def test_payers_are_drawn_by_their_charge_or_where_none_is_by_their_tokens() -> None:
    rows = [{"tenant": "acme", "workload": None, "charge": Decimal("1.5"), "tokens_above": Decimal(900)}]
    (paid,) = payers(rows, light, value="charge", unnamed="(no workload)", unit="USD").data
    (used,) = payers(rows, light, value="tokens_above", unnamed="(no workload)", unit="tokens").data
    assert (list(paid.x), list(paid.text)) == ([1.5], ["$1.50"])
    assert (list(used.x), list(used.text)) == ([900.0], ["900 tokens"])


def test_retried_calls_are_a_part_of_all_calls_and_those_in_herds_stand_apart() -> None:
    row = {
        "tenant": "acme",
        "workload": "w",
        "calls": 200,
        "retried_calls": 50,
        "synchronous_calls": 40,
        "attempts_per_call": 1.5,
    }
    figure = retried_share([row], light, unnamed="")
    assert list(of(figure, name="in step with other tasks (herds)").x) == [20.0]
    assert list(of(figure, name="apart").x) == [5.0]
    assert max(figure.layout.xaxis.tickvals) <= 25


def test_a_herd_is_drawn_as_attempts_and_a_lane_for_each_workload_that_was_retried() -> None:
    rows = [
        {
            "tenant": tenant,
            "workload": "w",
            "bucket": AT + timedelta(seconds=s),
            "calls": calls,
            "attempts": attempts,
        }
        for tenant, s, calls, attempts in (("a", 0, 2, 8), ("b", 0, 3, 6), ("a", 90, 2, 6), ("c", 40, 5, 5))
    ]
    figure = lockstep(rows, light, start=AT, stop=AT + timedelta(minutes=2), unnamed="")
    assert sum(of(figure, name="first attempts").y) == 12
    assert sum(of(figure, name="further attempts").y) == 13
    # c was not retried: it has no lane. The lane with the most further attempts is on top.
    assert list(figure.layout.yaxis.ticktext) == ["a / w", "b / w"]
    assert of(figure, name="a / w").customdata[0] == "6 further attempts of 2 calls"


def test_foreign_names_are_text_in_every_chart() -> None:
    row = planned(HOSTILE, "1", "2", "ok")
    shared = {"rule": HOSTILE, "cost_centre": HOSTILE, "cost": Decimal(1)}
    margin = {"tenant": HOSTILE, "cost": Decimal(1), "revenue": Decimal(2), "margin": Decimal(1)}
    retried = {
        "tenant": HOSTILE,
        "workload": HOSTILE,
        "calls": 2,
        "retried_calls": 1,
        "synchronous_calls": 1,
        "attempts_per_call": 1.5,
    }
    herd = {"tenant": HOSTILE, "workload": HOSTILE, "bucket": AT, "calls": 1, "attempts": 3}
    figures = [
        bullets([row], light, unnamed="", currency=HOSTILE),
        waterfall([(HOSTILE, Decimal(1))], HOSTILE, light, currency="USD"),
        by_rule([shared], light, target="cost_centre", unnamed="", currency="USD"),
        margins([margin], light, unnamed="", currency="USD"),
        payers([{**retried, "charge": Decimal(1)}], light, value="charge", unnamed="", unit="USD"),
        retried_share([retried], light, unnamed=""),
        lockstep([herd], light, start=AT, stop=AT + timedelta(minutes=1), unnamed=""),
    ]
    for figure in figures:
        assert "<img" not in figure.to_json().replace("\\u003c", "<")
        assert "&lt;img" in figure.to_json().replace("\\u003c", "<")
