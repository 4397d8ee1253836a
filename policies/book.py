"""The book of one engine: every amount stands in exactly one state, held, settled or booked.

    counter = booked calls + settled holds not yet booked + holds

A hold is drawn before the call at its bound; settling replaces it by what the provider reported; booking (the
call's span came through the collector) replaces it by what the ledger says. Each step replaces the amount of the
step before, so that no call is counted twice whatever order the news comes in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, auto

from .breaker import State
from .counters import LifetimeSum, RollingSum, Sum
from .model import OWN_BUDGET, Ceiling, Step, Who

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
    LAPSED = auto()
    SETTLED = auto()
    BOOKED = auto()


@dataclass(slots=True, eq=False)
class Entry:
    """One call's amount in the accounts that count it. `expected` is what a hold will probably settle to."""

    who: Who
    accounts: tuple[Account, ...]
    amount: Decimal
    expected: Decimal
    at: float
    status: Status


class Book:
    """All entries by lease (before booking) and by call key (after it), each dict in the order of its making.

    That order is nearly that of time, so that what is old is found at the front, at no cost while there is none.
    """

    def __init__(self) -> None:
        self._leases: dict[str, Entry] = {}
        self._calls: dict[str, Entry] = {}
        self._deadlines: deque[tuple[float, str]] = deque()

    def hold(
        self,
        lease: str,
        who: Who,
        accounts: Iterable[Account],
        amounts: tuple[Decimal, Decimal],
        now: float,
        expires_at: float,
    ) -> None:
        """Hold an amount in every account, until it is settled, released or past `expires_at`.

        `amounts` are the bound, which is held, and what is expected. Deadlines do not run backwards.
        """
        entry = Entry(who, tuple(accounts), *amounts, now, Status.HELD)
        self._add(entry, entry.accounts, now)
        self._leases[lease] = entry
        self._deadlines.append((expires_at, lease))

    def settle(self, lease: str, amount: Decimal | None, now: float) -> tuple[Account, ...] | None:
        """Replace a hold by what the call cost; None keeps the held amount, since it may have been billed in full.

        Returns the accounts that count it; None where the lease is unknown or settled already, since settling twice
        changes nothing. A call that outlived its hold counts from then on.
        """
        entry = self._leases.get(lease)
        if entry is None or entry.status is Status.SETTLED:
            return None
        self._remove(entry, now)
        entry.amount = entry.amount if amount is None else amount
        entry.expected, entry.at, entry.status = _ZERO, now, Status.SETTLED
        self._add(entry, entry.accounts, now)
        return entry.accounts

    def release(self, lease: str, now: float) -> tuple[Account, ...] | None:
        """Give a hold back: the call was not made, or the provider refused it without billing. None as in `settle`."""
        entry = self._held(lease)
        if entry is None:
            return None
        self._remove(entry, now)
        del self._leases[lease]
        return entry.accounts

    def expire(self, now: float) -> None:
        """Give back the holds whose time is over: their process died, or their call takes very long."""
        while self._deadlines and self._deadlines[0][0] <= now:
            _, lease = self._deadlines.popleft()
            entry = self._held(lease)
            if entry is not None:
                self._remove(entry, now)
                entry.status = Status.LAPSED

    def book(
        self,
        key: str,
        lease: str | None,
        who: Who,
        accounts: Iterable[Account],
        amount: Decimal | None,
        at: float,
        now: float,
    ) -> None:
        """Count a call as the ledger has it, in place of its hold or settlement and of its earlier booking.

        Both may be there: a first record of the call need not have named the lease. Where the ledger does not know
        the amount (None), what was held or settled stays: unknown is not nothing.
        """
        known, kept = tuple(accounts), _ZERO
        for earlier in (self._calls.pop(key, None), self._leases.pop(lease, None) if lease else None):
            if earlier is not None:
                self._remove(earlier, now)
                known, kept = _with_own_budgets(known, earlier), earlier.amount
                # An agent's clock may be behind; a call has not left the window before its settlement has.
                at = max(at, earlier.at)
        amount = kept if amount is None else amount
        entry = self._calls[key] = Entry(who, known, amount, _ZERO, at, Status.BOOKED)
        self._add(entry, entry.accounts, now)

    def reassign(self, accounts_of: Callable[[Who], Iterable[Account]], now: float) -> None:
        """Count every entry in the accounts that are there now; what an account counts already stays as it is."""
        for entry in (*self._leases.values(), *self._calls.values()):
            accounts = _with_own_budgets(tuple(accounts_of(entry.who)), entry)
            self._add(entry, [account for account in accounts if account not in entry.accounts], now)
            entry.accounts = accounts

    def forget(self, before: float) -> None:
        """Drop what no window counts any more."""
        for entries in (self._calls, self._leases):
            while entries:
                key, oldest = next(iter(entries.items()))
                if oldest.status is Status.HELD or oldest.at >= before:
                    break
                del entries[key]

    def knows(self, lease: str) -> bool:
        """Whether this lease may still be settled or booked."""
        return lease in self._leases

    def tenant(self, lease: str) -> str | None:
        """For whom this lease was granted; None where it is not known."""
        entry = self._leases.get(lease)
        return None if entry is None else entry.who.tenant

    def _held(self, lease: str) -> Entry | None:
        entry = self._leases.get(lease)
        return entry if entry is not None and entry.status is Status.HELD else None

    @staticmethod
    def _add(entry: Entry, accounts: Iterable[Account], now: float) -> None:
        for account in accounts:
            if entry.status is Status.HELD:
                account.held += entry.amount
                account.expected += entry.expected
                account.holds += 1
            elif entry.status is not Status.LAPSED:
                account.total.add(entry.amount, entry.at, now)
            account.touched_at = max(account.touched_at, entry.at)

    @staticmethod
    def _remove(entry: Entry, now: float) -> None:
        for account in entry.accounts:
            if entry.status is Status.HELD:
                account.held -= entry.amount
                account.expected -= entry.expected
                account.holds -= 1
            elif entry.status is not Status.LAPSED:
                account.total.add(-entry.amount, entry.at, now)


def _with_own_budgets(accounts: tuple[Account, ...], entry: Entry) -> tuple[Account, ...]:
    """The ledger does not say which tasks above a call had set themselves a budget; its hold did."""
    own = (account for account in entry.accounts if account.ceiling.name == OWN_BUDGET)
    return (*accounts, *(account for account in own if account not in accounts))
