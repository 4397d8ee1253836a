"""The order in which waiting calls are served: tier first, then the tenant that has had least for its weight.

Within a tier every tenant has a virtual counter of the tokens it was granted, divided by its weight; the smallest
goes first. A tenant that comes back from idling starts at the smallest counter of those waiting, so that idling
earns no credit (Virtual Token Counter, arXiv 2401.00588). Waiting promotes: every `_AGEING_S` seconds a call moves
up one tier, so that background work is never starved for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from switchgear.decision import Decision

from .accounts import Found
from .costs import Sized
from .model import Who
from .sizing import Request

__all__ = ["FairOrder", "GrantRequest", "Granted", "Running", "Ticket"]

_AGEING_S = 20.0


@dataclass(frozen=True, slots=True)
class GrantRequest:
    """What an SDK asks before a call, or before several like it.

    `id` makes asking again harmless; `budgets` (task id, amount) may only lower what policies allow.
    """

    id: str
    who: Who
    call: Request
    needs: frozenset[str] = frozenset()
    budgets: tuple[tuple[str, Decimal], ...] = ()
    task_id: str | None = None
    """The task that makes the call; `who.task` is the root of its tree."""
    parent_task_id: str | None = None
    attempt: int = 1
    """Which HTTP request of the call it is, from 1."""
    calls: int = 1
    """For how many calls like this one: a grant that is drawn call by call, without asking again."""
    worst_case: bool = False
    """Hold the most that the call can cost, rather than what such calls have cost."""


@dataclass(frozen=True, slots=True)
class Granted:
    """Money held: the grant's id, for how many calls, what each may be counted on to cost, and for how long.

    `lease` is the id of the first of its holds; the others count on from it. Amounts are in the set's currency.
    """

    id: str
    lease: str
    calls: int
    each: Decimal
    most: Decimal
    currency: str
    expires_at: float

    @property
    def amount(self) -> Decimal:
        """What is held in all."""
        return self.each * self.calls


@dataclass(slots=True)
class Running:
    """A grant's calls: what is needed to settle them and to learn. `call` is what was let go, degraded perhaps."""

    asked: GrantRequest
    call: Request
    sized: Sized
    began_at: float


@dataclass(slots=True, eq=False)
class Ticket:
    """A request on its way: answered once, with a decision and, where that allows the call, a grant.

    A ticket that nobody attends keeps its place for a while but is not served: a hold for it could be lost.
    """

    request: GrantRequest
    asked_at: float
    attended: bool = True
    left_at: float = 0.0
    found: Found = field(default_factory=lambda: Found((), ()))
    """What would count it, as of when it was asked or last tried."""
    decision: Decision | None = None
    grant: Granted | None = None
    on_answer: Callable[[], None] | None = None

    def answer(self, decision: Decision, grant: Granted | None = None) -> None:
        """Settle the ticket and tell whoever waits for it."""
        self.decision, self.grant = decision, grant
        if self.on_answer is not None:
            self.on_answer()


@dataclass(slots=True)
class FairOrder:
    """Virtual counters of tokens by (provider, tenant)."""

    _served: dict[tuple[str, str], float] = field(default_factory=dict)
    _waiting: set[tuple[str, str]] = field(default_factory=set)

    def arrange(self, tickets: Iterable[Ticket], now: float) -> list[Ticket]:
        """The tickets, first to be served first."""
        tickets = list(tickets)
        self._lift({(t.request.call.provider, t.request.who.tenant) for t in tickets})
        return sorted(tickets, key=lambda ticket: self._rank(ticket, now))

    def served(self, provider: str, tenant: str, tokens: int, weight: float) -> None:
        """Count what a tenant was granted."""
        key = (provider, tenant)
        self._served[key] = self._served.get(key, 0.0) + tokens / weight

    def _rank(self, ticket: Ticket, now: float) -> tuple[int, float, float]:
        who = ticket.request.who
        promoted = int((now - ticket.asked_at) / _AGEING_S)
        served = self._served.get((ticket.request.call.provider, who.tenant), 0.0)
        return max(0, who.tier.rank - promoted), served, ticket.asked_at

    def _lift(self, waiting: set[tuple[str, str]]) -> None:
        for key in waiting - self._waiting:
            others = [self._served.get(k, 0.0) for k in self._waiting & waiting if k[0] == key[0]]
            if others:
                self._served[key] = max(self._served.get(key, 0.0), min(others))
        self._waiting = waiting
