"""A gate: a lane with a lock around it, where threads and coroutines wait. All that is shared is done under the lock.

Whoever moves something (a call that ends, a settlement, another limit) lets go whoever may go then and wakes exactly
those; nobody polls. Where only time has to pass, see `waiters`.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from math import inf

from ..tier import Tier
from .errors import QueueFull, QueueTimeout
from .lane import Lane, Limits, Use
from .line import Call
from .waiters import Alarm, InLoop, InThread, Waiter

__all__ = ["Gate"]


class Gate:
    """The way into one lane."""

    def __init__(
        self, key: Hashable, limits: Limits, *, max_waiting: int, ageing_s: float, clock: Callable[[], float]
    ) -> None:
        self.key = key
        self._lane = Lane(limits, clock(), ageing_s)
        self._max_waiting = max_waiting
        self._clock = clock
        self._lock = threading.Lock()
        self._shut = False
        self._threads: OrderedDict[Waiter, InThread] = OrderedDict()
        self._alarms: dict[asyncio.AbstractEventLoop, Alarm] = {}
        self._abandoned: deque[Call] = deque()

    def declare(self, limits: Limits) -> None:
        """Other limits from now on."""
        with self._lock:
            now = self._clock()
            self._lane.declare(limits, now)
            self._let_go(now)

    def share(self, tenant: str, tier: Tier, per_minute: float | None) -> None:
        """Pace a tenant's tier from now on; None: not at all."""
        with self._lock:
            now = self._clock()
            if self._lane.share(tenant, tier, per_minute, now):
                self._let_go(now)

    def use(self) -> Use:
        """How the lane stands."""
        with self._lock:
            return self._lane.use(self._clock())

    def shut(self) -> tuple[Limits, dict[tuple[str, Tier], float]]:
        """In a child after a fork: what went or waited here did so in the parent. Its limits and shares."""
        self._lock = threading.Lock()
        self._shut = True
        return self._lane.limits, self._lane.shares()

    # -- calls

    def enter(
        self, tenant: str, tier: Tier, tokens: int, weight: float, deadline: float
    ) -> tuple[Call, float]:
        """A call that is let go, and the seconds that it waited for that, in this thread.

        Raises QueueFull and QueueTimeout.
        """
        with self._lock:
            now = self._clock()
            call = self._ask(tenant, tier, tokens, weight, now)
            if call.runs:
                return call, 0.0
            waiter = call.waiter = InThread(deadline)
            self._threads[waiter] = waiter
            self._keep_time(now)
        try:
            return call, self._wait(call, waiter, deadline)
        except BaseException:
            self._give_up(call)
            raise

    async def enter_async(
        self, tenant: str, tier: Tier, tokens: int, weight: float, deadline: float
    ) -> tuple[Call, float]:
        """As `enter`, in this event loop; suspends only where it has to wait."""
        with self._lock:
            now = self._clock()
            call = self._ask(tenant, tier, tokens, weight, now)
            if call.runs:
                return call, 0.0
            loop = asyncio.get_running_loop()
            waiter = call.waiter = InLoop(loop)
            alarm = self._alarms.get(loop)
            if alarm is None:
                alarm = self._alarms[loop] = Alarm(loop, self._rings, self._clock)
            alarm.waiters += 1
            self._keep_time(now)
        timer = None if deadline == inf else loop.call_later(max(0.0, deadline - now), waiter.wake)
        try:
            await waiter.wait()
            waited_s = self._waited(call, deadline)
        except GeneratorExit:
            # Thrown away with its event loop, by the garbage collector perhaps, in a thread that has the lock already.
            self._abandoned.append(call)
            raise
        except BaseException:
            self._leave(loop, alarm, timer)
            self._give_up(call)
            raise
        self._leave(loop, alarm, timer)
        return call, waited_s

    def settle(self, call: Call, tokens: int) -> None:
        """It took so many tokens."""
        with self._lock:
            if not self._shut and tokens != call.tokens:
                now = self._clock()
                self._lane.settle(call, tokens, now)
                self._let_go(now)

    def release(self, call: Call) -> None:
        """It has ended; again is no matter."""
        with self._lock:
            if not self._shut and call.runs:
                self._lane.end(call)
                self._let_go(self._clock())

    # -- under the lock

    def _ask(self, tenant: str, tier: Tier, tokens: int, weight: float, now: float) -> Call:
        call = self._lane.ask(tenant, tier, tokens, weight, now)
        if call.waits:
            self._let_go(now)
        if call.waits and (waiting := self._lane.waits(tier)) > self._max_waiting:
            self._lane.drop(call, now)
            raise QueueFull(self.key, tier, waiting - 1)
        return call

    def _let_go(self, now: float) -> None:
        """Let go whoever may go now, and see to it that somebody looks when the next may."""
        while self._abandoned:
            call = self._abandoned.popleft()
            if call.waits:
                self._lane.drop(call, now)
            elif call.runs:
                self._lane.end(call)
        if not self._lane.waiting:
            return
        while (going := self._lane.next(now)) is not None:
            waiter: Waiter | None = going.waiter
            if waiter is None:
                continue  # it is asking just now
            self._threads.pop(waiter, None)
            try:
                waiter.wake()
            except RuntimeError:  # its event loop is closed: nobody is there any more
                self._lane.end(going)
        self._keep_time(now)

    def _keep_time(self, now: float) -> None:
        due = self._lane.next_at(now)
        if due == inf:
            return
        if self._threads:
            keeper = next(iter(self._threads.values()))
            if due < keeper.until:
                keeper.until = due
                keeper.wake()
            return
        for loop, alarm in list(self._alarms.items()):
            try:
                alarm.set(due)
            except RuntimeError:  # as above
                del self._alarms[loop]

    # -- waiting

    def _wait(self, call: Call, waiter: InThread, deadline: float) -> float:
        while True:
            with self._lock:
                if call.runs:
                    return self._clock() - call.at
                now = self._clock()
                waiter.until = deadline
                self._let_go(now)
                if call.runs:
                    return now - call.at
                if now >= deadline:
                    raise QueueTimeout(self.key, call.flow.line.tier, now - call.at)
                waiter.clear()
            waiter.wait(now)

    def _waited(self, call: Call, deadline: float) -> float:
        """How long it waited, now that it was woken. Raises QueueTimeout where it was for its deadline."""
        with self._lock:
            now = self._clock()
            if not call.runs:
                self._let_go(now)
            if not call.runs:
                raise QueueTimeout(self.key, call.flow.line.tier, now - call.at)
            return now - call.at

    def _give_up(self, call: Call) -> None:
        """Nobody waits for it any more; what it may have been given goes to the next."""
        with self._lock:
            if self._shut:
                return
            self._threads.pop(call.waiter, None)
            self._abandoned.append(call)
            self._let_go(self._clock())

    def _leave(
        self, loop: asyncio.AbstractEventLoop, alarm: Alarm, timer: asyncio.TimerHandle | None
    ) -> None:
        if timer is not None:
            timer.cancel()
        with self._lock:
            alarm.waiters -= 1
            if not alarm.waiters:
                self._alarms.pop(loop, None)
                alarm.stop()

    def _rings(self) -> None:
        with self._lock:
            self._let_go(self._clock())
