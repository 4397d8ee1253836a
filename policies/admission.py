"""What is asked for before a call, and how it is answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from switchgear.decision import Decision

from .accounts import Found
from .capacity import Charge, LaneKey, Taken
from .costs import Sized
from .model import Who
from .sizing import Request

__all__ = ["Drawn", "GrantRequest", "Granted", "Running", "Ticket"]


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
    spare: int = 0
    """So many more like it may be held on top, as far as there is plenty of everything."""


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
    output_tokens: int | None = None
    """How long an answer may get before it is larger than such calls have been lately; None where nothing is known of
    them, or the call's own limit keeps it below that."""

    @property
    def amount(self) -> Decimal:
        """What is held in all."""
        return self.each * self.calls


class Drawn(NamedTuple):
    """What a call drew from its lane and from its tenant's turn."""

    lane: LaneKey
    taken: Taken
    charge: Charge


@dataclass(slots=True)
class Running:
    """A grant's calls: what is needed to settle them and to learn. `call` is what was let go, degraded perhaps."""

    asked: GrantRequest
    call: Request
    sized: Sized
    calls: int
    """For how many it was granted: those that were asked for, and spare ones."""
    began_at: float
    drawn: Drawn | None = None
    """What it drew from its lane and its tenant's turn; None for one that was read from the journal."""
    begun: int = 0
    """How many of its calls on their way the task's tree was told of. Of spare ones it is told as they end."""
    ended: int = 0
    """Has a bit for the number of each call that was told to have ended."""
    extended: dict[int, Sized] = field(default_factory=dict)
    """The holds that have a size of their own, by number."""

    def size_of(self, number: int) -> Sized:
        """What is held for the call of this number."""
        return self.extended.get(number, self.sized) if self.extended else self.sized


@dataclass(slots=True, eq=False)
class Ticket:
    """A request on its way: answered once, with a decision and, where that allows the call, a grant.

    A ticket that nobody attends keeps its place for a while but is not served: a hold for it could be lost.
    """

    request: GrantRequest
    asked_at: float
    attended: bool = True
    left_at: float = 0.0
    answered_at: float = 0.0
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
