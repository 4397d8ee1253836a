"""Document: everything that one week's review says, as values. Its files are made of it, and of nothing else.

`encoded` is canonical: one document has one text, whatever made it, and `hash_of` that text is what is signed.
Amounts are exact, in the review's one currency, and None where they are not known. Growth of cost is positive.
"""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from decimal import Decimal

import msgspec
from msgspec import Struct

__all__ = [
    "Action",
    "Anomaly",
    "Bridge",
    "Cause",
    "Cover",
    "Day",
    "Forecast",
    "Gap",
    "Headline",
    "Herd",
    "Late",
    "Loop",
    "Moved",
    "Mover",
    "OwnerLine",
    "Review",
    "Saving",
    "Share",
    "Signature",
    "Step",
    "Trip",
    "Unit",
    "Workload",
    "decoded",
    "encoded",
    "hash_of",
]


class Cover(Struct, frozen=True):
    """What the figures were made of, and how far they can be trusted."""

    generated_at: datetime
    watermark: datetime | None
    """All that was acknowledged before it is counted."""
    price_versions: tuple[str, ...]
    coverage: Decimal | None
    """The part of the known cost that has a tenant and an owner, 0 to 1; None where nothing was spent."""
    ledger_seq: int
    ledger_hash: str
    """The head of the ledger's chain: an anchor outside the database once this is signed."""
    ledger_state: str
    """In words: "2026-10 is closed, 2026-11 is open"."""
    unowned: Decimal | None
    unowned_calls: int
    unpriced_calls: int
    incomplete_calls: int
    overflow_calls: int


class Unit(Struct, frozen=True):
    """What one of something cost this week and the week before."""

    name: str
    """Such as "a task", "a successful task", "1,000 calls"."""
    now: Decimal | None
    before: Decimal | None


class Forecast(Struct, frozen=True):
    """What a month will have cost at its end."""

    month: str
    spent: Decimal
    low: Decimal
    expected: Decimal
    high: Decimal
    """`low` to `high` holds it in 80 of 100 months."""
    method: str
    """In words, with whether there was history enough."""
    plan: Decimal | None
    pacing: str
    """In words: "12.4 % ahead of plan; the plan is used up on 27 November"."""
    status: str
    """ok, watch, over, or unplanned; of an owner also early: planned, with too little for a forecast."""


class Headline(Struct, frozen=True):
    """The week in figures and in a few sentences that a finance person understands at once."""

    sentences: tuple[str, ...]
    actual: Decimal | None
    plan: Decimal | None
    variance: Decimal | None
    previous: Decimal | None
    change: Decimal | None
    calls: int
    tasks: int | None
    forecast: Forecast | None
    units: tuple[Unit, ...]


class Day(Struct, frozen=True):
    """One day's cost by tenant, the largest by name and all others as None; for the chart."""

    day: date
    before: Decimal | None
    """The same day of the week before."""
    by_tenant: tuple[tuple[str | None, Decimal], ...]


class OwnerLine(Struct, frozen=True):
    """One owner's week. `owner` None is everything without an owner: always there, always last."""

    owner: str | None
    cost_centres: tuple[str, ...]
    workloads: int
    actual: Decimal | None
    plan: Decimal | None
    variance: Decimal | None
    previous: Decimal | None
    change: Decimal | None
    charged: Decimal | None
    """`actual` with what shared costs were moved to it or away."""
    forecast: Decimal | None
    month_plan: Decimal | None
    status: str
    calls: int
    unpriced_calls: int
    incomplete_calls: int
    trips: int
    next_action: str
    """The one thing to do next, in words, with why."""


class Step(Struct, frozen=True):
    """One part of the change: price, volume, mix, retries, cache, new, retired, corrections."""

    name: str
    amount: Decimal
    words: str


class Bridge(Struct, frozen=True):
    """Week on week: `start` and the steps add up to `end` exactly."""

    start: Decimal
    end: Decimal
    steps: tuple[Step, ...]


class Workload(Struct, frozen=True):
    """One of the dearest workloads."""

    tenant: str
    workload: str | None
    owner: str | None
    cost: Decimal | None
    calls: int
    share: Decimal | None
    per_task: Decimal | None
    cap: Decimal | None
    """What its history suggests as a cap for a task; None where there is too little."""
    cap_effect: str
    """What the cap would have refused, in words."""


class Mover(Struct, frozen=True):
    """One of the workloads that changed most, and mostly why."""

    tenant: str
    workload: str | None
    owner: str | None
    now: Decimal | None
    before: Decimal | None
    change: Decimal | None
    driver: str


class Anomaly(Struct, frozen=True):
    """A time in which a workload cost far more, or less, than its own history."""

    began: datetime
    ended: datetime | None
    detected_at: datetime | None
    tenant: str
    workload: str | None
    owner: str | None
    impact: Decimal | None
    cause: str
    state: str


class Trip(Struct, frozen=True):
    """One opening of a breaker."""

    at: datetime
    policy: str
    scope: str
    by: str
    reason: str
    spent: Decimal | None
    projected: Decimal | None
    ceiling: Decimal | None
    avoided: Decimal | None
    """`projected` less `spent` where both are known: an estimate of what was not spent."""
    false_trip: bool
    """Somebody closed it by hand within the hour."""


class Share(Struct, frozen=True):
    """A shared cost, what rule divides it, and to how many."""

    rule: str
    method: str
    amount: Decimal
    targets: int
    unallocated: Decimal


class Cause(Struct, frozen=True):
    """A named part of the difference to an invoice."""

    name: str
    amount: Decimal


class Gap(Struct, frozen=True):
    """What a provider billed for a month beside what the ledger has."""

    provider: str
    month: str
    theirs: Decimal | None
    """None: no invoice was imported."""
    ours: Decimal
    gap: Decimal | None
    share: Decimal | None
    within: bool | None
    causes: tuple[Cause, ...]


class Late(Struct, frozen=True):
    """Cost that came, or was changed, after its period or the last review was closed."""

    day: date
    kind: str
    tenant: str | None
    workload: str | None
    amount: Decimal
    why: str


class Herd(Struct, frozen=True):
    """Many tasks that retried together."""

    at: datetime
    provider: str
    model: str
    tasks: int
    workloads: tuple[str, ...]
    tenants: tuple[str, ...]
    attempts: int
    cost: Decimal | None
    advice: str


class Loop(Struct, frozen=True):
    """A task that repeated one call."""

    task: str
    tenant: str
    workload: str | None
    owner: str | None
    calls: int
    cost: Decimal | None
    typical: Decimal | None
    first_at: datetime
    last_at: datetime


class Moved(Struct, frozen=True):
    """A workload that changed hands: whose it was, and whose it is since a day of the week."""

    since: date
    tenant: str
    workload: str | None
    before: str | None
    owner: str | None
    cost_before: Decimal | None
    """What it cost in this week while it was the former owner's, and since."""
    cost: Decimal | None


class Saving(Struct, frozen=True):
    """Something that would cost less in another way, with what is assumed."""

    tenant: str
    workload: str | None
    owner: str | None
    kind: str
    amount: Decimal
    words: str


class Served(Struct, frozen=True):
    """What a cache answered for a workload in place of calls. Nothing of it is cost, revenue or credit."""

    tenant: str
    workload: str | None
    owner: str | None
    exact: int
    semantic: int
    gross: Decimal | None
    """What the calls would have cost; None: not known."""
    wrong: Decimal | None
    """The part of it that falls to wrong answers, by the audits; None: none was judged."""
    wrong_at_most: Decimal | None
    unjudged: Decimal | None
    """What semantic answers saved of which no audit was judged."""
    net: Decimal | None


class Action(Struct, frozen=True):
    """What an owner said would be done, or is asked to do."""

    id: str
    week: str
    owner: str
    text: str
    due: date
    saving: Decimal | None
    state: str
    """open, done, dropped, or overdue: still open after `due`."""
    note: str | None = None


class Signature(Struct, frozen=True):
    """Who has signed which document, for whose cost: "" is all of it."""

    owner: str
    name: str
    signed_at: datetime
    hash: str
    note: str | None = None


class Review(Struct, frozen=True, omit_defaults=True):
    """One week's review, as it is signed. Owners, workloads and anomalies are by cost, the largest first."""

    version: int
    week: str
    first_day: date
    last_day: date
    zone: str
    currency: str
    cover: Cover
    headline: Headline
    days: tuple[Day, ...]
    owners: tuple[OwnerLine, ...]
    total: OwnerLine
    bridge: Bridge
    workloads: tuple[Workload, ...]
    movers: tuple[Mover, ...]
    moved: tuple[Moved, ...]
    anomalies: tuple[Anomaly, ...]
    trips: tuple[Trip, ...]
    shares: tuple[Share, ...]
    gaps: tuple[Gap, ...]
    late: tuple[Late, ...]
    herds: tuple[Herd, ...]
    loops: tuple[Loop, ...]
    savings: tuple[Saving, ...]
    last_actions: tuple[Action, ...]
    actions: tuple[Action, ...]
    notes: tuple[str, ...]
    """The rules that a reader must know, in words."""
    served: tuple[Served, ...] = ()
    """By workload, the most first; a document without any is as it was before there were caches."""


def encoded(review: Review) -> bytes:
    """The document as JSON: decimals in text, instants in UTC."""
    return msgspec.json.encode(review, order="deterministic")


def decoded(text: bytes | str) -> Review:
    """The review that `encoded` wrote. Raises msgspec.ValidationError for what is none."""
    return msgspec.json.decode(text, type=Review)


def hash_of(text: bytes) -> str:
    """What is signed: SHA-256 of an encoded document, in hex."""
    return hashlib.sha256(text).hexdigest()
