"""From a line of the log of transitions to news, or to nothing that anybody must be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from ..transitions import RUNAWAY, STOPPED, WARNED

__all__ = ["Event", "Kind", "Place", "event"]


class Kind(StrEnum):
    """What sort of news; in the order in which a reader wants them."""

    TRIP = "trip"
    WARN = "warn"
    RECOVERY = "recovery"
    REVIEW = "review"
    """What is still to do for a weekly review: no event of the log, but told over the same channels."""


# Half-open is on the way: whether it recovers is told when it does. Disabled stops nothing any more, which whoever is
# called at night must know as much as that something is stopped.
_KINDS = {
    "throttled": Kind.TRIP,
    "open": Kind.TRIP,
    "forced_open": Kind.TRIP,
    "disabled": Kind.TRIP,
    WARNED: Kind.WARN,
    RUNAWAY: Kind.WARN,
    STOPPED: Kind.TRIP,
    "closed": Kind.RECOVERY,
}


@dataclass(frozen=True, slots=True)
class Place:
    """A line of the log: its number from 1 on (0: before the first), and its hash."""

    line: int
    hash: str


@dataclass(frozen=True, slots=True)
class Event:
    """A breaker moved to `state`; `hash` is its line's. Amounts are in `unit`.

    `breaker` tells this event's breaker from every other.
    """

    kind: Kind
    hash: str
    at: datetime
    policy: str
    scope: Mapping[str, str]
    before: str
    state: str
    by: str
    reason: str
    spent: Decimal
    held: Decimal
    projected: Decimal
    ceiling: Decimal
    unit: str
    shadow: bool
    breaker: tuple[object, ...]


def event(line: Mapping[str, Any]) -> Event | None:
    """The news in a line of the log; None where it holds none."""
    kind = _KINDS.get(line["to"])
    if kind is None:
        return None
    return Event(
        kind,
        line["hash"],
        datetime.fromisoformat(line["at"]),
        line["policy"],
        line["scope"],
        line["from"],
        line["to"],
        line["by"],
        line["reason"],
        Decimal(line["spent"]),
        Decimal(line["held"]),
        Decimal(line["projected"]),
        Decimal(line["ceiling"]),
        line["currency"],
        line["shadow"],
        (line["policy"], line["shadow"], *sorted(line["scope"].items())),
    )
