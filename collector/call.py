"""Call: one billable request to a model, as it is booked; and the reason where a span is none.

What tells how a task ended, or of an answer that a cache served, comes the same way, as a call of kind `task` or
`served`, which is never billed as one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntFlag, StrEnum
from operator import attrgetter

from msgspec import Struct

from switchgear.usage import Usage

__all__ = [
    "SETTLEMENT",
    "UNATTRIBUTED",
    "Call",
    "Flag",
    "Kind",
    "Marks",
    "NotBilled",
    "Reported",
    "State",
    "Stated",
]

# Of the names that users choose: tenants, workloads, tasks.
MAX_NAME_CHARS = 128
# The tenant of a call whose span names none: its money is counted, and shown as nobody's.
UNATTRIBUTED = "unattributed"

# The dialect of a call that the policy engine tells of: a hold that was settled and whose span has not come.
SETTLEMENT = "settlement"


class State(StrEnum):
    """How much is known about what a call cost."""

    COMPLETE = "complete"
    """Usage and price are known; `cost` is the cost."""
    INCOMPLETE = "incomplete"
    """Some or all of the usage is missing; `cost` is None or what the known part costs."""
    UNPRICED = "unpriced"
    """The usage is known and no price is; `cost` is None."""
    SETTLED_ONLY = "settled_only"
    """Only the settlement of its hold told of it so far; usage and price are known, `cost` is the cost."""


class Marks(IntFlag):
    """What other spans have shown about a span. A mark is never taken back."""

    NOTHING = 0
    WRAPS_SEVERAL = 1
    """It lies round several calls: the span of something larger, and no call."""
    SHARED_ID = 2
    """Its instrumentation gave its response id to another call at the same time: the id says nothing."""


class Reported(IntFlag):
    """Which counts a span really named; the others stand as 0 in its `Usage` and are not known."""

    NOTHING = 0
    INPUT = 1
    OUTPUT = 2
    CACHE_READ = 4
    CACHE_WRITE = 8
    LIFETIMES = 16
    """How much of the cache write lives 5 minutes and how much an hour; else all of it counts as 5 minutes."""
    REASONING = 32

    @property
    def complete(self) -> bool:
        """Whether the two counts that every bill has are there."""
        return self._value_ & 3 == 3  # as plain numbers: two `in` of flags take 0.4 µs, ten times as much


class Kind(StrEnum):
    """What was bought."""

    LLM = "llm"
    """A request to a model, priced by the price book."""
    COST = "cost"
    """Anything else, such as a search: it costs what its span states."""
    SERVED = "served"
    """Nothing: the answer was kept from an earlier call, and no model was asked. It stands in no count of calls."""
    TASK = "task"
    """Nothing: it tells how a task ended, and stands in no count of calls."""


class Flag(StrEnum):
    """What is odd about a call that is booked all the same."""

    CLOCK = "clock"
    """It ended before it began: its duration is not known."""
    DUPLICATE_KEYS = "duplicate_keys"
    """Its span names an attribute twice: the last one counts."""
    INCONSISTENT = "inconsistent"
    """What it says contradicts itself: its counts (`reading.counts` says which are believed), or that it is an answer
    out of a cache and was paid for: then it was paid for."""
    TRUNCATED = "truncated"
    """An attribute that is read was longer than what is kept of it."""


@dataclass(frozen=True, slots=True)
class Stated:
    """What a call that is no request to a model cost, as its span states it."""

    amount: Decimal
    """0 or more, less than a million, 12 decimals at most."""
    currency: str
    """ISO 4217, in capitals."""
    sku: str | None
    """What was bought, in the words of who sells it."""


class Call(Struct, frozen=True, eq=False, gc=False, array_like=True, tag=True):
    """One billable request, from the one span (or the merged twins) that told of it.

    Identity is (tenant, trace_id, span_id), and (tenant, response_id) where there is a response id.
    None means unknown everywhere; an unknown cost is never zero. What a price book or the journal says of it is no
    part of what its span says: two calls are equal without it.
    """

    tenant: str
    trace_id: str
    """32 lower-case hex digits."""
    span_id: str
    """16 lower-case hex digits."""
    parent_span_id: str | None
    started_at: datetime
    ended_at: datetime | None
    """None where the clock went backwards (end before start)."""
    workload: str | None = None
    task_id: str | None = None
    parent_task_id: str | None = None
    root_task_id: str | None = None
    tier: str | None = None
    end_user: str | None = None
    """For whom of the tenant's users it ran, by whatever name the agent gives them."""
    provider: str | None = None
    model: str | None = None
    """The model that answered, else the one that was asked."""
    request_model: str | None = None
    response_id: str | None = None
    usage: Usage | None = None
    reported: Reported = Reported.NOTHING
    """Which counts of `usage` come from a span."""
    attempts: int = 1
    """HTTP requests made for this call, >= 1."""
    state: State = State.INCOMPLETE
    cost: Decimal | None = None
    currency: str | None = None
    price_version: str | None = None
    list_cost: Decimal | None = None
    """Where a contract priced it: what it costs by list price."""
    contract: str | None = None
    """The version of that contract."""
    dialect: str = ""
    scope: str = ""
    """The instrumentation scope as "name@version"."""
    lease_id: str | None = None
    """The hold that the guard drew for this call ("grant:n"); booking the call replaces it."""
    service_tier: str | None = None
    """"batch", "flex" or "priority", where the provider served and priced it so."""
    flags: tuple[Flag, ...] = ()
    """What is odd about it, in the order of the alphabet."""
    kind: Kind = Kind.LLM
    stated: Stated | None = None
    """Of a call of kind `cost`, and of no other."""
    outcome: str | None = None
    """Of kind `task`, and of no other: how the task ended, a value of `switchgear.outcome.Outcome`."""
    fact: int | None = None
    """The number in the journal of the fact that told of it; None for what is not on disk."""
    marks: Marks = Marks.NOTHING
    cache: str | None = None
    """What a cache of answers made of it, where one was asked: a value of `switchgear.cache.model.Outcome`."""
    saved: Decimal | None = None
    """Of kind `served`, and of no other: what it would have cost. None: not known."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Call) and _said(self) == _said(other)

    def __hash__(self) -> int:
        return hash(_said(self))

    @property
    def identity(self) -> tuple[str, str, str]:
        """What makes it this call: (tenant, trace_id, span_id)."""
        return (self.tenant, self.trace_id, self.span_id)

    @property
    def key(self) -> str:
        """The identity as text, "tenant/trace:span"."""
        return f"{self.tenant}/{self.span}"

    @property
    def span(self) -> str:
        """The span as text, "trace:span"."""
        return f"{self.trace_id}:{self.span_id}"


_NOT_SAID = frozenset(
    {"state", "cost", "currency", "price_version", "list_cost", "contract", "fact", "marks", "saved"}
)
_said = attrgetter(*(name for name in Call.__struct_fields__ if name not in _NOT_SAID))


class NotBilled(Struct, frozen=True, gc=False, array_like=True, tag=True):
    """A span that is no call, with the reason in a sentence and as a short code for counters."""

    trace_id: str
    span_id: str
    code: str
    """One of few, for counters: no_dialect, wrong_kind, no_model, failed, bad_id, bad_value, internal, twin,
    wrong_tenant, no_history, quarantined."""
    reason: str
    dialect: str | None = None
    tenant: str | None = None
    rejected: bool = False
    """True where the span may not be booked (an impossible count, a wrong tenant): its sender is told by partial
    success."""
    held: Call | None = None
    """The call that a quarantined span told of: kept aside, not billed."""

    @classmethod
    def unknown(cls, trace_id: str, span_id: str, tenant: object) -> NotBilled:
        """A span that tells of no call in any dialect; `tenant` is what stands where its name belongs."""
        named = tenant[:MAX_NAME_CHARS] if isinstance(tenant, str) else None
        return cls(
            trace_id, span_id, "no_dialect", "says nothing of a model: no dialect knows it", None, named
        )

    @property
    def span(self) -> str:
        """The span as text, "trace:span"."""
        return f"{self.trace_id}:{self.span_id}"
