"""The reserve: slots of a lane that less urgent calls leave free, so that an urgent one need not wait for them to end.

A call that has begun cannot be put aside, so a flood of long background calls that holds every slot makes whoever comes
next wait until one ends. The rule:

- A call may begin only while more slots are free than are held back from its tier: for each more urgent tier a few.
  They are not set aside for ever: each slot that an urgent call takes is free for the next one as soon as any call of
  the lane ends. So a few are enough, for the calls that come until one ends, and the rest is background's.
- How many is learned, by tier: one more for each call that found no slot while less urgent ones ran; a two-hundredth
  less for each that found one. So about one in two hundred waits for less urgent ones, where the next rule lets it.
- It begins with a twentieth of the lane for interactive calls. It is never more than a tenth (rounded) of the slots
  that more urgent calls leave, so that the rest is background's; but one slot even where that is more than a tenth. A
  lane of one slot holds nothing back.
- For a tier of which no call came for a minute nothing is held back: background alone has the whole lane.
"""

from __future__ import annotations

from math import ceil

__all__ = ["Reserve"]

_LESS_EACH = 1 / 200
_FIRST_PART = 1 / 20
_MOST_PART = 1 / 10
_REMEMBERED_S = 60.0


class Reserve:
    """What is held back in one lane. `rank` is a tier's, 0 for the most urgent; `now` in seconds."""

    __slots__ = ("_learned", "_most", "_seen_at")

    def __init__(self, concurrency: int, now: float) -> None:
        self._most = 0 if concurrency == 1 else max(1, round(concurrency * _MOST_PART))
        self._learned = [float(min(self._most, ceil(concurrency * _FIRST_PART))), 0.0]
        self._seen_at = [now, now]

    def held_back(self, rank: int, left: int, now: float) -> int:
        """How many slots a call of this rank has to leave free, of `left` that more urgent calls do not have."""
        slots = 0
        for other in range(min(rank, len(self._learned))):
            if now < self._seen_at[other] + _REMEMBERED_S:
                slots += ceil(self._learned[other])
        return min(slots, self._most, max(1, round(left * _MOST_PART)))

    def learn(self, rank: int, now: float, *, found: bool) -> None:
        """A call came, and found a slot, or none while less urgent calls had some."""
        if rank < len(self._learned):
            self._seen_at[rank] = now
            learned = self._learned[rank] - _LESS_EACH if found else ceil(self._learned[rank]) + 1.0
            self._learned[rank] = min(float(self._most), max(0.0, learned))

    def less_at(self, now: float) -> float:
        """When less is held back at the earliest, if no urgent call comes."""
        ends = [at + _REMEMBERED_S for at in self._seen_at if at + _REMEMBERED_S > now]
        return min(ends, default=float("inf"))
