"""Settlement: a hold that the policy engine saw settled and whose call's span has not come, as a call.

The engine forwards it when the span is overdue; the span may still come, before or after: both are one call then, by
the tenant and the hold's id, with what the span says and the counts that it lacks from here.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from switchgear.usage import MAX_TOKENS_PER_CALL, Usage

from ..call import MAX_NAME_CHARS, SETTLEMENT, Call, Reported

__all__ = ["Settlement", "Settlements", "settled_call"]

SCOPE = "switchgear"

Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS, pattern="^[^\\x00]+$")]
Id = Annotated[str, Field(min_length=1, max_length=256, pattern="^[^\\x00]+$")]
Count = Annotated[int, Field(ge=0, le=MAX_TOKENS_PER_CALL)]
# All the counts that a provider's answer has; how it splits what it wrote to its cache is not always among them.
_ANSWERED = Reported.INPUT | Reported.OUTPUT | Reported.CACHE_READ | Reported.CACHE_WRITE | Reported.REASONING


class Counts(BaseModel):
    """The six counts of `Usage`, as the provider answered them."""

    model_config = ConfigDict(extra="forbid")

    input_uncached: Count = 0
    cache_read: Count = 0
    cache_write_5m: Count = 0
    cache_write_1h: Count = 0
    output: Count = 0
    reasoning: Count = 0

    @model_validator(mode="after")
    def _possible(self) -> Counts:
        self.usage()
        return self

    def usage(self) -> Usage:
        return Usage(**self.model_dump())


class Settlement(BaseModel):
    """One settled hold. `usage` is null where the provider's counts did not come."""

    model_config = ConfigDict(extra="ignore")

    lease_id: Name
    tenant: Name
    workload: Name | None = None
    task_id: Name | None = None
    parent_task_id: Name | None = None
    root_task_id: Name | None = None
    tier: Name | None = None
    provider: Name | None = None
    model: Id | None = None
    response_id: Id | None = None
    usage: Counts | None = None
    attempts: Annotated[int, Field(ge=1, le=10_000)] = 1
    started_at: AwareDatetime
    ended_at: AwareDatetime

    @model_validator(mode="after")
    def _forwards(self) -> Settlement:
        if self.ended_at < self.started_at:
            raise ValueError(f"ended_at {self.ended_at} is before started_at {self.started_at}")
        return self


class Settlements(BaseModel):
    """A batch of them."""

    model_config = ConfigDict(extra="forbid")

    settlements: Annotated[list[Settlement], Field(max_length=10_000)]


def settled_call(settled: Settlement) -> Call:
    """The call that was settled, unpriced. Its ids are made of the tenant and the hold: it is the same each time."""
    digest = blake2b(f"{settled.tenant}\0{settled.lease_id}".encode(), digest_size=24).hexdigest()
    return Call(
        tenant=settled.tenant,
        trace_id=digest[:32],
        span_id=digest[32:],
        parent_span_id=None,
        started_at=settled.started_at,
        ended_at=settled.ended_at,
        workload=settled.workload,
        task_id=settled.task_id,
        parent_task_id=settled.parent_task_id,
        root_task_id=settled.root_task_id,
        tier=settled.tier,
        provider=settled.provider,
        model=settled.model,
        request_model=None,
        response_id=settled.response_id,
        usage=settled.usage.usage() if settled.usage is not None else None,
        reported=_ANSWERED if settled.usage is not None else Reported.NOTHING,
        attempts=settled.attempts,
        dialect=SETTLEMENT,
        scope=SCOPE,
        lease_id=settled.lease_id,
    )
