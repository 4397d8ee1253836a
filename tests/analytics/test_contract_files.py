"""Contract files: what is good is taken whole, what is bad is refused with file, line and reason."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from analytics.contracts.files import DocumentError, load, parse
from analytics.contracts.terms import Band, Basis, Measure, Method, Overflow, Span, Weights

EXAMPLE = Path(__file__).parents[2] / "examples" / "contracts.yaml"
SMALL = "version: 1\ncontracts:\n  - {name: c, provider: openai, currency: USD, from: 2026-01-01}\n"


def test_the_example_is_taken_whole() -> None:
    openai, azure = load(EXAMPLE).contracts

    assert (openai.name, openai.provider, openai.tenants, openai.currency) == (
        "openai-2026",
        "openai",
        (),
        "USD",
    )
    assert openai.span == Span(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    summer, always = openai.discounts
    assert (summer.models, summer.share) == (("gpt-4o", "gpt-4o-2*"), Decimal("0.2"))
    assert summer.span == Span(openai.span.start, datetime(2026, 7, 1, tzinfo=UTC))
    assert (always.share, always.span) == (Decimal("0.1"), openai.span)
    tiers = openai.volume_tiers
    assert tiers is not None
    assert (tiers.by, tiers.method) == (Basis.LIST_COST, Method.GRADUATED)
    assert tiers.bands == (
        Band(Decimal(0), Decimal(0)),
        Band(Decimal(10_000), Decimal("0.05")),
        Band(Decimal(50_000), Decimal("0.08")),
    )
    assert openai.monthly_commitment == 20_000
    (burst,) = openai.bursts
    assert (burst.measure, burst.weights) == (Measure.MINUTE, Weights())
    assert burst.bands == (
        Band(Decimal(2_000_000), Decimal("0.5")),
        Band(Decimal(3_000_000), Decimal("1.5")),
    )

    assert (azure.tenants, azure.zone) == (("contoso", "northwind"), ZoneInfo("Europe/Berlin"))
    assert azure.span == Span(datetime(2026, 2, 28, 23, tzinfo=UTC))
    (units,) = azure.provisioned
    assert (units.units, units.hourly_price, units.tokens_per_minute) == (50, 1, 2500)
    assert (units.overflow, units.weights) == (Overflow.ON_DEMAND, Weights(output=Decimal(4)))


def test_a_version_is_of_what_is_said_of_one_contract_whatever_its_layout() -> None:
    def version(text: str) -> str:
        return parse(text, name="c.yaml").contracts[0].version

    block = (
        "# ours\nversion: 1\ncontracts:\n"
        "  - currency: USD\n    from: 2026-01-01\n    name: c\n    provider: openai\n"
    )
    second = "  - {name: d, provider: groq, currency: USD, from: 2026-01-01}\n"
    assert version(SMALL) == version(block) == version(SMALL + second)
    assert version(SMALL).startswith("c ")
    assert version(SMALL) != version(SMALL.replace("2026", "2025"))


def with_terms(*lines: str) -> str:
    """A file with one contract in dollars, of 2026, and these lines from line 8 on."""
    head = (
        "version: 1",
        "contracts:",
        "  - name: c",
        "    provider: openai",
        "    currency: USD",
        "    from: 2026-01-01",
        "    until: 2027-01-01",
    )
    return "\n".join([*head, *(f"    {line}" for line in lines)]) + "\n"


UNITS = '  - {name: u, models: ["gpt-*"], units: 1, hourly_price: 1 USD, tokens_per_minute: 10, overflow: refused}'
BURST = "  - {name: b, models: [MODELS], committed_tokens_per_minute: 10, measure: minute, bands: [BANDS]}"
TIERS = "volume_tiers: {by: BY, method: cliff, tiers: [TIERS]}"


def burst(bands: str, models: str = '"*"') -> str:
    return BURST.replace("MODELS", models).replace("BANDS", bands)


def tiers(by: str, rows: str) -> str:
    return TIERS.replace("BY", by).replace("TIERS", rows)


OPEN = "{multiplier: 2}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", 'c.yaml:1:1: the file holds no mapping; it starts with "version: 1"'),
        (with_terms("discount: 10%"), "c.yaml:8:5: contracts[0].discount: no such setting here"),
        (
            with_terms("discounts:", "  - {discount: 0.1}"),
            'c.yaml:9:20: contracts[0].discounts[0].discount: "0.1" is no share of the price; write "15%"',
        ),
        (with_terms("discounts:", "  - {discount: 101%}"), '"101%" is no share of the price'),
        (with_terms("discounts:", "  - {discount: 1%, models: []}"), "discounts[0].models: List should have"),
        (with_terms("discounts:", '  - {discount: 1%, models: ["gpt-[45]"]}'), "discounts[0].models[0]"),
        (
            with_terms("discounts:", "  - {discount: 1%, from: 2026-05-01, until: 2026-05-01}"),
            "discounts[0].until: 2026-05-01 is not after 2026-05-01",
        ),
        (with_terms("discounts:", "  - {discount: 1%, from: soon}"), '"soon" is no day'),
        (with_terms("discounts:", "  - {discount: 1%, from: 20260101}"), '"20260101" is no day'),
        (
            with_terms("commitment: {monthly: 100}"),
            'c.yaml:8:27: contracts[0].commitment.monthly: 100 has no currency; write "100 USD"',
        ),
        (with_terms("commitment: {monthly: -1 USD}"), '"-1 USD" is negative'),
        (
            with_terms("commitment: {monthly: 100 EUR}"),
            'c.yaml:8:27: contracts[0].commitment.monthly: "100 EUR" is not in the contract\'s currency USD',
        ),
        (
            SMALL.replace("openai", "langchain"),
            'contracts[0].provider: "langchain" is the name of no provider',
        ),
        (with_terms("zone: Europe/Berlyn"), '"Europe/Berlyn" is no time zone; write a name such as'),
        (
            with_terms(tiers("tokens", "{from: 5, discount: 1%}")),
            "tiers[0].from: the first tier is from 0, not from 5",
        ),
        (
            with_terms(tiers("tokens", "{from: 0, discount: 1%}, {from: 0, discount: 2%}")),
            "tiers[1].from: 0 is not above 0",
        ),
        (
            with_terms(tiers("tokens", "{from: 0, discount: 1%}, {from: 5 USD, discount: 2%}")),
            'tiers[1].from: "5 USD" is not a number of tokens, and tiers are by tokens',
        ),
        (
            with_terms(tiers("list_cost", "{from: 0, discount: 1%}, {from: 5, discount: 2%}")),
            'tiers[1].from: "5" is not an amount of money, and tiers are by list_cost',
        ),
        (with_terms(tiers("list_cost", "{from: true, discount: 1%}")), "True is no volume"),
        (with_terms("bursts:", burst("{multiplier: 0.5}")), "multiplier: 0.5 is below 1"),
        (with_terms("bursts:", burst("{up_to: 20, multiplier: 2}")), "up_to: the last band has no end"),
        (with_terms("bursts:", burst(f"{OPEN}, {OPEN}")), "bands[0]: only the last band has no end"),
        (
            with_terms("bursts:", burst("{up_to: 10, multiplier: 2}, " + OPEN)),
            "bands[0].up_to: 10 is not above 10",
        ),
        (with_terms("bursts:", burst("{multiplier: true}")), '"True" is no number from 0 to 1000'),
        (with_terms("bursts:", burst("{multiplier: [2]}")), "a list is no number from 0 to 1000"),
        (with_terms("discounts: [{discount: [5]}]"), "discounts[0].discount: a list is no share"),
        (with_terms("commitment: {monthly: '1e-400 USD'}"), "monthly: an amount has at most 12 decimals"),
        (with_terms("commitment: {monthly: [5]}"), "monthly: a list has no currency"),
        (with_terms("zone: {a: b}"), "zone: a mapping is no time zone"),
        (SMALL.replace("from:", "until: 9999-12-31, from:"), "until: 9999-12-31 is not in this age"),
        (SMALL.replace("2026-01-01", "0001-01-01"), "from: 0001-01-01 is not in this age"),
        (
            with_terms("bursts:", burst(OPEN), "provisioned:", UNITS),
            'c.yaml:9:27: contracts[0].bursts[0].models: some model fits "u" as well',
        ),
        (
            with_terms("provisioned:", UNITS, UNITS),
            'c.yaml:10:16: contracts[0].provisioned[1].name: "u" is taken',
        ),
        (with_terms("provisioned:", UNITS.replace("units: 1", "units: 1.5")), "provisioned[0].units"),
        (SMALL + SMALL.splitlines()[2] + "\n", 'c.yaml:4:12: contracts[1].name: "c" is taken already'),
        (
            SMALL + "  - {name: d, provider: openai.chat, currency: USD, from: 2026-06-01}\n",
            'c.yaml:4:5: contracts[1]: "d" and "c" are for the same calls',
        ),
    ],
)
def test_what_is_wrong_is_refused_with_its_place_and_what_to_write(text: str, says: str) -> None:
    with pytest.raises(DocumentError) as refused:
        parse(text, name="c.yaml")
    assert says in str(refused.value)


def test_every_error_is_told_at_once() -> None:
    text = with_terms(
        "bursts:", burst("{multiplier: 0.5}"), "provisioned:", UNITS, "commitment: {monthly: 1 EUR}"
    )
    with pytest.raises(DocumentError) as refused:
        parse(text, name="c.yaml")
    assert [line.split(": ")[0] for line in str(refused.value).splitlines()] == [
        "c.yaml:9:27",
        "c.yaml:9:105",
        "c.yaml:12:27",
    ]


@pytest.mark.parametrize(
    "other",
    [
        "{name: d, provider: openai, currency: USD, from: 2026-01-01, tenants: [acme]}",
        "{name: d, provider: azure, currency: USD, from: 2026-01-01}",
        "{name: d, provider: openai, currency: USD, from: 2025-01-01, until: 2026-01-01}",
    ],
    ids=["for one tenant", "another provider", "one after the other"],
)
def test_contracts_that_never_meet_stand_in_one_file(other: str) -> None:
    assert len(parse(f"{SMALL}  - {other}\n", name="c.yaml").contracts) == 2


def test_units_may_follow_each_other() -> None:
    first = UNITS.replace("name: u", "name: first, until: 2026-06-01")
    then = UNITS.replace("name: u", "name: then, from: 2026-06-01")
    (contract,) = parse(with_terms("provisioned:", first, then), name="c.yaml").contracts
    assert contract.provisioned[0].span.end == contract.provisioned[1].span.start
