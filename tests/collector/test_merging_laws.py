"""Laws of merging: whatever the spans, their order and their batches, the calls are those of the set of spans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from stores import book

from collector.call import SETTLEMENT, UNATTRIBUTED, Call, Marks, Reported
from collector.facts.feed import page
from collector.facts.store import Store
from collector.merging.merge import Group, Outcome, Shelf, gather
from collector.merging.record import merged, telling
from collector.merging.twins import Places, partition
from collector.pricing import Quote
from switchgear.usage import Usage

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TOTALS = Reported.INPUT | Reported.OUTPUT


@st.composite
def spans(draw: st.DrawFn) -> Call:
    """A span of a small world, in which many have to do with each other; its usage is its own."""
    number = draw(st.integers(1, 7))
    parents = [None, *(f"{n:016x}" for n in range(1, number))]
    settled = draw(st.integers(0, 5)) == 0
    known = draw(st.booleans())
    return Call(
        tenant=draw(st.sampled_from(["acme", "acme", "globex", UNATTRIBUTED])),
        trace_id=f"{draw(st.integers(1, 2)):032x}",
        span_id=f"{number:016x}",
        parent_span_id=None if settled else draw(st.sampled_from(parents)),
        started_at=NOW + timedelta(seconds=draw(st.sampled_from([0, 1, 8, 30]))),
        ended_at=NOW + timedelta(seconds=31) if draw(st.integers(0, 3)) == 0 else None,
        response_id=draw(st.sampled_from([None, None, "r", "s"])),
        lease_id=draw(st.sampled_from(["g:1", "g:2"] if settled else [None, None, "g:1", "g:2"])),
        usage=Usage(draw(st.integers(1, 10**6)), output=1) if known else None,
        reported=TOTALS if known else Reported.NOTHING,
        dialect=SETTLEMENT if settled else draw(st.sampled_from(["otel-genai", "openinference"])),
        scope="switchgear" if settled else draw(st.sampled_from(["a@1", "b@1", "c@1"])),
    )


worlds = st.lists(spans(), min_size=1, max_size=9, unique_by=lambda span: span.identity)


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


def calls_of(spans: Sequence[Call]) -> set[tuple[frozenset[str], Usage | None]]:
    """The calls of a set of spans: which of them tell of each, and its usage. Seen all at once."""
    places = Places(spans)
    marked = [
        replace(span, marks=Marks.SHARED_ID) if any(True for _ in places.sharers(span)) else span
        for span in spans
    ]
    return shown(partition(marked))


def shown(parts: Iterable[Sequence[Call]]) -> set[tuple[frozenset[str], Usage | None]]:
    return {(frozenset(span.key for span in telling(part)), merged(part).usage) for part in parts}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds, st.data())
def test_neither_order_nor_batches_change_a_call(world: list[Call], data: st.DataObject) -> None:
    expected = calls_of(world)
    order = data.draw(st.permutations(world))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(order)))))
    stored = Stored()
    numbered = [replace(span, fact=number) for number, span in enumerate(order, 1)]
    for begin, end in zip([0, *cuts], [*cuts, len(order)], strict=True):
        stored.book(numbered[begin:end])
    assert shown(stored.calls.values()) == expected
    assert sorted(m.key for members in stored.calls.values() for m in members) == sorted(s.key for s in world)
    # Whoever follows the feed and replaces by key holds the same.
    held = [record for record in stored.feed.values() if record is not None]
    usages = sorted(str(usage) for _, usage in expected)
    assert sorted(str(record.usage) for record in held) == usages
    assert {record.key for record in held} == {
        Group(m, stored.homes[n]).record().key for n, m in stored.calls.items()
    }


@settings(max_examples=100, deadline=None)
@given(worlds, st.data())
def test_spans_sent_again_change_nothing(world: list[Call], data: st.DataObject) -> None:
    shelf = Shelf()
    for span in world:
        shelf.put(span)
    before = shown(group.members for group in shelf.groups)
    for span in data.draw(st.permutations(world)):
        assert shelf.put(span) is Outcome.DUPLICATE
    assert shown(group.members for group in shelf.groups) == before


@settings(max_examples=100, deadline=None)
@given(worlds)
def test_no_two_tenants_share_a_call(world: list[Call]) -> None:
    for tellers, _ in calls_of(world):
        part = [span for span in world if span.key in tellers]
        assert len({span.tenant for span in part} - {UNATTRIBUTED}) <= 1


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds, st.data())
def test_the_store_holds_the_calls_of_whatever_it_is_sent(world: list[Call], data: st.DataObject) -> None:
    sent = [*data.draw(st.permutations(world)), *data.draw(st.permutations(world))]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(sent) - 1), max_size=5)))
    with TemporaryDirectory() as folder:
        store = Store(Path(folder))
        for begin, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
            book(store, sent[begin:end], no_price, NOW)
        rows = store.cursor().execute("SELECT input_uncached FROM calls").fetchall()
        entries = page(store.cursor(), 0, 1000)
        store.close()
    expected = sorted(str(usage and usage.input_uncached) for _, usage in calls_of(world))
    assert sorted(str(count) for (count,) in rows) == expected
    held = {entry["key"]: entry for entry in entries}
    usages = [entry["usage"] for entry in held.values() if entry["merged_into"] is None]
    assert sorted(str(usage and usage["input_uncached"]) for usage in usages) == expected


def no_price(*_: object) -> Quote:
    return Quote(None, None, "no book")
