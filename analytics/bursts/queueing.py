"""Queueing: what would have been saved, had background calls waited in a queue for room below the committed rate.

The queue knows no future. A background call goes at once if the calls of the last 60 seconds and it fit within the
committed rate, and waits else, in order of arrival; each leaves as soon as it fits, and after `max_delay` in any case.
Other calls never wait, so that a minute may still go above when they come after background calls that had room. A call
above the whole committed rate goes when nothing went for 60 seconds. A call's tokens are taken as known when it
begins; what follows a call in its task is not moved along with it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from analytics.contracts.terms import Burst

from .call import BACKGROUND, MINUTE_US, Call
from .minutes import charges

__all__ = ["Smoothing", "queued", "smoothing"]


@dataclass(frozen=True, slots=True)
class Smoothing:
    """Overage as it was and as it would have been, in money, and the delay that it takes.

    `moved` background calls wait, of which `late` go without room when the longest delay is over. Delays are those
    of the moved calls. `unknown_minutes` of those above would have no known charge, before and after.
    """

    before: Decimal
    after: Decimal
    moved: int
    late: int
    mean_delay_s: float
    p95_delay_s: float
    longest_delay_s: float
    unknown_minutes: tuple[int, int]

    @property
    def saved(self) -> Decimal:
        """Below zero where the delay moved calls into minutes that then went further above."""
        return self.before - self.after


def smoothing(calls: Sequence[Call], burst: Burst, max_delay_us: int) -> Smoothing:
    """What queueing the background calls for at most `max_delay_us` would have saved. Calls come in order of time."""
    moved = queued(calls, burst.bands[0].start, max_delay_us)
    delays = sorted(after.at_us - before.at_us for before, after, _ in moved if after is not before)
    before, unknown_before = _total(calls, burst)
    after, unknown_after = _total((after for _, after, _ in moved), burst)
    return Smoothing(
        before,
        after,
        len(delays),
        sum(late for *_, late in moved),
        sum(delays) / len(delays) / 1e6 if delays else 0.0,
        delays[math.ceil(0.95 * len(delays)) - 1] / 1e6 if delays else 0.0,
        delays[-1] / 1e6 if delays else 0.0,
        (unknown_before, unknown_after),
    )


def queued(
    calls: Iterable[Call], committed_tpm: int | Decimal, max_delay_us: int
) -> list[tuple[Call, Call, bool]]:
    """Each call as it was, as it goes behind the queue (the same object where it does not wait), and whether late."""
    queue = _Queue(committed_tpm, max_delay_us)
    for call in calls:
        queue.advance(call.at_us)
        queue.take(call)
    queue.advance(None)
    return queue.gone


@dataclass(slots=True)
class _Queue:
    committed_tpm: int | Decimal
    max_delay_us: int
    now_us: int = -(2**62)
    used: int | Decimal = 0
    sent: deque[tuple[int, int | Decimal]] = field(default_factory=deque)
    waiting: deque[Call] = field(default_factory=deque)
    gone: list[tuple[Call, Call, bool]] = field(default_factory=list)

    def take(self, call: Call) -> None:
        """A call arrives now: it goes, or waits behind those that wait."""
        if call.tier == BACKGROUND and call.tokens and (self.waiting or not self._fits(call.tokens)):
            self.waiting.append(call)
        else:
            self._send(call, late=False)

    def advance(self, until_us: int | None) -> None:
        """Let time pass, and calls go when they may; None: until no call waits."""
        while self.waiting:
            head = self.waiting[0]
            due_us = head.at_us + self.max_delay_us
            room_us = self.now_us if self._fits(head.tokens or 0) else self.sent[0][0] + MINUTE_US
            moment_us = max(self.now_us, min(room_us, due_us))
            if until_us is not None and moment_us > until_us:
                break
            self._pass(moment_us)
            fits = self._fits(head.tokens or 0)
            if fits or moment_us >= due_us:
                self._send(self.waiting.popleft(), late=not fits)
        if until_us is not None:
            self._pass(until_us)

    def _fits(self, tokens: int | Decimal) -> bool:
        return self.used == 0 or self.used + tokens <= self.committed_tpm

    def _pass(self, now_us: int) -> None:
        self.now_us = now_us
        while self.sent and self.sent[0][0] <= now_us - MINUTE_US:
            self.used -= self.sent.popleft()[1]

    def _send(self, call: Call, *, late: bool) -> None:
        if call.tokens:
            self.sent.append((self.now_us, call.tokens))
            self.used += call.tokens
        goes = call if call.at_us == self.now_us else replace(call, at_us=self.now_us)
        self.gone.append((call, goes, late))


def _total(calls: Iterable[Call], burst: Burst) -> tuple[Decimal, int]:
    found = list(charges(calls, burst).values())
    return sum((charge for charge in found if charge is not None), Decimal(0)), found.count(None)
