"""The look, the board, charts and tables as pure functions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from dashboard import board, charts, drill, grid, look

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
HOSTILE = "![x](http://evil.example/a.png)<img src=x onerror=alert(1)>"


def budget(**other: Any) -> dict[str, Any]:
    return {
        "ceiling": "c",
        "scope": {"tenant": "acme"},
        "window_s": 60,
        "limit": "2",
        "currency": "USD",
        "spent": "1",
        "held": "0.5",
        "projected": "2.5",
        "rate_per_s": "0.01",
        "state": "closed",
        "shadow": False,
        "action": "allow",
        "reason": "r",
        "since": (NOW - timedelta(seconds=90)).isoformat(),
        "retry_after_s": None,
    } | other


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        (Decimal("1234.5"), "$1,234.50"),
        (Decimal("0.0312"), "$0.0312"),
        (Decimal("0.000123"), "$0.000123"),
        (Decimal(0), "$0.00"),
        (Decimal("-3"), "\N{MINUS SIGN}$3.00"),
        (None, "—"),
    ],
)
def test_an_amount_has_the_decimals_it_needs_and_unknown_is_no_zero(
    amount: Decimal | None, written: str
) -> None:
    assert look.money(amount, "USD") == written


def test_a_ceiling_in_tokens_is_written_in_tokens() -> None:
    assert look.money(Decimal(12_304), "tokens") == "12,304 tokens"


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(8.4, "8 s"), (200, "3 min 20 s"), (14700, "4 h 05 min"), (180000, "2 d 2 h"), (-3, "0 s")],
)
def test_a_length_of_time_reads_at_a_glance(seconds: float, written: str) -> None:
    assert look.span(seconds) == written


@pytest.mark.parametrize(
    ("seconds", "written"), [(60, "1 min"), (3600, "1 h"), (5400, "90 min"), (604800, "7 d"), (45, "45 s")]
)
def test_a_window_is_named_exactly(seconds: float, written: str) -> None:
    assert look.period(seconds) == written


@pytest.mark.parametrize(
    ("part", "whole", "written"),
    [
        (Decimal("0.25"), Decimal(2), "12.5 %"),
        (Decimal("0.0004"), Decimal("1.73"), "under 0.1 %"),  # 0.023 %
        (Decimal(0), Decimal(2), "0.0 %"),
        (Decimal(0), Decimal(0), "—"),
        (None, None, "—"),
    ],
)
def test_a_share_that_is_little_is_not_written_as_nothing(
    part: Decimal | None, whole: Decimal | None, written: str
) -> None:
    assert look.percent(part, whole) == written


def test_foreign_text_is_inert_in_html_and_in_markdown() -> None:
    assert "<" not in look.text(HOSTILE)
    assert look.label("**a** :red[b] [c](d)") == r"\*\*a\*\* \:red\[b\] \[c\]\(d\)"


def test_foreign_text_cannot_turn_the_line_or_break_it() -> None:
    assert look.tidy("a\u202eb\nc") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"
    assert len(look.tidy("x" * 300)) == 60


def test_the_urgent_stand_first_and_a_shadow_after_all_that_act() -> None:
    budgets = [
        budget(ceiling="closed"),
        budget(ceiling="shadow", state="open", shadow=True),
        budget(ceiling="warned", action="warn"),
        budget(ceiling="throttled", state="throttled"),
        budget(ceiling="fuller", projected="9"),
        budget(ceiling="forced", state="forced_open"),
    ]
    order = [entry["ceiling"] for entry in board.urgent(budgets)]
    assert order == ["forced", "throttled", "warned", "fuller", "closed", "shadow"]


def test_a_state_is_told_by_a_word_beside_its_colour() -> None:
    for name, state in look.STATES.items():
        assert state.word in board.ceilings([budget(state=name)], at=NOW, now=NOW)


def test_the_countdown_goes_on_while_the_engine_is_silent() -> None:
    page = board.ceilings([budget(state="open", retry_after_s=30)], at=NOW - timedelta(seconds=12), now=NOW)
    assert "18 s" in page


def test_limits_stand_in_one_line_and_far_projections_end_at_the_edge() -> None:
    page = board.ceilings([budget(limit="2", spent="1", held="0", projected="40")], at=NOW, now=NOW)
    assert 'class="limit" style="left:66.7%"' in page
    assert 'class="mark" style="left:100.0%' in page


@pytest.mark.parametrize(
    ("scope", "name"),
    [
        ({}, "everything"),
        ({"tenant": "acme", "workload": "bot", "tier": "batch"}, "acme / bot / batch tier"),
        ({"owner": "ann"}, "owner ann"),
        ({"tenant": "acme", "model": "m", "provider": "openai"}, "acme / model m / provider openai"),
    ],
    ids=["none", "a workload's tier", "an owner", "a model of a tenant"],
)
def test_a_scope_is_named_by_each_of_its_parts(scope: dict[str, str], name: str) -> None:
    assert board.scope_name(scope) == name


def test_names_and_reasons_are_escaped_on_the_board() -> None:
    event = {
        "at": NOW.isoformat(),
        "policy": HOSTILE,
        "scope": {"tenant": HOSTILE},
        "from": "closed",
        "to": HOSTILE,
    }
    page = board.ceilings(
        [budget(scope={"tenant": HOSTILE}, reason=HOSTILE, ceiling=HOSTILE)], at=NOW, now=NOW
    )
    page += board.events([event | {"by": HOSTILE, "reason": HOSTILE}], now=NOW)
    page += board.providers([{"provider": HOSTILE, "requests_per_minute": None}], now=NOW)
    assert "<img" not in page


def trend(*rows: tuple[str | None, bool, str | None]) -> pa.Table:
    return pa.table(
        {
            "bucket": pa.array([NOW] * len(rows), pa.timestamp("us", "UTC")),
            "key": pa.array([row[0] for row in rows], pa.string()),
            "rest": [row[1] for row in rows],
            "cost": pa.array(
                [None if row[2] is None else Decimal(row[2]) for row in rows], pa.decimal128(38, 12)
            ),
            "currency": pa.array(["USD"] * len(rows), pa.string()),
        }
    )


def test_the_trend_stacks_the_most_expensive_first_and_the_rest_in_grey() -> None:
    figure = charts.spend_over_time(
        trend(("a", False, "1"), (None, True, "9"), (None, False, "2"), (HOSTILE, False, None)),
        look.light,
        start=NOW,
        stop=NOW + timedelta(minutes=1),
        bucket_s=60,
        unnamed="no tenant",
    )
    assert [bar.name for bar in figure.data] == ["no tenant", "a", look.text(HOSTILE), "all others"]
    assert figure.data[-1].marker.color == look.light.rest
    assert "<" not in figure.data[2].name


def test_the_map_holds_the_known_cost_and_escapes_its_labels() -> None:
    rows: list[dict[str, Any]] = [
        {"tenant": "a", "workload": None, "cost": Decimal(3)},
        {"tenant": "a", "workload": "w", "cost": Decimal(1)},
        {"tenant": HOSTILE, "workload": "w", "cost": None},
        {"tenant": HOSTILE, "workload": HOSTILE, "cost": Decimal(2)},
    ]
    figure = charts.treemap(
        rows, look.dark, names=("tenant", "workload"), unnamed=("(no tenant)", "(no workload)"), root="all"
    )
    (areas,) = figure.data
    assert areas.values[0] == 3 + 1 + 2
    assert not any("<" in label for label in areas.labels)


def test_a_grid_keeps_the_unpriced_row_with_an_empty_cost() -> None:
    table = pa.table(
        {
            "tenant": pa.array(["a", None], pa.string()),
            "calls": [1, 2],
            "cost": pa.array([Decimal(4), None], pa.decimal128(38, 12)),
        }
    )
    assert grid.frame(table, ["tenant"]).to_dicts() == [
        {"tenant": "a", "cost": 4.0, "share": 100.0, "calls": 1},
        {"tenant": "(no tenant)", "cost": None, "share": None, "calls": 2},
    ]


def test_a_grid_without_any_known_cost_keeps_its_types() -> None:
    table = pa.table({"tenant": ["a"], "calls": [500], "cost": pa.array([None], pa.decimal128(38, 12))})
    types = [str(kind) for kind in grid.frame(table, ["tenant"]).select("cost", "share", "calls").dtypes]
    assert types == ["Float64", "Float64", "Int64"]


def test_a_download_has_every_digit_and_no_formula() -> None:
    cost = pa.array([Decimal("0.123456789012")], pa.decimal128(38, 12))
    assert (
        grid.csv_bytes(pa.table({"tenant": ["=1+1"], "cost": cost}))
        == b"tenant,cost\r\n'=1+1,0.123456789012\r\n"
    )


def test_a_place_survives_its_url_and_an_old_link_still_opens() -> None:
    place = drill.Place("7d", ("acme", ""))
    assert drill.Place.from_query(place.query()) == place
    assert drill.Place.from_query({"range": "2w", "workload": "w"}) == drill.Place(drill.DEFAULT_RANGE)


def test_a_range_ends_with_the_bucket_that_is_running() -> None:
    start, stop = drill.Place("1h").span(NOW + timedelta(seconds=30))
    assert (start, stop) == (NOW - timedelta(minutes=59), NOW + timedelta(minutes=1))
