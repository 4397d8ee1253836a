"""Starting again: grants, settlements, overrides, forced breakers and what was learned of sizes, from the journal.

Booked calls come from the collector's feed, read again from before the longest window began. A settled call that is
booked there too is one call, whichever is taken in first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .accounts import Forced as ForcedState
from .admission import Running
from .book import Grant, grant_of
from .breaker import State
from .engine import Engine
from .model import Override
from .records import Extended, Forced, Held, Learned, Overridden, Position, Record, Released, Settled, Stopped

__all__ = ["mattering", "restore"]


def restore(engine: Engine, records: Iterable[Record], now: float) -> int:
    """Bring the engine to where the records leave it; returns from which place of the feed on calls have to be read.

    Nothing is written down again, and nothing is decided: breakers are read at the first tick.
    """
    position, before, latest = 0, now - engine.horizon_s, 0.0
    for record in records:
        latest = max(latest, record.at)
        if isinstance(record, Position):
            position = record.seq if record.at <= before else position
        elif isinstance(record, Held):
            _held(engine, record)
        elif isinstance(record, Settled):
            _settled(engine, record)
        elif isinstance(record, Released):
            engine.leases.released(record)
        elif isinstance(record, Extended):
            _extended(engine, record)
        elif isinstance(record, Learned):
            _learned(engine, record)
        else:
            _by_hand(engine, record)
    # Whatever the clock says now.
    engine.count_versions_from(latest)
    engine.accounts.limit(now)
    engine.leases.expire(now)
    # The engine before acted on them.
    engine.leases.ran_away.clear()
    return position


def mattering(engine: Engine, now: float) -> Callable[[Record], bool]:
    """What of the journal still matters: to a grant that may be settled or booked, or as a place in the feed."""
    before = now - engine.horizon_s
    forced, overrides, stopped = (
        set(engine.accounts.forced),
        set(engine.accounts.overrides),
        set(engine.accounts.stopped),
    )

    def matters(record: Record) -> bool:
        if isinstance(record, Held):
            return engine.book.find(record.request.id) is not None
        if isinstance(record, Settled):
            return engine.book.find(grant_of(record.lease)[0]) is not None
        if isinstance(record, Released | Extended):
            return engine.book.find(record.grant) is not None
        if isinstance(record, Position):
            return record.at >= before - _POSITIONS_KEPT_S
        if isinstance(record, Forced):
            return not forced.isdisjoint(record.ceilings)
        if isinstance(record, Overridden):
            return record.id in overrides
        return isinstance(record, Stopped) and (record.tenant, record.task) in stopped

    return matters


# Longer than the feed's positions are apart: one of them is before the horizon.
_POSITIONS_KEPT_S = 3600.0


def _learned(engine: Engine, record: Learned) -> None:
    engine.costs.seen.restore(record.state["sizes"])
    engine.accounts.trees.restore(record.state["tasks"])


def _held(engine: Engine, record: Held) -> None:
    request, now = record.request, record.at
    if engine.book.find(request.id) is not None:
        return
    who = engine.counted_as(request, record.call)
    found = engine.accounts.of(who, request.budgets, now)
    calls = request.calls if record.calls is None else record.calls
    grant = Grant(request.id, who, found.meters, record.sized.sizes, calls, calls, record.expires_at)
    engine.leases.hold(grant, Running(request, record.call, record.sized, calls, now), now)


def _settled(engine: Engine, record: Settled) -> None:
    # A hold that had ended by then, with what it had been extended to.
    engine.leases.expire(record.at)
    grant_id, number = grant_of(record.lease)
    running = engine.leases.running.get(grant_id)
    if running is not None:
        running.ended |= 1 << number
        if record.usage is not None and record.money is not None:
            sized = running.size_of(number)
            engine.costs.learn(running.asked.who, running.call, sized, record.usage, record.money)
    engine.leases.settled(record, running)


def _extended(engine: Engine, record: Extended) -> None:
    grant, running = engine.book.find(record.grant), engine.leases.running.get(record.grant)
    if grant is not None and running is not None:
        engine.leases.extended(record, grant, running)


def _by_hand(engine: Engine, record: Record) -> None:
    accounts = engine.accounts
    if isinstance(record, Stopped):
        accounts.stopped[record.tenant, record.task] = ForcedState(
            State.FORCED_OPEN, None, f"stopped by {record.by}: {record.reason}"
        )
    elif isinstance(record, Overridden) and record.limit is None:
        accounts.overrides.pop(record.id, None)
    elif isinstance(record, Overridden) and record.limit is not None:
        accounts.overrides[record.id] = Override(
            record.ceiling, record.limit, record.until, record.author, record.reason, record.scope
        )
    elif isinstance(record, Forced):
        _forced(engine, record)


def _forced(engine: Engine, record: Forced) -> None:
    for name in record.ceilings:
        if record.state is None:
            engine.accounts.forced.pop(name, None)
        else:
            engine.accounts.forced[name] = ForcedState(State(record.state), record.until, record.reason)
    for account in engine.accounts:
        if account.ceiling.name in record.ceilings:
            account.state = State(record.state) if record.state else State.CLOSED
            account.since, account.reason = record.at, record.reason
