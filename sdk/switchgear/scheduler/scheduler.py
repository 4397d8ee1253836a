"""Scheduler: who of a process's waiting model calls goes next; for threads and any number of event loops at once."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Hashable
from math import inf
from types import TracebackType

from ..errors import ConfigError
from ..tier import Tier
from .gate import Gate
from .lane import Limits, Use
from .slot import FREE, Slot

__all__ = ["Asking", "Scheduler"]


class Scheduler:
    """A priority queue for model calls: urgent tiers first, within a tier tenants by weight, in tokens.

        scheduler = Scheduler(concurrency=20)
        with scheduler.slot(tenant="acme", tier="interactive", tokens=1200) as slot:     # or: async with
            answer = client.chat.completions.create(...)
            slot.settle(answer.usage.total_tokens)

    What is limited is a *lane*: whatever hashable a call names, a provider and model, say. `concurrency`,
    `tokens_per_minute` and `requests_per_minute` are those of every lane that `limit` gives no others; without any, and
    without a `share`, a call goes at once. No more than `max_waiting` calls of a tier wait for a lane. A line of calls
    out of which nothing went for `ageing_s` seconds, and which ten more urgent calls passed, is let go one call out of
    turn, as if it were of the next tier: nothing waits for ever. A flood of background calls leaves some slots free for
    urgent ones; how many is learned (`reserve` states the rule).

    `clock` is a steady one in seconds; deadlines are given in its time. Safe to share between threads and event loops.
    In a child after a fork nothing is on its way and nothing waits; limits and shares stay.
    """

    def __init__(
        self,
        *,
        concurrency: int | None = None,
        tokens_per_minute: float | None = None,
        requests_per_minute: float | None = None,
        max_waiting: int = 10_000,
        ageing_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises ConfigError for a limit that is not above 0."""
        if max_waiting < 0 or not ageing_s > 0:
            raise ConfigError(
                f"max_waiting={max_waiting!r} may not be below 0, and ageing_s={ageing_s!r} has to be above"
            )
        self._limits = Limits(concurrency, tokens_per_minute, requests_per_minute)
        self._max_waiting = max_waiting
        self._ageing_s = ageing_s
        self._clock = clock
        self._lock = threading.Lock()
        self._limited = self._limits != Limits()
        self._gates: dict[Hashable, Gate] = {}
        _schedulers.add(self)

    # -- limits

    def limit(
        self,
        lane: Hashable,
        *,
        concurrency: int | None = None,
        tokens_per_minute: float | None = None,
        requests_per_minute: float | None = None,
    ) -> None:
        """What this lane may carry from now on; None: unlimited. Raises ConfigError for a limit that is not above 0.

        Calls that went while nothing limited the lane are not counted.
        """
        limits = Limits(concurrency, tokens_per_minute, requests_per_minute)
        self._gate(lane).declare(limits)

    def share(self, lane: Hashable, tenant: str, tier: Tier | str, tokens_per_minute: float | None) -> None:
        """Pace a tenant's tier in this lane, as a decision's `share` says; None: not at all; 0: nothing goes.

        A second's worth may go at once, and a call goes whole as soon as anything of that is left. Cheap where it is
        no news. Raises ConfigError where it is no amount.
        """
        rank = _tier(tier)
        if tokens_per_minute is not None and not 0 <= tokens_per_minute < inf:
            raise ConfigError(f"a share of {tokens_per_minute!r} tokens a minute: give 0 or more, or None")
        if tokens_per_minute is not None or lane in self._gates:
            self._gate(lane).share(tenant, rank, tokens_per_minute)

    def use(self, lane: Hashable = None) -> Use:
        """How a lane stands: calls on their way, calls that wait, slots held back from background calls."""
        gate = self._gates.get(lane)
        return Use(0, 0, 0) if gate is None else gate.use()

    # -- calls

    def slot(
        self, *, tenant: str, tier: Tier | str, tokens: int = 1, lane: Hashable = None,
        deadline: float | None = None, weight: float = 1.0,
    ) -> Asking:  # fmt: skip
        """A slot for as long as a block lasts, `with` or `async with`; otherwise as `acquire`."""
        return Asking(self, tenant, tier, tokens, lane, deadline, weight)

    def acquire(
        self, *, tenant: str, tier: Tier | str, tokens: int = 1, lane: Hashable = None,
        deadline: float | None = None, weight: float = 1.0,
    ) -> Slot:  # fmt: skip
        """Wait for a slot, in this thread; whoever has it must `release` it.

        `tokens` is what the call is expected to take in all (without it the order is fair by calls), `weight` the
        tenant's beside the tier's others. `deadline` is in the clock's seconds (`time.monotonic() + 5`). Raises
        QueueTimeout where it comes first, QueueFull where too many wait, ConfigError for an argument that cannot be.
        """
        tier = _checked(tier, tokens, weight)
        gate = self._way(lane)
        if gate is None:
            return FREE
        return Slot(gate, *gate.enter(tenant, tier, tokens, weight, inf if deadline is None else deadline))

    async def acquire_async(
        self, *, tenant: str, tier: Tier | str, tokens: int = 1, lane: Hashable = None,
        deadline: float | None = None, weight: float = 1.0,
    ) -> Slot:  # fmt: skip
        """As `acquire`, in this event loop; suspends only where it has to wait. Cancelled, it leaves no hole."""
        tier = _checked(tier, tokens, weight)
        gate = self._way(lane)
        if gate is None:
            return FREE
        until = inf if deadline is None else deadline
        return Slot(gate, *await gate.enter_async(tenant, tier, tokens, weight, until))

    # -- inside

    def _way(self, lane: Hashable) -> Gate | None:
        """The gate that a call has to pass; None where nothing limits its lane."""
        gate = self._gates.get(lane)
        return self._gate(lane) if gate is None and self._limited else gate

    def _gate(self, lane: Hashable) -> Gate:
        with self._lock:
            gate = self._gates.get(lane)
            if gate is None:
                gate = self._gates[lane] = self._made(lane, self._limits)
            return gate

    def _made(self, lane: Hashable, limits: Limits) -> Gate:
        return Gate(lane, limits, max_waiting=self._max_waiting, ageing_s=self._ageing_s, clock=self._clock)

    def _forked(self) -> None:
        self._lock = threading.Lock()
        for lane, gate in list(self._gates.items()):
            limits, shares = gate.shut()
            self._gates[lane] = made = self._made(lane, limits)
            for (tenant, tier), rate in shares.items():
                made.share(tenant, tier, rate)


class Asking:
    """What `Scheduler.slot` gives: used once, by `with` or `async with`."""

    __slots__ = ("_call", "_scheduler", "_slot")

    def __init__(
        self, scheduler: Scheduler, tenant: str, tier: Tier | str, tokens: int, lane: Hashable,
        deadline: float | None, weight: float,
    ) -> None:  # fmt: skip
        self._scheduler = scheduler
        self._call = (tenant, tier, tokens, lane, deadline, weight)
        self._slot = FREE

    def __enter__(self) -> Slot:
        tenant, tier, tokens, lane, deadline, weight = self._call
        self._slot = self._scheduler.acquire(
            tenant=tenant, tier=tier, tokens=tokens, lane=lane, deadline=deadline, weight=weight
        )
        return self._slot

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._slot.release()

    async def __aenter__(self) -> Slot:
        tenant, tier, tokens, lane, deadline, weight = self._call
        self._slot = await self._scheduler.acquire_async(
            tenant=tenant, tier=tier, tokens=tokens, lane=lane, deadline=deadline, weight=weight
        )
        return self._slot

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._slot.release()


def _checked(tier: Tier | str, tokens: int, weight: float) -> Tier:
    if not 0 <= tokens < inf or not 0 < weight < inf:
        raise ConfigError(
            f"tokens={tokens!r}, weight={weight!r}: tokens may not be below 0, a weight must be above"
        )
    return _tier(tier)


def _tier(tier: Tier | str) -> Tier:
    if isinstance(tier, Tier):
        return tier
    try:
        return Tier.parse(tier)
    except ValueError as error:
        raise ConfigError(f"tier: {error}") from None


_schedulers: weakref.WeakSet[Scheduler] = weakref.WeakSet()


def _forked() -> None:
    for scheduler in list(_schedulers):
        scheduler._forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
