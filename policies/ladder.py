"""From what an account reads to what its scope may do: the ladder warn, throttle, queue, degrade, open."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from analytics.projection import Band
from switchgear.decision import Action
from switchgear.tier import Tier

from .accounts import Account
from .breaker import Reading, State
from .model import Rung, Step
from .units import decimal

__all__ = ["Stand", "action", "climb", "reading", "stand", "step_for", "throttle_rate", "why", "wraps_up"]

_STEP_ACTION = {Step.WARN: Action.ALLOW, Step.THROTTLE: Action.THROTTLE, Step.OPEN: Action.ALLOW}
# A rung that was reached is left a twentieth of the limit below it.
_HYSTERESIS = 0.05


@dataclass(frozen=True, slots=True)
class Stand:
    """How an account stands at a moment, in atoms. `band` is what the window will hold at its horizon."""

    spent: int
    held: int
    limit: int
    band: Band
    acts_on: tuple[float, float]
    """Median and upper quantile that breaker and rungs act on: those of the band, but of a task whose workload is not
    known yet only what is spent and in flight."""

    @property
    def upper(self) -> float:
        """The upper quantile as a share of the limit: what the rungs are compared with."""
        return self.acts_on[1] / self.limit if self.limit else float("inf")


def stand(account: Account, now: float) -> Stand:
    """Spent, held and projected at `now`."""
    meter, total = account.meter, account.meter.sum_of(account.ceiling, now)
    spent = total.spent(now)
    band = account.forecast.band(now, float(spent), float(total.kept(now)), float(meter.held))
    acts_on = (band.q50, band.q80)
    if account.ceiling.per_task and band.cold:
        acts_on = (float(spent + meter.held),) * 2
    return Stand(spent, meter.held, account.limit, band, acts_on)


def climb(account: Account, at: Stand) -> tuple[Rung, ...]:
    """The rungs that the projection has reached, highest first; one that was reached is left a little below it."""
    share = at.upper
    reached = [
        rung
        for rung in account.ceiling.ladder
        if share >= float(rung.at) - (_HYSTERESIS if rung in account.rungs else 0.0)
    ]
    return tuple(sorted(reached, key=lambda rung: rung.at, reverse=True))


def step_for(account: Account, tier: Tier | None) -> Step | None:
    """The highest step that is reached for calls of this tier."""
    return next(
        (rung.step for rung in account.rungs if rung.serves(tier) and rung.step is not Step.OPEN), None
    )


def reading(account: Account, at: Stand) -> Reading:
    """What the breaker sees."""
    unit = account.ceiling.unit
    return Reading(
        spent=decimal(at.spent, unit),
        in_flight=decimal(at.held, unit),
        median=decimal(round(at.acts_on[0]), unit),
        upper=decimal(round(at.acts_on[1]), unit),
        limit=decimal(at.limit, unit),
        gate_refused=account.gate_refused,
        renewed=account.since < account.total.began,
        raised=account.raised,
    )


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


def throttle_rate(account: Account, at: Stand) -> float:
    """Atoms per second that a throttled account lets through: 1.5 (limit - kept) / horizon, never below a trickle.

    The factor leaves room for what leaves the window meanwhile; the trickle keeps the scope alive.
    """
    window = account.ceiling.window_s
    if window is None or not at.band.horizon_s:
        return float("inf")
    free = at.limit - at.band.kept - at.held
    trickle = at.limit / window / 10
    return max(1.5 * free / at.band.horizon_s, trickle)


def wraps_up(account: Account, now: float) -> bool:
    """Whether a task should answer with what it has: so near to its limit is what is spent and in flight."""
    share: Decimal | None = account.ceiling.wrap_up_at
    if share is None:
        return False
    spent = account.meter.sum_of(account.ceiling, now).spent(now)
    return spent + account.meter.held >= share * account.limit
