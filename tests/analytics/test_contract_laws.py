"""Laws of contracts: what holds for any calls and any terms."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from analytics.contracts import Contract, Contracts, Kind, Statement, Used, statement
from analytics.contracts.bands import slices
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
from switchgear.usage import Usage

START = datetime(2026, 11, 1, tzinfo=UTC)
YEAR = Span(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
MODELS = ("gpt-4o", "gpt-4o-mini", "o3")
ALL = ("*",)
COMMITTED = 1000
BOOK = PriceBook().quote
PLAIN = Contract("c", "c 1", "openai", (), "USD", UTC, YEAR)

shares = st.decimals(0, 1, places=4)
money = st.decimals(0, 1000, places=12)
counts = st.integers(0, 2000)


def bands(
    starts: st.SearchStrategy[list[int]], rates: st.SearchStrategy[Decimal]
) -> st.SearchStrategy[tuple[Band, ...]]:
    return starts.flatmap(
        lambda found: st.lists(rates, min_size=len(found), max_size=len(found)).map(
            lambda chosen: tuple(
                Band(Decimal(start), rate) for start, rate in zip(sorted(found), chosen, strict=True)
            )
        )
    )


def _from(first: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(first + 1, first + 5000), max_size=3, unique=True).map(
        lambda rest: [first, *rest]
    )


weights = st.builds(
    Weights, cache_read=st.sampled_from([Decimal(0), Decimal("0.1"), Decimal(1)]), output=shares
)
bursts = st.builds(
    Burst,
    st.just("b"),
    st.just(("gpt-*",)),
    st.sampled_from(Measure),
    bands(_from(COMMITTED), st.decimals(0, 4, places=2)),
    weights,
)
provisioned = st.builds(
    Provisioned,
    st.just("u"),
    st.just(("o3",)),
    st.integers(1, 5),
    st.decimals(0, 10, places=3),
    st.integers(1, 1000),
    st.sampled_from(Overflow),
    st.just(YEAR),
    weights,
)
tiers = st.builds(
    VolumeTiers, st.just(ALL), st.sampled_from(Basis), st.sampled_from(Method), bands(_from(0), shares)
)
discounts = st.lists(
    st.builds(Discount, st.sampled_from([ALL, ("gpt-*",), ("o3",)]), shares, st.just(YEAR)), max_size=3
).map(tuple)
contracts = st.builds(
    replace,
    st.just(PLAIN),
    discounts=discounts,
    volume_tiers=st.none() | tiers,
    provisioned=st.just(()) | st.tuples(provisioned),
    bursts=st.just(()) | st.tuples(bursts),
    monthly_commitment=st.none() | st.decimals(0, 10_000, places=2),
)
calls = st.builds(
    Used,
    st.just("openai"),
    st.sampled_from(MODELS),
    # Few minutes, so that calls share them.
    st.integers(0, 299).map(lambda seconds: START + timedelta(seconds=seconds)),
    st.none() | money,
    st.just("USD"),
    counts,
    counts,
    counts,
    counts,
    counts,
)
months = st.lists(calls, max_size=12)


def of(contract: Contract, used: list[Used]) -> Statement:
    return statement(contract, "2026-11", used)


@given(contracts, months, st.data())
def test_permuting_calls_changes_nothing(contract: Contract, used: list[Used], data: st.DataObject) -> None:
    assert of(contract, data.draw(st.permutations(used))) == of(contract, used)


@given(contracts, months, st.data())
def test_splitting_a_call_within_its_minute_changes_nothing(
    contract: Contract, used: list[Used], data: st.DataObject
) -> None:
    halves: list[Used] = []
    for call in used:
        first = replace(
            call,
            at=call.at.replace(second=data.draw(st.integers(0, 59))),
            list_cost=None if call.list_cost is None else (call.list_cost / 3).quantize(Decimal("1e-12")),
            input_uncached=data.draw(st.integers(0, call.input_uncached)),
            output=data.draw(st.integers(0, call.output)),
        )
        rest = replace(
            call,
            list_cost=None
            if call.list_cost is None or first.list_cost is None
            else call.list_cost - first.list_cost,
            input_uncached=call.input_uncached - first.input_uncached,
            output=call.output - first.output,
            cache_read=0,
            cache_write_5m=0,
            cache_write_1h=0,
        )
        halves += [rest, first]
    assert of(contract, halves) == of(contract, used)


@given(contracts, months)
def test_parts_sum_to_the_whole_exactly(contract: Contract, used: list[Used]) -> None:
    month = of(contract, used)
    kinds = month.by_kind()
    total = {kind: kinds.get(kind, Decimal(0)) for kind in Kind}
    assert (
        month.list_cost
        == total[Kind.USAGE]
        == sum((call.list_cost for call in used if call.list_cost is not None), Decimal(0))
    )
    assert month.contracted_cost == (
        total[Kind.USAGE] + total[Kind.DISCOUNT] + total[Kind.TIER] + total[Kind.OVERAGE]
    )
    assert month.effective_cost == month.contracted_cost + (
        total[Kind.COVERED] + total[Kind.PROVISIONED] + total[Kind.IDLE] + total[Kind.SHORTFALL]
    )
    for charge in month.charges:
        drift = abs(charge.amount - charge.quantity * charge.rate)
        assert drift <= Decimal("1e-12"), charge
        assert charge.amount == charge.amount.quantize(Decimal("1e-12"))


@given(contracts, months)
def test_shortfall_and_use_make_the_commitment_where_use_is_below_it(
    contract: Contract, used: list[Used]
) -> None:
    month = of(contract, used)
    kinds = month.by_kind()
    shortfall, drawn = kinds.get(Kind.SHORTFALL, Decimal(0)), kinds.get(Kind.COMMITMENT, Decimal(0))
    billed = month.effective_cost - shortfall
    committed = contract.monthly_commitment
    if committed is None:
        assert shortfall == drawn == 0
    elif billed < committed:
        assert shortfall + drawn == committed
        assert month.effective_cost == committed
    else:
        assert (shortfall, drawn) == (0, committed)


@given(months, st.sampled_from(Method), st.sampled_from(Basis))
def test_terms_that_take_nothing_off_change_nothing(used: list[Used], method: Method, by: Basis) -> None:
    nothing = Decimal(0)
    idle_terms = replace(
        PLAIN,
        discounts=(Discount(ALL, nothing, YEAR),),
        volume_tiers=VolumeTiers(ALL, by, method, (Band(nothing, nothing), Band(Decimal(10), nothing))),
        bursts=(Burst("b", ALL, Measure.MINUTE, (Band(Decimal(1), nothing),)),),
    )
    assert of(idle_terms, used) == of(PLAIN, used)


@given(st.sampled_from(MODELS), counts, counts)
def test_a_discount_of_nothing_changes_no_call(model: str, read: int, output: int) -> None:
    usage = Usage(cache_read=read, output=output)
    listed = BOOK("openai", model, usage, START)
    quote = Contracts((replace(PLAIN, discounts=(Discount(ALL, Decimal(0), YEAR),)),)).over(BOOK)(
        "openai", model, usage, START
    )
    assert quote == replace(listed, list_cost=listed.cost, contract="c 1")


@given(bursts, months)
def test_no_minute_at_or_below_the_committed_rate_has_overage(burst: Burst, used: list[Used]) -> None:
    terms = replace(PLAIN, bursts=(replace(burst, measure=Measure.MINUTE, weights=Weights()),))
    rates: dict[datetime, int] = {}
    for call in used:
        if call.model.startswith("gpt-"):
            minute = call.at.replace(second=0)
            counted = call.input_uncached + call.cache_write_5m + call.cache_write_1h + call.output
            rates[minute] = rates.get(minute, 0) + counted
    burst_minutes = {minute for minute, rate in rates.items() if rate > COMMITTED}
    overage = [charge for charge in of(terms, used).charges if charge.kind is Kind.OVERAGE]
    assert {charge.start for charge in overage} <= burst_minutes
    for minute in burst_minutes:
        assert (
            sum(charge.tokens or 0 for charge in overage if charge.start == minute)
            <= rates[minute] - COMMITTED
        )


@given(contracts, months, calls)
def test_more_usage_never_has_a_smaller_contracted_cost(
    contract: Contract, used: list[Used], more: Used
) -> None:
    """Without what may lower it, and is documented: a tier's edge, percentiles, and bands that get cheaper."""
    flat = replace(contract, volume_tiers=None, bursts=tuple(_ever_dearer(each) for each in contract.bursts))
    less, most = of(flat, used), of(flat, [*used, more])
    assert less.list_cost <= most.list_cost
    # Each band of each of five minutes may be rounded by half a last place, in either of the two.
    assert less.contracted_cost <= most.contracted_cost + 5 * 4 * Decimal("1e-12")


@given(bands(_from(0), shares), st.decimals(0, 10_000, places=3), st.decimals(0, 1000, places=3))
def test_graduated_tiers_by_list_cost_never_make_more_cost_less(
    graduated: tuple[Band, ...], cost: Decimal, more: Decimal
) -> None:
    terms = replace(PLAIN, volume_tiers=VolumeTiers(ALL, Basis.LIST_COST, Method.GRADUATED, graduated))
    less, most = (
        of(terms, [Used("openai", "o3", START, each, "USD", 1)]).contracted_cost
        for each in (cost, cost + more)
    )
    # Each of four bands may be rounded by half a last place, in either of the two.
    assert less <= most + 4 * Decimal("1e-12")


@given(bands(_from(0), shares), st.decimals(0, 10_000, places=3))
def test_bands_from_0_hold_the_whole_volume(cut: tuple[Band, ...], volume: Decimal) -> None:
    assert sum(slices(volume, cut)) == volume


def _ever_dearer(burst: Burst) -> Burst:
    """The burst by the minute, its bands in ascending order of what they cost."""
    rates = sorted(band.rate for band in burst.bands)
    return replace(
        burst,
        measure=Measure.MINUTE,
        bands=tuple(Band(band.start, rate) for band, rate in zip(burst.bands, rates, strict=True)),
    )
