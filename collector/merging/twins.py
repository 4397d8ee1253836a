"""Twins: which spans tell of one call. A pure function of which spans there are, never of the order of their arrival.

The definition, for a set of spans; two *fit* if they name one tenant or one of them names none:

1. A response id is *shared*, and says nothing, for spans of which one instrumentation tells at one time under it,
   unless they are the same span or one lies inside the other, or is *served*: an answer out of a cache names the call
   that it was once given to.
2. A span is *aside* if it lies round several fitting spans, or round one that is aside: it is the span of something
   larger, no call whatever usage it carries, and no twin. The other spans *tell* of calls.
3. Two of those are *linked* if they fit, and are the same span with its tenant and without; or two instrumentations
   name by them one response id, that is not shared, at one time, and neither is served; or one is served, the other too
   or it shows no sign of having been paid for, and they begin together and overlap; or one lies inside the other and
   their response ids, or the one further inside, do not differ; or one is a settlement and the other the first span
   with its hold.
4. The spans of one tenant that links connect belong together, and so do those without a tenant.
5. Such a part without a tenant joins all that it is linked with if that is of one tenant. With links to two tenants it
   is nobody's and stands alone: two named tenants never share a call.

What comes one by one keeps to this because a span can only gain marks, and marks only take links away: whoever places
a span anew needs all that is `related` to it, and to that, as of before it came (`merge.gather`, `Shelf.put`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

from msgspec.structs import replace

from ..call import SETTLEMENT, UNATTRIBUTED, Call, Kind, Marks

__all__ = ["Places", "partition"]

# Twins by response id overlap in time, but for clocks that differ, and begin within the hour. Small servers and test
# doubles give few ids again and again ("chatcmpl-123"): without this all calls of one id would be one, and the others'
# money gone.
_CLOCKS_DIFFER_BY = timedelta(seconds=10)
_BEGIN_WITHIN = timedelta(hours=1)
# Of an answer out of a cache the span of an instrumentation begins just before our own record of it, on one clock. The
# first call has ended before its answer is served: it must not be taken for the other, and hidden with it.
_SERVED_WITHIN = timedelta(seconds=1)

# What there is an answer of: a call to a model, or one out of a cache.
_ANSWERS = (Kind.LLM, Kind.SERVED)
_Identity = tuple[str, str, str]
_Link = tuple[Call, Call]
_Key = TypeVar("_Key")


class Places:
    """Spans, found by their ids, parents, response ids and holds."""

    def __init__(self, spans: Iterable[Call] = ()) -> None:
        self._spans: dict[_Identity, Call] = {}
        # Values are identities in the order of arrival.
        self._by_span: dict[tuple[str, str], list[_Identity]] = {}
        self._by_parent: dict[tuple[str, str], list[_Identity]] = {}
        self._by_answer: dict[str, list[_Identity]] = {}
        self._by_shared: dict[str, list[_Identity]] = {}
        self._by_served: dict[str, list[_Identity]] = {}
        self._by_hold: dict[str, list[_Identity]] = {}
        for span in spans:
            self.add(span)

    def get(self, span: Call) -> Call | None:
        """The span that stands here under the identity of `span`."""
        return self._spans.get(span.identity)

    def add(self, span: Call) -> None:
        """Put a span in its places, unless one stands here under its identity: the first is kept."""
        if span.identity in self._spans:
            return
        self._spans[span.identity] = span
        self._by_span.setdefault((span.trace_id, span.span_id), []).append(span.identity)
        if span.parent_span_id is not None:
            self._by_parent.setdefault((span.trace_id, span.parent_span_id), []).append(span.identity)
        if span.response_id is not None:
            answers = self._by_shared if _shared(span) else self._by_answer
            if _served(span):
                answers = self._by_served
            answers.setdefault(span.response_id, []).append(span.identity)
        if span.lease_id is not None:
            self._by_hold.setdefault(span.lease_id, []).append(span.identity)

    def mark(self, span: Call, marks: Marks) -> Call:
        """The span, here from now on with these marks as well."""
        known = self._spans[span.identity]
        marked = self._spans[span.identity] = replace(known, marks=known.marks | marks)
        if span.response_id is not None and _shared(marked) and not _shared(known):
            self._by_answer[span.response_id].remove(span.identity)
            self._by_shared.setdefault(span.response_id, []).append(span.identity)
        return marked

    def related(self, span: Call) -> Iterator[Call]:
        """Every span that may tell of the same call, or whose links `span` may change. The relation is symmetrical."""
        yield from self.same(span)
        yield from self.children(span)
        yield from self.parents(span)
        yield from self.answers(span)
        yield from self.holds(span)

    def concern(self, span: Call) -> bool:
        """Whether what is here may change what `span` is part of."""
        related = any(True for _ in self.related(span))
        return (
            related
            or self.get(span) is not None
            or (not _shared(span) and any(True for _ in self.sharers(span)))
        )

    def same(self, span: Call) -> Iterator[Call]:
        """The same span under another tenant."""
        for other in self._all(self._by_span, (span.trace_id, span.span_id)):
            if other.tenant != span.tenant and _fit(span, other) and not _aside(span) and not _aside(other):
                yield other

    def children(self, span: Call) -> Iterator[Call]:
        """The billable spans that name `span` as their parent. What is known to lie round several is not asked."""
        if not _aside(span):
            for child in self._all(self._by_parent, (span.trace_id, span.span_id)):
                if _nested(span, child):
                    yield child

    def parents(self, span: Call) -> Iterator[Call]:
        """The parent of `span`, unless that is known to lie round several."""
        if span.parent_span_id is not None:
            for parent in self._all(self._by_span, (span.trace_id, span.parent_span_id)):
                if _nested(parent, span) and not _aside(parent):
                    yield parent

    def answers(self, span: Call) -> Iterator[Call]:
        """What other instrumentations tell of the same response at the same time."""
        if span.response_id is None or _aside(span):
            return
        for other in self._all(self._by_served, span.response_id):
            if _served_once(span, other):
                yield other
        if _served(span):
            for place in (self._by_answer, self._by_shared):
                for other in self._all(place, span.response_id):
                    if _served_once(span, other):
                        yield other
        elif not span.marks:
            for other in self._all(self._by_answer, span.response_id):
                if not other.marks and not _one_instrumentation(span, other) and _overlap(span, other):
                    yield other

    def sharers(self, span: Call) -> Iterator[Call]:
        """What one instrumentation tells of the same response id as `span` at the same time, and is no twin of it.

        Of those that are marked already, one.
        """
        if span.response_id is not None and not _served(span):
            for other in self._all(self._by_answer, span.response_id):
                if _one_instrumentation(span, other) and _overlap(span, other) and not _one_call(span, other):
                    yield other
            for other in self._all(self._by_shared, span.response_id, latest_first=True):
                if _one_instrumentation(span, other) and _overlap(span, other) and not _one_call(span, other):
                    yield other
                    return

    def holds(self, span: Call) -> Iterator[Call]:
        """What tells of the same hold: of a settlement its spans, of a span its settlement."""
        if span.lease_id is not None and not _aside(span):
            for other in self._all(self._by_hold, span.lease_id):
                settled = (span.dialect == SETTLEMENT) != (other.dialect == SETTLEMENT)
                if settled and _fit(span, other) and not _aside(other):
                    yield other

    def _all(
        self, place: Mapping[_Key, list[_Identity]], key: _Key, *, latest_first: bool = False
    ) -> Iterator[Call]:
        found = place.get(key, ())
        for identity in reversed(found) if latest_first else found:
            yield self._spans[identity]


def partition(spans: Sequence[Call]) -> list[list[Call]]:
    """`spans` by the call that they tell of, marked where they lie round several; such a one is put to a child's call.

    Every span that is related to one of `spans` must be among them.
    """
    marked = _marked(spans)
    places = Places(marked)
    telling = [span for span in marked if not _aside(span)]
    links = list(_links(places, telling))
    parts = _components(telling, [*_within(links), *_across(telling, links)])
    part_of = {span.identity: part for part in parts for span in part}
    waiting = [span for span in marked if _aside(span)]
    while waiting:
        placed = [(span, part) for span in waiting if (part := _part_of_a_child(span, marked, part_of))]
        if not placed:
            # Parents in a circle, which no tracer makes: one of them has to stand for the call.
            first = min(waiting, key=_named_and_early)
            waiting.remove(first)
            parts.append([replace(first, marks=first.marks & ~Marks.WRAPS_SEVERAL)])
            part_of[first.identity] = parts[-1]
        for span, part in placed:
            part.append(span)
            part_of[span.identity] = part
            waiting.remove(span)
    return parts


def _marked(spans: Sequence[Call]) -> list[Call]:
    """The spans, those marked that have several children or lie round one that has."""
    places = Places(spans)
    children = {span.identity: list(places.children(span)) for span in spans}
    aside = {
        span.identity
        for span in spans
        if _aside(span) or len({child.span_id for child in children[span.identity]}) > 1
    }
    reached = aside
    while reached:
        reached = {
            span.identity
            for span in spans
            if span.identity not in aside
            and any(child.identity in reached for child in children[span.identity])
        }
        aside |= reached
    return [
        replace(span, marks=span.marks | Marks.WRAPS_SEVERAL) if span.identity in aside else span
        for span in spans
    ]


def _links(places: Places, telling: Sequence[Call]) -> Iterator[_Link]:
    only = {span.identity: children for span in telling if (children := list(places.children(span)))}
    for span in telling:
        for twin in (*places.same(span), *places.answers(span)):
            yield span, twin
        for child in only.get(span.identity, ()):
            answer = _answer(child, only)
            if span.response_id is None or answer is None or span.response_id == answer:
                yield span, child
        if span.dialect == SETTLEMENT and (spans := list(places.holds(span))):
            yield span, min(spans, key=_named_and_early)


def _answer(span: Call, only: Mapping[_Identity, Sequence[Call]]) -> str | None:
    """The response id that a span names, or the one inside it: those of two calls may not meet through a wrapper."""
    passed: set[_Identity] = set()
    while span.response_id is None and span.identity in only and span.identity not in passed:
        passed.add(span.identity)
        span = min(only[span.identity], key=_named_and_early)
    return span.response_id


def _within(links: Iterable[_Link]) -> list[_Link]:
    return [(one, other) for one, other in links if one.tenant == other.tenant]


def _across(telling: Sequence[Call], links: Sequence[_Link]) -> Iterator[_Link]:
    """The links of spans without a tenant to named ones, where only one tenant fits all that belongs together."""
    between = [(one, other) for one, other in links if one.tenant != other.tenant]
    if not between:
        return
    for part in _components(telling, _within(links)):
        if part[0].tenant == UNATTRIBUTED:
            inside = {span.identity for span in part}
            found = [link for link in between if any(span.identity in inside for span in link)]
            if len({span.tenant for link in found for span in link} - {UNATTRIBUTED}) == 1:
                yield from found


def _components(spans: Sequence[Call], links: Iterable[_Link]) -> list[list[Call]]:
    part_of = {span.identity: [span] for span in spans}
    for one, other in links:
        into, part = part_of[one.identity], part_of[other.identity]
        if into is not part:
            into += part
            part_of.update((span.identity, into) for span in part)
    return list({id(part): part for part in part_of.values()}.values())


def _part_of_a_child(
    span: Call, spans: Sequence[Call], part_of: Mapping[_Identity, list[Call]]
) -> list[Call] | None:
    children = [each for each in spans if _nested(span, each) and each.identity in part_of]
    return part_of[min(children, key=_named_and_early).identity] if children else None


def _named_and_early(span: Call) -> tuple[object, ...]:
    return (span.tenant == UNATTRIBUTED, span.started_at, *span.identity)


def _aside(span: Call) -> bool:
    return Marks.WRAPS_SEVERAL in span.marks


def _shared(span: Call) -> bool:
    return Marks.SHARED_ID in span.marks


def _served(span: Call) -> bool:
    return span.kind is Kind.SERVED


def _served_once(one: Call, other: Call) -> bool:
    """Whether two instrumentations tell by both of one answer out of a cache, with one response id."""
    first, second = (one, other) if one.started_at <= other.started_at else (other, one)
    return (
        (_served(one) or _served(other))
        and not any(_aside(each) or _paid(each) for each in (one, other))
        and not _one_instrumentation(one, other)
        and _fit(one, other)
        and second.started_at - first.started_at <= _SERVED_WITHIN
        and second.started_at <= (first.ended_at or first.started_at)
    )


def _paid(span: Call) -> bool:
    """Whether a span shows by itself that a model was asked."""
    return not _served(span) and (span.lease_id is not None or span.cache is not None)


def _fit(one: Call, other: Call) -> bool:
    return one.tenant == other.tenant or UNATTRIBUTED in (one.tenant, other.tenant)


def _nested(parent: Call, child: Call) -> bool:
    """Whether `child` lies in `parent` and both may tell of one call: two response ids are two."""
    return (
        child.parent_span_id == parent.span_id != child.span_id
        and child.trace_id == parent.trace_id
        and parent.kind in _ANSWERS
        and child.kind in _ANSWERS
        and _fit(parent, child)
        and (None in (parent.response_id, child.response_id) or parent.response_id == child.response_id)
    )


def _one_call(one: Call, other: Call) -> bool:
    """Whether one instrumentation may tell of one call by both: the same span, or one inside the other."""
    return one.span == other.span or _nested(one, other) or _nested(other, one)


def _one_instrumentation(one: Call, other: Call) -> bool:
    return (_name(one.scope), one.dialect) == (_name(other.scope), other.dialect)


def _name(scope: str) -> str:
    return scope.partition("@")[0]


def _overlap(one: Call, other: Call) -> bool:
    """Whether both may tell of what happened at one time, for one tenant."""
    if not _fit(one, other):
        return False
    first, second = (one, other) if one.started_at <= other.started_at else (other, one)
    reach = (first.ended_at or first.started_at) + _CLOCKS_DIFFER_BY
    return second.started_at <= min(reach, first.started_at + _BEGIN_WITHIN)
