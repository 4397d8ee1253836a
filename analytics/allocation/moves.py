"""Moves: shared cost, taken from where it arose and given to whom it is for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

from analytics.bursts.attribution import split
from analytics.contracts.exact import EXACT

from .claims import claims
from .rules import By, Party, Rule

__all__ = ["Allocation", "Applied", "Cost", "Kept", "Move", "allocate"]

_NOTHING = Decimal(0)
_Shared = tuple[Mapping[Party, Decimal], Mapping[Party, Fraction], Mapping[Party, Decimal]]
_UNITS = {By.TOKENS: "Tokens", By.CALLS: "Calls"}


@dataclass(frozen=True, slots=True)
class Cost:
    """What a party's usage cost on one day, or what a contract charges it for [start, until)."""

    start: date
    until: date
    """Exclusive."""
    party: Party
    amount: Decimal | None
    """At most 12 places; None where it is not known."""
    retry_amount: Decimal = _NOTHING
    """The part of the amount that attempts after the first have."""
    tokens: int = 0
    calls: int = 0
    charge: str | None = None
    """The kind of a charge; None is usage."""
    committed: Decimal | None = None
    """Of a charge above or below a committed rate: what was committed, in what its rule goes by."""


@dataclass(frozen=True, slots=True)
class Move:
    """One origin's cost of these days to one party; of an origin amounts add up to it, and ratios to 1."""

    rule: str
    start: date
    until: date
    origin: Party
    charge: str | None
    to: Party
    """Without a workload: the cost stays that of its origin's workload, whoever it is for."""
    amount: Decimal
    ratio: Decimal
    quantity: Decimal
    """What the party used in these days, in `unit`."""
    unit: str

    @property
    def details(self) -> str:
        """FOCUS's AllocatedMethodDetails."""
        return (
            f'{{"Elements":[{{"AllocatedRatio":{_number(self.ratio)},"UsageUnit":"{self.unit}",'
            f'"UsageQuantity":{_number(self.quantity)}}}]}}'
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """What a rule took and could give to nobody: it stays where it arose, and is shown as unallocated."""

    rule: str
    start: date
    until: date
    origin: Party
    charge: str | None
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Applied:
    """What a rule did."""

    rule: Rule
    moved: Decimal
    kept: Decimal
    targets: int
    """How many cost centres, or tenants, got a part."""
    currency: str

    def in_words(self) -> str:
        """ "Platform agents (router, evals): 1,204.50 USD by tokens over 12 cost centres"."""
        over = self.rule.to.replace("_", " ")
        many = f"{self.targets} {over[:-1] if self.targets == 1 else over}"
        told = f"{self.rule.title}: {self.moved:,.2f} {self.currency} {self.rule.how} over {many}"
        return f"{told}; {self.kept:,.2f} {self.currency} unallocated" if self.kept else told


@dataclass(frozen=True, slots=True)
class Allocation:
    """What all rules made of some cost."""

    moves: tuple[Move, ...]
    kept: tuple[Kept, ...]
    applied: tuple[Applied, ...]
    """Of every rule that took anything, in the order of the rules."""


@dataclass(frozen=True, slots=True)
class _Origin:
    """What one rule takes together."""

    place: int
    start: date
    until: date
    party: Party
    charge: str | None
    committed: Decimal | None

    @property
    def key(self) -> tuple[object, ...]:
        charged = (self.charge or "", self.committed or _NOTHING)
        return (self.place, self.start, self.until, self.party.key, charged)


def allocate(costs: Iterable[Cost], rules: Sequence[Rule], *, currency: str) -> Allocation:
    """What the rules move of costs in one currency, in whatever order they come and however finely they are cut.

    A target's use is what it used in the days of the origin: of usage on that day, of a charge in all days that it is
    for, so that the weeks and the month add up alike. What a rule takes whole is nobody's use. Amounts are rounded to
    12 places by largest remainder; of equal ones the first by key (cost centre, tenant, owner) gets more.
    """
    taken, free = _taken(list(costs), rules)
    sharing = _Sharing(rules, _Uses(free))
    moves: list[Move] = []
    kept: list[Kept] = []
    for origin, amount in sorted(taken.items(), key=lambda item: item[0].key):
        if not amount:
            continue
        made = list(_moves(rules[origin.place], origin, amount, sharing, currency))
        moves += made
        if not made:
            name = rules[origin.place].name
            kept.append(Kept(name, origin.start, origin.until, origin.party, origin.charge, amount))
    return Allocation(tuple(moves), tuple(kept), tuple(_applied(rules, moves, kept, currency)))


class _Uses:
    """What parties used in some days; asked for once for each rule and span."""

    def __init__(self, free: Iterable[Cost]) -> None:
        self._days: dict[date, dict[Party, dict[By, Decimal]]] = {}
        for cost in free:
            party = replace(cost.party, workload=None)
            day = self._days.setdefault(cost.start, {}).setdefault(party, dict.fromkeys(By, _NOTHING))
            amount = cost.amount or _NOTHING
            for by, use in (
                (By.COST, amount),
                (By.TOKENS, Decimal(cost.tokens)),
                (By.CALLS, Decimal(cost.calls)),
            ):
                day[by] = EXACT.add(day[by], use)
        self._found: dict[tuple[date, date, By], dict[Party, Decimal]] = {}

    def of(self, start: date, until: date, by: By) -> dict[Party, Decimal]:
        if (start, until, by) not in self._found:
            total: dict[Party, Decimal] = {}
            for day in sorted(each for each in self._days if start <= each < until):
                for party, used in self._days[day].items():
                    total[party] = EXACT.add(total.get(party, _NOTHING), used[by])
            self._found[start, until, by] = total
        return self._found[start, until, by]


class _Sharing:
    """Who used what, who claims what, and the ratios: the same for all origins of a rule and a span."""

    def __init__(self, rules: Sequence[Rule], uses: _Uses) -> None:
        self._rules = rules
        self._uses = uses
        self._found: dict[tuple[object, ...], _Shared] = {}

    def of(self, origin: _Origin) -> _Shared:
        key = (origin.place, origin.start, origin.until, origin.committed)
        if key not in self._found:
            rule = self._rules[origin.place]
            used, cost = (self._uses.of(origin.start, origin.until, by) for by in (rule.by, By.COST))
            claimed = claims(rule, used, cost, origin.committed)
            self._found[key] = used, claimed, split(Decimal(1), claimed) if claimed else {}
        return self._found[key]


def _taken(costs: Sequence[Cost], rules: Sequence[Rule]) -> tuple[dict[_Origin, Decimal], list[Cost]]:
    """What each rule takes, by origin; and the usage of which nobody took the first attempts."""
    taken: dict[_Origin, Decimal] = {}
    free: list[Cost] = []
    for cost in costs:
        first = _taker(cost, rules, further=False)
        if first is None and cost.charge is None:
            free.append(cost)
        if cost.amount is None:
            continue
        pieces = [(first, EXACT.subtract(cost.amount, cost.retry_amount))]
        if cost.retry_amount:
            pieces.append((_taker(cost, rules, further=True), cost.retry_amount))
        for place, amount in pieces:
            if place is not None:
                origin = _Origin(place, cost.start, cost.until, cost.party, cost.charge, cost.committed)
                taken[origin] = EXACT.add(taken.get(origin, _NOTHING), amount)
    return taken, free


def _taker(cost: Cost, rules: Sequence[Rule], *, further: bool) -> int | None:
    for place, rule in enumerate(rules):
        if rule.in_force(cost.start) and rule.pool.takes(cost.party, cost.charge, further=further):
            return place
    return None


def _moves(rule: Rule, origin: _Origin, amount: Decimal, sharing: _Sharing, currency: str) -> Iterator[Move]:
    used, claimed, ratios = sharing.of(origin)
    parts = split(amount.copy_abs(), claimed) if claimed else {}
    for party in claimed:
        part, ratio = parts.get(party, _NOTHING), ratios.get(party, _NOTHING)
        if part or ratio:
            yield Move(
                rule=rule.name,
                start=origin.start,
                until=origin.until,
                origin=origin.party,
                charge=origin.charge,
                to=party,
                amount=part.copy_sign(amount) if part else part,
                ratio=ratio,
                quantity=used.get(party, _NOTHING),
                unit=_UNITS.get(rule.by, currency),
            )


def _applied(
    rules: Sequence[Rule], moves: Sequence[Move], kept: Sequence[Kept], currency: str
) -> Iterator[Applied]:
    moved, left = _sums(moves), _sums(kept)
    for rule in rules:
        if rule.name in moved or rule.name in left:
            targets = {rule.target_of(move.to) or move.to.key for move in moves if move.rule == rule.name}
            yield Applied(
                rule, moved.get(rule.name, _NOTHING), left.get(rule.name, _NOTHING), len(targets), currency
            )


def _sums(told: Sequence[Move] | Sequence[Kept]) -> Mapping[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for each in told:
        sums[each.rule] = EXACT.add(sums.get(each.rule, _NOTHING), each.amount)
    return sums


def _number(value: Decimal) -> str:
    return f"{value.normalize(EXACT):f}"
