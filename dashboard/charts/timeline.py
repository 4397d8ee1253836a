"""The timeline of transitions: a lane for each breaker, coloured by its state, with the state's word. Pure; HTML.

Lanes are drawn in a few hundred slots of time. A slot shows the most urgent state that it saw, so that a breaker that
was open for a second within a day is seen, and one that flaps a thousand times costs no more than another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from ..board import scope_name, scope_title, state_of
from ..look import STATES, attribute, span, text

__all__ = ["Lane", "lanes", "timeline"]

_SLOTS = 480
_LANES = 10
# A word needs so much of the lane's width, in per cent for each of its letters.
_PER_LETTER = 0.95
_TICKS = (
    *(timedelta(minutes=n) for n in (1, 2, 5, 10, 15, 30)),
    *(timedelta(hours=n) for n in (1, 2, 4, 6, 12)),
)
_MOST_TICKS = 8


@dataclass(slots=True)
class Lane:
    """One breaker over the time: spans of states in order, and moments at which something happened without one."""

    policy: str
    scope: Mapping[str, Any]
    shadow: bool
    spans: list[tuple[str, datetime, datetime, str]] = field(default_factory=list)
    """State, from, to, and why."""
    moments: list[tuple[datetime, str, str]] = field(default_factory=list)
    """When, what (warned, overridden, stopped, runaway), and why."""

    @property
    def state(self) -> str:
        """Where it stands at the end."""
        return self.spans[-1][0] if self.spans else "closed"


def lanes(
    lines: Iterable[Mapping[str, Any]], *, start: datetime, stop: datetime, now: datetime
) -> list[Lane]:
    """The lanes of all breakers of which `lines` (newest first) tell in this time; the most urgent first, then the
    latest that moved."""
    found: dict[tuple[Any, ...], tuple[Lane, list[Mapping[str, Any]]]] = {}
    for line in lines:
        if start <= datetime.fromisoformat(line["at"]) < stop:
            scope = line["scope"] or {}
            key = (line["policy"], *sorted(scope.items()))
            lane, own = found.setdefault(key, (Lane(line["policy"], scope, bool(line.get("shadow"))), []))
            own.append(line)
    for lane, own in found.values():
        _fill(lane, own[::-1], start, min(stop, now))
    # The order in which lanes were found is that of their last line.
    return sorted(
        (lane for lane, _ in found.values()), key=lambda lane: (lane.shadow, state_of(lane.state).rank)
    )


def timeline(found: Sequence[Lane], *, start: datetime, stop: datetime) -> str:
    """The picture: lanes over a scale of times in UTC."""
    shown = "".join(_lane(lane, start, stop) for lane in found[:_LANES])
    hidden = len(found) - _LANES
    more = f'<div class="sg-rest">and {hidden} more that moved, all less urgent</div>' if hidden > 0 else ""
    ticks = "".join(
        f'<span style="left:{_share(at, start, stop):.2f}%">{_tick(at, stop - start)}</span>'
        for at in _scale(start, stop)
    )
    scale = f'<div class="sg-scale" aria-hidden="true"><div></div><div>{ticks}</div></div>'
    return f'<div class="sg sg-lanes">{shown}{scale}{more}</div>'


def _fill(lane: Lane, own: list[Mapping[str, Any]], start: datetime, stop: datetime) -> None:
    moved = [line for line in own if line["to"] in STATES]
    before = moved[0]["from"] if moved else own[0]["from"]
    at, why = start, "since before"
    for line in own:
        moment, reason = datetime.fromisoformat(line["at"]), str(line.get("reason") or "")
        if line["to"] not in STATES:
            lane.moments.append((moment, line["to"], reason))
            continue
        lane.spans.append((before, at, moment, why))
        before, at, why = line["to"], moment, reason
    lane.spans.append((before if before in STATES else "closed", at, stop, why))


def _lane(lane: Lane, start: datetime, stop: datetime) -> str:
    scope = scope_name(lane.scope)
    runs = "".join(_run(run, lane, start, stop) for run in _runs(lane, start, stop))
    moments = "".join(
        f'<u style="left:{_share(at, start, stop):.2f}%" title="{attribute(f"{at:%H:%M:%S} {what}: {why}")}"></u>'
        for at, what, why in lane.moments[-_SLOTS:]
    )
    name, (title, rest) = f"{lane.policy}{' · shadow' if lane.shadow else ''}", scope_title(lane.scope)
    told = attribute(_told(lane, scope))
    return (
        f'<div class="sg-lane{" shadow" if lane.shadow else ""}" role="img" aria-label="{told}">'
        f'<div class="t" title="{attribute(f"{name}: {scope}")}"><b>{text(title)}</b>'
        f"<small>{text(rest or name)}</small></div>"
        f'<div class="bar">{runs}{moments}</div></div>'
    )


def _runs(lane: Lane, start: datetime, stop: datetime) -> list[tuple[str, int, int]]:
    """Slots of the same state that follow each other: the state, the first slot and the one after the last."""
    slots: list[str | None] = [None] * _SLOTS
    width = (stop - start) / _SLOTS
    for state, since, until, _ in lane.spans:
        first = int((since - start) / width)
        last = min(_SLOTS, max(first + 1, -int(-(until - start) / width // 1)))
        for slot in range(max(0, first), last):
            held = slots[slot]
            if held is None or state_of(state).rank < state_of(held).rank:
                slots[slot] = state
    runs, at = [], 0
    for found, group in groupby(slots):
        length = len(list(group))
        if found is not None:
            runs.append((found, at, at + length))
        at += length
    return runs


def _run(run: tuple[str, int, int], lane: Lane, start: datetime, stop: datetime) -> str:
    name, first, last = run
    state, width = state_of(name), (stop - start) / _SLOTS
    since, until = start + first * width, start + last * width
    inside = [each for each in lane.spans if each[0] == name and each[1] < until and each[2] > since]
    times = f"{len(inside)} times from" if len(inside) > 1 else "from"
    began = max(start, inside[0][1]) if inside else since
    ended = inside[-1][2] if inside else until
    why = inside[-1][3] if inside else ""
    title = f"{state.word} {times} {began:%H:%M:%S} to {ended:%H:%M:%S}, {span((ended - began).total_seconds())}: {why}"
    share = 100 * (last - first) / _SLOTS
    word = state.word if share >= _PER_LETTER * (len(state.word) + 2) and name != "closed" else ""
    return (
        f'<i class="{state.colour}" style="left:{100 * first / _SLOTS:.2f}%;width:{share:.2f}%" '
        f'title="{attribute(title)}">{word}</i>'
    )


def _told(lane: Lane, scope: str) -> str:
    """The lane in words, for those who do not see it."""
    parts = []
    for name in dict.fromkeys(state for state, *_ in lane.spans if state != "closed"):
        spans = [(until - since).total_seconds() for state, since, until, _ in lane.spans if state == name]
        parts.append(f"{state_of(name).word} {len(spans)} times, {span(sum(spans))} in all")
    parts += [f"{len(lane.moments)} warnings or changes by hand"] if lane.moments else []
    return f"{lane.policy}, {scope}: {'; '.join(parts) or 'closed'}; now {state_of(lane.state).word}"


def _scale(start: datetime, stop: datetime) -> list[datetime]:
    step = next((each for each in _TICKS if (stop - start) / each <= _MOST_TICKS), timedelta(days=1))
    at = datetime.fromtimestamp(
        (start.timestamp() // step.total_seconds() + 1) * step.total_seconds(), start.tzinfo
    )
    found = []
    while at < stop:
        found.append(at)
        at += step
    return found


def _tick(at: datetime, length: timedelta) -> str:
    return f"{at:%-d %b}" if length > timedelta(days=2) or (at.hour, at.minute) == (0, 0) else f"{at:%H:%M}"


def _share(at: datetime, start: datetime, stop: datetime) -> float:
    return 100 * max(0.0, min(1.0, (at - start) / (stop - start)))
