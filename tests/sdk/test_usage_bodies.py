"""What bodies that providers really sent cost, by our reading and by that of genai-prices.

Each body of the shared data has, for every way in which genai-prices would read it, the usage it found and the price
that came out. Both usages are priced here by the rates of the installed genai-prices, since those of the day on which
the prices were written down have changed since; where they have not, the price is the one in the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import genai_prices
import pytest
from otlp_samples import SHARED

from switchgear.usage import Usage, from_response

COUNTED = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
# (index, provider, format): why what is expected is itself wrong, and what is right.
WRONG: Mapping[tuple[int, str, str], str] = {
    **dict.fromkeys(
        ((350, "azure", "responses"), (352, "azure", "chat"), (1202, "azure", "responses")),
        "cache_write_tokens were not looked for at Azure then; they are now (genai-prices 0.2.3), and OpenAI says that "
        "they are prompt tokens written to the cache",
    ),
    (
        992,
        "google",
        "chat",
    ): "35 + 12 tokens are not the 109 of total_tokens: Gemini counts the 62 of its thoughts "
    "there alone, and bills them as output (discuss.ai.google.dev/t/98760)",
}


@dataclass(frozen=True)
class Expected:
    """A body, and what genai-prices found in it as an answer of `provider` in `format`."""

    index: int
    body: Mapping[str, Any]
    model: str
    provider: str
    format: str
    usage: Mapping[str, int]
    price: Decimal


def expected(shared: Path) -> Iterator[Expected]:
    """Everything with a price, of providers that are known, by an extractor that is for the body's own format."""
    with (shared / "usages" / "genai_prices_usages.jsonl").open() as lines:
        for line in lines:
            row = json.loads(line)
            for found in row["extracted"]:
                for by in found["extractors"]:
                    if "input_price" in by and of_its_format(row["body"], by["api_flavor"]):
                        price = Decimal(by["input_price"]) + Decimal(by["output_price"])
                        names = by["provider_id"], by["api_flavor"]
                        yield Expected(row["index"], row["body"], row["model"], *names, found["usage"], price)


def of_its_format(body: Mapping[str, Any], format_: str) -> bool:
    """Whether an extractor of that format is for the body: of others it takes a part, as what a message calls input."""
    usage = body.get("usage", {})
    match format_:
        case "embeddings":
            return "completion_tokens" not in usage
        case "responses":
            return "cache_read_input_tokens" not in usage
        case "anthropic":
            return "input_tokens_details" not in usage
    return True


def price(usage: genai_prices.Usage, of: Expected) -> Decimal:
    """What genai-prices would charge for it, without tools."""
    found = genai_prices.calc_price(usage, of.model, provider_id=of.provider, genai_request_timestamp=AT)
    return found.input_price + found.output_price


def in_their_words(usage: Usage) -> genai_prices.Usage:
    """Their counts hold their parts: all input, all of its audio."""
    apart = dict(usage.apart)
    counts = {
        "input_tokens": usage.input_total,
        "cache_read_tokens": usage.cache_read,
        "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_write_1h_tokens": usage.cache_write_1h,
        "output_tokens": usage.output,
        "output_reasoning_tokens": usage.reasoning,
    }
    for name in ("audio", "image", "video"):
        cached = apart.get(f"cache_read_{name}", 0)
        counts[f"input_{name}_tokens"] = apart.get(f"input_{name}", 0) + cached
        counts[f"cache_{name}_read_tokens"] = cached
        counts[f"output_{name}_tokens"] = apart.get(f"output_{name}", 0)
    return genai_prices.Usage(**counts)


@pytest.fixture(scope="module")
def bodies() -> list[Expected]:
    if not SHARED.is_dir():
        pytest.skip(f"no shared data at {SHARED}; name its folder in SWITCHGEAR_SHARED_DATA")
    return list(expected(SHARED))


def test_every_body_is_counted_and_costs_as_expected(bodies: list[Expected]) -> None:
    differ: dict[tuple[int, str, str], str] = {}
    for each in bodies:
        usage = from_response(each.provider, each.body)
        assert usage is not None, each
        ours, theirs = in_their_words(usage), genai_prices.Usage(**each.usage)
        counts = [(getattr(ours, name), theirs.reported_value(name)) for name in COUNTED]
        costs = price(ours, each), price(theirs, each)
        if costs[0] != costs[1] or any(one != other for one, other in counts):
            differ[each.index, each.provider, each.format] = f"{usage} costs {costs[0]}, not {costs[1]}"
    assert differ.keys() == WRONG.keys(), differ


def test_most_prices_of_the_file_are_still_those_of_today(bodies: list[Expected]) -> None:
    # That the comparison above is one with the file, and not of the library with itself.
    same = sum(price(genai_prices.Usage(**each.usage), each) == each.price for each in bodies)
    assert same > len(bodies) * 0.9
