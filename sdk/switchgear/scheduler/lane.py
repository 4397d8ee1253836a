"""A lane: one provider's capacity as a process may use it, and who goes next. Pure: time is an argument.

Urgent tiers go first. What keeps them from waiting for less urgent calls is the reserve (for slots) and a bucket of
each tier's own (for rates); what keeps less urgent calls from waiting for ever is that a line is raised (`Line`). A
raised line goes before those of the tier that it is raised to, is no longer held back from their reserve, and draws
from their bucket.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from ..errors import ConfigError
from ..tier import Tier
from .line import Call, Line
from .pace import Pace
from .reserve import Reserve

__all__ = ["Lane", "Limits", "Use"]

# Timers are no finer than that, and a sum of small amounts may fall short of what it was reckoned to be.
_SOONEST_S = 0.0002


@dataclass(frozen=True, slots=True)
class Limits:
    """What a lane may carry: calls on their way at once, tokens and requests a minute; None: unlimited."""

    concurrency: int | None = None
    tokens_per_minute: float | None = None
    requests_per_minute: float | None = None

    def __post_init__(self) -> None:
        for name in ("concurrency", "tokens_per_minute", "requests_per_minute"):
            value = getattr(self, name)
            if value is not None and not 0 < value < inf:
                raise ConfigError(
                    f"{name}={value!r} is no limit: give a number above 0, or None for unlimited"
                )


class Use(NamedTuple):
    """How a lane stands: calls on their way and calls that wait, and the slots held back from background calls."""

    running: int
    waiting: int
    held_back: int


class Lane:
    """One lane. `now` is in seconds of any steady clock, and never goes back."""

    def __init__(self, limits: Limits, now: float, ageing_s: float) -> None:
        self.limits = limits
        self.waiting = 0
        self.running = 0
        self._lines = tuple(Line(tier, ageing_s) for tier in Tier)
        self._running = [0] * len(self._lines)
        self._tokens = Pace(limits.tokens_per_minute, now)
        self._requests = Pace(limits.requests_per_minute, now)
        self._reserve = None if limits.concurrency is None else Reserve(limits.concurrency, now)

    def declare(self, limits: Limits, now: float) -> None:
        """Other limits from now on. Calls on their way stay so, whatever the new limits are."""
        if limits.concurrency != self.limits.concurrency:
            self._reserve = None if limits.concurrency is None else Reserve(limits.concurrency, now)
        self._tokens.change(limits.tokens_per_minute, now)
        self._requests.change(limits.requests_per_minute, now)
        self.limits = limits

    def share(self, tenant: str, tier: Tier, per_minute: float | None, now: float) -> bool:
        """Pace a tenant's tier from now on (None: not at all); whether that is news."""
        return self._lines[tier.rank].share(tenant, per_minute, now)

    def shares(self) -> dict[tuple[str, Tier], float]:
        """The tokens a minute of each tenant's tier that is paced."""
        return {(tenant, line.tier): rate for line in self._lines for tenant, rate in line.shares().items()}

    # -- a call's way

    def ask(self, tenant: str, tier: Tier, tokens: int, weight: float, now: float) -> Call:
        """A call that wants to go. It `runs` at once where nobody waits and nothing is in its way; else it `waits`."""
        rank = tier.rank
        line = self._lines[rank]
        flow = line.flow(tenant)
        flow.weight = weight
        call = Call(flow, tokens, weight, now)
        if self._reserve is not None:
            found = self._free() > self._held_back(rank, now)
            self._reserve.learn(rank, now, found=found or not any(self._running[rank + 1 :]))
        self._refill(now)
        if not self.waiting and flow.may_go(now) and self._admits(rank, now):
            line.pass_by(call)
            self._start(call, rank)
        else:
            self.waiting += 1
            line.add(call, now)
        return call

    def next(self, now: float) -> Call | None:
        """The next of the waiting calls that may go now, which it does."""
        if not self.waiting or self._free() <= 0:
            return None
        self._refill(now)
        for rank, line in self._by_urgency(now):
            if self._admits(rank, now):
                call = line.take(now)
                self.waiting -= 1
                self._start(call, rank)
                for other in self._lines[line.tier.rank + 1 :]:
                    other.passed()
                return call
        return None

    def drop(self, call: Call, now: float) -> None:
        """It waits no longer."""
        self.waiting -= 1
        call.flow.line.drop(call, now)

    def settle(self, call: Call, tokens: int, now: float) -> None:
        """It took so many tokens (0: it was not served). May be said again; the last word counts."""
        self._refill(now)
        self._tokens.draw(call.rank, tokens - call.tokens)
        call.flow.line.settle(call, tokens, now)
        call.tokens = tokens

    def end(self, call: Call) -> None:
        """It is no longer on its way."""
        call.runs = False
        self.running -= 1
        self._running[call.flow.line.tier.rank] -= 1

    # -- telling

    def next_at(self, now: float) -> float:
        """When somebody may go at the earliest, if no call comes, ends or is settled; inf: not before."""
        if not self.waiting or self._free() <= 0:
            return inf
        self._refill(now)
        soonest = inf
        for rank, line in self._by_urgency(now):
            soonest = min(soonest, self._admits_at(rank, now), line.rises_at(now))
        for line in self._lines:
            soonest = min(soonest, line.wakes_at())
        return max(soonest, now + _SOONEST_S)

    def waits(self, tier: Tier) -> int:
        """How many calls of this tier wait."""
        return self._lines[tier.rank].waiting

    def use(self, now: float) -> Use:
        """How it stands."""
        return Use(self.running, self.waiting, self._held_back(Tier.BACKGROUND.rank, now))

    # -- inside

    def _by_urgency(self, now: float) -> list[tuple[int, Line]]:
        """Lines that have something ready, with their ranks; of equal ranks, the one that was raised most first."""
        for line in self._lines:
            line.wake(now)
        ready = [(line.rank(now), line) for line in self._lines if line.ready]
        return sorted(ready, key=lambda ranked: (ranked[0], -ranked[1].tier.rank))

    def _start(self, call: Call, rank: int) -> None:
        call.runs, call.rank = True, rank
        self.running += 1
        self._running[call.flow.line.tier.rank] += 1
        self._tokens.draw(rank, call.tokens)
        self._requests.draw(rank, 1.0)

    def _free(self) -> float:
        return inf if self.limits.concurrency is None else self.limits.concurrency - self.running

    def _held_back(self, rank: int, now: float) -> int:
        if not rank or self._reserve is None or self.limits.concurrency is None:
            return 0
        left = self.limits.concurrency - sum(self._running[:rank])
        return self._reserve.held_back(rank, left, now)

    def _admits(self, rank: int, now: float) -> bool:
        return (
            self._free() > self._held_back(rank, now)
            and self._tokens.holds(rank)
            and self._requests.holds(rank)
        )

    def _admits_at(self, rank: int, now: float) -> float:
        """When it would admit a call of this rank, if no call comes or ends; some slot is free."""
        at = now + max(self._tokens.wait_s(rank), self._requests.wait_s(rank))
        if self._reserve is not None and self._free() <= self._held_back(rank, now):
            at = max(at, self._reserve.less_at(now))
        return at

    def _refill(self, now: float) -> None:
        self._tokens.refill(now)
        self._requests.refill(now)
