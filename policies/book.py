"""The book of one engine: every call stands in exactly one state, held, settled or booked.

    counter = booked calls + settled holds not yet booked + holds (those that a grant has not drawn yet among them)

A hold is drawn before the call at what such calls cost; settling replaces it by what the provider reported; booking
(the call's span came through the collector) replaces it by what the ledger says. Each step replaces the amount of the
step before, so that no call is counted twice whatever order the news comes in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Protocol

from switchgear.usage import Usage

from .grants import Amount, Grant, Sizes, grant_of, lease_of
from .meters import Meter
from .model import Unit, Who
from .sizing import Size

__all__ = ["Amount", "Book", "BookedCall", "Counters", "Grant", "Sizes", "grant_of", "lease_of"]


REPLACEABLE_S = 86_400.0
"""For how long a richer record of a call replaces the earlier one rather than adding to it."""
# And of so many calls at most: some 600 bytes each.
MOST_CALLS = 500_000
# So long after its time limit a grant is still known: a call may outlive it, and be settled late.
_GRANT_KEPT_S = 3600.0
# Every calendar's periods begin with one of these.
_AGED_TOGETHER_S = 900.0
_LONG_AGO = float("-inf")


@dataclass(frozen=True, slots=True)
class BookedCall:
    """What the engine needs of a call in the collector's feed; `cost` is None for an unpriced or incomplete one."""

    key: str
    who: Who
    usage: Usage | None
    cost: Decimal | None
    ended_at: float
    lease: str | None
    task_id: str | None = None
    """The task that made it; `who.task` is the root of its tree."""


@dataclass(slots=True, eq=False)
class _Spent:
    """A call that was made: settled, or booked."""

    who: Who
    meters: tuple[Meter, ...]
    money: int
    tokens: int
    at: float

    def count(self, meters: Iterable[Meter], sign: int, now: float) -> None:
        for meter in meters:
            meter.spend(sign * (self.money if meter.unit is Unit.MONEY else self.tokens), self.at, now)


class Counters(Protocol):
    """What the engine needs of the store of its counters."""

    def hold(self, grant: Grant, now: float) -> None:
        """Hold all calls of a grant in every one of its meters, until each is settled or released, or time is up."""

    def resize(self, grant: Grant, number: int, sizes: Sizes, now: float) -> None:
        """Hold the call of this number at another size; something is held for it."""

    def prolong(self, grant: Grant, expires_at: float) -> None:
        """Hold what is left of a grant until then."""

    def settle(self, lease: str, amount: Amount, now: float) -> tuple[Meter, ...] | None:
        """Replace a hold by what the call took; what is not known of it counts at what was held.

        Returns the meters that count it; None where the lease is not known, or is settled or booked already, since
        settling twice changes nothing. A call that outlived its grant counts from then on.
        """

    def release(
        self, grant_id: str, calls: int, apart: Collection[int], named: int = 0
    ) -> tuple[Meter, ...] | None:
        """Give so many holds back: the calls were not made, or not billed. None as in `settle`.

        `apart` are the numbers of those that have a size of their own; which of the others does not matter. A single
        one may be `named` by its number.
        """

    def expire(self, now: float) -> list[Grant]:
        """Give back what is left of the grants whose time is over: their process died, or a call takes very long."""

    def book(
        self,
        key: str,
        lease: str | None,
        who: Who,
        meters: tuple[Meter, ...],
        amount: Amount,
        at: float,
        now: float,
    ) -> None:
        """Count a call as the ledger has it, in place of its hold or settlement and of its earlier booking.

        Both may be there: a first record of the call need not have named the lease. Where the ledger does not know
        an amount (None), what was held or settled stays: unknown is not nothing.
        """

    def has(self, key: str) -> bool:
        """Whether this call is booked, as far as is remembered."""

    def find(self, grant_id: str) -> Grant | None:
        """The grant, as long as something of it may still be settled or booked."""

    def reassign(self, meters_of: Callable[[Who], tuple[Meter, ...]], now: float) -> None:
        """Count everything in the meters that are there now; what a meter counts already stays as it is."""

    def forget(self, before: float, now: float) -> None:
        """Drop what was spent before then, which no window counts, and keep of what is old no more than its sums.

        What is added up is no more replaced by a richer record, and counts in no task's ceiling that is made later.
        """


def _part(sizes: Sizes, meter: Meter) -> Size:
    return sizes[0] if meter.unit is Unit.MONEY else sizes[1]


class Book:
    """The counters of one process: grants, settled leases and booked calls, each dict in the order of its making.

    That order is nearly that of time, so that what is old is found at the front, at no cost while there is none.
    """

    def __init__(self) -> None:
        self._grants: dict[str, Grant] = {}
        self._leases: dict[str, _Spent] = {}
        self._calls: dict[str, _Spent] = {}
        self._aged: dict[tuple[Who, float], _Spent] = {}
        """What was spent by calls that are old, added up by scope and quarter of an hour."""
        self._deadlines: deque[tuple[float, str]] = deque()

    def hold(self, grant: Grant, now: float) -> None:
        for meter in grant.meters:
            meter.hold(_part(grant.sizes, meter), grant.left, now)
        self._grants[grant.id] = grant
        self._deadlines.append((grant.expires_at, grant.id))

    def resize(self, grant: Grant, number: int, sizes: Sizes, now: float) -> None:
        before = grant.sizes_of(number)
        for meter in grant.meters:
            meter.drop(_part(before, meter), 1)
            meter.hold(_part(sizes, meter), 1, now)
        grant.apart[number] = sizes

    def prolong(self, grant: Grant, expires_at: float) -> None:
        grant.expires_at = expires_at

    def settle(self, lease: str, amount: Amount, now: float) -> tuple[Meter, ...] | None:
        grant_id, number = grant_of(lease)
        grant = self._grants.get(grant_id)
        if grant is None or not grant.may_end(number):
            return None
        grant.drawn |= 1 << number
        sizes = grant.sizes_of(number)
        self._draw(grant, number)
        _outlast(grant)
        money, tokens = amount
        if money is None:
            money = sizes.money.mean
        if tokens is None:
            tokens = sizes.tokens.mean
        spent = self._leases[lease] = _Spent(grant.who, grant.meters, money, tokens, now)
        spent.count(grant.meters, 1, now)
        return grant.meters

    def release(
        self, grant_id: str, calls: int, apart: Collection[int], named: int = 0
    ) -> tuple[Meter, ...] | None:
        grant = self._grants.get(grant_id)
        if grant is None or not grant.left:
            return None
        for number in apart:
            self._draw(grant, number)
        self._draw_alike(grant, calls - len(apart))
        grant.given_back += calls
        grant.returned |= 1 << named if named else 0
        self._drop_if_over(grant)
        return grant.meters

    def expire(self, now: float) -> list[Grant]:
        over = []
        while self._deadlines and self._deadlines[0][0] <= now:
            _, grant_id = self._deadlines.popleft()
            grant = self._grants.get(grant_id)
            if grant is None or not grant.left:
                continue
            if grant.expires_at > now:
                self._deadlines.append((grant.expires_at, grant_id))
                continue
            for number in list(grant.apart):
                self._draw(grant, number)
            self._draw_alike(grant, grant.left)
            over.append(grant)
        return over

    def book(
        self,
        key: str,
        lease: str | None,
        who: Who,
        meters: tuple[Meter, ...],
        amount: Amount,
        at: float,
        now: float,
    ) -> None:
        earlier = self._earlier(key, lease, now)
        money, tokens = amount
        for spent in earlier:
            meters = _with_own_budgets(meters, spent.meters)
            money = spent.money if amount.money is None else money
            tokens = spent.tokens if amount.tokens is None else tokens
            # An agent's clock may be behind; a call has not left the window before its settlement has.
            at = max(at, spent.at)
        booked = self._calls[key] = _Spent(who, meters, money or 0, tokens or 0, at)
        booked.count(meters, 1, now)

    def has(self, key: str) -> bool:
        return key in self._calls

    def find(self, grant_id: str) -> Grant | None:
        return self._grants.get(grant_id)

    def reassign(self, meters_of: Callable[[Who], tuple[Meter, ...]], now: float) -> None:
        for spent in (*self._aged.values(), *self._leases.values(), *self._calls.values()):
            meters = _with_own_budgets(meters_of(spent.who), spent.meters)
            spent.count([meter for meter in meters if meter not in spent.meters], 1, now)
            spent.meters = meters
        for grant in self._grants.values():
            meters = _with_own_budgets(meters_of(grant.who), grant.meters)
            for meter in meters:
                if meter not in grant.meters:
                    meter.hold(_part(grant.sizes, meter), grant.left - len(grant.apart), now)
                    for sizes in grant.apart.values():
                        meter.hold(_part(sizes, meter), 1, now)
            grant.meters = meters

    def forget(self, before: float, now: float) -> None:
        # What is settled stays until it is booked, or matters no longer: the ledger does not have it yet.
        for entries, kept_from in ((self._calls, now - REPLACEABLE_S), (self._leases, before)):
            while entries:
                key, oldest = next(iter(entries.items()))
                if oldest.at >= kept_from and len(entries) <= MOST_CALLS:
                    break
                del entries[key]
                self._add_up(oldest)
        while self._aged:
            slot, sums = next(iter(self._aged.items()))
            if sums.at >= before:
                break
            del self._aged[slot]
        while self._grants:
            grant_id, first = next(iter(self._grants.items()))
            kept_from = now - _GRANT_KEPT_S if first.is_told else before
            if first.left or (first.expires_at >= kept_from and len(self._grants) <= MOST_CALLS):
                break
            del self._grants[grant_id]

    def grants(self) -> Iterator[Grant]:
        """Every grant of which something may still be settled or booked."""
        return iter(self._grants.values())

    def held_otherwise(self, meters: Iterable[Meter]) -> int:
        """How many of these meters show other calls in flight than the grants add up to: 0, or something is wrong."""
        held = dict.fromkeys(meters, (0, 0))
        for grant in self._grants.values():
            for meter in grant.meters if grant.left else ():
                holds, amount = held.get(meter, (0, 0))
                amount += (grant.left - len(grant.apart)) * _part(grant.sizes, meter).mean
                amount += sum(_part(sizes, meter).mean for sizes in grant.apart.values())
                held[meter] = holds + grant.left, amount
        return sum((meter.holds, meter.held) != amounts for meter, amounts in held.items())

    def _earlier(self, key: str, lease: str | None, now: float) -> list[_Spent]:
        """What the call counted as so far, taken out: its earlier record, its settlement or its hold."""
        earlier = [] if (record := self._calls.pop(key, None)) is None else [record]
        settled = None if lease is None else self._leases.pop(lease, None)
        if settled is not None:
            earlier.append(settled)
        for spent in earlier:
            spent.count(spent.meters, -1, now)
        grant_id, number = grant_of(lease or "")
        grant = self._grants.get(grant_id)
        if grant is not None and 0 < number <= grant.calls:
            if grant.may_end(number):
                grant.drawn |= 1 << number
                sizes = grant.sizes_of(number)
                self._draw(grant, number)
                _outlast(grant)
                settled = _Spent(grant.who, grant.meters, sizes.money.mean, sizes.tokens.mean, _LONG_AGO)
                earlier.append(settled)
            grant.booked += settled is not None
            self._drop_if_over(grant)
        return earlier

    def _add_up(self, spent: _Spent) -> None:
        who = replace(spent.who, task=None)
        slot = who, spent.at // _AGED_TOGETHER_S
        sums = self._aged.get(slot)
        if sums is None:
            meters = tuple(meter for meter in spent.meters if not meter.is_of_a_task)
            self._aged[slot] = _Spent(who, meters, spent.money, spent.tokens, spent.at)
            return
        sums.money += spent.money
        sums.tokens += spent.tokens
        sums.at = max(sums.at, spent.at)

    def _drop_if_over(self, grant: Grant) -> None:
        """Forget a grant whose calls are all booked or given back.

        One that counts in an agent's own budget stays for its time: should a call that was given back have been
        billed after all, only its hold says which budgets it counts in.
        """
        # A call that was given back may be billed after all, and is then one of those that are booked.
        over = not grant.left and grant.is_told and grant.booked + grant.given_back >= grant.calls
        if over and not (grant.given_back and any(meter.is_own_budget for meter in grant.meters)):
            del self._grants[grant.id]

    def _draw(self, grant: Grant, number: int) -> None:
        """Hold nothing for the call of this number any longer, if anything is."""
        own = grant.apart.pop(number, None) if grant.apart else None
        if own is None:
            self._draw_alike(grant, 0 if grant.returned >> number & 1 else 1)
            return
        grant.left -= 1
        for meter in grant.meters:
            meter.drop(_part(own, meter), 1)

    @staticmethod
    def _draw_alike(grant: Grant, calls: int) -> None:
        """Hold so many fewer of those that are alike, as far as there are any."""
        drawn = min(calls, grant.left - len(grant.apart))
        if drawn:
            grant.left -= drawn
            for meter in grant.meters:
                meter.drop(_part(grant.sizes, meter), drawn)


def _outlast(grant: Grant) -> None:
    for meter in grant.meters:
        meter.outlast()


def _with_own_budgets(meters: tuple[Meter, ...], earlier: tuple[Meter, ...]) -> tuple[Meter, ...]:
    """The ledger does not say which tasks above a call had set themselves a budget; its hold did."""
    own = tuple(meter for meter in earlier if meter.is_own_budget and meter not in meters)
    return (*meters, *own) if own else meters
