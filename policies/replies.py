"""What the engine answers, as types by which it is described: the shapes that programs outside rely on.

Amounts are decimals in text, moments RFC 3339; what is null is not known, or does not apply.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from switchgear.cache.model import Mode
from switchgear.decision import Action
from switchgear.tier import Tier

from .breaker import State

__all__ = [
    "Breakers",
    "Budgets",
    "Decision",
    "Decisions",
    "Explanation",
    "Finished",
    "FinishedAll",
    "FinishedOne",
    "Forced",
    "Granting",
    "Grants",
    "Health",
    "Override",
    "Overrides",
    "Policies",
    "Released",
    "Shares",
    "Stopped",
]

Amount = Annotated[str, Meta(pattern=r"^-?\d+(\.\d+)?$")]
Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class _Reply(Struct, forbid_unknown_fields=True):
    pass


class Caps(_Reply):
    """Limits under which a call may still be made."""

    model: str | None
    max_output_tokens: int | None


class CacheTerms(_Reply):
    """On which terms answers that were given before may be served again; shares are decimals from 0 to 1."""

    mode: Mode
    bound: Annotated[Amount, Meta(description="Of what is served for its meaning, how much may be wrong.")]
    confidence: Annotated[Amount, Meta(description="How sure that has to be before any is served.")]
    keep_s: Annotated[float, Meta(description="How long an answer is served, in seconds.")]
    audits: Annotated[Amount, Meta(description="Which part of it is asked all the same.")]
    allow: Annotated[list[str], Meta(description="Requests that are left alone unless named here.")]
    group: Annotated[str, Meta(description="The tenants who share their answers.")] | None
    tags: list[str]


class Decision(_Reply):
    """What a scope may do now, by which ceiling and why.

    `remaining` of the ceiling is free; `projected` is what the scope will have spent at the end of window or task.
    """

    id: str
    action: Action
    policy: str | None
    reason: str
    remaining: Amount | None
    projected: Amount | None
    ceiling: Amount | None
    currency: str | None
    caps: Caps
    retry_after_s: float | None
    share: Annotated[float, Meta(description="Tokens a minute of the provider's capacity.")] | None
    valid_until: Moment
    version: Annotated[int, Meta(description="Of two decisions the higher is the later, over restarts too.")]
    fail: Literal["open", "closed"]
    wrap_up: Annotated[bool, Meta(description="The task should answer with what it has.")]
    overrun: Annotated[
        Literal["extend", "cut"],
        Meta(description="How a streamed answer ends that outgrows its hold where no room is left."),
    ]
    cache: Annotated[CacheTerms | None, Meta(description="Null where the policies do not say.")]


class Decisions(_Reply):
    """A decision for each scope, in the order of the request; `etag` waits for the next change."""

    etag: str
    decisions: list[Decision]


class Grant(_Reply):
    """What is held for `calls` calls: `each` for one, `amount` in all. One may come to `most` at the most.

    The first call's hold is `lease`, which is `id:1`; the second's `id:2`. An answer of more than `output_tokens` is
    longer than such calls have had lately: its hold should be extended.
    """

    id: str
    lease: str
    amount: Amount
    currency: str
    calls: int
    each: Amount
    most: Amount
    expires_at: Moment
    output_tokens: int | None


class Granting(_Reply):
    """`grant` is null where the decision does not allow the call (yet)."""

    decision: Decision
    grant: Grant | None


class Finished(_Reply):
    """`held` is false where nothing is held (any more): the hold was ended before, or never was."""

    lease: str
    held: bool


class Retry(_Reply):
    """Whether a throttled call may be made again, in how many seconds, and why (not)."""

    allowed: bool
    after_s: float
    reason: str


class Released(Finished):
    """`retry` is there where a call was throttled, and null where it held nothing."""

    retry: Retry | UnsetType | None = UNSET


class FinishedOne(_Reply):
    """As where one call is settled or released; `error` says what is wrong with it where it cannot be read."""

    lease: str | None
    held: bool
    retry: Retry | UnsetType | None = UNSET
    error: Annotated[str, Meta(description='"field: why"')] | UnsetType = UNSET


class FinishedAll(_Reply):
    """What became of each, in the order of the request."""

    finished: list[FinishedOne]


class Band(_Reply):
    """Quantiles of what window or task will have spent."""

    q05: Amount
    q20: Amount
    q80: Amount
    q95: Amount


class Budget(_Reply):
    """How a ceiling stands for a scope. `projected` is kept + in flight + expected + scheduled + arriving."""

    ceiling: str
    scope: dict[str, str]
    window_s: float | None
    limit: Amount
    currency: Annotated[str, Meta(description='ISO 4217, or "tokens".')]
    spent: Amount
    held: Amount
    projected: Amount
    band: Band
    horizon_s: float
    kept: Amount
    arriving: Amount
    rate_per_s: Amount
    expected: Amount
    scheduled: Amount
    in_flight: Amount
    method: str
    situation: str
    cold: bool
    calls_in_flight: int
    state: State
    shadow: bool
    action: Literal["allow", "warn", "throttle", "queue", "degrade", "deny"]
    reason: str
    since: Moment
    until: Moment | None
    retry_after_s: float | None


class Budgets(_Reply):
    """Every window, and the 200 tasks that have spent and hold most."""

    at: Moment
    budgets: list[Budget]


class Transition(_Reply, rename={"before": "from", "after": "to"}):
    """A line of the engine's log: a breaker's states, or what was done by hand; its hash covers the line before."""

    id: int
    at: Moment
    policy: str
    scope: dict[str, str]
    before: str
    after: str
    by: str
    reason: str
    spent: Amount
    held: Amount
    projected: Amount
    ceiling: Amount
    currency: str
    shadow: bool
    prev_hash: str
    hash: str


class Breakers(_Reply):
    breakers: list[Budget]
    transitions: list[Transition]


class Forced(_Reply):
    """How many ceilings' breakers were moved."""

    ceilings: int


class Share(_Reply):
    """What a tenant and tier wants and gets, in tokens a minute; null where nothing limits."""

    tenant: str
    tier: Tier
    weight: float
    demand: float
    entitlement: float | None
    allotted: float | None
    borrowed: float
    queue: int


class Lane(_Reply):
    """One capacity: its limits as declared and as far as is known, the last minute's use and 429s, and what waits."""

    provider: str
    model: str | None
    account: str | None
    requests_per_minute: float | None
    tokens_per_minute: float | None
    learned_requests_per_minute: float | None
    learned_tokens_per_minute: float | None
    used_requests: float | None
    used_tokens: float | None
    queued: dict[str, int]
    queued_by_tenant: dict[str, int]
    shares: list[Share]
    throttled: int | None
    throttled_until: Moment | None


class Shares(_Reply):
    providers: list[Lane]


class Holds(_Reply):
    """What is held for the calls of one workload and tier that were granted and have not ended.

    `calls` of so many `grants`; what nothing is heard of is given back from `expires_at` on.
    """

    tenant: str
    workload: str
    owner: str | None
    tier: Tier
    grants: int
    calls: int
    held: Amount
    held_tokens: int
    expires_at: Moment


class Grants(_Reply):
    at: Moment
    currency: str
    grants: list[Holds]


class Policies(_Reply):
    """`error` is why the last change of the file was refused; what was in force before still is.

    `document` is what of the file concerns the key's tenants, as the file would have it. `text` is the file itself, for
    keys for every tenant, while it is the one in force.
    """

    file: str
    version: str
    loaded_at: Moment
    error: str | None
    refused_at: Moment | None
    ceilings: list[str]
    document: dict[str, Any]
    text: str | None


class Override(_Reply):
    """A limit in place of a ceiling's own; `id` is null for one that stands in the policy file."""

    id: str | None
    ceiling: str
    scope: dict[str, str]
    limit: str
    until: Moment
    by: str
    reason: str


class Overrides(_Reply):
    overrides: list[Override]


class Stopped(_Reply):
    tenant: str
    task: str
    was_stopped_before: bool


class Said(Struct):
    """What one ceiling says; beside this all that `Budget` has, for keys that see what it has counted."""

    ceiling: str
    scope: dict[str, str]
    window_s: float | None
    limit: Amount
    currency: str
    state: State
    shadow: bool
    since: Moment
    until: Moment | None
    action: Action
    reason: str
    restricts: Annotated[bool, Meta(description="Whether the decision is this ceiling's.")]


class Explanation(_Reply):
    """What every ceiling says of a scope, and the decision that comes of it."""

    at: Moment
    who: dict[str, str]
    decision: Decision
    ceilings: list[Said]
    cache: Annotated[str, Meta(description="What of the file holds for its answers, in words.")] | None


class Health(_Reply):
    """`policies` is the version of the policy file in force."""

    status: Literal["ok"]
    policies: str
