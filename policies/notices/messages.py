"""Messages: what a group of changes says, as text for people and as data for programs.

Names and reasons were chosen by others: in a text each is one line of printable characters, and of bounded length.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from switchgear.money import short

from ..transitions import RUNAWAY, STOPPED, WARNED
from .events import Event, Kind
from .grouping import Change, Group

__all__ = ["Message", "message", "one_line", "test_message"]

_NAME_CHARS, _REASON_CHARS, _SUBJECT_CHARS = 80, 300, 150
_SAYS = {
    WARNED: "has reached its warning",
    RUNAWAY: "tells of a task that has run away",
    STOPPED: "has stopped a task",
    "throttled": "is throttled",
    "open": "is open",
    "forced_open": "is forced open",
    "disabled": "is disabled",
    "closed": "is closed again",
}
_COUNTED = {Kind.TRIP: "tripped", Kind.WARN: "warned", Kind.RECOVERY: "recovered"}


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `id` is the same whenever the same lines of the log are told; `at` is when its last event was."""

    id: str
    type: str
    at: datetime
    subject: str
    lines: tuple[str, ...]
    data: Mapping[str, Any]


def message(group: Group) -> Message:
    """What a group says: trips first, then warnings, then recoveries, each in the order of their first events."""
    order = list(Kind)
    changes = sorted(group.changes, key=lambda change: order.index(change.last.kind))
    lines = [_sentence(change) for change in changes]
    if group.more:
        lines.append(f"And {group.more.total()} more changes of other breakers: {_counts(group.more)}.")
    if len(changes) == 1 and not group.more:
        subject = _state(changes[0].last)
    else:
        counts = Counter(change.last.kind for change in changes)
        subject = f"{len(changes)}{' and more' * bool(group.more)} breakers: {_counts(counts)}"
    return Message(
        f"msg_{group.digest[:32]}",
        "breakers.changed",
        max(change.last.at for change in changes),
        one_line(f"switchgear: {subject}", _SUBJECT_CHARS),
        tuple(lines),
        {"breakers": [_data(change) for change in changes], "more": group.more.total()},
    )


def test_message(at: datetime, number: str) -> Message:
    """A message that says that messages arrive; `number` tells it from other such ones."""
    said = "This is a test: switchgear would tell of breakers here."
    return Message(f"msg_test_{number}", "notices.test", at, "switchgear: a test", (said,), {"test": True})


def one_line(text: str, most: int) -> str:
    """`text` with a space for everything that is not printable, line ends and turns of direction among it, and cut."""
    printable = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return printable if len(printable) <= most else printable[: most - 1] + "…"


def _sentence(change: Change) -> str:
    last = change.last
    by = "" if last.by == "engine" else f" by {one_line(last.by, _NAME_CHARS)}"
    amounts = f"spent {short(last.spent)}, held {short(last.held)}, projected {short(last.projected)}"
    often = f" It changed {change.count} times since {_time(change.first.at)}." if change.count > 1 else ""
    return (
        f"{_state(last)}{by} since {_time(last.at)}: {one_line(last.reason, _REASON_CHARS)} "
        f"({amounts} of {short(last.ceiling)} {one_line(last.unit, _NAME_CHARS)}).{often}"
    )


def _state(event: Event) -> str:
    scope = [f"{name} {one_line(value, _NAME_CHARS)}" for name, value in event.scope.items()]
    if event.shadow:
        scope.append("in shadow")
    within = f" ({', '.join(scope)})" if scope else ""
    return f"{one_line(event.policy, _NAME_CHARS)}{within} {_SAYS[event.state]}"


def _counts(counts: Mapping[Kind, int]) -> str:
    return ", ".join(f"{counts[kind]} {_COUNTED[kind]}" for kind in Kind if counts.get(kind))


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _data(change: Change) -> dict[str, Any]:
    last = change.last
    return {
        "kind": last.kind.value,
        "policy": last.policy,
        "scope": dict(last.scope),
        "from": change.first.before,
        "to": last.state,
        "changes": change.count,
        "first_at": change.first.at.isoformat(),
        "at": last.at.isoformat(),
        "by": last.by,
        "reason": last.reason,
        "spent": _exact(last.spent),
        "held": _exact(last.held),
        "projected": _exact(last.projected),
        "ceiling": _exact(last.ceiling),
        "currency": last.unit,
        "shadow": last.shadow,
        "transition": last.hash,
    }


def _exact(amount: Decimal) -> str:
    return f"{amount:f}"
