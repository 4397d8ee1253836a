"""The breaker: the state of one ceiling for one scope, as a pure function of what is read.

    closed -> throttled     the upper quantile of the projection reaches the throttle rung
    throttled -> closed     it is a tenth of the limit below that rung, after the cool-down
    any -> open             the ceiling is spent, or the gate refused a call; or, where the ladder has the rung `open`,
                            the median of the projection passes the ceiling and the level has reached that rung
    open -> closed          in a new period of a calendar
    open -> half-open       after the cool-down, once a tenth of the limit is free (for a task's ceiling, from which
                            nothing ever leaves, only where its limit was raised meanwhile)
    half-open -> closed     after another cool-down without a reason to open
    half-open -> open       a reason to open

By hand: forced open, disabled. Both stay until they are lifted or expire.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from switchgear.money import short

from .model import Ceiling, Step

__all__ = ["PROBES", "Reading", "State", "next_state"]

_RECOVERED = Decimal("0.90")
_HYSTERESIS = Decimal("0.10")

# Calls in flight that a half-open breaker lets through at a time.
PROBES = 3


class State(StrEnum):
    CLOSED = "closed"
    THROTTLED = "throttled"
    OPEN = "open"
    HALF_OPEN = "half_open"
    FORCED_OPEN = "forced_open"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Reading:
    """What the breaker sees, in the ceiling's unit: spent, expected in flight, the projection's median and upper
    quantile, the limit in force, whether the gate refused a call, whether the limit rose since it opened, and whether a
    period of the calendar has begun since it moved."""

    spent: Decimal
    in_flight: Decimal
    median: Decimal
    upper: Decimal
    limit: Decimal
    gate_refused: bool = False
    raised: bool = False
    renewed: bool = False


def next_state(
    state: State, since: float, reading: Reading, ceiling: Ceiling, now: float
) -> tuple[State, str] | None:
    """The state to move to and why, or None to stay. `since` is when `state` began, seconds since the epoch."""
    if state in (State.FORCED_OPEN, State.DISABLED):
        return None
    limit, cooled = reading.limit, now - since >= ceiling.cooldown_s
    level = reading.spent + reading.in_flight
    if state is State.OPEN and reading.renewed and level <= _RECOVERED * limit:
        return State.CLOSED, "a new period has begun"
    if state is State.OPEN:
        stays = ceiling.per_task and not reading.raised
        if stays or not cooled or level > _RECOVERED * limit:
            return None
        in_use = f"{short(level)} of {short(limit)} in use"
        return State.HALF_OPEN, f"{in_use} after {ceiling.cooldown_s:g} s: probing"
    why = _reason_to_open(reading, ceiling, level)
    if why is not None:
        return State.OPEN, why
    if state is State.HALF_OPEN:
        return (State.CLOSED, f"no reason to open for {ceiling.cooldown_s:g} s") if cooled else None
    share = _rung(ceiling, Step.THROTTLE)
    if share is None:
        return None
    edge = share * limit
    if state is State.CLOSED and reading.upper >= edge:
        return State.THROTTLED, f"projected {short(reading.upper)} reaches {short(edge)} of {short(limit)}"
    if state is State.THROTTLED and cooled and reading.upper <= edge - _HYSTERESIS * limit:
        return State.CLOSED, f"projected {short(reading.upper)} is well below {short(edge)}"
    return None


def _reason_to_open(reading: Reading, ceiling: Ceiling, level: Decimal) -> str | None:
    limit = reading.limit
    if reading.spent >= limit:
        return f"{short(reading.spent)} of {short(limit)} is spent"
    if reading.gate_refused:
        return f"a call no longer fits: {short(reading.spent)} of {short(limit)} spent"
    share = _rung(ceiling, Step.OPEN)
    if share is not None and reading.median > limit and level >= share * limit:
        return f"projected {short(reading.median)} passes {short(limit)} with {short(level)} in use"
    return None


def _rung(ceiling: Ceiling, step: Step) -> Decimal | None:
    """The share of the limit from which on the ladder takes this step; None where it has no such rung."""
    return min((rung.at for rung in ceiling.ladder if rung.step is step), default=None)
