"""What a policy set would have done to recorded calls, policy by policy, and whether it would have been right.

Two replays are compared with what was really spent (`truth`). In the first every ceiling is in shadow, so that the
calls go as they went: what the breakers do there is judged by the breaches that did happen.

- *Trip*: a breaker opens while the scope is within its limit. Open for a whole rolling window it counts as another.
- *False trip*: no breach within a window's length after it (in the rest of a calendar's period; ever, for a task).
- *Lead*: from the trip that was still open at a breach to the breach, at most the window's length.

The same is told of breakers that at least throttled: a ladder slows down long before anything opens.

In the second the ceilings act: what is refused, late or degraded there is what the policies would have cost and saved.
A call was stopped *needlessly* (refused, or its wait became too long) where the calls as they were recorded held no
breach of that scope within a window's length from then on, nor were in one.
"""

from __future__ import annotations

import statistics
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ..breaker import State
from ..model import Ceiling, PolicySet, Rolling
from ..transitions import Transition
from .replay import Became, Outcome, Replay
from .truth import Breach, Names, names_of

__all__ = ["Effect", "Foresight", "Judged", "Money", "judge"]

_OPEN = (State.OPEN,)
_SLOWED = (State.THROTTLED, *_OPEN)


@dataclass(frozen=True, slots=True)
class Money:
    """Calls and the sum of what is known of their amounts."""

    calls: int
    amount: Decimal
    unknown: int
    """How many of the calls have no known amount: they are not in the sum."""


@dataclass(frozen=True, slots=True)
class Foresight:
    """Trips, how many of them were false, and for each breach that one preceded its lead in seconds."""

    trips: int
    false_trips: int
    leads: tuple[float, ...]

    @property
    def median_lead_s(self) -> float | None:
        """None where no breach was foreseen."""
        return statistics.median(self.leads) if self.leads else None


@dataclass(frozen=True, slots=True)
class Judged:
    """One policy. Costs are in the set's currency."""

    ceiling: Ceiling
    breaches: int
    highest: Decimal | None
    """The most that any scope had in its window, as recorded; None where it counted nothing."""
    opening: Foresight
    slowing: Foresight
    """Throttled or open."""
    refused: Money
    gave_up: Money
    needless: Money
    """Of the refused and of those that gave up."""
    waited: int
    mean_wait_s: float | None
    degraded: int
    saved_by_degrading: Money
    opened: int
    """How often its breakers opened where it acts."""
    breaches_left: int
    largest_excess: Decimal
    """How far any scope was above its limit where it acts."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A whole policy set. `without_policy` waited or gave up for a provider's capacity, or behind other calls."""

    calls: int
    recorded: Money
    saved: Money
    policies: Sequence[Judged]
    without_policy: int


def judge(policies: PolicySet, recorded: Replay, acting: Replay, calls: Money) -> Effect:
    """The effect of `policies`: `recorded` replays them in shadow, `acting` as they are; both of the same calls."""
    outcomes: defaultdict[str | None, list[Outcome]] = defaultdict(list)
    for outcome in acting.outcomes:
        outcomes[outcome.policy].append(outcome)
    judged = [_judge(ceiling, recorded, acting, outcomes[ceiling.name]) for ceiling in policies.ceilings]
    saved = _money(o.saved for o in acting.outcomes if o.became is not Became.WAITED)
    return Effect(acting.calls, calls, saved, judged, len(outcomes[None]))


def _judge(ceiling: Ceiling, recorded: Replay, acting: Replay, outcomes: Sequence[Outcome]) -> Judged:
    by_scope: defaultdict[Names, list[Breach]] = defaultdict(list)
    for breach in recorded.truth.breaches:
        if breach.ceiling == ceiling.name:
            by_scope[breach.scope].append(breach)
    refused = [o for o in outcomes if o.became is Became.REFUSED]
    gave_up = [o for o in outcomes if o.became is Became.GAVE_UP]
    waits = [o.waited_s for o in outcomes if o.became is Became.WAITED]
    left = [breach for breach in acting.truth.breaches if breach.ceiling == ceiling.name]
    return Judged(
        ceiling=ceiling,
        breaches=sum(map(len, by_scope.values())),
        highest=recorded.truth.most(ceiling.name),
        opening=_foresight(ceiling, recorded, by_scope, _OPEN),
        slowing=_foresight(ceiling, recorded, by_scope, _SLOWED),
        refused=_money(o.call.cost for o in refused),
        gave_up=_money(o.call.cost for o in gave_up),
        needless=_money(o.call.cost for o in (*refused, *gave_up) if not _needed(ceiling, by_scope, o)),
        waited=len(waits),
        mean_wait_s=statistics.fmean(waits) if waits else None,
        degraded=sum(o.became is Became.DEGRADED for o in outcomes),
        saved_by_degrading=_money(o.saved for o in outcomes if o.became is Became.DEGRADED),
        opened=sum(
            len(spans) for spans in _intervals(ceiling, acting.transitions, _OPEN, acting.ended_at).values()
        ),
        breaches_left=len(left),
        largest_excess=max((breach.most - breach.limit for breach in left), default=Decimal(0)),
    )


def _foresight(
    ceiling: Ceiling, recorded: Replay, by_scope: Mapping[Names, Sequence[Breach]], states: Sequence[State]
) -> Foresight:
    """What the breakers in one of these states foretold."""
    spans = _intervals(ceiling, recorded.transitions, states, recorded.ended_at)
    trips = [
        (scope, at)
        for scope, own in spans.items()
        for span in own
        for at in _openings(ceiling, span)
        if not _in_breach(by_scope.get(scope, ()), at)
    ]
    leads = [
        _lead(ceiling, spans.get(scope, ()), breach.at)
        for scope, breaches in by_scope.items()
        for breach in breaches
    ]
    return Foresight(
        len(trips),
        sum(not _breach_after(ceiling, by_scope.get(scope, ()), at) for scope, at in trips),
        tuple(sorted(lead for lead in leads if lead is not None)),
    )


def _intervals(
    ceiling: Ceiling, transitions: Iterable[Transition], states: Sequence[State], end: float
) -> dict[Names, list[tuple[float, float]]]:
    """When each scope's breaker was in one of these states; what still is ends at `end`."""
    spans: defaultdict[Names, list[tuple[float, float]]] = defaultdict(list)
    since: dict[Names, float] = {}
    for transition in transitions:
        if transition.policy != ceiling.name or transition.after not in set(State):
            continue
        scope = frozenset(transition.scope.items())
        if transition.after in states:
            since.setdefault(scope, transition.at)
        elif (begin := since.pop(scope, None)) is not None:
            spans[scope].append((begin, transition.at))
    for scope, begin in since.items():
        spans[scope].append((begin, max(begin, end)))
    return spans


def _openings(ceiling: Ceiling, span: tuple[float, float]) -> Iterable[float]:
    """The span's begin, and for a rolling window another for each whole window that it lasted."""
    begin, end = span
    if not isinstance(ceiling.window, Rolling):
        return [begin]
    return [
        begin + n * ceiling.window.length_s for n in range(1 + int((end - begin) / ceiling.window.length_s))
    ]


def _horizon(ceiling: Ceiling, at: float) -> float:
    """Up to when a breach is what a trip at `at` warned of."""
    if ceiling.window is None:
        return float("inf")
    if isinstance(ceiling.window, Rolling):
        return at + ceiling.window.length_s
    return ceiling.window.bounds(at)[1]


def _lead(ceiling: Ceiling, spans: Iterable[tuple[float, float]], breach_at: float) -> float | None:
    """How long before the breach the breaker had opened, if it was open just before it."""
    for begin, end in spans:
        if begin < breach_at <= end:
            return min(breach_at - begin, ceiling.window_s or float("inf"))
    return None


def _in_breach(breaches: Sequence[Breach], at: float) -> bool:
    return any(breach.at <= at <= breach.over_at for breach in breaches)


def _breach_after(ceiling: Ceiling, breaches: Sequence[Breach], at: float) -> bool:
    place = bisect_left(breaches, at, key=lambda breach: breach.at)
    return place < len(breaches) and breaches[place].at <= _horizon(ceiling, at)


def _needed(ceiling: Ceiling, by_scope: Mapping[Names, Sequence[Breach]], outcome: Outcome) -> bool:
    scope = names_of(ceiling, outcome.who)
    breaches = by_scope.get(scope, ()) if scope is not None else ()
    at = outcome.asked_at
    return _in_breach(breaches, at) or _breach_after(ceiling, breaches, at)


def _money(amounts: Iterable[Decimal | None]) -> Money:
    found = list(amounts)
    known = [amount for amount in found if amount is not None]
    return Money(len(found), sum(known, Decimal(0)), len(found) - len(known))
