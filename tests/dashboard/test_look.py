"""The look, the board, charts and tables as pure functions."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from dashboard import board, grid, look

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
HOSTILE = "![x](http://evil.example/a.png)<img src=x onerror=alert(1)>"


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
