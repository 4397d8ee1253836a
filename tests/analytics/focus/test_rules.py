"""Our rule table: each fault that is planted in a sound file is found by the rule that is for it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from analytics.focus.rules import RULES, check

SHARE = {
    "ChargeCategory": "Adjustment",
    "ChargeFrequency": "One-Time",
    "ConsumedQuantity": "",
    "ConsumedUnit": "",
    "ContractedUnitPrice": "",
    "ListUnitPrice": "",
    "PricingCategory": "",
    "PricingQuantity": "",
    "PricingUnit": "",
    "SkuPriceId": "",
    "SkuPriceDetails": "",
    "AllocatedMethodId": "even",
    "AllocatedMethodDetails": '{"Elements":[{"AllocatedRatio":0.5}]}',
    "x_SplitOriginId": "one",
    "x_SplitOriginCost": "84.00",
}


@pytest.fixture
def sound() -> list[dict[str, str]]:
    """A row of use, and the two halves of a shared cost."""
    use = dict.fromkeys(SHARE | {"ChargeClass": "", "AllocatedResourceId": "", "AllocatedTags": ""}, "")
    use |= dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), "42.00")
    use |= {
        "BillingAccountId": "a",
        "BillingAccountName": "A",
        "BillingCurrency": "USD",
        "BillingPeriodEnd": "2026-11-01T00:00:00Z",
        "BillingPeriodStart": "2026-10-01T00:00:00Z",
        "ChargeCategory": "Usage",
        "ChargeDescription": "Input Tokens",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodEnd": "2026-10-04T00:00:00Z",
        "ChargePeriodStart": "2026-10-03T00:00:00Z",
        "ConsumedQuantity": "8400000",
        "ConsumedUnit": "Tokens",
        "ContractedUnitPrice": "5.0",
        "HostProviderName": "",
        "InvoiceIssuerName": "OpenAI",
        "ListUnitPrice": "5.0",
        "PricingCategory": "Standard",
        "PricingQuantity": "8.4",
        "PricingUnit": "1000000 Tokens",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": "OpenAI API",
        "ServiceProviderName": "OpenAI",
        "ServiceSubcategory": "Generative AI",
        "SkuPriceId": "p",
        "SkuPriceDetails": "{}",
        "Tags": '{"tenant":"acme"}',
    }
    halves = [use | SHARE | {"AllocatedResourceId": name} for name in ("r1", "r2")]
    own = [name for name in use if name.startswith("x_")]
    return [{name: row[name] for name in (*(use.keys() - own), *own)} for row in [use, *halves]]


def written(rows: list[dict[str, str]], folder: Path) -> Path:
    path = folder / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


# By rule: what is changed of which row.
FAULTS: dict[str, tuple[int, dict[str, str]]] = {
    **{
        f"{name}-null": (0, {name: ""})
        for name in (
            *("BilledCost", "BillingAccountId", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart"),
            *("ChargeCategory", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost", "EffectiveCost"),
            *("InvoiceIssuerName", "ListCost", "ServiceCategory", "ServiceName", "ServiceProviderName"),
            *("ProviderName", "PublisherName"),
        )
    },
    **{
        f"{name}-number": (0, {name: "4.2E1"})
        for name in (
            *("BilledCost", "ContractedCost", "EffectiveCost", "ListCost", "PricingQuantity"),
            *("ConsumedQuantity", "ListUnitPrice", "ContractedUnitPrice"),
        )
    },
    "BillingPeriodEnd-time": (0, {"BillingPeriodEnd": "2026-11-01"}),
    "BillingPeriodStart-time": (0, {"BillingPeriodStart": "2026-10-01T00:00:00+00:00"}),
    "ChargePeriodEnd-time": (0, {"ChargePeriodEnd": "2026-10-04 00:00:00Z"}),
    "ChargePeriodStart-time": (0, {"ChargePeriodStart": "3 October"}),
    "SkuPriceDetails-json": (0, {"SkuPriceDetails": "[1]"}),
    "Tags-json": (0, {"Tags": "{tenant: acme}"}),
    "AllocatedMethodDetails-json": (1, {"AllocatedMethodDetails": "half"}),
    "AllocatedTags-json": (1, {"AllocatedTags": "1"}),
    "BillingCurrency-iso": (0, {"BillingCurrency": "Dollar"}),
    "ChargeCategory-allowed": (0, {"ChargeCategory": "Use"}),
    "ChargeClass-allowed": (0, {"ChargeClass": "Late"}),
    "ChargeFrequency-purchase": (0, {"ChargeCategory": "Purchase"}),
    "BillingPeriod-order": (0, {"BillingPeriodEnd": "2026-09-01T00:00:00Z"}),
    "ChargePeriod-order": (0, {"ChargePeriodEnd": "2026-10-03T00:00:00Z"}),
    "ChargePeriod-correction": (0, {"ChargeClass": "Correction"}),
    "Unit-without-quantity": (0, {"PricingUnit": ""}),
    "Consumed-without-quantity": (0, {"ConsumedUnit": ""}),
    "Consumed-usage": (0, {"ChargeCategory": "Adjustment"}),
    **{
        f"SkuPriceId-{name}": (0, {name: ""})
        for name in (
            *("ListUnitPrice", "ContractedUnitPrice", "PricingCategory", "PricingQuantity"),
            "SkuPriceDetails",
        )
    },
    "UnitPrice-negative": (0, {"ListUnitPrice": "-5.0"}),
    "ListCost-identity": (0, {"ListCost": "42.01"}),
    "ContractedCost-identity": (0, {"ContractedUnitPrice": "5.01"}),
    "EffectiveCost-credit": (1, {"ChargeCategory": "Credit", "EffectiveCost": "0"}),
    "ServiceSubcategory-parent": (0, {"ServiceCategory": "Compute"}),
    "Allocated-details": (1, {"AllocatedMethodId": ""}),
    "Split-ratios": (1, {"AllocatedMethodDetails": '{"Elements":[{"AllocatedRatio":0.500000000001}]}'}),
    "Split-costs": (1, {"BilledCost": "41.999999999999"}),
    "Split-resources": (1, {"AllocatedResourceId": "r2"}),
}


def test_a_sound_file_breaks_no_rule(sound: list[dict[str, str]], tmp_path: Path) -> None:
    assert check(written(sound, tmp_path)) == []


def test_every_rule_has_a_fault_here() -> None:
    assert sorted(FAULTS) == sorted(rule.name for rule in RULES)


@pytest.mark.parametrize("rule", FAULTS)
def test_a_planted_fault_is_found_in_its_row(sound: list[dict[str, str]], tmp_path: Path, rule: str) -> None:
    place, fault = FAULTS[rule]
    for name in fault.keys() - sound[0].keys():
        # A column of version 1.2.
        sound = [{name: "OpenAI", **row} for row in sound]
    sound[place] |= fault
    found = {each.rule: each for each in check(written(sound, tmp_path))}
    assert (found[rule].rows, found[rule].first_row) == (1, place + 1)


def test_a_fault_is_counted_and_its_first_row_told(sound: list[dict[str, str]], tmp_path: Path) -> None:
    for row in sound[1:]:
        row["BillingCurrency"] = "usd"
    (found,) = check(written(sound, tmp_path))
    assert (found.rule, found.rows, found.first_row) == ("BillingCurrency-iso", 2, 2)


def test_columns_that_are_missing_or_out_of_place_are_found(
    sound: list[dict[str, str]], tmp_path: Path
) -> None:
    short: list[dict[str, Any]] = [
        {"x_First": "", **{name: value for name, value in row.items() if name != "ServiceName"}}
        for row in sound
    ]
    assert [each.rule for each in check(written(short, tmp_path))] == ["ServiceName-missing", "Custom-last"]
