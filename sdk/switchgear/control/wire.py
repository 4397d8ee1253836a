"""What is said on the line to the policy engine, and read from its answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from ..context import Task
from ..decision import Decision

__all__ = ["Finished", "Grant", "Granted", "Retry", "Scope", "read_granted", "read_retry"]


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose decision is followed; `task` is a root task's id."""

    tenant: str
    workload: str
    tier: str
    task: str | None

    @classmethod
    def of(cls, task: Task) -> Scope:
        return cls(task.tenant, task.workload, task.tier.value, task.root_id)

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


def read_granted(body: Mapping[str, Any]) -> Granted:
    """The answer to a request for a grant. Raises KeyError, TypeError or ValueError where it is none."""
    grant = body["grant"]
    if grant is None:
        return Granted(Decision.from_wire(body["decision"]), None)
    return Granted(
        Decision.from_wire(body["decision"]),
        Grant(
            str(grant["id"]),
            int(grant["calls"]),
            Decimal(grant["each"]),
            datetime.fromisoformat(grant["expires_at"]),
            grant.get("output_tokens"),
        ),
    )


def read_retry(body: Mapping[str, Any]) -> Retry | None:
    """The answer to a call that was throttled; None where the engine does not know it."""
    said = body.get("retry")
    return None if said is None else Retry(bool(said["allowed"]), float(said["after_s"]), str(said["reason"]))
