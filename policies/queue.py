"""The queue: requests that wait for room, for a provider's capacity and for their turn; and when to try again.

What waits keeps its place while somebody waits for the answer, and for a few seconds after; what was answered is kept
for a while, since asking again gets the same answer. Times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from .accounts import Accounts
from .admission import Drawn, GrantRequest, Running, Ticket
from .capacity import Backlog, FairOrder, Lanes, Reported, RetryBudgets, Turn
from .costs import Costs
from .meters import Meter
from .model import Who
from .sizing import Request

__all__ = ["Queue", "Retry", "drop_first"]

_PLACE_KEPT_S = 10.0
# For so long asking again gets the same answer.
_ANSWER_KEPT_S = 120.0

T = TypeVar("T")


class Retry(NamedTuple):
    """Whether a throttled call may be tried again, when (seconds from now), and why (not)."""

    allowed: bool
    after_s: float
    reason: str


@dataclass(slots=True)
class Queue:
    """All that waits in one engine. Meters are told of by identity: who waits for one is tried when it moves."""

    accounts: Accounts
    costs: Costs
    pending: dict[str, Ticket] = field(default_factory=dict)
    lanes: Lanes = field(default_factory=Lanes)
    order: FairOrder[Ticket] = field(default_factory=FairOrder)
    retries: RetryBudgets = field(default_factory=RetryBudgets)
    _answered: dict[str, Ticket] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._declare()

    def ticket(self, request: GrantRequest, now: float) -> Ticket:
        """The ticket of a request: the one that it has, answered perhaps, or a new one that waits from now on."""
        answered = self._answered.get(request.id)
        if answered is not None:
            return answered
        ticket = self.pending.get(request.id)
        if ticket is None:
            if request.attempt == 1:
                self.retries.ask((request.who.tenant, request.who.workload), 1, now)
            ticket = self.pending[request.id] = Ticket(request, now)
        ticket.attended = True
        self._line_up(ticket, now)
        return ticket

    def asked(self, request_id: str) -> GrantRequest | None:
        """What was asked under this id, as long as asking again gets the same answer."""
        ticket = self._answered.get(request_id) or self.pending.get(request_id)
        return None if ticket is None else ticket.request

    def leave(self, request_id: str, now: float) -> None:
        """Nobody waits for this request's answer any more; its place is kept for a few seconds."""
        ticket = self.pending.get(request_id)
        if ticket is not None:
            ticket.attended, ticket.left_at, ticket.on_answer = False, now, None
            self.order.discard(request_id, now)

    def turns(self, now: float) -> Iterator[Turn[Ticket]]:
        """Whoever may be tried now, in the order of tiers and fair shares, as far as lanes have room."""
        if not self.pending:
            return
        for turn in self.order.turns(now):
            lane = self.lanes.get(turn.lane)
            if lane is None or lane.admits(now, turn.tier):
                yield turn

    def answering(self, ticket: Ticket, now: float) -> None:
        """It waits no longer."""
        ticket.answered_at = now
        del self.pending[ticket.request.id]
        self._answered[ticket.request.id] = ticket

    def go(
        self, request: GrantRequest, call: Request, calls: int, tokens: int, turn: Turn[Ticket], now: float
    ) -> Drawn:
        """Calls go, and are expected to take so many tokens in all. A degraded one goes in the lane of its stand-in."""
        who, key = request.who, self.lanes.key(call.provider, call.model)
        taken = self.lanes.opened(key).take(tokens, now, who.tier, who.tenant, calls)
        return Drawn(key, taken, turn.serve(tokens, calls))

    def is_missed(self, request: GrantRequest, meters: Iterable[Meter]) -> bool:
        """Whether anybody beside this request, whose turn it is, waits for its lane or for one of these meters."""
        call = request.call
        lane = self.lanes.key(call.provider, call.model)
        return self.order.waiting_for(lane) > 1 or self.order.anybody_at(map(id, meters))

    def spare(self, request: GrantRequest, tokens: int, now: float) -> int | None:
        """How many calls of so many tokens a lane has to spare for its tenant; None where it is not limited."""
        who, call = request.who, request.call
        lane = self.lanes.get(self.lanes.key(call.provider, call.model))
        if lane is None:
            return None
        return lane.spare(who.tenant, who.tier, tokens, now, self.accounts.policies.weight)

    def attempted(self, running: Running, now: float) -> None:
        """A call of a grant for several was made, without having been asked for by itself."""
        who = running.asked.who
        self.retries.ask((who.tenant, who.workload), 1, now)

    def ended(self, running: Running, tokens: int, calls: int, now: float) -> None:
        """So many calls of a grant have ended, and took so many tokens."""
        if running.drawn is not None:
            running.drawn.charge.settle(tokens, calls)
            self.lanes.opened(running.drawn.lane).settle(running.drawn.taken, tokens, now, calls)

    def reported(self, running: Running, said: Reported) -> None:
        """A provider's answer said what it allows."""
        if running.drawn is not None:
            self.lanes.opened(running.drawn.lane).reports(said, running.began_at)

    def throttled(
        self,
        running: Running,
        lease: str,
        retry_after_s: float,
        said: Reported | None,
        jitter: float,
        now: float,
    ) -> Retry:
        """A provider answered 429: nothing goes there before it says so, and whoever asks comes back at another moment.

        `jitter` in [0, 1) spreads those moments.
        """
        asked, call = running.asked, running.call
        key = self.lanes.key(call.provider, call.model)
        lane = self.lanes.opened(key)
        lane.throttled(now, retry_after_s, said, running.began_at)
        verdict = self.retries.ask((asked.who.tenant, asked.who.workload), asked.attempt + 1, now)
        if verdict.allowed:
            at = lane.retry_at(lease, now, tokens=running.sized.sizes.tokens.mean, jitter=jitter)
        else:
            # Who does not come back takes no slot from those who do.
            at = lane.next_at(now, asked.who.tier)
        return Retry(verdict.allowed, max(0.0, at - now), verdict.reason)

    def share(self, who: Who, now: float) -> float | None:
        """Tokens a minute that a tenant may use in its tier of a lane; None where none is named, or it is unlimited."""
        if who.provider is None or who.model is None:
            return None
        key = self.lanes.key(who.provider, who.model)
        lane = self.lanes.get(key)
        if lane is None:
            return None

        def waiting() -> Iterable[Backlog]:
            return (waits for waits in self.order.backlog() if waits.lane == key)

        return lane.share(who.tenant, who.tier, now, waiting, self.accounts.policies.weight)

    def next_at(self, request: GrantRequest, now: float) -> float:
        """When the lane of a request has room at the earliest."""
        lane = self.lanes.get(self.lanes.key(request.call.provider, request.call.model))
        return lane.next_at(now, request.who.tier) if lane is not None else now

    def wake(self, meters: Iterable[Meter], now: float) -> None:
        """Something moved there: the first who waits for each may be tried."""
        if self.pending:
            self.order.wake(map(id, meters), now)

    def replace(self, now: float) -> None:
        """The policies are others: so may be lanes, weights, and what counts a request."""
        self._declare()
        for ticket in self.pending.values():
            self.order.discard(ticket.request.id, now)
            if ticket.attended:
                self._line_up(ticket, now)

    def tidy(self, now: float) -> None:
        """Forget what is of no use any more."""
        over = [i for i, t in self.pending.items() if not t.attended and now - t.left_at > _PLACE_KEPT_S]
        for request_id in over:
            del self.pending[request_id]
        drop_first(self._answered, lambda each: each.answered_at < now - _ANSWER_KEPT_S)
        self.lanes.tidy(now)
        self.order.tidy()
        self.retries.tidy(now)

    def _declare(self) -> None:
        policies = self.accounts.policies
        self.lanes.declare(policies.capacity, policies.tier_weights)

    def _line_up(self, ticket: Ticket, now: float) -> None:
        """Let it wait, in its old place."""
        request = ticket.request
        who, call = request.who, request.call
        ticket.found = self.accounts.of(who, request.budgets, now)
        self.order.add(
            request.id, ticket, lane=self.lanes.key(call.provider, call.model), tier=who.tier, tenant=who.tenant,
            at=ticket.asked_at, weight=self.accounts.policies.weight(who.tenant),
            tokens=self.costs.sized(who, call, now).sizes.tokens.mean * request.calls,
            accounts=map(id, ticket.found.meters),
        )  # fmt: skip


def drop_first(entries: dict[str, T], is_old: Callable[[T], bool]) -> None:
    """Drop what is old from the front of a dict that is in the order of time."""
    while entries:
        key, first = next(iter(entries.items()))
        if not is_old(first):
            break
        del entries[key]
