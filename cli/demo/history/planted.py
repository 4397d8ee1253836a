"""Planted: what an audit should find. A herd and a loop are calls beside all others, a move is a line of the registry.

Everything else of a history is the same, to the byte, with and without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from .archetypes import MODELS, UNPRICED
from .company import INTERNAL, Company, Workload, other_owner
from .draws import SECOND_NS, Ints, Week, ns
from .plan import Wanted

__all__ = ["PLANTS", "Herd", "Loop", "Move", "Planted", "planted"]

PLANTS = ("herd", "loop", "move")

_HERD_TASKS, _HERD_WAVES, _HERD_WORKLOADS = 96, 5, 8
_WAVE_EVERY = timedelta(seconds=90)
_WITHIN_S = 1.5
_LOOP_CALLS = 800
_LOOP_GAP_S = 11.0
# Seeds apart from those of the weeks of workloads, whose last number is their week.
_HERD_SEED, _LOOP_SEED = 1_000_001, 1_000_002


@dataclass(frozen=True, slots=True)
class Herd:
    """Tasks of several tenants that a provider turned away at once, and that came again at once, several times."""

    provider: str
    model: str
    """As it answers."""
    waves: tuple[datetime, ...]
    until: datetime
    tasks: tuple[tuple[str, str, str], ...]
    """Tenant, workload and id of each."""
    calls: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Loop:
    """One task that makes the same call again and again, with a little more input each time."""

    tenant: str
    workload: str
    task: str
    model: str
    begins: datetime
    until: datetime
    calls: int


@dataclass(frozen=True, slots=True)
class Move:
    """A workload that another owner and cost centre takes over in the middle of a month."""

    workload: Workload
    at: datetime
    owner: str
    cost_centre: str


@dataclass(frozen=True, slots=True)
class Planted:
    """What was planted, and the calls of it."""

    herd: Herd | None = None
    loop: Loop | None = None
    move: Move | None = None
    extra: tuple[tuple[Workload, Week], ...] = ()

    def of_week(self, begin: datetime, end: datetime) -> list[tuple[Workload, Week]]:
        """The extra calls of tasks that begin in a week."""
        return [each for each in self.extra if ns(begin) <= int(each[1].task_starts_ns[0]) < ns(end)]


def planted(wanted: Wanted, company: Company) -> Planted:
    """What `wanted.plant` names. Raises ValueError for a name that is none, and for too short a history."""
    if unknown := [name for name in wanted.plant if name not in PLANTS]:
        raise ValueError(f"{unknown[0]!r} cannot be planted; there are: {', '.join(PLANTS)}")
    extra: list[tuple[Workload, Week]] = []
    herd = _herd(wanted, company, extra) if "herd" in wanted.plant else None
    loop = _loop(wanted, company, extra) if "loop" in wanted.plant else None
    move = _move(wanted, company) if "move" in wanted.plant else None
    return Planted(herd, loop, move, tuple(extra))


def _herd(wanted: Wanted, company: Company, extra: list[tuple[Workload, Week]]) -> Herd:
    at = _moment(wanted, timedelta(days=6) - timedelta(hours=14, minutes=5), 0.6)
    askers: dict[str, list[Workload]] = {}
    for workload in _there(wanted, company, at):
        for name, _, _ in workload.models:
            askers.setdefault(name, []).append(workload)
    model, found = max(askers.items(), key=lambda each: (len({w.tenant for w in each[1]}), each[0]))
    members = _of_many_tenants(found)[:_HERD_WORKLOADS]
    rng = np.random.default_rng([wanted.seed, _HERD_SEED])
    waves = np.array([ns(at + wave * _WAVE_EVERY) for wave in range(_HERD_WAVES)])
    tasks: list[tuple[str, str, str]] = []
    made: list[Week] = []
    for place, workload in enumerate(members):
        count = len(range(place, _HERD_TASKS, len(members)))
        made.append(_herd_week(rng, workload, _place_of(model, workload), count, waves))
        extra.append((workload, made[-1]))
        tasks += [(workload.tenant, workload.name, each) for each in _ids(workload, made[-1])]
    return Herd(
        MODELS[model].provider,
        MODELS[model].answers,
        tuple(at + wave * _WAVE_EVERY for wave in range(_HERD_WAVES)),
        _time(max(int(week.ends_ns.max()) for week in made)),
        tuple(tasks),
        calls=sum(len(week.task) for week in made),
        attempts=sum(int(week.attempts.sum()) for week in made),
    )


def _herd_week(rng: np.random.Generator, workload: Workload, model: int, tasks: int, waves: Ints) -> Week:
    """One call of each task in each wave: turned away, then again after 1, 2, 4... s, since all wait by one rule."""
    calls = tasks * len(waves)
    task = np.repeat(np.arange(tasks), len(waves))
    starts = np.tile(waves, tasks) + (rng.random(calls) * _WITHIN_S * SECOND_NS).astype(np.int64)
    attempts = rng.integers(3, 6, calls)
    answer = rng.uniform(1.0, 1.6, calls)
    ends = starts + ((answer + 2.0 ** (attempts - 1) - 1.0) * SECOND_NS).astype(np.int64)
    whole = rng.integers(1_500, 2_500, calls)
    return _week(
        rng, model, task, starts, ends, _plain_counts(whole, rng.integers(100, 220, calls)), attempts
    )


def _loop(wanted: Wanted, company: Company, extra: list[tuple[Workload, Week]]) -> Loop:
    at = _moment(wanted, timedelta(days=4) - timedelta(hours=1), 0.4)
    there = _there(wanted, company, at)
    # One of a small tenant, not the one that is moved.
    workload = next((each for each in reversed(there) if each.kind.name == "coding-agent"), there[-1])
    rng = np.random.default_rng([wanted.seed, _LOOP_SEED])
    gaps = _LOOP_GAP_S * rng.uniform(0.9, 1.1, _LOOP_CALLS)
    starts = ns(at) + ((np.cumsum(gaps) - gaps) * SECOND_NS).astype(np.int64)
    ends = starts + (rng.uniform(4.0, 6.0, _LOOP_CALLS) * SECOND_NS).astype(np.int64)
    counts = _plain_counts(6_400 + 9 * np.arange(_LOOP_CALLS), rng.integers(205, 215, _LOOP_CALLS))
    once = np.ones(_LOOP_CALLS, np.int64)
    model = _first_priced(workload)
    drawn = _week(rng, model, 0 * once, starts, ends, counts, once)
    extra.append((workload, drawn))
    return Loop(
        workload.tenant,
        workload.name,
        _ids(workload, drawn)[0],
        MODELS[workload.models[model][0]].answers,
        at,
        _time(int(ends.max())),
        _LOOP_CALLS,
    )


def _move(wanted: Wanted, company: Company) -> Move:
    """On the 15th of the last month that has one well inside; of a short history, in its middle."""
    day = wanted.end - timedelta(days=1)
    while not (day.day == 15 and day.hour == 0) and day > wanted.start:
        day = (day - timedelta(days=1)).replace(hour=0)
    if day <= wanted.start:
        day = (wanted.start + (wanted.end - wanted.start) / 2).replace(minute=0, second=0, microsecond=0)
    there = [each for each in _there(wanted, company, day) if each.owner]
    workload = max(there, key=lambda each: (each.kind.name == "coding-agent", each.weight))
    return Move(workload, day, *other_owner(workload))


def _moment(wanted: Wanted, before_end: timedelta, share: float) -> datetime:
    """That long before the end; in a history that is too short, after that share of it, on a full hour."""
    length = wanted.end - wanted.start
    if length >= timedelta(days=7):
        return wanted.end - before_end
    if length < timedelta(days=1):
        raise ValueError("a history of less than a day has no place for what is planted")
    return (wanted.start + share * length).replace(minute=0, second=0, microsecond=0)


def _there(wanted: Wanted, company: Company, at: datetime) -> list[Workload]:
    """The tenants' workloads that make calls in tasks around then."""
    share = (at - wanted.start) / (wanted.end - wanted.start)
    return [
        each
        for each in company.workloads
        if each.tenant != INTERNAL and each.kind.in_task and each.begins < share and each.ends == 1.0
    ]


def _of_many_tenants(workloads: Sequence[Workload]) -> list[Workload]:
    """One of each tenant first, then the others."""
    firsts = {each.tenant: each for each in reversed(workloads)}
    chosen = [each for each in workloads if firsts[each.tenant] is each]
    return [*chosen, *(each for each in workloads if firsts[each.tenant] is not each)]


def _place_of(model: str, workload: Workload) -> int:
    return [name for name, _, _ in workload.models].index(model)


def _first_priced(workload: Workload) -> int:
    return next(place for place, (name, _, _) in enumerate(workload.models) if name != UNPRICED)


def _ids(workload: Workload, drawn: Week) -> list[str]:
    return [workload.task_id(bytes(trace)) for trace in drawn.trace_ids]


def _plain_counts(whole: Ints, output: Ints) -> Ints:
    nothing = np.zeros(len(whole), np.int64)
    return np.stack((whole, nothing, nothing, nothing, output, nothing), axis=1)


def _week(
    rng: np.random.Generator, model: int, task: Ints, starts: Ints, ends: Ints, counts: Ints, attempts: Ints
) -> Week:
    """Calls without sub-agents, whose tasks succeed."""
    calls, tasks = len(task), int(task.max()) + 1
    none: NDArray[np.bool_] = np.zeros(calls, np.bool_)
    nothing = np.zeros(calls, np.int64)
    firsts = np.searchsorted(task, np.arange(tasks))
    return Week(
        task=task,
        branch=nothing,
        parent=nothing,
        model=nothing + model,
        in_tier=none,
        untold=none,
        starts_ns=starts,
        ends_ns=ends,
        counts=counts,
        attempts=attempts,
        user=nothing,
        trace_ids=rng.integers(0, 256, (tasks, 16), np.uint8),
        span_ids=rng.integers(0, 256, (calls + tasks, 8), np.uint8),
        task_starts_ns=np.minimum.reduceat(starts, firsts),
        task_ends_ns=np.maximum.reduceat(ends, firsts),
        outcome=np.zeros(tasks, np.int64),
    )


def _time(at_ns: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_ns // 1000)
