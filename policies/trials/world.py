"""A world in which time passes when it is told to: the real engine, and what happens to it at its moments.

Nothing here waits or reads a clock, so that a day of an engine's life takes as long as its events do.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from ..engine import Engine, Price
from ..model import PolicySet
from ..transitions import Transition

__all__ = ["World", "finest_step"]

_FINEST_S, _COARSEST_S = 0.5, 60.0
# As many buckets as a rolling window has: nothing leaves it in smaller steps.
_BUCKETS = 240
_TIDY_EVERY = 100


@dataclass(slots=True)
class World:
    """One engine from `now` (epoch seconds, UTC) on, which ticks every `step_s` seconds as time passes."""

    policies: PolicySet
    price: Price
    now: float
    step_s: float
    transitions: list[Transition] = field(default_factory=list)
    """Every breaker's transition so far, in order."""
    engine: Engine = field(init=False)
    _due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _places: itertools.count[int] = field(default_factory=itertools.count)
    _ticks: int = 0
    _began_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._began_at = self.now
        self.engine = Engine(self.policies, self.price)
        self.engine.accounts.open_windows(self.now)

    def later(self, at: float, do: Callable[[], None]) -> None:
        """Do this once `at` has come; what is due at one moment happens in the order in which it was said."""
        heapq.heappush(self._due, (at, next(self._places), do))

    def pass_to(self, moment: float) -> None:
        """Let time pass up to `moment`, with all that is due until then; the engine ticks at its own steps alone."""
        while True:
            tick = self._next_tick()
            if self._due and self._due[0][0] <= min(tick, moment):
                at, _, do = heapq.heappop(self._due)
                self.now = max(self.now, at)
                do()
            elif tick <= moment:
                self.now = tick
                self._ticks += 1
                self.tick()
            else:
                break
            self.note()
        self.now = max(self.now, moment)

    def tick(self) -> None:
        """Let the engine do what time alone brings."""
        self.engine.tick(self.now)
        if self._ticks % _TIDY_EVERY == 0:
            self.engine.tidy(self.now)
        self.note()

    def note(self) -> None:
        """Take over the transitions that the engine wants written down; nobody will start again from its records."""
        if self.engine.outbox:
            self.transitions.extend(self.engine.outbox)
            self.engine.outbox.clear()
        self.engine.records.clear()

    def _next_tick(self) -> float:
        # Counted and not added up: a sum of many steps can stand still by its rounding.
        return self._began_at + (self._ticks + 1) * self.step_s


def finest_step(policies: PolicySet, span_s: float, most: int) -> float:
    """Seconds between two ticks, so that whatever comes by time alone is met: a bucket that leaves, a cool-down's end.

    Over a long `span_s` no more than about `most` ticks: a day of a minute's window moves in steps of 4 s then.
    """
    shortest = [ceiling.cooldown_s for ceiling in policies.ceilings]
    shortest += [ceiling.window_s / _BUCKETS for ceiling in policies.ceilings if ceiling.window_s is not None]
    step = min(max(min(shortest, default=_COARSEST_S), _FINEST_S), _COARSEST_S)
    return max(step, span_s / most)
