"""The provider's hand-written rates against the public price list."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import genai_prices
import pytest

from cli.demo.rates import RATES, bill, marked_up
from switchgear.usage import Usage

LIST_DATE = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize("model", RATES)
def test_each_rate_agrees_with_the_public_price_list(model):
    provider = "anthropic" if model.startswith("claude") else "openai"
    writes = (300, 200) if provider == "anthropic" else (0, 0)
    ours = bill(model, Usage(1_000, 500, *writes, 700, 0))
    theirs = genai_prices.calc_price(
        genai_prices.Usage(
            input_tokens=1_000 + 500 + sum(writes),
            cache_read_tokens=500,
            cache_write_tokens=sum(writes),
            cache_write_1h_tokens=writes[1],
            output_tokens=700,
        ),
        model_ref=model,
        provider_id=provider,
        genai_request_timestamp=LIST_DATE,
    )
    assert ours == theirs.total_price


def test_a_markup_multiplies_every_rate():
    assert marked_up(RATES, Decimal(2))["gpt-4o"].output == 2 * Decimal(10)
