"""The engine: books calls, grants money, moves breakers, decides. In memory, one thread, no I/O; `now` is an argument.

`now` is seconds since the epoch. What the engine wants written down (transitions) it leaves in `outbox`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal

from switchgear.decision import Action, Caps, Decision
from switchgear.tier import Tier
from switchgear.usage import Usage

from .accounts import Accounts, Forced
from .admission import FairOrder, Grant, GrantRequest, Ticket
from .book import Account, Book
from .breaker import State, next_state
from .capacity import Lane
from .gate import Refusal, Wait, check, restriction, stand_in
from .ladder import Stand, action, stand, throttle_rate, why
from .model import PolicySet, Who
from .settlements import Settlement, Unbooked
from .sizing import CallSizes, Request
from .transitions import Transition

__all__ = ["BookedCall", "Engine", "Price"]

# (provider, model, usage, at) -> cost, None where there is no price.
Price = Callable[[str | None, str | None, Usage, datetime], Decimal | None]

_LEASE_S = 300.0
_VALID_S = 30.0
_PLACE_KEPT_S = 10.0
_MILLION = Decimal(1_000_000)
# A task may wait for a person for days; what it spent must still be known then.
_TASK_IDLE_S = 7 * 86400.0
# For how long a richer record of a call replaces the earlier one rather than adding to it.
_REPLACEABLE_S = 86400.0


@dataclass(frozen=True, slots=True)
class BookedCall:
    """What the engine needs of a call in the collector's feed; `cost` is None for an unpriced or incomplete one."""

    key: str
    who: Who
    usage: Usage | None
    cost: Decimal | None
    ended_at: float
    lease: str | None


@dataclass(slots=True)
class _Running:
    """A granted call: what is needed to settle it and to learn from it. `call` is what was let go, degraded perhaps."""

    asked: GrantRequest
    call: Request
    bound: Decimal
    tokens: int
    began_at: float


@dataclass(frozen=True, slots=True)
class _Way:
    """A request may go: as this call (a degraded one, perhaps), counted in these accounts."""

    decision: Decision
    call: Request
    accounts: tuple[Account, ...]


@dataclass(slots=True)
class Engine:
    """Counters, breakers and the queue of one policy set."""

    policies: PolicySet
    price: Price
    book: Book = field(default_factory=Book)
    unbooked: Unbooked = field(default_factory=Unbooked)
    sizes: CallSizes = field(default_factory=CallSizes)
    outbox: list[Transition] = field(default_factory=list)
    version: int = 1
    pending: dict[str, Ticket] = field(default_factory=dict)
    accounts: Accounts = field(init=False)
    lanes: dict[str, Lane] = field(default_factory=dict)
    order: FairOrder = field(default_factory=FairOrder)
    _running: dict[str, _Running] = field(default_factory=dict)
    _answered: dict[str, Ticket] = field(default_factory=dict)
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.accounts = Accounts(self.policies)
        self.lanes = {capacity.provider: Lane(capacity) for capacity in self.policies.capacity}

    # -- what has been spent

    def booked(self, calls: Iterable[BookedCall], now: float) -> None:
        """Take in calls from the feed; the same call again, or a richer record of it, replaces the earlier one."""
        touched: dict[int, Account] = {}
        for call in calls:
            cost = call.cost
            if cost is None and call.usage is not None:
                cost = self._unpriced(call.usage)
            if call.lease is not None:
                self.unbooked.drop([call.lease])
            accounts = self.accounts.of(call.who, (), now)
            self.book.book(call.key, call.lease, call.who, accounts, cost, call.ended_at, now)
            touched.update((id(account), account) for account in accounts)
        self._move(touched.values(), now)
        self.pump(now)

    def settle(
        self,
        lease: str,
        model: str | None,
        usage: Usage | None,
        now: float,
        *,
        response_id: str | None = None,
    ) -> bool:
        """A granted call ended with this usage (None: unknown). False where the lease is not held (any more)."""
        running = self._running.pop(lease, None)
        cost = None
        if running is not None and usage is not None:
            call, who = running.call, running.asked.who
            cost = self._cost(call.provider, model or call.model, usage, now)
            share = float(cost / running.bound) if running.bound else 1.0
            self.sizes.learn((who.tenant, who.workload), call, usage, share)
            if lane := self.lanes.get(call.provider):
                lane.correct(running.tokens - usage.total)
        touched = self.book.settle(lease, cost, now)
        if touched is None:
            return False
        if running is not None:
            answered = model or running.call.model
            self.unbooked.add(
                Settlement(lease, running.asked, answered, usage, response_id, running.began_at, now)
            )
        self._move(touched, now)
        self.pump(now)
        return True

    def release(self, lease: str, now: float, *, throttled_for_s: float | None = None) -> bool:
        """A granted call was not billed. `throttled_for_s` is the provider's Retry-After on a 429."""
        running = self._running.pop(lease, None)
        if running is not None and (lane := self.lanes.get(running.call.provider)):
            if throttled_for_s is None:
                lane.correct(running.tokens)
            else:
                lane.throttled(now, throttled_for_s)
        touched = self.book.release(lease, now)
        if touched is None:
            return False
        self._move(touched, now)
        self.pump(now)
        return True

    def tick(self, now: float) -> None:
        """What happens by time alone: holds expire, windows roll, breakers recover, the queue moves."""
        self.book.expire(now)
        for name, forced in list(self.accounts.forced.items()):
            if forced.until is not None and now >= forced.until:
                self.force({name}, None, "engine", "the time it was forced for is over", None, now)
        self._move(self.accounts.windows(), now)
        self.pump(now)

    def tidy(self, now: float) -> None:
        """Forget what is of no use any more; some seconds apart is often enough."""
        longest = max((c.window_s or 0.0 for c in self.policies.ceilings), default=0.0)
        self.book.forget(now - max(longest, _REPLACEABLE_S))
        for lease in [lease for lease in self._running if not self.book.knows(lease)]:
            del self._running[lease]
        self.accounts.drop_idle(now - _TASK_IDLE_S)
        for request_id in [
            i for i, t in self.pending.items() if not t.attended and now - t.left_at > _PLACE_KEPT_S
        ]:
            del self.pending[request_id]
        for request_id in [i for i, t in self._answered.items() if now - t.asked_at > _LEASE_S]:
            del self._answered[request_id]

    # -- what may be spent

    def request(self, request: GrantRequest, now: float) -> Ticket:
        """Ask for a grant. The ticket may be answered at once, or later by `pump`; asking again gets the same one."""
        answered = self._answered.get(request.id)
        if answered is not None:
            return answered
        if request.id not in self.pending:
            accounts = tuple(self.accounts.of(request.who, request.budgets, now))
            self.pending[request.id] = Ticket(request, now, accounts=accounts)
        ticket = self.pending[request.id]
        ticket.attended = True
        self.pump(now)
        return ticket

    def asked(self, request_id: str) -> GrantRequest | None:
        """What was asked under this id, as long as asking again gets the same answer."""
        ticket = self._answered.get(request_id) or self.pending.get(request_id)
        return None if ticket is None else ticket.request

    def tenant_of(self, lease: str) -> str | None:
        """For whom a call was granted; None for one that is not known or was forgotten."""
        running = self._running.get(lease)
        return self.book.tenant(lease) if running is None else running.asked.who.tenant

    def leave(self, request_id: str, now: float) -> None:
        """Nobody waits for this request's answer any more; its place is kept for a few seconds."""
        ticket = self.pending.get(request_id)
        if ticket is not None:
            ticket.attended, ticket.left_at, ticket.on_answer = False, now, None

    def pump(self, now: float) -> None:
        """Answer every waiting request that can be answered, in the order of tiers and fair shares.

        Who waits for an account makes the others of its tier wait behind it there: a large call is not passed by
        small ones for ever, and a long queue costs no more than its length.
        """
        full: set[str] = set()
        blocked: set[tuple[Tier, int]] = set()
        for ticket in self.order.arrange((t for t in self.pending.values() if t.attended), now):
            provider, tier = ticket.request.call.provider, ticket.request.who.tier
            if provider in full or any((tier, id(account)) in blocked for account in ticket.accounts):
                continue
            lane = self.lanes.get(provider)
            if lane is not None and not lane.admits(now):
                full.add(provider)
                continue
            try:
                wait = self._try(ticket, lane, now)
            except Exception:
                # Whatever it is, the next one to come must not meet it again.
                self.pending.pop(ticket.request.id, None)
                raise
            if wait is not None:
                blocked.add((tier, id(wait.account)))

    def waiting(self, request_id: str, now: float) -> Decision:
        """Why a request waits, as the decision `queue` or `throttle`."""
        ticket = self.pending[request_id]
        accounts = tuple(self.accounts.of(ticket.request.who, ticket.request.budgets, now))
        way = self._way(ticket.request, accounts, now)
        if isinstance(way, Wait):
            return self._decision(way.action, way.reason, now, way.account, retry_at=way.until)
        lane = self.lanes.get(ticket.request.call.provider)
        retry_at = lane.next_at(now) if lane else now
        return self._decision(
            Action.QUEUE, "waiting for the provider's capacity", now, None, retry_at=retry_at
        )

    def decide(self, who: Who, now: float) -> Decision:
        """What a scope may do now: the most restrictive of the ceilings that apply."""
        worst: tuple[int, Action, Account, Stand] | None = None
        for account in self.accounts.of(who, (), now):
            if account.ceiling.shadow:
                continue
            at = stand(account, now)
            act = action(account, at.step, who.tier)
            if worst is None or act.severity > worst[0]:
                worst = (act.severity, act, account, at)
        if worst is None:
            return self._decision(Action.ALLOW, "no ceiling applies", now, None)
        _, act, account, at = worst
        return self._decision(act, why(account, at.step), now, account)

    # -- by hand

    def force(
        self,
        ceilings: Collection[str],
        state: State | None,
        by: str,
        reason: str,
        until: float | None,
        now: float,
    ) -> None:
        """Force the breakers of these ceilings open, disable them, or (None) give them back.

        Tasks that begin later are forced too.
        """
        for name in ceilings:
            if state is None:
                self.accounts.forced.pop(name, None)
            else:
                self.accounts.forced[name] = Forced(state, until, reason)
        for account in self.accounts:
            if account.ceiling.name in ceilings:
                self._transit(account, state or State.CLOSED, reason, by, stand(account, now), now)
        self.pump(now)

    def replace(self, policies: PolicySet, now: float) -> None:
        """Take over another policy set; what was spent under a ceiling whose extent stays is kept."""
        self.accounts.replace(policies)
        self.accounts.open_windows(now)
        self.policies = policies
        lanes = {c.provider: self.lanes.get(c.provider) for c in policies.capacity}
        self.lanes = {c.provider: lanes[c.provider] or Lane(c) for c in policies.capacity}
        for capacity in policies.capacity:
            self.lanes[capacity.provider].capacity = capacity
        self.version += 1
        self.book.reassign(lambda who: self.accounts.of(who, (), now), now)
        self._move(self.accounts, now)
        self.pump(now)

    # -- inside

    def _try(self, ticket: Ticket, lane: Lane | None, now: float) -> Wait | None:
        """Answer a ticket, or say what it waits for."""
        request = ticket.request
        ticket.accounts = tuple(self.accounts.of(request.who, request.budgets, now))
        way = self._way(request, ticket.accounts, now)
        if isinstance(way, Wait):
            return way
        del self.pending[request.id]
        self._answered[request.id] = ticket
        if isinstance(way, Refusal):
            ticket.answer(self._refuse(way, now))
            return None
        call = way.call
        workload = (request.who.tenant, request.who.workload)
        bound = self._bound(request.who, call, now)
        share = Decimal(str(round(self.sizes.expected_share(workload, call.model), 6)))
        expected = round(bound * share, 12)
        grant = Grant(request.id, f"{request.id}:1", bound, now + _LEASE_S)
        self.book.hold(grant.lease, request.who, way.accounts, (bound, expected), now, grant.expires_at)
        tokens = self.sizes.expected_tokens(workload, call)
        if lane is not None:
            lane.take(tokens, now)
        self.order.served(call.provider, request.who.tenant, tokens, self.policies.weight(request.who.tenant))
        self._running[grant.lease] = _Running(request, call, bound, tokens, now)
        for account in way.accounts:
            if account.state is State.THROTTLED:
                pace = float(expected) / throttle_rate(account, stand(account, now), now)
                account.paced_until = max(account.paced_until, now) + pace
        ticket.answer(way.decision, grant)
        return None

    def _way(self, request: GrantRequest, accounts: tuple[Account, ...], now: float) -> _Way | Wait | Refusal:
        """What becomes of a request as far as money goes; the first refusal counts, then the first wait."""
        acting = [a for a in accounts if not a.ceiling.shadow and a.state is not State.DISABLED]
        stands = [(account, stand(account, now)) for account in acting]
        act, account = restriction(stands, request.who.tier)
        call, caps = request.call, Caps()
        if act is Action.DEGRADE:
            workload = self.policies.workload(request.who.tenant, request.who.workload)
            caps = Caps(model=stand_in(workload, request))
            call = replace(call, model=caps.model or call.model)
        bound = self._bound(request.who, call, now)
        verdicts = [check(account, at, bound, request.who.tier, now) for account, at in stands]
        for kind in (Refusal, Wait):
            for verdict in verdicts:
                if isinstance(verdict, kind):
                    return verdict
        steps = {id(held): at.step for held, at in stands}
        reason = "within every ceiling"
        if account is not None:
            reason = f"{account.ceiling.name}: {why(account, steps[id(account)])}"
        return _Way(self._decision(act, reason, now, account, caps=caps), call, accounts)

    def _refuse(self, refusal: Refusal, now: float) -> Decision:
        if refusal.trips:
            refusal.account.gate_refused = True
            self._move_one(refusal.account, now)
        return self._decision(Action.DENY, refusal.reason, now, refusal.account)

    def _bound(self, who: Who, call: Request, now: float) -> Decimal:
        return self._cost(call.provider, call.model, self.sizes.bound((who.tenant, who.workload), call), now)

    def _cost(self, provider: str, model: str, usage: Usage, now: float) -> Decimal:
        cost = self.price(provider, model, usage, datetime.fromtimestamp(now, UTC))
        return self._unpriced(usage) if cost is None else cost

    def _unpriced(self, usage: Usage) -> Decimal:
        """What a call without a price is worth to a ceiling: its tokens at the configured worst rate."""
        return self.policies.unpriced_rate * usage.total / _MILLION

    def _move(self, accounts: Iterable[Account], now: float) -> None:
        for account in accounts:
            self._move_one(account, now)

    def _move_one(self, account: Account, now: float) -> None:
        at = stand(account, now)
        if at.step is not account.step:
            account.step = at.step
            self.version += 1
        moved = next_state(account.state, account.since, at.reading(account), account.ceiling, now)
        account.gate_refused = False
        if moved is not None:
            self._transit(account, moved[0], moved[1], "engine", at, now)

    def _transit(self, account: Account, after: State, reason: str, by: str, at: Stand, now: float) -> None:
        scope = account.ceiling.scope.to_wire() | ({"task": account.task} if account.task else {})
        self.outbox.append(
            Transition(
                now, account.ceiling.name, scope, account.state.value, after.value, by, reason,
                at.spent, account.held, at.projection.total, account.ceiling.limit, self.policies.currency,
                account.ceiling.shadow,
            )
        )  # fmt: skip
        account.state, account.since, account.reason = after, now, reason
        self.version += 1

    def _decision(
        self, act: Action, reason: str, now: float, account: Account | None,
        *, caps: Caps | None = None, retry_at: float | None = None,
    ) -> Decision:  # fmt: skip
        at = stand(account, now) if account else None
        if (
            account is not None
            and act is Action.DENY
            and account.ceiling.window_s is not None
            and retry_at is None
        ):
            retry_at = max(now + 1.0, account.since + account.ceiling.cooldown_s)
        return Decision(
            id=f"d{self.version}-{next(self._ids)}",
            action=act,
            policy=account.ceiling.name if account else None,
            reason=reason,
            remaining=account.ceiling.limit - at.spent - account.held if account and at else None,
            projected=at.projection.total if at else None,
            ceiling=account.ceiling.limit if account else None,
            currency=self.policies.currency,
            caps=caps or Caps(),
            retry_after_s=None if retry_at is None else round(max(0.0, retry_at - now), 3),
            valid_until=datetime.fromtimestamp(now + _VALID_S, UTC),
            version=self.version,
            fail=account.ceiling.fail if account else "open",
        )
