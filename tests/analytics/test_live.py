"""What a running service prices by: book and contracts, each following its file, one call or many at once."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from analytics.live import LivePrices
from analytics.prices import PriceBook
from switchgear.usage import COUNTS, Usage

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
MILLION = 1_000_000
CONTRACTS = """
version: 1
contracts:
  - name: enterprise
    provider: openai
    tenants: [acme]
    currency: USD
    from: 2026-01-01
    discounts:
      - {models: ["gpt-4o*"], discount: 20%}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "contracts.yaml"
    found.write_text(CONTRACTS)
    return found


def test_a_contract_prices_the_calls_of_its_tenants_and_no_others(file: Path) -> None:
    live = LivePrices(None, file)
    listed = PriceBook().quote("openai", "gpt-4o", Usage(MILLION), AT)
    negotiated = live.quote("openai", "gpt-4o", Usage(MILLION), AT, None, "acme")
    assert (negotiated.cost, negotiated.list_cost) == (Decimal("2.50") * Decimal("0.80"), Decimal("2.50"))
    assert (negotiated.contract or "").startswith("enterprise ")
    for tenant in ("globex", None):
        assert live.quote("openai", "gpt-4o", Usage(MILLION), AT, None, tenant) == listed


def test_many_calls_are_priced_as_each_by_itself(file: Path) -> None:
    live = LivePrices(None, file)
    asked = [
        (tenant, provider, model, tier, Usage(number + 1, output=7, apart=apart))
        for number, (tenant, provider, model, tier, apart) in enumerate(
            [
                ("acme", "openai", "gpt-4o", None, ()),
                ("globex", "openai", "gpt-4o", None, ()),
                ("acme", "openai", "gpt-4o-mini", "batch", ()),
                ("acme", "anthropic", "claude-sonnet-4-5", None, (("web_searches", 2),)),
                ("acme", "openai", "no such model", None, ()),
                ("globex", None, "gpt-4o", None, ()),
            ]
        )
    ]
    calls = pa.table(
        {
            "tenant": [tenant for tenant, *_ in asked],
            "provider": [provider for _, provider, *_ in asked],
            "model": [model for _, _, model, *_ in asked],
            "service_tier": pa.array([tier for *_, tier, _ in asked], pa.string()),
            "started_at": pa.array([AT] * len(asked), pa.timestamp("us", "UTC")),
            **{name: [getattr(usage, name) for *_, usage in asked] for name in COUNTS},
            "apart": pa.array(
                [",".join(f"{n}={c}" for n, c in usage.apart) or None for *_, usage in asked], pa.string()
            ),
        }
    )
    quotes = [
        live.quote(provider, model, usage, AT, tier, tenant) for tenant, provider, model, tier, usage in asked
    ]
    assert live.quotes(calls).to_pylist() == [
        {
            "cost": each.cost,
            "currency": each.currency,
            "price_version": each.version,
            "contract": each.contract,
        }
        for each in quotes
    ]
    assert [each.contract is not None for each in quotes] == [True, False, True, False, False, False]


def test_changed_contracts_are_taken_over_and_bad_ones_leave_what_was_said(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    live = LivePrices(None, file)
    with caplog.at_level(logging.INFO, logger="switchgear"):
        file.write_text(CONTRACTS.replace("20%", "120%"))
        live.look()
        assert live.quote("openai", "gpt-4o", Usage(MILLION), AT, None, "acme").cost == Decimal("2.00")
        assert f"{file}:" in caplog.text
        file.write_text(CONTRACTS.replace("20%", "50%"))
        live.look()
    assert live.quote("openai", "gpt-4o", Usage(MILLION), AT, None, "acme").cost == Decimal("1.25")
