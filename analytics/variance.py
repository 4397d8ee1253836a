"""Variance: why a cost changed from one period to another, split into parts that add up to the change exactly.

Price, volume and mix are those of price-volume-mix analysis over SKUs, where a SKU is what has a price of its own: a
kind of token of a product, and a product is a model of a provider in a service tier. Two more drivers belong to
language models: attempts beyond the first, and how much of the input is read from the cache. For each SKU let q be its
tokens, A its cost and p = A / q; for each product r the part of its cost that attempts beyond the first have, and
n = q (1 - r) the tokens of first attempts; 0 is before and 1 now, and N = sum(n). Of products that both periods have:

- `price` = sum((p1 - p0) q1)
- `retries` = sum(p0 q1 (1 - (1 - r1) / (1 - r0))): what the change of r costs, at the prices from before
- `volume` = (N1 / N0 - 1) sum(A0)
- `cache` = sum over kinds of input of P0 (n1 - n0 I1 / I0): P0 = p0 / (1 - r0), and I is the n of all of its product's
  input, from the cache or not
- `mix` = sum(P0 (n1 - n0 N1 / N0)) - cache: the rest, and so also what is charged without tokens beyond its part of
  the volume

And apart from these:

- `new`, `retired`: products that only one period has
- `charges`: what a contract charges beside its calls, and what was allocated
- `corrections`: what corrects earlier cost
- `unknown`: tokens without a price are valued at their SKU's price in the same period, else in the other one, so that
  they are volume like any others. Nobody was charged that value: this part takes it out again.

A kind of token that only one period has, of a product that both have, has the same price in both: who begins to use the
cache sees *cache*, and nothing *new*. Parts are rounded to 12 places by largest remainder.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from enum import StrEnum
from typing import Any, Generic, TypeVar

from .apportion import rounded
from .contracts.exact import EXACT, QUANTUM, stored

__all__ = ["Bridge", "Driver", "Mover", "Sku", "bridge", "bridges", "movers", "skus"]

Product = tuple[str, ...]
Row = Mapping[str, Any]
Group = TypeVar("Group", bound=Hashable)
_NOTHING = Decimal(0)
_INPUT = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h")
_OF_TOKENS = (*_INPUT, "output")
_OTHER = "other"
# The column with the amount of each kind of token.
_AMOUNTS = {"input_uncached": "amount_input"} | {kind: f"amount_{kind}" for kind in (*_INPUT[1:], "output")}


class Driver(StrEnum):
    """What changes a cost, in the order in which a waterfall shows it."""

    PRICE = "price"
    VOLUME = "volume"
    MIX = "mix"
    RETRIES = "retries"
    CACHE = "cache"
    NEW = "new"
    RETIRED = "retired"
    CHARGES = "charges"
    CORRECTIONS = "corrections"
    UNKNOWN = "unknown"


_MORE_AND_LESS = {
    Driver.PRICE: ("higher prices", "lower prices"),
    Driver.VOLUME: ("more tokens", "fewer tokens"),
    Driver.MIX: ("a dearer mix of models and kinds of tokens", "a cheaper mix of models and kinds of tokens"),
    Driver.RETRIES: ("more attempts per call", "fewer attempts per call"),
    Driver.CACHE: ("a dearer use of the prompt cache", "a cheaper use of the prompt cache"),
    Driver.NEW: ("models not used before", "models not used before, with a credit"),
    Driver.RETIRED: ("models no longer used, which had a credit", "models no longer used"),
    Driver.CHARGES: ("more charged beside the calls", "less charged beside the calls"),
    Driver.CORRECTIONS: ("corrections of earlier cost", "corrections of earlier cost"),
    Driver.UNKNOWN: ("tokens that had no price before", "tokens that have no price now"),
}
# What a line is for that is neither the usage of models nor a correction.
_CHARGES = frozenset({"charge", "shared"})


@dataclass(frozen=True, slots=True)
class Sku:
    """Some of a period's cost of one kind of token; a period may have many of the same SKU."""

    product: Product
    """(provider, model, service tier)."""
    kind: str
    """input_uncached, cache_read, cache_write_5m, cache_write_1h or output; anything else does not count in tokens."""
    quantity: int
    amount: Decimal | None
    """At most 12 places; None where there is no price."""
    retry_amount: Decimal = _NOTHING
    """The part of `amount` that attempts beyond the first have."""
    apart: Driver | None = None
    """CHARGES or CORRECTIONS where the amount is that, whatever its product and quantity."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """From what one period cost to what another one did: known cost, in one currency."""

    before: Decimal
    now: Decimal
    parts: Mapping[Driver, Decimal]
    """One of each driver; they add up to `change`, to 12 places."""
    unvalued_before: int = 0
    """Tokens whose SKU has no price in either period: they are in no part."""
    unvalued_now: int = 0

    @property
    def change(self) -> Decimal:
        """What it costs more now; below zero where it costs less."""
        return EXACT.subtract(self.now, self.before)

    @property
    def driver(self) -> Driver:
        """The one that did most of the change: the largest part of the change's own sign; of equal ones the first."""
        sign = -1 if self.change < 0 else 1
        return max(Driver, key=lambda driver: sign * self.parts[driver])


@dataclass(frozen=True, slots=True)
class Mover(Generic[Group]):
    """A group whose cost changed."""

    group: Group
    bridge: Bridge

    def in_words(self, currency: str) -> str:
        """ "120.00 USD more, mostly by more tokens (+100.00 USD)"."""
        change, driver = self.bridge.change, self.bridge.driver
        part = self.bridge.parts[driver]
        much = f"{abs(change):,.2f} {currency} {'less' if change < 0 else 'more'}"
        why = _MORE_AND_LESS[driver][part < 0]
        return f"{much}, by {why}" if part == change else f"{much}, mostly by {why} ({part:+,.2f} {currency})"


def bridge(before: Iterable[Sku], now: Iterable[Sku]) -> Bridge:
    """The change of cost from `before` to `now` in its parts; the order of neither matters.

    1,000 tokens at 0.002 before and 1,500 at 0.003 now: from 2.00 to 4.50 it is volume 500 x 0.002 = 1.00 and price
    0.001 x 1,500 = 1.50. Raises ValueError for a negative quantity, and for an amount of more than 12 places.
    """
    with localcontext(EXACT):
        old, old_apart = _gathered(before)
        new, new_apart = _gathered(now)
        spent, spends = _cost(old), _cost(new)
        unvalued = _value(old, new), _value(new, old)
        parts = {each: new_apart.get(each, _NOTHING) - old_apart.get(each, _NOTHING) for each in Driver}
        parts[Driver.UNKNOWN] += (spends - _cost(new)) - (spent - _cost(old))
        old, new = _present(old), _present(new)
        parts[Driver.NEW] = _cost({product: new[product] for product in new.keys() - old.keys()})
        parts[Driver.RETIRED] = -_cost({product: old[product] for product in old.keys() - new.keys()})
        pairs = [_Pair(old[product], new[product]) for product in sorted(old.keys() & new.keys())]
        for pair in pairs:
            parts[Driver.PRICE] += pair.by_price
            parts[Driver.RETRIES] += pair.by_retries
            parts[Driver.CACHE] += pair.by_cache
        first = sum((pair.old_tokens for pair in pairs), _NOTHING)
        if first:
            more = sum((pair.new_tokens for pair in pairs), _NOTHING) / first - 1
            parts[Driver.VOLUME] = more * sum((pair.old_cost for pair in pairs), _NOTHING)
        spent += sum(old_apart.values(), _NOTHING)
        spends += sum(new_apart.values(), _NOTHING)
        parts[Driver.MIX] = spends - spent - sum(parts.values(), _NOTHING)
        exact = dict(zip(parts, rounded(list(parts.values()), QUANTUM), strict=True))
        return Bridge(spent, spends, exact, *unvalued)


def bridges(before: Iterable[Row], now: Iterable[Row], by: Callable[[Row], Group]) -> dict[Group, Bridge]:
    """The bridge of each group of ledger lines; their changes add up to the change of all.

    `by` names a line's group, such as its (tenant, workload). Parts are those of the group's own change: a model that a
    workload takes up is *new* to it, and may be volume to its owner.
    """
    old, new = _grouped(before, by), _grouped(now, by)
    groups = dict.fromkeys((*old, *new))
    return {group: bridge(skus(old.get(group, ())), skus(new.get(group, ()))) for group in groups}


def movers(found: Mapping[Group, Bridge], top: int) -> list[Mover[Group]]:
    """The groups whose cost changed most, up or down; of equal ones by name."""
    changed = [(group, each) for group, each in found.items() if each.change]
    changed.sort(key=lambda item: (-abs(item[1].change), str(item[0])))
    return [Mover(group, each) for group, each in changed[:top]]


def skus(lines: Iterable[Row]) -> Iterator[Sku]:
    """What lines of the ledger have of each SKU; an amount that no kind of token accounts for is of the kind "other".

    A line without an amount is unpriced, and in no currency. Raises ValueError where lines are in more than one.
    """
    currency = None
    for line in lines:
        said = line.get("currency") or currency
        if currency not in (None, said):
            raise ValueError(f"lines are in {currency} and in {said}; ask for one currency at a time")
        currency = said
        yield from _of_line(line)


def _of_line(line: Row) -> Iterator[Sku]:
    product = tuple(line.get(name) or "" for name in ("provider", "model", "service_tier"))
    amount, what = line["amount"], line.get("kind") or "usage"
    if what != "usage":
        if amount is not None:
            apart = Driver.CHARGES if what in _CHARGES else Driver.CORRECTIONS
            yield Sku(product, _OTHER, 0, amount, apart=apart)
        return
    if amount is None:
        yield from (Sku(product, kind, line[kind], None) for kind in _OF_TOKENS if line[kind])
        return
    amounts = {kind: line[column] or _NOTHING for kind, column in _AMOUNTS.items()}
    amounts[_OTHER] = EXACT.subtract(amount, sum(amounts.values(), _NOTHING))
    retried = line.get("retry_amount") or _NOTHING
    with localcontext(EXACT):
        shares = [retried * part / amount if amount else _NOTHING for part in amounts.values()]
    for (kind, part), share in zip(amounts.items(), rounded(shares, QUANTUM), strict=True):
        quantity = line[kind] if kind != _OTHER else 0
        if part or quantity:
            yield Sku(product, kind, quantity, part, share)


@dataclass(slots=True)
class _Kind:
    """One SKU in one period."""

    priced: int = 0
    unpriced: int = 0
    amount: Decimal = _NOTHING
    value: Decimal = _NOTHING
    """Of the tokens without a price."""
    retried: Decimal = _NOTHING

    @property
    def cost(self) -> Decimal:
        return self.amount + self.value

    @property
    def quantity(self) -> int:
        return self.priced + self.unpriced

    @property
    def price(self) -> Decimal | None:
        return self.amount / self.priced if self.priced else None


_Kinds = dict[str, _Kind]
_ABSENT = _Kind()


class _Pair:
    """A product that both periods have."""

    def __init__(self, old: _Kinds, new: _Kinds) -> None:
        self._kinds = [
            (kind, old.get(kind, _ABSENT), new.get(kind, _ABSENT)) for kind in sorted(old.keys() | new.keys())
        ]
        self._old_first, self._new_first = _first(old), _first(new)
        self.old_cost = _cost({(): old})
        self.old_tokens, self.new_tokens = self._tokens(_OF_TOKENS)

    @property
    def by_price(self) -> Decimal:
        return sum(
            (new.cost - _price(old, new) * new.quantity for _, old, new in self._kinds if new.quantity),
            _NOTHING,
        )

    @property
    def by_retries(self) -> Decimal:
        at_old_prices = sum((_price(old, new) * new.quantity for _, old, new in self._kinds), _NOTHING)
        return at_old_prices * (1 - self._new_first / self._old_first)

    @property
    def by_cache(self) -> Decimal:
        before, now = self._tokens(_INPUT)
        if not before or not now:
            return _NOTHING
        return sum(
            (
                _price(old, new)
                * (new.quantity * self._new_first / self._old_first - old.quantity * now / before)
                for kind, old, new in self._kinds
                if kind in _INPUT
            ),
            _NOTHING,
        )

    def _tokens(self, kinds: tuple[str, ...]) -> tuple[Decimal, Decimal]:
        """Those of first attempts, before and now."""
        counted = [(old.quantity, new.quantity) for kind, old, new in self._kinds if kind in kinds]
        return (
            sum(old for old, _ in counted) * self._old_first,
            sum(new for _, new in counted) * self._new_first,
        )


def _price(old: _Kind, new: _Kind) -> Decimal:
    """What one of it cost before; where there was none, what it costs now."""
    for each in (old, new):
        if each.quantity:
            return each.cost / each.quantity
    return _NOTHING


def _first(kinds: _Kinds) -> Decimal:
    """The share of a product's cost that first attempts have."""
    known = sum((kind.amount for kind in kinds.values()), _NOTHING)
    share = 1 - sum((kind.retried for kind in kinds.values()), _NOTHING) / known if known else Decimal(1)
    return share if 0 < share <= 1 else Decimal(1)


def _gathered(period: Iterable[Sku]) -> tuple[dict[Product, _Kinds], dict[Driver, Decimal]]:
    """A period by product and kind, and what stands apart."""
    products: dict[Product, _Kinds] = {}
    apart: dict[Driver, Decimal] = {}
    for sku in period:
        if sku.quantity < 0 or (sku.amount is not None and sku.amount != stored(sku.amount)):
            raise ValueError(f"{sku}: a quantity is not below 0, and an amount has at most 12 places")
        if sku.apart is not None:
            apart[sku.apart] = apart.get(sku.apart, _NOTHING) + (sku.amount or _NOTHING)
            continue
        kind = products.setdefault(sku.product, {}).setdefault(sku.kind, _Kind())
        if sku.amount is None:
            kind.unpriced += sku.quantity
        else:
            kind.priced += sku.quantity
            kind.amount += sku.amount
            kind.retried += sku.retry_amount
    return products, apart


def _value(period: dict[Product, _Kinds], other: dict[Product, _Kinds]) -> int:
    """Put a value on what a period has no price for; the tokens that have none, and count no more."""
    unvalued = 0
    for product, kinds in period.items():
        for name, kind in kinds.items():
            price = kind.price
            if price is None:
                price = other.get(product, {}).get(name, _ABSENT).price
            if price is None:
                unvalued, kind.unpriced = unvalued + kind.unpriced, 0
            elif kind.unpriced:
                kind.value = price * kind.unpriced
    return unvalued


def _present(period: dict[Product, _Kinds]) -> dict[Product, _Kinds]:
    return {
        product: kinds
        for product, kinds in period.items()
        if any(kind.quantity or kind.cost for kind in kinds.values())
    }


def _cost(period: Mapping[Product, _Kinds]) -> Decimal:
    """With what is valued, as soon as it is."""
    return sum((kind.cost for kinds in period.values() for kind in kinds.values()), _NOTHING)


def _grouped(lines: Iterable[Row], by: Callable[[Row], Group]) -> dict[Group, list[Row]]:
    groups: dict[Group, list[Row]] = {}
    for line in lines:
        groups.setdefault(by(line), []).append(line)
    return groups
