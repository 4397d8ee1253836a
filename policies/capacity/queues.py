"""What the fair order is made of: entries in a tenant's flow, flows in a line, and parks at accounts.

A line is a lane's queue of one tier. Heaps are cleaned lazily: what no longer belongs is dropped when it comes to the
top, so that taking something out of the middle costs nothing.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

from switchgear.tier import Tier

__all__ = ["Entry", "Flow", "Line", "Park"]

# A call that has waited so long for an account counts as one tier more urgent there.
_AGEING_S = 20.0


@dataclass(slots=True, eq=False)
class Entry:
    """Something that waits: in its flow while `park` is None, else for that account."""

    key: str
    item: Any
    flow: Flow
    tokens: int
    accounts: tuple[Hashable, ...]
    at: float
    number: int
    waits: bool = True
    park: Hashable | None = None
    woken: Hashable | None = None
    """The account whose first it was when something moved there: it is tried before anybody else of that account."""

    def rank(self, now: float) -> int:
        """Its tier's rank, more urgent by one for every 20 s that it has waited."""
        return max(0, self.flow.line.tier.rank - int((now - self.at) / _AGEING_S))

    def __lt__(self, other: Entry) -> bool:
        return (self.at, self.number) < (other.at, other.number)


@dataclass(slots=True, eq=False)
class Flow:
    """One tenant in a line. `ready` of its `waiting` entries wait for nothing but the lane, with `tokens` in all."""

    line: Line
    tenant: str
    weight: float = 1.0
    counter: float = 0.0
    stay: int = 0
    """How often it has come back from idling."""
    ahead: float = 0.0
    """How far its counter was above (below: negative) the level that it came back to."""
    waiting: int = 0
    ready: int = 0
    tokens: int = 0
    key: float = 0.0
    """Where the line has it: its counter, and half of what its first is expected to take.

    With that half the counters of two flows part by half of each's largest call to either side; with the counter alone,
    by a whole one: a large call goes neither the moment its tenant is level, nor only when it has saved up for it.
    """
    _queue: list[Entry] = field(default_factory=list)

    def join(self, entry: Entry) -> None:
        """Let it wait for the lane. A flow that was idle starts level with those that were not."""
        if not self.ready:
            level = self.line.level()
            self.stay += 1
            self.ahead = self.counter - level
            self.counter = max(self.counter, level)
            self.line.active += 1
        self.ready += 1
        self.tokens += entry.tokens
        heappush(self._queue, entry)
        if self._queue[0] is entry:
            self._place()

    def leave(self, entry: Entry) -> None:
        """It waits for the lane no more, as its `waits` or `park` says."""
        self.ready -= 1
        self.tokens -= entry.tokens
        if not self.ready:
            self._queue.clear()
            self.line.active -= 1
            self.line.last = self
        elif self._queue[0] is entry:
            self._place()

    def first(self) -> Entry:
        """Who asked first of those that are ready; there is one."""
        while not self._queue[0].waits or self._queue[0].park is not None:
            heappop(self._queue)
        return self._queue[0]

    def charge(self, served: float, stay: int) -> None:
        """Count tokens over weight (negative: give them back), of a call that went during that stay.

        What went before the tenant idled counts as far as its counter was above the level that it came back to:
        exactly what it would read, had the correction come before it idled.
        """
        if stay != self.stay:
            before = max(0.0, self.ahead)
            self.ahead += served
            served = max(0.0, self.ahead) - before
        self.counter += served
        if self.ready:
            self._place()

    def _place(self) -> None:
        self.key = self.counter + self.first().tokens / self.weight / 2
        self.line.place(self)


@dataclass(slots=True, eq=False)
class Line:
    """A lane's queue of one tier. `active` of its flows have something ready."""

    lane: Hashable
    tier: Tier
    number: int
    flows: dict[str, Flow] = field(default_factory=dict)
    active: int = 0
    waiting: int = 0
    """Of all flows, those that wait for an account among them."""
    rank: int = field(init=False)
    """Its tier's, more urgent while one is to be tried that has waited long for an account."""
    last: Flow | None = None
    """Whoever was the last to have something ready."""
    _by_key: list[tuple[float, int, Flow]] = field(default_factory=list)
    _placed: int = 0

    def __post_init__(self) -> None:
        self.rank = self.tier.rank

    def flow(self, tenant: str) -> Flow:
        """The tenant's flow, a new one perhaps."""
        if tenant not in self.flows:
            self.flows[tenant] = Flow(self, tenant)
        return self.flows[tenant]

    def place(self, flow: Flow) -> None:
        """Its key has moved, or it has become active."""
        self._placed += 1
        heappush(self._by_key, (flow.key, self._placed, flow))

    def least(self) -> Flow | None:
        """The active flow whose turn it is."""
        heap = self._by_key
        while heap and not (heap[0][2].ready and heap[0][0] == heap[0][2].key):
            heappop(heap)
        return heap[0][2] if heap else None

    def level(self) -> float:
        """Where a flow that comes back from idling starts, at the least."""
        flow = self.least() or self.last
        return flow.counter if flow is not None else 0.0


@dataclass(slots=True)
class Park:
    """Those that wait for an account. Of each tier, one at least as urgent as `rank` waits behind them."""

    rank: int = 9
    until: float = 0.0
    """When the first is tried again."""
    count: int = 0
    _flows: dict[Flow, list[Entry]] = field(default_factory=dict)

    def push(self, entry: Entry) -> None:
        """One more."""
        self.count += 1
        heappush(self._flows.setdefault(entry.flow, []), entry)

    def pop(self, now: float) -> Entry:
        """The first: the most urgent, of these the tenant that has had least, of its the one that asked first."""
        heads = self._heads()
        entry = min(heads, key=lambda head: (head.rank(now), head.flow.counter, head.at))
        heappop(self._flows[entry.flow])
        self.count -= 1
        # Whoever held up more urgent ones because it had waited long is perhaps gone.
        self.rank = min(head.flow.line.tier.rank for head in heads)
        return entry

    def _heads(self) -> list[Entry]:
        heads = []
        for flow, queue in list(self._flows.items()):
            while queue and not queue[0].waits:
                heappop(queue)
            if queue:
                heads.append(queue[0])
            else:
                del self._flows[flow]
        return heads
