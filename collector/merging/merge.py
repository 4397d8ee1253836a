"""Merge: the calls of some spans, as they come one by one, and what of the store's calls each of them changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from msgspec.structs import replace

from ..call import Call, Marks
from ..overflow import alike
from .record import merged, stands_in, telling
from .twins import Places, partition

__all__ = ["Group", "Outcome", "Shelf", "gather"]

_Identity = tuple[str, str, str]


class Outcome(StrEnum):
    """What became of a span that was put on a shelf."""

    NEW = "new"
    TWIN = "twin"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    """The same span again with other content: the first is kept."""


@dataclass(slots=True, eq=False)
class Group:
    """The spans of one call."""

    members: list[Call]
    """What tells of the call; beside it, marked, what lies round it and other calls."""
    home: Call | None = None
    """The member under whose identity the call is booked: the first one whose identity is no stand-in. None where
    nothing is booked."""
    changed_by: Call | None = None
    """The span that changed the call last, None where it is as it was."""

    @property
    def call_id(self) -> int | None:
        """The number of the fact that told of `home`: the call's for as long as that is its home."""
        return None if self.home is None else self.home.fact

    def record(self) -> Call:
        """The merged call, under the identity of its home."""
        call = merged(self.members)
        if self.home is None:
            return call
        return replace(
            call,
            trace_id=self.home.trace_id,
            span_id=self.home.span_id,
            parent_span_id=self.home.parent_span_id,
        )


def gather(calls: Sequence[Call], find: Callable[[Sequence[Call]], Iterable[Group]]) -> list[Group]:
    """Every group of the store that `calls` may change with all that these belong with, and what stands beside.

    `find` gives groups that hold something related to the spans it is asked for, and may give others too.
    """
    gathered: dict[int | None, Group] = {}
    beside: dict[int | None, Group] = {}
    asked: Sequence[Call] = calls
    while asked:
        probe = Places(asked)
        found = [group for group in find(asked) if group.call_id not in gathered]
        changed = [group for group in found if any(probe.concern(member) for member in group.members)]
        gathered.update((group.call_id, group) for group in changed)
        # What is known to share its response id tells a new span that it does, and is itself not changed by that:
        # what it belongs with is not asked for, unless something else leads to it.
        beside.update(
            (group.call_id, group)
            for group in found
            if any(True for member in group.members for _ in probe.sharers(member))
        )
        asked = [member for group in changed for member in group.members]
    return list((beside | gathered).values())


class Shelf:
    """Groups of spans, by what the spans have to do with each other. Spans are put on it one by one."""

    def __init__(self, groups: Iterable[Group] = ()) -> None:
        """A shelf with what `gather` found in the store."""
        self.conflicts: list[tuple[Call, Call]] = []
        """Kept and refused: of spans that came again with other content, and of twins whose counts differ."""
        self._places = Places()
        self._group_of: dict[_Identity, Group] = {}
        self._gone: dict[_Identity, Group] = {}
        for group in groups:
            for member in group.members:
                self._places.add(member)
            self._hold(group)

    @property
    def groups(self) -> list[Group]:
        """Every call, in the order of its first span."""
        return list({id(group): group for group in self._group_of.values()}.values())

    @property
    def absorbed(self) -> list[tuple[Group, Group]]:
        """Calls that were booked under an identity that is none of a call's any more, and what they are part of now."""
        return [(gone, self._group_of[identity]) for identity, gone in self._gone.items()]

    def put(self, call: Call) -> Outcome:
        """Place `call` in the group that it belongs to, joining and parting the groups that it touches."""
        known = self._places.get(call)
        if known is not None:
            if alike(known, call):
                return Outcome.DUPLICATE
            self.conflicts.append((known, call))
            return Outcome.CONFLICT
        sharers = list(self._places.sharers(call))
        # What was related to one whose id turns out to be shared may be free for another call now. One that is known
        # to share its id stays where it is: it may stand beside, without what it belongs with.
        found_out = [other for other in sharers if Marks.SHARED_ID not in other.marks]
        touched = self._family(found_out)
        for other in found_out:
            self._places.mark(other, Marks.SHARED_ID)
        self._places.add(call)
        if sharers:
            call = self._places.mark(call, Marks.SHARED_ID)
        family = self._family([call, *map(self._now, touched)])
        self._arrange(partition(family), call)
        self.conflicts += self._contradictions(call)
        return Outcome.NEW if len(telling(self.group_of(call).members)) == 1 else Outcome.TWIN

    def group_of(self, call: Call) -> Group:
        """The group that holds the span of `call`."""
        return self._group_of[call.identity]

    def _contradictions(self, call: Call) -> Iterator[tuple[Call, Call]]:
        """The twins of `call` that count the same response otherwise: the call has the counts of one of them."""
        for twin in self._places.answers(call):
            if _totals(call) != _totals(twin) and call.reported.complete and twin.reported.complete:
                kept = _totals(self.group_of(call).record())
                yield (call, twin) if _totals(call) == kept else (twin, call)

    def _family(self, spans: Iterable[Call]) -> list[Call]:
        """The spans, all that is in one group with one of them or related to it, and so on."""
        found: dict[_Identity, Call] = {}
        waiting = list(spans)
        while waiting:
            span = waiting.pop()
            if span.identity not in found:
                found[span.identity] = span
                group = self._group_of.get(span.identity)
                if group is not None:
                    waiting += [self._now(member) for member in group.members]
                waiting += self._places.related(span)
        return list(found.values())

    def _now(self, member: Call) -> Call:
        """The member with the marks that it has got."""
        return self._places.get(member) or member

    def _arrange(self, parts: Sequence[list[Call]], cause: Call) -> None:
        """Make `parts` the groups of their spans."""
        left = {
            id(group): group
            for part in parts
            for member in part
            if (group := self._group_of.get(member.identity)) is not None
        }
        homes = {group.home.identity: group for group in left.values() if group.home is not None}
        for part in parts:
            group = self._host(part, homes)
            left.pop(id(group), None)
            if _told(group.members) != _told(part):
                group.members, group.changed_by = part, cause
                self._hold(group)
        self._gone.update((gone.home.identity, gone) for gone in left.values() if gone.home is not None)

    def _host(self, part: Sequence[Call], homes: Mapping[_Identity, Group]) -> Group:
        """The group that the spans of `part` form: the one longest booked under an identity that is no stand-in."""
        tell = telling(part)
        least = min(stands_in(member) for member in tell)
        proper = [member for member in tell if stands_in(member) == least]
        hosts = [homes[member.identity] for member in proper if member.identity in homes]
        if hosts:
            return min(hosts, key=_number)
        home = None if proper[0].fact is None else min(proper, key=lambda member: member.fact or 0)
        if home is not None:
            self._gone.pop(home.identity, None)
        return Group([], home=home)

    def _hold(self, group: Group) -> None:
        for member in group.members:
            self._group_of[member.identity] = group
            if self._now(member).marks != member.marks:
                self._places.mark(member, member.marks)


def _told(members: Iterable[Call]) -> set[tuple[_Identity, Marks]]:
    return {(member.identity, member.marks) for member in members}


def _totals(call: Call) -> tuple[int, int] | None:
    return None if call.usage is None else (call.usage.input_total, call.usage.output)


def _number(group: Group) -> int:
    return group.call_id or 0
