"""The gate: whether a call whose cost is bounded fits under an account's ceiling now, later or not at all.

A ceiling holds because what is spent, plus every hold, plus this call's bound never passes it. Busy (only holds are
in the way, and they will settle to less) is a wait; exceeded (what is spent is in the way) is a refusal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from switchgear.decision import Action
from switchgear.money import short
from switchgear.tier import Tier

from .admission import GrantRequest
from .book import Account
from .breaker import PROBES, State
from .ladder import Stand, action
from .model import Workload

__all__ = ["Refusal", "Wait", "check", "restriction", "stand_in"]

# A refusal opens the breaker only where nearly every call would be refused: small ones may still fit a window. A task
# whose usual call no longer fits is as good as over.
_NEAR = Decimal("0.99")
_NEAR_FOR_A_TASK = Decimal("0.90")
_LOOK_AGAIN_S = 0.5


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now: look again at `until` (seconds since the epoch), or earlier when something settles."""

    account: Account
    action: Action
    reason: str
    until: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """Not at all, as things stand. `trips`: the breaker should open for everyone in the scope."""

    account: Account
    reason: str
    trips: bool = False


def check(account: Account, at: Stand, bound: Decimal, tier: Tier, now: float) -> Wait | Refusal | None:
    """What stands in the way of a call that costs at most `bound`; None where nothing does."""
    limit, name = account.ceiling.limit, account.ceiling.name
    if account.state in (State.OPEN, State.FORCED_OPEN):
        return Refusal(account, f"{name} is open: {account.reason}")
    if at.spent + bound > limit:
        near = at.spent >= (_NEAR_FOR_A_TASK if account.ceiling.per_task else _NEAR) * limit
        left = (
            f"{name}: this call may cost {short(bound)}, {short(limit - at.spent)} of {short(limit)} is left"
        )
        return Refusal(account, left, trips=near)
    if at.spent + account.held + bound > limit:
        return Wait(account, Action.QUEUE, f"{name}: calls in flight hold what is left", now + _LOOK_AGAIN_S)
    if account.state is State.HALF_OPEN and account.holds >= PROBES:
        return Wait(
            account, Action.QUEUE, f"{name} is half-open: {PROBES} probes are out", now + _LOOK_AGAIN_S
        )
    if action(account, at.step, tier) is Action.QUEUE:
        projected = (
            f"{name}: {short(at.projection.total)} of {short(limit)} is projected, nobody waits for this work"
        )
        return Wait(account, Action.QUEUE, projected, now + _LOOK_AGAIN_S)
    if account.state is State.THROTTLED and now < account.paced_until:
        return Wait(account, Action.THROTTLE, f"{name} throttles: {account.reason}", account.paced_until)
    return None


def restriction(stands: Iterable[tuple[Account, Stand]], tier: Tier) -> tuple[Action, Account | None]:
    """The most restrictive action that the ladders ask of a call which the gate lets through, and whose."""
    worst: tuple[Action, Account | None] = (Action.ALLOW, None)
    for account, at in stands:
        act = action(account, at.step, tier)
        if act.severity > worst[0].severity:
            worst = (act, account)
    return worst


def stand_in(workload: Workload | None, request: GrantRequest) -> str | None:
    """The model to degrade to: declared by the workload, able to do what the request needs, with enough output."""
    room = request.call.max_output_tokens
    for degrade in workload.degrade if workload is not None else ():
        enough = room is None or room >= degrade.min_output_tokens
        if degrade.from_model == request.call.model and request.needs <= degrade.supports and enough:
            return degrade.to_model
    return None
