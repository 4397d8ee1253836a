"""Statements: what a contract's month costs, from what was used in it.

Every charge depends on the sums of a minute and model only, never on single calls or on their order: a call that
crosses a tier or a committed rate is not cut in two, but the minute's (or month's) cost is shared out in
proportion to its tokens. So calls may be split, merged and permuted, and the statement stays the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal, localcontext

from switchgear.money import short

from ..apportion import rounded
from .bands import percentile_95, reached, slices
from .charges import Charge, Kind, Statement
from .errors import ContractError
from .exact import EXACT, QUANTUM, stored
from .matching import matches
from .periods import MINUTE, Period, period
from .terms import Band, Basis, Burst, Contract, Discount, Measure, Method, Overflow, Provisioned, VolumeTiers
from .usage import Cell, Used, by_minute

__all__ = ["statement"]

_NOTHING = Decimal(0)
_HOUR = timedelta(hours=1)


def statement(contract: Contract, month: str, used: Iterable[Used]) -> Statement:
    """The statement of the contract's part of `month` ("2026-11", in its zone).

    `used` is what fell to the contract in it, by calls or already summed by minute. Raises ContractError for a
    month outside the contract, and for usage outside the month or in another currency.
    """
    part = period(contract, month)
    if part is None:
        raise ContractError(f"{contract.version} does not run in {month}")
    with localcontext(EXACT):
        cells = by_minute(contract, part, used)
        charges = _Month(contract, part, cells).charges()
    return Statement(
        contract.version,
        part.start,
        part.end,
        contract.currency,
        tuple(charges),
        sum(cell.unpriced_tokens for cell in cells),
    )


class _Month:
    """One statement in the making: `on_demand` is what each cell costs at contracted unit prices, until
    provisioned units take their part of it."""

    def __init__(self, contract: Contract, part: Period, cells: list[Cell]) -> None:
        self._contract = contract
        self._part = part
        self._cells = cells
        self._discounts = [contract.discount(cell.model, cell.minute) for cell in cells]
        self._on_demand = [
            cell.list_cost * (1 - (discount.share if discount else _NOTHING))
            for cell, discount in zip(cells, self._discounts, strict=True)
        ]

    def charges(self) -> list[Charge]:
        """All charges; those that come to nothing say nothing and are left out."""
        contract = self._contract
        found = [*self._usage(), *self._discounted()]
        for units in contract.provisioned:
            found += self._provisioned(units)
        for burst in contract.bursts:
            found += self._by_minute(burst) if burst.measure is Measure.MINUTE else self._by_p95(burst)
        if contract.volume_tiers is not None:
            found += self._tiers(contract.volume_tiers)
        if contract.monthly_commitment is not None:
            found += self._commitment(contract.monthly_commitment, found)
        return [charge for charge in found if charge.amount]

    def _usage(self) -> Iterator[Charge]:
        costs: dict[str, Decimal] = defaultdict(Decimal)
        tokens: dict[str, int] = defaultdict(int)
        for cell in self._cells:
            costs[cell.model] += cell.list_cost
            tokens[cell.model] += cell.tokens
        for model in sorted(costs):
            why = f"{tokens[model]:,} tokens of {model} at list price"
            yield self._charge(
                Kind.USAGE, model, costs[model], Decimal(1), why, tokens=Decimal(tokens[model])
            )

    def _discounted(self) -> Iterator[Charge]:
        bases: dict[Discount, Decimal] = defaultdict(Decimal)
        for cell, discount in zip(self._cells, self._discounts, strict=True):
            if discount is not None:
                bases[discount] += cell.list_cost
        for discount in self._contract.discounts:
            if discount in bases:
                item, base = _text(discount.models), bases.pop(discount)
                why = f"{_percent(discount.share)} off {short(base)} {self._contract.currency} of {item}"
                yield self._charge(Kind.DISCOUNT, item, base, -discount.share, why)

    def _provisioned(self, units: Provisioned) -> Iterator[Charge]:
        """What the units carried comes off the on-demand cost; what they cost is used or idle."""
        part = units.span.within(self._part.start, self._part.end)
        if part is None:
            return
        minutes = (part[1] - part[0]) // MINUTE
        each_minute = Decimal(units.units * units.tokens_per_minute)
        carried = covered = above = _NOTHING
        for places in self._minutes(units.models, units.span.holds):
            weighed = sum((self._cells[place].weighed(units.weights) for place in places), _NOTHING)
            taken = min(weighed, each_minute)
            carried, above = carried + taken, above + weighed - taken
            # Tokens that count nothing cost the units nothing. What was to be refused and came is not billed.
            whole = weighed <= each_minute or units.overflow is Overflow.REFUSED
            for place in places:
                cost = self._on_demand[place] if whole else self._on_demand[place] * taken / weighed
                covered += cost
                self._on_demand[place] -= cost
        beyond = (
            "is on demand" if units.overflow is Overflow.ON_DEMAND else "was to be refused, and is not billed"
        )
        yield self._charge(
            Kind.COVERED,
            units.name,
            covered,
            Decimal(-1),
            f"{units.name} carried {carried:,f} tokens; {above:,f} came above that, which {beyond}",
            tokens=carried,
        )
        hours = Decimal(minutes) * units.units / 60
        whole_month = each_minute * minutes
        used = hours * carried / whole_month
        quantities = rounded([used, hours - used], QUANTUM)
        amounts = rounded([quantity * units.hourly_price for quantity in quantities], QUANTUM)
        paid = f"{units.units} units for {short(Decimal(minutes) / 60)} hours at {units.hourly_price}"
        parts = ((Kind.PROVISIONED, "used", carried), (Kind.IDLE, "paid and not used", whole_month - carried))
        for (kind, word, tokens), quantity, amount in zip(parts, quantities, amounts, strict=True):
            yield Charge(
                kind,
                *part,
                units.name,
                quantity,
                "unit-hours",
                units.hourly_price,
                amount,
                self._contract.currency,
                self._contract.version,
                f"{_percent(tokens / whole_month)} of {paid} {self._contract.currency}, {word}",
                tokens,
            )

    def _by_minute(self, burst: Burst) -> Iterator[Charge]:
        committed = burst.bands[0].start
        for places in self._minutes(burst.models):
            weighed = sum((self._cells[place].weighed(burst.weights) for place in places), _NOTHING)
            if weighed <= committed:
                continue
            cost = sum((self._on_demand[place] for place in places), _NOTHING)
            minute = self._cells[places[0]].minute
            for band, above in zip(burst.bands, slices(weighed, burst.bands), strict=True):
                why = (
                    f"{above:,f} of {weighed:,f} tokens of the minute from {band.start:,f} on, "
                    f"at {band.rate + 1} times the base price"
                )
                yield self._charge(
                    Kind.OVERAGE,
                    burst.name,
                    cost * above / weighed,
                    band.rate,
                    why,
                    span=(minute, minute + MINUTE),
                    tokens=above,
                )

    def _by_p95(self, burst: Burst) -> Iterator[Charge]:
        """The month's 95th percentile, as if it had been held all month, at the month's mean base price."""
        levels: list[Decimal] = []
        cost = _NOTHING
        for places in self._minutes(burst.models):
            levels.append(sum((self._cells[place].weighed(burst.weights) for place in places), _NOTHING))
            cost += sum((self._on_demand[place] for place in places), _NOTHING)
        minutes, weighed = self._part.minutes, sum(levels, _NOTHING)
        level = percentile_95(levels, minutes)
        for band, above in zip(burst.bands, slices(level, burst.bands), strict=True):
            if above:
                why = (
                    f"{above:,f} of the 95th percentile's {level:,f} tokens per minute from {band.start:,f} on, "
                    f"for {minutes:,} minutes at {band.rate + 1} times the base price"
                )
                yield self._charge(
                    Kind.OVERAGE,
                    burst.name,
                    cost * above * minutes / weighed,
                    band.rate,
                    why,
                    tokens=above * minutes,
                )

    def _tiers(self, tiers: VolumeTiers) -> Iterator[Charge]:
        """The on-demand cost, shared out over the bands that the volume reaches."""
        places = [place for place, cell in enumerate(self._cells) if matches(tiers.models, cell.model)]
        chosen = [self._cells[place] for place in places]
        volume = sum(
            (Decimal(cell.tokens) if tiers.by is Basis.TOKENS else cell.list_cost for cell in chosen),
            _NOTHING,
        )
        if not volume:
            return
        cost = stored(sum((self._on_demand[place] for place in places), _NOTHING))
        bands = [Band(self._part.part_of(band.start), band.rate) for band in tiers.bands]
        if tiers.method is Method.CLIFF:
            bands, parts = [reached(volume, bands)], [volume]
        else:
            parts = slices(volume, bands)
        unit = "tokens" if tiers.by is Basis.TOKENS else f"{self._contract.currency} of list cost"
        bases = rounded([cost * part / volume for part in parts], QUANTUM)
        for band, part, base in zip(bands, parts, bases, strict=True):
            why = (
                f"{_percent(band.rate)} off {short(base)} {self._contract.currency}: {short(part)} of "
                f"{short(volume)} {unit} are in the {tiers.method} tier from {short(band.start)} on"
            )
            yield self._charge(Kind.TIER, _text(tiers.models), base, -band.rate, why)

    def _commitment(self, monthly: Decimal, others: Iterable[Charge]) -> Iterator[Charge]:
        """What is billed otherwise draws the commitment down; what is missing is billed as well."""
        committed = self._part.part_of(monthly)
        billed = sum((charge.amount for charge in others), _NOTHING)
        drawn = max(_NOTHING, min(billed, committed))
        of = f"of {short(committed)} {self._contract.currency} committed for the period"
        why = f"{short(drawn)} {of} was drawn"
        yield self._charge(Kind.COMMITMENT, "commitment", drawn, Decimal(1), why)
        missing = committed - drawn
        why = f"{short(missing)} {of} was not drawn, and is billed all the same"
        yield self._charge(Kind.SHORTFALL, "commitment", missing, Decimal(1), why)

    def _minutes(
        self, models: tuple[str, ...], holds: Callable[[datetime], bool] = lambda _: True
    ) -> Iterator[list[int]]:
        """The places of the cells of each minute that has some of the models, in order."""
        places: dict[datetime, list[int]] = defaultdict(list)
        for place, cell in enumerate(self._cells):
            if matches(models, cell.model) and holds(cell.minute):
                places[cell.minute].append(place)
        yield from places.values()

    def _charge(
        self,
        kind: Kind,
        item: str,
        base: Decimal,
        rate: Decimal,
        why: str,
        *,
        span: tuple[datetime, datetime] | None = None,
        tokens: Decimal | None = None,
    ) -> Charge:
        """A charge of `rate` on so much money."""
        quantity, currency = stored(base), self._contract.currency
        start, end = span or (self._part.start, self._part.end)
        amount = stored(quantity * rate)
        version = self._contract.version
        return Charge(
            kind, start, end, item, quantity, currency, rate, amount, currency, version, why, tokens
        )


def _text(models: tuple[str, ...]) -> str:
    return ", ".join(models)


def _percent(share: Decimal) -> str:
    return f"{short(share * 100)} %"
