"""Leases: what becomes of calls that were granted. They are held, extended, settled or given back, or time is up.

A grant for many calls has a hold for each, which ends by itself. Of calls that were asked for one by one the task's
tree is told as they begin; of those that a grant holds beside them as they end, since nobody knows before whether they
will be made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from analytics.projection.runaways import Runaway
from switchgear.usage import Usage

from .admission import Running
from .book import Amount, BookedCall, Counters, Grant, Sizes, grant_of
from .capacity import Reported
from .costs import Costs
from .meters import Meter
from .model import Unit, Who
from .queue import Queue, Retry
from .records import Extended, Record, Released, Settled
from .settlements import Settlement, Unbooked
from .trees import Trees

__all__ = ["LEASE_S", "Leases"]

LEASE_S = 300.0
"""So long a hold lasts without a word of its call."""


@dataclass(slots=True)
class Leases:
    """All grants of one engine. `moved` is called with the meters in which something was spent or given back.

    None of the verbs lets calls go that may fit now: whoever ends several does that once, after them (`Engine.ended`).
    """

    book: Counters
    costs: Costs
    queue: Queue
    trees: Trees
    unbooked: Unbooked
    records: list[Record]
    moved: Callable[[Iterable[Meter], float], None]
    running: dict[str, Running] = field(default_factory=dict)
    ran_away: list[tuple[Who, Runaway]] = field(default_factory=list)
    """Tasks that were found to have run away, until somebody acts on it."""

    def tenant_of(self, grant_id: str) -> str | None:
        """For whom calls were granted; None for a grant that is not known or was forgotten."""
        running = self.running.get(grant_id)
        if running is not None:
            return running.asked.who.tenant
        grant = self.book.find(grant_id)
        return None if grant is None else grant.who.tenant

    def hold(self, grant: Grant, running: Running, now: float) -> None:
        """Count a grant that was given."""
        self.book.hold(grant, now)
        self.running[grant.id] = running
        if running.asked.calls == 1:
            self._began(running, now)

    def settle(
        self, lease: str, model: str | None, usage: Usage | None, now: float, response_id: str | None = None
    ) -> bool:
        """A granted call ended with this usage (None: unknown). False where the lease is not held (any more)."""
        grant_id, number = grant_of(lease)
        running = self.running.get(grant_id)
        known = running or self.book.find(grant_id)
        if known is None or not 0 < number <= known.calls:
            return False
        amount = Amount(None, None)
        if running is not None and not running.ended >> number & 1:
            running.ended |= 1 << number
            if number > 1:
                # The first one counted when it was asked for.
                self.queue.attempted(running, now)
            if usage is not None:
                answered, sized = model or running.call.model, running.size_of(number)
                amount = self.costs.settled(running.asked.who, running.call, sized, answered, usage, now)
                self.queue.ended(running, usage.total, 1, now)
        record = Settled(now, lease, model, usage, response_id, *amount)
        settled = self.settled(record, running)
        if settled:
            self.records.append(record)
        return settled

    def settled(self, record: Settled, running: Running | None) -> bool:
        """Count a call that ended, and expect its booking. False where it is counted already."""
        grant_id, _ = grant_of(record.lease)
        touched = self.book.settle(record.lease, Amount(record.money, record.tokens), record.at)
        if running is not None and running.calls == 1:
            self.running.pop(grant_id, None)
        if touched is None:
            return False
        self.moved(touched, record.at)
        if running is not None:
            self._ended(running, record.money, record.at)
            model = record.model or running.call.model
            self.unbooked.add(
                Settlement(
                    record.lease, running.asked, model, record.usage, record.response_id,
                    running.began_at, record.at,
                )
            )  # fmt: skip
        return True

    def release(self, lease: str, now: float, calls: int | None = None) -> bool:
        """Granted calls were not made, or not billed (None: all that are left). False as in `settle`.

        They are counted, not named; but for a single one with its number, which is given back once, however often that
        is said.
        """
        grant_id, number = grant_of(lease)
        running, held = self.running.get(grant_id), self.book.find(grant_id)
        if held is None or not held.left:
            return False
        # Which are left depends on what was booked by then; an engine that starts again reads that later.
        named = number if calls == 1 else 0
        calls, apart = held.to_give_back(calls, number)
        if not calls:
            return False
        record = Released(now, grant_id, calls, apart, named)
        if running is not None:
            self.queue.ended(running, 0, calls, now)
        self.released(record)
        self.records.append(record)
        self.moved(held.meters, now)
        return True

    def released(self, record: Released) -> None:
        """Give holds back."""
        held, running = self.book.find(record.grant), self.running.get(record.grant)
        if held is None:
            return
        calls = held.left if record.calls is None else record.calls
        self.book.release(held.id, calls, record.apart, record.named)
        if running is not None:
            self._cut(held, running, record.at)

    def throttled(
        self, lease: str, now: float, retry_after_s: float, said: Reported | None,
        calls: int | None = None, *, jitter: float = 0.0,
    ) -> Retry | None:  # fmt: skip
        """A provider answered 429, unbilled: give holds back and say when to try again. None where it is unknown.

        `retry_after_s` is what the provider said; `jitter` in [0, 1) spreads those who come back.
        """
        running = self.running.get(grant_of(lease)[0])
        retry = None
        if running is not None:
            retry = self.queue.throttled(running, lease, retry_after_s, said, jitter, now)
        return retry if self.release(lease, now, calls) else None

    def reported(self, lease: str, said: Reported) -> None:
        """The answer to a granted call said what its provider allows."""
        running = self.running.get(grant_of(lease)[0])
        if running is not None:
            self.queue.reported(running, said)

    def extend(self, lease: str, output_tokens: int, now: float) -> bool:
        """Hold more for a call that runs longer than was held for, if it fits; its time begins anew either way.

        `output_tokens` is what the answer may yet come to in all. False where the ceilings do not leave that (or the
        lease is not held): the call should end within what it has.
        """
        grant_id, number = grant_of(lease)
        grant, running = self.book.find(grant_id), self.running.get(grant_id)
        if grant is None or running is None or not grant.holds(number):
            return False
        call = replace(running.call, max_output_tokens=output_tokens)
        wanted = self.costs.sized(running.asked.who, call, now, worst_case=True)
        fits = _fits_in_place_of(grant.sizes_of(number), wanted.sizes, grant.meters, now)
        sized = wanted if fits else running.size_of(number)
        record = Extended(now, grant_id, sized, now + LEASE_S, number)
        self.extended(record, grant, running)
        self.records.append(record)
        self.moved(grant.meters, now)
        return fits

    def extended(self, record: Extended, grant: Grant, running: Running) -> None:
        """Hold the call of this number at another size, and all of the grant for longer."""
        number = record.number
        if record.sized != running.size_of(number) and grant.holds(number):
            self.book.resize(grant, number, record.sized.sizes, record.at)
            running.extended[number] = record.sized
        self.book.prolong(grant, record.expires_at)

    def booked(
        self, call: BookedCall, meters: tuple[Meter, ...], amount: Amount, ended_at: float, now: float
    ) -> None:
        """Count a call as the ledger has it, in place of what it was held or settled for."""
        grant_id, number = grant_of(call.lease or "")
        grant, running = self.book.find(grant_id), self.running.get(grant_id)
        unsettled = grant is not None and running is not None and grant.may_end(number)
        if call.lease is not None:
            self.unbooked.drop([call.lease])
        elif not self.book.has(call.key):
            # A held call is told of when it begins or ends.
            self._told(call.who, self.trees.called(call.who, call.task_id, 0, ended_at))
            self.trees.ended(call.who, call.task_id, amount.money, 0, ended_at)
        self.book.book(call.key, call.lease, call.who, meters, amount, ended_at, now)
        if unsettled and running is not None:
            self._ended(running, amount.money, ended_at)
        self.moved(meters, now)

    def expire(self, now: float) -> None:
        """Give back what is left of the grants whose time is over."""
        for grant in self.book.expire(now):
            running = self.running.get(grant.id)
            if running is not None:
                self._cut(grant, running, now)
            self.moved(grant.meters, now)

    # -- the task's tree

    def _began(self, running: Running, now: float) -> None:
        """A call of a tree begins."""
        running.begun += 1
        asked, expected = running.asked, running.sized.sizes.money.mean
        self._told(asked.who, self.trees.called(asked.who, asked.task_id, expected, now))

    def _ended(self, running: Running, cost: int | None, now: float) -> None:
        """A call of a tree ended; one whose cost is not known is taken to have cost what was expected."""
        if not running.begun:
            self._began(running, now)
        running.begun -= 1
        asked, expected = running.asked, running.sized.sizes.money.mean
        self.trees.ended(asked.who, asked.task_id, expected if cost is None else cost, expected, now)

    def _cut(self, grant: Grant, running: Running, now: float) -> None:
        """Fewer calls are left than the tree was told of: they were not made, or not billed."""
        while running.begun > grant.left:
            running.begun -= 1
            asked = running.asked
            self.trees.ended(asked.who, asked.task_id, None, running.sized.sizes.money.mean, now)

    def _told(self, who: Who, found: Runaway | None) -> None:
        if found is not None and who.task is not None:
            self.ran_away.append((who, found))


def _fits_in_place_of(before: Sizes, after: Sizes, meters: Iterable[Meter], now: float) -> bool:
    """Whether one hold may have another size, at the bounds of all in flight: it was let go for less."""
    for meter in meters:
        old, new = (before.money, after.money) if meter.unit is Unit.MONEY else (before.tokens, after.tokens)
        room = min(meter.room(now))
        if meter.bounds - old.bound + new.bound > room:
            return False
    return True
