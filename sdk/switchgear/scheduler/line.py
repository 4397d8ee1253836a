"""The fair order: a lane's calls of one tier, where the tenant goes first that has had least for its weight.

Each tenant has a counter of the tokens that its calls were let go with, divided by its weight. The smallest goes first,
with half of what its next call takes; within a tenant, who asked first (after the Virtual Token Counter, arXiv
2401.00588). A tenant that comes back from idling starts level with whoever is next, so that idling earns no credit;
waiting for one's own share is idling here. A call is charged what it is expected to take, and corrected when that is
known. So the service of two tenants that both wait differs by no more than the largest call over its weight, and over
any stretch of time by no more than twice that; what is wrong in the expectations comes on top.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from math import inf
from typing import Any

from ..tier import Tier
from .pace import Bucket

__all__ = ["Call", "Flow", "Line"]

_TIDY_FROM = 1024


@dataclass(slots=True, eq=False)
class Call:
    """One call, from when it asks until it ends."""

    flow: Flow
    tokens: int
    """What it is expected to take, as last heard."""
    weight: float
    at: float
    """When it asked."""
    waits: bool = False
    runs: bool = False
    rank: int = 0
    """That which it went with."""
    stay: int = 0
    waiter: Any = None
    """Whoever waits for it, the edge's business."""


@dataclass(slots=True, eq=False)
class Flow:
    """One tenant in a line: its waiting calls, its counter and its share, if it has one."""

    line: Line
    tenant: str
    weight: float = 1.0
    counter: float = 0.0
    share: Bucket | None = None
    calls: OrderedDict[Call, None] = field(default_factory=OrderedDict)
    ready: bool = False
    """Whether it waits for nothing but the lane."""
    key: float = 0.0
    """Where the line has it: its counter, and half of what its first is expected to take.

    With that half the counters of two flows part by half of each's largest call to either side; with the counter alone,
    by a whole one: a large call goes neither the moment its tenant is level, nor only when it has saved up for it.
    """
    due: float = inf
    """When its share holds something again, where it waits for that."""
    stay: int = 0
    """How often it has come back from idling."""
    ahead: float = 0.0
    """How far its counter was above (below: negative) the level that it came back to."""

    def may_go(self, now: float) -> bool:
        """Whether its share lets a call go."""
        return self.share is None or self.share.holds(now)

    def first(self) -> Call:
        """Who asked first; there is one."""
        return next(iter(self.calls))

    def come_back(self, level: float) -> None:
        """It has idled: it starts level with those that have not."""
        self.stay += 1
        self.ahead = self.counter - level
        self.counter = max(self.counter, level)

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


@dataclass(slots=True, eq=False)
class Line:
    """A lane's calls of one tier. `now` is in seconds of any steady clock.

    A line out of which nothing went for long, though its tier has something ready, is *raised*: by one tier for every
    `ageing_s` that it waited and every ten more urgent calls that passed it. Then one call goes, and it waits anew:
    what is less urgent is never starved for ever, and a flood of it never gains more than that one call.
    """

    PASSED_EACH = 10

    tier: Tier
    ageing_s: float
    waiting: int = 0
    ready: int = 0
    """Flows that wait for nothing but the lane."""
    flows: dict[str, Flow] = field(default_factory=dict)
    _since: float = 0.0
    _passed: int = 0
    _level: float = 0.0
    """The counter of whoever was let go last, before it was."""
    _by_key: list[tuple[float, int, Flow]] = field(default_factory=list)
    _paced: list[tuple[float, int, Flow]] = field(default_factory=list)
    """Flows that wait for their share, by when it holds something again."""
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _tidy_at: int = _TIDY_FROM

    def flow(self, tenant: str) -> Flow:
        """The tenant's flow, a new one perhaps."""
        flow = self.flows.get(tenant)
        if flow is None:
            if len(self.flows) >= self._tidy_at:
                self._tidy()
            flow = self.flows[tenant] = Flow(self, tenant)
        return flow

    # -- coming and going

    def add(self, call: Call, now: float) -> None:
        """Let it wait, behind those of its tenant."""
        flow = call.flow
        call.waits = True
        self.waiting += 1
        flow.calls[call] = None
        if len(flow.calls) == 1:
            self._let_wait(flow, now)

    def drop(self, call: Call, now: float) -> None:
        """It waits no longer."""
        flow = call.flow
        was_first = flow.first() is call
        self._remove(call)
        if was_first and flow.ready:
            self._place(flow, now)

    def take(self, now: float) -> Call:
        """The call whose turn it is; there is one that is ready."""
        flow = self._least()
        call = flow.first()
        self._remove(call)
        self._charge(call)
        if flow.ready:
            self._place(flow, now)
        self._since, self._passed = now, 0
        return call

    def pass_by(self, call: Call) -> None:
        """It goes at once, since nobody waits."""
        call.flow.come_back(self._level)
        self._charge(call)

    def settle(self, call: Call, tokens: int, now: float) -> None:
        """It took so many tokens. One is always counted: else calls that all fail would keep the first place."""
        flow = call.flow
        flow.charge((max(1, tokens) - max(1, call.tokens)) / call.weight, call.stay)
        if flow.share is not None:
            flow.share.draw(tokens - call.tokens)
        self._look_again(flow, now)

    def share(self, tenant: str, per_minute: float | None, now: float) -> bool:
        """Pace a tenant from now on (None: not at all); whether that is news."""
        if per_minute is None and tenant not in self.flows:
            return False
        flow = self.flow(tenant)
        known = None if flow.share is None else flow.share.per_minute
        if known == per_minute:
            return False
        if per_minute is None:
            flow.share = None
        elif flow.share is None:
            flow.share = Bucket(per_minute, now)
        else:
            flow.share.change(per_minute, now)
        self._look_again(flow, now)
        return True

    def shares(self) -> dict[str, float]:
        """The tokens a minute of each tenant that is paced."""
        return {flow.tenant: flow.share.per_minute for flow in self.flows.values() if flow.share is not None}

    # -- time

    def wake(self, now: float) -> None:
        """Let those wait for the lane whose share holds something again."""
        while self.wakes_at() <= now:
            self._let_wait(heappop(self._paced)[2], now)

    def wakes_at(self) -> float:
        """When the first of those is due."""
        heap = self._paced
        while heap and (heap[0][2].ready or not heap[0][2].calls or heap[0][0] != heap[0][2].due):
            heappop(heap)
        return heap[0][0] if heap else inf

    def rank(self, now: float) -> int:
        """Its tier's, or that to which it is raised."""
        raised = min(int((now - self._since) / self.ageing_s), self._passed // self.PASSED_EACH)
        return max(0, self.tier.rank - raised)

    def rises_at(self, now: float) -> float:
        """When it is raised further, if nothing else happens."""
        raised = self.tier.rank - self.rank(now)
        if raised == self.tier.rank or self._passed // self.PASSED_EACH <= raised:
            return inf
        return self._since + (raised + 1) * self.ageing_s

    def passed(self) -> None:
        """A more urgent call went while this line had something ready."""
        self._passed += 1

    # -- inside

    def _charge(self, call: Call) -> None:
        flow = call.flow
        call.stay = flow.stay
        self._level = max(self._level, flow.counter)
        flow.charge(max(1, call.tokens) / call.weight, call.stay)
        if flow.share is not None:
            flow.share.draw(call.tokens)

    def _look_again(self, flow: Flow, now: float) -> None:
        """Its counter or its share has changed."""
        if flow.ready:
            self._place(flow, now)
        elif flow.calls:
            self._let_wait(flow, now)

    def _let_wait(self, flow: Flow, now: float) -> None:
        """It has calls, and was idle: let it wait for the lane, or for its share."""
        if not flow.may_go(now):
            assert flow.share is not None  # noqa: S101 - for the type checker
            flow.due = flow.share.due(now)
            if flow.due < inf:
                heappush(self._paced, (flow.due, next(self._numbers), flow))
            return
        if self.ready:
            flow.come_back(self._least().key)
        else:
            flow.come_back(self._level)
            self._since, self._passed = now, 0
        flow.ready = True
        self.ready += 1
        self._place(flow, now)

    def _place(self, flow: Flow, now: float) -> None:
        """Its counter or its first call has changed, perhaps its share is used up."""
        if not flow.may_go(now):
            self._idle(flow)
            self._let_wait(flow, now)
            return
        flow.key = flow.counter + max(1, flow.first().tokens) / flow.weight / 2
        if len(self._by_key) > 4 * self.ready + 64:
            self._by_key = [
                (other.key, number, other) for key, number, other in self._by_key if _holds(key, other)
            ]
            heapify(self._by_key)
        heappush(self._by_key, (flow.key, next(self._numbers), flow))

    def _remove(self, call: Call) -> None:
        flow = call.flow
        call.waits = False
        self.waiting -= 1
        del flow.calls[call]
        if not flow.calls:
            self._idle(flow)

    def _idle(self, flow: Flow) -> None:
        if flow.ready:
            flow.ready = False
            self.ready -= 1

    def _least(self) -> Flow:
        """The ready flow whose turn it is; what no longer holds is dropped when it comes to the top."""
        heap = self._by_key
        while not _holds(heap[0][0], heap[0][2]):
            heappop(heap)
        return heap[0][2]

    def _tidy(self) -> None:
        """Forget tenants that wait for nothing and whose counter tells nothing any more."""
        for flow in list(self.flows.values()):
            if not flow.calls and flow.share is None and flow.counter <= self._level:
                del self.flows[flow.tenant]
        self._tidy_at = max(_TIDY_FROM, 2 * len(self.flows))


def _holds(key: float, flow: Flow) -> bool:
    return flow.ready and key == flow.key
