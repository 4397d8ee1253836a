"""The order in which waiting calls are served: per lane and tier, the tenant that has had least for its weight.

A lane is a provider's capacity. Within a lane and a tier each tenant has a counter of the tokens it was let go with,
divided by its weight. The smallest goes first, with half of what its next call takes; within a tenant, who asked first
(after the Virtual Token Counter, arXiv 2401.00588). A tenant that comes back from idling starts level with whoever is
next, so that idling earns no credit; waiting for one's own ceiling is idling here. A call is charged what it is
expected to take, and corrected when it has ended. So the service of two tenants that both wait for a lane differs by no
more than the largest call over its weight, and over any stretch of time by no more than twice that; what is wrong in
the expectations of the calls on their way comes on top.

How tiers share a lane is the lane's business (`Lane`). Who waits for an account (room under a ceiling, a pace) is set
aside there, with all who come after it: a round looks at the first of them alone, not at thousands.

    for turn in order.turns(now):
        if not lanes[turn.lane].admits(now, turn.tier):
            continue                                     # nothing more of this tier for this lane in this round
        if wait := blocked(turn.item):
            turn.wait(wait.account, wait.until)
        else:
            charge = turn.serve(tokens)                  # and when it has ended: charge.settle(real tokens)
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Any, Generic, NamedTuple, TypeVar

from switchgear.tier import Tier

from .queues import Entry, Flow, Line, Park

__all__ = ["Backlog", "Charge", "FairOrder", "Turn"]

T = TypeVar("T")


class Backlog(NamedTuple):
    """What waits for a lane: `calls` in all, `held_up` of them for an account; `tokens` are those of the others."""

    lane: Any
    tier: Tier
    tenant: str
    calls: int
    held_up: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Charge:
    """What a tenant's counter was charged for calls on their way: `each` for each of them."""

    _flow: Flow
    _stay: int
    _weight: float
    _each: float

    def settle(self, tokens: int, calls: int = 1) -> None:
        """So many of its calls took so many tokens in all (0: they were not served). Once for each call."""
        self._flow.charge((tokens - self._each * calls) / self._weight, self._stay)


@dataclass(slots=True)
class Turn(Generic[T]):
    """Whose turn it is. One of `serve`, `wait` and `drop`; untouched, its lane has no room for its tier now."""

    item: T
    lane: Any
    tier: Tier
    tenant: str
    _order: FairOrder[T]
    _entry: Entry
    _now: float

    def serve(self, tokens: int, calls: int = 1) -> Charge:
        """It goes: so many calls that are expected to take so many tokens in all."""
        flow = self._entry.flow
        self._order.remove(self._entry, self._now)
        flow.charge(tokens / flow.weight, flow.stay)
        return Charge(flow, flow.stay, flow.weight, tokens / calls)

    def wait(self, account: Hashable, until: float, *, shared: bool = True) -> None:
        """It waits for an account: tried again at `until` (epoch seconds) or after `wake`, whichever is earlier.

        Its tier and less urgent ones wait behind it there. `shared`: what it waits for is the same for every tier
        (room, a pace), so that, having waited long, it holds up more urgent ones too and is not passed for ever.
        """
        self._order.set_aside(self._entry, account, until, self._now, shared=shared)

    def drop(self) -> None:
        """It was refused: it waits no longer, and is charged nothing."""
        self._order.remove(self._entry, self._now)


@dataclass(slots=True)
class FairOrder(Generic[T]):
    """Everything that waits. Keys are opaque and name one waiting thing each; `now` and `at` are epoch seconds."""

    _entries: dict[str, Entry] = field(default_factory=dict)
    _lines: dict[tuple[int, Hashable], Line] = field(default_factory=dict)
    _parks: dict[Hashable, Park] = field(default_factory=dict)
    _due: list[tuple[float, int, Hashable]] = field(default_factory=list)
    _agenda: list[tuple[int, int, int, Line]] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def add(
        self, key: str, item: T, *, lane: Hashable, tier: Tier, tenant: str, at: float,
        weight: float = 1.0, tokens: int = 0, accounts: Iterable[Hashable] = (),
    ) -> None:  # fmt: skip
        """Let `item` wait, with the place of one that asked at `at`; a key that waits already keeps its place.

        `tokens` is what it is expected to take, `accounts` are those that count it, `weight` is the tenant's.
        """
        if key in self._entries:
            return
        line = self._lines.get((tier.rank, lane))
        if line is None:
            line = self._lines[tier.rank, lane] = Line(lane, tier, next(self._numbers))
        flow = line.flow(tenant)
        flow.weight = weight
        entry = Entry(key, item, flow, tokens, tuple(accounts), at, next(self._numbers))
        self._entries[key] = entry
        flow.waiting += 1
        line.waiting += 1
        self._ready(entry)

    def discard(self, key: str, now: float) -> None:
        """It waits no longer, if it did; added again with the same `at`, it has its old place."""
        entry = self._entries.get(key)
        if entry is not None:
            self.remove(entry, now)

    def turns(self, now: float) -> Iterator[Turn[T]]:
        """Whoever may be served at `now`, urgent tiers first, as far as the caller lets them go.

        One round at a time. Each costs O(log n) of what waits in its line, and a line that is full O(1).
        """
        while self._due and self._due[0][0] <= now:
            self.wake((heappop(self._due)[2],), now)
        self._agenda = [_place(line) for line in self._lines.values() if line.active]
        heapify(self._agenda)
        closed: set[int] = set()
        while self._agenda:
            line = self._agenda[0][3]
            flow = None if line.number in closed else line.least()
            if flow is None:
                heappop(self._agenda)
                line.rank = line.tier.rank
                continue
            entry = flow.first()
            account = self._behind(entry)
            if account is not None:
                self._park(entry, account, now)
                continue
            yield Turn(entry.item, line.lane, line.tier, flow.tenant, self, entry, now)
            if entry.waits and entry.park is None:
                closed.add(line.number)

    def wake(self, accounts: Iterable[Hashable], now: float) -> None:
        """Something moved in these accounts: the first that waits for each is tried in the next round.

        When that one goes, the next is tried in the same round, and so on until one has to wait again.
        """
        for account in accounts:
            park = self._parks.get(account)
            if park is None:
                continue
            entry = park.pop(now)
            if not park.count:
                del self._parks[account]
            entry.park, entry.woken = None, account
            self._ready(entry)
            line = entry.flow.line
            if (rank := entry.rank(now)) < line.rank:
                line.rank = rank
                heappush(self._agenda, _place(line))

    def wake_all(self, now: float) -> None:
        """Anything may have moved: the first that waits for each account is tried in the next round."""
        self.wake(list(self._parks), now)

    def waiting_for(self, lane: Hashable) -> int:
        """How many wait for a lane, of any tier; those that wait for an account first among them."""
        lines = (self._lines.get((tier.rank, lane)) for tier in Tier)
        return sum(line.waiting for line in lines if line is not None)

    def anybody_at(self, accounts: Iterable[Hashable]) -> bool:
        """Whether anybody waits for one of these accounts."""
        return any(account in self._parks for account in accounts)

    def backlog(self) -> Iterator[Backlog]:
        """What waits, by lane, tier and tenant."""
        for line in self._lines.values():
            for flow in line.flows.values():
                if flow.waiting:
                    held_up = flow.waiting - flow.ready
                    yield Backlog(line.lane, line.tier, flow.tenant, flow.waiting, held_up, flow.tokens)

    def tidy(self) -> None:
        """Forget tenants that wait for nothing and whose counter tells nothing any more."""
        for key, line in list(self._lines.items()):
            level = line.level()
            for flow in [f for f in line.flows.values() if not f.waiting and f.counter <= level]:
                del line.flows[flow.tenant]
            if not line.flows:
                del self._lines[key]

    # -- for turns

    def remove(self, entry: Entry, now: float) -> None:
        """Take it out of wherever it waits; whoever waits behind it for an account has its chance."""
        del self._entries[entry.key]
        entry.waits = False
        entry.flow.waiting -= 1
        entry.flow.line.waiting -= 1
        if entry.park is None:
            entry.flow.leave(entry)
            self._next(entry, None, now)
        else:
            park = self._parks[entry.park]
            park.count -= 1
            if not park.count:
                del self._parks[entry.park]

    def set_aside(self, entry: Entry, account: Hashable, until: float, now: float, *, shared: bool) -> None:
        """Let it wait for an account, and those behind it; see `Turn.wait`."""
        self._park(entry, account, now)
        park = self._parks[account]
        park.rank = min(park.rank, entry.rank(now) if shared else entry.flow.line.tier.rank)
        if park.until <= now or until < park.until:
            park.until = until
            heappush(self._due, (until, next(self._numbers), account))

    def _ready(self, entry: Entry) -> None:
        line = entry.flow.line
        idle = not line.active
        entry.flow.join(entry)
        if idle:
            heappush(self._agenda, _place(line))

    def _park(self, entry: Entry, account: Hashable, now: float) -> None:
        entry.park = account
        entry.flow.leave(entry)
        self._next(entry, account, now)
        self._parks.setdefault(account, Park()).push(entry)

    def _next(self, entry: Entry, account: Hashable | None, now: float) -> None:
        """It was the one to try of an account and is so no more: the next one there is."""
        woken, entry.woken = entry.woken, None
        if woken is not None and woken != account:
            self.wake((woken,), now)

    def _behind(self, entry: Entry) -> Hashable | None:
        """An account where somebody waits who goes before it."""
        for account in entry.accounts:
            park = self._parks.get(account)
            if park is not None and account != entry.woken and park.rank <= entry.flow.line.tier.rank:
                return account
        return None


def _place(line: Line) -> tuple[int, int, int, Line]:
    """Where it stands in a round: by rank; of equals, one that was raised to it first."""
    return line.rank, -line.tier.rank, line.number, line
