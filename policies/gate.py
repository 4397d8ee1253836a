"""The gate: whether a call fits under every ceiling that counts it now, later or not at all.

Busy (calls in flight are in the way, and may settle to less) is a wait; exceeded (what is spent is in the way) is a
refusal. How much calls in flight are in the way is the meter's to say (`meters`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from switchgear.decision import Action
from switchgear.money import short
from switchgear.tier import Tier

from .accounts import Account, Found
from .admission import GrantRequest
from .book import Sizes
from .breaker import PROBES, State
from .ladder import Stand, action, step_for
from .model import Holds, Step, Unit, Workload
from .units import decimal

__all__ = ["Refusal", "Wait", "check", "restriction", "room_for_all", "stand_in"]

_LOOK_AGAIN_S = 0.5
# A refusal of a ceiling that counts calls at their most opens the breaker only where nearly every call would be
# refused: smaller ones may still fit a window. A task whose usual call no longer fits is as good as over.
_NEAR = 0.99
_NEAR_FOR_A_TASK = 0.90


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now: look again at `until` (seconds since the epoch), or earlier when something settles."""

    account: Account
    action: Action
    reason: str
    until: float
    shared: bool = True
    """Whether every tier would wait for it (room, probes, a pace), rather than this one alone."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Not at all, as things stand. `trips`: the breaker should open for everyone in the scope.

    Without an account it is no ceiling that refuses: a person stopped the task.
    """

    account: Account | None
    reason: str
    trips: bool = False


def room_for_all(found: Found, sizes: Sizes, calls: int, now: float) -> bool:
    """Whether calls of this size fit under every ceiling that acts, beside what is in flight."""
    for meter in found.meters:
        if not meter.fits(sizes.money if meter.unit is Unit.MONEY else sizes.tokens, calls, now):
            return False
    return True


def check(
    account: Account, at: Stand, sizes: Sizes, tier: Tier, now: float, *, calls: int = 1
) -> Wait | Refusal | None:
    """What this account has against calls of this size; None where it has nothing."""
    ceiling, meter = account.ceiling, account.meter
    name, unit = ceiling.name, ceiling.unit
    if account.state in (State.OPEN, State.FORCED_OPEN):
        return Refusal(account, f"{name} is open: {account.reason}")
    size = sizes.money if unit is Unit.MONEY else sizes.tokens
    left = at.limit - at.spent
    of_limit = f"{short(decimal(max(left, 0), unit))} of {short(decimal(at.limit, unit))} is left"
    strict = ceiling.holds is Holds.WORST_CASE
    if left <= 0:
        return Refusal(account, f"{name}: {of_limit}", trips=True)
    if strict and size.bound > left:
        near = at.spent >= (_NEAR_FOR_A_TASK if ceiling.per_task else _NEAR) * at.limit
        costs = f"this call may cost {short(decimal(size.bound, unit))}"
        return Refusal(account, f"{name}: {costs}, {of_limit}", trips=near)
    alone = meter.holds == 0 and calls == 1 and meter.lets_alone(size, left, at.limit)
    if not strict and not meter.lets_alone(size, left, at.limit):
        near = at.spent >= (_NEAR_FOR_A_TASK if ceiling.per_task else _NEAR) * at.limit
        costs = f"such a call costs {short(decimal(size.mean, unit))}"
        return Refusal(account, f"{name}: {costs}, {of_limit}", trips=near)
    likely = meter.bounds + size.bound * calls if strict else meter.exposure(size, calls)
    if likely > left and calls > 1 and meter.holds == 0:
        # Nothing is in flight that could make room.
        return Refusal(account, f"{name}: {calls} such calls at once are too many, {of_limit}; ask for fewer")
    busy = likely > left and (strict or not alone)
    if busy:
        return Wait(account, Action.QUEUE, f"{name}: calls in flight hold what is left", now + _LOOK_AGAIN_S)
    if account.state is State.HALF_OPEN and meter.holds >= PROBES:
        probing = f"{name} is half-open: {PROBES} probes are out"
        return Wait(account, Action.QUEUE, probing, now + _LOOK_AGAIN_S)
    if action(account, step_for(account, tier), tier) is Action.QUEUE:
        projected = (
            f"{short(decimal(round(at.band.q80), unit))} of {short(decimal(at.limit, unit))} is projected"
        )
        waits = f"{name}: {projected}, nobody waits for this work"
        return Wait(account, Action.QUEUE, waits, now + _LOOK_AGAIN_S, shared=False)
    if account.state is State.THROTTLED and now < account.paced_until:
        return Wait(account, Action.THROTTLE, f"{name} throttles: {account.reason}", account.paced_until)
    return None


def restriction(accounts: Iterable[Account], tier: Tier) -> tuple[Action, Account | None, Step | None]:
    """The most restrictive action that the ladders ask of a call which the gate lets through, whose, and its step."""
    worst: tuple[Action, Account | None, Step | None] = (Action.ALLOW, None, None)
    for account in accounts:
        step = step_for(account, tier)
        act = action(account, step, tier)
        if act.severity > worst[0].severity:
            worst = (act, account, step)
    return worst


def stand_in(workload: Workload | None, request: GrantRequest) -> str | None:
    """The model to degrade to: declared by the workload, able to do what the request needs, with enough output."""
    room = request.call.max_output_tokens
    for degrade in workload.degrade if workload is not None else ():
        enough = room is None or room >= degrade.min_output_tokens
        if degrade.from_model == request.call.model and request.needs <= degrade.supports and enough:
            return degrade.to_model
    return None
