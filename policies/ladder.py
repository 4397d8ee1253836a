"""From what an account reads to what its scope may do: the ladder warn, throttle, queue, degrade, open."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from analytics.projection import HORIZON_SHARE, Projection, Recent, project
from switchgear.decision import Action
from switchgear.tier import Tier

from .book import Account
from .breaker import Reading, State
from .model import Step

__all__ = ["Stand", "action", "stand", "throttle_rate", "why"]

_STEP_ACTION = {Step.WARN: Action.ALLOW, Step.THROTTLE: Action.THROTTLE}


@dataclass(frozen=True, slots=True)
class Stand:
    """How an account stands at a moment, and the highest rung that its projection reaches."""

    spent: Decimal
    projection: Projection
    step: Step | None

    def reading(self, account: Account) -> Reading:
        """What the breaker sees of it."""
        return Reading(self.spent, account.expected, self.projection.total, account.gate_refused)


def stand(account: Account, now: float) -> Stand:
    """Spent, projected and the rung reached, at `now`."""
    spent = account.total.spent(now)
    window = account.ceiling.window_s
    if window is None:
        projection = Projection(spent + account.expected, spent, Decimal(0), account.expected, 0.0)
    else:
        horizon = window * HORIZON_SHARE
        projection = project(
            kept=account.total.kept(now),
            recent=_recent(account, window, spent, now),
            horizon_s=horizon,
            in_flight=account.expected,
        )
    return Stand(spent, projection, account.ceiling.step_at(projection.total / account.ceiling.limit))


def action(account: Account, step: Step | None, tier: Tier) -> Action:
    """What a call of `tier` may do under this account alone.

    Queueing is for work that nobody waits for, until its window has room again; what someone waits for goes on to be
    degraded instead, and so does a task near its own ceiling, from which nothing ever leaves.
    """
    if account.state in (State.OPEN, State.FORCED_OPEN):
        return Action.DENY
    if account.state is State.DISABLED or step is None:
        return Action.ALLOW
    if step in _STEP_ACTION:
        return _STEP_ACTION[step]
    if tier is Tier.BACKGROUND and not account.ceiling.per_task:
        return Action.QUEUE
    return Action.DEGRADE if step is Step.DEGRADE else Action.THROTTLE


def why(account: Account, step: Step | None) -> str:
    """The reason for what `action` says. It moves with the state and the rung, not with every amount."""
    beyond_throttling = step in (Step.QUEUE, Step.DEGRADE) and account.state is State.THROTTLED
    if account.state is not State.CLOSED and not beyond_throttling:
        return account.reason
    return f"the projection has reached the rung {step}" if step is not None else "within the ceiling"


def throttle_rate(account: Account, at: Stand, now: float) -> float:
    """Money per second that a throttled account lets through: 1.5 (limit - kept) / horizon, never below a trickle.

    The factor leaves room for what leaves the window meanwhile; the trickle keeps the scope alive.
    """
    window = account.ceiling.window_s
    if window is None:
        return float("inf")
    horizon = window * HORIZON_SHARE
    free = float(account.ceiling.limit - at.projection.kept - account.expected)
    trickle = float(account.ceiling.limit) / window / 10
    return max(1.5 * free / horizon, trickle)


def _recent(account: Account, window: float, spent: Decimal, now: float) -> Recent:
    # A young account's rates are means over the time it has looked, but never over less than the shortest span:
    # the first call of a window is no rate.
    observed = max(now - account.opened_at, window / 12)
    short, middle = account.total.lately(now)
    return Recent(
        float(short) / min(window / 12, observed),
        float(middle) / min(window / 4, observed),
        float(spent) / min(window, observed),
    )
