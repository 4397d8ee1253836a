"""Scripts: what a stand-in for the policy engine says to each call, as plain functions.

A script takes what is asked and returns a decision, or None where it has nothing to say. Of several the most
restrictive applies, and a call to which none says anything is allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeAlias

from ..decision import Action, Caps, Decision

__all__ = [
    "AwayError",
    "Question",
    "Script",
    "allow",
    "away",
    "decide",
    "degrade",
    "deny",
    "throttle",
    "wrap_up",
]

_POLICY = "scripted"
_ANY_TIME = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Question:
    """A call that wants to be made. `number` is 1 for the first one that was asked about, over all tasks.

    Between calls, when an agent only follows what holds for its task, it is the number of the last call: 0 before
    the first, and what is of one call alone (`provider` to `attempt`) is empty.
    """

    number: int
    tenant: str
    workload: str
    tier: str
    task: str | None
    """The root task's id."""
    task_id: str | None = None
    provider: str = ""
    model: str = ""
    max_output_tokens: int | None = None
    needs: Sequence[str] = ()
    attempt: int = 1


Script: TypeAlias = Callable[[Question], Decision | None]


class AwayError(Exception):
    """Raised by a script: the engine is away, and its connections break."""


def allow() -> Script:
    """Every call may be made."""
    return lambda _: _decision(Action.ALLOW, "as scripted")


def deny(reason: str = "as scripted", *, after: int = 0, remaining: Decimal | None = None) -> Script:
    """No call may be made after the first `after` of them: `BudgetExceeded`, with this reason."""
    return _after(after, replace(_decision(Action.DENY, reason), remaining=remaining))


def degrade(to: str | None = None, *, max_output_tokens: int | None = None, after: int = 0) -> Script:
    """Calls after the first `after` are made to another model, or with fewer tokens to answer."""
    caps = Caps(to, max_output_tokens)
    return _after(after, replace(_decision(Action.DEGRADE, "as scripted"), caps=caps))


def throttle(seconds: float, *, after: int = 0) -> Script:
    """Calls after the first `after` wait so many seconds for their turn."""
    return _after(after, replace(_decision(Action.THROTTLE, "as scripted"), retry_after_s=seconds))


def wrap_up(*, after: int = 0) -> Script:
    """Once `after` calls have been let go, `task.wrap_up` is true: calls are allowed, but it is time to answer."""
    said = replace(_decision(Action.ALLOW, "as scripted"), wrap_up=True)
    return lambda asked: said if asked.number >= after else None


def away(*, after: int = 0) -> Script:
    """The engine is out of reach for all calls after the first `after`."""

    def script(asked: Question) -> Decision | None:
        if asked.number > after:
            raise AwayError
        return None

    return script


def decide(scripts: Sequence[Script], asked: Question) -> Decision:
    """What all the scripts together say. Raises AwayError."""
    said = [decision for script in scripts if (decision := script(asked)) is not None]
    strictest = max(said, key=lambda one: one.action.severity, default=_decision(Action.ALLOW, "as scripted"))
    return replace(strictest, wrap_up=any(one.wrap_up for one in said))


def _after(after: int, said: Decision) -> Script:
    return lambda asked: said if asked.number > after else None


def _decision(action: Action, reason: str) -> Decision:
    # Who says it puts in the id, the version and how long it holds.
    return Decision("", action, reason, version=0, valid_until=_ANY_TIME, policy=_POLICY)
