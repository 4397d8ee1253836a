"""A policy set written as a document reads back as the same set, and says no more than a person would."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from policy_texts import calendar, ceiling, override

from policies.files import parse
from policies.files.writing import as_document, as_text
from policies.model import PolicySet

ROOT = Path(__file__).parents[2]
FILES = [
    *sorted((ROOT / "policies" / "library").glob("*.yaml")),
    ROOT / "examples" / "policies.yaml",
    ROOT / "cli" / "demo" / "policies.yaml",
]
WHOLE = """\
version: 1
currency: EUR
unpriced_rate: 0.000001 EUR
tenants:
  "1e3": {weight: 0.5}
  "0o17": {}
  "no":
    weight: 3
    workloads:
      "02:00":
        owner: "~"
        cost_centre: "0x1F"
        tier: background
        runaway: stop
        degrade: [{from: a, to: b, supports: [tools, thinking], min_output_tokens: 10}, {from: a, to: c}]
        schedules:
          - {at: "02:30", zone: Europe/Berlin, expect: 40 EUR}
          - {at: "23:59", zone: UTC, days: [sunday, monday], expect: 0.1 EUR}
plans: [{cost_centre: "0x1F", month: "2026-11", amount: 0 EUR}]
tiers: {batch: 12.5}
capacity: [{provider: openai, model: m, account: "7", requests_per_minute: 600}, {provider: x, tokens_per_minute: 5}]
ceilings:
  - {name: "null", scope: {tenant: "no", tier: batch, model: "1.0"}, per: [workload], limit: 2M tokens, window: 90s}
"""


def read(text: str) -> PolicySet:
    return replace(parse(text, name="f"), version="")


@pytest.mark.parametrize(
    "text",
    [
        *(pytest.param(path.read_text(), id=f"{path.parent.name}/{path.name}") for path in FILES),
        pytest.param(WHOLE, id="names that look like numbers"),
        pytest.param(override(), id="override of one tenant"),
        pytest.param(override(ceiling="all", scope=None, limit="3M tokens"), id="override of tokens"),
        pytest.param(override(until="2026-12-01T00:00:00.25+01:00"), id="override until a part of a second"),
        *(
            pytest.param(ceiling(**settings), id=" ".join(map(str, settings.values())))
            for settings in (
                {"window": "1.5s"},
                {"window": "366d", "cooldown": "90s"},
                {"window": None, "per": "task", "wrap_up": "33.3%"},
                {"window": None, "per": "[task, model]"},
                {"holds": "worst_case", "overrun": "cut", "fail": "closed", "shadow": "true"},
                {"ladder": "[{at: 12.5%, do: warn}, {at: 80%, do: queue, tiers: [batch, background]}]"},
            )
        ),
        *(
            pytest.param(calendar(f"calendar: {cut}"), id=cut)
            for cut in (
                "day, zone: UTC",
                'day, zone: Europe/Berlin, day_begins: "06:00"',
                "week, zone: UTC, week_starts: sunday",
                "month, zone: America/New_York",
                'fiscal, zone: UTC, year_starts: "04-01", periods: quarters',
                'fiscal, zone: UTC, year_starts: "02-01", periods: 4-5-4, week_starts: sunday',
            )
        ),
    ],
)
def test_what_is_written_reads_back_as_the_same_set(text: str) -> None:
    policies = read(text)
    document = as_document(policies)
    assert read(json.dumps(document)) == policies
    assert read(as_text(document)) == policies


def test_what_goes_without_saying_is_not_written() -> None:
    document = as_document(read("version: 1\nceilings: [{name: hour, limit: 40 USD, window: 60m}]"))
    assert document == {
        "version": 1,
        "currency": "USD",
        "unpriced_rate": "60 USD",
        "ceilings": [{"name": "hour", "limit": "40 USD", "window": "1h"}],
    }
