"""Contracts: what each term makes of a month, as visible arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from analytics.contracts import Contract, ContractError, Contracts, Kind, Used, statement
from analytics.contracts.bands import percentile_95, slices
from analytics.contracts.matching import overlap
from analytics.contracts.terms import (
    Band,
    Basis,
    Burst,
    Discount,
    Measure,
    Method,
    Overflow,
    Provisioned,
    Span,
    VolumeTiers,
    Weights,
)
from analytics.prices import PriceBook
from collector.pricing import Quote
from switchgear.usage import Usage

YEAR = Span(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
BOOK = PriceBook().quote
MINUTES = 30 * 24 * 60  # of November
ALL = ("*",)
EACH_ONCE = Weights()


def contract(**terms: object) -> Contract:
    whole: dict[str, object] = {
        "name": "c",
        "version": "c 1",
        "provider": "openai",
        "tenants": (),
        "currency": "USD",
        "zone": UTC,
        "span": YEAR,
    }
    return Contract(**{**whole, **terms})  # type: ignore[arg-type]


def used(tokens: int, cost: str | None, at: datetime = NOON, model: str = "gpt-4o", **counts: int) -> Used:
    """So many tokens of uncached input."""
    return Used(
        "openai", model, at, None if cost is None else Decimal(cost), "USD", input_uncached=tokens, **counts
    )


def bands(*pairs: tuple[int, str]) -> tuple[Band, ...]:
    return tuple(Band(Decimal(start), Decimal(rate)) for start, rate in pairs)


def burst(measure: Measure = Measure.MINUTE, weights: Weights = EACH_ONCE) -> Burst:
    """100 tokens a minute are committed; up to 200 cost 1.5 times the base price, what is above 3 times."""
    return Burst("b", ALL, measure, bands((100, "0.5"), (200, "2")), weights)


def units(overflow: Overflow = Overflow.ON_DEMAND, span: Span = YEAR) -> Provisioned:
    """Two units that carry 50 tokens a minute each, for 1.50 an hour each."""
    return Provisioned("u", ALL, 2, Decimal("1.50"), 50, overflow, span)


def tiers(method: Method, by: Basis = Basis.LIST_COST) -> VolumeTiers:
    return VolumeTiers(ALL, by, method, bands((0, "0"), (100, "0.1"), (200, "0.2")))


def test_without_terms_all_three_sums_are_the_list_cost() -> None:
    month = statement(contract(), "2026-11", [used(10, "1.25"), used(10, "0.75")])
    assert (month.list_cost, month.contracted_cost, month.effective_cost) == (Decimal(2),) * 3
    assert [(charge.kind, charge.item, charge.tokens) for charge in month.charges] == [
        (Kind.USAGE, "gpt-4o", 20)
    ]


def test_the_first_discount_for_the_model_and_date_counts() -> None:
    until_noon = Span(YEAR.start, NOON)
    terms = contract(
        discounts=(
            Discount(("gpt-4o",), Decimal("0.2"), until_noon),
            Discount(("gpt-4o*",), Decimal("0.1"), YEAR),
        )
    )
    calls = [
        used(1, "100", NOON - timedelta(minutes=1)),
        used(1, "100", NOON),
        used(1, "100", model="GPT-4o-mini"),
        used(1, "100", model="o3"),
    ]
    month = statement(terms, "2026-11", calls)
    assert month.by_kind() == {Kind.USAGE: 400, Kind.DISCOUNT: -(20 + 10 + 10)}
    assert (month.list_cost, month.contracted_cost, month.effective_cost) == (400, 360, 360)


PRICE = Decimal("0.009")  # of a token: 0.01 by list, less 10 %


@pytest.mark.parametrize(
    ("tokens", "times"),
    [
        (100, Decimal(0)),
        (101, 1 * Decimal("0.5")),
        (200, 100 * Decimal("0.5")),
        (250, 100 * Decimal("0.5") + 50 * Decimal(2)),
    ],
    ids=["at the committed rate", "one above", "at the second band", "in the second band"],
)
def test_tokens_above_the_committed_rate_cost_a_multiple_of_the_base_price(
    tokens: int, times: Decimal
) -> None:
    terms = contract(bursts=(burst(),), discounts=(Discount(ALL, Decimal("0.1"), YEAR),))
    month = statement(terms, "2026-11", [used(tokens, str(Decimal(tokens) / 100))])
    assert month.by_kind().get(Kind.OVERAGE, Decimal(0)) == times * PRICE
    assert month.contracted_cost == month.effective_cost == (tokens + times) * PRICE


def test_overage_is_charged_for_its_minute_and_says_why() -> None:
    at = NOON.replace(second=59)
    month = statement(
        contract(bursts=(burst(),)), "2026-11", [used(90, "0.9", at), used(60, "0.6", at, "o3")]
    )
    (overage,) = (charge for charge in month.charges if charge.kind is Kind.OVERAGE)
    # 50 of the 150 tokens are above 100, and 1.50 was paid for the 150: 0.50 at half as much again.
    assert (overage.quantity, overage.rate, overage.amount) == (
        Decimal("0.5"),
        Decimal("0.5"),
        Decimal("0.25"),
    )
    assert (overage.start, overage.end, overage.tokens) == (NOON, NOON + timedelta(minutes=1), 50)
    assert overage.why == "50 of 150 tokens of the minute from 100 on, at 1.5 times the base price"
    assert overage.contract == "c 1"


def test_cache_reads_count_towards_no_rate_unless_the_contract_says_so() -> None:
    call = used(100, "1", cache_read=900)
    assert Kind.OVERAGE not in statement(contract(bursts=(burst(),)), "2026-11", [call]).by_kind()
    tenth = burst(weights=Weights(cache_read=Decimal("0.1")))
    # 100 + 900 / 10 = 190 tokens, 90 above: 1 * 90 / 190 * 0.5
    overage = statement(contract(bursts=(tenth,)), "2026-11", [call]).by_kind()[Kind.OVERAGE]
    assert overage == (Decimal(90) / 190).quantize(Decimal("1e-12")) / 2


def test_the_95th_percentile_drops_the_top_minutes_and_holds_the_next_all_month() -> None:
    free = MINUTES * 5 // 100  # 2,160
    peak = [used(1000, "10", NOON - timedelta(minutes=place)) for place in range(free)]
    terms = contract(bursts=(burst(Measure.P95),))
    assert Kind.OVERAGE not in statement(terms, "2026-11", peak).by_kind()
    one_more = used(150, "1.50", NOON - timedelta(minutes=free))
    # The 2,161st highest minute has 150 tokens: 50 above 100, in each of 43,200 minutes, at 0.01 * 0.5 a token.
    overage = statement(terms, "2026-11", [*peak, one_more]).by_kind()[Kind.OVERAGE]
    assert overage == 50 * MINUTES * Decimal("0.01") * Decimal("0.5")


def test_a_steady_rate_costs_the_same_by_minute_and_by_percentile() -> None:
    day = Span(NOON, NOON + timedelta(days=1))
    steady = [used(150, "1.50", NOON + timedelta(minutes=place)) for place in range(24 * 60)]
    by = {
        measure: statement(contract(span=day, bursts=(burst(measure),)), "2026-11", steady).contracted_cost
        for measure in Measure
    }
    assert by[Measure.MINUTE] == by[Measure.P95]


@pytest.mark.parametrize(
    ("values", "samples", "level"),
    [
        ([], 100, 0),
        ([7], 19, 7),
        ([7], 20, 0),
        ([7, 6], 20, 6),
        ([9, 8, 7, 6, 5, 4], 100, 4),
        ([1] * 5, 100, 0),
    ],
)
def test_the_percentile_is_the_largest_sample_after_the_top_twentieth(
    values: Sequence[int], samples: int, level: int
) -> None:
    assert percentile_95([Decimal(value) for value in values], samples) == level


@pytest.mark.parametrize(
    ("method", "cost", "off"),
    [
        (Method.GRADUATED, 100, Decimal(0)),
        (Method.GRADUATED, 250, 100 * Decimal("0.1") + 50 * Decimal("0.2")),
        (Method.CLIFF, 99, Decimal(0)),
        (Method.CLIFF, 100, 100 * Decimal("0.1")),
        (Method.CLIFF, 250, 250 * Decimal("0.2")),
    ],
    ids=["graduated at a start", "graduated", "cliff below", "cliff at a start", "cliff"],
)
def test_volume_tiers_take_their_share_off_the_month(method: Method, cost: int, off: Decimal) -> None:
    month = statement(contract(volume_tiers=tiers(method)), "2026-11", [used(1, str(cost))])
    assert month.by_kind().get(Kind.TIER, Decimal(0)) == -off
    assert (month.list_cost, month.contracted_cost) == (cost, cost - off)


def test_tiers_by_tokens_share_the_cost_out_in_proportion_to_tokens() -> None:
    # 400 tokens for 8.00: 100 at full price, 100 less 10 %, 200 less 20 %; a token costs 0.02.
    calls = [used(100, "6"), used(300, "2", NOON + timedelta(days=1))]
    month = statement(contract(volume_tiers=tiers(Method.GRADUATED, Basis.TOKENS)), "2026-11", calls)
    assert month.by_kind()[Kind.TIER] == -(100 * Decimal("0.002") + 200 * Decimal("0.004"))


def test_a_contract_of_half_a_month_has_half_its_volumes_and_commitment() -> None:
    from_the_16th = Span(datetime(2026, 11, 16, tzinfo=UTC))
    terms = contract(span=from_the_16th, volume_tiers=tiers(Method.CLIFF), monthly_commitment=Decimal(1000))
    month = statement(terms, "2026-11", [used(1, "50")])
    # The tier from 100 is reached at 50: 45 is left, and 500 - 45 is missing.
    assert month.by_kind() == {
        Kind.USAGE: 50,
        Kind.TIER: -5,
        Kind.COMMITMENT: 45,
        Kind.SHORTFALL: 455,
    }
    assert (month.list_cost, month.contracted_cost, month.effective_cost) == (50, 45, 500)


def test_a_commitment_that_is_used_up_costs_nothing() -> None:
    month = statement(contract(monthly_commitment=Decimal(10)), "2026-11", [used(1, "12")])
    assert month.by_kind() == {Kind.USAGE: 12, Kind.COMMITMENT: 10}
    assert month.effective_cost == 12


HOURS = MINUTES // 60
CAPACITY = 2 * 50 * MINUTES


@pytest.mark.parametrize(
    ("overflow", "on_demand"),
    [(Overflow.ON_DEMAND, 50 * Decimal("0.01")), (Overflow.REFUSED, Decimal(0))],
)
def test_units_are_paid_by_the_hour_and_what_they_carry_is_not_billed_again(
    overflow: Overflow, on_demand: Decimal
) -> None:
    # 150 tokens in one minute and 60 in another, 0.01 each: the units carry 100 and 60.
    calls = [used(150, "1.50"), used(60, "0.60", NOON + timedelta(hours=1))]
    month = statement(contract(provisioned=(units(overflow),)), "2026-11", calls)
    fee = 2 * HOURS * Decimal("1.50")
    kinds = month.by_kind()
    assert kinds[Kind.COVERED] == on_demand - Decimal("2.10")
    assert kinds[Kind.PROVISIONED] + kinds[Kind.IDLE] == fee
    assert kinds[Kind.PROVISIONED] == (fee * 160 / CAPACITY).quantize(Decimal("1e-12"))
    assert (month.list_cost, month.contracted_cost) == (Decimal("2.10"), Decimal("2.10"))
    assert month.effective_cost == fee + on_demand
    (idle,) = (charge for charge in month.charges if charge.kind is Kind.IDLE)
    assert idle.tokens == CAPACITY - 160


def test_units_that_nobody_uses_are_idle_for_the_hours_that_they_run() -> None:
    # From 22 November, 00:00 in Berlin (23:00 UTC the day before), until the month ends there: 9 days.
    zone = ZoneInfo("Europe/Berlin")
    span = Span(datetime(2026, 11, 22, tzinfo=zone).astimezone(UTC))
    month = statement(contract(provisioned=(units(span=span),), zone=zone), "2026-11", [])
    assert month.by_kind() == {Kind.IDLE: 2 * 9 * 24 * Decimal("1.50")}
    assert month.end == datetime(2026, 11, 30, 23, tzinfo=UTC)


def test_a_month_with_a_change_of_clocks_has_the_hours_that_it_has() -> None:
    terms = contract(provisioned=(units(),), zone=ZoneInfo("Europe/Berlin"))
    assert statement(terms, "2026-10", []).effective_cost == 2 * (31 * 24 + 1) * Decimal("1.50")


def test_usage_without_a_list_price_is_told_and_is_in_no_sum() -> None:
    month = statement(contract(bursts=(burst(),)), "2026-11", [used(90, "0.90"), used(110, None)])
    assert (month.unpriced_tokens, month.list_cost) == (110, Decimal("0.90"))


@pytest.mark.parametrize(
    ("month", "use", "says"),
    [
        ("2026-13", used(1, "1"), '"2026-13" is no month; write "2026-11"'),
        ("2027-01", used(1, "1"), "c 1 does not run in 2027-01"),
        ("2026-10", used(1, "1"), "c 1: gpt-4o at 2026-11-24T12:00:00+00:00 is outside 2026-10-01"),
        ("2026-11", Used("openai", "m", NOON, Decimal(1), "EUR"), "costs EUR, and the contract is in USD"),
    ],
)
def test_what_a_contract_cannot_charge_is_refused(month: str, use: Used, says: str) -> None:
    with pytest.raises(ContractError) as refused:
        statement(contract(), month, [use])
    assert says in str(refused.value)


TENTH = (Discount(("gpt-4o",), Decimal("0.1"), YEAR),)


def test_a_call_under_a_contract_has_its_list_cost_and_its_contracted_cost() -> None:
    price = Contracts((contract(discounts=TENTH),)).over(BOOK)
    quote = price("openai.responses", "gpt-4o", Usage(input_uncached=1000, output=500), NOON)
    # 1,000 at 2.50 and 500 at 10.00 a million, less 10 %
    assert (quote.list_cost, quote.cost, quote.contract) == (Decimal("0.0075"), Decimal("0.00675"), "c 1")
    assert [(line.rate_per_million, line.amount) for line in quote.lines] == [
        (Decimal("2.25"), Decimal("0.00225")),
        (Decimal("9"), Decimal("0.0045")),
    ]


@pytest.mark.parametrize(
    ("provider", "model", "at", "contracted"),
    [
        ("openai", "gpt-4o-mini", NOON, "c 1"),
        ("anthropic", "claude-sonnet-4-5", NOON, None),
        ("openai", "gpt-4o", datetime(2027, 1, 1, tzinfo=UTC), None),
        ("openai", "gpt-9000", NOON, None),
        (None, "gpt-4o", NOON, None),
    ],
    ids=["no discount for the model", "another provider", "after its end", "unpriced", "no provider told"],
)
def test_what_has_no_discount_keeps_its_list_price(
    provider: str | None, model: str, at: datetime, contracted: str | None
) -> None:
    usage = Usage(input_uncached=1000)
    listed = BOOK(provider, model, usage, at)
    quote = Contracts((contract(discounts=TENTH),)).over(BOOK)(provider, model, usage, at)
    assert (quote.cost, quote.lines, quote.contract) == (listed.cost, listed.lines, contracted)
    assert quote.list_cost == (listed.cost if contracted else None)


def test_the_service_tier_reaches_the_price_book() -> None:
    def tier_is_the_version(*asked: Any) -> Quote:
        return Quote(Decimal(1), "USD", str(asked[4]))

    price = Contracts((contract(),)).over(tier_is_the_version)
    assert price("openai", "gpt-4o", Usage(), NOON, "flex").version == "flex"


def test_a_contract_that_names_the_tenant_goes_before_one_for_all() -> None:
    general, own = contract(), contract(version="own 1", tenants=("acme",))
    contracts = Contracts((general, own))
    assert [contracts.find("openai", tenant, NOON) for tenant in ("acme", "globex", None)] == [
        own,
        general,
        general,
    ]
    calls = [used(1, "3"), Used("openai", "m", NOON, Decimal(4), "USD", tenant="acme")]
    months, outside = contracts.statements("2026-11", calls)
    assert ([month.list_cost for month in months], outside) == ([3, 4], [])


def test_usage_of_no_contract_or_of_another_month_of_its_zone_is_in_no_statement() -> None:
    contracts = Contracts((contract(zone=ZoneInfo("Europe/Berlin")),))
    calls = [
        used(1, "1", datetime(2026, 11, 30, 22, 59, tzinfo=UTC)),
        used(1, "2", datetime(2026, 11, 30, 23, 0, tzinfo=UTC)),
        Used("anthropic", "m", NOON, Decimal(4), "USD"),
    ]
    (month,), outside = contracts.statements("2026-11", calls)
    assert (month.list_cost, outside) == (1, calls[1:])
    assert contracts.statements("2027-02", calls) == ([], calls)


@pytest.mark.parametrize(
    ("provider", "named", "found"),
    [
        ("azure", "azure.ai.openai", True),
        ("azure", "az.ai.openai", True),
        ("openai", "OpenAI.responses", True),
        ("openai", "azure", False),
        ("openai", "langchain", False),
    ],
)
def test_a_provider_is_found_by_the_names_that_spans_give_it(provider: str, named: str, found: bool) -> None:  # noqa: FBT001
    contracts = Contracts((contract(provider=provider),))
    assert (contracts.find(named, None, NOON) is not None) is found


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ("gpt-4o", "gpt-4o", True),
        ("gpt-4o", "GPT-4O*", True),
        ("gpt-4o", "gpt-4o-*", False),
        ("*-mini", "gpt-*", True),
        ("a*b", "a?b", True),
        ("a?", "a", False),
        ("*", "", True),
        ("a*c", "b*c", False),
    ],
)
def test_two_patterns_that_fit_one_name_are_found(one: str, other: str, share: bool) -> None:  # noqa: FBT001
    assert overlap([one], [other]) is overlap([other], [one]) is share


def test_a_volume_is_cut_at_the_starts_of_its_bands() -> None:
    cut = bands((100, "0"), (120, "0"))
    assert [slices(Decimal(volume), cut) for volume in (50, 110, 150)] == [[0, 0], [10, 0], [20, 30]]
