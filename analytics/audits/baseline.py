"""Baseline: what a workload's hours usually cost, how far they usually stray from that, and where they strayed more.

A series is cost by hour. What an hour is expected to cost is the median of the same hour of the week in the weeks
before (of fewer than four weeks: of the same hour on working days or weekends; of fewer than two: of the same hour),
brought to the present by the trend of the weeks, a Theil-Sen slope. An hour strays by r = ln((cost + e) / (expected +
e)), where e is a twentieth of a usual hour with any cost, so that nothing is divided by nothing. Past hours are
compared with what the *other* weeks expect of them; the usual stray is the upper half of these r: its median and its
upper quantiles, of quiet hours and of busy ones apart, since few calls scatter more. Single wild weeks move neither
medians nor these. Sums over 2, 6 and 24 hours are judged likewise, which finds what is longer and lower. What is
expected of an hour is also what is expected of the hours beside it: clocks change, and jobs run late. Where nothing
is expected, runs at no set time are compared with the runs before, whenever they were.

All of it is estimates, hence floats; amounts that are booked are added up elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from statistics import median

__all__ = ["DAY", "MIN_HISTORY", "WEEK", "WEEKS", "Event", "Normal", "detect", "normal"]

DAY, WEEK = 24, 168
WEEKS = 8
"""So many weeks before are looked at, at most."""
MIN_HISTORY = WEEK
"""With fewer hours before there is no baseline."""

_BY_HOUR_OF_WEEK, _BY_KIND_OF_DAY = 4, 2
"""From so many weeks on."""
_MAX_TREND = 0.15
"""A week, as a logarithm."""
_FLOOR = 0.05
_CAUTION = 1.3
"""Times the usual stray, where less than four weeks are all there is to know it by."""
_GAP = 6
"""Hours that an event may be quiet and still be one."""
_LULL, _LULL_TIMES = 2 * DAY, 1.5
"""And so many as long as they cost so many times what is expected."""
_FEW = 10
"""With fewer windows to go by, nothing is said of how they scatter: only of the largest."""
_FEW_TIMES = 6.0
_Stray = tuple[float, int]
"""How far a window strayed, as a logarithm, and the week in which it ended."""
_IRREGULAR = 0.03
"""A workload of which so many days were as good as empty before does not stop: it rests."""


@dataclass(frozen=True, slots=True)
class _Window:
    """A length of time that is judged as one sum."""

    hours: int
    deviations: float
    """So many usual strays make an event."""
    least: float
    """And so many times the expected cost."""
    stride: int
    """Every how many hours the past is looked at: neighbours overlap, and say the same."""


_WINDOWS = (
    _Window(1, 5.0, 3.0, 1),
    _Window(2, 4.5, 2.5, 1),
    _Window(6, 4.5, 2.0, 2),
    _Window(24, 4.5, 1.75, 4),
)
_MISSED = 2
"""So many hours that should have cost something must have cost next to nothing."""
_STOPPED = 0.1
"""A day with less than this share of what was expected has stopped."""


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What is usual for the sums over one window; logarithms of multiples of the expected cost."""

    boundary: float
    """Windows of which less is expected are quiet."""
    quiet: float
    busy: float
    unplanned: float
    """As an amount: the most that is usual where nothing is expected."""

    def most(self, expected: float, floor: float) -> float:
        """The most that is usual where so much is expected."""
        limit = self.quiet if expected < self.boundary else self.busy
        most = (expected + floor) * math.exp(limit) - floor
        return max(most, self.unplanned) if expected <= floor else most


@dataclass(frozen=True, slots=True)
class Normal:
    """What is usual for one workload in the week after its history."""

    weeks: int
    """Whole weeks of history, at most WEEKS."""
    by: str
    """Of which hours the median is: "hour of week", "hour and kind of day" or "hour"."""
    expected: Sequence[float]
    """By hour, from the end of the history on."""
    floor: float
    past: Sequence[float]
    """The history, brought to the present."""
    others: Sequence[float]
    """What the other weeks expect of it."""
    known: dict[_Window, _Bounds] = field(default_factory=dict)

    def bounds(self, window: _Window) -> _Bounds:
        """What is usual for sums over that window. Most workloads never need to know it."""
        if window not in self.known:
            caution = _CAUTION if self.weeks < _BY_HOUR_OF_WEEK else 1.0
            self.known[window] = _bounds(self.past, self.others, window, self.floor, caution)
        return self.known[window]

    def most(self, expected: float, hours: int) -> float:
        """The most that is usual for that many hours together of which so much is expected."""
        window = max((each for each in _WINDOWS if each.hours <= hours), key=lambda each: each.hours)
        times = hours / window.hours
        return self.bounds(window).most(expected / times, self.floor) * times


@dataclass(frozen=True, slots=True)
class Event:
    """Hours [start, end) in a row that cost more, or less, than usual."""

    start: int
    end: int
    detected: int
    """The hour at whose begin it could be known."""
    expected: float
    band: float
    """The most that would have been usual; of a stop the expected cost."""
    stop: bool
    weeks: int
    by: str


@dataclass(frozen=True, slots=True)
class _Span:
    """An event before it has figures."""

    start: int
    end: int
    detected: int
    stop: bool


def normal(history: Sequence[float], first_hour_of_week: int, ahead: int = WEEK) -> Normal | None:
    """What is usual in the `ahead` hours after `history`, whose first hour is that hour of its week (0: Monday, 0:00).

    None with less than a week of history, and where it holds no cost.
    """
    weeks = min(len(history) // WEEK, WEEKS)
    past = history[len(history) - weeks * WEEK :]
    costly = [cost for cost in past if cost > 0]
    if not costly:
        return None
    origin = (first_hour_of_week + len(history)) % WEEK
    slope = _slope(past, weeks) if weeks >= _BY_HOUR_OF_WEEK else 0.0
    present = (
        [cost * math.exp(slope * (weeks - hour // WEEK)) if cost else 0.0 for hour, cost in enumerate(past)]
        if slope
        else list(past)
    )
    by, slots = _slots(weeks, origin)
    expected, others = _medians(present, slots)
    floor = _FLOOR * median(costly)
    coming = _smooth([expected[slots[hour % WEEK]] for hour in range(ahead + 2)])[:ahead]
    return Normal(weeks, by, coming, floor, present, others)


def _bounds(
    present: Sequence[float], others: Sequence[float], window: _Window, floor: float, caution: float
) -> _Bounds:
    past = list(_windows(present, others, window))
    expected = sorted(usual for _, usual, _ in past if usual > floor)
    boundary = expected[len(expected) // 2] / 2 if expected else 0.0
    least, deviations = math.log(window.least), window.deviations * caution
    kinds: tuple[list[_Stray], list[_Stray]] = ([], [])
    for actual, usual, week in past:
        if actual > 0:
            kinds[usual >= boundary].append((math.log((actual + floor) / (usual + floor)), week))
    quiet, busy = (each if len(each) >= _FEW else [*kinds[0], *kinds[1]] for each in kinds)
    runs = [(math.log(actual), week) for actual, _, week in past if actual > 0]
    middle = median(run for run, _ in runs) if runs else -math.inf
    if len(runs) >= _FEW:
        most = middle + max(least, _usual([(run - middle, week) for run, week in runs], deviations))
    else:
        most = max((run for run, _ in runs), default=-math.inf) + math.log(_FEW_TIMES)
    return _Bounds(
        boundary,
        max(least, _usual(quiet, deviations)),
        max(least, _usual(busy, deviations)),
        math.exp(most),
    )


def _stops_rarely(present: Sequence[float], others: Sequence[float], floor: float) -> bool:
    """Whether most cost comes when it is expected, and days as good as empty are rare."""
    days = [
        (actual, usual) for actual, usual, _ in _windows(present, others, _WINDOWS[-1]) if usual > 4 * floor
    ]
    empty = sum(actual < _STOPPED * usual for actual, usual in days)
    return 2 * sum(others) > sum(present) and empty < _IRREGULAR * len(days)


def _slots(weeks: int, origin: int) -> tuple[str, list[int]]:
    """Of each hour of a week that begins at `origin`, which hours it is compared with."""
    hours = [(origin + hour) % WEEK for hour in range(WEEK)]
    if weeks >= _BY_HOUR_OF_WEEK:
        return "hour of week", list(range(WEEK))
    if weeks >= _BY_KIND_OF_DAY:
        return "hour and kind of day", [hour % DAY + DAY * (hour >= 5 * DAY) for hour in hours]
    return "hour", [hour % DAY for hour in hours]


def _medians(present: Sequence[float], slots: Sequence[int]) -> tuple[dict[int, float], list[float]]:
    """The median of each slot, and of each hour that of the others in its slot."""
    members: dict[int, list[int]] = {}
    for hour in range(len(present)):
        members.setdefault(slots[hour % WEEK], []).append(hour)
    expected: dict[int, float] = {}
    others = [0.0] * len(present)
    for slot, hours in members.items():
        ranked = sorted(hours, key=present.__getitem__)
        values = [present[hour] for hour in ranked]
        expected[slot] = median(values)
        count = len(values)
        if count == 1:
            others[ranked[0]] = values[0]
            continue
        for rank, hour in enumerate(ranked):
            # Without one value the middle moves towards the other side.
            low, high = (count - 2) // 2, (count - 1) // 2
            low, high = low + (rank <= low), high + (rank <= high)
            others[hour] = (values[low] + values[high]) / 2
    return expected, _smooth(others)


def _slope(past: Sequence[float], weeks: int) -> float:
    """The trend a week as a logarithm: the median of the slopes between any two weeks, held within bounds.

    Of a week counts what it cost in usual hours, and of each at most three times the usual.
    """
    profile = [median(past[hour::WEEK]) for hour in range(WEEK)]
    usual = sum(profile)
    if not usual:
        return 0.0
    levels = []
    for week in range(weeks):
        costs = past[week * WEEK : (week + 1) * WEEK]
        cut = sum(min(cost, 3 * level) for cost, level in zip(costs, profile, strict=True))
        levels.append(math.log(max(cut / usual, 0.01)))
    slopes = [
        (levels[later] - levels[earlier]) / (later - earlier)
        for earlier in range(weeks)
        for later in range(earlier + 1, weeks)
    ]
    return max(-_MAX_TREND, min(_MAX_TREND, median(slopes)))


def _windows(
    costs: Sequence[float], expected: Sequence[float], window: _Window
) -> Iterator[tuple[float, float, int]]:
    """Of each window what it cost, what was expected of it or of those an hour beside it, and its week."""
    spent = [0.0, *accumulate(costs)]
    meant = [0.0, *accumulate(expected)]
    length = window.hours
    for end in range(length + 1, len(costs), window.stride):
        usual = max(
            meant[end] - meant[end - length],
            meant[end - 1] - meant[end - 1 - length],
            meant[end + 1] - meant[end + 1 - length],
        )
        yield max(0.0, spent[end] - spent[end - length]), max(0.0, usual), (end - 1) // WEEK


def _smooth(levels: Sequence[float]) -> list[float]:
    """Each level as the mean of itself and those neighbours that are half to twice as high: slopes stay, edges too."""
    result = list(levels)
    for place in range(1, len(levels) - 1):
        own = levels[place]
        near = [own, *(each for each in (levels[place - 1], levels[place + 1]) if own / 2 <= each <= own * 2)]
        result[place] = sum(near) / len(near)
    return result


def _usual(strays: Sequence[_Stray], deviations: float) -> float:
    """The stray that ends what is usual: above the middle (0 at least) by so many deviations of the upper half.

    Of four weeks or more the wildest does not count: an incident of the past is not usual.
    """
    if not strays:
        return 0.0
    middle = max(0.0, median(stray for stray, _ in strays))
    wild: dict[int, float] = {}
    for stray, week in strays:
        wild[week] = wild.get(week, 0.0) + max(0.0, stray - middle)
    wildest = max(wild, key=lambda each: wild[each]) if len(wild) >= _BY_HOUR_OF_WEEK else None
    kept = sorted(stray for stray, week in strays if week != wildest)
    above = [stray - middle for stray in kept if stray > middle]
    deviation = max(
        1.4826 * median(above) if above else 0.0,
        (_quantile(kept, 0.9) - middle) / 1.2816,
        (_quantile(kept, 0.975) - middle) / 1.96,
    )
    return middle + deviations * deviation


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def detect(costs: Sequence[float], first_hour_of_week: int, start: int) -> list[Event]:
    """Where the hours from `start` on left what is usual, week by week, each judged by those before it.

    `costs` begins with the first hour of the workload that cost anything, which is that hour of its week.
    """
    spans: list[_Span] = []
    expected = [0.0] * len(costs)
    normals: dict[int, Normal] = {}
    for low in range(start, len(costs), WEEK):
        high = min(low + WEEK, len(costs))
        origin = max(0, low - WEEKS * WEEK)
        usual = normal(costs[origin:low], (first_hour_of_week + origin) % WEEK, high - low)
        if usual is None:
            continue
        normals[low] = usual
        expected[low:high] = usual.expected
        spans += [
            _Span(span.start + low, span.end + low, span.detected + low, span.stop)
            for span in _spans(costs[low:high], usual)
        ]
    return [
        _event(span, expected, normals[start + (span.start - start) // WEEK * WEEK])
        for span in _merged(spans, costs, expected)
    ]


def _event(span: _Span, expected: Sequence[float], usual: Normal) -> Event:
    amount = sum(expected[span.start : span.end])
    band = amount if span.stop else usual.most(amount, span.end - span.start)
    return Event(span.start, span.end, span.detected, amount, band, span.stop, usual.weeks, usual.by)


def _spans(costs: Sequence[float], usual: Normal) -> list[_Span]:
    """What leaves the usual, short things first. Their hours are then taken as expected, so that longer windows see
    the rest.
    """
    left = list(costs)
    found = list(_stops(costs, usual))
    for window in _WINDOWS:
        for span in list(_above(left, costs, usual, window)):
            found.append(span)
            left[span.start : span.end] = usual.expected[span.start : span.end]
    return _merged(found, costs, usual.expected)


def _above(left: Sequence[float], costs: Sequence[float], usual: Normal, window: _Window) -> Iterator[_Span]:
    """Groups of windows of that length above the limit: begin, end, and when the first was over."""
    spent = [0.0, *accumulate(left)]
    meant = [0.0, *accumulate(usual.expected)]
    count, length, floor = len(left), window.hours, usual.floor
    flagged = []
    for end in range(length, count + 1):
        actual = spent[end] - spent[end - length]
        if actual <= (meant[end] - meant[end - length] + floor) * window.least - floor:
            continue
        most = max(
            meant[end + by] - meant[end + by - length] for by in (-1, 0, 1) if length <= end + by <= count
        )
        if actual > usual.bounds(window).most(max(0.0, most), floor):
            flagged.append(end)
    for first, last in _runs(flagged, length):
        yield _core(first - length, last, first, costs, usual, usual.bounds(window))


def _runs(ends: Sequence[int], gap: int) -> Iterator[tuple[int, int]]:
    """The first and last of each run of numbers that are at most `gap` apart."""
    first = last = None
    for end in ends:
        if first is None or last is None or end - last > gap:
            if first is not None and last is not None:
                yield first, last
            first = end
        last = end
    if first is not None and last is not None:
        yield first, last


def _core(
    start: int, end: int, detected: int, costs: Sequence[float], usual: Normal, bounds: _Bounds
) -> _Span:
    """Of these hours and a few around them the run that most exceeds half of the limit: what the event really is."""
    low, high = max(0, start - _GAP), min(len(costs), end + _GAP)
    times = math.exp(min(bounds.quiet, bounds.busy) / 2)
    # Where no hour stands out by itself it is the whole window.
    best, span = 0.0, (start, end)
    running, begin = 0.0, low
    for hour in range(low, high):
        if running <= 0:
            running, begin = 0.0, hour
        running += costs[hour] - times * (usual.expected[hour] + usual.floor)
        if running > best:
            best, span = running, (begin, hour + 1)
    return _Span(*span, max(detected, span[0] + 1), stop=False)


def _stops(costs: Sequence[float], usual: Normal) -> Iterator[_Span]:
    """Days in a row on which next to nothing of what was expected came."""
    spent = [0.0, *accumulate(costs)]
    meant = [0.0, *accumulate(usual.expected)]
    quiet = [
        end
        for end in range(DAY, len(costs) + 1)
        if meant[end] - meant[end - DAY] > 4 * usual.floor
        and spent[end] - spent[end - DAY] < _STOPPED * (meant[end] - meant[end - DAY])
    ]
    if quiet and not _stops_rarely(usual.past, usual.others, usual.floor):
        return
    for first, last in _runs(quiet, DAY):
        start, end = first - DAY, last
        while start < end and costs[start] > _STOPPED * usual.expected[start]:
            start += 1
        while end > start and costs[end - 1] > _STOPPED * usual.expected[end - 1]:
            end -= 1
        due = [hour for hour in range(start, end) if usual.expected[hour] > usual.floor]
        # One run of a nightly job that fails is no stop; two are.
        if len(due) >= _MISSED:
            yield _Span(start, end, max(first, due[_MISSED - 1] + 1), stop=True)


def _merged(spans: Iterable[_Span], costs: Sequence[float], expected: Sequence[float]) -> list[_Span]:
    """The spans in order, those of one kind as one that overlap, or between which it is quiet for some hours only."""
    result: list[_Span] = []
    for span in sorted(spans, key=lambda each: (each.stop, each.start)):
        last = result[-1] if result else None
        if last is not None and last.stop == span.stop and _is_one(last, span, costs, expected):
            result[-1] = _Span(
                last.start, max(last.end, span.end), min(last.detected, span.detected), span.stop
            )
        else:
            result.append(span)
    return sorted(result, key=lambda each: each.start)


def _is_one(first: _Span, second: _Span, costs: Sequence[float], expected: Sequence[float]) -> bool:
    gap = second.start - first.end
    if gap <= _GAP:
        return True
    between = slice(first.end, second.start)
    is_high = sum(costs[between]) > _LULL_TIMES * sum(expected[between])
    return not first.stop and gap <= _LULL and is_high
