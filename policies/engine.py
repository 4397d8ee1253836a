"""The engine: books calls, grants money, moves breakers, decides. In memory, one thread, no I/O; `now` is an argument.

`now` is seconds since the epoch. What the engine wants written down it leaves in `outbox` (transitions, for people) and
in `records` (grants and what became of them, for the engine that starts after this one).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from analytics.projection.runaways import Runaway
from switchgear.decision import Action, Caps, Decision
from switchgear.usage import Usage

from .accounts import Accounts
from .admission import Granted, GrantRequest, Running, Ticket
from .book import REPLACEABLE_S, Amount, Book, BookedCall, Grant, lease_of
from .breaker import State
from .by_hand import ByHand
from .capacity import Turn
from .costs import Costs, Price
from .gate import Refusal, Wait
from .judge import Judge, Said, Verdict, Way
from .ladder import stand, throttle_rate
from .leases import LEASE_S, Leases
from .meters import Meter
from .model import PolicySet, Unit, Who
from .model import Runaway as OnRunaway
from .queue import Queue, drop_first
from .records import Held, Record
from .settlements import Unbooked
from .sizing import Request
from .spares import spare_calls
from .transitions import Transition
from .units import atoms, decimal
from .watch import Watch

__all__ = ["BookedCall", "Engine", "Price"]

_UNREADY_RETRY_S = 1.0
# A task may wait for a person for days; what it spent must still be known then.
_TASK_IDLE_S = 7 * 86400.0
# So many decisions are remembered, for those who ask later why.
_REMEMBERED = 10_000


@dataclass(slots=True)
class Engine:
    """Counters, breakers and the queue of one policy set."""

    policies: PolicySet
    price: Price
    book: Book = field(default_factory=Book)
    unbooked: Unbooked = field(default_factory=Unbooked)
    records: list[Record] = field(default_factory=list)
    costs: Costs = field(init=False)
    accounts: Accounts = field(init=False)
    watch: Watch = field(init=False)
    judge: Judge = field(init=False)
    by_hand: ByHand = field(init=False)
    queue: Queue = field(init=False)
    leases: Leases = field(init=False)
    _decided: OrderedDict[str, tuple[Who, Decision]] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self.costs = Costs(self.price, self.policies.unpriced_rate)
        self.accounts = Accounts(self.policies)
        self.watch = Watch(self.accounts)
        self.judge = Judge(self.accounts, self.costs)
        self.queue = Queue(self.accounts, self.costs)
        self.leases = Leases(
            self.book, self.costs, self.queue, self.accounts.trees, self.unbooked, self.records, self._moved
        )
        self.by_hand = ByHand(self.accounts, self.watch, self.records, self._moved_by_hand)

    @property
    def outbox(self) -> list[Transition]:
        """Transitions that nobody has written down yet."""
        return self.watch.outbox

    @property
    def version(self) -> int:
        """Counts what changes decisions."""
        return self.watch.version

    def count_versions_from(self, at: float) -> None:
        """Let versions go on from the microseconds since the epoch, if they are not further.

        What counts them up by one takes longer than a microsecond: an engine that starts later goes on from a higher
        one, and of two decisions the one with the lower version is the older.
        """
        self.watch.version = max(self.watch.version, int(at * 1_000_000))

    # -- what has been spent

    def booked(self, calls: Iterable[BookedCall], now: float) -> None:
        """Take in calls from the feed; the same call again, or a richer record of it, replaces the earlier one."""
        for call in calls:
            money, tokens = call.cost, None if call.usage is None else call.usage.total
            if money is None and call.usage is not None:
                money = self.costs.unpriced(call.usage)
            meters = self.accounts.of(call.who, (), now).meters
            amount = Amount(None if money is None else atoms(money), tokens)
            self.leases.booked(call, meters, amount, min(call.ended_at, now), now)
        self.ended(now)

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
        settled = self.leases.settle(lease, model, usage, now, response_id)
        self.ended(now)
        return settled

    def release(self, lease: str, now: float, *, calls: int | None = None) -> bool:
        """Granted calls were not made, or not billed (None: all that are left). False as in `settle`."""
        released = self.leases.release(lease, now, calls)
        self.ended(now)
        return released

    def ended(self, now: float) -> None:
        """Calls have ended: see to tasks that ran away, and let those go that fit now."""
        self._see_to_runaways(now)
        self.pump(now)

    def tick(self, now: float) -> None:
        """What happens by time alone: holds expire, windows roll, breakers recover, the queue moves."""
        self.leases.expire(now)
        self.by_hand.expire(now)
        self.watch.tick(now)
        self.ended(now)

    def tidy(self, now: float) -> None:
        """Forget what is of no use any more; some seconds apart is often enough."""
        self.book.forget(now - self.horizon_s, now)
        drop_first(self.leases.running, lambda each: self.book.find(each.asked.id) is None)
        self.accounts.trees.tidy(now)
        self.watch.forget(self.accounts.drop_idle(now - _TASK_IDLE_S))
        self.queue.tidy(now)

    @property
    def horizon_s(self) -> float:
        """How far back a call may still count in some window, or be told of again."""
        # What is carried over is what the period before left unspent.
        windows = ((c.window_s or 0.0) * (2 if c.carry_over else 1) for c in self.policies.ceilings)
        longest = max(windows, default=0.0)
        return max(longest * 1.1, REPLACEABLE_S)

    # -- what may be spent

    def request(self, request: GrantRequest, now: float) -> Ticket:
        """Ask for a grant. The ticket may be answered at once, or later by `pump`; asking again gets the same one."""
        grant = self.book.find(request.id)
        if grant is not None and self.queue.asked(request.id) is None:
            return self._again(request, grant, now)
        ticket = self.queue.ticket(request, now)
        if ticket.decision is None:
            self.pump(now)
            self._see_to_runaways(now)
        return ticket

    def asked(self, request_id: str) -> GrantRequest | None:
        """What was asked under this id, as long as asking again gets the same answer."""
        running = self.leases.running.get(request_id)
        return self.queue.asked(request_id) or (None if running is None else running.asked)

    def leave(self, request_id: str, now: float) -> None:
        """Nobody waits for this request's answer any more; its place is kept for a few seconds."""
        self.queue.leave(request_id, now)

    def pump(self, now: float) -> None:
        """Answer every waiting request that can be answered, in the order of tiers and fair shares.

        Who waits for an account makes the others of its tier wait behind it there: a large call is not passed by
        small ones for ever, and a long queue is not looked at.
        """
        for turn in self.queue.turns(now):
            try:
                wait = self._try(turn, now)
            except Exception:
                # Whatever it is, the next one to come must not meet it again.
                self.queue.pending.pop(turn.item.request.id, None)
                turn.drop()
                raise
            if wait is not None:
                turn.wait(id(wait.account.meter), wait.until, shared=wait.shared)

    def waiting(self, request_id: str, now: float) -> Decision:
        """Why a request waits, as the decision `queue` or `throttle`."""
        request = self.queue.pending[request_id].request
        found = self.accounts.of(request.who, request.budgets, now)
        way = self.judge.way(request, found, self.version, now)
        if isinstance(way, Wait):
            decision = self.judge.decision(
                way.action, way.reason, self.version, now, way.account, retry_at=way.until
            )
        else:
            reason, retry_at = "waiting for the provider's capacity", self.queue.next_at(request, now)
            decision = self.judge.decision(Action.QUEUE, reason, self.version, now, None, retry_at=retry_at)
        return self._remembered(request.who, decision)

    def unready(self, now: float) -> Decision:
        """What is answered while the counters are not known: a wait."""
        reason = "the engine has started and reads again what was spent"
        return self.judge.decision(
            Action.QUEUE, reason, self.version, now, None, retry_at=now + _UNREADY_RETRY_S
        )

    def decide(self, who: Who, now: float) -> Decision:
        """What a scope may do now: the most restrictive of the ceilings that apply."""
        return self.told(who, self.verdict(who, now), now)

    def verdict(self, who: Who, now: float) -> Verdict:
        """What `decide` says, without amounts."""
        found = self.accounts.of(who, (), now)
        self.watch.refresh(found, now)
        return self.judge.verdict(who, found, self.version, now)

    def told(self, who: Who, verdict: Verdict, now: float) -> Decision:
        """A verdict as the decision that is told to `who`, and remembered."""
        decision = self.judge.told(verdict, self.version, now)
        return self._remembered(who, self._shared(decision, who, now))

    def retold(self, who: Who, decision: Decision, *, wrap_up: bool) -> Decision:
        """What was told already, told to another scope: a decision of its own, remembered too."""
        new = replace(decision, id=self.judge.new_id(self.version), wrap_up=wrap_up)
        return self._remembered(who, new)

    def explain(self, who: Who, now: float) -> list[Said]:
        """What every ceiling that counts this scope says of it, the most restrictive first."""
        found = self.accounts.of(who, (), now)
        self.watch.refresh(found, now)
        return self.judge.explain(who, found, now)

    def decided(self, decision_id: str) -> tuple[Who, Decision] | None:
        """A decision of a while ago and whom it was for; None where it is forgotten."""
        return self._decided.get(decision_id)

    # -- another policy set

    def replace(self, policies: PolicySet, now: float) -> None:
        """Take over another policy set; what was spent under a ceiling whose extent stays is kept."""
        self.policies = policies
        self.costs.unpriced_rate = policies.unpriced_rate
        self.accounts.replace(policies, now)
        self.accounts.open_windows(now)
        self.book.reassign(lambda who: self.accounts.of(who, (), now).meters, now)
        self.watch.version += 1
        self.watch.begin(now)
        self.queue.replace(now)
        self.pump(now)

    # -- inside

    def _moved_by_hand(self, now: float) -> None:
        self.queue.order.wake_all(now)
        self.pump(now)

    def _moved(self, meters: Iterable[Meter], now: float) -> None:
        """Something was held, spent or given back there: read them, and try who waits for them."""
        meters = list(meters)
        self.watch.touch(meters)
        self.queue.wake(meters, now)

    def _try(self, turn: Turn[Ticket], now: float) -> Wait | None:
        """Answer a ticket whose turn it is, or say what it waits for."""
        ticket = turn.item
        request = ticket.request
        ticket.found = self.accounts.of(request.who, request.budgets, now)
        self.watch.refresh(ticket.found, now)
        way = self.by_hand.stopped(request) or self.judge.way(request, ticket.found, self.version, now)
        if isinstance(way, Wait):
            return way
        self.queue.answering(ticket, now)
        if isinstance(way, Way):
            decision = self._shared(way.decision, request.who, now)
            ticket.answer(self._remembered(request.who, decision), self._grant(request, way, turn, now))
        else:
            turn.drop()
            ticket.answer(self._remembered(request.who, self._refuse(way, now)))
        return None

    def _grant(self, request: GrantRequest, way: Way, turn: Turn[Ticket], now: float) -> Granted:
        sizes, who = way.sized.sizes, self.counted_as(request, way.call)
        calls = request.calls + spare_calls(request, way, self.queue, self.accounts.trees, now)
        grant = Grant(request.id, who, way.found.meters, sizes, calls, calls, now + LEASE_S)
        drawn = self.queue.go(request, way.call, calls, sizes.tokens.mean * calls, turn, now)
        self.leases.hold(grant, Running(request, way.call, way.sized, calls, now, drawn), now)
        self.watch.touch(grant.meters)
        self.records.append(Held(now, request, way.call, way.sized, grant.expires_at, calls))
        for account in way.found.accounts:
            if account.state is State.THROTTLED:
                size = sizes.money if account.ceiling.unit is Unit.MONEY else sizes.tokens
                pace = size.mean * calls / throttle_rate(account, stand(account, now))
                account.paced_until = max(account.paced_until, now) + pace
        return self._granted(grant)

    def _granted(self, grant: Grant) -> Granted:
        sizes = grant.sizes
        return Granted(
            grant.id,
            lease_of(grant.id, 1),
            grant.calls,
            decimal(sizes.money.mean),
            decimal(sizes.money.bound),
            self.policies.currency,
            grant.expires_at,
            self._usual_output(grant),
        )

    def _usual_output(self, grant: Grant) -> int | None:
        running = self.leases.running.get(grant.id)
        if running is None:
            return None
        who, call = running.asked.who, running.call
        usual = self.costs.seen.usual_output((who.tenant, who.workload), call.model)
        wanted = call.max_output_tokens
        return None if usual is None or (wanted is not None and wanted <= usual) else usual

    def _again(self, request: GrantRequest, grant: Grant, now: float) -> Ticket:
        """The answer to a request that was granted: the first one was lost, with the engine that gave it perhaps."""
        ticket, running = Ticket(request, now), self.leases.running.get(grant.id)
        if grant.who.tenant != request.who.tenant:
            ticket.answer(self._refuse(Refusal(None, f"the id {request.id} was used before"), now))
            return ticket
        caps = Caps()
        if running is not None and running.call != request.call:
            degraded = running.call.model != request.call.model
            caps = Caps(running.call.model if degraded else None, running.call.max_output_tokens)
        action = Action.ALLOW if caps.model is None else Action.DEGRADE
        decision = self.judge.decision(action, "granted before", self.version, now, None, caps=caps)
        ticket.answer(self._remembered(request.who, decision), self._granted(grant))
        return ticket

    def counted_as(self, request: GrantRequest, call: Request) -> Who:
        """For whom and as what a call counts: a degraded one counts as the model that stands in."""
        who = request.who
        return who if who.model == call.model else replace(who, model=call.model, provider=call.provider)

    def _see_to_runaways(self, now: float) -> None:
        while self.leases.ran_away:
            self._ran_away(*self.leases.ran_away.pop(0), now)

    def _ran_away(self, who: Who, found: Runaway, now: float) -> None:
        if who.task is None:
            return
        self.watch.ran_away(who, str(found), now)
        workload = self.policies.workload(who.tenant, who.workload)
        if workload is not None and workload.runaway is OnRunaway.STOP:
            self.by_hand.stop_task(who.tenant, who.task, "engine", str(found), now)

    def _refuse(self, refusal: Refusal, now: float) -> Decision:
        if refusal.account is not None and refusal.trips:
            refusal.account.gate_refused = True
            self.watch.read(refusal.account, now)
        wrap_up = refusal.account is None or refusal.account.ceiling.per_task
        return self.judge.decision(
            Action.DENY, refusal.reason, self.version, now, refusal.account, wrap_up=wrap_up
        )

    def _shared(self, decision: Decision, who: Who, now: float) -> Decision:
        """With what the tenant may use of a limited provider."""
        share = self.queue.share(who, now)
        return decision if share is None else replace(decision, share=share)

    def _remembered(self, who: Who, decision: Decision) -> Decision:
        caching = self.policies.caching.of(who.tenant, who.workload)
        if caching is not None:
            decision = replace(decision, cache=caching.document)
        self._decided[decision.id] = (who, decision)
        if len(self._decided) > _REMEMBERED:
            self._decided.popitem(last=False)
        return decision
