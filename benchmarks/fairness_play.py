"""Play: calls through an order and one provider's capacity, in virtual time; who waited how long, who got what."""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Protocol

from fairness_load import Call

from policies.capacity import Charge, FairOrder, Lane, Taken
from policies.model import Capacity
from switchgear.tier import Tier

__all__ = ["ORDERS", "Fair", "FirstCome", "Order", "Outcome", "StrictPriority", "play", "widest"]

_FIRST_GUESS = 500
_SOONEST_S = 0.001


class Order(Protocol):
    """Who goes next through a lane. What `go` hands out, `ended` takes back with the tokens that it took."""

    def ask(self, number: int, call: Call, expected: int) -> None: ...
    def go(self, now: float) -> Iterator[int]: ...
    def ended(self, number: int, call: Call, now: float) -> None: ...
    def next_at(self, now: float) -> float: ...
    def __len__(self) -> int: ...


class Fair:
    """Ours."""

    def __init__(self, capacity: Capacity) -> None:
        self.lane = Lane(capacity)
        self._order = FairOrder[tuple[int, int]]()
        self._gone: dict[int, tuple[Taken, Charge]] = {}

    def ask(self, number: int, call: Call, expected: int) -> None:
        self._order.add(
            str(number), (number, expected), lane="p", tier=call.tier, tenant=call.tenant, at=call.at,
            weight=call.weight, tokens=expected,
        )  # fmt: skip

    def go(self, now: float) -> Iterator[int]:
        for turn in self._order.turns(now):
            if self.lane.admits(now, turn.tier):
                number, expected = turn.item
                taken = self.lane.take(expected, now, turn.tier, turn.tenant)
                self._gone[number] = taken, turn.serve(expected)
                yield number

    def ended(self, number: int, call: Call, now: float) -> None:
        taken, charge = self._gone.pop(number)
        charge.settle(call.tokens)
        self.lane.settle(taken, call.tokens, now)

    def next_at(self, now: float) -> float:
        tiers = {waits.tier for waits in self._order.backlog()}
        return min(self.lane.next_at(now, tier) for tier in tiers)

    def __len__(self) -> int:
        return len(self._order)


class FirstCome:
    """Who came first, whoever it is."""

    def __init__(self, capacity: Capacity) -> None:
        self.lane = Lane(capacity)
        self._queues: list[deque[tuple[int, int]]] = [deque() for _ in Tier]
        self._gone: dict[int, Taken] = {}

    def queue_of(self, call: Call) -> int:
        return 0

    def ask(self, number: int, call: Call, expected: int) -> None:
        self._queues[self.queue_of(call)].append((number, expected))

    def go(self, now: float) -> Iterator[int]:
        for queue in self._queues:
            while queue and self.lane.admits(now):
                number, expected = queue.popleft()
                self._gone[number] = self.lane.take(expected, now)
                yield number

    def ended(self, number: int, call: Call, now: float) -> None:
        self.lane.settle(self._gone.pop(number), call.tokens, now)

    def next_at(self, now: float) -> float:
        return self.lane.next_at(now)

    def __len__(self) -> int:
        return sum(map(len, self._queues))


class StrictPriority(FirstCome):
    """The most urgent tier there is, and in it who came first."""

    def queue_of(self, call: Call) -> int:
        return call.tier.rank


ORDERS: dict[str, Callable[[Capacity], Order]] = {"FCFS": FirstCome, "strict": StrictPriority, "ours": Fair}


@dataclass(slots=True)
class Outcome:
    """What came of it."""

    started: list[tuple[Call, float]]
    left: list[Call]
    """Those that still waited at the end."""
    gap: float
    """The most by which service over weight of two tenants of a tier parted while both were waiting all along."""
    largest: float
    """The largest call over its weight."""
    seconds: float

    def waits(self, tier: Tier) -> list[float]:
        """How long calls of a tier waited, in order; those that still wait have waited until the end."""
        gone = [at - call.at for call, at in self.started if call.tier is tier]
        return sorted(gone + [self.seconds - call.at for call in self.left if call.tier is tier])

    def p99(self, tier: Tier) -> float:
        """The 99th percentile of `waits`, in seconds."""
        waits = self.waits(tier)
        return waits[int(0.99 * (len(waits) - 1))]

    def tokens_per_s(self, tier: Tier | None = None) -> float:
        """What was let go."""
        return sum(c.tokens for c, _ in self.started if tier in (None, c.tier)) / self.seconds

    def longest_pause(self, tier: Tier) -> float:
        """The longest time in which a tier with calls waiting was not served, in seconds."""
        went = sorted(at for call, at in self.started if call.tier is tier)
        first = min(call.at for call in [*(c for c, _ in self.started), *self.left] if call.tier is tier)
        ends = [*went, self.seconds] if any(call.tier is tier for call in self.left) else went
        return max(later - earlier for earlier, later in itertools.pairwise([first, *ends]))


@dataclass(slots=True)
class _Gaps:
    """Service of tenants beside each other, in tokens over weight, while both wait."""

    served: dict[tuple[Tier, str], float] = field(default_factory=lambda: defaultdict(float))
    waiting: dict[tuple[Tier, str], int] = field(default_factory=lambda: defaultdict(int))
    widest: float = 0.0
    _seen: dict[tuple[tuple[Tier, str], tuple[Tier, str]], list[float]] = field(default_factory=dict)

    def asked(self, call: Call) -> None:
        me = (call.tier, call.tenant)
        self.waiting[me] += 1
        if self.waiting[me] == 1:
            for other in self._others(me):
                pair = (min(me, other), max(me, other))
                gap = self.served[pair[0]] - self.served[pair[1]]
                self._seen[pair] = [gap, gap]

    def gone(self, call: Call) -> None:
        me = (call.tier, call.tenant)
        self.served[me] += call.tokens / call.weight
        self.waiting[me] -= 1
        for other in self._others(me):
            pair = (min(me, other), max(me, other))
            gap, seen = self.served[pair[0]] - self.served[pair[1]], self._seen[pair]
            seen[:] = min(seen[0], gap), max(seen[1], gap)
            self.widest = max(self.widest, seen[1] - seen[0])
            if not self.waiting[me]:
                del self._seen[pair]

    def _others(self, me: tuple[Tier, str]) -> list[tuple[Tier, str]]:
        return [o for o, waits in self.waiting.items() if waits and o != me and o[0] is me[0]]


def play(order: Order, calls: Iterable[Call], seconds: float, *, blind: bool = False) -> Outcome:
    """Let `calls` ask when they do and go when `order` says, for `seconds`.

    A call is expected to take its input, and as much output as its tenant's calls on average so far. `blind`: its
    input is not known either, and the mean is of all tokens.
    """
    calls = sorted(calls, key=lambda call: call.at)
    means: dict[str, tuple[int, float]] = {}
    gaps, started, waiting = _Gaps(), list[tuple[Call, float]](), dict[int, Call]()
    # (at, kind, number): a call asks (0), has ended (1); the lane may have room (2).
    events: list[tuple[float, int, int]] = [(call.at, 0, number) for number, call in enumerate(calls)]
    looks_at = float("inf")
    while events and events[0][0] <= seconds:
        now, kind, number = heappop(events)
        if kind == 0:
            call = calls[number]
            guess = round(means.get(call.tenant, (0, _FIRST_GUESS))[1]) + (0 if blind else call.input)
            order.ask(number, call, guess)
            waiting[number] = call
            gaps.asked(call)
        elif kind == 1:
            call = calls[number]
            order.ended(number, call, now)
            seen, mean = means.get(call.tenant, (0, 0.0))
            ended = call.tokens if blind else call.output
            means[call.tenant] = seen + 1, mean + (ended - mean) * max(0.05, 1 / (seen + 1))
        elif now == looks_at:
            looks_at = float("inf")
        else:
            continue
        for gone in order.go(now):
            call = waiting.pop(gone)
            started.append((call, now))
            gaps.gone(call)
            heappush(events, (now + call.runs_s, 1, gone))
        if len(order):
            look = max(order.next_at(now), now + _SOONEST_S)
            if look < looks_at:
                looks_at = look
                heappush(events, (look, 2, 0))
    largest = max((call.tokens / call.weight for call in calls), default=0.0)
    return Outcome(started, list(waiting.values()), gaps.widest, largest, seconds)


def widest(served: Sequence[tuple[float, str, int, int, float, float]], until: float) -> tuple[float, float]:
    """(max |W0 - W1|, calls ended a second) of a run until then: input counts at the first token, twice the output
    evenly from there to the end, as the artifact reckons."""
    moves: list[tuple[float, str, float, float]] = []
    for _, tenant, prompt, output, first, end in served:
        pace = 2 * output / max(end - first, 1e-9)
        moves += [(first, tenant, float(prompt), pace), (end, tenant, 0.0, -pace)]
    work, pace_of = defaultdict[str, float](float), defaultdict[str, float](float)
    at = most = 0.0
    for when, tenant, at_once, pace in sorted(moves):
        if when > until:
            break
        for each in pace_of:
            work[each] += pace_of[each] * (when - at)
        at = when
        most = max(most, abs(work["0"] - work["1"]))
        work[tenant] += at_once
        pace_of[tenant] += pace
        most = max(most, abs(work["0"] - work["1"]))
    return most, sum(end <= until for *_, end in served) / until
