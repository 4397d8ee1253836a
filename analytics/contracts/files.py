"""Contract files: YAML in, Contracts or a report of every error with its line out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal
from itertools import combinations, pairwise
from pathlib import Path

from switchgear.money import Money

from .. import documents
from ..documents import DocumentError, Location
from .calls import Contracts
from .document import (
    BurstDocument,
    ContractDocument,
    ContractsDocument,
    ProvisionedDocument,
    VolumeTiersDocument,
    WeightsDocument,
)
from .matching import names_provider, overlap
from .terms import Band, Basis, Burst, Contract, Discount, Provisioned, Span, VolumeTiers, Weights

__all__ = ["DocumentError", "load", "parse"]

Problem = tuple[Location, str]


def load(path: Path) -> Contracts:
    """The contracts in a file. Raises DocumentError, also where the file cannot be read."""
    return parse(documents.read(path), name=str(path))


def parse(text: str, *, name: str) -> Contracts:
    """The contracts in `text`; `name` stands for the file in errors."""
    tree = documents.tree_of(text, name)
    document = documents.validated(ContractsDocument, tree, name)
    problems = list(_problems(document))
    if problems:
        raise documents.refused(tree, name, problems)
    return Contracts(
        tuple(
            _contract(each, _digest(said))
            for each, said in zip(document.contracts, tree["contracts"], strict=True)
        )
    )


def _digest(said: object) -> str:
    """The hash of what the file says of one contract, whatever its comments, order and layout."""
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:8]


def _problems(document: ContractsDocument) -> Iterator[Problem]:
    """What no single field shows."""
    yield from _twice(
        (("contracts", place, "name"), each.name) for place, each in enumerate(document.contracts)
    )
    for place, contract in enumerate(document.contracts):
        for where, why in _of_contract(contract):
            yield ("contracts", place, *where), why
    for (_, first), (place, second) in combinations(enumerate(document.contracts), 2):
        if _same_calls(first, second):
            yield (
                ("contracts", place),
                f'"{second.name}" and "{first.name}" are for the same calls; '
                "let one end before the other begins, or name other tenants",
            )


def _same_calls(first: ContractDocument, second: ContractDocument) -> bool:
    """Whether neither of two contracts goes before the other for some call."""
    apart = (first.until is not None and first.until <= second.start) or (
        second.until is not None and second.until <= first.start
    )
    both = set(first.tenants) & set(second.tenants) or not (first.tenants or second.tenants)
    alike = names_provider(first.provider, second.provider) or names_provider(second.provider, first.provider)
    return alike and not apart and bool(both)


def _of_contract(contract: ContractDocument) -> Iterator[Problem]:
    yield from _backwards((), contract.start, contract.until)
    for kind, dated in (("discounts", contract.discounts), ("provisioned", contract.provisioned)):
        for place, each in enumerate(dated):
            yield from _backwards((kind, place), each.start or contract.start, each.until or contract.until)
    yield from _foreign(contract)
    if contract.volume_tiers is not None:
        yield from _of_tiers(contract.volume_tiers)
    for place, burst in enumerate(contract.bursts):
        for where, why in _of_bands(burst):
            yield ("bursts", place, *where), why
    yield from _of_pools(contract)


def _backwards(where: Location, start: date, until: date | None) -> Iterator[Problem]:
    if until is not None and until <= start:
        yield (*where, "until"), f"{until} is not after {start}; it is the first day that is no longer in it"


def _foreign(contract: ContractDocument) -> Iterator[Problem]:
    amounts: list[tuple[Location, Money]] = [
        (("provisioned", place, "hourly_price"), each.hourly_price)
        for place, each in enumerate(contract.provisioned)
    ]
    if contract.commitment is not None:
        amounts.append((("commitment", "monthly"), contract.commitment.monthly))
    if contract.volume_tiers is not None:
        amounts += [
            (("volume_tiers", "tiers", place, "from"), each.start)
            for place, each in enumerate(contract.volume_tiers.tiers)
            if isinstance(each.start, Money)
        ]
    for where, money in amounts:
        if money.currency != contract.currency:
            yield where, f'"{money}" is not in the contract\'s currency {contract.currency}'


def _of_tiers(tiers: VolumeTiersDocument) -> Iterator[Problem]:
    by_tokens = tiers.by is Basis.TOKENS
    for place, tier in enumerate(tiers.tiers):
        if isinstance(tier.start, Money) is by_tokens and tier.start != 0:
            wanted = "a number of tokens" if by_tokens else "an amount of money"
            yield (
                ("volume_tiers", "tiers", place, "from"),
                f'"{tier.start}" is not {wanted}, and tiers are by {tiers.by}',
            )
    starts = [_volume(tier.start) for tier in tiers.tiers]
    if starts[0] != 0:
        yield ("volume_tiers", "tiers", 0, "from"), f"the first tier is from 0, not from {starts[0]}"
    for place, (below, above) in enumerate(pairwise(starts), start=1):
        if above <= below:
            yield (
                ("volume_tiers", "tiers", place, "from"),
                f"{above} is not above {below}, where the tier before it begins",
            )


def _of_bands(burst: BurstDocument) -> Iterator[Problem]:
    below = burst.committed_tokens_per_minute
    for place, band in enumerate(burst.bands):
        last = place == len(burst.bands) - 1
        where: Location = ("bands", place)
        if band.multiplier < 1:
            yield (*where, "multiplier"), f"{band.multiplier} is below 1: less for more is a volume tier"
        if last and band.up_to is not None:
            yield (
                (*where, "up_to"),
                "the last band has no end; leave it out, so that what is above has a price",
            )
        elif not last and band.up_to is None:
            yield where, "only the last band has no end; write up_to"
        elif band.up_to is not None and band.up_to <= below:
            yield (*where, "up_to"), f"{band.up_to} is not above {below}, where the band begins"
        below = band.up_to or below


def _of_pools(contract: ContractDocument) -> Iterator[Problem]:
    """A model's tokens count in one pool: what units carry and what a burst is measured by cannot both be it."""
    pools: list[tuple[Location, ProvisionedDocument | BurstDocument]] = [
        *((("provisioned", place), each) for place, each in enumerate(contract.provisioned)),
        *((("bursts", place), each) for place, each in enumerate(contract.bursts)),
    ]
    yield from _twice(((*where, "name"), each.name) for where, each in pools)
    for (_, first), (where, second) in combinations(pools, 2):
        if overlap(first.models, second.models) and not _one_after_other(first, second):
            yield (*where, "models"), f'some model fits "{first.name}" as well; let each be in one of them'


def _one_after_other(
    first: ProvisionedDocument | BurstDocument, second: ProvisionedDocument | BurstDocument
) -> bool:
    if isinstance(first, BurstDocument) or isinstance(second, BurstDocument):
        return False
    return any(
        one.until is not None and other.start is not None and one.until <= other.start
        for one, other in ((first, second), (second, first))
    )


def _twice(names: Iterable[tuple[Location, str]]) -> Iterator[Problem]:
    seen: set[str] = set()
    for where, name in names:
        if name in seen:
            yield where, f'"{name}" is taken already'
        seen.add(name)


def _contract(body: ContractDocument, digest: str) -> Contract:
    whole = _span(body.start, body.until, body.zone)
    return Contract(
        name=body.name,
        version=f"{body.name} {digest}",
        provider=body.provider,
        tenants=tuple(sorted(body.tenants)),
        currency=body.currency,
        zone=body.zone,
        span=whole,
        discounts=tuple(
            Discount(
                tuple(each.models),
                each.discount,
                _span(each.start or body.start, each.until or body.until, body.zone),
            )
            for each in body.discounts
        ),
        volume_tiers=None if body.volume_tiers is None else _tiers(body.volume_tiers),
        provisioned=tuple(_provisioned(each, body) for each in body.provisioned),
        bursts=tuple(_burst(each) for each in body.bursts),
        monthly_commitment=None if body.commitment is None else body.commitment.monthly.amount,
    )


def _span(start: date, until: date | None, zone: tzinfo) -> Span:
    return Span(_midnight(start, zone), None if until is None else _midnight(until, zone))


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _volume(start: Money | int) -> Decimal:
    return start.amount if isinstance(start, Money) else Decimal(start)


def _tiers(body: VolumeTiersDocument) -> VolumeTiers:
    bands = tuple(Band(_volume(each.start), each.discount) for each in body.tiers)
    return VolumeTiers(tuple(body.models), body.by, body.method, bands)


def _provisioned(body: ProvisionedDocument, contract: ContractDocument) -> Provisioned:
    return Provisioned(
        body.name,
        tuple(body.models),
        body.units,
        body.hourly_price.amount,
        body.tokens_per_minute,
        body.overflow,
        _span(body.start or contract.start, body.until or contract.until, contract.zone),
        _weights(body.weights),
    )


def _burst(body: BurstDocument) -> Burst:
    ends = [band.up_to for band in body.bands[:-1]]
    starts = [body.committed_tokens_per_minute, *(end for end in ends if end is not None)]
    bands = tuple(
        Band(Decimal(start), band.multiplier - 1) for start, band in zip(starts, body.bands, strict=True)
    )
    return Burst(body.name, tuple(body.models), body.measure, bands, _weights(body.weights))


def _weights(body: WeightsDocument) -> Weights:
    return Weights(
        body.input_uncached, body.cache_read, body.cache_write_5m, body.cache_write_1h, body.output
    )
