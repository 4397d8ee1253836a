"""Laws of merging: whatever the spans, their order and their batches, the calls are those of the set of spans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from laws import examples
from msgspec.structs import replace
from stores import book

from collector.call import SETTLEMENT, UNATTRIBUTED, Call, Kind, Reported
from collector.facts import rollups
from collector.facts.feed import page
from collector.facts.store import Store
from collector.merging.merge import Group, Outcome, Shelf, gather
from collector.merging.record import merged, telling
from collector.pricing import Quote
from switchgear.usage import Usage

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TOTALS = Reported.INPUT | Reported.OUTPUT
SERVED: dict[str, Any] = {"kind": Kind.SERVED, "cache": "exact", "lease_id": None}


@st.composite
def spans(draw: st.DrawFn, *, crowded: bool) -> Call:
    """A span of a small world, in which many have to do with each other; its usage is its own.

    A crowded one has three spans, each under every tenant, and ids that many name.
    """
    number = draw(st.integers(1, 3 if crowded else 7))
    parents = [None, *(f"{n:016x}" for n in range(1, number))]
    settled = draw(st.integers(0, 3 if crowded else 5)) == 0
    known = draw(st.booleans())
    tenants = ["acme", "globex", UNATTRIBUTED, UNATTRIBUTED if crowded else "acme"]
    told: dict[str, Any] = {
        "parent_span_id": None if settled else draw(st.sampled_from(parents)),
        "started_at": NOW + timedelta(seconds=draw(st.sampled_from([0, 1, 8, 30]))),
        "ended_at": NOW + timedelta(seconds=31) if draw(st.integers(0, 3)) == 0 else None,
        "response_id": draw(st.sampled_from([None, "s" if crowded else None, "r", "s"])),
        "lease_id": draw(st.sampled_from(["g:1", "g:2"] if settled else [None, None, "g:1", "g:2"])),
        "usage": Usage(draw(st.integers(1, 10**6)), output=1) if known else None,
        "reported": TOTALS if known else Reported.NOTHING,
        "dialect": SETTLEMENT if settled else draw(st.sampled_from(["otel-genai", "openinference"])),
        "scope": "switchgear" if settled else draw(st.sampled_from(["a@1", "b@1", "c@1"])),
    }
    cached = {} if settled else draw(st.sampled_from([{}, {}, {}, SERVED, {"cache": "miss"}]))
    return span(number, draw(st.sampled_from(tenants)), trace=draw(st.integers(1, 2)), **told | cached)


def span(number: int, tenant: str = "acme", trace: int = 1, parent: int | None = None, **fields: Any) -> Call:
    """Span `number` of a trace, told of by one instrumentation at one time, with a usage of its own."""
    told = Call(
        tenant=tenant,
        trace_id=f"{trace:032x}",
        span_id=f"{number:016x}",
        parent_span_id=None if parent is None else f"{parent:016x}",
        started_at=NOW,
        ended_at=None,
        usage=Usage(10 * trace + number, output=1),
        reported=TOTALS,
        dialect="otel-genai",
        scope="a@1",
    )
    return replace(told, **fields)


def settlement(number: int, tenant: str, **fields: Any) -> Call:
    return span(number, tenant, dialect=SETTLEMENT, scope="switchgear", **fields)


def lists_of(one: st.SearchStrategy[Call]) -> st.SearchStrategy[list[Call]]:
    return st.lists(one, min_size=1, max_size=9, unique_by=lambda each: each.identity)


worlds = lists_of(spans(crowded=False)) | lists_of(spans(crowded=True))


def cut(calls: Sequence[Call], cuts: Iterable[int]) -> list[list[Call]]:
    """The calls in their order, in batches that begin at `cuts`."""
    places = [0, *sorted(set(cuts)), len(calls)]
    return [list(calls[begin:end]) for begin, end in pairwise(places)]


@st.composite
def deliveries(draw: st.DrawFn) -> list[list[Call]]:
    """A world in some order, in batches: often each span alone, or only the last one."""
    world = draw(worlds)
    some = st.sets(st.integers(0, len(world)))
    return cut(world, draw(some | st.just(range(len(world))) | st.just({len(world) - 1})))


@dataclass
class Stored:
    """What the store does with groups: it keeps their spans by call, finds them by what has one hash, and feeds."""

    calls: dict[int, list[Call]] = field(default_factory=dict)
    homes: dict[int, Call] = field(default_factory=dict)
    feed: dict[str, Call | None] = field(default_factory=dict)

    def book(self, batch: Sequence[Call]) -> None:
        shelf = Shelf(gather(batch, self.find))
        for call in batch:
            shelf.put(call)
        # As the store writes them: first what was there is deleted, then what is now is inserted.
        changed = [group for group in shelf.groups if group.changed_by is not None]
        for number in [gone.call_id for gone, _ in shelf.absorbed] + [group.call_id for group in changed]:
            self.calls.pop(number or 0, None)
            self.homes.pop(number or 0, None)
        for gone, into in shelf.absorbed:
            assert gone.home is not None
            assert into.changed_by is not None
            self.feed[gone.home.key] = None
        for group in changed:
            assert group.home is not None
            assert group.call_id is not None
            assert group.call_id not in self.calls
            self.calls[group.call_id], self.homes[group.call_id] = group.members, group.home
            self.feed[group.record().key] = group.record()

    def find(self, probe: Sequence[Call]) -> Iterable[Group]:
        for number, members in self.calls.items():
            if any(_hashed_alike(one, other) for one in probe for other in members):
                yield Group(list(members), home=self.homes[number])


def _hashed_alike(one: Call, other: Call) -> bool:
    """What the hashes of the store find: no tenant is in them."""
    return (
        one.span == other.span
        or (one.trace_id, one.parent_span_id) == (other.trace_id, other.span_id)
        or (one.trace_id, one.span_id) == (other.trace_id, other.parent_span_id)
        or (one.response_id is not None and one.response_id == other.response_id)
        or (one.lease_id is not None and one.lease_id == other.lease_id)
    )


def calls_of(world: Sequence[Call]) -> set[tuple[frozenset[str], Call]]:
    """The calls of a set of spans by the definition of `twins`, word by word: no order, no index, nothing kept."""
    shared = {one.identity for one in world for other in world if shares(one, other)}
    inside = {one.identity: [other for other in world if nested(one, other)] for one in world}
    several = {one for one, children in inside.items() if len({child.span_id for child in children}) > 1}
    while (
        further := {
            one for one, children in inside.items() if {child.identity for child in children} & several
        }
        - several
    ):
        several |= further
    tell = [one for one in world if one.identity not in several]

    def answer(one: Call) -> str | None:
        children = [child for child in inside[one.identity] if child.identity not in several]
        return answer(min(children, key=first)) if one.response_id is None and children else one.response_id

    def linked(one: Call, other: Call) -> bool:
        same = one.span == other.span and fit(one, other)
        wraps = nested(one, other) and (one.response_id is None or answer(other) in (None, one.response_id))
        twins = None is not one.response_id == other.response_id and told_by(one) != told_by(other)
        if Kind.SERVED in (one.kind, other.kind):
            twins = twins and served_once(one, other)
        else:
            twins = twins and overlap(one, other) and not {one.identity, other.identity} & shared
        settles = settled(one, other) and other is min((it for it in tell if settled(one, it)), key=first)
        return same or wraps or twins or settles

    links = [(a, b) for a in tell for b in tell if a is not b and (linked(a, b) or linked(b, a))]
    named = classes(tell, [(a, b) for a, b in links if a.tenant == b.tenant])
    joined = []
    for part in named:
        out = [(a, b) for a, b in links if a in part and b.tenant != a.tenant]
        if part[0].tenant == UNATTRIBUTED and len({b.tenant for _, b in out}) == 1:
            joined += out
    within = [(part[0], each) for part in named for each in part]
    return shown(classes(tell, [*within, *joined]))


def classes(world: Sequence[Call], links: Sequence[tuple[Call, Call]]) -> list[list[Call]]:
    """The classes of the smallest equivalence that has the links."""
    of = {one.identity: one.identity for one in world}
    while moved := [(a, b) for a, b in links if of[a.identity] != of[b.identity]]:
        old, new = of[moved[0][0].identity], of[moved[0][1].identity]
        of = {one: new if its == old else its for one, its in of.items()}
    return [[one for one in world if of[one.identity] == its] for its in set(of.values())]


def fit(one: Call, other: Call) -> bool:
    return len({one.tenant, other.tenant} - {UNATTRIBUTED}) < 2


def overlap(one: Call, other: Call) -> bool:
    early, late = sorted((one, other), key=lambda each: each.started_at)
    ended = early.ended_at or early.started_at
    return fit(one, other) and late.started_at - ended <= timedelta(seconds=10)


def served_once(one: Call, other: Call) -> bool:
    early, late = sorted((one, other), key=lambda each: each.started_at)
    return (
        fit(one, other)
        and late.started_at
        <= min(early.ended_at or early.started_at, early.started_at + timedelta(seconds=1))
        and not any(each.kind is Kind.LLM and (each.lease_id or each.cache) for each in (one, other))
    )


def told_by(one: Call) -> tuple[str, str]:
    return (one.dialect, one.scope)


def nested(parent: Call, child: Call) -> bool:
    return (
        (parent.trace_id, parent.span_id) == (child.trace_id, child.parent_span_id)
        and fit(parent, child)
        and len({parent.response_id, child.response_id} - {None}) < 2
    )


def shares(one: Call, other: Call) -> bool:
    return (
        one.response_id is not None
        and (one.response_id, told_by(one)) == (other.response_id, told_by(other))
        and overlap(one, other)
        and Kind.SERVED not in (one.kind, other.kind)
        and not (one.span == other.span or nested(one, other) or nested(other, one))
    )


def settled(one: Call, other: Call) -> bool:
    return one.dialect == SETTLEMENT != other.dialect and one.lease_id == other.lease_id and fit(one, other)


def first(one: Call) -> tuple[object, ...]:
    return (one.tenant == UNATTRIBUTED, one.started_at, *one.identity)


def shown(parts: Iterable[Sequence[Call]]) -> set[tuple[frozenset[str], Call]]:
    """Each call: the spans that tell of it, and the record that they make."""
    return {(frozenset(each.key for each in telling(part)), merged(part)) for part in parts}


def stored_of(batches: Iterable[Sequence[Call]]) -> Stored:
    """What is stored of batches that come one after the other, their spans numbered as they come."""
    stored, numbers = Stored(), count(1)
    for batch in batches:
        stored.book([replace(each, fact=next(numbers)) for each in batch])
    return stored


LATE = [
    # The last span alone: what it is known to share its response id with must not be placed anew without its kin.
    [
        span(3, trace=2, parent=2, response_id="s"),
        span(2, trace=2, parent=1),
        span(1, UNATTRIBUTED, trace=2, response_id="s"),
        span(1, "globex", trace=2),
        span(3, response_id="s"),
    ],
    # Nor must what belongs with it be missing where something else leads to it as well.
    [
        settlement(2, UNATTRIBUTED, response_id="s", lease_id="g:1"),
        span(3, parent=2, lease_id="g:2"),
        settlement(2, "acme", trace=2, response_id="s", lease_id="g:3"),
        span(1, "globex", lease_id="g:1"),
        settlement(1, "acme", response_id="s", lease_id="g:2"),
    ],
    [
        settlement(2, UNATTRIBUTED, trace=2, response_id="s", lease_id="g:2"),
        settlement(2, UNATTRIBUTED, response_id="s", lease_id="g:3"),
        span(3, lease_id="g:2"),
        span(2, "globex", trace=2),
        settlement(2, "acme", response_id="s", lease_id="g:2"),
    ],
]
# What lies round several calls is kept with one of them, by which came first: here with that of the first span, whose
# counts are believed all the same.
UNSEEN: dict[str, Any] = {"usage": None, "reported": Reported.NOTHING}
ROUND_SEVERAL = [
    span(1, response_id="r"),
    span(2, parent=1, response_id="s", scope="z@1", **UNSEEN),
    *(span(n, parent=2, scope="b@1", **UNSEEN) for n in (3, 4)),
    span(5, parent=3, response_id="r", scope="c@1", started_at=NOW + timedelta(seconds=5)),
]


@example([LATE[0][:-1], LATE[0][-1:]])
@example([LATE[1][:-1], LATE[1][-1:]])
@example([LATE[2][:-1], LATE[2][-1:]])
@example(cut(ROUND_SEVERAL, range(5)))
@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(deliveries())
def test_neither_order_nor_batches_change_a_call(batches: list[list[Call]]) -> None:
    world = [each for batch in batches for each in batch]
    expected = calls_of(world)
    stored = stored_of(batches)
    assert shown(stored.calls.values()) == expected
    assert sorted(m.key for members in stored.calls.values() for m in members) == sorted(s.key for s in world)
    # Whoever follows the feed and replaces by key holds the same.
    held = [record for record in stored.feed.values() if record is not None]
    usages = sorted(str(record.usage) for _, record in expected)
    assert sorted(str(record.usage) for record in held) == usages
    assert {record.key for record in held} == {
        Group(m, stored.homes[n]).record().key for n, m in stored.calls.items()
    }


@st.composite
def contradictions(draw: st.DrawFn) -> list[list[Call]]:
    """Batches in which spans come again with other content, also that of hours later."""
    sent = draw(worlds)
    for _ in range(draw(st.integers(1, 3))):
        known, other = draw(st.sampled_from(sent)), draw(spans(crowded=True))
        later = timedelta(hours=draw(st.sampled_from([0, 2])))
        again = replace(
            other,
            tenant=known.tenant,
            trace_id=known.trace_id,
            span_id=known.span_id,
            parent_span_id=known.parent_span_id,
            started_at=other.started_at + later,
            ended_at=other.ended_at and other.ended_at + later,
        )
        sent.insert(draw(st.integers(0, len(sent))), again)
    return cut(sent, draw(st.sets(st.integers(0, len(sent)), max_size=3)))


@example(
    # Only the first of the two is at the time of what is stored: it is kept, and has a twin.
    [
        [span(1, response_id="r")],
        [
            span(2, response_id="r", scope="b@1"),
            span(2, response_id="r", scope="b@1", started_at=NOW + timedelta(hours=2)),
        ],
    ]
)
@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(contradictions())
def test_of_spans_that_come_again_with_other_content_the_first_counts_whatever_the_batches(
    batches: list[list[Call]],
) -> None:
    sent = [each for batch in batches for each in batch]
    kept = {each.identity: each for each in reversed(sent)}
    assert shown(stored_of(batches).calls.values()) == calls_of(list(kept.values()))


@settings(max_examples=examples(50), deadline=None)
@given(worlds, st.data())
def test_spans_sent_again_change_nothing(world: list[Call], data: st.DataObject) -> None:
    shelf = Shelf()
    for each in world:
        shelf.put(each)
    before = shown(group.members for group in shelf.groups)
    for each in data.draw(st.permutations(world)):
        assert shelf.put(each) is Outcome.DUPLICATE
    assert shown(group.members for group in shelf.groups) == before


@settings(max_examples=examples(50), deadline=None)
@given(worlds)
def test_no_two_tenants_share_a_call(world: list[Call]) -> None:
    shelf = Shelf()
    for each in world:
        shelf.put(each)
    for group in shelf.groups:
        assert len({each.tenant for each in telling(group.members)} - {UNATTRIBUTED}) <= 1


@settings(max_examples=examples(5), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds, st.data())
def test_the_store_holds_the_calls_of_whatever_it_is_sent(world: list[Call], data: st.DataObject) -> None:
    sent = [*data.draw(st.permutations(world)), *data.draw(st.permutations(world))]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(sent) - 1), max_size=5)))
    with TemporaryDirectory() as folder:
        store = Store(Path(folder))
        for begin, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
            book(store, sent[begin:end], no_price, NOW)
        rows = {
            view: store.cursor().execute(f"SELECT input_uncached FROM {view}").fetchall()
            for view in ("calls", "served")
        }
        entries = page(store.cursor(), 0, 1000)
        differences = rollups.check(store.cursor())
        store.close()
    served = sorted(inputs(record for _, record in calls_of(world) if record.kind is Kind.SERVED))
    expected = sorted(inputs(record for _, record in calls_of(world) if record.kind is Kind.LLM))
    assert sorted(str(count) for (count,) in rows["served"]) == served
    assert sorted(str(count) for (count,) in rows["calls"]) == expected
    assert differences == []
    held = {entry["key"]: entry for entry in entries}
    usages = [entry["usage"] for entry in held.values() if entry["merged_into"] is None]
    assert sorted(str(usage and usage["input_uncached"]) for usage in usages) == expected


def inputs(records: Iterable[Call]) -> list[str]:
    return [str(record.usage and record.usage.input_uncached) for record in records]


def no_price(*_: object) -> Quote:
    return Quote(None, None, "no book")
