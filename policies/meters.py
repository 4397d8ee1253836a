"""Meters: what one scope has in flight and has spent, and how much room its ceilings leave.

    counter = booked calls + settled holds not yet booked + holds

A hold counts at what such calls have cost. What those in flight may turn out to cost together is more than the sum of
what is expected of each, and less than the sum of the most that each can:

    exposure = min(mean + 4 sqrt(variance + doubt^2) + peak / 2 + longer, most)
    longer = variance * holds / mean + sqrt(variance * ended)

with the mean, the variance and the most added up over the calls in flight, the doubt of their means added up too (all
of a kind are wrong together), and half of the largest among them, since costs have long tails. While the exposure fits,
calls go out side by side; near a ceiling ever fewer do, down to one at a time. In a simulation of 200 agents with
log-normal costs, four deviations and half the largest call kept a ceiling to within one call in a fifth of the time of
worst-case holds.

`longer` is for those that outlast others, of the calls that are in flight already. An answer takes the longer the more
tokens it has, so that whenever one looks, costly calls are there more often than they are made: their mean is then that
of all and variance / mean of one call more. And when `ended` of their contemporaries have settled, those left are the
costlier part: the mean of the largest n of N values is at most deviation * sqrt((N - n) / n) above the mean of all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from .counters import Sum, sum_over
from .forecasts import Forecast
from .model import OWN_BUDGET, Ceiling, Dimension, Rolling, Unit, Window
from .sizing import Size

__all__ = ["Limit", "Meter", "MeterKey"]

_DEVIATIONS_SQUARED = 16.0
_PEAK_FADE = 32
# A call that is expected to take at most a tenth of a ceiling is small beside it.
_SMALL = 10
# Holds of calls that nobody asks for yet, and all beside them, stay within a twentieth of what is left. Of a task's
# ceiling within a quarter: nobody else is there to miss them.
_SPARE, _SPARE_OF_A_TASK = 20, 4
_UNLIMITED = 1 << 100
_ALWAYS = (float("-inf"), float("inf"))

MeterKey = tuple[object, ...]


class Limit(NamedTuple):
    """One ceiling's amount over one of a meter's sums, in atoms; `strict` counts calls in flight at their bounds."""

    total: Sum
    amount: int
    strict: bool


class Meter:
    """One scope's counters in one unit. Belongs to one thread; `now` does not run backwards.

    What is spent within one slot (the part of time that no window tells apart) is added up first and reaches the sums
    when the slot is over, or somebody asks: then a call costs the same however many windows count it.
    """

    __slots__ = (
        "_fresh", "_least", "_limits", "_room", "_slot_begin", "_slot_end", "_strict_room",
        "_sums", "bounds", "doubt", "ended", "forecasts", "held", "holds", "key", "most", "peak", "plain", "read_at",
        "restrained", "touched", "touched_at", "unit", "values", "variance",
    )  # fmt: skip

    def __init__(
        self, key: MeterKey, unit: Unit, values: tuple[tuple[Dimension, str], ...], now: float
    ) -> None:
        self.key = key
        self.unit = unit
        self.values = values
        """What sets this scope apart from the others of its rule."""
        self.held = self.most = self.bounds = self.peak = self.holds = 0
        self.variance = self.doubt = 0.0
        self.ended = 0.0
        """About how many calls have settled that were in flight beside those which still are, and no other has come
        for them."""
        self.touched_at = now
        self.touched = False
        """Whether its accounts have to be read anew."""
        self.read_at = float("-inf")
        self.restrained = False
        """Whether a breaker or a rung of one of its ceilings is in the way, so that room alone does not decide."""
        self.plain = False
        """Whether nothing but the ceilings themselves can move a breaker: while there is room, none has to be read."""
        self._sums: dict[Rolling | Window | None, Sum] = {}
        self.forecasts: dict[Rolling | Window | None, Forecast] = {}
        """The projections over its windows: they are told of all that is spent."""
        self._limits: tuple[Limit, ...] = ()
        self._room = self._strict_room = self._least = self._fresh = 0
        self._slot_begin = self._slot_end = float("-inf")

    @property
    def is_of_a_task(self) -> bool:
        """Whether it counts one task."""
        return any(dimension is Dimension.TASK for dimension, _ in self.values)

    @property
    def is_own_budget(self) -> bool:
        """Whether it counts against what an agent allows its own task."""
        return self.key[0] == OWN_BUDGET

    @property
    def is_still(self) -> bool:
        """Whether time alone changes nothing here: it counts over a task's whole life only."""
        return self._slot_end == _ALWAYS[1]

    def sum_of(self, ceiling: Ceiling, now: float) -> Sum:
        """The counter over a ceiling's window, up to date; ceilings with the same window share one."""
        found = self._sums.get(ceiling.window)
        if found is None:
            found = self._sums[ceiling.window] = sum_over(ceiling.window)
            self._slot_end = float("-inf")
        if self._fresh:
            self._begin_slot(now)
        return found

    def limit(self, limits: Iterable[Limit]) -> None:
        """Say what may be spent, in place of what was said before. Those that do not act are not among them."""
        lowest: dict[tuple[int, bool], Limit] = {}
        for limit in limits:
            over = (id(limit.total), limit.strict)
            if over not in lowest or limit.amount < lowest[over].amount:
                lowest[over] = limit
        # Over the same sum the lowest is reached first.
        self._limits = tuple(lowest.values())
        self._slot_end = float("-inf")

    # -- what is in flight

    def hold(self, size: Size, calls: int, now: float) -> None:
        """Count `calls` calls of this size as in flight."""
        self.holds += calls
        if calls != 1:
            size = size.times(calls)
        self.held += size.mean
        self.most += size.most
        self.bounds += size.bound
        self.variance += size.variance
        self.doubt += size.doubt
        if self.ended:
            self.ended = max(0.0, self.ended - calls)
        peak = self.peak - self.peak // _PEAK_FADE
        self.peak = size.peak if size.peak > peak else peak
        self.touched_at = now

    def drop(self, size: Size, calls: int) -> None:
        """Count them no longer."""
        self.holds -= calls
        if calls != 1:
            size = size.times(calls)
        self.held -= size.mean
        self.most -= size.most
        self.bounds -= size.bound
        if self.holds:
            # Floats that were added and are taken away again may end a little below nothing.
            self.variance = max(0.0, self.variance - size.variance)
            self.doubt -= size.doubt
        else:
            # Floats do not add up to nothing by themselves.
            self.variance = self.doubt = self.ended = 0.0

    def outlast(self) -> None:
        """A call has settled, and those that are in flight last longer than it."""
        if self.holds:
            # A crowd of long ago is forgotten after twice as many calls.
            self.ended += 1.0 - self.ended / (2.0 * (self.holds + self.ended))

    # -- what is spent

    def spend(self, amount: int, at: float, now: float) -> None:
        """Count an amount spent at `at` (negative: take one back)."""
        if self._slot_begin <= at < self._slot_end and now < self._slot_end:
            self._fresh += amount
            self._room -= amount
            self._strict_room -= amount
            return
        self._begin_slot(now)
        self._tell(amount, at, now)
        self._measure(now)

    # -- what fits

    def exposure(self, more: Size, calls: int = 1) -> int:
        """What all calls in flight and these may come to together."""
        doubt = self.doubt + more.doubt * calls
        spread = math.sqrt(_DEVIATIONS_SQUARED * (self.variance + more.variance * calls + doubt * doubt))
        likely = self.held + more.mean * calls + int(spread) + max(self.peak, more.peak) // 2
        if self.held:
            likely += int(self.variance * self.holds / self.held + math.sqrt(self.variance * self.ended))
        most = self.most + more.most * calls
        return likely if likely < most else most

    def fits(self, more: Size, calls: int, now: float) -> bool:
        """Whether these may go out beside what is in flight, as far as every ceiling of this scope goes."""
        if now >= self._slot_end:
            self._begin_slot(now)
        if self.bounds + more.bound * calls > self._strict_room:
            return False
        if self.most + more.most * calls <= self._room:
            return True
        if self.exposure(more, calls) <= self._room:
            return True
        return self.holds == 0 and calls == 1 and self.lets_alone(more, self._room, self._least)

    def spare(self, more: Size, calls: int, now: float) -> int:
        """How many calls may be held on top of these that nobody asks for yet, and nobody misses.

        All in flight and they stay within a small part of what is left, even if each comes to its bound.
        """
        part = min(self.room(now)) // (_SPARE_OF_A_TASK if self.is_of_a_task else _SPARE)
        return (part - self.bounds) // max(more.bound, 1) - calls

    @staticmethod
    def lets_alone(more: Size, left: int, limit: int) -> bool:
        """Whether a call may go where nothing else is in flight: what is left suffices for the usual such call.

        One that is small beside the ceiling goes as long as anything is left: it cannot pass by more than itself.
        """
        return left > 0 and (more.mean <= left or more.mean * _SMALL <= limit)

    def room(self, now: float) -> tuple[int, int]:
        """What the tightest ceiling leaves beside what is spent, and the tightest that counts calls at their bounds.

        Negative where a ceiling was passed.
        """
        if now >= self._slot_end:
            self._begin_slot(now)
        return self._room, self._strict_room

    def free_share(self, total: Sum, limit: int, now: float) -> float:
        """What of one of its limits is neither spent nor held, as a share of it."""
        if now >= self._slot_end:
            self._begin_slot(now)
        if limit <= 0:
            return float("-inf")
        return (limit - total.spent(now) - self._fresh - self.held) / limit

    def _begin_slot(self, now: float) -> None:
        """Let the sums know what was spent since the slot began, and begin the slot that holds `now`."""
        if self._fresh:
            self._tell(self._fresh, self._slot_begin if self._slot_begin > _ALWAYS[0] else now, now)
            self._fresh = 0
        self._slot_begin, self._slot_end = _ALWAYS
        for total in self._sums.values():
            total.spent(now)
            begin, end = total.slot(now)
            self._slot_begin = max(self._slot_begin, begin)
            self._slot_end = min(self._slot_end, end, total.turns_at)
        self._measure(now)

    def _tell(self, amount: int, at: float, now: float) -> None:
        for total in self._sums.values():
            total.add(amount, at, now)
        for forecast in self.forecasts.values():
            forecast.arrived(float(amount), at)

    def _measure(self, now: float) -> None:
        self._room = self._strict_room = self._least = _UNLIMITED
        for total, amount, strict in self._limits:
            self._least = min(self._least, amount)
            left = amount - total.spent(now)
            if strict:
                self._strict_room = min(self._strict_room, left)
            else:
                self._room = min(self._room, left)
