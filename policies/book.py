"""The book of one engine: every amount stands in exactly one state, held, settled or booked.

    counter = booked calls + settled holds not yet booked + holds

A hold is drawn before the call at its bound; settling replaces it by what the provider reported; booking (the
call's span came through the collector) replaces it by what the ledger says. Each step replaces the amount of the
step before, so that no call is counted twice whatever order the news comes in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, auto

from .breaker import State
from .counters import LifetimeSum, RollingSum, Sum
from .model import Ceiling, Step

__all__ = ["Account", "Book", "Entry", "Status"]

_ZERO = Decimal(0)


@dataclass(slots=True, eq=False)
class Account:
    """One ceiling's counter for one scope, with its breaker's state. `task` is set for a ceiling per task."""

    ceiling: Ceiling
    task: str | None
    opened_at: float
    state: State = State.CLOSED
    since: float = 0.0
    reason: str = "nothing spent yet"
    until: float | None = None
    held: Decimal = _ZERO
    expected: Decimal = _ZERO
    holds: int = 0
    touched_at: float = 0.0
    paced_until: float = 0.0
    gate_refused: bool = False
    step: Step | None = None
    total: Sum = field(init=False)

    def __post_init__(self) -> None:
        window = self.ceiling.window_s
        self.total = LifetimeSum() if window is None else RollingSum(window)
        self.since = self.opened_at
        self.touched_at = self.opened_at


class Status(Enum):
    HELD = auto()
    SETTLED = auto()
    BOOKED = auto()


@dataclass(slots=True, eq=False)
class Entry:
    """One call's amount in the accounts that count it. `expected` is what a hold will probably settle to."""

    accounts: tuple[Account, ...]
    amount: Decimal
    expected: Decimal
    at: float
    status: Status
    expires_at: float = 0.0


class Book:
    """All entries by lease (before booking) and by call key (after it)."""

    def __init__(self) -> None:
        self._leases: dict[str, Entry] = {}
        self._calls: dict[str, Entry] = {}

    def hold(
        self,
        lease: str,
        accounts: Iterable[Account],
        amount: Decimal,
        expected: Decimal,
        now: float,
        expires_at: float,
    ) -> Entry:
        """Hold `amount` in every account, until it is settled, released or past `expires_at`."""
        entry = Entry(tuple(accounts), amount, expected, now, Status.HELD, expires_at)
        for account in entry.accounts:
            account.held += amount
            account.expected += expected
            account.holds += 1
            account.touched_at = now
        self._leases[lease] = entry
        return entry

    def settle(self, lease: str, amount: Decimal | None, now: float) -> bool:
        """Replace a hold by what the call cost; None keeps the held amount, since it may have been billed in full.

        False where the lease is unknown, expired or settled already: settling twice changes nothing.
        """
        entry = self._leases.get(lease)
        if entry is None or entry.status is not Status.HELD:
            return False
        self._unhold(entry)
        entry.amount = entry.amount if amount is None else amount
        entry.at = now
        entry.status = Status.SETTLED
        self._count(entry, now)
        return True

    def release(self, lease: str) -> bool:
        """Give a hold back: the call was not made, or the provider refused it without billing."""
        entry = self._leases.get(lease)
        if entry is None or entry.status is not Status.HELD:
            return False
        self._unhold(entry)
        del self._leases[lease]
        return True

    def expire(self, now: float) -> list[str]:
        """Release the holds whose time is over (their process died), and name their leases."""
        late = [lease for lease, e in self._leases.items() if e.status is Status.HELD and e.expires_at <= now]
        for lease in late:
            self.release(lease)
        return late

    def book(
        self, key: str, lease: str | None, accounts: Iterable[Account], amount: Decimal, at: float, now: float
    ) -> None:
        """Count a call as the ledger has it, in place of its hold, its settlement or its earlier booking."""
        earlier = self._calls.pop(key, None) or (self._leases.pop(lease, None) if lease else None)
        if earlier is not None:
            self._uncount(earlier, now)
        entry = Entry(tuple(accounts), amount, _ZERO, at, Status.BOOKED)
        self._count(entry, now)
        self._calls[key] = entry

    def forget(self, before: float) -> None:
        """Drop what no window counts any more."""
        for entries in (self._calls, self._leases):
            gone = [k for k, e in entries.items() if e.status is not Status.HELD and e.at < before]
            for key in gone:
                del entries[key]

    def entries(self) -> Iterable[Entry]:
        """Every entry, for checks."""
        yield from self._leases.values()
        yield from self._calls.values()

    def _count(self, entry: Entry, now: float) -> None:
        for account in entry.accounts:
            account.total.add(entry.amount, entry.at, now)
            account.touched_at = max(account.touched_at, entry.at)

    def _uncount(self, entry: Entry, now: float) -> None:
        if entry.status is Status.HELD:
            self._unhold(entry)
        else:
            for account in entry.accounts:
                account.total.add(-entry.amount, entry.at, now)

    @staticmethod
    def _unhold(entry: Entry) -> None:
        for account in entry.accounts:
            account.held -= entry.amount
            account.expected -= entry.expected
            account.holds -= 1
