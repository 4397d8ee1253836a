"""Holds at hand: what is left of a task's grants, drawn call by call without asking.

The engine grants a few more than one where there is plenty of room (`spare`). They are drawn here in microseconds, and
more are asked for in the background when half of them are gone; near a ceiling it grants none, and each call asks.
What nobody draws for a while goes back, and so does all of a task's that ends: others may be waiting for the room.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ..control.wire import Grant, Granted

__all__ = ["Holds", "Kind", "Refill"]

_FIRST_SPARE = 3
_MOST_SPARE = 32
_IDLE_S = 2.0
# A call that begins has its time before its hold ends by itself.
_MARGIN_S = 60.0

Refill = Callable[["Pool"], None]


class Kind(NamedTuple):
    """Calls that can be made under one another's hold: of one task, to one model, of about one size."""

    task: str | None
    scope: Hashable
    provider: str
    model: str
    size: int
    """Two to this power is more than the bytes of the request."""
    max_output_tokens: int | None
    writes_cache: bool
    needs: tuple[str, ...]


@dataclass(slots=True)
class _Grant:
    grant: Grant
    next: int
    until: float


@dataclass(slots=True, eq=False)
class Pool:
    """What is left of the grants for one kind of call."""

    kind: Kind
    template: dict[str, Any]
    """What is asked for more of it, but for id and spare."""
    drawn_at: float
    spare: int = _FIRST_SPARE
    left: int = 0
    asks: bool = False
    plenty: bool = False
    grants: deque[_Grant] = field(default_factory=deque)


@dataclass(slots=True)
class Holds:
    """The pools of one process. `give_back(lease)` releases one hold; `now` is in seconds of a monotonic clock."""

    give_back: Callable[[str], None]
    refill: Refill
    _pools: dict[Kind, Pool] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def draw(self, kind: Kind, now: float) -> tuple[str, Grant] | None:
        """A hold for a call of this kind: its lease and the grant; None where there is none at hand."""
        if kind not in self._pools:
            return None
        with self._lock:
            # Looked up again: what another thread has given back meanwhile is nobody's any more.
            pool = self._pools.get(kind)
            found = None if pool is None else self._next(pool, now)
            if pool is None or found is None:
                return None
            pool.drawn_at = now
            wants = pool.plenty and not pool.asks and pool.left <= pool.spare // 2
            pool.asks = pool.asks or wants
        if wants:
            self.refill(pool)
        return found

    def spare(self, kind: Kind) -> int:
        """How many more than one to ask for."""
        pool = self._pools.get(kind)
        return _FIRST_SPARE if pool is None else pool.spare

    def put(self, kind: Kind, template: dict[str, Any], grant: Grant, *, drawn: int, now: float) -> None:
        """Keep what a grant has left after the first `drawn` of its holds."""
        with self._lock:
            pool = self._pools.get(kind)
            if pool is None:
                if grant.calls <= drawn:
                    return
                pool = self._pools[kind] = Pool(kind, template, now)
            self._keep(pool, grant, drawn, now)

    def refilled(self, pool: Pool, granted: Granted | None, now: float) -> None:
        """The answer to a refill; where the pool is gone by then, it goes back."""
        grant = None if granted is None else granted.grant
        with self._lock:
            pool.asks = False
            if self._pools.get(pool.kind) is pool:
                if grant is None:
                    pool.plenty = False
                    return
                pool.spare = min(pool.spare * 2, _MOST_SPARE)
                self._keep(pool, grant, 0, now)
                return
        if grant is not None:
            self._return(grant, 1)

    def drop(self, which: Callable[[Pool], bool]) -> None:
        """Give back what is left in some pools."""
        with self._lock:
            dropped = [pool for pool in self._pools.values() if which(pool)]
            for pool in dropped:
                del self._pools[pool.kind]
        for pool in dropped:
            for each in pool.grants:
                self._return(each.grant, each.next)

    def drop_idle(self, now: float) -> None:
        """Give back what nobody has drawn for a while."""
        if self._pools:
            self.drop(lambda pool: now - pool.drawn_at > _IDLE_S)

    def forget(self) -> None:
        """Draw none of them any more, without giving back: they are another process's."""
        self._lock = threading.Lock()
        self._pools = {}

    def _return(self, grant: Grant, first: int) -> None:
        # Each by its name: said twice, it is given back once.
        for number in range(first, grant.calls + 1):
            self.give_back(f"{grant.id}:{number}")

    def _next(self, pool: Pool, now: float) -> tuple[str, Grant] | None:
        while pool.grants:
            first = pool.grants[0]
            number, first.next = first.next, first.next + 1
            pool.left -= 1
            if first.next > first.grant.calls:
                pool.grants.popleft()
            if now < first.until:
                return f"{first.grant.id}:{number}", first.grant
            # It is about to end by itself, and all that is left of it.
            if first.next <= first.grant.calls:
                pool.left -= first.grant.calls - first.next + 1
                pool.grants.popleft()
        return None

    def _keep(self, pool: Pool, grant: Grant, drawn: int, now: float) -> None:
        left = grant.calls - drawn
        pool.plenty = grant.calls > 1
        if left:
            lasts_s = (grant.expires_at - datetime.now(UTC)).total_seconds() - _MARGIN_S
            pool.grants.append(_Grant(grant, drawn + 1, now + lasts_s))
            pool.left += left
