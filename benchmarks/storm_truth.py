"""What came of a storm: the agents' calls held against the provider's own log.

*Behind* at a moment is how many calls were due by then and had not ended: those on their way, those that wait, and
those whose agent is not free for them yet. Before the cut it is the few that are on their way; its most is the *usual*.
The *backlog* is what is behind above the usual when the limit is restored, and the time to recover is until it is back
there. A provider that serves `limit` a second while calls go on coming due at `arrival` a second cannot do that sooner
than in backlog / (limit - arrival), which is the *minimum*; arrival is what came due in that very time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from storm_agents import Call, Found

__all__ = ["Outcome", "judged", "peak"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One storm. Rates are a second, times in seconds."""

    served: int
    refused: int
    given_up: int
    """Calls that ended without an answer."""
    cut_served: int
    cut_refused: int
    peak_cut: int
    """Requests in any second of the cut but its first, in which whoever is on the way cannot know of it."""
    peak: int
    """Requests in any second after that."""
    backlog: int
    recovery_s: float | None
    """None: it was not over when time was up."""
    minimum_s: float
    longest_wait_s: float
    """From when a call was due until it had ended."""

    @property
    def attempts(self) -> float:
        """A success, from the cut on."""
        return (self.served + self.refused) / max(1, self.served)

    @property
    def cut_attempts(self) -> float:
        """A success, during the cut."""
        return (self.cut_served + self.cut_refused) / max(1, self.cut_served)

    @property
    def times_minimum(self) -> float | None:
        return None if self.recovery_s is None else self.recovery_s / self.minimum_s


def judged(
    found: Found,
    due: Sequence[float],
    log: Mapping[str, Any],
    cut: float,
    restored: float,
    per_s: float,
    ended: float,
) -> Outcome:
    """`due` are all calls' moments, sorted; `per_s` is the restored limit, `ended` when one stopped looking.

    Moments are in epoch seconds.
    """
    served = sorted(_moment(each["arrived_at"]) for each in log["served"])
    refused = sorted(_moment(each["at"]) for each in log["refused"])
    asked = sorted(served + refused)
    ends = sorted(call.ended for call in found.calls)

    def behind(at: float) -> int:
        return bisect_right(due, at) - bisect_right(ends, at)

    usual = max(behind(at) for at in [*due, cut] if found.began < at <= cut)
    # It can only fall below when a call ends.
    over = next((at for at in ends if at >= restored and behind(at) <= usual), None)
    until = ended if over is None else over
    arrival = (bisect_right(due, until) - bisect_right(due, restored)) / (until - restored)
    backlog = behind(restored) - usual
    in_cut, later = _between(cut, restored), _between(cut, until)
    return Outcome(
        served=later(served),
        refused=later(refused),
        given_up=sum(not call.served for call in found.calls),
        cut_served=in_cut(served),
        cut_refused=in_cut(refused),
        peak_cut=peak([at for at in asked if cut + 1.0 <= at <= restored]),
        peak=peak([at for at in asked if restored <= at <= until]),
        backlog=backlog,
        recovery_s=None if over is None else over - restored,
        minimum_s=backlog / (per_s - arrival),
        longest_wait_s=max(_waits(found.calls, cut), default=0.0),
    )


def peak(moments: Sequence[float]) -> int:
    """The most of them within one second."""
    first = most = 0
    for number, at in enumerate(moments):
        while moments[first] <= at - 1.0:
            first += 1
        most = max(most, number - first + 1)
    return most


def _waits(calls: Sequence[Call], cut: float) -> list[float]:
    return [call.ended - call.due for call in calls if call.ended >= cut]


def _between(begin: float, end: float) -> Any:
    return lambda moments: bisect_right(moments, end) - bisect_right(moments, begin)


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
