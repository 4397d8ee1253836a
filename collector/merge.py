"""Merge: which spans tell of the same call, and the one record that they make together.

Two spans are twins when they name the same response id at the same time, or when one is the other's parent: a
wrapper's span round the client's. A parent joins one child only; with several it is the span of something larger,
and its counts give way to the child's in any case. The record depends only on which spans there are, never on
their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum

from switchgear.usage import Usage

from .call import Call, Reported
from .dialects import TRUST

__all__ = ["Group", "Outcome", "Shelf", "merged"]


def merged(members: Sequence[Call]) -> Call:
    """The one call that `members` tell of, unpriced, under the identity of the most trusted of them.

    Counts come whole from one span; another fills in only what that one does not name, and only where both
    agree on the rest. Of other facts the first known counts, most trusted first; attempts are the most seen.
    """
    if len(members) == 1:
        return members[0]
    ordered = sorted(members, key=lambda call: _rank(call, members))
    best = ordered[0]
    usage, reported = _usage(ordered)
    ended = [call.ended_at for call in ordered if call.ended_at is not None]
    return replace(
        best,
        started_at=min(call.started_at for call in ordered),
        ended_at=max(ended) if ended else None,
        usage=usage,
        reported=reported,
        attempts=max(call.attempts for call in ordered),
        workload=_first(ordered, "workload"),
        task_id=_first(ordered, "task_id"),
        parent_task_id=_first(ordered, "parent_task_id"),
        root_task_id=_first(ordered, "root_task_id"),
        tier=_first(ordered, "tier"),
        provider=_first(ordered, "provider"),
        model=_first(ordered, "model"),
        request_model=_first(ordered, "request_model"),
        response_id=_first(ordered, "response_id"),
        lease_id=_first(ordered, "lease_id"),
    )


def _first(ordered: Sequence[Call], name: str) -> str | None:
    return next((value for call in ordered if (value := getattr(call, name)) is not None), None)


def _rank(call: Call, members: Sequence[Call]) -> tuple[bool, int, object, str, str]:
    """The order of trust. A parent that shares no response id with its child wraps more than the request."""
    wraps = any(
        child.parent_span_id == call.span_id
        and child.trace_id == call.trace_id
        and (child.response_id is None or child.response_id != call.response_id)
        for child in members
    )
    return (wraps, -TRUST.get(call.dialect, 0), call.started_at, call.trace_id, call.span_id)


def _usage(ordered: Sequence[Call]) -> tuple[Usage | None, Reported]:
    counted = [call for call in ordered if call.usage is not None]
    if not counted:
        return None, Reported.NOTHING
    base = next((call for call in counted if call.reported.complete), counted[0])
    usage, reported = base.usage, base.reported
    for other in counted:
        if usage is not None and other.usage is not None and other is not base:
            usage, reported = _filled(usage, reported, other.usage, other.reported)
    return usage, reported


def _filled(usage: Usage, reported: Reported, other: Usage, named: Reported) -> tuple[Usage, Reported]:
    """`usage` with the splits that only `other` names, where the totals that they split are the same."""
    cached = Reported.CACHE_READ | Reported.CACHE_WRITE
    if usage.input_total == other.input_total:
        if not reported & cached and named & cached:
            usage = replace(
                usage,
                input_uncached=other.input_uncached,
                cache_read=other.cache_read,
                cache_write_5m=other.cache_write_5m,
                cache_write_1h=other.cache_write_1h,
            )
            reported |= named & (cached | Reported.LIFETIMES)
        written = usage.cache_write_5m + usage.cache_write_1h
        if (
            Reported.LIFETIMES not in reported
            and Reported.LIFETIMES in named
            and written == other.cache_write_5m + other.cache_write_1h
        ):
            usage = replace(usage, cache_write_5m=other.cache_write_5m, cache_write_1h=other.cache_write_1h)
            reported |= Reported.LIFETIMES
    if Reported.REASONING not in reported and Reported.REASONING in named and usage.output == other.output:
        usage = replace(usage, reasoning=other.reasoning)
        reported |= Reported.REASONING
    return usage, reported


class Outcome(StrEnum):
    """What became of a span that was put on a shelf."""

    NEW = "new"
    TWIN = "twin"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    """The same span again with other content: the first is kept."""


@dataclass(slots=True, eq=False)
class Group:
    """The spans of one call. `call_id` is the store's, None for a call that it does not hold yet."""

    members: list[Call]
    call_id: int | None = None
    home: Call | None = None
    """The span under whose identity the call was booked: that identity stays."""
    changed: bool = False
    added: list[Call] = field(default_factory=list)
    """Members that the store does not hold yet."""
    absorbed: list[Group] = field(default_factory=list)
    """Calls of the store that turned out to be this one."""

    def record(self) -> Call:
        """The merged call, under the identity that it was first booked with."""
        call = merged(self.members)
        if self.home is None:
            return call
        return replace(
            call,
            trace_id=self.home.trace_id,
            span_id=self.home.span_id,
            parent_span_id=self.home.parent_span_id,
        )


# Twins overlap in time, but for clocks that differ. Small servers and test doubles give few ids again and again
# ("chatcmpl-123"): without this all calls of one id would be one, and the others' money gone.
_CLOCKS_DIFFER_BY = timedelta(seconds=10)

_Key = tuple[str, str, str]


class Shelf:
    """Groups of spans, found by identity, response id and parent. Spans are put on it one by one."""

    def __init__(self, groups: Iterable[Group] = ()) -> None:
        self.groups: list[Group] = []
        self._by_identity: dict[_Key, tuple[Group, Call]] = {}
        self._by_response: dict[tuple[str, str], list[Call]] = {}
        self._by_parent: dict[_Key, list[_Key]] = {}
        for group in groups:
            self.groups.append(group)
            for member in group.members:
                self._index(group, member)

    def put(self, call: Call) -> Outcome:
        """Place `call` in the group that it belongs to, joining groups that it connects; the outcome."""
        known = self._by_identity.get(call.identity)
        if known is not None:
            return Outcome.DUPLICATE if known[1] == call else Outcome.CONFLICT
        linked = self._linked(call)
        target = self._join(linked) if linked else self._begin()
        target.members.append(call)
        target.added.append(call)
        target.changed = True
        self._index(target, call)
        return Outcome.TWIN if linked else Outcome.NEW

    def group_of(self, call: Call) -> Group:
        """The group that holds the span of `call`."""
        return self._by_identity[call.identity][0]

    def span_of(self, call: Call) -> Call:
        """What the shelf holds under the identity of `call`."""
        return self._by_identity[call.identity][1]

    def _begin(self) -> Group:
        group = Group(members=[])
        self.groups.append(group)
        return group

    def _index(self, group: Group, call: Call) -> None:
        self._by_identity[call.identity] = (group, call)
        if call.response_id is not None:
            self._by_response.setdefault((call.tenant, call.response_id), []).append(call)
        if call.parent_span_id is not None:
            self._by_parent.setdefault((call.tenant, call.trace_id, call.parent_span_id), []).append(
                call.identity
            )

    def _linked(self, call: Call) -> list[Group]:
        """The groups that hold a twin of `call`, without repetition."""
        found: list[Group] = []
        if call.response_id is not None:
            for other in self._by_response.get((call.tenant, call.response_id), ()):
                group = self.group_of(other)
                if group not in found and _overlap(call, other):
                    found.append(group)
        for wrapped in (self._of_parent(call), self._of_child(call)):
            if wrapped is not None and wrapped not in found and _compatible([call], found, wrapped):
                found.append(wrapped)
        return found

    def _of_parent(self, call: Call) -> Group | None:
        if call.parent_span_id is None:
            return None
        parent = self._by_identity.get((call.tenant, call.trace_id, call.parent_span_id))
        if parent is None:
            return None
        taken = any(
            sibling.parent_span_id == call.parent_span_id and sibling.trace_id == call.trace_id
            for sibling in parent[0].members
        )
        return None if taken else parent[0]

    def _of_child(self, call: Call) -> Group | None:
        children = [self._by_identity[key] for key in self._by_parent.get(call.identity, ())]
        if not children:
            return None
        return min(children, key=lambda child: (child[1].started_at, child[1].span_id))[0]

    def _join(self, groups: list[Group]) -> Group:
        """One group of all: the one that the store has held longest keeps its identity."""
        target, *others = sorted(groups, key=lambda group: (group.call_id is None, group.call_id or 0))
        for other in others:
            target.members.extend(other.members)
            target.added.extend(other.added)
            target.absorbed.extend(other.absorbed)
            if other.call_id is not None:
                target.absorbed.append(other)
            target.changed = True
            self.groups.remove(other)
            for member in other.members:
                self._by_identity[member.identity] = (target, member)
        return target


def _overlap(one: Call, other: Call) -> bool:
    first, second = sorted((one, other), key=lambda call: call.started_at)
    return second.started_at <= (first.ended_at or first.started_at) + _CLOCKS_DIFFER_BY


def _compatible(calls: Sequence[Call], found: Sequence[Group], group: Group) -> bool:
    """Whether a link by parent may join them: spans that name two response ids are two calls."""
    members = [*calls, *(member for each in found for member in each.members), *group.members]
    return len({member.response_id for member in members if member.response_id is not None}) <= 1
