"""The breaker: the state of one ceiling for one scope, as a pure function of what is read.

    closed -> throttled     the projection reaches the throttle rung
    throttled -> closed     the projection is a tenth of the limit below that rung, after the cool-down
    any -> open             the gate refused a call near the ceiling, or the projection passes it and the level is near
    open -> half-open       after the cool-down, once a tenth of the limit is free (never for a task's ceiling)
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

# Near: from this share of the limit on, a projection past the limit opens the breaker.
_NEAR = Decimal("0.99")
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
    """What the breaker sees, in money: spent, expected in flight, projected, and whether the gate refused."""

    spent: Decimal
    in_flight: Decimal
    projected: Decimal
    gate_refused: bool = False


def throttle_at(ceiling: Ceiling) -> Decimal | None:
    """The share of the limit from which on the breaker throttles; None where the ladder has no such rung."""
    rungs = [rung.at for rung in ceiling.ladder if rung.step is Step.THROTTLE]
    return min(rungs) if rungs else None


def next_state(
    state: State, since: float, reading: Reading, ceiling: Ceiling, now: float
) -> tuple[State, str] | None:
    """The state to move to and why, or None to stay. `since` is when `state` began, seconds since the epoch."""
    if state in (State.FORCED_OPEN, State.DISABLED):
        return None
    cooled = now - since >= ceiling.cooldown_s
    level = reading.spent + reading.in_flight
    if state is State.OPEN:
        if ceiling.per_task or not cooled or level > _RECOVERED * ceiling.limit:
            return None
        return (
            State.HALF_OPEN,
            f"{short(level)} of {short(ceiling.limit)} in use after {ceiling.cooldown_s:g} s: probing",
        )
    if reading.gate_refused:
        return State.OPEN, f"a call no longer fits: {short(reading.spent)} of {short(ceiling.limit)} spent"
    if reading.projected > ceiling.limit and level >= _NEAR * ceiling.limit:
        return (
            State.OPEN,
            f"projected {short(reading.projected)} passes {short(ceiling.limit)} with {short(level)} in use",
        )
    if state is State.HALF_OPEN:
        return (State.CLOSED, f"no reason to open for {ceiling.cooldown_s:g} s") if cooled else None
    share = throttle_at(ceiling)
    if share is None:
        return None
    edge = share * ceiling.limit
    if state is State.CLOSED and reading.projected >= edge:
        return (
            State.THROTTLED,
            f"projected {short(reading.projected)} reaches {short(edge)} of {short(ceiling.limit)}",
        )
    if state is State.THROTTLED and cooled and reading.projected <= edge - _HYSTERESIS * ceiling.limit:
        return State.CLOSED, f"projected {short(reading.projected)} is well below {short(edge)}"
    return None
