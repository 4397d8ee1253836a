"""Which spans are one call, and the record that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace as replace_usage
from datetime import UTC, datetime, timedelta
from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from collector.call import SETTLEMENT, UNATTRIBUTED, Call, Kind, Reported
from collector.merging.merge import Outcome, Shelf
from collector.merging.record import merged
from switchgear.usage import Usage

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TOTALS = Reported.INPUT | Reported.OUTPUT
CACHED = TOTALS | Reported.CACHE_READ | Reported.CACHE_WRITE


def twin(number: int, **fields: object) -> Call:
    """Span `number`, each in a trace and of an instrumentation of its own; all name the response id "r"."""
    call = Call(
        tenant="acme",
        trace_id=f"{number:032x}",
        span_id=f"{number:016x}",
        parent_span_id=None,
        started_at=NOW + timedelta(milliseconds=number),
        ended_at=NOW + timedelta(seconds=1),
        response_id="r",
        dialect="otel-genai",
        scope=f"instrumentation.{number}@1",
        usage=Usage(1000, output=50),
        reported=TOTALS,
    )
    return replace(call, **fields)  # type: ignore[arg-type]


def records(calls: Sequence[Call]) -> list[Call]:
    shelf = Shelf()
    for call in calls:
        shelf.put(call)
    return [group.record() for group in shelf.groups]


calls = st.builds(
    twin,
    st.integers(1, 6),
    dialect=st.sampled_from(["anthropic-sdk", "otel-genai", "openinference", "openllmetry"]),
    workload=st.sampled_from([None, "w"]),
    lease_id=st.sampled_from([None, "g:1"]),
    service_tier=st.sampled_from([None, "flex", "priority"]),
    attempts=st.integers(1, 3),
    usage=st.sampled_from(
        [
            Usage(1000, output=50),
            Usage(1000, output=50, apart=(("input_audio", 400),)),
            Usage(300, 600, 100, 0, 50),
            Usage(300, 600, 100, 0, 50, apart=(("web_searches", 2),)),
            Usage(300, 600, 70, 30, 50),
        ]
    ),
    reported=st.sampled_from([TOTALS, CACHED, CACHED | Reported.LIFETIMES]),
)


@given(st.lists(calls, min_size=1, max_size=5, unique_by=lambda call: call.span_id), st.randoms())
def test_the_record_of_twins_does_not_depend_on_their_order(twins: list[Call], random: Random) -> None:
    shuffled = list(twins)
    random.shuffle(shuffled)
    assert merged(twins) == merged(shuffled)
    assert records(twins) == records(shuffled)
    assert len(records(twins)) == 1


@given(st.lists(calls, min_size=1, max_size=5, unique_by=lambda call: call.span_id))
def test_putting_a_span_again_changes_nothing(twins: list[Call]) -> None:
    assert records([*twins, *twins]) == records(twins)


def test_the_most_trusted_span_gives_the_counts() -> None:
    streamed = twin(1, dialect="openllmetry", usage=Usage(1000, output=51))
    native = twin(2, dialect="anthropic-sdk", usage=Usage(1000, output=50))
    assert merged([streamed, native]).usage == Usage(1000, output=50)


def test_another_span_fills_in_the_split_that_the_best_one_does_not_name() -> None:
    best = twin(1, usage=Usage(1000, output=50))
    split = twin(
        2,
        dialect="openllmetry",
        usage=Usage(300, 600, 70, 30, 50, 20),
        reported=CACHED | Reported.LIFETIMES | Reported.REASONING,
    )
    assert merged([best, split]).usage == Usage(1000 - 600 - 70 - 30, 600, 70, 30, 50, 20)


def test_what_is_billed_apart_comes_from_the_span_that_names_it_where_both_count_alike() -> None:
    sound = Usage(1000, output=50, apart=(("input_audio", 400),))
    [record] = records([twin(1), twin(2, usage=sound)])
    assert record.usage == sound
    [record] = records([twin(1), twin(2, usage=replace_usage(sound, output=51))])
    assert record.usage == Usage(1000, output=50)


def test_parts_of_a_count_stay_with_it() -> None:
    sound = Usage(1000, output=50, apart=(("input_audio", 400),))
    cached = twin(2, usage=Usage(300, 700, output=50), reported=CACHED)
    [record] = records([twin(1, dialect="anthropic-sdk", usage=sound), cached])
    # Of the 300 that the other counts as uncached, 400 cannot be of sound.
    assert record.usage == sound


def test_a_split_of_another_total_is_not_mixed_in() -> None:
    best = twin(1, usage=Usage(1000, output=50))
    other = twin(2, dialect="openllmetry", usage=Usage(300, 600, output=50), reported=CACHED)
    assert merged([best, other]).usage == Usage(1000, output=50)


def test_usage_comes_from_whichever_span_has_it() -> None:
    blind = twin(1, dialect="anthropic-sdk", usage=None, reported=Reported.NOTHING)
    assert merged([blind, twin(2, dialect="openllmetry")]).usage == Usage(1000, output=50)


def test_the_hold_and_the_task_come_from_whichever_span_has_them() -> None:
    record = merged([twin(1, dialect="anthropic-sdk"), twin(2, lease_id="g:7", task_id="t", attempts=3)])
    assert (record.lease_id, record.task_id, record.attempts) == ("g:7", "t", 3)


def test_a_tenant_never_merges_with_another() -> None:
    assert len(records([twin(1), twin(2, tenant="globex")])) == 2


def test_an_id_that_a_server_gives_again_later_is_another_call() -> None:
    later = NOW + timedelta(minutes=5)
    again = [twin(n, started_at=later, ended_at=later + timedelta(seconds=1)) for n in (3, 4)]
    for order in permutations([twin(1), twin(2), *again]):
        assert len(records(order)) == 2


def test_a_twin_that_ends_long_after_it_began_is_still_a_twin() -> None:
    stream = twin(1, ended_at=NOW + timedelta(hours=1))
    late = twin(2, started_at=NOW + timedelta(minutes=59), ended_at=None)
    for order in permutations([stream, late]):
        assert len(records(order)) == 1


def test_a_wrapper_and_the_client_inside_it_are_one_call_without_any_response_id() -> None:
    outer = twin(1, response_id=None, usage=None, reported=Reported.NOTHING)
    inner = twin(2, trace_id=outer.trace_id, parent_span_id=outer.span_id, response_id=None)
    for order in permutations([outer, inner]):
        [record] = records(order)
        assert record.usage == Usage(1000, output=50)


def test_a_span_round_several_calls_adds_none_and_its_sum_is_not_billed() -> None:
    outer = twin(1, response_id=None, usage=Usage(3000, output=150), dialect="anthropic-sdk")
    inner = [
        twin(
            n, trace_id=outer.trace_id, parent_span_id=outer.span_id, response_id=None, dialect="openllmetry"
        )
        for n in (2, 3, 4)
    ]
    for order in permutations([outer, *inner]):
        found = records(order)
        assert len(found) == 3
        assert sum(record.usage.input_total for record in found if record.usage) == 3 * 1000


def test_a_wrapper_round_several_joins_none_of_them_whichever_comes_first() -> None:
    outer = twin(1, response_id=None, usage=Usage(3000, output=150))
    inner = [
        twin(n, trace_id=outer.trace_id, parent_span_id=outer.span_id, response_id=None, usage=usage)
        for n, usage in ((2, None), (3, Usage(700, output=7)))
    ]
    blind = replace(inner[0], reported=Reported.NOTHING)
    for order in permutations([outer, blind, inner[1]]):
        assert {record.usage for record in records(order)} == {None, Usage(700, output=7)}


def test_what_lies_round_a_wrapper_of_several_is_no_call_either() -> None:
    outer = twin(1, response_id=None, usage=Usage(3000, output=150))
    inner = twin(2, response_id=None, trace_id=outer.trace_id, parent_span_id=outer.span_id)
    calls = [twin(n, response_id=None, trace_id=outer.trace_id, parent_span_id=inner.span_id) for n in (3, 4)]
    for order in permutations([outer, inner, *calls]):
        assert sorted(record.span_id for record in records(order)) == [call.span_id for call in calls]


def test_parents_in_a_circle_are_booked_without_complaint() -> None:
    circle = [
        twin(n, response_id=None, trace_id=f"{1:032x}", parent_span_id=f"{parent:016x}", tenant=tenant)
        for n, parent, tenant in (
            (1, 3, "acme"),
            (2, 1, UNATTRIBUTED),
            (3, 2, "acme"),
            (4, 2, "globex"),
            (5, 5, "a"),
        )
    ]
    for order in permutations(circle):
        assert records(order)


def test_a_tool_that_costs_inside_a_call_is_not_the_call() -> None:
    call = twin(1)
    search = twin(2, trace_id=call.trace_id, parent_span_id=call.span_id, response_id=None, kind=Kind.COST)
    for order in permutations([call, search]):
        assert len(records(order)) == 2


def test_parent_and_child_with_different_response_ids_are_two_calls() -> None:
    outer = twin(1, response_id="a")
    inner = twin(2, trace_id=outer.trace_id, parent_span_id=outer.span_id, response_id="b")
    for order in permutations([outer, inner]):
        assert len(records(order)) == 2


def test_a_span_that_joins_two_calls_makes_them_one() -> None:
    framework = twin(1)
    wrapper = twin(2, response_id=None)
    client = twin(3, trace_id=wrapper.trace_id, parent_span_id=wrapper.span_id)
    for order in permutations([framework, wrapper, client]):
        assert len(records(order)) == 1


def test_a_response_id_that_is_always_the_same_eats_no_calls() -> None:
    """A server that answers "chatcmpl-1" for ever, under steady traffic: every call begins before the last ends."""
    steady = [
        twin(
            n,
            scope="client@1",
            started_at=NOW + timedelta(seconds=n),
            ended_at=NOW + timedelta(seconds=n + 2),
        )
        for n in range(1, 50)
    ]
    for order in (steady, steady[::-1], steady[::2] + steady[1::2]):
        assert len(records(order)) == len(steady)


def test_twins_of_an_id_come_apart_when_their_instrumentation_gives_it_to_another_call_too() -> None:
    framework, client = twin(1, scope="framework@1"), twin(2, scope="client@1")
    other = twin(3, scope="client@1", usage=Usage(9, output=9))
    for order in permutations([framework, client, other]):
        assert len(records(order)) == 3
    assert len(records([framework, client])) == 1


def test_two_spans_of_one_instrumentation_one_inside_the_other_are_one_call_in_spite_of_their_one_id() -> (
    None
):
    parse = twin(1, scope="client@1")
    create = twin(2, scope="client@1", trace_id=parse.trace_id, parent_span_id=parse.span_id)
    for order in permutations([parse, create, twin(3, scope="framework@1")]):
        assert len(records(order)) == 1


def test_twins_that_count_differently_are_one_call_and_a_conflict() -> None:
    trusted, other = (
        twin(1, dialect="anthropic-sdk"),
        twin(2, dialect="openllmetry", usage=Usage(1000, output=51)),
    )
    for order in permutations([trusted, other]):
        shelf = Shelf()
        for span in order:
            shelf.put(span)
        assert [group.record().usage for group in shelf.groups] == [trusted.usage]
        assert shelf.conflicts == [(trusted, other)]


LINKS = {
    "by response id": (twin(1), twin(2)),
    "wrapper tagged": (
        twin(1, response_id=None),
        twin(2, response_id=None, trace_id=f"{1:032x}", parent_span_id=f"{1:016x}"),
    ),
    "client tagged": (
        twin(2, response_id=None, trace_id=f"{1:032x}", parent_span_id=f"{1:016x}"),
        twin(1, response_id=None),
    ),
    "the same span": (twin(1, response_id=None), twin(1, response_id=None)),
}


@pytest.mark.parametrize("link", LINKS)
def test_a_span_without_a_tenant_is_the_twin_of_the_one_that_names_it(link: str) -> None:
    named, tagless = LINKS[link]
    for order in permutations([named, replace(tagless, tenant=UNATTRIBUTED)]):
        [record] = records(order)
        assert record.tenant == "acme"
        assert record.span_id == named.span_id


@pytest.mark.parametrize("link", LINKS)
def test_a_span_without_a_tenant_that_fits_two_of_them_is_nobodys(link: str) -> None:
    named, tagless = LINKS[link]
    spans = [named, replace(named, tenant="globex"), replace(tagless, tenant=UNATTRIBUTED)]
    for order in permutations(spans):
        assert sorted(record.tenant for record in records(order)) == ["acme", "globex", UNATTRIBUTED]


def settlement(**fields: object) -> Call:
    return twin(
        9, **{"dialect": SETTLEMENT, "scope": "switchgear", "lease_id": "g:1", "response_id": None, **fields}
    )


def test_a_settlement_fills_in_the_counts_that_its_span_lacks_and_nothing_else() -> None:
    span = twin(1, usage=None, reported=Reported.NOTHING, lease_id="g:1", workload="w", model="of the span")
    told = settlement(workload="other", task_id="t", model="of the settlement", started_at=NOW - timedelta(1))
    for order in permutations([span, told]):
        [record] = records(order)
        assert record.usage == Usage(1000, output=50)
        assert (record.workload, record.task_id, record.model) == ("w", "t", "of the span")
        assert (record.span_id, record.dialect, record.started_at) == (
            span.span_id,
            span.dialect,
            span.started_at,
        )


def test_a_span_s_own_counts_stand_beside_its_settlement() -> None:
    span = twin(1, lease_id="g:1", usage=Usage(999, output=1))
    assert [record.usage for record in records([settlement(), span])] == [Usage(999, output=1)]


def test_a_settlement_of_another_hold_or_tenant_is_another_call() -> None:
    span = twin(1, lease_id="g:1")
    assert len(records([span, settlement(lease_id="g:2")])) == 2
    assert len(records([span, settlement(tenant="globex")])) == 2


def test_spans_that_name_one_hold_are_still_calls_of_their_own() -> None:
    spans = [twin(n, response_id=None, lease_id="g:1") for n in (1, 2, 3)]
    for order in permutations([*spans, settlement()]):
        assert len(records(order)) == 3


def test_a_settlement_finds_a_span_without_its_hold_by_the_response() -> None:
    for order in permutations([twin(1), settlement(response_id="r")]):
        [record] = records(order)
        assert record.lease_id == "g:1"


def test_the_same_span_with_other_content_is_a_conflict_and_the_first_is_kept() -> None:
    shelf = Shelf()
    assert shelf.put(twin(1)) is Outcome.NEW
    assert shelf.put(twin(1)) is Outcome.DUPLICATE
    assert shelf.put(twin(1, usage=Usage(9))) is Outcome.CONFLICT
    assert shelf.conflicts == [(twin(1), twin(1, usage=Usage(9)))]
    assert [group.record().usage for group in shelf.groups] == [Usage(1000, output=50)]
