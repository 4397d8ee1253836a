"""Bulk: many calls at once cost to the last digit what each costs by itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.prices import PriceBook
from analytics.prices.bulk import PARTS, parted, priced
from analytics.prices.rates import SMALLEST
from switchgear.usage import COUNTS, Usage

SCHEMA = pa.schema(
    [
        ("provider", pa.string()),
        ("model", pa.string()),
        ("service_tier", pa.string()),
        ("started_at", pa.timestamp("us", "UTC")),
        *((name, pa.int64()) for name in COUNTS),
        ("apart", pa.string()),
    ]
)
HOUSE = """\
version: 1
prices:
  - {provider: acme, models: [thirds], currency: EUR, input: 0.0000001, output: 1, hours: {"08:00-09:30": 0.3}}
  - {provider: acme, models: [dear], currency: USD, input: 900000, output: 1000000, per_request: 1000}
  - {provider: acme, models: [input-only], currency: USD, input: 1, above: {1000: {input: 0.5}, 50000: {input: 0.25}}}
"""
MODELS = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-5.4"),
    ("azure.ai.openai", "gpt-5"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-sonnet-4-20250514"),
    ("google", "gemini-2.5-flash"),
    ("deepseek", "deepseek-chat"),
    ("perplexity", "sonar-deep-research"),
    ("perplexity", "sonar-pro"),
    ("acme", "thirds"),
    ("acme", "dear"),
    ("acme", "input-only"),
    ("nobody", "nothing"),
    (None, "o3"),
    (None, None),
]
count = st.one_of(st.sampled_from([0, 1, 1000, 1001, 200_000, 200_001]), st.integers(0, 100_000_000))


@st.composite
def calls(draw: st.DrawFn) -> dict[str, Any]:
    provider, model = draw(st.sampled_from(MODELS))
    counts = {name: draw(count) for name in COUNTS}
    counts["reasoning"] = draw(st.integers(0, counts["output"]))
    searches = draw(st.sampled_from([None, None, "web_searches=2"]))
    audio = min(counts["input_uncached"], 60)
    return {
        "provider": provider,
        "model": model,
        "service_tier": draw(st.sampled_from([None, "default", "batch", "flex", "priority"])),
        "started_at": datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=draw(st.integers(0, 60_000_000))),
        **counts,
        "apart": f"input_audio={audio}" if searches is None and audio and draw(st.booleans()) else searches,
    }


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    file: Path = tmp_path_factory.mktemp("book") / "prices.yaml"
    file.write_text(HOUSE)
    return PriceBook([file])


# The first call loads what the later ones have.
@settings(deadline=None)
@given(st.lists(calls(), min_size=1, max_size=40))
def test_each_of_many_costs_what_it_costs_alone(book: PriceBook, rows: Sequence[dict[str, Any]]) -> None:
    found = priced(book, pa.Table.from_pylist(list(rows), schema=SCHEMA)).to_pylist()
    for row, answer in zip(rows, found, strict=True):
        named = (part.split("=") for part in (row["apart"] or "").split(",") if part)
        apart = tuple((name, int(each)) for name, each in named)
        usage = Usage(**{name: row[name] for name in COUNTS}, apart=apart)
        quote = book.quote(row["provider"], row["model"], usage, row["started_at"], row["service_tier"])
        assert (answer["cost"], answer["currency"]) == (quote.cost, quote.currency), row


@settings(deadline=None)
@given(st.lists(calls(), min_size=1, max_size=40))
def test_the_parts_of_each_are_the_lines_of_its_quote(
    book: PriceBook, rows: Sequence[dict[str, Any]]
) -> None:
    found = parted(book, pl.DataFrame(pa.Table.from_pylist(list(rows), schema=SCHEMA)))
    for row, answer in zip(rows, found.iter_rows(named=True), strict=True):
        named = (part.split("=") for part in (row["apart"] or "").split(",") if part)
        apart = tuple((name, int(each)) for name, each in named)
        usage = Usage(**{name: row[name] for name in COUNTS}, apart=apart)
        quote = book.quote(row["provider"], row["model"], usage, row["started_at"], row["service_tier"])
        if quote.cost is None:
            assert set(answer.values()) == {None}
            continue
        lines = {part: Decimal(0) for part in PARTS}
        for line in quote.lines:
            part = "output" if line.kind == "reasoning" else line.kind if line.kind in COUNTS else "other"
            lines[part] += line.amount
        assert {part: answer[part] * SMALLEST for part in PARTS} == lines
        assert sum(answer[part] for part in PARTS) * SMALLEST == quote.cost


def test_tokens_in_cache_have_beside_them_what_they_would_cost_as_input(book: PriceBook) -> None:
    row: dict[str, Any] = {"provider": "anthropic", "model": "claude-sonnet-4-5", "service_tier": None}
    row |= {"started_at": datetime(2026, 1, 1, tzinfo=UTC)} | dict.fromkeys(COUNTS, 0)
    row |= {"input_uncached": 10, "cache_read": 1000, "cache_write_5m": 200, "cache_write_1h": 100}
    apart = row | {"apart": "web_searches=1"}
    found = parted(book, pl.DataFrame(pa.Table.from_pylist([row, apart], schema=SCHEMA)))
    # USD a million: 3 of input, 0.30 read, 3.75 written for 5 minutes and 6 for an hour; 10 for 1,000 searches.
    for place, other in enumerate((0, 10_000_000_000)):
        assert found.row(place, named=True) == {
            "input_uncached": 10 * 3_000_000,
            "cache_read": 1000 * 300_000,
            "cache_write_5m": 200 * 3_750_000,
            "cache_write_1h": 100 * 6_000_000,
            "output": 0,
            "other": other,
            "as_input": 1300 * 3_000_000,
        }


def test_no_calls_cost_nothing_and_need_no_column_of_parts(book: PriceBook) -> None:
    assert priced(book, SCHEMA.empty_table()).num_rows == 0
    row = {
        "provider": "openai",
        "model": "gpt-4o",
        "service_tier": None,
        "started_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    table = pa.Table.from_pylist([row | dict.fromkeys(COUNTS, 0)], schema=SCHEMA).drop_columns(["apart"])
    assert priced(book, table).to_pylist() == [{"cost": 0, "currency": "USD"}]
