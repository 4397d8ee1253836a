"""The scan for herds: moments at which more tasks retry together than their own rate explains.

What is known of a retried call is when it began and when it ended, not when each attempt was made: so both moments are
looked at. From each one on, the tasks within a width are counted, and held against the busier of the two stretches
beside it. If tasks retried independently, at whatever rate that stretch shows, each of the `n` others in window and
stretch together would be in the window with chance `q = width / (width + beside)`, so that `k` or more are there with

    P(Binomial(n, q) >= k)

which is what shuffling the moments within window and stretch comes to, without its noise (the conditional test of
Przyborowski and Wilenski, 1940). 12 tasks within 2 s and 3 in the minute before: q = 2/62, n = 14, k = 11, so 1e-14.
The busier side is taken, as radar does at the edge of clutter, so that a rate that rises or falls, by day or as an
overload sets in, is none. A task counts once in a window, since its own retries tell nothing of the others'.

Every moment, width and kind of moment is one look, and each chance is multiplied by the number of looks (Bonferroni):
so the chance that an audit of independent retries names any herd is at most `CHANCE`, however long its range.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby
from typing import Any

import polars as pl

__all__ = ["CHANCE", "LEAST_TASKS", "LOOKS_A_CALL", "Herd", "Moment", "Wave", "binomial_tail", "herds"]

CHANCE = 0.01
LEAST_TASKS = 5
"""Fewer tasks are no herd, however close."""
_TIMES_BESIDE = 3
"""So many times the rate beside it a herd has at least: what is only significant is none."""

_SECOND = 1_000_000
# How long a herd is looked for, and how long the stretches beside it are, in microseconds: wide enough that a short
# overload is in them, short enough that a rate hardly changes within.
_SCALES = ((2 * _SECOND, 60 * _SECOND), (10 * _SECOND, 60 * _SECOND), (60 * _SECOND, 240 * _SECOND))
LOOKS_A_CALL = 2 * len(_SCALES)
"""So often is a call looked at, at most: from its begin and from its end, at each scale."""
# Two sets of calls, or of tasks, that share so many of the smaller are one herd; of tasks, with no more time between.
_SHARED = 0.5
_AGAIN_US = 900 * _SECOND


class Moment(StrEnum):
    """Which moments of the calls of a herd fell together."""

    BEGAN = "began"
    CAME_BACK = "came back"
    BOTH = "began and came back"


@dataclass(frozen=True, slots=True)
class Wave:
    """A moment of a herd: its calls are those that began, or ended, from the first instant to the last."""

    start_us: int
    until_us: int
    by_start: bool


@dataclass(frozen=True, slots=True)
class Herd:
    """Retried calls of several tasks to one model that fell together, once or in waves. Times are in us since 1970."""

    group: int
    """The number of its provider and model."""
    moment: Moment
    waves: tuple[Wave, ...]
    tasks: int
    expected: float
    """Tasks in a stretch like the most striking wave, at the rate of the busier stretch beside it."""
    p_value: float
    """The chance that independent retries show such a herd anywhere in the audit, at most."""


@dataclass(frozen=True, slots=True)
class _Close:
    """Tasks that are close to each other, in one window or in several that overlap."""

    group: int
    moment: Moment
    start_us: int
    until_us: int
    tasks: int
    expected: float
    p_value: float

    @property
    def by_start(self) -> bool:
        return self.moment is not Moment.CAME_BACK


def herds(retried: pl.DataFrame) -> list[Herd]:
    """The herds among retried calls, the first first.

    `retried` has a row a call: `group` (number of its provider and model, 0 or more), `task` (any number that stands
    for its root task), `began` and `came_back` (microseconds since 1970; null where the end is not known).
    """
    if retried.is_empty():
        return []
    calls = retried.select("group", "task", "began", "came_back").with_row_index("call")
    moments = {
        Moment.BEGAN: calls.rename({"began": "at"}).drop("came_back").sort("group", "task", "at"),
        Moment.CAME_BACK: calls.rename({"came_back": "at"})
        .drop("began")
        .drop_nulls("at")
        .sort("group", "task", "at"),
    }
    looks = [
        _looks(each, width, beside).with_columns(pl.lit(moment.value).alias("moment"))
        for moment, each in moments.items()
        for width, beside in _SCALES
        if len(each)
    ]
    total = sum(map(len, looks))
    striking = pl.concat(look.filter(_STRIKING) for look in looks)
    windows = [
        window
        for row in striking.sort("moment", "group", "at").iter_rows(named=True)
        if (window := _window(row, total)).p_value <= CHANCE
    ]
    found = [
        (herd, set(_members(moments[herd.moment], herd)["call"]))
        for _, of_group in groupby(windows, key=lambda window: (window.moment, window.group))
        for close in _apart(list(of_group))
        for herd in _herds_of(close)
    ]
    waves = [_counted(moments[_of(close)], close) for close in _linked(found)]
    return sorted(_in_waves(waves), key=lambda herd: (herd.waves[0].start_us, herd.group))


_STRIKING = (pl.col("together") >= LEAST_TASKS) & (
    pl.col("together") * pl.col("beside")
    >= _TIMES_BESIDE * pl.col("width") * pl.max_horizontal("before", "after")
)


def _looks(moments: pl.DataFrame, width: int, beside: int) -> pl.DataFrame:
    """Each moment, with the tasks from it on and beside; of each task one moment a width."""
    at = pl.col("at")
    begins = (_differs("group") | _differs("task") | (at - at.shift() >= width)).fill_null(value=True)
    once = (
        moments.with_columns(pl.when(begins).then(at).forward_fill().alias("begin"))
        .with_columns(((at - pl.col("begin")) // width).alias("cell"))
        .filter(begins | _differs("cell"))
    )
    # One line of time for all groups, with more than any stretch between two of them.
    first, last = once.select(at.min().alias("first"), at.max().alias("last")).row(0)
    span = last - first + 3 * (width + beside)
    line = (once["group"].cast(pl.Int64) * span + once["at"] - first).sort()
    counts = {
        name: line.search_sorted(line + low) if low else line.search_sorted(line)
        for name, low in (("from", 0), ("to", width), ("far", width + beside), ("back", -beside))
    }
    return pl.DataFrame(
        {
            "group": line // span,
            "at": line % span + first,
            "together": (counts["to"] - counts["from"]).cast(pl.Int64),
            "before": (counts["from"] - counts["back"]).cast(pl.Int64),
            "after": (counts["far"] - counts["to"]).cast(pl.Int64),
        }
    ).with_columns(pl.lit(width).alias("width"), pl.lit(beside).alias("beside"))


def _differs(name: str) -> pl.Expr:
    """Whether a row has another value there than the row before."""
    return pl.col(name) != pl.col(name).shift()


def _window(row: dict[str, Any], looks: int) -> _Close:
    together, width, beside = row["together"], row["width"], row["beside"]
    busier = max(row["before"], row["after"])
    chance = binomial_tail(together - 1 + busier, width / (width + beside), together - 1)
    return _Close(
        group=row["group"],
        moment=Moment(row["moment"]),
        start_us=row["at"],
        until_us=row["at"] + width - 1,
        tasks=together,
        expected=busier * width / beside,
        p_value=min(1.0, chance * looks),
    )


def binomial_tail(n: int, q: float, k: int) -> float:
    """P(Binomial(n, q) >= k), for a k above the mean; `binomial_tail(2, 0.5, 2)` is 0.25."""
    if k <= 0:
        return 1.0
    term = math.exp(
        math.lgamma(n + 1)
        - math.lgamma(k + 1)
        - math.lgamma(n - k + 1)
        + k * math.log(q)
        + (n - k) * math.log1p(-q)
    )
    total, place = 0.0, k
    while place <= n and term > total * 1e-17:
        total += term
        term *= (n - place) / (place + 1) * q / (1 - q)
        place += 1
    return min(1.0, total)


def _apart(windows: Sequence[_Close]) -> Iterator[list[_Close]]:
    """Windows of one group and moment, in order of time, as those that hang together."""
    close: list[_Close] = []
    until_us = 0
    for window in windows:
        if close and window.start_us > until_us:
            yield close
            close = []
        until_us = max(until_us, window.until_us) if close else window.until_us
        close.append(window)
    if close:
        yield close


def _herds_of(windows: list[_Close]) -> Iterator[_Close]:
    """The herds of windows that hang together: the most striking window first, with those of its width that overlap.

    A wider one that holds a herd and its neighbourhood is no other herd, and does not make it longer.
    """
    while windows:
        strongest = min(windows, key=lambda window: (window.p_value, _length(window)))
        alike = [window for window in windows if _length(window) == _length(strongest)]
        own = next(close for close in _apart(alike) if strongest in close)
        start_us, until_us = own[0].start_us, own[-1].until_us
        times = (until_us + 1 - start_us) / _length(strongest)
        yield replace(strongest, start_us=start_us, until_us=until_us, expected=strongest.expected * times)
        windows = [each for each in windows if each.until_us < start_us or each.start_us > until_us]


def _length(window: _Close) -> int:
    return window.until_us + 1 - window.start_us


def _linked(found: Sequence[tuple[_Close, set[int]]]) -> Iterator[_Close]:
    """Each herd once: calls that came back together and are in one that began together are no other herd."""
    back = [(herd, calls) for herd, calls in found if herd.moment is Moment.CAME_BACK]
    told: set[_Close] = set()
    for herd, calls in found:
        if herd.moment is Moment.CAME_BACK:
            continue
        same = {other for other, its in back if len(its & calls) >= _SHARED * len(its)}
        told |= same
        if same:
            least = min(each.p_value for each in (herd, *same))
            yield replace(herd, moment=Moment.BOTH, p_value=least)
        else:
            yield herd
    yield from (herd for herd, _ in back if herd not in told)


def _members(moments: pl.DataFrame, close: _Close) -> pl.DataFrame:
    return moments.filter(
        (pl.col("group") == close.group) & pl.col("at").is_between(close.start_us, close.until_us)
    )


def _of(close: _Close) -> Moment:
    return Moment.BEGAN if close.by_start else Moment.CAME_BACK


def _counted(moments: pl.DataFrame, close: _Close) -> tuple[_Close, set[int]]:
    """With its tasks as they are, and no longer than they reach."""
    own = _members(moments, close)
    at, tasks = own["at"].sort(), set(own["task"])
    return replace(close, start_us=at[0], until_us=at[-1], tasks=len(tasks)), tasks


def _in_waves(counted: Sequence[tuple[_Close, set[int]]]) -> Iterator[Herd]:
    """Herds: what is close again soon after, with the same tasks, is another wave of the same herd."""
    waves = sorted(
        (each for each in counted if each[0].tasks >= LEAST_TASKS),
        key=lambda each: (each[0].group, each[0].start_us),
    )
    herd: list[_Close] = []
    known: set[int] = set()
    for close, tasks in waves:
        is_next = (
            bool(herd)
            and close.group == herd[-1].group
            and close.start_us - herd[-1].until_us <= _AGAIN_US
            and len(tasks & known) >= _SHARED * min(len(tasks), len(known))
        )
        if herd and not is_next:
            yield _herd(herd, known)
            herd, known = [], set()
        herd.append(close)
        known |= tasks
    if herd:
        yield _herd(herd, known)


def _herd(waves: Sequence[_Close], tasks: set[int]) -> Herd:
    strongest = min(waves, key=lambda wave: wave.p_value)
    moments = {wave.moment for wave in waves}
    return Herd(
        group=strongest.group,
        moment=moments.pop() if len(moments) == 1 else Moment.BOTH,
        waves=tuple(Wave(wave.start_us, wave.until_us, wave.by_start) for wave in waves),
        tasks=len(tasks),
        expected=strongest.expected,
        p_value=strongest.p_value,
    )
