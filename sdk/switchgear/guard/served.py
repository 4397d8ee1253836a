"""Served: a call that first asks the cache. What is served takes no hold, makes no attempt, and is recorded as such."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from ..cache.asked import question_of
from ..cache.model import Answer, Look, Mode, Namespace, Outcome, Terms
from ..cache.terms import group_of, together
from ..decision import Action
from .attempts import Wire
from .caching import Cached, Caching, Policy
from .calls import Call
from .guard import Guard
from .steps import Pause, Script, Step

__all__ = ["Asking", "answering"]

# Once for each workload: how long its first call waits for what policies say of the cache.
_HEARD_WITHIN_S = 0.25
_LOOKS_AGAIN_S = 0.005


@dataclass(frozen=True, slots=True)
class Asking:
    """What a client says of a call, so that it can be served."""

    wants: Mode | Terms
    """What the code asks for: terms, or a mode and what policies say beside it."""
    at: Mapping[str, str]
    """Where the request goes, and what of its headers may change the answer."""
    volatile: bool
    streamed: bool
    """Whether the response will be read as it comes: then its reader tells the cache of it."""
    replay: Callable[[Look], Any]
    """The response with what is served."""
    answer: Callable[[Any], Answer | None]
    """What of a response that is whole is worth keeping."""
    settle: Callable[[Any], None]
    """The call was answered with a response that is whole."""


def answering(
    guard: Guard, caching: Caching, call: Call, wire: Wire, max_retries: int | None, asking: Asking
) -> Script[Any]:
    """The script of a call, as `Guard.making` has it, of which the cache is asked first.

    What is served is recorded here: `call.served` then says so, and there is nothing to settle.
    """
    look = yield from _looked(guard, caching, call, asking)
    if look is not None and look.served is not None and call.cached is not None:
        try:
            response = asking.replay(look)
        except Exception as error:  # noqa: BLE001 - what cannot be replayed is not served
            caching.fault("replay an answer", error)
            call.cached.became(Outcome.MISS)
        else:
            call.serve(look.served)
            return response
    try:
        response = yield from guard.making(call, wire, max_retries)
    except BaseException:
        call.give_up()
        raise
    if call.body is not None or wire.answer(response).status >= 400:
        # What was degraded answers another question.
        call.give_up()
    elif call.cached is not None and not asking.streamed:
        try:
            yield from call.cached.learning(partial(asking.answer, response))
        except BaseException:
            asking.settle(response)
            raise
    return response


def _looked(guard: Guard, caching: Caching, call: Call, asking: Asking) -> Generator[Step, Any, Look | None]:
    """What the cache has for a call; what it says of it is then the call's, too."""
    policy = yield from _policy(guard, caching, call)
    terms = _terms(guard, caching, call, asking.wants, policy)
    if terms.mode is Mode.OFF:
        return None
    call.cached = cached = Cached(caching, call.span, Outcome.BYPASS)
    if call.decision is not None and call.decision.action is Action.DENY:
        # Its time is over, but none is known that allows it: that is the engine's to say.
        return None
    try:
        question = question_of(call.request, terms.allow, at=asking.at, volatile=asking.volatile)
    except Exception as error:  # noqa: BLE001 - a body that is nested too deeply, say
        caching.fault("read a request", error)
        return None
    if question.unfit is not None:
        return None
    where = Namespace(call.scope.tenant, call.scope.workload, group_of(policy))
    look: Look | None = yield from caching.looking(where, question, terms)
    cached.became(Outcome.MISS if look is None else look.outcome)
    cached.ticket = None if look is None else look.ticket
    return look


def _policy(guard: Guard, caching: Caching, call: Call) -> Generator[Step, Any, Policy]:
    """What policies say of the cache for a call's workload. Raises BudgetExceeded where they deny it after all."""
    workload, known = (call.scope.tenant, call.scope.workload), call.decision
    if known is None and caching.first(workload):
        until = time.monotonic() + _HEARD_WITHIN_S
        while known is None and (now := time.monotonic()) < until and not guard.control.away.skips(now):
            yield Pause(_LOOKS_AGAIN_S)
            known = guard.control.decision(call.scope)
        call.decision = known
        if known is not None and known.action is Action.DENY and known.valid_until > datetime.now(UTC):
            raise call.denied(known)
    if known is not None:
        caching.hear(workload, known.cache)
    return caching.policy(workload)


def _terms(guard: Guard, caching: Caching, call: Call, wants: Mode | Terms, policy: Policy) -> Terms:
    """The terms that hold for a call: of code and policy the more careful."""
    # A policy that was never heard may forbid it.
    if (
        not caching.heard((call.scope.tenant, call.scope.workload))
        and guard.settings.before_first == "closed"
    ):
        return Terms()
    if isinstance(wants, Terms):
        return together(wants, policy)
    return Terms(wants) if policy is None else together(_only(wants), policy)


def _only(mode: Mode) -> Terms:
    """The terms of code that says the mode alone: all else is the policy's to say."""
    return Terms(
        mode,
        bound=Decimal(1),
        confidence=Decimal(0),
        keep=timedelta.max,
        audits=Decimal(0),
        allow=frozenset({"tools", "temperature", "volatile"}),
    )
