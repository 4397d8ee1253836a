"""Draws: what one workload does in one week, as arrays. Pure: a seed in, the same arrays out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from .archetypes import MODELS, Archetype, Tokens
from .company import Workload
from .rhythm import HOURS

__all__ = ["OUTCOMES", "SECOND_NS", "Floats", "Ints", "Week", "ns", "week"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

OUTCOMES = ("succeeded", "failed", "stopped", "abandoned")
SECOND_NS = 1_000_000_000
_HOUR_NS = 3600 * SECOND_NS
_MOST_TOKENS, _MOST_OUTPUT = 180_000, 16_000
_CACHE_BLOCK = 128
_MOST_BRANCHES = 999
_UNTOLD_ENDS = 0.01
"""The share of tasks that end without a word: their process was killed."""


@dataclass(frozen=True, slots=True)
class Week:
    """The calls of a workload that begin in tasks of one week, and these tasks. One element a call unless said."""

    task: Ints
    """Which task it is of."""
    branch: Ints
    """Which sub-agent made it; 0 is the task itself."""
    parent: Ints
    """Whose sub-agent that is."""
    model: Ints
    """Its place in the workload's models."""
    in_tier: NDArray[np.bool_]
    """Whether it uses the archetype's service tier."""
    untold: NDArray[np.bool_]
    """Whether its usage stays unknown."""
    starts_ns: Ints
    ends_ns: Ints
    counts: Ints
    """Six a call, in the order of `COUNTS`."""
    attempts: Ints
    user: Ints
    trace_ids: NDArray[np.uint8]
    """Sixteen bytes a task."""
    span_ids: NDArray[np.uint8]
    """Eight bytes a call, and after those eight a task."""
    task_starts_ns: Ints
    """One a task, and so are the next two."""
    task_ends_ns: Ints
    outcome: Ints
    """A place in `OUTCOMES`; -1 where nobody told."""


def week(
    workload: Workload,
    calls: int,
    hours: Floats,
    begin_ns: int,
    *,
    share: float,
    end_ns: int,
    seed: list[int],
) -> Week:
    """`calls` calls whose tasks begin as `hours` weigh the hours from `begin_ns`, and all before `end_ns`.

    `share` is how much of the history has passed, by which the models drift.
    """
    rng = np.random.default_rng(seed)
    kind = workload.kind
    sizes = _sizes(rng, kind, calls)
    tasks = len(sizes)
    firsts = np.cumsum(sizes) - sizes
    task = np.repeat(np.arange(tasks), sizes)
    place = np.arange(calls) - firsts[task]
    branch, parent, depth = _branches(kind, place, sizes[task])
    offsets = _offsets(rng, kind, place, depth, firsts, sizes)

    models = np.array([first + (last - first) * share for _, first, last in workload.models])
    model = rng.choice(len(models), size=calls, p=models / models.sum())
    counts = _counts(rng, workload, model, place)
    attempts = _attempts(rng, kind, calls)
    durations = _durations(rng, workload, model, counts, attempts)

    last = np.maximum.reduceat(offsets + durations, firsts)
    starts = _task_starts(rng, hours, begin_ns, tasks)
    starts = np.minimum(starts, end_ns - _ns(last) - SECOND_NS)
    begun = starts[task] + _ns(offsets)
    users = np.floor(kind.users * rng.random(tasks) ** 2).astype(np.int64)
    return Week(
        task=task,
        branch=branch,
        parent=parent,
        model=model,
        in_tier=rng.random(calls) < kind.service[1],
        untold=rng.random(calls) < kind.cut,
        starts_ns=begun,
        ends_ns=begun + _ns(durations),
        counts=counts,
        attempts=attempts,
        user=users[task],
        trace_ids=rng.integers(0, 256, (tasks, 16), np.uint8),
        span_ids=rng.integers(0, 256, (calls + tasks, 8), np.uint8),
        task_starts_ns=starts,
        task_ends_ns=starts + _ns(last),
        outcome=_outcomes(rng, kind, tasks),
    )


def ns(moment: datetime) -> int:
    """Nanoseconds since 1970 at a full second."""
    return round(moment.timestamp()) * SECOND_NS


def _ns(seconds: Floats) -> Ints:
    return (seconds * SECOND_NS).astype(np.int64)


def _drawn(rng: np.random.Generator, tokens: Tokens, size: int) -> Floats:
    return tokens.median * np.exp(tokens.sigma * rng.standard_normal(size))


def _sizes(rng: np.random.Generator, kind: Archetype, calls: int) -> Ints:
    """How many calls each task makes, together `calls`."""
    if kind.most_calls == 1:
        return np.ones(calls, np.int64)
    # Each task makes a call or more, so this many tasks are enough.
    sizes = np.clip(np.rint(_drawn(rng, kind.calls, calls)), 1, kind.most_calls).astype(np.int64)
    until = np.cumsum(sizes)
    tasks = int(np.searchsorted(until, calls)) + 1
    sizes = sizes[:tasks]
    sizes[-1] -= until[tasks - 1] - calls
    return sizes


def _branches(kind: Archetype, place: Ints, size: Ints) -> tuple[Ints, Ints, Ints]:
    """Which sub-agent makes the call at this place of its task, whose sub-agent that is, and how deep.

    The first call plans and the last one sums up: the task makes them itself. Of the others `branch` go to each
    sub-agent, and each agent starts `fan` of them.
    """
    nothing = np.zeros(len(place), np.int64)
    if not kind.branch:
        return nothing, nothing, nothing
    own = (place == 0) | (place == size - 1)
    branch = np.where(own, 0, np.minimum(1 + (place - 1) // kind.branch, _MOST_BRANCHES))
    parent = np.maximum(branch - 1, 0) // kind.fan
    depth, above = nothing.copy(), branch
    while (deeper := above > 0).any():
        depth += deeper
        above = np.where(deeper, (above - 1) // kind.fan, 0)
    return branch, parent, depth


def _offsets(
    rng: np.random.Generator, kind: Archetype, place: Ints, depth: Ints, firsts: Ints, sizes: Ints
) -> Floats:
    """When each call begins after its task: one after the other, sub-agents beside each other, the last one last."""
    gaps = rng.exponential(kind.gap_s, len(place))
    if not kind.branch:
        run = np.cumsum(gaps)
        return run - np.repeat(run[firsts], sizes)
    steps = depth * (kind.branch + 1) + np.where(place > 0, (place - 1) % kind.branch, 0)
    offsets = steps * kind.gap_s + gaps
    offsets[firsts] = 0.0
    several = sizes > 1
    latest = np.maximum.reduceat(offsets, firsts)
    offsets[(firsts + sizes - 1)[several]] = latest[several] + kind.gap_s
    return offsets


def _counts(rng: np.random.Generator, workload: Workload, model: Ints, place: Ints) -> Ints:
    """The six counts of each call: later calls of a task carry more context, and find more of it in the cache."""
    kind, calls = workload.kind, len(model)
    named = [MODELS[name] for name, _, _ in workload.models]
    writes = np.array([each.writes for each in named])[model]
    reasons = np.array([each.reasons for each in named])[model]
    grown = 1.0 + 0.12 * np.minimum(place, 25)
    whole = np.clip(_drawn(rng, kind.input, calls) * grown, 16, _MOST_TOKENS).astype(np.int64)
    found = rng.random(calls) < np.where(place > 0, kind.cached, kind.cached * 0.4)
    read = (whole * rng.uniform(0.4, 0.92, calls)).astype(np.int64) // _CACHE_BLOCK * _CACHE_BLOCK
    read = np.where(found, read, 0)
    rest = whole - read
    share = rng.uniform(0.3, 0.8, calls)
    written = np.where(writes & (kind.cached > 0) & (rest > 1_024), rest * share, 0).astype(np.int64)
    output = np.clip(_drawn(rng, kind.output, calls), 1, _MOST_OUTPUT).astype(np.int64)
    thought = np.where(reasons, output * rng.uniform(0.25, 0.7, calls), 0).astype(np.int64)
    nothing = np.zeros(calls, np.int64)
    short, long = (nothing, written) if kind.hour_cache else (written, nothing)
    return np.stack((rest - written, read, short, long, output, thought), axis=1)


def _attempts(rng: np.random.Generator, kind: Archetype, calls: int) -> Ints:
    """Now and then a call is tried again, and one of four of these once more: each by itself."""
    luck = rng.random(calls)
    attempts = np.ones(calls, np.int64)
    for more in range(3):
        attempts += luck < kind.retried / 4**more
    return attempts


def _durations(
    rng: np.random.Generator, workload: Workload, model: Ints, counts: Ints, attempts: Ints
) -> Floats:
    """Seconds from the first request to the end of the answer, with the waits between attempts."""
    pace = np.array([MODELS[name].token_s for name, _, _ in workload.models])[model]
    answer = 0.35 + counts[:, 4] * pace * np.exp(0.2 * rng.standard_normal(len(model)))
    waits = (2.0 ** (attempts - 1) - 1.0) * rng.uniform(0.5, 1.5, len(model))
    durations: Floats = answer + waits
    return durations


def _task_starts(rng: np.random.Generator, hours: Floats, begin_ns: int, tasks: int) -> Ints:
    """Moments as the hours are weighed, in the order of time."""
    until = np.cumsum(hours)
    at = np.sort(rng.random(tasks)) * until[-1]
    hour = np.minimum(np.searchsorted(until, at, side="right"), HOURS - 1)
    starts: Ints = begin_ns + hour * _HOUR_NS + (rng.random(tasks) * _HOUR_NS).astype(np.int64)
    return starts


def _outcomes(rng: np.random.Generator, kind: Archetype, tasks: int) -> Ints:
    if not kind.in_task:
        return np.full(tasks, -1)
    abandoned = 0.012 if kind.users else 0.0
    shares = np.array([kind.failing, 0.002, abandoned, _UNTOLD_ENDS])
    found = np.searchsorted(np.cumsum(shares), rng.random(tasks), side="right")
    return np.array([1, 2, 3, -1, 0])[found]
