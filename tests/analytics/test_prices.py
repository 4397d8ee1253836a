"""The price book: exact, as of the call's time, and unpriced rather than free."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.prices import PriceBook
from cli import prices as verb
from switchgear.usage import Usage

SHARED = Path(os.environ.get("SWITCHGEAR_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
CASES = SHARED / "prices" / "price_cases.json"
AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
BOOK = PriceBook()


def cases() -> list[dict[str, Any]]:
    if not CASES.is_file():
        pytest.skip(f"no price cases at {CASES}; name the shared data in SWITCHGEAR_SHARED_DATA")
    found: list[dict[str, Any]] = json.loads(CASES.read_text())["cases"]
    assert len(found) >= 10
    return found


def counts_of(case: dict[str, Any]) -> dict[str, int]:
    written, long = case["cache_write"], case["cache_write_1h"]
    return {
        "input_uncached": case["input_tokens"] - case["cache_read"] - written - long,
        "cache_read": case["cache_read"],
        "cache_write_5m": written,
        "cache_write_1h": long,
        "output": case["output_tokens"],
        "reasoning": case["reasoning"],
    }


def test_published_prices_are_met_to_the_last_digit() -> None:
    for case in cases():
        at = datetime.fromisoformat(case["ts"]) if case["ts"] else AT
        tier = "batch" if case["batch"] else case["tier"]
        quote = BOOK.quote(*case["genai"], Usage(**counts_of(case)), at, tier)
        assert quote.cost == Decimal(str(case["expected"])), case["name"]


def test_the_command_agrees_with_published_prices(capsys: pytest.CaptureFixture[str]) -> None:
    for case in cases():
        at = case["ts"] or AT.isoformat()
        tier = "batch" if case["batch"] else case["tier"]
        code = verb.quote(*case["genai"], json.dumps(counts_of(case)), at, tier, as_json=True)
        found = json.loads(capsys.readouterr().out)
        assert code == 0
        assert Decimal(found["cost"]) == Decimal(str(case["expected"])), case["name"]
        assert found["price_version"] == BOOK.version
        assert sum(Decimal(line["amount"]) for line in found["lines"]) == Decimal(found["cost"])


def test_every_kind_of_token_has_its_own_line() -> None:
    quote = BOOK.quote("anthropic", "claude-sonnet-4-5", Usage(300, 600, 70, 30, 50), AT)
    assert [(line.kind, line.quantity, line.rate_per_million) for line in quote.lines] == [
        ("input_uncached", 300, Decimal("3")),
        ("cache_read", 600, Decimal("0.3")),
        ("cache_write_5m", 70, Decimal("3.75")),
        ("cache_write_1h", 30, Decimal("6")),
        ("output", 50, Decimal("15")),
    ]
    # 0.0009 + 0.00018 + 0.0002625 + 0.00018 + 0.00075
    assert quote.cost == Decimal("0.0022725")
    assert (quote.currency, quote.near) == ("USD", ())
    assert quote.version.startswith("genai-prices ")


counts = st.integers(0, 5_000_000)


@given(
    st.sampled_from(["gpt-4o-mini", "claude-sonnet-4-5", "gemini-2.5-pro", "o3"]),
    st.tuples(counts, counts, counts, counts, counts),
)
def test_lines_sum_to_the_cost_and_fit_what_is_stored(model: str, five: tuple[int, ...]) -> None:
    quote = BOOK.quote(None, model, Usage(*five), AT)
    assert quote.cost == sum((line.amount for line in quote.lines), Decimal(0))
    assert quote.cost is not None
    assert quote.cost.quantize(Decimal("0.000000000001")) == quote.cost
    assert quote.cost < 1_000_000


@given(
    st.sampled_from(
        [
            ("openai", "gpt-4o"),
            ("anthropic", "claude-sonnet-4-5"),
            ("google", "gemini-2.5-pro"),
            ("perplexity", "sonar-deep-research"),
        ]
    ),
    st.tuples(*[st.integers(0, 40_000)] * 5),
    st.integers(0, 4),
    st.integers(0, 1000),
)
def test_within_a_tier_more_of_any_count_never_costs_less(
    model: tuple[str, str], five: tuple[int, ...], place: int, more: int
) -> None:
    # 4 x 40,000 + 1,000 input tokens are below every start of a context tier.
    raised = [count + (more if each == place else 0) for each, count in enumerate(five)]
    less = BOOK.quote(*model, Usage(*five, reasoning=five[4] // 2), AT).cost
    most = BOOK.quote(*model, Usage(*raised, reasoning=five[4] // 2), AT).cost
    assert less is not None
    assert most is not None
    assert less <= most


def test_a_context_tier_applies_to_every_token_above_its_start() -> None:
    at_start = BOOK.quote("google", "gemini-2.5-pro", Usage(200_000), AT)
    above = BOOK.quote("google", "gemini-2.5-pro", Usage(200_001), AT)
    assert at_start.cost == Decimal("1.25") * 200_000 / 1_000_000
    assert above.cost == Decimal("2.5") * 200_001 / 1_000_000


def test_a_call_is_priced_by_the_rates_of_its_own_day() -> None:
    # o3 became 80 % cheaper on 2025-06-10: 10 -> 2 a million.
    cut = datetime(2025, 6, 10, tzinfo=UTC)
    before = BOOK.quote("openai", "o3", Usage(1_000_000), cut - timedelta(microseconds=1))
    after = BOOK.quote("openai", "o3", Usage(1_000_000), cut)
    assert (before.cost, after.cost) == (Decimal(10), Decimal(2))


def test_a_count_without_a_rate_of_its_own_is_priced_by_the_documented_rule() -> None:
    # gpt-4o has a rate for cache reads and none for writes: a write is input.
    quote = BOOK.quote("openai", "gpt-4o", Usage(cache_write_5m=1000, cache_write_1h=1000), AT)
    assert [line.rate_per_million for line in quote.lines] == [Decimal("2.5"), Decimal("2.5")]


@pytest.mark.parametrize(
    "provider",
    [None, "openai", "OpenAI", "openai.chat", "azure", "azure.ai.openai", "az.ai.openai", "langchain", ""],
)
def test_the_provider_may_be_named_as_spans_name_it(provider: str | None) -> None:
    quote = BOOK.quote(provider, "gpt-4o-mini-2024-07-18", Usage(1000), AT)
    assert quote.cost == Decimal("0.00015")


@pytest.mark.parametrize(
    ("provider", "model", "cost"),
    [
        ("gcp.gemini", "models/gemini-2.5-flash", "0.0003"),
        ("gcp.vertex_ai", "publishers/google/models/gemini-2.5-flash", "0.0003"),
        ("openai", "openai/gpt-4o-mini", "0.00015"),
        ("groq", "openai/gpt-oss-120b", "0.00015"),
        ("openrouter", "openai/gpt-4o-mini", "0.00015"),
        ("openai", "models/", None),
        ("openai", "openai/", None),
        ("groq", "acme/gpt-oss-120b", None),
    ],
    ids=[
        "interface",
        "publisher",
        "provider",
        "part of the name",
        "an aggregator's name",
        "path alone",
        "provider alone",
        "another's",
    ],
)
def test_the_model_may_be_named_with_the_path_that_it_is_called_by(
    provider: str, model: str, cost: str | None
) -> None:
    quote = BOOK.quote(provider, model, Usage(1000), AT)
    assert quote.cost == (None if cost is None else Decimal(cost))


def test_models_of_one_maker_at_another_provider_have_that_providers_price() -> None:
    model = "anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert BOOK.quote("aws.bedrock", model, Usage(1000), AT).cost is not None
    assert BOOK.quote("gcp.vertex_ai", "claude-sonnet-4-5", Usage(1000), AT).cost is not None


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "llm-9000"),
        ("nobody", "gpt-4o"),
        ("openai", None),
        ("openai", ""),
        (None, None),
        ("openai", "x" * 10_000),
        ("openai\0", "gpt\0"),
        ("openrouter", "openai/gpt-oss-20b:free"),
    ],
    ids=["model", "provider", "no model", "empty", "nothing", "10 KB", "nul", "no rates in the book"],
)
def test_what_is_not_known_is_unpriced_and_never_free(provider: str | None, model: str | None) -> None:
    quote = BOOK.quote(provider, model, Usage(1000, output=1000), AT)
    assert (quote.cost, quote.currency, quote.lines) == (None, None, ())


def test_a_service_tier_that_the_book_does_not_know_is_unpriced() -> None:
    quote = BOOK.quote("groq", "llama-3.3-70b-versatile", Usage(1000), AT, service_tier="priority")
    assert quote.cost is None


def test_an_unknown_model_comes_with_near_names() -> None:
    assert "gpt-4o-mini" in BOOK.quote("openai", "gpt-4o-minii", Usage(1), AT, suggest=True).near


def test_an_unknown_provider_comes_with_near_names_and_has_no_models() -> None:
    assert "openai" in BOOK.quote("opnai", "gpt-4o", Usage(1), AT, suggest=True).near
    assert not list(BOOK.models("opnai"))


def test_quote_prints_the_documented_shape(capsys: pytest.CaptureFixture[str]) -> None:
    usage = '{"input_uncached": 1000, "output": 500}'
    at = "2026-11-24T12:00:00Z"
    assert verb.quote("openai", "gpt-4o", usage, at, None, as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {
        "state": "priced",
        "cost": "0.0075",
        "currency": "USD",
        "price_version": BOOK.version,
        "lines": [
            {"kind": "input_uncached", "quantity": 1000, "rate_per_million": "2.5", "amount": "0.0025"},
            {"kind": "output", "quantity": 500, "rate_per_million": "10", "amount": "0.005"},
        ],
        "near": [],
    }
    assert verb.quote("openai", "gpt-4o-minii", usage, at, None, as_json=True) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["state"], found["cost"], found["lines"]) == ("unpriced", None, [])
    assert found["near"]
    assert verb.quote("openai", "gpt-4o", usage, at, "batch", as_json=False) == 0
    assert "0.00375 USD" in capsys.readouterr().out


def test_a_time_without_a_zone_is_taken_as_utc_and_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    for at in ("2026-11-24T12:00:00Z", "2026-11-24T12:00:00"):
        assert verb.quote("openai", "gpt-4o", '{"output": 500}', at, None, as_json=False) == 0
    captured = capsys.readouterr()
    assert captured.out.count("at 2026-11-24T12:00:00+00:00") == 2
    assert captured.err.splitlines() == [
        "switchgear: --at 2026-11-24T12:00:00 names no time zone and is taken as UTC; "
        "write one, as in 2026-11-20T08:00:00Z"
    ]


@pytest.mark.parametrize(
    ("usage", "at", "said"),
    [
        ("{", None, "--usage is no JSON"),
        ("[]", None, "--usage: an object"),
        ('{"input": 1}', None, "'input' is no count"),
        ('{"output": -1}', None, "output: -1"),
        ('{"output": 1.5}', None, "output = 1.5"),
        ('{"output": true}', None, "output = True"),
        ('{"output": 1, "output": 2}', None, "'output' stands there twice, 1 and 2"),
        ("{}", "yesterday", "--at 'yesterday'"),
        ("{}", "0001-01-01T00:00:00+14:00", "--at '0001-01-01"),
        ('{"output": ' + "9" * 5000 + "}", None, "--usage is no JSON"),
        ("[" * 100_000, None, "--usage is no JSON"),
    ],
)
def test_a_bad_question_is_one_clear_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], usage: str, at: str | None, said: str
) -> None:
    assert verb.quote("openai", "gpt-4o", usage, at, None, as_json=True) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert len(captured.err.splitlines()) == 1
