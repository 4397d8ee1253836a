"""What is said on the line to the policy engine, and read from its answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from ..context import UNTAGGED, Task
from ..decision import Decision
from ..tier import Tier

__all__ = [
    "Finished",
    "Grant",
    "Granted",
    "Retry",
    "Scope",
    "ahead",
    "read_decision",
    "read_granted",
    "read_retry",
]

# More than any engine grants at once: each of them may have to be given back by its name.
_MOST_CALLS = 1000
_AS_GOOD_AS_EQUAL = timedelta(seconds=5)
_NOTHING = timedelta()


class Scope(NamedTuple):
    """Whose decision is followed; `task` is a root task's id."""

    tenant: str
    workload: str
    tier: str
    task: str | None

    @classmethod
    def of(cls, task: Task) -> Scope:
        return cls(task.tenant, task.workload, task.tier.value, task.root_id)

    @classmethod
    def outside(cls, tenant: str, tier: Tier) -> Scope:
        """That of the calls outside any task, in a process with a tenant of its own."""
        return cls(tenant, UNTAGGED, tier.value, None)

    def to_wire(self) -> dict[str, str]:
        parts = {"tenant": self.tenant, "workload": self.workload, "tier": self.tier, "task": self.task}
        return {name: value for name, value in parts.items() if value is not None}


class Grant(NamedTuple):
    """Money held for `calls` calls; `each` is what such a call is expected to cost, in the policies' currency."""

    id: str
    calls: int
    each: Decimal
    expires_at: datetime
    output_tokens: int | None
    """How long an answer may get on what is held for it; None where the engine does not say."""


class Granted(NamedTuple):
    """The engine's answer to a request for a grant; no grant where the call may not be made (yet)."""

    decision: Decision
    grant: Grant | None


class Retry(NamedTuple):
    """Whether a throttled call may be tried again, when (seconds from now), and why (not)."""

    allowed: bool
    after_s: float
    reason: str


class Finished(NamedTuple):
    """What became of a hold: the verb (settle, release) and what is told with it."""

    lease: str
    do: str
    said: Mapping[str, Any]

    def to_wire(self) -> dict[str, Any]:
        return {"lease": self.lease, "do": self.do, **self.said}


def ahead(answered_at: str | None, now: datetime) -> timedelta:
    """How far this machine's clock is ahead of the engine's (negative: behind), by the date of an answer of its.

    What that is off by on its way, or by being in whole seconds, counts as nothing.
    """
    try:
        off = now - parsedate_to_datetime(answered_at or "")
    except (ValueError, TypeError):  # none, in no form of HTTP's, or without a time zone
        return _NOTHING
    return off if abs(off) > _AS_GOOD_AS_EQUAL else _NOTHING


def read_decision(body: Mapping[str, Any], off: timedelta = _NOTHING) -> Decision:
    """A decision of the engine's, by this machine's clock, which is `off` from its.

    Raises KeyError, TypeError or ValueError, or ArithmeticError, where it is none.
    """
    decision = Decision.from_wire(body)
    return replace(decision, valid_until=decision.valid_until + off) if off else decision


def read_granted(body: Mapping[str, Any], off: timedelta = _NOTHING) -> Granted:
    """The answer to a request for a grant; otherwise as `read_decision`."""
    decision, grant = read_decision(body["decision"], off), body["grant"]
    if grant is None:
        return Granted(decision, None)
    calls, covers = int(grant["calls"]), grant.get("output_tokens")
    expires_at = datetime.fromisoformat(grant["expires_at"])
    if not 1 <= calls <= _MOST_CALLS or expires_at.tzinfo is None:
        raise ValueError(f"{calls} calls until {expires_at} are no grant")
    return Granted(
        decision,
        Grant(
            str(grant["id"]),
            calls,
            Decimal(grant["each"]),
            expires_at + off,
            None if covers is None else int(covers),
        ),
    )


def read_retry(body: Mapping[str, Any]) -> Retry | None:
    """The answer to a call that was throttled; None where the engine does not know it."""
    said = body.get("retry")
    if said is None:
        return None
    # In this order NaN becomes 0.
    return Retry(bool(said["allowed"]), max(0.0, float(said["after_s"])), str(said["reason"]))
