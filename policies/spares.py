"""Spare holds: more calls like the one asked for, held on top of it so that they can be made without asking.

There are some only while there is plenty of everything: no ceiling that counts the call restrains anybody, nobody waits
for anything that they would take, and in every meter and in the provider's lane they take a small part of what is left.
Wherever one of these is not so, a call asks by itself, and the gate is as tight as without them.
"""

from __future__ import annotations

from switchgear.decision import Action, Caps
from switchgear.tier import Tier

from .accounts import Account
from .admission import GrantRequest
from .breaker import State
from .judge import Way
from .ladder import step_for
from .model import Step, Unit
from .queue import Queue
from .trees import Trees

__all__ = ["MOST_CALLS", "spare_calls"]

MOST_CALLS = 1000
"""Of one grant."""


def spare_calls(request: GrantRequest, way: Way, queue: Queue, trees: Trees, now: float) -> int:
    """How many calls may be held beside those asked for, whose turn it is; at most `request.spare`."""
    if not request.spare:
        return 0
    decision, who = way.decision, request.who
    if decision.action is not Action.ALLOW or decision.wrap_up or decision.caps != Caps():
        return 0
    if trees.runaway(who.tenant, who.task) is not None:
        return 0
    if not all(_is_at_ease(account, who.tier) for account in way.found.accounts):
        return 0
    if queue.is_missed(request, way.found.meters):
        return 0
    calls, sizes = request.calls, way.sized.sizes
    spare = min(request.spare, MOST_CALLS - calls)
    for meter in way.found.meters:
        spare = min(spare, meter.spare(sizes.money if meter.unit is Unit.MONEY else sizes.tokens, calls, now))
    in_lane = queue.spare(request, sizes.tokens.mean, now)
    return max(0, spare if in_lane is None else min(spare, in_lane))


def _is_at_ease(account: Account, tier: Tier) -> bool:
    """Whether it restrains nobody, and nobody has moved it by hand. One in shadow restrains nobody anyway."""
    if account.ceiling.shadow:
        return True
    return account.state is State.CLOSED and step_for(account, tier) in (None, Step.WARN)
